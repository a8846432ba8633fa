"""Does the official MCP inspector find nothing wrong, on standard input and over HTTP?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clients.places import Gateway, Place
from clients.programs import NEEDED, Ran, run
from clients.test_agents_mcp import HIT

pytestmark = [NEEDED, pytest.mark.slow]

Inspect = Callable[..., Ran]
# All that there are, where a model can be asked.
TOOLS = ["debug", "impact", "map", "pack", "read", "references", "repositories", "search", "symbol", "task"]


@pytest.fixture(params=["stdio", "http"])
def inspect(request: pytest.FixtureRequest, place: Place, openai: Gateway, tmp_path: Path) -> Inspect:
    """Runs the inspector with a method and its options."""

    def ask(method: str, *options: str) -> Ran:
        if request.param == "http":
            server: tuple[str, ...] = ()
            options = (*at(openai.url, place.token), *options)
        else:
            options = ("-e", f"REPOCTX_BACKEND_URL={openai.backend}", *options)
            server = ("--", "repoctx", "--home", str(place.home), "mcp")
        command = ("mcp-inspector", "--cli", "--method", method, *options, *server)
        return run(place.repository, tmp_path / "home", *command)

    return ask


def at(url: str, token: str) -> tuple[str, ...]:
    """The options that name a service, and show a token."""
    return ("--transport", "http", "--server-url", f"{url}/mcp", "--header", f"Authorization: Bearer {token}")


def told(ran: Ran) -> Any:
    """What the inspector printed, and it complained of nothing."""
    assert (ran.code, ran.err) == (0, "")
    return json.loads(ran.out)


def test_it_lists_the_tools(inspect: Inspect) -> None:
    """All of them, and their schemas are portable."""
    listed = told(inspect("tools/list", "--strict"))["tools"]
    assert sorted(one["name"] for one in listed) == TOOLS


def test_it_calls_a_tool(inspect: Inspect, place: Place) -> None:
    """Words and structured output say the same; an error says what there is instead."""
    answer = told(inspect("tools/call", "--tool-name", "search", "--tool-arg", "query=parcel price", "k=1"))
    (hit,) = answer["structuredContent"]["hits"]
    assert (hit["path"], hit["start_line"], hit["end_line"]) == (HIT, 1, 18)
    assert answer["content"][0]["text"].startswith(f"{HIT}:1-18 ")
    assert answer["structuredContent"]["freshness"]["commit"] == place.commit
    wrong = inspect("tools/call", "--tool-name", "read", "--tool-arg", "path=nowhere.py")
    assert wrong.code == 5
    assert json.loads(wrong.out)["content"][0]["text"].startswith("no file is 'nowhere.py': there is ")


def test_it_reads_a_resource(inspect: Inspect, place: Place) -> None:
    """The text of a file is that of the file."""
    (listed,) = told(inspect("resources/list"))["resources"]
    assert listed["uri"] == "repoctx://parcels/map"
    (read,) = told(inspect("resources/read", "--uri", "repoctx://parcels/files/parcels/errors.py"))["contents"]
    assert read["text"] == (place.repository / "parcels/errors.py").read_text(encoding="utf-8")
    assert read["_meta"]["repoctx/freshness"]["commit"] == place.commit


def test_a_wrong_token_is_refused(place: Place, openai: Gateway, tmp_path: Path) -> None:
    """The inspector says that it must show another."""
    ran = run(place.repository, tmp_path / "home", "mcp-inspector", "--cli", "--method", "tools/list",
              *at(openai.url, f"{place.token[:-4]}aaaa"))  # fmt: skip
    assert (ran.code, ran.out.strip()) == (3, "")
    assert json.loads(ran.err)["error"]["code"] == "auth_required"
