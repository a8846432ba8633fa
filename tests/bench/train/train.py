"""How do pairs become a table of vectors? Contrastive training of the static model.

A text's vector is the unit-length sum, over its distinct terms t, of log(1 + tf) * E[t]; a chunk's
frequencies are summed over the fields with the weights of the runtime. The score of a pair is the cosine of
text and code plus a share for the path. The loss is the symmetric in-batch cross-entropy (InfoNCE, van den
Oord et al. 2018) over batches of a few repositories, so that most negatives come from the pair's own
repository, as at search time.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mine import KINDS
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Recipe:
    """What decides a training run."""

    rows: int = 56_000  # 14.3 MB as int8
    dimensions: int = 256
    seed: int = 0
    # Once or so over all pairs: from 3 times on, other repositories are served worse (README.md).
    steps: int = 600
    groups: int = 4  # repositories in a batch
    group: int = 512  # pairs of each
    rate: float = 0.003
    scale: float = 20.0
    path: float = 0.2
    buckets: int = 1 << 15  # of terms outside the vocabulary, while training
    field_weights: tuple[float, float, float, float] = (2.0, 1.0, 1.0, 1.0)
    kinds: dict[str, float] = field(
        default_factory=lambda: {
            "doc": 1.0, "more": 0.4, "name": 0.5, "comment": 0.6, "head": 1.0, "commit": 0.5, "halves": 0.15,
        }
    )  # fmt: skip


@dataclass(frozen=True)
class Bags:
    """Bags of terms, one after the other."""

    offset: Ints
    term: NDArray[np.int32]
    weight: NDArray[np.float32]

    def take(self, rows: Ints) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The bags of some rows, as EmbeddingBag wants them: terms, offsets, weights."""
        start, count = self.offset[rows], self.offset[rows + 1] - self.offset[rows]
        ends = np.cumsum(count)
        at = np.arange(ends[-1]) + np.repeat(start - (ends - count), count)
        return (
            torch.from_numpy(self.term[at].astype(np.int64)),
            torch.from_numpy(ends - count),
            torch.from_numpy(self.weight[at]),
        )


@dataclass(frozen=True)
class Data:
    """All pairs."""

    vocabulary: list[str]
    text: Bags
    code: Bags
    path: Bags
    kind: NDArray[np.uint8]
    repository: NDArray[np.int32]
    same: NDArray[np.int64]  # equal numbers: the same text


def vocabulary(files: Sequence[Path], rows: int) -> list[str]:
    """The terms that most repositories use, then those that most pairs do."""
    repositories: dict[str, int] = {}
    pairs: dict[str, int] = {}
    for file in files:
        with np.load(file) as found:
            names = str(found["terms"]).split("\n")
            count = np.bincount(found["code"], minlength=len(names)) + np.bincount(found["text"], minlength=len(names))
        for name, n in zip(names, count.tolist(), strict=True):
            if n:
                repositories[name] = repositories.get(name, 0) + 1
                pairs[name] = pairs.get(name, 0) + n
    rank = sorted(pairs, key=lambda t: (-min(repositories[t], 6), -pairs[t], t))
    return sorted(rank[:rows])


def _digest(text: NDArray[np.int32]) -> int:
    return int.from_bytes(hashlib.blake2b(text.tobytes(), digest_size=8).digest(), "little", signed=True)


def bucket(term: str, buckets: int) -> int:
    """Where a term without a row is hashed to."""
    return int.from_bytes(hashlib.blake2b(term.encode(), digest_size=4).digest(), "little") % buckets


def load(files: Sequence[Path], words: list[str], recipe: Recipe) -> Data:
    """Read what `mine` wrote, terms as rows of the table."""
    row = {term: i for i, term in enumerate(words)}
    parts: dict[str, list[Any]] = {name: [] for name in ("text", "code", "path", "kind", "repository", "same")}
    offsets: dict[str, list[Any]] = {name: [] for name in ("text", "code", "path")}
    weights: dict[str, list[Any]] = {name: [] for name in ("text", "code", "path")}
    fields = np.array(recipe.field_weights, np.float32)
    for number, file in enumerate(files):
        with np.load(file) as found:
            names = str(found["terms"]).split("\n")
            rows = np.array([row.get(t, -1) for t in names], np.int32)
            for i in np.flatnonzero(rows < 0):
                rows[i] = len(words) + bucket(names[i], recipe.buckets)
            for name in offsets:
                tf = found[f"{name}_tf"].astype(np.float32)
                if name == "code":
                    tf = tf @ fields
                parts[name].append(rows[found[name]])
                weights[name].append(np.log1p(tf))
                offsets[name].append(np.diff(found[f"{name}_offset"]))
            parts["kind"].append(found["kind"])
            parts["repository"].append(np.full(len(found["kind"]), number, np.int32))
            text, start = rows[found["text"]], found["text_offset"]
            parts["same"].append(np.array([_digest(np.sort(text[a:b])) for a, b in pairwise(start)], np.int64))
    bags = {
        name: Bags(
            np.concatenate([[0], np.cumsum(np.concatenate(offsets[name]))]),
            np.concatenate(parts[name]),
            np.concatenate(weights[name]),
        )
        for name in offsets
    }
    joined = {name: np.concatenate(parts[name]) for name in ("kind", "repository", "same")}
    return Data(words, bags["text"], bags["code"], bags["path"], **joined)


class Table(torch.nn.Module):
    """The table, and fixed random signs for terms outside the vocabulary."""

    def __init__(self, recipe: Recipe, start: NDArray[np.float32] | None, rows: int) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(recipe.seed)
        first = torch.randn(rows, recipe.dimensions, generator=random) / recipe.dimensions**0.5
        self.rows = torch.nn.Parameter(first if start is None else torch.from_numpy(start).clone())
        signs = torch.randint(0, 2, (recipe.buckets, recipe.dimensions), generator=random) * 2.0 - 1.0
        self.register_buffer("signs", signs / recipe.dimensions**0.5)
        self.rare = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, bag: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """(n, d) unit vectors."""
        terms, offsets, weights = bag
        known = terms < len(self.rows)
        total = torch.nn.functional.embedding_bag(
            torch.where(known, terms, 0), self.rows, offsets, mode="sum",
            per_sample_weights=torch.where(known, weights, 0.0),
        )  # fmt: skip
        signs: Any = self.signs
        rare = torch.nn.functional.embedding_bag(
            torch.where(known, 0, terms - len(self.rows)), signs, offsets, mode="sum",
            per_sample_weights=torch.where(known, 0.0, weights),
        )  # fmt: skip
        return torch.nn.functional.normalize(total + self.rare * rare, dim=1, eps=1e-6)


def batches(data: Data, recipe: Recipe) -> Any:
    """Rows of pairs, `groups` repositories each, for ever."""
    random = np.random.default_rng(recipe.seed)
    chance = np.array([recipe.kinds[name] for name in KINDS])[data.kind]
    by_repository = []
    for number in range(int(data.repository.max()) + 1):
        rows = np.flatnonzero(data.repository == number)
        if len(rows) >= 64 and chance[rows].sum() > 0:
            by_repository.append((rows, chance[rows] / chance[rows].sum()))
    share = np.sqrt([float((p > 0).sum()) for _, p in by_repository])
    share /= share.sum()
    while True:
        chosen = random.choice(len(by_repository), recipe.groups, replace=False, p=share)
        rows = []
        for number in chosen:
            own, p = by_repository[number]
            rows.append(random.choice(own, min(recipe.group, int((p > 0).sum())), replace=False, p=p))
        yield np.concatenate(rows)


def train(data: Data, recipe: Recipe, start: NDArray[np.float32] | None = None) -> Table:
    """The trained table."""
    torch.manual_seed(recipe.seed)
    table = Table(recipe, start, len(data.vocabulary))
    optimizer = torch.optim.Adam(table.parameters(), lr=recipe.rate, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 100) * max(0.0, 1 - step / recipe.steps)
    )
    losses, began = [], time.process_time()
    for step, rows in zip(range(1, recipe.steps + 1), batches(data, recipe), strict=False):
        text, code = table(data.text.take(rows)), table(data.code.take(rows))
        code = code + recipe.path * table(data.path.take(rows))
        logits = recipe.scale * text @ code.T
        same = torch.from_numpy(data.same[rows][:, None] == data.same[rows][None, :])
        same.fill_diagonal_(False)
        logits = logits.masked_fill(same, -1e4)
        target = torch.arange(len(rows))
        loss = torch.nn.functional.cross_entropy(logits, target) + torch.nn.functional.cross_entropy(logits.T, target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item() / 2)
        if step % 500 == 0 or step == recipe.steps:
            spent = time.process_time() - began
            print(f"step {step}: loss {np.mean(losses[-500:]):.3f}, {spent:.0f} CPU s", flush=True)
    return table
