"""What does the OpenAPI document say about each route? Operations as rows that a page shows."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from markupsafe import Markup

from repoctx.docs import rendered

Schema = Mapping[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
# Where examples ask: a page puts its own address there.
ADDRESS = "https://repoctx.example"
# Models in models are shown so deep; deeper ones by their names.
DEEPEST = 4
# What a schema says about the values that it takes, and how that is told.
_LIMITS = (
    ("minimum", "at least {}"), ("exclusiveMinimum", "more than {}"), ("maximum", "at most {}"),
    ("exclusiveMaximum", "less than {}"), ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"), ("minItems", "at least {} items"), ("maxItems", "at most {} items"),
    ("pattern", "matches {}"),
)  # fmt: skip
# What of an operation is searched.
_SEARCHED = ("operationId", "summary", "description", "tags", "parameters", "requestBody")
_WORDS = re.compile(r"\w+")


class Field(NamedTuple):
    """A parameter, or a field of what is sent or comes back."""

    name: str
    where: str  # of a parameter: path, query, header
    type: str
    required: bool
    default: str  # as JSON; "" if there is none
    limits: str
    said: str
    depth: int = 0  # models around it


class Answer(NamedTuple):
    """What comes back with a status."""

    status: str
    said: str
    media: str
    type: str
    fields: list[Field]


class Operation(NamedTuple):
    """A route with a method."""

    id: str
    tag: str
    method: str
    path: str
    summary: str
    said: Markup
    open: bool  # it asks for no token
    parameters: list[Field]
    media: str  # of the body; "" without one
    body: list[Field]
    answers: list[Answer]
    failures: list[Answer]
    example: str  # a request to ADDRESS
    text: str  # what is searched, in small letters


def operations(api: Schema) -> list[Operation]:
    """The operations of a document, in its order."""
    return [
        _operation(api, path, method, methods[method])
        for path, methods in api["paths"].items() for method in METHODS if method in methods
    ]  # fmt: skip


def having(found: Sequence[Operation], wanted: str) -> list[Operation]:
    """Those operations in which all wanted words occur."""
    words = _WORDS.findall(wanted.lower())
    return [one for one in found if all(word in one.text for word in words)]


def _operation(api: Schema, path: str, method: str, row: Schema) -> Operation:
    content = row.get("requestBody", {}).get("content", {})
    media = next(iter(content), "")
    told = {name: row.get(name) for name in _SEARCHED}
    answers = [_answer(api, status, one) for status, one in row["responses"].items()]
    return Operation(
        row["operationId"], row.get("tags", ["other"])[0], method.upper(), path, row.get("summary", ""),
        Markup(rendered(row.get("description", ""))),  # our own text, rendered without raw HTML
        not row.get("security"), [_parameter(api, one) for one in row.get("parameters", ())], media,
        list(_fields(api, content[media].get("schema", {}))) if media else [],
        [one for one in answers if one.status < "4"], [one for one in answers if one.status >= "4"],
        _curl(api, path, method, row), f"{method} {path} {json.dumps(told, ensure_ascii=False)}".lower(),
    )  # fmt: skip


def _parameter(api: Schema, row: Schema) -> Field:
    made = _field(api, row["name"], row["schema"], bool(row.get("required")), 0)
    return made._replace(where=row["in"], said=row.get("description", made.said))


def _answer(api: Schema, status: str, row: Schema) -> Answer:
    content = row.get("content", {})
    schema: Schema = next((one["schema"] for one in content.values() if one.get("schema")), {})
    kind = _type(schema) if schema else ""
    fields = list(_fields(api, schema)) if status < "4" else []
    return Answer(status, row.get("description", ""), ", ".join(content), kind, fields)


# --- schemas -----------------------------------------------------------------------------------


def _fields(api: Schema, schema: Schema, depth: int = 0, around: tuple[str, ...] = ()) -> Iterator[Field]:
    """The fields of a schema, each followed by those of the models in it."""
    for name, model in _models(api, schema):
        if name and name in around:
            continue  # it holds itself
        for key, one in model.get("properties", {}).items():
            yield _field(api, key, one, key in model.get("required", ()), depth)
            if depth < DEEPEST:
                yield from _fields(api, one, depth + 1, (*around, name))


def _models(api: Schema, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """The models that a value of a schema may be or hold, with their names."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        yield name, api["components"]["schemas"].get(name, {})
    elif "properties" in schema:
        yield "", schema
    for inner in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ()), schema.get("items")):
        if isinstance(inner, dict):
            yield from _models(api, inner)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _models(api, schema["additionalProperties"])


def _field(api: Schema, name: str, schema: Schema, required: bool, depth: int) -> Field:
    said = schema.get("description") or next((m.get("description", "") for _, m in _models(api, schema)), "")
    default = json.dumps(schema["default"], ensure_ascii=False) if schema.get("default") is not None else ""
    return Field(name, "", _type(schema), required, default, "; ".join(_limits(schema)), said, depth)


def _type(schema: Schema) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " or ".join(json.dumps(one) for one in schema["enum"])
    if choices := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return " or ".join(dict.fromkeys(map(_type, choices)))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return str(schema.get("type", "any"))


def _limits(schema: Schema) -> Iterator[str]:
    for name, said in _LIMITS:
        if name in schema:
            value = schema[name]
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            yield said.format(f"{int(value):,}" if whole else value)
    for inner in (*schema.get("anyOf", ()), schema.get("items")):
        if isinstance(inner, dict):
            yield from (f"each {said}" if inner is schema.get("items") else said for said in _limits(inner))


# --- examples ----------------------------------------------------------------------------------


def _curl(api: Schema, path: str, method: str, row: Schema) -> str:
    """A request that one may try."""
    query: list[tuple[str, str]] = []
    for one in row.get("parameters", ()):
        value = _example(api, one["schema"])
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", quote(str(value), safe="/"))
        elif one["in"] == "query" and one.get("required"):
            query.append((one["name"], str(value)))
    url = f"{ADDRESS}{path}{'?' + urlencode(query) if query else ''}"
    content = row.get("requestBody", {}).get("content", {})
    plain = "post" if content else "get"  # what curl takes by itself
    lines = [f"curl {'' if method == plain else f'-X {method.upper()} '}{shlex.quote(url)}"]
    if row.get("security"):
        lines.append('-H "Authorization: Bearer $REPOCTX_TOKEN"')
    for media, one in list(content.items())[:1]:
        body = one.get("example") or _example(api, one.get("schema", {}))
        lines.append(f"-H {shlex.quote(f'Content-Type: {media}')}")
        lines.append(f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}")
    return " \\\n  ".join(lines)


def _example(api: Schema, schema: Schema, depth: int = 0) -> Any:
    """A value that a schema takes: its example, what is required of an object and what has an example."""
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("default") is not None:
        return schema["default"]
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    if choices := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return _example(api, choices[0], depth)
    if "$ref" in schema or "properties" in schema:
        _, model = next(_models(api, schema))
        needed: Sequence[str] = model.get("required", ())
        fields = model.get("properties", {}).items()
        return {
            key: _example(api, one, depth + 1) for key, one in fields
            if depth < DEEPEST and (key in needed or one.get("examples"))
        }  # fmt: skip
    if schema.get("type") == "array":
        return [_example(api, schema.get("items", {}), depth + 1)] if schema.get("minItems") else []
    plain = {"integer": schema.get("minimum", 1), "number": schema.get("minimum", 1.0), "boolean": True, "object": {}}
    return plain.get(str(schema.get("type")), "…")
