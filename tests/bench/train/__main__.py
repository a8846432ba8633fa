"""The whole recipe of the built-in embedding model, in one command.

    python tests/bench/train --work FOLDER --teacher FOLDER [--out FOLDER] [--mirrors FOLDER] [--apart FOLDER]
        [--steps N]

It clones the repositories of `sources.json` at their commits (or takes them from --mirrors, bare, as
OWNER+NAME or OWNER+NAME/repo), mines pairs, starts the table from the teacher's word vectors, trains, and
writes the model's folder. No repository of `reserved.txt` is read, and of others no file that is also in a copy below
--apart. What is there already (clones, pairs) is not made again. --teacher is the folder of
all-MiniLM-L6-v2, checked by hash.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))


def repository(name: str, mirrors: Path | None, work: Path) -> Path:
    """A bare copy of a source: a mirror, or a clone that is made if it is not there."""
    folder = name.replace("/", "+")
    for place in (mirrors / folder / "repo", mirrors / folder) if mirrors else ():
        if (place / "HEAD").is_file():
            return place
    place = work / "clones" / folder
    if not place.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", "--bare", f"https://github.com/{name}", str(part)], check=True)
        part.rename(place)
    return place


def blobs_of(folder: Path) -> frozenset[str]:
    """Ids of all blobs that were ever in the copies in a folder, bare or not, as FOLDER/NAME or FOLDER/NAME/repo."""
    found: set[str] = set()
    for head in sorted({*folder.glob("*/HEAD"), *folder.glob("*/repo/HEAD"), *folder.glob("*/repo/.git/HEAD")}):
        check = ["--batch-all-objects", "--batch-check=%(objecttype) %(objectname)"]
        command = ["git", f"--git-dir={head.parent}", "cat-file", *check]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found.update(line.split()[1] for line in listed.splitlines() if line.startswith("blob "))
    return frozenset(found)


def main() -> None:
    """Make the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for clones and pairs")
    parser.add_argument("--teacher", type=Path, required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--out", type=Path, default=Path("repoctx/resources/static"))
    parser.add_argument("--mirrors", type=Path, help="folder with bare copies of the sources")
    parser.add_argument("--apart", type=Path, help="folder with copies of repositories whose files must not be read")
    parser.add_argument("--steps", type=int, help="fewer, to try the recipe")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()

    import card
    import torch
    from export import export
    from mine import mine_all
    from teacher import rows
    from train import Recipe, load, train, vocabulary

    sources = json.loads((HERE / "sources.json").read_text())
    reserved = {name.lower() for name in (HERE / "reserved.txt").read_text().split()}
    if trained_on := [s["name"] for s in sources if s["name"].lower() in reserved]:
        parser.error(f"{trained_on[0]} is reserved for measuring: take it out of sources.json")
    excluded = blobs_of(options.apart) if options.apart else frozenset()
    places = [(s["name"], s["commit"], repository(s["name"], options.mirrors, options.work)) for s in sources]
    pairs = options.work / "pairs"
    mine_all(places, pairs, excluded, options.workers)
    files = sorted(pairs / f"{name.replace('/', '+')}.npz" for name, *_ in places)
    recipe = Recipe() if options.steps is None else Recipe(steps=options.steps)
    words = vocabulary(files, recipe.rows)
    start = rows(options.teacher, words, recipe.dimensions)
    torch.set_num_threads(1)  # more would add in another order
    data = load(files, words, recipe)
    table = train(data, recipe, start)
    export(options.out, words, table.rows.detach().numpy(), table.rare.item(), recipe.field_weights)
    card.write(options.out, recipe, len(words), len(data.kind), table.rare.item(), sources)
    print("measure it: python tests/bench/embedding.py REPOSITORY FOLDER/, and write the figures into card.py")


if __name__ == "__main__":
    main()
