"""Does an index that walked a real history answer as a fresh one does?

    python tests/bench/walk.py REPOSITORY [--commits 200] [--every 10]

Indexes the first-parent history of a repository (bare or not) commit by commit, oldest first, and at every
n-th commit compares all answers, byte for byte, with those of an index made from nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from answers import answers, opened


def main() -> None:
    """Walk, compare, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository")
    parser.add_argument("--commits", type=int, default=200)
    parser.add_argument("--every", type=int, default=10)
    arguments = parser.parse_args()
    command = [
        "git",
        "-C",
        arguments.repository,
        "rev-list",
        "--first-parent",
        f"--max-count={arguments.commits}",
        "HEAD",
    ]
    commits = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[::-1]
    compared = different = parsed = 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder) / "walking") as walking:
        for number, commit in enumerate(commits):
            report = walking.index(arguments.repository, ref=commit, name="walked")
            parsed += report.parsed
            if number % arguments.every and number != len(commits) - 1:
                continue
            with opened(Path(folder) / f"fresh-{number}") as fresh:
                fresh.index(arguments.repository, ref=commit, name="walked")
                one = answers_at(walking, commit)
                compared += 1
                if one != answers_at(fresh, commit):
                    different += 1
                    print(f"DIFFERENT at {commit}")
            print(
                f"{number + 1} of {len(commits)} commits, {compared} compared, {report.files} files",
                flush=True,
            )
    print(
        f"{len(commits)} commits, {parsed} blobs parsed, {compared} compared with a fresh index, "
        f"{different} different, {time.monotonic() - started:.0f} s"
    )
    sys.exit(bool(different))


def answers_at(workspace, commit: str) -> list[str]:
    """All answers about one commit of the walked repository."""
    return answers(workspace, "walked", ref=commit)


if __name__ == "__main__":
    main()
