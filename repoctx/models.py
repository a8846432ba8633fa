"""Which model are packs made for, how large are its windows, and which server answers for it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from repoctx.config import Configuration, Settings, key_variable
from repoctx.errors import UsageError

if TYPE_CHECKING:
    from repoctx.model.client import Backend
    from repoctx.model.windows import Model
    from repoctx.model.windows import Price as Offered
    from repoctx.pack import Window


def known(settings: Settings) -> dict[str, Model]:
    """The models that are known, the user's own among them. Raises UsageError for a row that is wrong."""
    from repoctx.model import windows

    file = settings.models_file
    return windows.load(windows.read(Path(file)), file) if file else windows.load()


def window(
    settings: Settings, models: Mapping[str, Model], model: str | None = None, *, served: bool = False
) -> Window:
    """What packs need to know of a model, by default the one that is set. Raises UsageError.

    With `served` its windows are those that have a server, if the settings say which: the smallest one has the
    usual server.
    """
    from repoctx.counters import counter
    from repoctx.model import windows
    from repoctx.pack import Price, Window

    found = windows.find(model or settings.model, models)
    try:
        counts = counter(found.tokenizer)
    except UsageError as error:
        raise UsageError(f"model {found.name!r}: {error}") from error
    prices = tuple(Price(one.up_to, one.input, one.currency) for one in _first_offer(found.prices))
    tiers = found.tiers
    if served and (own := _endpoints(settings, models)):
        usual = tiers[0].name if settings.backend_url else ""
        tiers = tuple(one for one in tiers if one.name in own or one.name == usual)
    return Window(found.name, tiers or found.tiers, found.output, counts, found.template, found.most_input, prices)


def backend(
    configuration: Configuration, models: Mapping[str, Model], tier: str | None = None, model: str | None = None
) -> Backend:
    """The back end that serves a tier of a model, by default the usual ones. Raises UsageError, BackendError."""
    from repoctx.model.client import served_models

    found = server(configuration, models, tier)
    if model is not None and model != configuration.settings.model:
        return replace(found, model=model)  # a server knows those that it has beside the usual one by their names
    return found if found.model else replace(found, model=served_models(found)[0])


def server(configuration: Configuration, models: Mapping[str, Model], tier: str | None = None) -> Backend:
    """The back end that is set, without a model's name where none is. Raises UsageError."""
    from repoctx.http import server_url
    from repoctx.model.client import Backend

    s = configuration.settings
    url = _endpoints(s, models).get(tier or "") or s.backend_url
    if not url:
        raise UsageError(
            "no model back end is set: give --backend-url, or set backend.url in repoctx.toml or REPOCTX_BACKEND_URL"
        )
    url = server_url(url, "backend.url", "backend.key_env")
    key_env = key_variable(configuration, "backend_key_env")
    return Backend(url, s.backend_model, key_env, s.backend_timeout, s.backend_max_output, at_once=s.backend_at_once)


def _endpoints(settings: Settings, models: Mapping[str, Model]) -> Mapping[str, str]:
    """Tiers that have servers of their own, and where they are. Raises UsageError."""
    from repoctx.model import windows
    from repoctx.model.endpoints import endpoints

    if not settings.backend_tiers:
        return {}
    tiers = windows.find(settings.model, models).tiers
    return endpoints(settings.backend_tiers, [tier.name for tier in tiers])


def _first_offer(prices: Sequence[Offered]) -> list[Offered]:
    """The prices of the place that is named first, the smallest prompts first."""
    return sorted((one for one in prices if one.where == prices[0].where), key=lambda one: one.up_to)
