"""Plain folders, and whether the rules that are read here mean what git says they mean."""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repositories import ENVIRONMENT, git

from repoctx.errors import RefusedError, SourceError, UsageError
from repoctx.source import Limits, open_source
from repoctx.source.git import blob_id, run
from repoctx.source.patterns import Attributes, IgnoreRules
from repoctx.types import Entry, Skip

ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **ENVIRONMENT}


@pytest.fixture(autouse=True)
def _no_host_configuration(monkeypatch):
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "HOME"):
        monkeypatch.setenv(name, ENV[name])


def scan(location: Path, **limits):
    with open_source(
        str(location), ref=None, limits=Limits(**limits), mirrors=Path("/nonexistent")
    ) as source:
        tree = source.tree()
        return tree, {entry.path: found for entry, found in source.read(tree.entries)}


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_plain_folder(tmp_path):
    """A plain folder is its files under git's blob ids; `.git` folders in it are never entered."""
    write(
        tmp_path,
        **{"b/x.py": "x\n", "a.py": "a\n", "empty.py": "", "clone/.git/config": "c", "clone/m.py": "m\n"},
    )
    tree, read = scan(tmp_path)
    assert tree.entries == tuple(
        Entry(path, blob_id(text), len(text))
        for path, text in (("a.py", b"a\n"), ("b/x.py", b"x\n"), ("clone/m.py", b"m\n"), ("empty.py", b""))
    )
    assert (tree.skips, tree.commit, tree.ref, tree.dirty) == ((), None, ".", False)
    assert read == {"a.py": b"a\n", "b/x.py": b"x\n", "clone/m.py": b"m\n", "empty.py": b""}
    assert tree.entries[0].blob == git(tmp_path, "hash-object", "a.py")


def test_empty_folder_and_names(tmp_path):
    """An empty folder is an empty tree; it has no ref."""
    (tmp_path / "My Code!").mkdir()
    assert scan(tmp_path / "My Code!")[0].entries == ()
    with open_source(str(tmp_path / "My Code!"), ref=None, limits=Limits(), mirrors=tmp_path) as source:
        assert (source.kind, source.default_name) == ("folder", "My-Code")
    with pytest.raises(UsageError, match="is not a git repository, so it has no ref 'main'"):
        open_source(str(tmp_path), ref="main", limits=Limits(), mirrors=tmp_path)


def test_ignore_files_of_a_folder(tmp_path):
    """.gitignore and .repoctxignore count in their folders; ours comes last and can bring a file back."""
    write(tmp_path, **{
        ".gitignore": "*.log\n/out/\n",
        ".repoctxignore": "!keep.log\nsecret.py\n", "a.log": "", "keep.log": "k",
        "out/x.py": "", "sub/out/y.py": "y", "sub/.gitignore": "y.txt\n", "sub/y.txt": "", "y.txt": "y",
        "sub/secret.py": "", "node_modules/p/i.js": "",
    })  # fmt: skip
    tree, _ = scan(tmp_path)
    assert [entry.path for entry in tree.entries] == [
        ".gitignore", ".repoctxignore", "keep.log", "sub/.gitignore", "sub/out/y.py", "y.txt",
    ]  # fmt: skip
    assert tree.skips == (
        Skip("a.log", "ignored", ".gitignore"),
        Skip("node_modules/", "vendored", "node_modules"),
        Skip("out/", "ignored", ".gitignore"),
        Skip("sub/secret.py", "ignored", ".repoctxignore"),
        Skip("sub/y.txt", "ignored", ".gitignore"),
    )


def test_special_files_and_links(tmp_path):
    """Links, FIFOs and sockets are named and never opened or followed, not even as rule files."""
    write(tmp_path, **{"a.py": "a\n"})
    (tmp_path / "passwd").symlink_to("/etc/passwd")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / ".gitignore")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(tmp_path, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{here}/s")
        os.close(here)
        tree, _ = scan(tmp_path)
    assert [entry.path for entry in tree.entries] == ["a.py"]
    assert tree.skips == (
        Skip(".gitignore", "special file", "FIFO"),
        Skip("loop", "symlink", str(tmp_path)),
        Skip("passwd", "symlink", "/etc/passwd"),
        Skip("s", "special file", "socket"),
    )


def test_a_folder_swapped_for_a_link_is_not_followed(tmp_path):
    """A folder that becomes a symbolic link between scan and read leads nowhere."""
    write(tmp_path, **{"r/d/a.py": "a\n", "outside/a.py": "a\n"})
    with open_source(str(tmp_path / "r"), ref=None, limits=Limits(), mirrors=tmp_path) as source:
        tree = source.tree()
        (tmp_path / "r" / "d").rename(tmp_path / "moved")
        (tmp_path / "r" / "d").symlink_to(tmp_path / "outside")
        (found,) = [found for _, found in source.read(tree.entries)]
    assert found == Skip("d/a.py", "vanished", "removed since the scan")


def test_limits_of_a_folder(tmp_path):
    """Too many files are refused, a large one is named, globs are heeded."""
    write(tmp_path, **{"a.py": "a" * 10, "b.py": "b" * 2_000, "c.txt": "c"})
    tree, _ = scan(tmp_path, max_file_bytes=1_000, include=("*.py",))
    assert [entry.path for entry in tree.entries] == ["a.py"]
    assert tree.skips == (Skip("b.py", "too large", "2.0 kB"), Skip("c.txt", "ignored", "not included"))
    with pytest.raises(RefusedError, match="more than 2 files"):
        scan(tmp_path, max_files=2)


def test_a_question_that_never_ends(tmp_path):
    """git is stopped when it waits for ever, as it does for rules in a FIFO."""
    git(tmp_path, "init", "-q")
    os.mkfifo(tmp_path / ".gitignore")
    with pytest.raises(SourceError, match=r"git gave no answer about .* within 0\.3 seconds"):
        run(str(tmp_path), ["check-ignore", "--stdin"], stdin=b"a.py\n", work_tree=True, seconds=0.3)


# --- git as the judge -------------------------------------------------------------------------

PARTS = st.sampled_from(["a", "b", "ab", "a.b", "[a]", "-", "b c", "x"])
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
PIECES = [*"ab*?[]!/\\.-x^ ", "**/", "/**", "[a-b]", "[!a]", "**"]
# git takes a pattern's literal start off before it looks at the rest, so to it the stars of "a**/b"
# stand at the start of a component, against its own documentation. Here they do not.
GLOBS = (
    st.lists(st.sampled_from(PIECES), max_size=8)
    .map("".join)
    .filter(lambda g: not re.search(r"[^/*]\*\*", g))
)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    git(folder, "init", "-q")
    return folder


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(GLOBS, min_size=1, max_size=4), st.lists(PATHS, min_size=1, max_size=12, unique=True))
def test_ignore_rules_agree_with_git(judge, globs, paths):
    """Any ignore file ignores the files that `git check-ignore` says it ignores."""
    text = "\n".join(globs).encode()
    (judge / ".gitignore").write_bytes(text)
    rules = IgnoreRules()
    rules.add(b"", text, ".gitignore")
    ours = [
        path for path in paths
        if rules.outermost(path.encode().rpartition(b"/")[0]) or rules.verdict(path.encode(), is_folder=False)
    ]  # fmt: skip
    question = "".join(f"./{path}\0" for path in paths).encode()
    ask = ["git", "check-ignore", "--no-index", "-z", "--stdin"]
    done = subprocess.run(ask, cwd=judge, env=ENV, input=question, capture_output=True, check=False)
    assert ours == [path.removeprefix("./") for path in done.stdout.decode().split("\0")[:-1]]


STATES = st.sampled_from(["", "-", "!", "=true", "=false"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(GLOBS, STATES), min_size=1, max_size=4),
    st.lists(PATHS, min_size=1, max_size=8, unique=True),
)
def test_attributes_agree_with_git(judge, rows, paths):
    """Any attributes file gives the files the attribute that `git check-attr` says it gives."""
    name = "linguist-generated"
    lines = [
        f"{glob} {name}{state}" if state.startswith("=") else f"{glob} {state}{name}" for glob, state in rows
    ]
    text = "\n".join(lines).encode()
    (judge / ".gitattributes").write_bytes(text)
    attributes = Attributes()
    attributes.add(b"", text)
    question = "".join(f"{path}\0" for path in paths).encode()
    ask = ["git", "check-attr", "-z", "--stdin", name]
    done = subprocess.run(ask, cwd=judge, env=ENV, input=question, capture_output=True, check=True)
    said = done.stdout.decode().split("\0")[2::3]
    meaning = {"set": True, "true": True, "unset": False, "false": False, "unspecified": None}
    assert [attributes.of(path.encode()).get(name.encode()) for path in paths] == [
        meaning[word] for word in said
    ]
