"""What do the generated references of the documentation say? They follow from commands, routes and settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import click

from repoctx.config import KEYS, Settings
from repoctx.serve.cli import cli

Schema = Mapping[str, Any]


def reference(name: str, api: Schema) -> str:
    """What stands in a generated document, after the heading that `HEADINGS` says."""
    made = {"commands": commands, "routes": lambda: routes(api), "settings": settings}[name]()
    return "\n".join(made) + "\n"


HEADINGS = {"commands": "## Every command", "routes": "## Every route", "settings": "## Every setting"}


# --- settings ----------------------------------------------------------------------------------


def settings() -> Iterator[str]:
    """A row for each setting."""
    yield from ("| key | default | what it does |", "|---|---|---|")
    for field in fields(Settings):
        default = ", ".join(field.default) if isinstance(field.default, tuple) else str(field.default)
        marked = " (*repository*)" if field.metadata["repository"] else ""
        yield f"| `{KEYS[field.name]}` | {f'`{default}`' if default else ''} | {field.metadata['doc']}{marked} |"


# --- commands ----------------------------------------------------------------------------------


def every_command(group: click.Group = cli, words: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Each command with its words, groups before what is in them."""
    for name, command in sorted(group.commands.items()):
        yield " ".join((*words, name)), command
        if isinstance(command, click.Group):
            yield from every_command(command, (*words, name))


def commands() -> Iterator[str]:
    """A section for each command: how it is called, what it does, its options."""
    listed = [(words, command) for words, command in every_command() if not command.hidden]
    yield from ("| command | does |", "|---|---|")
    for words, command in listed:
        yield f"| [`repoctx {words}`](#repoctx-{words.replace(' ', '-')}) | {_cell(command.get_short_help_str(200))} |"
    yield from ("", "Options of `repoctx` itself stand before the command:")
    yield from ("", *_options(cli, click.Context(cli, info_name="repoctx")))
    for words, command in listed:
        context = click.Context(command, info_name=f"repoctx {words}")
        usage = " ".join((f"repoctx {words}", *command.collect_usage_pieces(context)))
        yield from ("", f"### repoctx {words}", "", f"`{usage}`", "")
        yield from _paragraphs(command.help or "")
        options = list(_options(command, context))
        if options:
            yield from ("", *options)


def _paragraphs(said: str) -> Iterator[str]:
    for number, paragraph in enumerate(said.strip().split("\n\n")):
        if number:
            yield ""
        yield " ".join(line.strip() for line in paragraph.split("\n"))


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    rows = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    if rows:
        yield from ("| option | default | what it does |", "|---|---|---|")
    for option in rows:
        default = option.get_default(context)
        plain = isinstance(default, str | int | float) and not isinstance(default, bool) and default != ""
        told = option.required or "[default:" in (option.help or "")
        shown = f"`{default}`" if plain and not told else ""
        needed = "**Needed.** " if option.required else ""
        yield f"| `{_cell(_written(option))}` | {_cell(shown)} | {needed}{_cell(option.help or '')} |"


def _written(option: click.Option) -> str:
    names = ", ".join((*option.opts, *option.secondary_opts))
    if option.is_flag:
        return names
    choices = getattr(option.type, "choices", None)
    number = isinstance(option.type, click.types.IntParamType | click.types.FloatParamType)
    kind = "|".join(choices) if choices else option.metavar or ("N" if number else option.type.name.upper())
    return f"{names} {kind}"


def _cell(said: str) -> str:
    return said.replace("|", "\\|").replace("\n", " ")


# --- routes ------------------------------------------------------------------------------------


def routes(api: Schema) -> Iterator[str]:
    """A table of all routes, and a section for each."""
    every = [(method.upper(), path, one) for path, methods in api["paths"].items() for method, one in methods.items()]
    yield from ("| route | does |", "|---|---|")
    yield from (f"| `{method} {path}` | {one['summary']} |" for method, path, one in every)
    for method, path, one in every:
        yield from ("", f"### {method} {path}", "")
        yield from _paragraphs(one.get("description") or f"{one['summary']}.")
        parameters = [(f"{p['name']}", p["in"], p) for p in one.get("parameters", ())]
        if parameters:
            yield from ("", "| parameter | in | is | what it says |", "|---|---|---|---|")
            for name, where, said in parameters:
                needed = "**Needed.** " if said.get("required") and where != "path" else ""
                told = said.get("description") or said["schema"].get("description") or _range(said["schema"])
                yield f"| `{name}` | {where} | {_cell(_type(api, said['schema']))} | {needed}{_cell(told)} |"
        for kind, body in one.get("requestBody", {}).get("content", {}).items():
            yield from _body(api, kind, body["schema"])
        yield from ("", *_answers(api, one["responses"]))


def _body(api: Schema, kind: str, schema: Schema) -> Iterator[str]:
    whole = _resolved(api, schema)
    properties = whole.get("properties", {})
    if not properties:
        yield from ("", f"Body: {kind}.")
        return
    yield from ("", "| field of the body | is | default | what it says |", "|---|---|---|---|")
    for name, said in properties.items():
        needed = "**Needed.** " if name in whole.get("required", ()) else ""
        default = said.get("default")
        shown = "" if default in (None, "", [], {}) else f"`{json.dumps(default)}`"
        told = needed + _cell(said.get("description", ""))
        yield f"| `{name}` | {_cell(_type(api, said))} | {_cell(shown)} | {told} |"


def _answers(api: Schema, responses: Schema) -> Iterator[str]:
    for status, said in responses.items():
        if not status.startswith("2"):
            continue
        shapes = [one.get("schema", {}) for one in said.get("content", {}).values()]
        names = sorted({name for shape in shapes for name in _resolved(api, shape).get("properties", {})},
                       key=lambda name, shapes=shapes: _order(api, shapes, name))  # fmt: skip
        told = ", ".join(f"`{name}`" for name in names)
        kinds = ", ".join(said.get("content", {})) or "nothing"
        yield f"Answers {status} with {told or kinds}."


def _order(api: Schema, shapes: list[Schema], name: str) -> int:
    return min(list(_resolved(api, s)["properties"]).index(name) for s in shapes
               if name in _resolved(api, s).get("properties", {}))  # fmt: skip


def _range(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    return "" if least is None or most is None else f"{least:,} to {most:,}"


def _resolved(api: Schema, schema: Schema) -> Schema:
    """The shape itself: what is referred to, and of a shape or null the shape."""
    while "$ref" in schema or "anyOf" in schema:
        if "anyOf" in schema:
            schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
        else:
            schema = api["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _type(api: Schema, schema: Schema) -> str:
    """What a value is, in a few words."""
    if "$ref" in schema:
        inner = _resolved(api, schema)
        names = ", ".join(f"`{name}`" for name in inner.get("properties", {}))
        return f"object: {names}" if names else _type(api, inner)
    if "anyOf" in schema:
        kinds = [_type(api, one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in schema:
        return " or ".join(f"`{one}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_type(api, schema.get('items', {}))}"
    return str(schema.get("type", "anything"))
