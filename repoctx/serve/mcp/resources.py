"""Which resources does MCP offer? Each file, and the map, of each repository that who asks may see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from repoctx import tokens
from repoctx.errors import NotFoundError, UsageError
from repoctx.serve.mcp import TEMPLATE, reach
from repoctx.serve.mcp.reach import Asker
from repoctx.store.connect import errors
from repoctx.tasks.tools import near

# Resources of a page, tokens of a map, and characters of a file that is given as a whole.
PAGE, MAP_TOKENS, LARGEST = 100, 4000, 1_000_000

_URI = re.compile(r"repoctx://([A-Za-z0-9][A-Za-z0-9._-]{0,199})/(?:(map)|files/(.+))", re.DOTALL)


class Listed(NamedTuple):
    """A resource that can be read."""

    uri: str
    name: str
    description: str


class Text(NamedTuple):
    """What a resource says, and how fresh that is."""

    text: str
    fresh: Mapping[str, Any]


def listed(asker: Asker, cursor: str | None) -> tuple[list[Listed], str | None]:
    """A page of the maps of all repositories, and where the next begins. Raises UsageError for a wrong cursor."""
    if cursor is not None and not cursor.isprintable():
        raise UsageError("the cursor is none that this list gave: leave it out to begin again")
    try:
        every = [one.name for one in reach.repositories(asker)]
    except NotFoundError:
        every = []
    names = [name for name in every if cursor is None or name > cursor]
    made = [
        Listed(f"repoctx://{quote(name)}/map", f"map of {name}", "the most important files and what they define")
        for name in names[:PAGE]
    ]
    return made, names[PAGE - 1] if len(names) > PAGE else None


def read(asker: Asker, uri: str) -> Text:
    """What a resource says. Raises NotFoundError for one that there is not, UsageError for a file that is too large."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise NotFoundError(f"no resource is {uri[:300]!r}: there is repoctx://REPOSITORY/map and {TEMPLATE}")
    asked = reach.state(asker, found[1], None)
    loaded, secrets = asked.opened.loaded, asked.tools.asked.secrets
    if found[2]:
        return Text(asked.tools.call("map", {"budget": MAP_TOKENS}).text + "\n", asked.fresh)
    number = near.file_number(asked.tools.asked.source, tokens.valid(unquote(found[3])))
    with errors(loaded.engine):
        (document,) = loaded.documents([number], secrets=secrets).values()
    if len(document.text) > LARGEST:
        raise UsageError(f"{document.path} has {len(document.text):,} characters: read parts of it with the tool read")
    return Text(tokens.neutralise(document.text), asked.fresh)
