"""Which names does a change use that nobody has defined?

Only what is certain is told: a name that the repository alone could define, and does not. Names of other libraries, of
what is not known, and names that were written anywhere in the repository before are left alone.
"""

from __future__ import annotations

import builtins
import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain

from tree_sitter import Parser, Query

from repoctx.graph.link import link
from repoctx.graph.places import join
from repoctx.parse.languages import LANGUAGES, styles
from repoctx.parse.queries import cursor, question
from repoctx.retrieve.snapshot import Loaded
from repoctx.store.columns import Columns
from repoctx.store.snapshots import Member
from repoctx.store.view import view
from repoctx.tasks.edits import Problem
from repoctx.tasks.owners import After, Changed, Owner
from repoctx.types import Import

MOST_REFERENCES = 5_000_000  # of a snapshot that is linked anew
MOST_TOLD = 5  # names of a file
MOST_USES = 500  # of members in a file that are looked up
MOST_COMPARED = 500  # names that may be meant
LONGEST_COMPARED = 100  # characters of a name
_RELATIVE = frozenset(["typescript", "tsx", "javascript"])
_LOADS = {"python": "[(call function: (identifier) @load) (attribute object: (identifier) @load)] (identifier) @any"}
# Names that every module has, and that others put there: of Python 2, of gettext and of notebooks.
_GIVEN = frozenset(
    [*dir(builtins), "__file__", "__path__", "_", "gettext", "ngettext", "unicode", "xrange", "basestring", "long",
     "raw_input", "unichr", "reduce", "file", "cmp", "execfile", "reload", "buffer", "apply", "intern", "WindowsError",
     "get_ipython", "display", "reveal_type", "reveal_locals"]
)  # fmt: skip


def unknown_names(
    loaded: Loaded, files: Sequence[Changed], gone: Iterable[str], others: Iterable[str], segments: Sequence[Columns]
) -> list[Problem]:
    """The names that changed lines use and nothing defines.

    `gone` are files that are removed, `others` paths that are there and not in the index; `segments` hold the facts of
    the changed files.
    """
    old = loaded.index.view
    files = [one for one in files if LANGUAGES.get(one.key.language) and LANGUAGES[one.key.language].grammar]
    if not files or len(old.occurrences.reference_file) > MOST_REFERENCES:
        return []
    members = {member.path: member for member in old.members} | {one.path: Member(one.path, one.key) for one in files}
    for path in gone:
        members.pop(path, None)
    whole = view([members[path] for path in sorted(members, key=str.encode)], [*old.segments, *segments])
    after = After(loaded, whole, link(whole.occurrences, styles()), {one.path: one for one in files}, tuple(others))
    problems: list[Problem] = []
    for one in files:
        found: dict[str, None] = {}
        for said in chain(_imports(after, one), _members(after, one), _unbound(one)):
            found[said] = None
            if len(found) == MOST_TOLD:
                break
        problems += [Problem("unknown name", one.path, said) for said in found]
    return problems


def _imports(after: After, one: Changed) -> Iterator[str]:
    """What is imported from modules of the repository that do not have it, or are not there."""
    for item in after.facts(one.path).imports:
        if item.line not in one.lines or not item.module:
            continue
        targets = after.imported(one.path, item)
        modules = [after.path_of(node) for node in targets if node >= after.symbols]
        last = item.module.rpartition(".")[2] if one.key.language == "python" else ""
        near = last and len(modules) == len(targets) and not any(after.is_module(node, last) for node in targets)
        if not targets or near:  # the package alone is there
            if missing := _no_module(after, one, item):
                yield f"{one.path}:{item.line} imports {missing}, and the repository has no such module."
        elif item.name not in ("", "*", "default") and len(targets) == len(modules) == 1:
            owner = after.module(modules[0], one.key.language)
            if owner and not after.has(owner, item.name) and not after.below(modules[0], item.name):
                yield _said(one.path, item.line, f"imports {item.name} from {item.module}", owner, item.name)


def _members(after: After, one: Changed) -> Iterator[str]:
    """Members of classes and modules of the repository that those do not have; of the first uses alone."""
    facts = after.facts(one.path)
    owners: dict[tuple[str, int], list[Owner]] = {}
    asked: dict[tuple[str, int, str], None] = {}
    for use in facts.references:
        if use.line not in one.lines or not use.qualifier or use.role not in ("call", "read"):
            continue
        if use.name in after.before or use.name.startswith("__"):
            continue
        place = use.qualifier, use.scope  # what stands for the same
        if (*place, use.name) in asked:
            continue
        if len(asked) == MOST_USES:
            return
        asked[*place, use.name] = None
        if place not in owners:
            owners[place] = after.owners(one.path, facts, use)
        for owner in owners[place]:
            if not after.has(owner, use.name):
                yield _said(one.path, use.line, f"uses {use.name}", owner, use.name)


def _said(path: str, line: int, does: str, owner: Owner, name: str) -> str:
    return f"{path}:{line} {does}, which {owner.said} does not have{_hint(name, owner.names)}"


@lru_cache(100)
def _hint(name: str, names: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name[:LONGEST_COMPARED], sorted(set(names))[:MOST_COMPARED], 3)
    return f": is {' or '.join(close)} meant?" if close else "."


def _no_module(after: After, one: Changed, item: Import) -> str:
    """The name of a module that would have to be in the repository and is not; "" if it may be elsewhere."""
    folder = one.path.rpartition("/")[0]
    if one.key.language in _RELATIVE and item.module.startswith("."):
        place = join(folder, item.module)
    elif one.key.language == "python" and item.module.startswith("."):
        dots = len(item.module) - len(item.module.lstrip("."))
        name = item.module[dots:].replace(".", "/")
        if not name:
            return ""
        place = join(folder, "../" * (dots - 1) + name)
    elif one.key.language == "python":
        first, _, rest = item.module.partition(".")
        roots = after.packages.get(first, ())
        if not rest or len(roots) != 1 or first in sys.stdlib_module_names:
            return ""
        place = f"{roots[0]}{first}/{rest.replace('.', '/')}"
    else:
        return ""
    if place is None or _mentioned(after, place) or item.module in after.before:
        return ""
    return item.module


def _mentioned(after: After, place: str) -> bool:
    """Whether anything is at a place, with whatever ending, or below it."""
    stem = re.sub(r"\.(?:js|jsx|mjs|cjs|ts|tsx|json|css|scss|svg)$", "", place)
    return any(path.startswith((f"{stem}.", f"{stem}/", f"{place}.")) or path == place for path in after.paths)


def _unbound(one: Changed) -> Iterator[str]:
    """Names that changed lines call or take members of, and that nothing in the file can have given a value."""
    asked = question(one.key.language)
    if asked is None or one.key.language not in _LOADS or not one.path.endswith(".py"):
        return
    if re.search(r"\bimport \*|\bexec\(|\bglobals\(\)", one.after):
        return
    found = cursor(Query(asked.grammar, _LOADS[one.key.language])).captures(
        Parser(asked.grammar).parse(one.after.encode()).root_node
    )
    loads = {node.start_byte for node in found.get("load", ())}
    bound = {node.text for node in found.get("any", ()) if node.start_byte not in loads}
    before = None if one.before is None else frozenset(re.findall(r"\w+", one.before))
    for node in found.get("load", ()):
        name, line = (node.text or b"").decode(), node.start_point[0] + 1
        if line not in one.lines or node.text in bound or name in _GIVEN:
            continue
        if before is None or name not in before:
            yield f"{one.path}:{line} uses {name}, which is neither defined nor imported there."
