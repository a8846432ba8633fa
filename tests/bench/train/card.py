"""What does the model's card say? Data, licence, figures, limits: written beside the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from train import Recipe

CARD = """\
# repoctx static code embeddings

A table of {rows:,} term vectors ({dimensions} dimensions, int8, one scale a row) for code search. A text is a
bag of the terms of repoctx's lexical index: identifiers, their camelCase and snake_case parts, words, numbers,
in lower case; operators are dropped. Its vector is the unit-length sum over its distinct terms of
log(1 + tf) * row; a term without a row gets signs from its hash ({rare:.2f} long). In the index a chunk's
frequencies count name, signature, documentation and body with weights {weights}.

Use: `embedding.model = "static"` (the default), `repoctx.index.static.Static.load()`, or
`SentenceTransformer(FOLDER, trust_remote_code=True)` where repoctx is installed (the folder names a module of
repoctx, which computes the same vectors to the bit).

## Training

`python tests/bench/train` makes it anew. {pairs:,} pairs: the first and later paragraphs of documentation, words
of names, comments, heads of files and commit subjects, each with the code they are about, and halves of
functions. Rows start as all-MiniLM-L6-v2's vectors of the single terms (weights Apache-2.0), reduced by
principal components; then {steps} steps of in-batch contrastive training, {groups} repositories of {group} pairs
each, Adam, rate {rate}, seed {seed}. Parts of the recipe that were tried and not kept stand in
`tests/bench/train/README.md`.

## Figures

| | this model | all-MiniLM-L6-v2 | BM25 |
|---|---|---|---|
| documentation -> function, MRR@10 on django (500 of 2,500 functions; standard error .019) | .607 | .626 | .517 |
| the same, added to BM25 | .635 | .680 | |
| short questions about code, NDCG@10, vectors alone (14 repositories, 277 questions) | .864 | .818 | .827 |
| CPU seconds for 1,000 functions | 0.12 | 76 | |

On sentences from documentation a transformer finds more, alone and with BM25; on short questions this model does.
Made by `tests/bench/embedding.py` and `tests/bench/systems.py`; more in `tests/bench/README.md`.

## Licence

MIT, as repoctx; the rows began as vectors of all-MiniLM-L6-v2 (Apache-2.0) and were changed by training. The table
holds no text of its sources; they are listed below with their licences, all
permissive. Repositories that the project measures itself on were not read; files of others that are identical to
one of theirs were left out (`--apart`), as were vendored folders.

## Limits

- Word order is not seen: "a calls b" is "b calls a".
- English and identifiers in Latin letters; other words keep only their identity.
- Terms are as repoctx's lexical index cuts them: no typing errors are forgiven, plurals only as learned.
- Trained on the newest commit and up to 1,500 commits of each source; tests, examples, vendored and generated
  code were left out.

## Sources

| repository | commit | licence |
|---|---|---|
{sources}
"""


def write(
    folder: Path, recipe: Recipe, rows: int, pairs: int, rare: float, sources: Sequence[Mapping[str, str]]
) -> None:
    """Write MODEL_CARD.md into the model's folder."""
    table = "\n".join(f"| {s['name']} | {s['commit'][:12]} | {s['licence']} |" for s in sources)
    said = CARD.format(
        rows=rows, dimensions=recipe.dimensions, rare=rare, weights=", ".join(f"{w:g}" for w in recipe.field_weights),
        pairs=pairs, steps=recipe.steps, groups=recipe.groups, group=recipe.group, rate=recipe.rate,
        seed=recipe.seed, sources=table,
    )  # fmt: skip
    (folder / "MODEL_CARD.md").write_text(said, encoding="utf-8")
