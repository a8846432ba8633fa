"""Which work of an index run goes to a cluster, and what does the run get back?

Parsing, and the texts of slow embedding models that run where repoctx runs. What this machine does in a second or
in one batch stays here: a push needs no cluster.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repoctx import pool
from repoctx.cluster.connection import Cluster, spread
from repoctx.cluster.packets import packed, unpacked
from repoctx.cluster.workers import derive_apart, derive_there, embed_there
from repoctx.derive import CPU_LIMIT, Derived
from repoctx.errors import BackendError
from repoctx.index.embed import Embedder, instant, leaves
from repoctx.store.payload import Key

if TYPE_CHECKING:
    from repoctx.types import Codes, Floats

# Texts, each with the id that its vector is kept by.
Batch = list[tuple[str, str]]


def derive_all(
    blobs: Iterable[tuple[Key, bytes]], size: int, workers: int, where: Cluster | None, cpu_limit: float = CPU_LIMIT
) -> Generator[Derived]:
    """Derive blobs (`size` bytes in all), on a cluster if there is one and that much; results come as they are ready.

    Raises BackendError if the cluster cannot do it.
    """
    if where is None or size < pool.ONE_WORKER_BYTES:
        yield from pool.derive_all(blobs, size, workers)
        return
    suspects: list[tuple[Key, bytes]] = []
    for batch, packet in spread(where, derive_there, pool.batches(blobs), lambda batch: packed((batch, cpu_limit))):
        if packet is not None:
            yield from unpacked(packet)
        else:
            suspects += batch
    if not suspects:
        return
    for one, packet in spread(where, derive_apart, suspects, lambda one: packed(([one], cpu_limit))):
        if packet is not None:
            yield from unpacked(packet)
        else:  # hosts were lost again and again, whatever for: here it can do no harm either
            yield pool.derive_alone(*one, cpu_limit)


def embedder(found: Embedder | None, setting: str, where: Cluster | None) -> Embedder | None:
    """The embedder of a setting, one that has a cluster if it is a slow model that runs where repoctx runs."""
    if found is None or where is None or instant(setting) or leaves(setting):
        return found
    return Spread(found, setting, where)


@dataclass(frozen=True, slots=True)
class Spread:
    """An embedding model whose copies on the workers of a cluster embed what is much."""

    embedder: Embedder
    setting: str
    where: Cluster

    @property
    def model(self) -> str:
        """See Embedder."""
        return self.embedder.model

    @property
    def dimensions(self) -> int:
        """See Embedder."""
        return self.embedder.dimensions

    def documents(self, texts: Sequence[str]) -> Floats:
        """See Embedder: here, by the model itself."""
        return self.embedder.documents(texts)

    def query(self, text: str) -> Floats:
        """See Embedder: here, by the model itself."""
        return self.embedder.query(text)

    def spread(self, batches: Iterable[Batch]) -> Generator[tuple[Batch, Codes]]:
        """Batches of (id, text) with their (n, dimensions) codes, as they are ready. Raises BackendError."""

        def ask(batch: Batch) -> bytes:
            return packed((self.setting, self.model, [text for _, text in batch]))

        for batch, packet in spread(self.where, embed_there, batches, ask):
            if packet is None:
                raise BackendError(
                    f"the model {self.setting!r} has ended the workers of the cluster at {self.where.scheduler} again "
                    "and again: see whether they have memory enough for it (`dask worker --memory-limit`)"
                )
            yield batch, unpacked(packet)
