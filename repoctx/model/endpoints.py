"""Which server has which window? A rope factor is set when a server starts, so that each tier has one of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from repoctx.errors import UsageError
from repoctx.http import server_url

SETTING = "backend.tiers"
EXAMPLE = "such as 1m=http://127.0.0.1:8001/v1"


def endpoints(settings_value: Sequence[str], tiers: Sequence[str]) -> Mapping[str, str]:
    """The base URL of each tier that `TIER=URL` items name; `tiers` are those of the model.

    Raises UsageError for an unknown tier, one that is named twice, and what is no URL.
    """
    found: dict[str, str] = {}
    for item in settings_value:
        tier, equals, url = (part.strip() for part in item.partition("="))
        if not equals or not tier or "/" in tier or not url:
            raise UsageError(f"{SETTING} must have items of the form TIER=URL, {EXAMPLE}")
        if tier not in tiers:
            raise UsageError(f"{SETTING} names a tier {tier!r}: the model has {', '.join(tiers)}")
        if tier in found:
            raise UsageError(f"{SETTING} names the tier {tier!r} twice: give it one URL")
        found[tier] = server_url(url, SETTING, "backend.key_env")
    return found
