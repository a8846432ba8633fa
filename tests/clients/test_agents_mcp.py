"""Do Qwen Code and Claude Code find our tools once `repoctx mcp install` has told them, and use them?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clients.places import Gateway, Place, content, results, text, use
from clients.programs import NEEDED, Ran, run

pytestmark = [NEEDED, pytest.mark.slow]

TOOLS = ("impact", "map", "pack", "read", "references", "repositories", "search", "symbol")
NAMES = [f"mcp__repoctx__{name}" for name in TOOLS]
SEARCH, SYMBOL = "mcp__repoctx__search", "mcp__repoctx__symbol"
QUERY, NAME = {"query": "parcel price", "k": 1}, {"name": "Tariff"}
HIT = "parcels/pricing/__init__.py"
PLACES = ["stdio", "http"]


@pytest.fixture
def install(place: Place, tmp_path: Path) -> Iterator[Callable[..., Ran]]:
    """Installs the server for an agent in the repository, of this machine or of a service; undone at the end."""

    def installed(agent: str, where: str, url: str) -> Ran:
        options = ("--url", url) if where == "http" else ()
        command = ("repoctx", "--home", str(place.home), "mcp", "install", agent, "--scope", "project", *options)
        return run(place.repository, tmp_path / "home", *command)

    yield installed
    shutil.rmtree(place.repository / ".qwen", ignore_errors=True)
    (place.repository / ".mcp.json").unlink(missing_ok=True)


@pytest.mark.parametrize("where", PLACES)
def test_qwen_code_searches(
    where: str, openai: Gateway, place: Place, qwen: Callable[..., Ran], install: Callable[..., Ran], tmp_path: Path
) -> None:
    """It lists the tools by name; the model looks two up, calls them, and reads what they say."""
    assert install("qwen", where, openai.url).code == 0
    home, known = tmp_path / "home", {"REPOCTX_TOKEN": place.token}
    assert run(place.repository, home, "qwen", "mcp", "approve", "repoctx", **known).code == 0
    listed = run(place.repository, home, "qwen", "mcp", "list", **known)
    assert listed.out.rstrip().endswith("- Connected"), listed
    calls = [{"name": "tool_call", "arguments": {"name": name, "arguments": given}}
             for name, given in ((SEARCH, QUERY), (SYMBOL, NAME))]  # fmt: skip
    openai.says(
        {"calls": [{"name": "tool_search", "arguments": {"query": f"select:{SEARCH},{SYMBOL}"}}]},
        *({"calls": [call]} for call in calls),
        {"text": "Found.", "times": 0},
    )
    allowed = ("--allowed-tools", SEARCH, "--allowed-tools", SYMBOL)
    assert qwen(f"{openai.url}/v1", "Where are prices?", *allowed, **known).out == "Found.\n"
    first, *_, last = openai.asked
    reminder = json.dumps(first["messages"][1]["content"])
    assert [name for name in NAMES if f'\\"{name}\\"' in reminder] == NAMES
    said = [content(one) for one in last["messages"] if one["role"] == "tool"]
    assert len(said) == 3
    assert [name in said[0] for name in NAMES] == [name in (SEARCH, SYMBOL) for name in NAMES]
    assert f'"path":"{HIT}"' in said[1]
    assert f"[parcels, main at {place.commit[:12]}" in said[1]
    assert '"path":"parcels/pricing/tariff.py"' in said[2]


@pytest.mark.parametrize("where", PLACES)
def test_claude_code_searches(
    where: str, anthropic: Gateway, place: Place, claude: Callable[..., Ran], install: Callable[..., Ran]
) -> None:
    """It loads the tools that the model asks for, and gives it what they say."""
    assert install("claude", where, anthropic.url).code == 0
    anthropic.says(
        [use(1, "ToolSearch", query=f"select:{SEARCH},{SYMBOL}")],
        [use(2, SEARCH, **QUERY)],
        [use(3, SYMBOL, **NAME)],
        [text("Found.")],
    )
    options = ("--allowed-tools", f"{SEARCH},{SYMBOL}")
    assert claude(anthropic.url, "Where are prices?", *options, REPOCTX_TOKEN=place.token).out == "Found.\n"
    second, last = anthropic.asked[1], anthropic.asked[-1]
    assert [one["name"] for one in second["tools"] if one["name"].startswith("mcp__")] == [SEARCH, SYMBOL]
    loaded, found, symbol = results(last)
    assert [one["tool_name"] for one in loaded["content"]] == [SEARCH, SYMBOL]
    assert not found.get("is_error")
    assert json.loads(content(found))["hits"][0]["path"] == HIT
    assert json.loads(content(found))["freshness"]["commit"] == place.commit
    assert "parcels/pricing/tariff.py" in content(symbol)
