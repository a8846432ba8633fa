"""What may a row of a models file say?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from repoctx.errors import UsageError

COUNT = "a whole number of tokens, 1 or more"
CONFIGURED = "a number above 0, as in the model's config.json"
# Larger figures are mistakes: no window, base or price is near them, and arithmetic on them overflows.
MOST, MOST_FACTOR = 10**12, 1024
# Key -> kind of its value, and what it must be in words.
KINDS: dict[str, tuple[str, str]] = {
    "native": ("count", COUNT),
    "output": ("count", COUNT),
    "template": ("count", COUNT),
    "most_input": ("count", COUNT),
    "tokenizer": ("text", "a text, such as 'qwen' or 'file:tokenizer.json'"),
    "hosted": ("truth", "true or false"),
    "rope_theta": ("number", CONFIGURED),
    "partial_rotary_factor": ("share", "a number above 0, at most 1, as in the model's config.json"),
    "tool_parser": ("text", "a text, such as 'qwen3_coder'"),
    "names": ("texts", "a list of texts"),
    "tiers": ("tables", "a list of {name, window, rope_factor}"),
    "prices": ("tables", "a list of {where, currency, up_to, input, output}"),
    "sources": ("table", "a table of texts: where each figure comes from"),
}
NEEDED = ("native", "output", "tiers")
TIER = {"name": "text", "window": "count", "rope_factor": "factor"}
PRICE = {"where": "text", "currency": "text", "up_to": "count", "input": "price", "output": "price"}


def check(name: str, row: Mapping[str, Any], where: str) -> None:
    """Raises UsageError with one sentence for the first thing that is wrong with a model's row."""
    problem = "" if name.strip() else "has no name"
    problem = problem or _keys(row) or _items(row) or _tiers(row) or _sizes(row)
    if problem:
        raise UsageError(f"{where}: model {name!r} {problem}")


def _keys(row: Mapping[str, Any]) -> str:
    for key, value in row.items():
        if key not in KINDS:
            return f"has an unknown key {key!r}: there are {', '.join(KINDS)}"
        kind, wanted = KINDS[key]
        if not _is(kind, value):
            return f"has {key} = {value!r}: it must be {wanted}"
    missing = [key for key in NEEDED if key not in row]
    return f"has no {' and no '.join(missing)}" if missing else ""


def _items(row: Mapping[str, Any]) -> str:
    for key, columns in (("tiers", TIER), ("prices", PRICE)):
        for item in row.get(key, ()):
            whole = {"rope_factor": 1, **item} if key == "tiers" else item
            if set(whole) != set(columns) or not all(_is(columns[column], whole[column]) for column in columns):
                wanted = KINDS[key][1].removeprefix("a list of ")
                return f"has {item!r} in {key}: it must be {wanted}, with figures above 0"
    return ""


def _sizes(row: Mapping[str, Any]) -> str:
    for key in ("output", "template"):
        if row.get(key, 0) > row["native"]:
            return f"has {key} = {row[key]:,}: its native window of {row['native']:,} tokens cannot hold that"
    return ""


def _tiers(row: Mapping[str, Any]) -> str:
    tiers = row["tiers"]
    if not tiers:
        return "has no tiers: it needs tiers = [{ name = 'native', window = TOKENS }] at least"
    if len({tier["name"] for tier in tiers}) < len(tiers):
        return "has two tiers of the same name"
    for tier in tiers:
        name, window, factor = tier["name"], tier["window"], tier.get("rope_factor", 1)
        if window > row["native"] * factor:
            return (
                f"has a tier {name!r} of {window:,} tokens: its {row['native']:,} native ones times the rope factor "
                f"{factor:g} are fewer"
            )
        if factor > 1 and "rope_theta" not in row and not row.get("hosted"):
            return (
                f"has a tier {name!r} with a rope factor but no rope_theta: a server's rope settings replace all that "
                "config.json says, so they must repeat it"
            )
    return ""


def _is(kind: str, value: Any) -> bool:
    """Whether a value of TOML is of a kind. True and false are no numbers, nor are nan and inf."""
    number = type(value) in (int, float) and 0 <= value < float("inf")
    match kind:
        case "count":
            return type(value) is int and 0 < value <= MOST
        case "number":
            return number and 0 < value <= MOST
        case "share":
            return number and 0 < value <= 1
        case "factor":
            return number and 1 <= value <= MOST_FACTOR
        case "price":
            return number
        case "text":
            return isinstance(value, str) and bool(value.strip())
        case "truth":
            return isinstance(value, bool)
        case "texts":
            return isinstance(value, list) and all(_is("text", item) for item in value)
        case "tables":
            return isinstance(value, list) and all(isinstance(item, dict) for item in value)
        case _:
            return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
