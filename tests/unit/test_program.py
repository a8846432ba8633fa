"""Files that commands write: whole or not at all, no more open than they were, and never through a trap."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from repoctx.errors import UsageError
from repoctx.serve.mcp.install import AGENTS, install
from repoctx.serve.program import write_text


def mode(path: Path) -> int:
    """Who may do what with a file."""
    return path.stat().st_mode & 0o777


def test_a_file_keeps_its_mode_and_a_new_one_has_the_usual(tmp_path: Path) -> None:
    """A private one is its owner's alone; nothing is left beside them."""
    kept, new, private = tmp_path / "kept", tmp_path / "new", tmp_path / "private"
    kept.write_text("old")
    kept.chmod(0o640)
    before = os.umask(0o027)
    try:
        write_text(str(kept), "a")
        write_text(str(new), "b")
        write_text(str(private), "c", private=True)
    finally:
        os.umask(before)
    assert [(path.read_text(), mode(path)) for path in (kept, new, private)] == [
        ("a", 0o640), ("b", 0o640), ("c", 0o600),
    ]  # fmt: skip
    assert sorted(os.listdir(tmp_path)) == ["kept", "new", "private"]


def test_a_link_is_followed_and_stays_one(tmp_path: Path) -> None:
    """What it points at is written."""
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    write_text(str(link), "a")
    assert (link.is_symlink(), target.read_text()) == (True, "a")


def test_settings_of_a_project_do_not_lead_out_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout with a link to the user's own settings, or to where there is nothing yet."""
    project, mine = tmp_path / "project", tmp_path / "mine.json"
    project.mkdir()
    mine.write_text("{}")
    (project / ".mcp.json").symlink_to(mine)
    (project / ".qwen").mkdir()
    (project / ".qwen" / "settings.json").symlink_to(tmp_path / "new.json")
    monkeypatch.chdir(project)
    for agent in AGENTS.values():
        with pytest.raises(UsageError, match="leads out of this project, and is not followed: remove the link"):
            install(agent, "project", {"command": "repoctx", "args": ["mcp"]}, False)
    assert mine.read_text() == "{}"
    assert sorted(os.listdir(tmp_path)) == ["mine.json", "project"]
