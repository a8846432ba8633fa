"""What does public code say about itself? Pairs of a text and the code it is about.

For every repository one `.npz` file with pairs of bags of terms (`repoctx.index.lexical.terms`):

    doc      the first paragraph of a doc comment -> its function, class or method without the comment
    more     a later paragraph of it              -> the same
    name     the words of a name                  -> the code with the name struck out
    comment  a comment inside a function          -> the function without its comments
    head     the first comment of a file          -> what the file defines
    commit   the subject of a commit              -> the lines it changed, file by file
    halves   the first half of a long function    -> the second half

A bag on the code's side counts each term in the fields of the lexical index (name, signature, doc, body),
and holds the terms of the path apart, as the index does. All choices are by hash: the same commits give the
same pairs.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from repoctx.index.lexical import terms
from repoctx.parse.extract import extract
from repoctx.parse.languages import LANGUAGES, by_path, decode, resolve
from repoctx.source import Limits, open_source
from repoctx.source.filter import content_skip
from repoctx.types import Skip, Symbol

KINDS = ("doc", "more", "name", "comment", "head", "commit", "halves")
# Files read of one repository, and pairs of one kind kept of it: no project shall speak for all.
FILES, PAIRS = 1200, 5000
# Commits looked at, files of one commit, and bytes of all their changes.
COMMITS, FILES_OF_COMMIT, COMMIT_BYTES = 1500, 4, 500_000_000
# Terms of a bag, the most frequent first; longer functions are cut off by this.
LONGEST = 400
LEFT_OUT = re.compile(
    r"(^|/)(tests?|specs?|__tests__|testing|test_?data|fixtures?|mocks?|examples?|samples?|demos?|benchmarks?"
    r"|third_?party|bundled|vendor(ed)?|_vendor|extern(al)?|deps|node_modules|dist|docs?|migrations|locale)/"
    r"|(^|/)(test_[^/]*|[^/]*(_test|\.test|\.spec|_spec|Tests?))\.\w+$",
    re.IGNORECASE,
)
# What is said about the file's legal state, the tools around it or the writer's plans is not about the code.
NOISE = re.compile(
    r"copyright|licen[sc]e|all rights reserved|eslint|prettier|@ts-|noqa|pylint|type: ?ignore|rubocop|nolint|"
    r"clang-format|todo|fixme|xxx|hack\b|see https?://|auto-?generated|-\*-|vim:|pragma|doctest|deprecated",
    re.IGNORECASE,
)
COMMENT = re.compile(rb"^\s*(?:#+|//+!?|--+|;+|\*|/\*+)\s?(.*?)\s*(?:\*/)?\s*$")
DOCSTRING = re.compile(rb'(?:#[^\n]*\n|\s)*[rRuU]?"""(.*?)"""', re.DOTALL)
TAG = re.compile(
    r"^\s*([@:\\]\w+|(Args|Parameters|Returns?|Raises|Examples?|Notes?|Params?|Throws)\b.*:?$|-{3}|={3}|>>>|\.\. )"
)
MARKUP = re.compile(r"</?[a-zA-Z][^>]{0,80}>|[`*]|\{@\w+ |:\w+:`|\\[pc] ")


class Pair(NamedTuple):
    """A text and the code it is about, as bags of terms."""

    kind: int
    text: Counter[str]
    fields: tuple[Counter[str], Counter[str], Counter[str], Counter[str]]  # name, signature, doc, body
    path: Counter[str]


def mine(repository: Path, commit: str, excluded: frozenset[str] = frozenset()) -> Iterator[Pair]:
    """The pairs of a repository's commit and of its history. `excluded`: blob ids to leave out."""
    with open_source(str(repository), ref=commit, limits=Limits(), mirrors=repository) as source:
        entries = [
            entry
            for entry in source.tree().entries
            if parsed(entry.path)
            and not LEFT_OUT.search(entry.path)
            and entry.blob not in excluded
            and entry.size < 200_000
        ]
        chosen = sorted(entries, key=lambda e: hashlib.sha256(e.blob.encode()).digest())[:FILES]
        seen: set[bytes] = set()
        for entry, raw in source.read(sorted(chosen, key=lambda e: e.path)):
            if isinstance(raw, Skip) or content_skip(raw) is not None:
                continue
            for text, pair in of_file(entry.path, decode(raw)):
                digest = hashlib.sha256(re.sub(rb"\s", b"", text)).digest() + bytes([pair.kind])
                if digest not in seen or pair.kind == KINDS.index("more"):
                    seen.add(digest)
                    yield pair
    yield from of_history(repository, commit, excluded)


def parsed(path: str) -> bool:
    """Whether files of that name are read with a grammar."""
    language = by_path(path)
    return language == "header" or (language in LANGUAGES and bool(LANGUAGES[language].grammar))


def of_file(path: str, text: bytes) -> Iterator[tuple[bytes, Pair]]:
    """The pairs in a file, each with the code's text."""
    language = resolve(by_path(path), text)
    try:
        symbols, *_ = extract(language, text)
    except (RecursionError, ValueError):
        return
    lines = text.split(b"\n")
    where = Counter(terms(path))
    if (head := _head(lines)) and len(symbols) > 1:
        signatures = "\n".join(s.signature for s in symbols if s.parent < 0)[:4000]
        yield text, _pair("head", head, " ".join(s.name for s in symbols[:30]), signatures, signatures.encode(), where)
    for symbol in symbols:
        if symbol.end_line - symbol.start_line < 2 or symbol.end_line - symbol.start_line > 400 or not symbol.body_line:
            continue
        yield from _of_symbol(symbol, lines, where)


def _of_symbol(symbol: Symbol, lines: Sequence[bytes], where: Counter[str]) -> Iterator[tuple[bytes, Pair]]:
    whole = lines[symbol.start_line - 1 : symbol.end_line]
    name = symbol.descriptor.replace("()", "")
    code = without_doc(whole, symbol.doc)
    body = b"\n".join(code)
    if len(code) < 2 or len(body) < 40:
        return
    first, *rest = [*paragraphs(symbol.doc), ""]
    if says_something(first):
        yield body, _pair("doc", first, name, symbol.signature, body, where)
    for paragraph in rest[:2]:
        if says_something(paragraph) and len(paragraph) > 60:
            yield body, _pair("more", paragraph, name, symbol.signature, body, where)
    parts = terms(symbol.name)
    if len(parts) > 2 and symbol.kind in ("function", "method", "class", "struct"):
        struck = body.replace(symbol.name.encode(), b" ")
        signature = symbol.signature.replace(symbol.name, " ")
        outer = name.rpartition(".")[0]
        yield body, _pair("name", " ".join(parts[1:]), outer, signature, struck, where, doc=symbol.doc)
    if symbol.kind not in ("function", "method", "constructor"):
        return
    comments, bare = split_comments(code)
    for comment in comments[:3]:
        if says_something(comment):
            yield body, _pair("comment", comment, name, symbol.signature, b"\n".join(bare), where)
    if len(code) > 16:
        middle = len(code) // 2
        half = b"\n".join(code[:middle]).decode("utf-8", "replace")
        yield body, _pair("halves", half, "", "", b"\n".join(code[middle:]), Counter())


def without_doc(lines: Sequence[bytes], doc: str) -> list[bytes]:
    """The lines of a definition less those of its doc comment."""
    wanted = [line.strip().encode() for line in doc.split("\n") if line.strip()]
    kept, at = [], 0
    for line in lines:
        if at < len(wanted) and wanted[at] in line:
            at += 1
        elif at and at < len(wanted) and not line.strip(b" \t/*#!-;\"'"):
            continue
        else:
            kept.append(line)
    return kept if at == len(wanted) else [line for line in lines if not any(w in line for w in wanted)]


def split_comments(lines: Sequence[bytes]) -> tuple[list[str], list[bytes]]:
    """The comments of several lines or one, joined, and the lines that are none."""
    comments: list[list[str]] = []
    bare, open_run = [], False
    for line in lines:
        found = COMMENT.match(line)
        if found:
            text = found[1].decode("utf-8", "replace")
            if open_run:
                comments[-1].append(text)
            else:
                comments.append([text])
        else:
            bare.append(line)
        open_run = found is not None
    return [" ".join(run) for run in comments], bare


def paragraphs(doc: str) -> list[str]:
    """The paragraphs of a doc comment that are prose: no tags, no examples."""
    found: list[list[str]] = [[]]
    for line in doc.split("\n"):
        if not line.strip():
            found.append([])
        elif TAG.match(line):
            break
        else:
            found[-1].append(MARKUP.sub(" ", line.strip()))
    return [" ".join(lines)[:600] for lines in found if lines]


def says_something(text: str) -> bool:
    """Whether a text is a sentence about code: four words or more, most of it letters, no boilerplate."""
    letters = sum(c.isalpha() or c == " " for c in text)
    return len(text.split()) >= 4 and letters > 0.75 * len(text) and text.isascii() and not NOISE.search(text)


def _head(lines: Sequence[bytes]) -> str:
    """What the first comment of a file says, unless it is about rights."""
    text = b"\n".join(lines[:60])
    if found := DOCSTRING.match(text):
        block = found[1].split(b"\n")
    else:
        block = [
            found[1]
            for line in takewhile(lambda line: not line or COMMENT.match(line), lines[:60])
            if (found := COMMENT.match(line))
        ]
    prose = paragraphs(b"\n".join(block).decode("utf-8", "replace"))
    return next((p for p in prose if says_something(p) and len(p) > 40), "")


def of_history(repository: Path, commit: str, excluded: frozenset[str]) -> Iterator[Pair]:
    """Commit subjects and the lines they changed, one pair a file."""
    command = [
        "git", "-C", str(repository), "log", "--no-merges", "-n", str(COMMITS), "-p", "-U2", "--no-color",
        "--no-ext-diff", "--no-textconv", "--no-renames", "--diff-filter=M", "--full-index",
        "--format=%x01%s", commit, "--",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    left = COMMIT_BYTES
    subject, path, changed, files, refused = "", "", list[bytes](), list[tuple[str, bytes]](), False

    def done() -> Iterator[Pair]:
        if changed and path:
            files.append((path, b"\n".join(changed)[:8000]))
        if 0 < len(files) <= FILES_OF_COMMIT and says_something(subject):
            clean = re.sub(r"^[\w./()*\-, ]{1,40}: |\(?#\d+\)?|\[[^\]]*\]", " ", subject)
            for name, body in files:
                if len(body) > 80:
                    yield _pair("commit", clean, "", "", body, Counter(terms(name)))

    for line in process.stdout:
        left -= len(line)
        if line.startswith(b"\x01"):
            yield from done()
            subject, path, changed, files = line[1:].decode("utf-8", "replace").strip(), "", [], []
            if left < 0:
                break
        elif line.startswith(b"diff --git"):
            if changed and path:
                files.append((path, b"\n".join(changed)[:8000]))
            path, changed, refused = "", [], False
        elif line.startswith(b"index ") and not excluded.isdisjoint(line.decode().split()[1].split("..")):
            refused = True
        elif line.startswith(b"--- a/"):
            name = line[6:].decode("utf-8", "replace").strip()
            path = name if parsed(name) and not refused and not LEFT_OUT.search(name) else ""
        elif path and line[:1] in b"- " and not line.startswith(b"---"):
            changed.append(line[1:].rstrip())  # what was there before
        elif path and line.startswith(b"@@"):
            changed.append(line.rpartition(b"@@")[2].strip())
    process.stdout.close()
    process.kill()
    process.wait()


def _pair(kind: str, text: str, name: str, signature: str, body: bytes, path: Counter[str], doc: str = "") -> Pair:
    whole = body.decode("utf-8", "replace")
    fields = tuple(Counter(terms(t[:20_000])) for t in (name, signature, doc, whole + "\n" + doc))
    return Pair(KINDS.index(kind), Counter(terms(text[:4000])), fields, path)  # type: ignore[arg-type]


# --- files -----------------------------------------------------------------------------------------


def write(target: Path, pairs: Iterable[Pair]) -> Counter[str]:
    """Store the pairs of a repository; how many of each kind. Of a kind with too many, some by hash."""
    by_kind: dict[int, list[Pair]] = {}
    for pair in pairs:
        if pair.text and (pair.fields[3] or pair.fields[0]):
            by_kind.setdefault(pair.kind, []).append(pair)
    kept: list[Pair] = []
    for _, found in sorted(by_kind.items()):
        order = np.random.default_rng(0).permutation(len(found))[:PAIRS]
        kept.extend(found[i] for i in sorted(order.tolist()))
    number: dict[str, int] = {}

    def ids(names: Iterable[str]) -> list[int]:
        return [number.setdefault(name, len(number)) for name in names]

    columns: dict[str, list[Any]] = {name: [] for name in ("text", "text_tf", "code", "code_tf", "path", "path_tf")}
    offsets: dict[str, list[int]] = {"text": [0], "code": [0], "path": [0]}
    for pair in kept:
        text = pair.text.most_common(LONGEST)
        everything = pair.fields[3] + Counter(dict.fromkeys([*pair.fields[0], *pair.fields[1]], 1))
        code = [term for term, _ in everything.most_common(LONGEST)]
        columns["text"] += ids(t for t, _ in text)
        columns["text_tf"] += [min(n, 255) for _, n in text]
        columns["code"] += ids(code)
        columns["code_tf"] += [[min(f[t], 255) for f in pair.fields] for t in code]
        columns["path"] += ids(pair.path)
        columns["path_tf"] += [min(n, 255) for n in pair.path.values()]
        for name in offsets:
            offsets[name].append(len(columns[name]))
    arrays = {
        name: np.array(values, np.uint8 if name.endswith("tf") else np.int32).reshape(
            (len(values), 4) if name == "code_tf" else len(values)
        )
        for name, values in columns.items()
    }
    arrays |= {f"{name}_offset": np.array(values, np.int64) for name, values in offsets.items()}
    arrays["kind"] = np.array([pair.kind for pair in kept], np.uint8)
    arrays["terms"] = np.array("\n".join(number))
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part.npz")
    np.savez_compressed(part, **arrays)
    part.rename(target)
    return Counter(KINDS[pair.kind] for pair in kept)


def _one(job: tuple[Path, str, Path, frozenset[str]]) -> tuple[str, dict[str, int]]:
    repository, commit, target, excluded = job
    return target.stem, dict(write(target, mine(repository, commit, excluded)))


def mine_all(repositories: Sequence[tuple[str, str, Path]], out: Path, excluded: frozenset[str], workers: int) -> None:
    """Mine the repositories (name, commit, where) that have no file yet."""
    jobs = [(path, commit, out / f"{name.replace('/', '+')}.npz", excluded) for name, commit, path in repositories]
    jobs = [job for job in jobs if not job[2].exists()]
    with ProcessPoolExecutor(workers) as pool:
        for name, counts in pool.map(_one, jobs):
            print(name, counts, flush=True)
