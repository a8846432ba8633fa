"""Whatever happened before, an index of a snapshot answers as a fresh index of it does, byte for byte."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import postgres
import pytest
from answers import answers, opened

SAMPLES = Path(__file__).resolve().parent.parent.parent / "sample_repos"


def commit(git, folder: Path, message: str) -> None:
    """Commit everything that there is."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)


def mutate(rng: random.Random, folder: Path) -> None:
    """One commit's worth of what happens to repositories: edits, copies, renames, deletions, binaries."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and ".git" not in p.parts)
    for _ in range(rng.randint(1, 4)):
        path = rng.choice(files)
        action = rng.choice(["append", "append", "cut", "copy", "rename", "delete", "binary"])
        if not path.exists():
            continue
        if action == "append":
            path.write_bytes(path.read_bytes() + f"\n# note {rng.randint(0, 9)} parse configuration\n".encode())
        elif action == "cut":
            lines = path.read_bytes().splitlines(keepends=True)
            del lines[rng.randrange(len(lines) + 1) :][: rng.randint(1, 20)]
            path.write_bytes(b"".join(lines))
        elif action == "copy":
            shutil.copy(path, path.with_name(f"copy_{rng.randint(0, 5)}_{path.name}"))
        elif action == "rename":
            path.rename(path.with_name(f"moved_{rng.randint(0, 5)}_{path.name[-40:]}"))
        elif action == "delete" and len(files) > 10:
            path.unlink()
        elif action == "binary":
            path.write_bytes(b"\0" + path.read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("sample, seed", [("python-parcels", 1), ("typescript-parcels", 2)])
def test_index_a_then_b_equals_b_from_nothing(git, tmp_path, sample, seed):
    """Twelve random commits, with jumps back to earlier ones, each compared with a fresh index."""
    rng = random.Random(seed)
    folder = tmp_path / "repo"
    shutil.copytree(SAMPLES / sample, folder)
    git(folder, "init", "-q", "-b", "main")
    commit(git, folder, "first")
    with opened(tmp_path / "walking") as walking:
        walking.index(str(folder))
        for number in range(12):
            if rng.random() < 0.25:
                earlier = rng.choice(git(folder, "rev-list", "--all").split())
                git(folder, "reset", "-q", "--hard", earlier)  # a force push
            else:
                mutate(rng, folder)
                if rng.random() < 0.7:
                    commit(git, folder, f"change {number}")
            report = walking.index(str(folder))
            with opened(tmp_path / f"fresh-{number}") as fresh:
                assert fresh.index(str(folder)).snapshot == report.snapshot
                assert answers(walking, "repo") == answers(fresh, "repo")


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from answers import answers
from repoctx.workspace import open_workspace

if __name__ == "__main__":
    home, folder, workers, database = sys.argv[2:]
    settings = {"REPOCTX_HOME": home, "REPOCTX_INDEX_WORKERS": workers, "REPOCTX_DATABASE_URL": database}
    with open_workspace(environment=settings) as workspace:
        workspace.index(folder, name="repo")
        sys.stdout.buffer.write("\\0".join(answers(workspace, "repo")).encode("utf-8", "surrogateescape"))
"""


@pytest.mark.slow
def test_the_same_bytes_under_any_hash_seed_process_count_and_database(tmp_path, postgres_server):
    """Three processes that differ in all that should not matter say the same."""
    folder = tmp_path / "repo"
    shutil.copytree(SAMPLES / "java-parcels", folder)
    (tmp_path / "program.py").write_text(PROGRAM)
    said = []
    with postgres.database(postgres_server) as url:
        for number, (seed, workers, database) in enumerate([("0", "1", ""), ("1", "3", ""), ("2", "2", url)]):
            command = [sys.executable, str(tmp_path / "program.py"), str(Path(__file__).parent.parent)]
            command += [str(tmp_path / f"home-{number}"), str(folder), workers, database]
            done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed})
            assert done.returncode == 0, done.stderr.decode()
            said.append(done.stdout)
    assert len(said[0]) > 10_000
    assert said[0] == said[1] == said[2]
