"""What the graph answers: overriding methods, tests of what, who calls whom, what may break, cycles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.test_graph import STYLES, described, snapshot

from repoctx.errors import NotFoundError, RefusedError, UsageError
from repoctx.graph import impact, shape, traverse
from repoctx.graph.export import symbol_id
from repoctx.graph.layout import layout
from repoctx.graph.link import link
from repoctx.graph.symbols import inherited, within
from repoctx.graph.tests import core
from repoctx.retrieve.questions import Graph, Link
from repoctx.types import EDGE_KINDS, Edges


def check(files: str, expected: str, kind: str) -> None:
    """The edges of a kind between some files are exactly the expected ones, in any order."""
    o = snapshot(files)
    found = [line.replace(f" {kind} ", " ") for line in described(o, link(o, STYLES), (kind,))]
    assert sorted(found) == sorted(line for line in expected.strip().split("\n") if line)


def graph_of(files: str) -> Graph:
    """A graph that is ready for questions, of files written as `#- path` lines."""
    o = snapshot(files)
    texts = {}
    for part in ("\n" + files.strip("\n")).split("\n#- ")[1:]:
        path, _, text = part.partition("\n")
        texts[path.strip()] = text + "\n"
    lines = [texts[path].count("\n") for path in o.paths]
    return Graph(
        o, link(o, STYLES), symbol_id(o), lines, lambda files: {f: texts[o.paths[f]] for f in files}, STYLES
    )


def told(way: tuple[Link, ...]) -> list[str]:
    """A way as `source kind target` for each edge, without paths."""
    names = [(e.source, e.kind, e.target or "?") for e in way]
    return [f"{a.rpartition('#')[2]} {kind} {b.rpartition('#')[2]}" for a, kind, b in names]


# --- overrides ---------------------------------------------------------------------------------

OVERRIDES = [
    pytest.param(
        """
#- a.py
class Base:
    def __init__(self): pass
    def run(self): pass
    def stop(self): pass
    def __hidden(self): pass

class Middle(Base):
    def run(self): pass

class Last(Middle):
    def __init__(self): pass
    def run(self): pass
    def stop(self): pass
    def __hidden(self): pass
    def other(self): pass
""",
        """
a.py#Middle.run -> a.py#Base.run overrides
a.py#Last.run -> a.py#Middle.run overrides
a.py#Last.stop -> a.py#Base.stop overrides
""",
        id="the nearest base that has the method; no constructors, no names private to their class",
    ),
    pytest.param(
        """
#- a.py
class Top:
    def run(self): pass
class Left(Top):
    def run(self): pass
class Right(Top):
    def run(self): pass
class Both(Left, Right):
    def run(self): pass
class Half(Left, Top):
    def run(self): pass
""",
        """
a.py#Left.run -> a.py#Top.run overrides
a.py#Right.run -> a.py#Top.run overrides
a.py#Both.run -> a.py#Left.run overrides
a.py#Both.run -> a.py#Right.run overrides
a.py#Half.run -> a.py#Left.run overrides
""",
        id="each of several bases, but none that another of them replaces",
    ),
    pytest.param(
        """
#- a.py
from elsewhere import Strange
class Base(Strange):
    def run(self): pass
class Own(Base):
    def run(self): pass
    def unknown(self): pass
class Me(Me):
    def run(self): pass
""",
        "a.py#Own.run -> a.py#Base.run overrides",
        id="bases that are not here neither help nor hinder; a class is no base of itself",
    ),
    pytest.param(
        """
#- p/Shape.java
package p;
interface Shape { int area(); int area(int scale); void draw(); }
#- p/Square.java
package p;
class Square implements Shape {
    Square() { }
    public int area() { return 1; }
    public int area(int scale) { return scale; }
    public void draw() { }
}
""",
        """
p/Square.java#Square.area -> p/Shape.java#Shape.area overrides [p/Shape.java#Shape.area, p/Shape.java#Shape.area~2]
p/Square.java#Square.area~2 -> p/Shape.java#Shape.area~2 overrides """
        """[p/Shape.java#Shape.area, p/Shape.java#Shape.area~2]
p/Square.java#Square.draw -> p/Shape.java#Shape.draw overrides
""",
        id="of overloads the one at its place, all of them candidates",
    ),
    pytest.param(
        """
#- a.rs
trait Draw { fn draw(&self); fn size(&self) -> u8 { 1 } }
struct Dot;
impl Draw for Dot { fn draw(&self) {} }
#- a.ts
abstract class Store { abstract load(): void; constructor() {} }
class Disk extends Store { load(): void {} constructor() { super(); } }
""",
        """
a.rs#Dot.draw -> a.rs#Draw.draw overrides
a.ts#Disk.load -> a.ts#Store.load overrides
""",
        id="traits, abstract methods",
    ),
]


@pytest.mark.parametrize("files, expected", OVERRIDES)
def test_methods_override_those_of_the_nearest_bases(files: str, expected: str) -> None:
    """An edge from each method to what it replaces."""
    check(files, expected, "overrides")


def test_what_a_base_is_not_sure_of_an_override_is_less() -> None:
    """The confidence of the bases on the way is part of that of the edge."""
    o = snapshot("#- a.py\nclass A:\n    def f(self): pass\nclass B(A): pass\nclass C(B):\n    def f(self): pass\n")
    e = link(o, STYLES)
    sure = {EDGE_KINDS[kind]: c for kind, c in zip(e.kind.tolist(), e.confidence.tolist(), strict=True)}
    assert sure["overrides"] == pytest.approx(0.97 * sure["inherits"] ** 2)


def test_a_class_with_many_methods_and_bases_has_an_edge_for_each_method() -> None:
    """A chain of classes of the same methods: each overrides the next, once."""
    text = "#- a.py\nclass C0:\n" + "".join(f"    def m{i}(self): pass\n" for i in range(100))
    for number in range(1, 60):
        text += f"class C{number}(C{number - 1}):\n" + "".join(f"    def m{i}(self): pass\n" for i in range(100))
    o = snapshot(text)
    e = link(o, STYLES)
    assert int((e.kind == EDGE_KINDS.index("overrides")).sum()) == 59 * 100


@given(st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 9), max_size=3, unique=True)), max_size=10))
def test_nearest_bases_are_those_without_another_in_between(classes: list[tuple[bool, list[int]]]) -> None:
    """On any graph of classes: of all bases that have the method those that are above no other of them."""
    text, above, has = "#- a.py\n", dict[int, set[int]](), {i for i, (own, _) in enumerate(classes) if own}
    for i, (own, bases) in enumerate(classes):
        bases = [base for base in bases if base < i]
        listed = ", ".join(f"C{base}" for base in bases)
        text += f"class C{i}({listed}):\n    {'def f(self): pass' if own else 'pass'}\n"
        above[i] = set(bases).union(*(above[base] for base in bases))
    expected = ""
    for i in has:
        found = above[i] & has
        nearest = found.difference(*(above[base] for base in found)) if found else found
        expected += "".join(f"a.py#C{i}.f -> a.py#C{base}.f overrides\n" for base in nearest)
    check(text, expected, "overrides")


# --- tests -------------------------------------------------------------------------------------

TESTS = [
    pytest.param(
        """
#- store/disk.py
class Disk:
    def load(self): pass
def connect(): pass
def close(): pass
#- tests/test_disk.py
from store.disk import connect, close
def make():
    return connect()
def test_connect():
    return connect()
def test_close():
    make()
class TestDisk:
    def setUp(self):
        close()
    def test_load(self): pass
""",
        """
tests/test_disk.py -> store/disk.py#connect test import
tests/test_disk.py -> store/disk.py#close test import
tests/test_disk.py -> store/disk.py test name
tests/test_disk.py#test_connect -> store/disk.py#connect test call
tests/test_disk.py#test_close -> store/disk.py#connect test helper
tests/test_disk.py#test_close -> store/disk.py#close test name
tests/test_disk.py#TestDisk -> store/disk.py#Disk test name
tests/test_disk.py#TestDisk.test_load -> store/disk.py#Disk.load test name
tests/test_disk.py#TestDisk.test_load -> store/disk.py#close test helper
""",
        id="pytest and unittest: calls, helpers, imports and names; what is set up is no test",
    ),
    pytest.param(
        """
#- go.mod
module example.com/m
#- store/store.go
package store
func Load() int { return 1 }
func Testify() int { return 1 }
#- store/store_test.go
package store
import "testing"
func TestLoad(t *testing.T) { Load() }
func TestLoad_twice(t *testing.T) { check(t) }
func check(t *testing.T) { Load() }
func Testing() { Load() }
""",
        """
store/store_test.go -> store/store.go test name
store/store_test.go#TestLoad -> store/store.go#Load test call
store/store_test.go#TestLoad_twice -> store/store.go#Load test helper
""",
        id="go test: a name like Testing is none",
    ),
    pytest.param(
        """
#- src/cart.ts
export function total() { return 1; }
#- src/cart.spec.ts
import { total } from "./cart";
import { make } from "./fixtures.test";
test("adds up", () => { total(); });
#- src/fixtures.test.ts
import { total } from "./cart";
export function make() { return total(); }
""",
        """
src/cart.spec.ts -> src/cart.ts test name
src/cart.spec.ts -> src/cart.ts#total test call
""",
        id="jest: the file is the test, unless other tests import it",
    ),
    pytest.param(
        """
#- src/main/java/p/Cart.java
package p;
public class Cart { public int total() { return 1; } }
#- src/test/java/p/CartTest.java
package p;
import org.junit.Test;
public class CartTest {
    @Before public void setUp() { new Cart(); }
    @Test public void addsUp() { fill(); }
    private void fill() { new Cart(); }
}
""",
        """
src/test/java/p/CartTest.java -> src/main/java/p/Cart.java test name
src/test/java/p/CartTest.java#CartTest -> src/main/java/p/Cart.java#Cart test name
src/test/java/p/CartTest.java#CartTest.addsUp -> src/main/java/p/Cart.java#Cart test helper
""",
        id="JUnit: methods that nothing in the tests calls",
    ),
    pytest.param(
        """
#- Cargo.toml
[package]
name = "m"
#- src/lib.rs
pub fn load() -> u8 { 1 }
mod tests {
    use super::*;
    #[test]
    fn loads() { load(); }
}
""",
        "src/lib.rs#tests.loads -> src/lib.rs#load test call",
        id="cargo: a module of tests inside of a file",
    ),
    pytest.param(
        """
#- lib/cart.rb
class Cart
  def total
  end
end
#- spec/cart_spec.rb
require_relative "../lib/cart"
describe Cart do
  it("adds up") { Cart.new.total }
end
#- test/test_cart.rb
require_relative "../lib/cart"
class TestCart
  def test_total
    Cart.new
  end
end
""",
        """
spec/cart_spec.rb -> lib/cart.rb test name
spec/cart_spec.rb -> lib/cart.rb#Cart test call
spec/cart_spec.rb -> lib/cart.rb#Cart.total test call
test/test_cart.rb -> lib/cart.rb test name
test/test_cart.rb#TestCart -> lib/cart.rb#Cart test name
test/test_cart.rb#TestCart.test_total -> lib/cart.rb#Cart test call
test/test_cart.rb#TestCart.test_total -> lib/cart.rb#Cart.total test name
""",
        id="rspec: the file is the test; minitest: methods",
    ),
]


@pytest.mark.parametrize("files, expected", TESTS)
def test_tests_lead_to_what_they_exercise(files: str, expected: str) -> None:
    """Of several reasons for a pair the surest is kept."""
    check(files, expected, "tests")


def test_fixtures_are_helpers_of_the_tests_that_name_them() -> None:
    """By the names of parameters: of the same file, else of the nearest folder; and what sets up a class."""
    check(
        """
#- shop.py
def make(): pass
def link(): pass
def mock(): pass
def clean(): pass
#- tests/conftest.py
import pytest, shop
@pytest.fixture
def app():
    return shop.make()
@pytest.fixture(scope="module")
def client(app):
    return shop.link()
#- tests/a/test_a.py
import pytest, shop
@pytest.fixture
def app(app):
    return shop.mock()
def test_one(app, client, plain):
    app.x()
    client.x()
#- tests/b/test_b.py
import shop
class TestB:
    def setUp(self): shop.clean()
    def test_two(self, client):
        client.x()
""",
        """
tests/a/test_a.py -> shop.py test import
tests/a/test_a.py#test_one -> shop.py#mock test helper
tests/a/test_a.py#test_one -> shop.py#link test helper
tests/b/test_b.py -> shop.py test import
tests/b/test_b.py#TestB.test_two -> shop.py#link test helper
tests/b/test_b.py#TestB.test_two -> shop.py#clean test helper
""",
        "tests",
    )


@pytest.mark.parametrize(
    "name, about",
    [
        ("test_load", "load"), ("TestLoad", "Load"), ("LoadTest", "Load"), ("load_test", "load"), ("a.spec", "a"),
        ("load-test", "load"), ("CartIT", "Cart"), ("test", ""), ("tests", ""), ("testing", "testing"),
        ("contest", "contest"), ("latest", "latest"), ("Protest", "Protest"), ("spec_cart", "cart"),
    ],
)  # fmt: skip
def test_a_test_is_named_after_what_is_left_of_its_name(name: str, about: str) -> None:
    """Prefixes and suffixes are taken off where they are words."""
    assert core(name) == about


def test_files_of_a_name_elsewhere_are_not_what_a_folder_of_tests_is_about() -> None:
    """`a/tests/test_x.py` is about `a/x.py`, never about `b/x.py`."""
    check("#- a/y.py\nY = 1\n#- b/x.py\nX = 1\n#- a/tests/test_x.py\ndef test_one(): pass\n", "", "tests")


# --- walks -------------------------------------------------------------------------------------


def walked(nodes: int, pairs: list[tuple[int, int, float]]) -> traverse.Steps:
    """Steps between numbered nodes."""
    pairs = sorted(pairs)
    start = np.array([a for a, _, _ in pairs], np.int64)
    return traverse.Steps(
        np.searchsorted(start, np.arange(nodes + 1)),
        np.array([b for _, b, _ in pairs], np.int64),
        np.arange(len(pairs)),
        np.array([w for _, _, w in pairs], np.float64),
    )


def test_a_walk_ends_at_its_depth_and_goes_round_circles_once() -> None:
    """A ring of 100,000: as many nodes as steps, each by the shortest way."""
    count = 100_000
    ring = walked(count, [(i, (i + 1) % count, 1.0) for i in range(count)])
    found = traverse.walk(ring, np.array([7]), 500)
    assert found.node.tolist() == list(range(8, 508))
    assert found.depth.tolist() == list(range(1, 501))
    assert len(found.way(507)) == 500
    assert traverse.walk(walked(3, [(0, 1, 1.0), (1, 2, 1.0), (2, 0, 1.0)]), np.array([0]), 50).node.tolist() == [1, 2]
    assert len(traverse.walk(ring, np.array([7]), 10**9).node) == traverse.MOST_STEPS


def test_a_walk_fans_out_to_everything_that_is_there() -> None:
    """A symbol with 50,000 callers: all of them, in order."""
    star = walked(50_001, [(0, i, 0.5) for i in range(1, 50_001)])
    assert traverse.walk(star, np.array([0]), 3).node.tolist() == list(range(1, 50_001))


def test_a_walk_keeps_the_surest_way_of_the_first_level_or_of_all() -> None:
    """With `again` a longer way may be the better one; the way is told by its edges."""
    ways = walked(4, [(0, 1, 0.2), (0, 2, 0.9), (2, 1, 0.9), (1, 3, 1.0), (3, 1, 1.0)])
    first = traverse.walk(ways, np.array([0]), 9)
    assert [(n, round(s, 2)) for n, s in zip(first.node.tolist(), first.score.tolist(), strict=True)] == [
        (2, 0.9), (1, 0.2), (3, 0.2),
    ]  # fmt: skip
    best = traverse.walk(ways, np.array([0]), 9, again=True)
    assert {n: round(s, 2) for n, s in zip(best.node.tolist(), best.score.tolist(), strict=True)} == {
        1: 0.81, 2: 0.9, 3: 0.81,
    }  # fmt: skip
    assert best.way(3) == [1, 3, 2]
    assert traverse.walk(ways, np.array([0]), 9, floor=0.5).node.tolist() == [2, 1, 3]


# --- questions ---------------------------------------------------------------------------------

SHOP = """
#- shop/base.py
class Store:
    def __init__(self, path):
        self.path = path
    def load(self):
        return self.read()
    def read(self):
        return 1

#- shop/disk.py
from shop.base import Store

class Disk(Store):
    def read(self):
        return 2

def open_disk():
    return Disk("x")

def main():
    return open_disk()

#- tests/test_disk.py
from shop.disk import main, open_disk

def test_open():
    open_disk()

def test_main():
    main()
"""


def test_callers_come_with_depth_and_way() -> None:
    """By depth, then by confidence; the confidence is the product along the way."""
    found = graph_of(SHOP).callers("open_disk", 2, 0.0, 100)
    assert [(f.node.qualified_name, f.depth, f.score, told(f.way)) for f in found.found] == [
        ("main", 1, 0.97, ["main calls open_disk"]),
        ("test_open", 1, 0.97, ["test_open calls open_disk"]),
        ("test_main", 2, 0.94, ["main calls open_disk", "test_main calls main"]),
    ]
    assert (found.total, found.possible_total) == (3, 0)
    cut = graph_of(SHOP).callers("open_disk", 2, 0.95, 1)
    assert ([f.node.qualified_name for f in cut.found], cut.total) == (["main"], 2)


def test_a_constructor_is_called_where_its_class_is() -> None:
    """`Store.__init__` has the callers of `Store`, and is what they call."""
    graph = graph_of(SHOP + "\n#- shop/x.py\nfrom shop.base import Store\ndef make():\n    return Store(1)\n")
    assert [f.node.id for f in graph.callers("Store.__init__", 1, 0.0, 9).found] == ["shop/x.py#make"]
    assert [f.node.id for f in graph.callees("make", 1, 0.0, 9).found] == [
        "shop/base.py#Store", "shop/base.py#Store.__init__",
    ]  # fmt: skip
    assert [(e.kind, e.source) for e in graph.refs("Store.__init__", (), 0.0, 9).links] == [("calls", "shop/x.py#make")]


def test_refs_are_all_uses_by_place() -> None:
    """Imports, bases, calls; of chosen kinds only, if wanted."""
    graph = graph_of(SHOP)
    assert [(e.kind, e.path, e.line) for e in graph.refs("Store", (), 0.0, 9).links] == [
        ("imports", "shop/disk.py", 1), ("inherits", "shop/disk.py", 3),
    ]  # fmt: skip
    assert [e.kind for e in graph.refs("Store", ("inherits",), 0.0, 9).links] == ["inherits"]
    assert [(e.kind, e.source) for e in graph.refs("Store.read", (), 0.0, 9).links] == [
        ("calls", "shop/base.py#Store.load"), ("overrides", "shop/disk.py#Disk.read"),
    ]  # fmt: skip


def test_what_a_file_contains_counts_for_the_file() -> None:
    """Callers of a file are those of its symbols from elsewhere, callees of a class those of its methods."""
    graph = graph_of(SHOP)
    assert [f.node.id for f in graph.callers("shop/disk.py", 1, 0.0, 9).found] == [
        "tests/test_disk.py#test_open", "tests/test_disk.py#test_main",
    ]  # fmt: skip
    assert graph.callees("Store", 1, 0.0, 9).total == 0  # its methods call each other


def test_possible_callers_are_never_mixed_with_callers() -> None:
    """A call of one of several methods is listed apart for those that it is not linked to."""
    files = "".join(f"#- m{i}.py\nclass C{i}:\n    def go(self): pass\n" for i in (1, 2, 3))
    graph = graph_of(files + "#- z.py\ndef call(x):\n    return x.go()\n")
    results = [graph.callers(f"C{i}.go", 1, 0.0, 9) for i in (1, 2, 3)]
    sure = [[f.node.id for f in found.found] for found in results]
    maybe = [[e.source for e in found.possible] for found in results]
    assert all(set(a) | set(b) == {"z.py#call"} and not set(a) & set(b) for a, b in zip(sure, maybe, strict=True))
    assert sum(map(len, sure)) <= 1


def test_calls_that_lead_nowhere_are_counted() -> None:
    """Callees say what they could not follow."""
    found = graph_of("#- a.py\nimport os\ndef f(x):\n    os.getcwd()\n    x.whatever()\n").callees("f", 1, 0.0, 9)
    assert (found.found, found.notes) == (
        [], ["1 call leads out of the repository", "1 call is of values that nothing is known about"],
    )  # fmt: skip


@pytest.mark.parametrize(
    "name, node",
    [
        ("main", "shop/disk.py#main"), ("Disk.read", "shop/disk.py#Disk.read"),
        ("Disk::read", "shop/disk.py#Disk.read"),
        ("shop/base.py#Store.load", "shop/base.py#Store.load"), ("shop/base.py", "shop/base.py"),
        ("./shop/base.py:5", "shop/base.py#Store.load"), ("shop/disk.py:2", "shop/disk.py"),
        ("shop/base.py:1", "shop/base.py#Store"), ("shop/base.py:5:12", "shop/base.py#Store.load"),
        ("main()", "shop/disk.py#main"), ("shop/base.py#Store.load()", "shop/base.py#Store.load"),
    ],
)  # fmt: skip
def test_a_symbol_is_named_in_many_ways(name: str, node: str) -> None:
    """Bare, qualified, with its path, by its line, or a file."""
    graph = graph_of(SHOP)
    assert [graph.ids[number] for number in graph.meant(name, [])] == [node]


def test_an_ambiguous_name_lists_its_candidates() -> None:
    """Two symbols of a name are a wrong call; one that tests have besides is passed over, and said."""
    graph = graph_of(SHOP)
    with pytest.raises(UsageError, match="2 symbols are called 'read'") as error:
        graph.meant("read", [])
    assert str(error.value).split("\n")[1:] == ["  shop/base.py#Store.read", "  shop/disk.py#Disk.read"]
    with pytest.raises(NotFoundError, match="no symbol or file is called 'nothing'"):
        graph.meant("nothing", [])
    with pytest.raises(NotFoundError, match=r"shop/base\.py has 8 lines, not 99"):
        graph.meant("shop/base.py:99", [])
    with pytest.raises(UsageError, match="the name is empty"):
        graph.meant("  ", [])
    doubled = graph_of(SHOP + "\n#- tests/fake.py\ndef main(): pass\n")
    notes: list[str] = []
    assert [doubled.ids[number] for number in doubled.meant("main", notes)] == ["shop/disk.py#main"]
    assert notes == ["'main' is taken for shop/disk.py#main; 1 more is in tests"]


def test_definitions_of_one_name_in_one_file_are_one_symbol() -> None:
    """Overloads and conditional definitions are asked about together, or one by its number."""
    graph = graph_of("#- a.py\nif X:\n    def f(): pass\nelse:\n    def f(): pass\n")
    assert [graph.ids[number] for number in graph.meant("f", [])] == ["a.py#f", "a.py#f~2"]
    assert [graph.ids[number] for number in graph.meant("a.py#f~2", [])] == ["a.py#f~2"]


OVERLOADS = """
#- shop.py
import typing as t
class Session:
    @t.overload
    def execute(self, one: int) -> int: ...
    @t.overload
    def execute(self, one: str) -> str: ...
    def execute(self, one):
        return run(one)
    def close(self): pass
def run(one): return one
#- stubs.pyi
from typing import overload
@overload
def only(one: int) -> int: ...
@overload
def only(one: str) -> str: ...
#- use.py
from shop import Session
def use():
    Session().execute(1)
"""


@pytest.mark.parametrize("name", ["execute", "Session.execute", "shop.py:8", "shop.py#Session.execute~3", "shop.py:4"])
def test_a_function_stands_for_its_overloads(name: str) -> None:
    """What does the work is first, and whoever calls one of them is found from each; stubs without a body stay."""
    graph = graph_of(OVERLOADS)
    found = graph.callers(name, 1, 0.0, 10)
    assert [one.id for one in found.asked] == [f"shop.py#Session.execute{mark}" for mark in ("", "~2", "~3")]
    assert [one.node.id for one in found.found] == ["use.py#use"]
    assert [one.node.id for one in graph.callees(name, 1, 0.0, 10).found] == ["shop.py#run"]
    rows = graph.named("Session.execute")
    assert [graph.ids[row] for row in rows] == [f"shop.py#Session.execute{mark}" for mark in ("~3", "", "~2")]
    assert [graph.ids[row] for row in graph.meant("only", [])] == ["stubs.pyi#only", "stubs.pyi#only~2"]
    assert graph.with_twins([graph.named("only")[0]]).tolist() == [graph.named("only")[0]]


@pytest.mark.parametrize(
    "name,said",
    [
        ("Sesion.execute", "did you mean 'Session.execute'? "),
        ("Session.exceute()", "did you mean 'Session.execute'? "),
        ("shop.py#Sesion", "did you mean 'Session'? "),
        ("sesion", "did you mean 'Session'? "),
        ("Session::executes", "did you mean 'Session.execute'? "),
        ("nothing_like_it", ""),
        ("Xession", ""),
        ("...", ""),
    ],
)
def test_a_name_that_nothing_has_is_answered_with_the_nearest(name: str, said: str) -> None:
    """Bare or qualified; what differs much is not named."""
    assert graph_of(OVERLOADS).like(name) == f"{said}`repoctx search` looks in the text"


STREAM = """
#- stream.h
namespace io {
class Stream {
 public:
  Stream();
  char peek() const;
  int get();
  int get(int n);
};
}
#- stream.cpp
#include "stream.h"
namespace io {
Stream::Stream() {}
char Stream::peek() const { return 1; }
int Stream::get() { return peek(); }
int Stream::get(int n) { return n; }
}
#- main.cpp
#include "stream.h"
int main() {
  io::Stream s;
  return s.peek();
}
"""


@pytest.mark.parametrize("name", ["Stream.peek", "stream.h#io.Stream.peek", "stream.cpp#io.Stream.peek", "stream.h:5"])
def test_a_declaration_and_its_definition_are_one_symbol(name: str) -> None:
    """However a method of C++ is named, its calls are found; a change of the header is one of the method."""
    graph = graph_of(STREAM)
    found = graph.callers(name, 1, 0.0, 10)
    assert [node.id for node in found.asked] == ["stream.cpp#io.Stream.peek", "stream.h#io.Stream.peek"]
    assert {one.node.id for one in found.found} == {"stream.cpp#io.Stream.get", "main.cpp#main"}
    changed = graph.impact([name], None, 0.1, 10)
    assert {one.node.id for one in changed.broken} == {"stream.cpp#io.Stream.get", "main.cpp#main"}


def test_overloads_and_constructors_are_not_other_symbols() -> None:
    """Overloads are asked about with all their declarations, a class is meant rather than its constructors."""
    graph = graph_of(STREAM)
    ids = [graph.ids[number] for number in graph.meant("Stream.get", [])]
    assert sorted(ids) == [f"stream.{end}#io.Stream.get{mark}" for end in ("cpp", "h") for mark in ("", "~2")]
    assert [graph.ids[number] for number in graph.meant("Stream", [])] == ["stream.h#io.Stream"]


def test_functions_of_one_name_in_two_programs_stay_two() -> None:
    """What stands in two files that are no headers is not one function, whatever a header says."""
    graph = graph_of("#- a.h\nvoid go(void);\n#- a.c\nvoid go(void) {}\n#- b.c\nvoid go(void) {}\n")
    with pytest.raises(UsageError, match="3 symbols are called 'go'"):
        graph.meant("go", [])


def test_what_is_only_possible_is_less_sure_than_any_floor() -> None:
    """With a floor possible places are left out, and counted."""
    graph = graph_of("#- a.py\nclass A:\n    def go(self): pass\n\nclass B:\n    def go(self): pass\n\n"
                     "def run(x):\n    x.go()\n")  # fmt: skip
    assert (graph.refs("A.go", (), 0.0, 9).possible_total, graph.callers("A.go", 1, 0.0, 9).possible_total) == (1, 1)
    for found in (graph.refs("A.go", (), 0.5, 9), graph.callers("A.go", 1, 0.5, 9)):
        assert (found.possible, found.possible_total) == ([], 0)
        assert found.notes == ["1 possible place is left out as less sure"]


# --- impact ------------------------------------------------------------------------------------


def test_impact_is_ordered_by_risk_and_explained() -> None:
    """Risk = confidences x shares of the kinds x decay; tests apart from what may break."""
    found = graph_of(SHOP).impact(["Disk.read"], None, 0.1, 30)
    assert [one.node.id for one in found.changed] == ["shop/disk.py#Disk.read"]
    assert [(f.node.qualified_name, f.depth, told(f.way)) for f in found.broken] == [
        ("Store.read", 1, ["Disk.read overrides Store.read"]),
        ("Store.load", 2, ["Disk.read overrides Store.read", "Store.load calls Store.read"]),
    ]
    assert [(f.node.id, f.score) for f in found.tests] == [
        ("tests/test_disk.py", pytest.approx(0.9 * 0.7 * impact.SHARED, abs=0.001)),
    ]
    sure = 0.97 * 0.97
    assert [f.score for f in found.broken] == [
        pytest.approx(0.7 * sure, abs=0.001),
        pytest.approx(0.7 * sure * 0.95 * impact.DECAY, abs=0.001),
    ]


def test_impact_of_a_function_names_the_tests_to_run() -> None:
    """Tests that call it, tests that reach it, and the files they are in."""
    found = graph_of(SHOP).impact(["open_disk"], None, 0.1, 30)
    assert [f.node.qualified_name for f in found.broken] == ["main"]
    assert [(f.node.qualified_name, f.score) for f in found.tests] == [
        ("test_open", 0.97), ("test_main", pytest.approx(0.97 * 0.97 * 0.8, abs=0.001)),
    ]  # fmt: skip
    assert [(file.path, file.tests) for file in found.files] == [("tests/test_disk.py", 2)]


def test_impact_of_a_class_is_that_of_its_members() -> None:
    """Subclasses, callers of its methods and of its constructor; a subclass's method that replaces one."""
    found = graph_of(SHOP).impact(["Store"], None, 0.3, 30)
    assert {f.node.qualified_name for f in found.broken} == {"Disk", "Disk.read", "open_disk", "main"}


def test_unresolved_calls_are_followed_as_far_as_they_are_likely() -> None:
    """The candidates of a call share what it passes on; those that only tests define count for nothing."""
    call = "#- z.py\ndef call(x):\n    return x.go()\n"
    classes = [f"#- m{i}.py\nclass C{i}:\n    def go(self): pass\n" for i in range(6)]
    fake = "#- tests/fake.py\nclass Fake:\n    def go(self): pass\n"
    for count, notes in ((2, 0), (6, 1)):
        found = graph_of("".join(classes[:count]) + fake + call).impact(["C0.go"], None, 0.1, 30)
        shown = [(f.node.id, f.score, f.way[0].target) for f in found.broken]
        assert shown == ([] if notes else [("z.py#call", impact.GUESS / 2, None)])
        assert len(found.notes) == notes
    assert found.notes[0].startswith("1 call that may mean a changed symbol is not followed: ")


def test_nothing_is_cut_silently() -> None:
    """The limit cuts the lists, not the totals."""
    files = "#- a.py\ndef f(): pass\n" + "".join(f"def g{i}():\n    f()\n" for i in range(40))
    found = graph_of(files).impact(["f"], None, 0.1, 3)
    assert (len(found.broken), found.broken_total) == (3, 40)


AFTER = SHOP.strip("\n").split("#- shop/disk.py\n")[1].split("#- tests")[0]


def diff_of(old: str, new: str, path: str = "shop/disk.py") -> str:
    """A unified diff between two texts."""
    import difflib

    lines = difflib.unified_diff(old.split("\n"), new.split("\n"), f"a/{path}", f"b/{path}", lineterm="")
    return f"diff --git a/{path} b/{path}\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("ahead", [False, True])
def test_a_diff_is_read_from_the_side_that_the_snapshot_is_on(ahead: bool) -> None:
    """Before or after the change: the same symbols are changed, and the side is said."""
    other = AFTER.replace("return 2", "return 3").replace('    return Disk("x")', '    x = 1\n    return Disk("x")')
    diff = diff_of(AFTER, other) if ahead else diff_of(other, AFTER)
    found = graph_of(SHOP).impact([], diff, 0.1, 30)
    assert [one.node.qualified_name for one in found.changed] == ["Disk.read", "open_disk"]
    assert found.notes == [f"the snapshot is as {'before' if ahead else 'after'} the diff"]


def test_files_that_come_go_and_move_are_told() -> None:
    """What is not in the snapshot is a note; who names a deleted or renamed file may break."""
    diff = """diff --git a/shop/disk.py b/shop/hard.py
similarity index 100%
rename from shop/disk.py
rename to shop/hard.py
diff --git a/new.py b/new.py
new file mode 100644
--- /dev/null
+++ b/new.py
@@ -0,0 +1 @@
+x = 1
diff --git a/logo.png b/logo.png
Binary files a/logo.png and b/logo.png differ
"""
    found = graph_of(SHOP).impact([], diff, 0.1, 30)
    assert [(one.node.id, one.lines) for one in found.changed] == [("shop/disk.py", ())]
    assert [f.node.id for f in found.tests] == ["tests/test_disk.py"]
    assert found.notes == [
        "new.py (new) is not in the snapshot", "logo.png (changed) is not in the snapshot",
        "the snapshot is as before the diff",
    ]  # fmt: skip


def test_a_diff_of_many_strange_files_is_told_in_few_notes() -> None:
    """Files that the snapshot does not have are listed up to a limit, the others counted."""
    diff = "".join(f"--- a/f{n}.py\n+++ b/f{n}.py\n@@ -1 +1 @@\n-a\n+b\n" for n in range(1000))
    notes = graph_of(SHOP).impact([], diff, 0.1, 30).notes
    assert (notes[0], len(notes)) == ("f0.py (changed) is not in the snapshot", 21)
    assert notes[-1] == "and 980 more of 1,000 files are not in the snapshot"


def test_a_diff_of_lines_that_a_file_does_not_have_changes_the_file() -> None:
    """The diff of another version, beyond the end of the file: something in it changes, and that is said."""
    diff = "--- a/shop/disk.py\n+++ b/shop/disk.py\n@@ -900 +900 @@\n-old\n+new\n"
    found = graph_of(SHOP).impact([], diff, 0.1, 30)
    assert [(one.node.id, one.lines) for one in found.changed] == [("shop/disk.py", ())]
    assert found.notes == ["shop/disk.py has other lines than the diff on both sides: line numbers are as after it"]


def test_a_diff_without_prefixes_means_the_whole_path() -> None:
    """Of `git diff --no-prefix` a folder named like a prefix is a folder; a line is told once."""
    diff = "--- a/x.py\n+++ a/x.py\n@@ -1 +1 @@\n-def f(): return 1\n+def f(): pass\n"
    graph = graph_of("#- a/x.py\ndef f(): pass\n#- x.py\ndef f(): pass\n")
    found = graph.impact([], diff + diff, 0.1, 30)
    assert [(one.node.id, one.lines) for one in found.changed] == [("a/x.py#f", (1,))]
    prefixed = graph.impact([], diff.replace("+++ a/", "+++ b/"), 0.1, 30)
    assert [one.node.id for one in prefixed.changed] == ["x.py#f"]


def test_what_is_no_diff_is_refused() -> None:
    """Text without a file is refused; an empty diff is an empty answer."""
    with pytest.raises(RefusedError, match="the diff names no file"):
        graph_of(SHOP).impact([], "hello\n", 0.1, 30)
    with pytest.raises(NotFoundError, match="the diff is empty"):
        graph_of(SHOP).impact([], "\n", 0.1, 30)


# --- shape -------------------------------------------------------------------------------------


def test_cycles_have_a_shortest_way_round() -> None:
    """Files that import each other; classes that inherit from themselves; functions that call each other."""
    graph = graph_of(
        "#- a.py\nimport b\n#- b.py\nimport c\n#- c.py\nimport a\nimport b\n#- d.py\nimport a\n"
        "#- e.py\nclass X(Y): pass\nclass Y(X): pass\ndef f():\n    g()\ndef g():\n    f()\ndef h():\n    h()\n"
    )
    rings = graph.cycles("imports", 0.5)
    assert [([node.id for node in ring.nodes], told(tuple(ring.way))) for ring in rings] == [
        (["a.py", "b.py", "c.py"], ["a.py imports b.py", "b.py imports c.py", "c.py imports a.py"])
    ]
    assert [told(tuple(ring.way)) for ring in graph.cycles("inherits", 0.5)] == [["X inherits Y", "Y inherits X"]]
    assert [told(tuple(ring.way)) for ring in graph.cycles("calls", 0.5)] == [["f calls g", "g calls f"]]


def test_a_ring_of_many_is_one_cycle() -> None:
    """20,000 functions that call in a row: no recursion, and the way round has them all."""
    length = 20_000
    symbols = np.arange(length, dtype=np.int32)
    zero = np.zeros(length, np.int32)
    calls = np.full(length, EDGE_KINDS.index("calls"), np.uint8)
    edges = Edges(
        calls, zero, zero + 1, zero, symbols, np.roll(symbols, -1), np.ones(length, np.float32),
        np.zeros(length, np.uint8), np.zeros(length + 1, np.int32), np.zeros(0, np.int32),
    )  # fmt: skip
    found = shape.cycles(snapshot("#- a.py\nx = 1\n"), edges, "calls")
    assert [(len(cycle.nodes), len(cycle.edges)) for cycle in found] == [(length, length)]


def test_communities_are_files_that_belong_together() -> None:
    """Two groups with one import between them; the label is their folder, a lone file belongs to none."""
    files = ""
    for group in ("one", "two"):
        for i in range(4):
            uses = "".join(f"from {group}.m{j} import f{j}\n" for j in range(4) if j != i)
            files += f"#- {group}/m{i}.py\n{uses}def f{i}():\n" + "".join(f"    f{j}()\n" for j in range(4) if j != i)
    files += "#- one/link.py\nfrom one.m0 import f0\nfrom two.m0 import f0 as g\nf0()\n"
    graph = graph_of(files + "#- alone.py\nx = 1\n")
    found, modularity = graph.communities()
    assert [(group.label, sorted(group.files)) for group in found] == [
        ("one", ["one/link.py", "one/m0.py", "one/m1.py", "one/m2.py", "one/m3.py"]),
        ("two", ["two/m0.py", "two/m1.py", "two/m2.py", "two/m3.py"]),
    ]
    assert 0.3 < modularity < 0.6
    assert graph_of("#- alone.py\nx = 1\n").communities() == ([], 0.0)


def test_everything_belongs_somewhere() -> None:
    """An empty snapshot has no edges, no tests, no cycles."""
    o = snapshot("")
    e = link(o, STYLES)
    assert (len(e.kind), len(layout(o, STYLES).folders), shape.cycles(o, e, "imports")) == (0, 0, [])


def test_a_member_of_a_class_may_be_that_of_a_base() -> None:
    """`C.run` is the nearest: of the base, not of the base of the base; a circle of bases ends."""
    o = snapshot(
        """
#- a.py
class A:
    def run(self): pass
    def stop(self): pass
class B(A):
    def run(self): pass
class C(B): pass
class D(E): pass
class E(D): pass
"""
    )
    edges = link(o, STYLES)

    def found(name: str) -> list[str]:
        return [o.names[o.symbol_descriptor[row]] for row in inherited(o, edges, name)]

    assert found("C.run") == ["B.run"]
    assert found("C.stop") == ["A.stop"]
    assert found("a.C::stop") == []
    assert found("C.walk") == found("D.run") == found("run") == found("Z.run") == []


def test_a_name_may_have_its_module_before_it() -> None:
    """As tracebacks and import statements write it."""
    o = snapshot(
        """
#- src/shop/cart.py
class Cart:
    def add(self): pass
#- src/shop/__init__.py
def make(): pass
#- src/toys/cart.py
class Cart:
    def add(self): pass
"""
    )

    def found(name: str) -> list[str]:
        return [f"{o.paths[o.symbol_file[row]]}#{o.names[o.symbol_descriptor[row]]}" for row in within(o, name)]

    assert found("shop.cart.Cart.add") == ["src/shop/cart.py#Cart.add"]
    assert found("toys.cart.Cart") == ["src/toys/cart.py#Cart"]
    assert found("shop.make") == ["src/shop/__init__.py#make"]
    assert found("hop.make") == found("shop.cart.Nothing") == found("shop") == found("") == []


# --- what is around a symbol -------------------------------------------------------------------

AROUND = """
#- shop/store.py
class Store:
    def load(self, key):
        return self.read(key)
    def read(self, key):
        return self.read(key[1:]) if key else check(key)
def check(key):
    return bottom(key)
def bottom(key):
    return key
#- shop/cart.py
from shop.store import Store
def total(cart):
    return Store().load(cart)
#- shop/desk.py
from shop.cart import total
def sell(cart):
    return total(cart)
#- tests/test_store.py
from shop.store import Store
def test_load():
    assert Store().load(1)
"""


def around(graph: Graph, name: str, *kinds: str, depth: int = 2, least: float = 0.0, limit: int = 60,
           expanded: tuple[str, ...] = ()) -> tuple[list[str], list[str], int]:  # fmt: skip
    """The nodes with their levels, the edges, and how many nodes are left out."""
    found = graph.around(name, kinds, depth, least, limit, expanded)
    names = [one.node.id.rpartition("#")[2] for one in found.nodes]
    ties = sorted(
        f"{names[tie.source]} {'may mean' if tie.possible else tie.link.kind} {names[tie.target]}" for tie in found.ties
    )
    return [f"{one.level} {name}" for one, name in zip(found.nodes, names, strict=True)], ties, found.left_out


def test_around_a_symbol_is_what_uses_it_and_what_it_uses() -> None:
    """Levels are distances, below 0 on the side of users; a symbol that calls itself has an edge to itself."""
    graph = graph_of(AROUND)
    nodes, ties, left = around(graph, "Store.load", "calls")
    assert nodes[0] == "0 Store.load"
    assert set(nodes) == {"0 Store.load", "-1 total", "-1 test_load", "1 Store.read", "-2 sell", "2 check"}
    assert ties == ["Store.load calls Store.read", "Store.read calls Store.read", "Store.read calls check",
                    "sell calls total", "test_load calls Store.load", "total calls Store.load"]  # fmt: skip
    assert left == 0
    assert set(around(graph, "Store.load", "calls", depth=1)[0]) == set(nodes) - {"-2 sell", "2 check"}
    asked = graph.around("Store.read", ["calls"], 1, 0, 60).nodes[0]
    assert (asked.users, asked.uses) == (1, 1), "itself is none of them"
    assert graph.around("Store.load", ["calls"], 2, 0, 60) == graph_of(AROUND).around("Store.load", ["calls"], 2, 0, 60)


def test_a_type_is_shown_with_what_it_contains_and_a_function_is_not() -> None:
    """Where no kinds are named those are taken that say something of the symbol."""
    graph = graph_of(AROUND)
    assert "contains" in graph.around("Store", (), 1, 0, 60).kinds
    assert {"1 Store.load", "1 Store.read"} <= set(around(graph, "Store", depth=1)[0])
    assert graph.around("check", (), 1, 0, 60).kinds == (
        "calls", "references", "imports", "inherits", "overrides", "tests"
    )  # fmt: skip
    assert around(graph, "check", depth=1)[0] == ["0 check", "-1 Store.read", "1 bottom"]


def test_what_is_in_a_circle_is_on_the_side_of_the_shorter_way() -> None:
    """Every edge of the circle is there, and the walk ends."""
    graph = graph_of("#- a.py\ndef a(): b()\ndef b(): c()\ndef c(): d()\ndef d(): a()\ndef e(): e()\n")
    nodes, ties, _ = around(graph, "a", "calls", depth=5)
    assert nodes == ["0 a", "-1 d", "1 b", "-2 c"]
    assert ties == ["a calls b", "b calls c", "c calls d", "d calls a"]
    assert around(graph, "e", "calls") == (["0 e"], ["e calls e"], 0)


def test_many_callers_hide_no_callee() -> None:
    """Each side has half of the room, and what the other does not need; among equals the central ones are taken."""
    many = "".join(f"def caller_{n:03}(): hub()\n" for n in range(400))
    graph = graph_of(
        "#- a.py\ndef hub(): one(); two(); three()\ndef one(): pass\ndef two(): pass\ndef three(): pass\n" + many
        + "#- b.py\nfrom a import caller_007\ndef more(): caller_007()\ndef most(): caller_007()\n"
    )  # fmt: skip
    nodes, ties, left = around(graph, "hub", "calls", limit=20)
    assert {"1 one", "1 two", "1 three", "-1 caller_007"} <= set(nodes)
    assert (len(nodes), left, len(ties)) == (20, 400 - 16, 19)
    assert graph.around("hub", ["calls"], 2, 0, 20).nodes[0].users == 400
    assert around(graph, "hub", "calls", limit=1) == (["0 hub"], [], 403)
    assert around(graph, "three", "calls", limit=20)[2] == 400 - 18


def test_what_may_be_meant_is_shown_as_that_and_only_where_doubt_is_allowed() -> None:
    """A call of a method that several classes have leads to each, as possible; asked for confidence, to none."""
    classes = "class A:\n    def go(self): pass\nclass B:\n    def go(self): pass\n"
    graph = graph_of(f"#- a.py\n{classes}def call(x): x.go()\n")
    nodes, ties, _ = around(graph, "call", "calls")
    assert (set(nodes), ties) == ({"0 call", "1 A.go", "1 B.go"}, ["call may mean A.go", "call may mean B.go"])
    assert {tie.link.confidence for tie in graph.around("call", ["calls"], 1, 0, 9).ties} == {0.2}
    assert around(graph, "A.go", "calls")[0] == ["0 A.go", "-1 call"]
    assert around(graph, "call", "calls", least=0.05) == (["0 call"], [], 0)


def test_expanding_a_symbol_adds_what_is_beside_it() -> None:
    """On its sides, beyond the limit; an id that is not in the picture adds nothing."""
    graph = graph_of(AROUND)
    assert around(graph, "check", "calls", depth=1)[0] == ["0 check", "-1 Store.read", "1 bottom"]
    read = "shop/store.py#Store.read"
    wider = around(graph, "check", "calls", depth=1, limit=3, expanded=(read, "shop/cart.py#total", "nothing", read))
    assert wider[0] == ["0 check", "-1 Store.read", "1 bottom", "-2 Store.load"]


def test_suggestions_begin_as_the_name_does_the_most_central_first() -> None:
    """In the case that is written, in small letters or with a capital; nothing begins with nothing."""
    graph = graph_of(AROUND)
    assert [node.qualified_name for node in graph.beginning("sto", 9)] == ["Store"]
    assert [node.qualified_name for node in graph.beginning("T", 9)] == ["total", "test_load"]
    assert [node.qualified_name for node in graph.beginning("t", 1)] == ["total"]
    assert graph.beginning("", 9) == graph.beginning("zzz", 9) == []
    assert {node.qualified_name for node in graph.central(3)} == {"Store", "Store.read", "bottom"}
