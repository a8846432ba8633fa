"""The graph stage: what a reference is linked to, and by which rule."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from repoctx.graph.export import symbol_id
from repoctx.graph.link import RULES, link
from repoctx.parse import parse
from repoctx.parse.languages import LANGUAGES, by_path
from repoctx.types import EDGE_KINDS, FLOWS, KINDS, ROLES, Edges, Facts, Occurrences

STYLES = {name: row.imports for name, row in LANGUAGES.items()}


def columns(facts: Mapping[str, Facts], shuffle: np.random.Generator | None = None) -> Occurrences:
    """The columns of a snapshot out of its facts; with `shuffle` the string pool is in any order."""
    number: dict[str, int] = {"": 0}
    symbols, references, imports = [], [], []
    local, flows, settings = [], [], []

    def n(text: str) -> int:
        return number.setdefault(text, len(number))

    paths = sorted(facts, key=str.encode)
    for file, path in enumerate(paths):
        found, base = facts[path], len(symbols)
        bases = {"argument": len(references), "local value": len(local), "local type": len(local)}
        for f in found.flows:
            target, scope = f.target + bases.get(f.kind, base), f.scope + base if f.scope >= 0 else -1
            flows.append((file, FLOWS.index(f.kind), target, n(f.key), n(f.value), f.depth, scope))
        local += [(file, n(v.name), v.scope + base if v.scope >= 0 else -1, v.position) for v in found.locals]
        settings += [(file, n(s.key), n(s.value)) for s in found.settings]
        for s in found.symbols:
            parent = s.parent + base if s.parent >= 0 else -1
            place = (s.start_line, s.end_line, s.name_line, s.name_column, parent)
            symbols.append((file, KINDS.index(s.kind), n(s.name), n(s.descriptor), *place))
        for r in found.references:
            scope = r.scope + base if r.scope >= 0 else -1
            references.append((file, ROLES.index(r.role), n(r.name), n(r.qualifier), r.line, r.column, scope))
        imports += [(file, n(i.module), n(i.name), n(i.alias), i.line, i.column) for i in found.imports]
    names = sorted(number, key=str.encode)
    if shuffle is not None:
        names = [names[i] for i in shuffle.permutation(len(names))]
    place_of = {name: i for i, name in enumerate(names)}
    order = np.array([place_of[name] for name in number], np.int32)
    s, r, i, v, f, p = (
        np.array(rows, np.int32).reshape(len(rows), width).T
        for rows, width in ((symbols, 9), (references, 7), (imports, 6), (local, 4), (flows, 7), (settings, 3))
    )
    return Occurrences(
        paths, [facts[path].language for path in paths], names,
        s[0], s[1].astype(np.uint8), order[s[2]], order[s[3]], s[4], s[5], s[6], s[7], s[8],
        r[0], r[1].astype(np.uint8), order[r[2]], order[r[3]], r[4], r[5], r[6],
        i[0], order[i[1]], order[i[2]], order[i[3]], i[4], i[5],
        v[0], order[v[1]], v[2], v[3],
        f[0], f[1].astype(np.uint8), f[2], order[f[3]], order[f[4]], f[5], f[6],
        p[0], order[p[1]], order[p[2]],
    )  # fmt: skip


def snapshot(files: str) -> Occurrences:
    """The columns of files written as `#- path` lines, each with its text below."""
    texts: dict[str, str] = {}
    for part in ("\n" + files.strip("\n")).split("\n#- ")[1:]:
        path, _, text = part.partition("\n")
        texts[path.strip()] = text + "\n"
    return columns({path: parse(by_path(path), text.encode()) for path, text in texts.items()})


def described(o: Occurrences, e: Edges, kinds: tuple[str, ...]) -> list[str]:
    """Edges as `source -> target kind rule [candidates]`, in the order of the edges."""
    ids = [*symbol_id(o), "?"]
    starts = e.candidate_start.tolist()
    lines = []
    for row, (kind, source, target, rule) in enumerate(zip(e.kind, e.source, e.target, e.rule, strict=True)):
        if EDGE_KINDS[kind] in kinds:
            choices = [ids[c] for c in e.candidates[starts[row] : starts[row + 1]]]
            listed = f" [{', '.join(choices)}]" if choices else ""
            lines.append(f"{ids[source]} -> {ids[target]} {EDGE_KINDS[kind]} {RULES[rule].name}{listed}")
    return lines


def check(files: str, expected: str, kinds: tuple[str, ...] = ("calls", "inherits", "imports")) -> None:
    """The edges of some kinds between some files are exactly the expected ones, in order."""
    o = snapshot(files)
    assert described(o, link(o, STYLES), kinds) == [line for line in expected.strip().split("\n") if line]


def test_python_scopes_classes_and_imports() -> None:
    """Nested functions, self, super, bases, modules, renamed and external names each have their rule."""
    check(
        """
#- src/shop/__init__.py
#- src/shop/cart.py
import json
from collections import OrderedDict

from . import pricing
from .store import Store as Shelf


class Cart(Shelf):
    def add(self, item):
        self.touch()
        return self.total(item)

    def total(self, item):
        def tax(amount):
            return amount

        return tax(pricing.price(item)) + json.dumps(item)

    def restock(self):
        super().restock()
        OrderedDict().clear()
        "".join(item)
#- src/shop/json.py
def dumps(value):
    pass


def join(value):
    pass
#- src/shop/pricing.py
def price(item):
    return round(item)
#- src/shop/store.py
class Store:
    def touch(self):
        pass

    def restock(self):
        self.touch()
        self.clear()

    def clear(self):
        pass
""",
        """
src/shop/cart.py -> ? imports external
src/shop/cart.py -> ? imports external
src/shop/cart.py -> src/shop/pricing.py imports import
src/shop/cart.py -> src/shop/store.py#Store imports import
src/shop/cart.py -> src/shop/store.py imports import
src/shop/cart.py#Cart -> src/shop/store.py#Store inherits import
src/shop/cart.py#Cart.add -> src/shop/store.py#Store.touch calls inherited
src/shop/cart.py#Cart.add -> src/shop/cart.py#Cart.total calls self
src/shop/cart.py#Cart.total -> src/shop/cart.py#Cart.total.tax calls scope
src/shop/cart.py#Cart.total -> src/shop/pricing.py#price calls import
src/shop/cart.py#Cart.total -> ? calls external
src/shop/cart.py#Cart.restock -> ? calls unresolved
src/shop/cart.py#Cart.restock -> src/shop/store.py#Store.restock calls inherited
src/shop/cart.py#Cart.restock -> ? calls external
src/shop/cart.py#Cart.restock -> ? calls external
src/shop/cart.py#Cart.restock -> ? calls external
src/shop/pricing.py#price -> ? calls unresolved
src/shop/store.py#Store.restock -> src/shop/store.py#Store.touch calls self
src/shop/store.py#Store.restock -> src/shop/store.py#Store.clear calls self
""",
    )


def test_python_source_roots_and_reexports() -> None:
    """A package under src/ is found by its name, through its `__init__` and through wildcards."""
    check(
        """
#- src/shop/__init__.py
from .cart import Cart
from .pricing import *
#- src/shop/cart.py
class Cart:
    def total(self, item):
        pass
#- src/shop/pricing.py
def price(item):
    pass
#- tests/test_cart.py
import shop
import shop.pricing
from shop import Cart, missing, price


def test_total():
    cart = Cart()
    cart.total(price(1))
    shop.pricing.price(missing())
    undefined()
""",
        """
src/shop/__init__.py -> src/shop/cart.py#Cart imports import
src/shop/__init__.py -> src/shop/cart.py imports import
src/shop/__init__.py -> src/shop/pricing.py imports import
tests/test_cart.py -> src/shop/__init__.py imports import
tests/test_cart.py -> src/shop/pricing.py imports import
tests/test_cart.py -> src/shop/cart.py#Cart imports reexport
tests/test_cart.py -> src/shop/__init__.py imports reexport
tests/test_cart.py -> src/shop/pricing.py#price imports reexport
tests/test_cart.py#test_total -> src/shop/cart.py#Cart calls reexport
tests/test_cart.py#test_total -> src/shop/cart.py#Cart.total calls typed
tests/test_cart.py#test_total -> src/shop/pricing.py#price calls reexport
tests/test_cart.py#test_total -> src/shop/pricing.py#price calls import
tests/test_cart.py#test_total -> ? calls unresolved
tests/test_cart.py#test_total -> ? calls unresolved
""",
    )


def test_unknown_receivers_mean_methods_only() -> None:
    """`x.run()` may be any method of that name, nearest first and tests last, never a function."""
    check(
        """
#- app/main.py
def start(thing):
    thing.run()
    thing.halt()
#- app/worker.py
class Worker:
    def run(self):
        pass
#- lib/pump.py
class Pump:
    def run(self):
        pass


def halt():
    pass
#- tests/test_main.py
class Fake:
    def run(self):
        pass
""",
        """
app/main.py#start -> ? calls unresolved \
[app/worker.py#Worker.run, lib/pump.py#Pump.run, tests/test_main.py#Fake.run]
app/main.py#start -> ? calls unresolved
""",
    )


def test_names_that_are_not_visible_stay_unresolved_with_candidates() -> None:
    """Where names must be imported, a bare name that is not is never taken for a namesake."""
    check(
        """
#- a.py
def use():
    helper()
#- b.py
def helper():
    pass
""",
        "a.py#use -> ? calls unresolved [b.py#helper]",
    )


def test_script_modules() -> None:
    """Index files, `.js` for `.ts`, defaults, `export *`, workspaces; a value and a type may share a name."""
    check(
        """
#- apps/web/main.ts
import React from "react";
import { Button, Panel } from "@acme/ui";
import type { Props } from "../../packages/ui/src/button";

function start(props: Props, kind: Button) {
  Button(props);
  new Panel().open();
  React.createElement(Panel);
  render(props);
}
#- packages/ui/package.json
{}
#- packages/ui/src/button.ts
export interface Props { label: string }
export interface Button { kind: string }
export const Button = (props: Props) => render(props);
function render(props: Props) { return props.label; }
#- packages/ui/src/index.ts
export * from "./button.js";
export { default as Panel } from "./panel";
#- packages/ui/src/panel.tsx
export default class Panel { open() { this.draw(); } draw() {} }
""",
        """
apps/web/main.ts -> ? imports external
apps/web/main.ts -> packages/ui/src/button.ts#Button~2 imports reexport
apps/web/main.ts -> packages/ui/src/index.ts imports reexport
apps/web/main.ts -> packages/ui/src/panel.tsx#Panel imports reexport
apps/web/main.ts -> packages/ui/src/button.ts#Props imports import
apps/web/main.ts -> packages/ui/src/button.ts imports import
apps/web/main.ts#start -> packages/ui/src/button.ts#Props references import
apps/web/main.ts#start -> packages/ui/src/button.ts#Button references reexport
apps/web/main.ts#start -> packages/ui/src/button.ts#Button~2 calls reexport
apps/web/main.ts#start -> packages/ui/src/panel.tsx#Panel calls reexport
apps/web/main.ts#start -> packages/ui/src/panel.tsx#Panel.open calls typed
apps/web/main.ts#start -> ? calls external
apps/web/main.ts#start -> packages/ui/src/panel.tsx#Panel references reexport
apps/web/main.ts#start -> ? calls unresolved [packages/ui/src/button.ts#render]
packages/ui/src/button.ts#Button~2 -> packages/ui/src/button.ts#Props references file
packages/ui/src/button.ts#Button~2 -> packages/ui/src/button.ts#render calls file
packages/ui/src/button.ts#render -> packages/ui/src/button.ts#Props references file
packages/ui/src/button.ts#render -> packages/ui/src/button.ts#Props.label references typed
packages/ui/src/index.ts -> packages/ui/src/button.ts imports import
packages/ui/src/index.ts -> packages/ui/src/panel.tsx#Panel imports import
packages/ui/src/index.ts -> packages/ui/src/panel.tsx imports import
packages/ui/src/panel.tsx#Panel.open -> packages/ui/src/panel.tsx#Panel.draw calls self
""",
        ("calls", "inherits", "imports", "references"),
    )


def test_go_packages() -> None:
    """Files of a package see each other; import paths are found by what they have in common."""
    check(
        """
#- cart/cart.go
package cart

type Cart struct { items []Item }

func New() *Cart { return &Cart{} }

func (c *Cart) Add(name string) { c.items = add(c.items, item(name)) }
#- cart/item.go
package cart

type Item struct { Name string }

func item(name string) Item { return Item{Name: name} }

func add(items []Item, one Item) []Item { return items }
#- fmt/fmt.go
package fmt

func Println() {}
#- main.go
package main

import (
	"fmt"
	"example.com/shop/cart"
)

func main() {
	c := cart.New()
	c.Add("x")
	fmt.Println()
}
""",
        """
cart/cart.go#Cart.Add -> cart/item.go#add calls package
cart/cart.go#Cart.Add -> cart/item.go#item calls package
main.go -> ? imports external
main.go -> cart/cart.go imports import [cart/cart.go, cart/item.go]
main.go#main -> cart/cart.go#New calls import
main.go#main -> cart/cart.go#Cart.Add calls typed
main.go#main -> ? calls external
""",
    )


def test_java_packages_across_source_sets() -> None:
    """Names of a package need no import, in src/test as in src/main; inherited members need no `this`."""
    check(
        """
#- src/main/java/org/shop/Cart.java
package org.shop;

import java.util.List;
import org.shop.money.Price;

public class Cart extends Store implements Serializable {
    public int total() { touch(); return sum(Price.of(1)); }
    private int sum(Price p) { return p.amount(); }
}
#- src/main/java/org/shop/Store.java
package org.shop;

class Store { void touch() {} }
#- src/main/java/org/shop/money/Price.java
package org.shop.money;

public class Price { public static Price of(int n) { return new Price(); } int amount() { return 1; } }
#- src/test/java/org/shop/CartTest.java
package org.shop;

class CartTest { void total() { new Cart().total(); } }
""",
        """
src/main/java/org/shop/Cart.java -> ? imports external
src/main/java/org/shop/Cart.java -> src/main/java/org/shop/money/Price.java#Price imports import
src/main/java/org/shop/Cart.java -> src/main/java/org/shop/money/Price.java imports import
src/main/java/org/shop/Cart.java#Cart -> src/main/java/org/shop/Store.java#Store inherits package
src/main/java/org/shop/Cart.java#Cart -> ? inherits external
src/main/java/org/shop/Cart.java#Cart.total -> src/main/java/org/shop/Store.java#Store.touch calls inherited
src/main/java/org/shop/Cart.java#Cart.total -> src/main/java/org/shop/Cart.java#Cart.sum calls self
src/main/java/org/shop/Cart.java#Cart.total -> src/main/java/org/shop/money/Price.java#Price.of calls member
src/main/java/org/shop/Cart.java#Cart.sum -> src/main/java/org/shop/money/Price.java#Price.amount calls typed
src/main/java/org/shop/money/Price.java#Price.of -> src/main/java/org/shop/money/Price.java#Price calls file
src/test/java/org/shop/CartTest.java#CartTest.total -> src/main/java/org/shop/Cart.java#Cart calls package
src/test/java/org/shop/CartTest.java#CartTest.total -> src/main/java/org/shop/Cart.java#Cart.total calls typed
""",
    )


def test_includes_lead_to_definitions() -> None:
    """An included header declares; the call means the definition elsewhere. System headers stay outside."""
    check(
        """
#- include/shop/cart.h
#include <string.h>
struct cart { int size; };
int cart_total(struct cart *c);
#- src/cart.c
#include "shop/cart.h"
static int twice(int n) { return 2 * n; }
int cart_total(struct cart *c) { return twice(c->size) + strlen("x"); }
#- src/main.c
#include <shop/cart.h>
int main(void) { struct cart c; return cart_total(&c) + twice(1); }
#- src/string.h
int strcpy(int);
""",
        """
include/shop/cart.h -> src/string.h imports import
src/cart.c -> include/shop/cart.h imports import
src/cart.c#cart_total -> src/cart.c#twice calls file
src/cart.c#cart_total -> ? calls unresolved
src/main.c -> include/shop/cart.h imports import
src/main.c#main -> src/cart.c#cart_total calls wildcard
src/main.c#main -> src/cart.c#twice calls unique
""",
    )


def test_crate_paths() -> None:
    """`crate`, `super` and braces in imports, rooted paths in calls, `super` in an inline module."""
    check(
        """
#- src/cart.rs
use crate::money::{Price, sum as add};
use std::fmt;
pub struct Cart { size: u32 }
impl Cart {
    pub fn total(&self) -> u32 { self.touch(); add(1) + Price::of(2) + crate::money::sum(3) }
    fn touch(&self) { super::money::sum(1); }
}
#- src/lib.rs
mod cart;
pub mod money;
#- src/money.rs
pub struct Price;
impl Price { pub fn of(n: u32) -> u32 { n } }
pub fn sum(n: u32) -> u32 { n }
mod tests {
    use super::*;
    fn works() { sum(1); Price::of(1); }
}
""",
        """
src/cart.rs -> src/money.rs#Price imports import
src/cart.rs -> src/money.rs imports import
src/cart.rs -> src/money.rs#sum imports import
src/cart.rs -> ? imports external
src/cart.rs#Cart.total -> src/cart.rs#Cart.touch calls self
src/cart.rs#Cart.total -> src/money.rs#sum calls import
src/cart.rs#Cart.total -> src/money.rs#Price.of calls member
src/cart.rs#Cart.total -> src/money.rs#sum calls import
src/cart.rs#Cart.touch -> src/money.rs#sum calls import
src/lib.rs -> src/cart.rs imports import
src/lib.rs -> src/money.rs imports import
src/money.rs#tests.works -> src/money.rs#sum calls file
src/money.rs#tests.works -> src/money.rs#Price.of calls member
""",
    )


@pytest.mark.parametrize(
    "files, expected",
    [
        pytest.param(
            """
#- lib/shop/cart.rb
require 'json'
require 'shop/store'
module Shop
  class Cart < Store
    def total
      touch()
      Price.of(1)
    end
  end
end
#- lib/shop/store.rb
module Shop
  class Store
    def touch; end
  end
  class Price
    def self.of(n); end
  end
end
""",
            """
lib/shop/cart.rb -> ? imports external
lib/shop/cart.rb -> lib/shop/store.rb imports import
lib/shop/cart.rb#Shop.Cart -> lib/shop/store.rb#Shop.Store inherits wildcard
lib/shop/cart.rb#Shop.Cart.total -> lib/shop/store.rb#Shop.Store.touch calls inherited
lib/shop/cart.rb#Shop.Cart.total -> lib/shop/store.rb#Shop.Price.of calls member
""",
            id="ruby",
        ),
        pytest.param(
            r"""
#- src/Cart.php
<?php
namespace Shop;
use Shop\Money\Price;
class Cart extends Store { public function total() { $this->touch(); return Price::of(1); } }
#- src/Money/Price.php
<?php
namespace Shop\Money;
class Price { public static function of($n) {} }
#- src/Store.php
<?php
namespace Shop;
class Store { public function touch() {} }
""",
            """
src/Cart.php -> src/Money/Price.php#Price imports import
src/Cart.php -> src/Money/Price.php imports import
src/Cart.php#Cart -> src/Store.php#Store inherits package
src/Cart.php#Cart.total -> src/Store.php#Store.touch calls inherited
src/Cart.php#Cart.total -> src/Money/Price.php#Price.of calls member
""",
            id="php",
        ),
        pytest.param(
            """
#- Shop/Cart.cs
using System;
using Shop.Money;
namespace Shop {
  public class Cart : Store { public int Total() { Touch(); return Price.Of(1); } }
}
#- Shop/Money/Price.cs
namespace Shop.Money { public class Price { public static int Of(int n) { return n; } } }
#- Shop/Store.cs
namespace Shop { public class Store { protected void Touch() {} } }
""",
            """
Shop/Cart.cs -> ? imports external
Shop/Cart.cs -> Shop/Money/Price.cs imports import
Shop/Cart.cs#Shop.Cart -> Shop/Store.cs#Shop.Store inherits package
Shop/Cart.cs#Shop.Cart.Total -> Shop/Store.cs#Shop.Store.Touch calls inherited
Shop/Cart.cs#Shop.Cart.Total -> Shop/Money/Price.cs#Shop.Money.Price.Of calls member
""",
            id="csharp",
        ),
        pytest.param(
            """
#- lib.sh
greet() { :; }
#- run.sh
. ./lib.sh
greet
""",
            """
lib.sh#greet -> ? calls unresolved
run.sh -> lib.sh imports import
run.sh -> lib.sh#greet calls wildcard
""",
            id="bash",
        ),
        pytest.param(
            """
#- lib/shop/cart.ex
defmodule Shop.Cart do
  alias Shop.Money.BasePrice
  alias Shop.Store, as: Kept
  alias Jason.Encoder
  import Shop.Sums
  def total(id), do: sum(BasePrice.of(Kept.get(check(id))))
  defp check(id), do: Encoder.encode(id)
end
#- lib/shop/money/base_price.ex
defmodule Shop.Money.BasePrice do
  def of(n), do: n
end
#- lib/shop/store.ex
defmodule Shop.Store do
  def get(n), do: n
end
#- lib/shop/sums.ex
defmodule Shop.Sums do
  def sum(n), do: n
end
""",
            """
lib/shop/cart.ex -> lib/shop/money/base_price.ex imports import
lib/shop/cart.ex -> lib/shop/store.ex imports import
lib/shop/cart.ex -> ? imports external
lib/shop/cart.ex -> lib/shop/sums.ex imports import
lib/shop/cart.ex#Shop.Cart.total -> lib/shop/sums.ex#Shop.Sums.sum calls wildcard
lib/shop/cart.ex#Shop.Cart.total -> lib/shop/money/base_price.ex#Shop.Money.BasePrice.of calls import
lib/shop/cart.ex#Shop.Cart.total -> lib/shop/store.ex#Shop.Store.get calls import
lib/shop/cart.ex#Shop.Cart.total -> lib/shop/cart.ex#Shop.Cart.check calls scope
lib/shop/cart.ex#Shop.Cart.check -> ? calls external
""",
            id="elixir",
        ),
        pytest.param(
            """
#- src/cart.ml
open Store
module P = Shop.Price
let total id = keep (P.of_int id)
#- src/store.mli
val keep : int -> int
#- src/store.ml
let keep n = n
#- src/price.ml
let of_int n = n
""",
            """
src/cart.ml -> src/store.ml imports import
src/cart.ml -> src/price.ml imports import
src/cart.ml#total -> src/store.ml#keep calls wildcard
src/cart.ml#total -> src/price.ml#of_int calls import
""",
            id="ocaml",
        ),
    ],
)
def test_other_import_styles(files: str, expected: str) -> None:
    """Ruby requires, PHP and C# namespaces, shell sources, modules whose files are in snake case."""
    check(files, expected)


def test_containment() -> None:
    """Files contain top-level symbols, symbols their members."""
    check(
        """
#- a.py
class A:
    def f(self):
        def g():
            pass
""",
        """
a.py -> a.py#A contains contains
a.py#A -> a.py#A.f contains contains
a.py#A.f -> a.py#A.f.g contains contains
""",
        ("contains",),
    )


def test_families_do_not_mix() -> None:
    """Python never calls what JavaScript defines, whatever the names; TypeScript may."""
    check(
        """
#- a.py
def start(page):
    page.render()
#- b.js
export class Page { render() {} }
#- c.ts
export function start(page) { page.render(); }
""",
        """
a.py#start -> ? calls unresolved
c.ts#start -> ? calls unresolved [b.js#Page.render]
""",
    )


def test_columns_are_sorted_and_typed() -> None:
    """Edges are sorted by file, line, column and kind, in the documented types; no files, no edges."""
    o = snapshot("#- a.py\nclass B(A):\n    def f(self): self.f(); g()\n#- b.py\nfrom a import B\nB()\n")
    e = link(o, STYLES)
    rows = list(zip(e.file.tolist(), e.line.tolist(), e.column.tolist(), e.kind.tolist(), strict=True))
    assert rows == sorted(rows)
    types = {name: getattr(e, name).dtype.name for name in Edges.__dataclass_fields__}
    assert types == {
        "kind": "uint8", "file": "int32", "line": "int32", "column": "int32", "source": "int32", "target": "int32",
        "confidence": "float32", "rule": "uint8", "candidate_start": "int32", "candidates": "int32",
    }  # fmt: skip
    empty = link(columns({}), STYLES)
    assert len(empty.kind) == 0
    assert empty.candidate_start.tolist() == [0]


def test_what_a_function_imports_for_itself_is_seen_there_alone():
    """The same name may mean something else in the next function, and at the top of the file."""
    check(
        """
#- m.py
class A: pass
class B: pass
class C: pass
#- use.py
from m import C as k
def one():
    from m import A as k
    return k()
def two():
    def inner():
        return k()
    from m import B as k
    return inner
def three():
    return k()
""",
        """
use.py#one -> m.py#A calls import
use.py#two.inner -> m.py#B calls import
use.py#three -> m.py#C calls import
""",
        ("calls",),
    )
