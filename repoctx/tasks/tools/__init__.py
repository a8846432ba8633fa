"""What may a model ask about a snapshot? A few tools, the same for the agent loop and for MCP.

They read one snapshot and nothing else, whatever the arguments say. A call that cannot be answered has a text that
tells a model what to do instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from repoctx import redact, tokens
from repoctx.errors import RepoctxError, UsageError
from repoctx.pack import Window
from repoctx.store.connect import errors
from repoctx.tasks.packing import Source
from repoctx.tasks.tools import arguments
from repoctx.tasks.tools.finding import SEARCH, SYMBOL
from repoctx.tasks.tools.reading import MAP_TOOL, PACK_TOOL, READ
from repoctx.tasks.tools.relations import IMPACT, REFERENCES
from repoctx.tasks.tools.shape import Asked, Tool, as_json, cleaned
from repoctx.types import Tier

__all__ = ["TOOLS", "Result", "Tool", "Toolbox", "refused", "toolbox"]

TOOLS: Mapping[str, Tool] = {
    tool.name: tool for tool in (SEARCH, SYMBOL, REFERENCES, IMPACT, READ, MAP_TOOL, PACK_TOOL)
}
# What packs are made for where nobody says: any budget that the tool takes fits.
_ANY = Window("any", (Tier("any", 1 << 20, 1.0),), 4096)
# Characters of an error that quotes what it was given.
_MOST_ERROR = 3000


class Result(NamedTuple):
    """The answer to a call."""

    text: str  # for a model
    structured: Mapping[str, Any] | None  # the same as JSON, as the tool's schema has it; None for an error
    error: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Toolbox:
    """Tools on one snapshot. Calls may be made by several threads at once."""

    tools: Mapping[str, Tool]
    asked: Asked

    @property
    def definitions(self) -> list[dict[str, Any]]:
        """The tools as an OpenAI-compatible server takes them."""
        return [
            {
                "type": "function",
                "function": {"name": one.name, "description": one.description, "parameters": dict(one.arguments)},
            }
            for one in self.tools.values()
        ]

    def call(self, name: str, given: str | Mapping[str, Any]) -> Result:
        """The answer of a tool to arguments: a JSON text, as models send them, or an object."""
        try:
            tool = self._tool(name)
            with errors(self.asked.source.loaded.engine):
                made = cleaned(
                    tool.run(self.asked, arguments.read(tool.name, tool.arguments, given)), self.asked.secrets
                )
        except RepoctxError as error:
            return refused(error, self.asked.secrets)
        return Result(tool.tell(made), as_json(made))

    def _tool(self, name: str) -> Tool:
        if (tool := self.tools.get(name.strip())) is None:
            raise UsageError(f"there is no tool {name[:100]!r}: there is {', '.join(self.tools)}")
        return tool


def toolbox(
    source: Source, names: Sequence[str] | None = None, *, secrets: bool = False, window: Window | None = None
) -> Toolbox:
    """Tools on a snapshot, by default all. Raises UsageError for a name that no tool has.

    `secrets` shows those; `window` is that of the model that packs are made for.
    """
    chosen = list(TOOLS) if names is None else list(names)
    if unknown := [name for name in chosen if name not in TOOLS]:
        raise UsageError(f"there is no tool {unknown[0]!r}: there is {', '.join(TOOLS)}")
    return Toolbox({name: TOOLS[name] for name in chosen}, Asked(source, secrets, window or _ANY))


def refused(error: RepoctxError, secrets: bool = False) -> Result:
    """What a call is told that cannot be answered."""
    said = tokens.valid(str(error))[:_MOST_ERROR]
    return Result(tokens.neutralise(said if secrets else redact.redact(said)[0]), None, True)
