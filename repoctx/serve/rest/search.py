"""Where is what matters, what prompt does it make, and what do the files say? Search, packs, the map, texts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field, StringConstraints, model_validator

from repoctx import redact, tokens
from repoctx.errors import BusyError, NotFoundError, UsageError
from repoctx.pack import manifest
from repoctx.pack.tile import Document
from repoctx.serve.rest import callers, wire
from repoctx.serve.rest.callers import Caller, Reader
from repoctx.serve.rest.fresh import freshness
from repoctx.serve.rest.metrics import PACK_TOKENS, QUERY_SECONDS
from repoctx.serve.rest.paths import PATH
from repoctx.serve.rest.shapes import (
    Asked,
    Cursor,
    Diff,
    Glob,
    RepositoryName,
    SearchHit,
    Word,
    cursor_of,
    hit,
    key_of,
    told,
)
from repoctx.serve.rest.state import Service, ServiceState
from repoctx.serve.rest.wire import Freshness, Model, Page, RefName
from repoctx.store.connect import errors
from repoctx.store.snapshots import Repository
from repoctx.tasks.packing import Wishes
from repoctx.types import Hit, Pack, Reason
from repoctx.warm import Opened
from repoctx.workspace import Answer

# Lines of a hit, and lines and bytes of a file, that one answer has at most.
HIT_LINES, FILE_LINES, FILE_BYTES = 200, 20_000, 2_000_000
# Looks at refs that move between a search and the reading of what it found.
LOOKS = 3

router = APIRouter(prefix="/v1", tags=["search"])


# --- search ------------------------------------------------------------------------------------


class SearchQuery(wire.Asked):
    """What is looked for, and where."""

    query: Annotated[str, StringConstraints(max_length=100_000)] = Field(
        description="a question, a name, an error message, a stack trace, a bug report",
        examples=["where is a cart paid?"],
    )
    repositories: list[RepositoryName] | None = Field(
        None, min_length=1, max_length=1000, description="names; all that are indexed if left out", examples=[["shop"]]
    )
    ref: RefName | None = Field(None, description="branch, tag or commit that is indexed", examples=["main"])
    level: Literal["chunk", "symbol", "file"] = Field("chunk", description="what a hit is")
    k: int = Field(10, ge=1, le=200, description="how many hits")
    offset: int = Field(0, ge=0, le=10_000, description="begin after so many hits")
    lang: Annotated[str, StringConstraints(max_length=100)] | None = Field(
        None, description="only files in this language", examples=["python"]
    )
    path: Glob | None = Field(None, description="only paths that match", examples=["src/**"])
    kinds: list[Annotated[str, StringConstraints(max_length=100)]] = Field(
        [], max_length=50, description="only symbols of these kinds, at the level of symbols", examples=[["method"]]
    )
    text: bool = Field(False, description="whether the hits' lines are wanted, without secrets")


class SearchAnswer(BaseModel):
    """Hits, the best first."""

    hits: list[SearchHit]
    freshness: list[Freshness] = Field(description="of each repository that was searched")
    more: bool = Field(description="whether there are hits after these")


@router.post("/search", operation_id="search", summary="Search")
def search(asked: SearchQuery, service: ServiceState, caller: Reader) -> SearchAnswer:
    """Find the places that matter for a question, a name, an error message or a bug report.

    In one repository, in several, or in all that the caller may see. Nothing found is an empty list.
    """
    where = {one.name: one for one in callers.repositories(service, caller, asked.repositories)}
    hide = service.workspace.settings.pack_redact
    with QUERY_SECONDS.labels("search").time(), service.turns:
        for _ in range(LOOKS):
            found = service.workspace.search(
                asked.query, list(where.values()), asked.ref, k=asked.k + 1, offset=asked.offset, level=asked.level,
                language=asked.lang, path=asked.path, kinds=asked.kinds,
            )  # fmt: skip
            hits = found.hits[: asked.k]
            texts = _texts(service, where, found, hits) if asked.text else [None] * len(hits)
            if texts is not None:
                return SearchAnswer(
                    hits=[hit(one, text, hide) for one, text in zip(hits, texts, strict=True)],
                    freshness=[freshness(service, where[name], ref) for name, ref in found.searched],
                    more=len(found.hits) > asked.k,
                )
    raise BusyError("what is searched changes all the time: ask again")


def _texts(service: Service, where: dict[str, Repository], found: Answer, hits: Sequence[Hit]) -> list[str] | None:
    """The first lines of each hit without secrets; None if a repository is not as it was when it was searched."""
    lines: dict[tuple[str, str], list[str]] = {}
    refs = dict(found.searched)
    for name in sorted({one.repository for one in hits}):
        opened = service.workspace.open(where[name], refs[name].name, beside=len(where))
        if opened.ref.snapshot != refs[name].snapshot:
            return None
        paths = sorted({one.path for one in hits if one.repository == name})
        for path, document in _documents(service, opened, paths).items():
            lines[name, path] = document.text.split("\n")
    return ["\n".join(lines[one.repository, one.path][one.start_line - 1 : one.end_line][:HIT_LINES]) for one in hits]


def _documents(service: Service, opened: Opened, paths: Sequence[str]) -> dict[str, Document]:
    """Files of a snapshot by path, without their secrets unless the settings say otherwise."""
    loaded, hide = opened.loaded, service.workspace.settings.pack_redact
    with errors(service.engine):
        return loaded.documents([loaded.file_numbers[path] for path in paths], secrets=not hide)


# --- pack --------------------------------------------------------------------------------------


class PackQuery(wire.Asked):
    """What a model is asked to do, and what it must be shown."""

    task: Annotated[str, StringConstraints(max_length=1_000_000)] = Field(examples=["Why is a cart paid twice?"])
    repository: RepositoryName | None = Field(None, description="its name", examples=["shop"])
    repositories: list[RepositoryName] | None = Field(
        None, min_length=1, max_length=100, description="names of several, instead of `repository`"
    )
    ref: RefName | None = Field(None, description="branch, tag or commit that is indexed", examples=["main"])
    model: Model | None = Field(
        None, description="the model that the tokens are counted for", examples=["qwen3-coder-30b-a3b"]
    )
    budget: Annotated[int, Field(ge=1, le=10**12)] | Annotated[str, StringConstraints(max_length=20)] | None = Field(
        None, description="most tokens of the prompt, or `auto`", examples=[60000, "60k", "auto"]
    )
    files: list[Glob] = Field([], max_length=100, description="show these: paths, path:10-20 or patterns")
    symbols: list[Word] = Field([], max_length=100, description="show these, and what is around them in the graph")
    diff: Diff | None = Field(None, description="show what this unified diff changes")
    exclude: list[Glob] = Field([], max_length=100, description="show none of the paths that match")
    format: Literal["xml", "markdown", "json"] = Field("xml", description="how the prompt is written")

    @model_validator(mode="after")
    def _one_or_several(self) -> PackQuery:
        if (self.repository is None) == (self.repositories is None):
            raise ValueError("say which code is meant: either `repository` or `repositories`")
        return self


class Message(BaseModel):
    """A message as a chat endpoint takes it."""

    role: Literal["user"]
    content: str


class PackAnswer(BaseModel):
    """A prompt, and the account of what is in it."""

    messages: list[Message] = Field(
        description="what to send to a chat endpoint: `manifest.plan.prompt_tokens` counts these"
    )
    prompt: str
    manifest: dict[str, Any] = Field(
        description="plan: model, window, tokens; parts: what is shown, in which detail and why; what was cut out"
    )
    freshness: Freshness | list[Freshness] = Field(description="a list where `repositories` were asked for")


class Packed(NamedTuple):
    """A pack, and the state of each repository that is in it."""

    made: Pack
    fresh: list[Freshness]


@router.post("/pack", operation_id="pack", summary="Pack a prompt")
def pack(asked: PackQuery, service: ServiceState, caller: Reader) -> PackAnswer:
    """Make a prompt for a task: the best evidence within a token budget."""
    made, fresh = packed(service, caller, asked)
    return PackAnswer(
        messages=[Message(role="user", content=made.prompt)],
        prompt=made.prompt,
        manifest=manifest(made),
        freshness=fresh if asked.repository is None else fresh[0],
    )


def packed(service: Service, caller: Caller, asked: PackQuery) -> Packed:
    """The pack that is asked for; without secrets in its reasons too, which quote messages of commits."""
    names = asked.repositories if asked.repository is None else [asked.repository]
    where = {one.name: one for one in callers.repositories(service, caller, names)}
    wishes = Wishes(tuple(asked.files), tuple(asked.symbols), asked.diff, tuple(asked.exclude), asked.format)
    refs = {name: service.workspace.open(one, asked.ref, beside=len(where)).ref for name, one in where.items()}
    with QUERY_SECONDS.labels("pack").time(), service.turns:
        made = service.workspace.pack(
            asked.task, list(where.values()), asked.ref, model=asked.model, budget=asked.budget, wishes=wishes
        )
    PACK_TOKENS.labels(made.plan.model).inc(made.plan.predicted_tokens)
    fresh = []
    for one in made.origins:
        ref = refs[one.repository]._replace(snapshot=one.snapshot, commit=one.commit)  # it may have moved in between
        fresh.append(freshness(service, where[one.repository], ref))
    hide = service.workspace.settings.pack_redact
    parts = [part._replace(reasons=tuple(_told(reason, hide) for reason in part.reasons)) for part in made.parts]
    return Packed(replace(made, parts=tuple(parts)), fresh)


def _told(reason: Reason, hide: bool) -> Reason:
    return reason._replace(detail=told(reason.ranker, reason.detail, hide))


# --- the map and the files ---------------------------------------------------------------------


class MapAnswer(BaseModel):
    """The repository map."""

    map: str = Field(description="the most central files, and signatures of what they define")
    tokens: int
    freshness: Freshness


@router.get("/repositories/{name}/map", operation_id="show_map", summary="Show the map")
def show_map(
    found: Asked, budget: Annotated[int, Query(ge=1, le=200_000, description="most tokens of the map")] = 2000
) -> MapAnswer:
    """The most central files and symbols of a repository, within a token budget."""
    with errors(found.service.engine):
        text = found.opened.loaded.map(budget)
    if found.service.workspace.settings.pack_redact:
        text = redact.redact(text)[0]  # the values of constants are in it
    return MapAnswer(map=text, tokens=tokens.count(text), freshness=found.fresh)


class CodeFile(BaseModel):
    """A file of a snapshot."""

    path: str = Field(examples=["shop/cart.py"])
    language: str
    lines: int
    tokens: int
    blob: str = Field(description="git's hash of its bytes")


class FilePage(Page[CodeFile]):
    """Files, by path."""

    freshness: Freshness


@router.get("/repositories/{name}/files", operation_id="list_files", summary="List files")
def list_files(
    found: Asked,
    path: Annotated[Glob | None, Query(description="only paths that match this pattern", examples=["src/**"])] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="files of a page")] = 100,
    cursor: Cursor = None,
) -> FilePage:
    """The files of a repository that are indexed, by path."""
    index = found.opened.index
    view = index.view
    after = key_of(cursor)
    first = 0 if after is None else bisect_right(view.members, after.encode(), key=lambda one: one.path.encode())
    fits = index.matching(path)[first:].nonzero()[0] if path is not None else range(len(view.members) - first)
    numbers = [first + int(number) for number in fits[: limit + 1]]
    items = [
        CodeFile(
            path=view.members[number].path,
            language=view.languages[number],
            lines=int(view.lines[number]),
            tokens=int(view.tokens[number]),
            blob=view.members[number].key.blob,
        )
        for number in numbers[:limit]
    ]
    return FilePage(
        items=items, next=cursor_of(items[-1].path) if len(numbers) > limit else None, freshness=found.fresh
    )


class Cut(BaseModel):
    """A secret that was cut out."""

    line: int = Field(description="where it began")
    kind: str = Field(examples=["aws access key"])


class SymbolOfFile(BaseModel):
    """A symbol that is defined in a file."""

    id: str
    name: str
    qualified_name: str
    kind: str
    start_line: int
    end_line: int


class FileAnswer(BaseModel):
    """The text of a file, or of some lines of it."""

    path: str
    language: str
    start_line: int
    end_line: int
    lines: int = Field(description="of the whole file")
    blob: str
    text: str = Field(description="with `[redacted KIND]` for each secret; lines keep their numbers")
    redacted: list[Cut]
    symbols: list[SymbolOfFile] = Field(description="those that are on these lines, outer before inner")
    freshness: Freshness


@router.get("/repositories/{name}/files/" + PATH, operation_id="read_file", summary="Read a file")
def read_file(
    found: Asked,
    path: Annotated[str, Path(max_length=8000, description="as it is listed", examples=["shop/cart.py"])],
    start_line: Annotated[int | None, Query(ge=1, le=10**9, description="the first line that is wanted")] = None,
    end_line: Annotated[int | None, Query(ge=1, le=10**9, description="the last one")] = None,
) -> FileAnswer:
    """The text of a file as it was indexed, without its secrets, and the symbols that are defined in it."""
    loaded, where = found.opened.loaded, found.repository.name
    if (number := loaded.file_numbers.get(path)) is None:
        raise NotFoundError(f"no file of {where} is {path!r} at {found.opened.ref.name}: list them at /files")
    document = _documents(found.service, found.opened, [path])[path]
    lines = document.text.split("\n")
    ended = lines[-1] == ""  # by a line break, as most are
    if ended:
        lines.pop()
    start, end = start_line or 1, end_line or len(lines)
    if not (1 <= start <= end <= len(lines) or (start == 1 and end == len(lines))):
        raise UsageError(f"{path} has lines 1 to {len(lines)}, not {start} to {end}")
    text = "\n".join(lines[start - 1 : end]) + ("\n" if ended or end < len(lines) else "")
    if end - start >= FILE_LINES or len(text.encode()) > FILE_BYTES:
        raise UsageError(
            f"{path} has {len(lines):,} lines: ask for some of them with start_line and end_line, at most "
            f"{FILE_LINES:,} and {FILE_BYTES:,} bytes at a time"
        )
    row = int(found.opened.index.view.occurrences.symbol_file.searchsorted(number))
    symbols = [
        SymbolOfFile(
            id=loaded.ids[row + place],
            name=one.name,
            qualified_name=one.descriptor,
            kind=one.kind,
            start_line=one.start_line,
            end_line=one.end_line,
        )
        for place, one in enumerate(document.symbols)
        if one.start_line <= end and one.end_line >= start
    ]
    return FileAnswer(
        path=path,
        language=document.language,
        start_line=start,
        end_line=end,
        lines=len(lines),
        blob=found.opened.index.view.members[number].key.blob,
        text=text,
        redacted=[Cut(line=line, kind=kind) for line, kind in document.redacted if start <= line <= end],
        symbols=symbols,
        freshness=found.fresh,
    )
