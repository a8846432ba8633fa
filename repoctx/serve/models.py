"""Which models are there, and how is a server started for their windows?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from repoctx.serve.options import JSON, workspace
from repoctx.serve.show import json_line, plain

if TYPE_CHECKING:
    from repoctx.model.windows import Model
    from repoctx.pack import Window
    from repoctx.workspace import Workspace


@click.command()
@click.argument("name", required=False)
@JSON
@click.pass_context
def models(context: click.Context, name: str | None, as_json: bool) -> None:
    """List the models, or show one: its windows, and the settings that each needs of a server."""
    from repoctx.model import windows

    with workspace(context) as opened:
        if name is None:
            for model in opened.models.values():
                click.echo(json_line(summary(model)) if as_json else line(model, opened.settings.model))
            return
        account = describe(opened, windows.find(name, opened.models))
    click.echo(json_line(account) if as_json else "\n".join(text(account)))


def summary(model: Model) -> dict[str, Any]:
    """A model in one line of JSON."""
    return {
        "name": model.name,
        "names": model.names,
        "native": model.native,
        "window": model.window,
        "output": model.output,
        "tokenizer": model.tokenizer,
        "tiers": [tier.name for tier in model.tiers],
        "hosted": model.hosted,
    }


def line(model: Model, chosen: str) -> str:
    """A model in one line; * marks the one that packs are made for."""
    mark = "*" if chosen.casefold() in {name.casefold() for name in (model.name, *model.names)} else " "
    tiers = ", ".join(f"{tier.name} {tier.window:,}" for tier in model.tiers)
    return f"{mark} {plain(model.name)}: {plain(tiers)} tokens; counted by {plain(model.tokenizer)}"


def describe(opened: Workspace, model: Model) -> dict[str, Any]:
    """All that is known of a model, and what packs and servers make of each tier."""
    from repoctx.model.servers import CAUTION, logit_scale, servers
    from repoctx.pack import reserve, room

    window: Window = opened.window(model.name)
    tiers = [
        {
            **tier._asdict(),
            "reserve": reserve(tier.window, model.output),
            "largest_pack": room(window, tier),
            "logit_scale": round(logit_scale(tier.rope_factor), 3),
            "servers": servers(model, tier),
        }
        for tier in model.tiers
    ]
    return {
        **summary(model),
        "tokenizer": window.counter.name,
        "exact": window.counter.exact,
        "margin": window.counter.margin,
        "template": model.template,
        "most_input": model.most_input,
        "rope_theta": model.rope_theta,
        "partial_rotary_factor": model.partial_rotary_factor,
        "tiers": tiers,
        "caution": CAUTION if any(tier.rope_factor > 1 for tier in model.tiers) and not model.hosted else "",
        "prices": model.prices,
        "sources": dict(model.sources),
    }


def text(account: dict[str, Any]) -> Iterator[str]:
    """What `describe` found, for people."""
    others = f"  ({', '.join(account['names'])})" if account["names"] else ""
    yield f"{click.style(plain(account['name']), bold=True)}{plain(others)}"
    margin = f"an estimate with a margin of {account['margin']:.0%}, which packs keep free"
    counts = "exact" if account["exact"] else margin
    yield f"  tokens by {plain(account['tokenizer'])}, {counts}; its chat template takes {account['template']}"
    most = f"; prompts up to {account['most_input']:,}" if account["most_input"] else ""
    yield f"  native window {account['native']:,}; answers up to {account['output']:,}{most}"
    yield ""
    yield "  tier          window  rope factor  reserve  largest pack"
    for tier in account["tiers"]:
        yield (
            f"  {plain(tier['name']):<10}{tier['window']:>10,}{tier['rope_factor']:>13g}"
            f"{tier['reserve']:>9,}{tier['largest_pack']:>14,}"
        )
    for tier in account["tiers"]:
        yield from _server_text(tier)
    if account["hosted"]:
        yield "\n  Hosted: its server sets what it needs."
    if account["caution"]:
        yield f"\n  {account['caution']}"
    for price in account["prices"]:
        yield (
            f"  {plain(price.where)}, input up to {price.up_to:,}: {price.input:g} {plain(price.currency)} in, "
            f"{price.output:g} out, per million tokens"
        )
    yield ""
    for key, source in account["sources"].items():
        yield f"  {plain(key)}: {plain(source)}"


def _server_text(tier: dict[str, Any]) -> Iterator[str]:
    if not tier["servers"]:
        return
    scale = f", logits times {tier['logit_scale']:g} on every request" if tier["rope_factor"] > 1 else ""
    yield f"\n  {plain(tier['name'])}{scale}"
    for server in tier["servers"]:
        what = server.command or (json.dumps(server.config) if server.config else "nothing to set")
        yield f"    {server.server}: {what}"
        if server.note:
            yield f"      {server.note}"
