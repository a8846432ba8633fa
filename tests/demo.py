"""The five-minute story as a program: index a sample repository, search it, pack a prompt from it.

    python tests/demo.py [PATH_OF_REPOCTX]

Runs the real commands on a copy of a sample, in folders of its own, and shows what they print.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent / "sample_repos"
SAMPLE = "python-parcels"


def main() -> None:
    """Tell the story."""
    program = shutil.which(sys.argv[1] if len(sys.argv) > 1 else "repoctx")
    if program is None:
        sys.exit("repoctx is not installed: run `make demo`")
    program = str(Path(program).absolute())
    with tempfile.TemporaryDirectory(prefix="repoctx-demo-") as folder:
        repository = Path(folder) / SAMPLE
        shutil.copytree(SAMPLES / SAMPLE, repository)
        report = (repository / "BUG.md").read_text(encoding="utf-8")
        (repository / "BUG.md").unlink()  # reports come from outside
        (Path(folder) / "report.md").write_text(report, encoding="utf-8")
        environment = {**os.environ, "REPOCTX_HOME": str(Path(folder) / "home")}

        def run(*arguments: str) -> str:
            print(f"\n$ repoctx {shlex.join(arguments)}", flush=True)
            done = subprocess.run(
                [program, *arguments], cwd=repository, env=environment, capture_output=True, text=True
            )
            print(done.stdout, end="")
            if done.returncode:
                sys.exit(f"{done.stderr}exit code {done.returncode}")
            return done.stdout

        run("index", ".")
        run("search", "how is the shipping cost calculated?", "-k", "5")
        run("map", "--budget", "300")
        run(
            "pack",
            "--task-file",
            "../report.md",
            "--budget",
            "8000",
            "--out",
            "../prompt.txt",
            "--manifest",
            "../manifest.json",
        )
        manifest = json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8"))
        prompt = (Path(folder) / "prompt.txt").read_text(encoding="utf-8")
        plan = manifest["plan"]
        print(f"\nThe prompt has {plan['predicted_tokens']:,} tokens, counted as {plan['model']} counts them. In it:")
        for part in manifest["parts"][-8:]:
            print(
                f"  {part['path']}:{part['start_line']}-{part['end_line']}  {part['detail']}, {part['tokens']} tokens"
            )
        print("\nIt ends with the best evidence and the task:\n")
        print("\n".join(f"  | {line}" for line in prompt.splitlines()[-24:]))


if __name__ == "__main__":
    main()
