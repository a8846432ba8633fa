"""The graph stage: test doubles and vendored copies never win over the code that they imitate."""

from __future__ import annotations

import pytest
from unit.test_graph import check

from repoctx.graph.layout import copy_of


@pytest.mark.parametrize(
    "folder, copy",
    [
        ("src", ""),
        ("third_party/zlib/src", "third_party/zlib"),
        ("app/_vendor", "app/_vendor"),
        ("web/node_modules/a/node_modules/b/lib", "web/node_modules/a/node_modules/b"),
        ("vendored_things/a", ""),
        ("", ""),
    ],
)
def test_vendored_copies_by_their_folder(folder: str, copy: str) -> None:
    """A copy is the folder below one that holds copies; the innermost of several."""
    assert copy_of(folder) == copy


def test_mocks_and_copies_come_last() -> None:
    """Nothing but a test calls a mock, nothing outside calls a copy that it does not import; inside they are first."""
    check(
        """
#- app/main.py
from app.worker import Worker

def start(thing):
    Worker().run()
    thing.run()
    thing.halt()
    thing.wait()
#- app/worker.py
class Worker:
    def run(self):
        pass
#- tests/fakes.py
class Worker:
    def run(self):
        self.wait()
    def wait(self):
        pass
#- third_party/pool/more.py
def again(thing):
    thing.run()
#- third_party/pool/worker.py
class Worker:
    def run(self):
        pass
    def halt(self):
        self.run()
""",
        """
app/main.py#start -> app/worker.py#Worker calls import
app/main.py#start -> app/worker.py#Worker.run calls typed
app/main.py#start -> ? calls unresolved \
[app/worker.py#Worker.run, tests/fakes.py#Worker.run, third_party/pool/worker.py#Worker.run]
app/main.py#start -> ? calls unresolved [third_party/pool/worker.py#Worker.halt]
app/main.py#start -> ? calls unresolved [tests/fakes.py#Worker.wait]
tests/fakes.py#Worker.run -> tests/fakes.py#Worker.wait calls self
third_party/pool/more.py#again -> ? calls unresolved \
[third_party/pool/worker.py#Worker.run, app/worker.py#Worker.run, tests/fakes.py#Worker.run]
third_party/pool/worker.py#Worker.halt -> third_party/pool/worker.py#Worker.run calls self
""",
        ("calls",),
    )


def test_imports_lead_to_the_code_and_not_to_what_imitates_it() -> None:
    """A module of the same name in a copy or in tests is only meant from there."""
    check(
        """
#- _vendor/store.py
class Store:
    def load(self):
        pass
#- lib/pkg/src/main/java/acme/Shelf.java
package acme;
public class Shelf { static void get() {} }
#- shop/Main.java
package shop;
import acme.Shelf;
class Main { void f() { Shelf.get(); acme.Shelf.get(); } }
#- shop/cart.py
from store import Store

def total():
    Store().load()
#- store.py
class Store:
    def load(self):
        pass
#- test/acme/Shelf.java
package acme;
public class Shelf { static void get() {} }
#- tests/store.py
class Store:
    def load(self):
        pass
#- tests/test_cart.py
from store import Store
Store().load()
#- third_party/acme/Shelf.java
package acme;
public class Shelf { static void get() {} }
""",
        """
shop/Main.java#Main.f -> lib/pkg/src/main/java/acme/Shelf.java#Shelf.get calls member
shop/Main.java#Main.f -> lib/pkg/src/main/java/acme/Shelf.java#Shelf.get calls member
shop/cart.py#total -> store.py#Store calls import
shop/cart.py#total -> store.py#Store.load calls typed
tests/test_cart.py -> tests/store.py#Store calls import
tests/test_cart.py -> tests/store.py#Store.load calls typed
""",
        ("calls",),
    )


def test_a_copy_is_chosen_where_an_import_leads_there() -> None:
    """What is imported or included out of a copy is meant, even if nothing else has the name; what is not, is not."""
    check(
        """
#- lib/_vendor/used/__init__.py
def f():
    pass
#- lib/core.py
from ._vendor import used
used.f()
#- lib/helper.rb
def helper(x)
end
#- main.c
#include "zlib.h"
int main() { inflate(1); deflate(2); }
#- main.rb
def go
  helper(1)
  only(1)
end
#- third_party/zlib/inflate.c
int inflate(int x) { return 1; }
int deflate(int x) { return 1; }
#- third_party/zlib/zlib.h
int inflate(int x);
#- vendor/gem/helper.rb
def helper(x)
end
def only(x)
end
""",
        """
lib/core.py -> lib/_vendor/used/__init__.py#f calls import
main.c#main -> third_party/zlib/inflate.c#inflate calls wildcard
main.c#main -> ? calls unresolved [third_party/zlib/inflate.c#deflate]
main.rb#go -> lib/helper.rb#helper calls unique [lib/helper.rb#helper, vendor/gem/helper.rb#helper]
main.rb#go -> ? calls unresolved [vendor/gem/helper.rb#only]
""",
        ("calls",),
    )
