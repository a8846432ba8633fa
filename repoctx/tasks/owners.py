"""What does a name of a changed file stand for: a class or a module of the repository that has these members alone?

An owner is known only where nothing else could give it members: no base from elsewhere, no decorator, nothing dynamic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from repoctx.parse import parse
from repoctx.parse.languages import LANGUAGES
from repoctx.parse.symbols import CLASSES
from repoctx.retrieve.snapshot import Loaded
from repoctx.store.payload import Key
from repoctx.store.view import View
from repoctx.types import EDGE_KINDS, Edges, Facts, Import, Reference, Symbol

MOST_BASES = 8  # classes above a class
_IMPORTS, _INHERITS = EDGE_KINDS.index("imports"), EDGE_KINDS.index("inherits")
_WORD = re.compile(r"\w+")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?")
# Where members come from nowhere: a class or module with such a thing may have any.
_DYNAMIC = re.compile(
    r"__getattr__|__getattribute__|\bsetattr\b|__dict__|\bnew Proxy\b|\bObject\.(?:assign|define)|\[\w+: ?string\]"
)
_DYNAMIC_MODULE = re.compile(
    r"(?m)^def __getattr__|\bglobals\(\)|\bexec\(|\bsys\.modules\b|\bimport \*|\bexport \*|\bmodule\.exports\b"
    r"|\bdeclare (?:module|global)\b|\.prototype\b"
)
_DECORATED = re.compile(r"\s*@(?!(?:\w+\.)?(?:dataclass|final|runtime_checkable)\b)")
_CLASS_WORDS = frozenset(["object", "extends", "implements"])
_CLASSES = frozenset(
    ["python", "typescript", "tsx", "javascript"]
)  # languages whose classes have but their own members
_PACKAGES = {"go": ".go"}  # languages whose modules are all the files of a folder


class Changed(NamedTuple):
    """A file that is changed."""

    path: str
    key: Key  # of its text after the change
    before: str | None
    after: str
    lines: frozenset[int]  # of the text after the change, that are new


class Owner(NamedTuple):
    """What defines names, and the files in which all of these are written."""

    said: str
    paths: tuple[str, ...]
    names: tuple[str, ...] = ()  # some of them


@dataclass(frozen=True, eq=False)
class After:
    """A snapshot with the changes made, linked."""

    loaded: Loaded
    view: View
    edges: Edges
    changed: Mapping[str, Changed]
    others: Sequence[str]
    _read: dict[str, tuple[str, Facts]] = field(default_factory=dict)

    # --- what a name stands for ----------------------------------------------------------------

    def owners(self, path: str, facts: Facts, use: Reference) -> list[Owner]:
        """What the receiver of a member is; none where that is not known for sure."""
        row = LANGUAGES[facts.language]
        if use.qualifier in row.selves:
            at = use.scope
            while at >= 0 and facts.symbols[at].kind not in CLASSES:
                at = facts.symbols[at].parent
            found = [self._class(path, at)] if at >= 0 and not use.qualifier.startswith("super") else []
        elif use.qualifier.startswith("%"):
            local = int(use.qualifier[1:]) if use.qualifier[1:].isdigit() else -1
            found = self._flowing(path, facts, "local ", local)
        else:
            own = [at for at, one in enumerate(facts.symbols) if one.name == use.qualifier and one.parent < 0]
            held = self._flowing(path, facts, "", own[0]) if len(own) == 1 else []
            found = held or [self._named(path, facts, use.qualifier, classes=False)]
        known = [owner for owner in found if owner]
        return known if len(known) == len(found) else []

    def _flowing(self, path: str, facts: Facts, kind: str, target: int) -> list[Owner | None]:
        """The classes of all that a local or a variable may hold, as far as they are known."""
        flows = [flow for flow in facts.flows if flow.target == target and flow.kind in (f"{kind}value", f"{kind}type")]
        return [
            self._named(path, facts, flow.value.removesuffix("()"), classes=True)
            if flow.depth == 0 and flow.kind.endswith("type") != flow.value.endswith("()")
            else None
            for flow in flows
        ]

    def _named(self, path: str, facts: Facts, name: str, *, classes: bool) -> Owner | None:
        """What a name of a file stands for: a class, or a module where that is meant."""
        if not _DOTTED.fullmatch(name) or any(local.name == name for local in facts.locals):
            return None
        head, _, rest = name.partition(".")
        own = [at for at, symbol in enumerate(facts.symbols) if symbol.name == head and symbol.parent < 0]
        taken = [item for item in facts.imports if item.alias == head]
        if len(own) + len(taken) != 1:
            return None
        if own:
            return None if rest else self._class(path, own[0])
        item = taken[0]
        if not item.name and "." in item.module.strip(".") and item.module.startswith(f"{head}."):
            return None  # `import a.b` binds `a`
        targets = self.imported(path, item)
        inner = [node for node in targets if node < self.symbols]
        if len(inner) == 1 and not rest:
            return self._class_at(inner[0])
        if inner or len(targets) != 1 or (item.name and not self.is_module(targets[0], item.name)):
            return None
        module = self.path_of(targets[0])
        if rest:
            symbols = self.facts(module).symbols
            tops = [at for at, symbol in enumerate(symbols) if symbol.name == rest and symbol.parent < 0]
            return self._class(module, tops[0]) if len(tops) == 1 else None
        return None if classes else self.module(module, facts.language)

    def _class(self, path: str, at: int, depth: int = 0) -> Owner | None:
        """A class whose members are all written down, with the files of its bases; else None."""
        text, facts = self._of(path)
        symbol = facts.symbols[at]
        if symbol.kind != "class" or facts.language not in _CLASSES or depth > MOST_BASES:
            return None
        written = text.split("\n")[symbol.start_line - 1 : symbol.end_line]
        decorated = any(map(_DECORATED.match, written[: symbol.name_line - symbol.start_line + 1]))
        if decorated or any(map(_DYNAMIC.search, written)):
            return None
        if sum(other.descriptor == symbol.descriptor for other in facts.symbols) != 1:
            return None
        row = self._first(path) + at
        bases = self.edges.target[(self.edges.kind == _INHERITS) & (self.edges.source == row)].tolist()
        if any(not 0 <= base < self.symbols for base in bases):
            return None
        found = [self._class_at(base, depth + 1) for base in bases]
        named = {self._symbol(base)[1].name for base in bases} | _CLASS_WORDS
        if None in found or set(_WORD.findall(symbol.signature.partition(symbol.name)[2])) - named:
            return None
        inner = tuple(member.name for member in facts.symbols if member.parent == at)
        above = [owner for owner in found if owner]
        paths = (path, *(path for owner in above for path in owner.paths))
        return Owner(f"{symbol.name} ({path})", paths, inner + tuple(name for owner in above for name in owner.names))

    def _class_at(self, row: int, depth: int = 0) -> Owner | None:
        path, _ = self._symbol(row)
        return self._class(path, row - self._first(path), depth)

    def module(self, path: str, language: str) -> Owner | None:
        """A module whose names are all written down; else None."""
        text, facts = self._of(path)
        if language in _PACKAGES:
            folder = path.rpartition("/")[0]
            files = [p for p in self.view.occurrences.paths if p.rpartition("/")[0] == folder]
            paths = tuple(p for p in files if p.endswith(_PACKAGES[language]))
            return Owner(f"the package {folder or '.'}", paths)
        if facts.language != language or language not in _CLASSES or _DYNAMIC_MODULE.search(text):
            return None
        if any(item.name == "*" for item in facts.imports):
            return None
        return Owner(path, (path,), tuple(symbol.name for symbol in facts.symbols if symbol.parent < 0))

    # --- what there is -------------------------------------------------------------------------

    def has(self, owner: Owner, name: str) -> bool:
        """Whether a name is written anywhere where it could be defined: not as a member that is used."""
        word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        for path in owner.paths:
            text, facts = self._of(path)
            if word.search(text):
                uses = {(use.line, use.column) for use in facts.references if use.name == name and use.qualifier}
                for number, line in enumerate(text.split("\n"), 1):
                    columns = (len(line[: found.start()].encode()) for found in word.finditer(line))
                    if any((number, column) not in uses for column in columns):
                        return True
        return False

    def below(self, module: str, name: str) -> bool:
        """Whether a name is a module in the folder of another."""
        folder = module.rpartition("/")[0]
        prefix = f"{folder}/{name}" if folder else name
        return any(path.startswith((f"{prefix}.", f"{prefix}/")) for path in self.view.occurrences.paths)

    @cached_property
    def paths(self) -> list[str]:
        return [*self.view.occurrences.paths, *self.others]

    @cached_property
    def packages(self) -> dict[str, list[str]]:
        """Folders that hold a Python package that is in no other, by the package's name; each ends in "/" or is ""."""
        paths = set(self.paths)
        found: dict[str, list[str]] = {}
        for path in self.paths:
            folder, _, name = path.rpartition("/")
            above, _, package = folder.rpartition("/")
            if name == "__init__.py" and folder and f"{above}/__init__.py".lstrip("/") not in paths:
                found.setdefault(package, []).append(f"{above}/" if above else "")
        return found

    @cached_property
    def before(self) -> frozenset[str]:
        """All names of the snapshot before the changes."""
        return frozenset(self.loaded.index.view.occurrences.names)

    @property
    def symbols(self) -> int:
        return len(self.view.occurrences.symbol_file)

    def imported(self, path: str, item: Import) -> list[int]:
        """The nodes that an import leads to: symbols, else modules; none where it leads out."""
        edges, file = self.edges, self._numbers[path]
        line = (edges.kind == _IMPORTS) & (edges.file == file) & (edges.line == item.line) & (edges.target >= 0)
        here: list[int] = edges.target[line & (edges.column == item.column)].tolist()
        named = [node for node in here if node < self.symbols]
        if named:
            return sorted(set(named))
        every: list[int] = edges.target[line].tolist()
        return sorted({node for node in (here or every) if node >= self.symbols})

    def is_module(self, node: int, name: str) -> bool:
        path = self.path_of(node)
        stem = path.rpartition("/")[2].partition(".")[0]
        return name in (stem, path.rpartition("/")[0].rpartition("/")[2] if stem in ("__init__", "index") else stem)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {path: number for number, path in enumerate(self.view.occurrences.paths)}

    def path_of(self, node: int) -> str:
        return self.view.occurrences.paths[node - self.symbols]

    def _first(self, path: str) -> int:
        return int(self.view.occurrences.symbol_file.searchsorted(self._numbers[path]))

    def _symbol(self, row: int) -> tuple[str, Symbol]:
        path = self.view.occurrences.paths[int(self.view.occurrences.symbol_file[row])]
        return path, self.facts(path).symbols[row - self._first(path)]

    def facts(self, path: str) -> Facts:
        return self._of(path)[1]

    def _of(self, path: str) -> tuple[str, Facts]:
        """Text and facts of a file after the changes."""
        if path not in self._read:
            if one := self.changed.get(path):
                self._read[path] = one.after, parse(one.key.language, one.after.encode())
            else:
                number = self.loaded.file_numbers[path]
                found = self.loaded.parsed([number])[number]
                self._read[path] = found.text, found.facts
        return self._read[path]
