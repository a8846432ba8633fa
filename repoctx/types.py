"""The nouns: the plain values that flow from stage to stage.

Lines are 1-based and inclusive, columns 0-based in UTF-8 bytes, byte offsets 0-based and
half-open, paths relative to the repository root with `/`. All of them count in the *text* of a
blob, which is its bytes as valid UTF-8 (see `parse.languages.decode`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Codes = NDArray[np.int8]

# --- source -----------------------------------------------------------------------------------

SkipReason = Literal[
    "ignored", "binary", "too large", "generated", "minified", "vendored", "submodule", "symlink",
    "lfs pointer", "unreadable", "vanished", "empty", "special file", "path collision", "crashed the parser",
    "parser timed out",
]


class Skip(NamedTuple):
    """A path that is left out, and why. Nothing is left out without one."""

    path: str
    reason: SkipReason
    detail: str = ""  # one short phrase for people: a size, an attribute, an error


class Entry(NamedTuple):
    """One file of a snapshot: where it is, and which bytes it has."""

    path: str
    blob: str  # git blob id, hex (40 digits, or 64 in a SHA-256 repository)
    size: int  # bytes of the blob


@dataclass(frozen=True, slots=True)
class Tree:
    """What a source contains at one moment: the answer to "which bytes make up this commit?"."""

    entries: tuple[Entry, ...]  # sorted by path (as UTF-8 bytes)
    skips: tuple[Skip, ...]  # sorted by path
    commit: str | None  # the commit it stands on; None for a plain folder or an unborn branch
    ref: str  # the ref that will point at it: "main", "HEAD" when detached, "." for a plain folder
    dirty: bool = False  # differs from `commit`


# --- facts ------------------------------------------------------------------------------------

# Symbol kinds. The index in this tuple is the code stored in segments: append, never reorder.
KINDS: tuple[str, ...] = (
    "module", "namespace", "class", "interface", "struct", "union", "enum", "trait", "type",
    "function", "method", "constructor", "property", "field", "variable", "constant",
    "enum_member", "macro", "object", "extension", "test",
)
# Reference roles; the same rule.
ROLES: tuple[str, ...] = ("call", "type", "inherit", "import", "read")
# What flows say; the same rule. "value": the target symbol holds the value, "type": an instance of it;
# the same for a target local, and for what a target symbol returns; "argument": the value is handed
# to what a target reference calls.
FLOWS: tuple[str, ...] = (
    "value", "type", "local value", "local type", "return value", "return type", "argument",
)


class Symbol(NamedTuple):
    """A named thing defined in a blob."""

    kind: str  # one of KINDS
    name: str
    descriptor: str  # path-free qualified name within the blob: "Greeter.hello"
    signature: str  # one line, white space collapsed, without the body, at most 400 characters
    doc: str  # the text of its doc comment without comment marks, "" if none
    start_line: int  # first line of the definition, decorators and doc comment above it included
    end_line: int
    name_line: int
    name_column: int
    body_line: int  # first line of the body that a skeleton would elide; 0 if there is none
    parent: int  # index of the enclosing symbol in the blob's symbols, -1 at top level


class Reference(NamedTuple):
    """A place where a name is used."""

    role: str  # one of ROLES
    name: str
    qualifier: str  # what stands before the last dot, arrow or `::`: "self", "os.path"; "" if bare
    line: int
    column: int
    scope: int  # index of the innermost enclosing symbol, -1 at top level


class Import(NamedTuple):
    """One imported name. `import a.b as c` is ("a.b", "", "c"); `from a import b` ("a", "b", "b")."""

    module: str  # as written: "..pkg.mod", "./x", "std::fmt"; "" a name of the blob itself, exported as another
    name: str  # the name taken from the module; "" the module itself, "*" everything
    alias: str  # the local name it is bound to; "" if it binds none
    line: int
    column: int


class Local(NamedTuple):
    """A parameter or local variable through which something may be reached. It is no symbol.

    Qualifiers and the values of flows call it `%N`, N being its index in the blob's locals.
    """

    name: str
    scope: int  # index of the symbol that binds it, -1 at top level
    position: int  # of a parameter: 0-based, the receiver not counted; -1 if it is none


class Flow(NamedTuple):
    """What a name may hold: an assignment, an annotation, a return or an argument.

    A value is written as qualifiers are: names, `()` for a call, `[]` for an element, `%N` for a local.
    """

    kind: str  # one of FLOWS
    target: int  # index of a symbol, local or reference, as FLOWS says
    key: str  # of an argument: its 0-based position, or its keyword; else ""
    value: str
    depth: int  # containers around the value: 1 in `[value]`
    scope: int  # index of the symbol in which the value is written, -1 at top level


class Setting(NamedTuple):
    """What a project file declares: ("module", "example.com/m"), ("paths @/*", "src/*")."""

    key: str
    value: str


class Chunk(NamedTuple):
    """A unit of retrieval. The chunks of a blob tile its text exactly, in order."""

    start_byte: int
    end_byte: int
    start_line: int
    end_line: int
    symbol: int  # the symbol that the chunk shows: the innermost that contains it, or the first
    #              that is defined in it; -1 if none


class Facts(NamedTuple):
    """All that parsing one blob yields. It holds no path."""

    language: str
    symbols: Sequence[Symbol]  # by start, outer before inner
    references: Sequence[Reference]  # by position
    imports: Sequence[Import]  # by position
    chunks: Sequence[Chunk]
    errors: int  # syntax errors and missing nodes that the parser reported
    locals: Sequence[Local] = ()
    flows: Sequence[Flow] = ()
    settings: Sequence[Setting] = ()  # of a project file


# --- history ----------------------------------------------------------------------------------


class Change(NamedTuple):
    """What a commit did to one file."""

    path: str  # after the commit; of a deleted file before it
    old_path: str  # before the commit; "" of a new file. Another than `path` only where status is "R"
    status: str  # "A" added, "M" modified (or only its mode, or its type), "D" deleted, "R" renamed, modified or not
    # (old start, old lines, new start, new lines) as `git diff -U0` writes them: of 0 lines the start is the line
    # before. () for what is binary, large, a symbolic link or a submodule, and in a bulk commit.
    hunks: tuple[tuple[int, int, int, int], ...]


class Commit(NamedTuple):
    """A commit and what it did. It follows from its id alone (see `source.history`)."""

    id: str
    time: int  # of committing, seconds since 1970; 0 where it is not readable
    author: str  # the name without addresses, at most 100 characters
    message: str  # at most 4,000 characters, none of them a control character but the line feed
    changes: tuple[Change, ...]  # by path, at most 200; () of a merge
    files: int  # files that it changed in all
    parents: int


# --- graph ------------------------------------------------------------------------------------

# Edge kinds; the index is the stored code: append, never reorder.
EDGE_KINDS: tuple[str, ...] = (
    "contains", "calls", "references", "imports", "inherits", "overrides", "tests",
)


@dataclass(frozen=True, slots=True, eq=False)
class Occurrences:
    """The definitions, references, imports, flows and settings of one snapshot, as columns.

    Rows of one file are adjacent, files in the order of `paths`, rows within a file as in its
    `Facts`. Strings are indices into `names` (sorted, unique). S, R, I, L, W and P are the row counts.
    """

    paths: Sequence[str]  # F files, in snapshot order (sorted by path)
    languages: Sequence[str]  # F
    names: Sequence[str]
    symbol_file: Ints  # S, index into paths
    symbol_kind: Bytes  # S, index into KINDS
    symbol_name: Ints  # S
    symbol_descriptor: Ints  # S
    symbol_start: Ints  # S, lines
    symbol_end: Ints  # S
    symbol_name_line: Ints  # S
    symbol_name_column: Ints  # S
    symbol_parent: Ints  # S, row of the enclosing symbol or -1
    reference_file: Ints  # R
    reference_role: Bytes  # R, index into ROLES
    reference_name: Ints  # R
    reference_qualifier: Ints  # R
    reference_line: Ints  # R
    reference_column: Ints  # R
    reference_scope: Ints  # R, row of the innermost enclosing symbol or -1
    import_file: Ints  # I
    import_module: Ints  # I
    import_name: Ints  # I
    import_alias: Ints  # I
    import_line: Ints  # I
    import_column: Ints  # I
    local_file: Ints  # L
    local_name: Ints  # L
    local_scope: Ints  # L, row of the symbol that binds it or -1
    local_position: Ints  # L
    flow_file: Ints  # W
    flow_kind: Bytes  # W, index into FLOWS
    flow_target: Ints  # W, row of the symbol, local or reference
    flow_key: Ints  # W
    flow_value: Ints  # W
    flow_depth: Ints  # W
    flow_scope: Ints  # W, row of the innermost enclosing symbol or -1
    setting_file: Ints  # P
    setting_key: Ints  # P
    setting_value: Ints  # P


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """The resolved references of one snapshot, as columns; E rows, sorted by (file, line, column, kind).

    A node is a symbol row (0 <= node < S) or a file (S + its index in `Occurrences.paths`).
    """

    kind: Bytes  # E, index into EDGE_KINDS
    file: Ints  # E, where the reference stands: index into paths
    line: Ints  # E
    column: Ints  # E
    source: Ints  # E, node
    target: Ints  # E, node, or -1: unresolved
    confidence: Floats  # E, 0 to 1; the share of such edges expected to be right
    rule: Bytes  # E, index into graph.link.RULES
    candidate_start: Ints  # E + 1, offsets into candidates
    candidates: Ints  # nodes it may have meant, most likely first; empty where the target is certain


# --- retrieval --------------------------------------------------------------------------------


class Reason(NamedTuple):
    """Why a hit scored: the ranker, what it saw, and its share of the score (shares sum to 1)."""

    ranker: str
    detail: str
    share: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A scored place in a snapshot."""

    path: str
    start_line: int
    end_line: int
    score: float
    reasons: tuple[Reason, ...]
    symbol: str | None = None  # bare name
    qualified_name: str | None = None  # descriptor
    kind: str | None = None
    language: str = ""
    repository: str = ""


# --- packing ----------------------------------------------------------------------------------

Detail = Literal["full", "skeleton", "signature", "name"]


class Part(NamedTuple):
    """One entry of a pack's manifest."""

    path: str
    start_line: int
    end_line: int
    detail: Detail
    tokens: int  # of its lines, without frames and marks
    position: int  # 0-based order in the prompt
    zone: str  # "bulk": chosen by the snapshot alone; "evidence"; "core": the best of it
    score: float
    reasons: tuple[Reason, ...]
    repository: str = ""


class Block(NamedTuple):
    """A piece of the prompt. The blocks of a pack follow one another without gaps."""

    zone: str  # "instructions", "map", "bulk", "evidence", "core" or "task"
    path: str  # as the prompt shows it; "" where it is no file
    start: int  # characters of the prompt
    end: int
    tokens: int


class Tier(NamedTuple):
    """One window that a model can be served with."""

    name: str
    window: int  # tokens
    rope_factor: float  # YaRN multiplier, 1 = none


class Outlook(NamedTuple):
    """What a pack of another size would hold."""

    budget: int
    tier: str
    rope_factor: float
    likelihood: float  # that all of the evidence is inside; 0: unknown
    price: float | None  # of its prompt, where the model has a public price
    currency: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How large the pack may be, for which model and window, and how large it came out."""

    model: str
    tier: str
    rope_factor: float
    window: int  # tokens of the tier
    budget: int  # most tokens the prompt may have
    tokenizer: str  # what they are counted with, as `counters.counter` takes it
    exact: bool  # whether `predicted_tokens` is what the model's own tokenizer finds
    margin: float  # the share by which there may be more of them; 0 if exact
    predicted_tokens: int  # tokens of the prompt text
    template_tokens: int  # tokens that the chat template adds around it
    reserve: int  # tokens of the window kept free for output and safety
    stable_prefix_tokens: int  # leading tokens that depend on the snapshot alone
    format: str = "xml"
    likelihood: float = 0.0  # that all of the evidence is inside, see `pack.plan`; 0: unknown
    why: str = ""  # how the budget was chosen, in a sentence
    outlook: tuple[Outlook, ...] = ()  # other sizes, smallest first; the next tier's last


class Origin(NamedTuple):
    """Which snapshot the parts of a repository come from."""

    repository: str
    ref: str
    snapshot: str
    commit: str | None


class Redacted(NamedTuple):
    """Secrets that were cut out of a file that is shown."""

    path: str
    kind: str
    times: int


@dataclass(frozen=True, slots=True)
class Pack:
    """A prompt and the account of what is in it."""

    prompt: str
    plan: Plan
    parts: tuple[Part, ...]
    snapshot: str
    commit: str | None
    blocks: tuple[Block, ...] = ()
    redacted: tuple[Redacted, ...] = ()
    origins: tuple[Origin, ...] = ()


# --- progress ---------------------------------------------------------------------------------


class Progress(NamedTuple):
    """One step of a long run, for whoever shows it. Units are files unless `unit` says otherwise."""

    stage: str  # "scan", "parse", "embed", "link" ...
    done: int
    total: int
    unit: str = "files"


@dataclass(frozen=True, slots=True)
class Report:
    """What an index run did."""

    repository: str
    ref: str
    commit: str | None
    snapshot: str
    files: int
    parsed: int  # blobs that had not been seen before
    skips: Mapping[str, int]  # reason -> count
    symbols: int
    references: int
    edges: int
    chunks: int
    bytes: int
    tokens: int
    languages: Mapping[str, int] = field(default_factory=dict)  # language -> files
    seconds: float = 0.0
    changed: bool = True  # False: the snapshot was already the published one
    embedding: str | None = None  # id of the embedding model that answers; None: none does
    pending: str | None = None  # the setting of the model whose vectors are still to be made
