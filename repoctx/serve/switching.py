"""How fast is an embedding model on this machine, and what would switching to it cost?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from repoctx import embedding, http
from repoctx.derive import Document, columns
from repoctx.errors import RepoctxError
from repoctx.index.embed import Embedder, folder_of, instant, leaves
from repoctx.index.remote import MOST_TEXTS
from repoctx.index.static import Static
from repoctx.parse import parse
from repoctx.parse.languages import by_path
from repoctx.parse.version import parser_version
from repoctx.serve.rounds import Check
from repoctx.store import facts, snapshots
from repoctx.store.connect import errors
from repoctx.store.payload import Key, Parsed
from repoctx.workspace import Workspace

# Chunks that a speed is measured on, of at most so many files, and the CPU seconds after which it is known.
SAMPLE, SAMPLE_FILES, ENOUGH_SECONDS = 2_000, 100, 0.5
# Files of repoctx itself that stand in where nothing is indexed: they are parsed first.
OWN_FILES = 20
# Chunks per call of a model that runs here: enough for a batch, few enough to stop in time.
CALL, INSTANT_CALL = 16, 500


class Speed(NamedTuple):
    """A model as it was measured."""

    setting: str
    model: str  # its id
    dimensions: int
    rate: float  # chunks per CPU second; per second on the clock where a server embeds
    remote: bool


class Cost(NamedTuple):
    """What a repository's default ref would cost with a model."""

    repository: str
    chunks: int
    embedding: str  # the setting
    lacking: int  # texts, of chunks and paths, that have no vector yet
    seconds: float  # as the rate of the model counts them
    requests: int  # 0 where the model runs here
    answers: bool  # its vectors answer now


def measure(embedder: Embedder, setting: str, blobs: Sequence[Parsed]) -> Speed:
    """Embed the chunks of blobs as indexing does: the built-in model's from postings, others from their texts.

    For about half a second of CPU, or one request's worth. Raises what the embedder raises.
    """
    if isinstance(embedder, Static):
        documents = [
            Document(Key(str(i), "", ""), b.text.encode(), b.facts, b.line_tokens) for i, b in enumerate(blobs)
        ]
        segment = columns(documents)
        chunks = np.arange(len(segment["chunk.symbol"]))
        embedder.of_segment(segment, chunks[:1])  # loads the model
        started = time.process_time()
        embedder.of_segment(segment, chunks)
        seconds = max(time.process_time() - started, 1e-6)
        return Speed(setting, embedder.model, embedder.dimensions, len(chunks) / seconds, False)
    texts = [text for _, text in islice((pair for blob in blobs for pair in embedding.texts(blob)), SAMPLE)]
    remote = leaves(setting)
    size = MOST_TEXTS if remote else INSTANT_CALL if instant(setting) else CALL
    clock = time.perf_counter if remote else time.process_time
    embedder.documents(texts[:1])  # loads the model
    done, started = 0, clock()
    for start in range(0, len(texts), size):
        batch = texts[start : start + size]
        embedder.documents(batch)
        done += len(batch)
        if remote or clock() - started >= ENOUGH_SECONDS:
            break
    seconds = max(clock() - started, 1e-6)
    return Speed(setting, embedder.model, embedder.dimensions, done / seconds, remote)


def sample(workspace: Workspace) -> tuple[str, list[Parsed]]:
    """Blobs with chunks of an indexed repository, of repoctx itself if there is none, and whose they are."""
    with errors(workspace.engine), workspace.engine.connect() as connection:
        for repository in snapshots.all_repositories(connection):
            where = snapshots.ref(connection, repository)
            members = snapshots.members(connection, where, parser_version) if where else None
            keys = sorted({member.key for member in members or ()})
            spread = keys[:: max(1, len(keys) // SAMPLE_FILES)][:SAMPLE_FILES]
            if blobs := [found for _, found in facts.read(connection, spread) if found.facts.chunks]:
                return repository.name, blobs
    own = sorted(Path(__file__).parent.parent.rglob("*.py"))[:OWN_FILES]
    sources = ((by_path(path.name), path.read_bytes()) for path in own)
    return "repoctx itself", [
        Parsed(raw.decode(), parse(language, raw), np.zeros(0, np.uint32), ()) for language, raw in sources if raw
    ]


def costs(workspace: Workspace, speeds: Sequence[Speed]) -> list[Cost]:
    """What each indexed repository would cost with each of some models."""
    found = []
    with errors(workspace.engine), workspace.engine.connect() as connection:
        for repository in snapshots.all_repositories(connection):
            where = snapshots.ref(connection, repository)
            members = snapshots.members(connection, where, parser_version) if where else None
            if where is None or members is None:
                continue
            for speed in speeds:
                answers = where.embedding_model == speed.model
                texts = 0 if answers else embedding.lacking(workspace.place(repository), members, speed.model)
                if where.progress and where.pending == str(folder_of(speed.setting) or speed.setting):
                    texts = max(0, texts - where.progress["done"])  # which lie in no segment yet
                seconds, requests = round(texts / speed.rate, 1), -(-texts // MOST_TEXTS) if speed.remote else 0
                cost = Cost(repository.name, where.report["chunks"], speed.setting, texts, seconds, requests, answers)
                found.append(cost)
    return found


def checked(workspace: Workspace, named: str | None) -> tuple[list[Check], list[Cost]]:
    """Measure the configured model, the built-in one and one that is named; and what they would cost.

    A server is asked only if it is configured or named.
    """
    configured = workspace.settings.embedding_model
    of, blobs = sample(workspace)
    checks, speeds = [], []
    for setting in dict.fromkeys([configured, embedding.BUILT_IN, *([named] if named else [])]):
        name = "embedding" if setting == configured else f"embedding {http.without_user(setting)}"
        try:
            embedder = workspace.embedder(setting)
            if embedder is None:
                checks.append(Check(name, True, "search is lexical"))
                continue
            speed = measure(embedder, setting, blobs)
        except RepoctxError as error:
            checks.append(Check(name, False, str(error)))
            continue
        speeds.append(speed)
        unit = "second" if speed.remote else "CPU second"
        number = f"{speed.rate:,.0f}" if speed.rate >= 10 else f"{speed.rate:.1f}"
        said = f"{speed.model}, {speed.dimensions} dimensions, {number} chunks a {unit} (chunks of {of})"
        checks.append(Check(name, True, said))
    return checks, costs(workspace, speeds)


def cost_text(cost: Cost) -> str:
    """What a model would cost a repository, for people."""
    if cost.answers:
        return f"{cost.embedding}: answers now"
    clock = "on the clock" if cost.requests else "of CPU"
    server = f", {cost.requests:,} requests" if cost.requests else ""
    took = timedelta(seconds=round(cost.seconds))
    return f"{cost.embedding}: {cost.lacking:,} texts to embed, about {took} {clock}{server}"
