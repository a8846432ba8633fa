"""The graph stage: what names hold in Go, Java, Rust, C and C++, and which calls that resolves."""

from __future__ import annotations

import pytest
from unit.test_graph import check

from repoctx.parse.flows import types
from repoctx.parse.languages import LANGUAGES


@pytest.mark.parametrize(
    "language, written, expected",
    [
        ("go", "map[string]*Item", [("Item", 1)]),
        ("go", "[]*store.Item", [("store.Item", 1)]),
        ("go", "[4][]Item", [("Item", 2)]),
        ("go", "func(Item) error", []),
        ("java", "Map<String, List<Item>>", [("String", 1), ("Item", 2)]),
        ("java", "Optional<Item[]>", [("Item", 1)]),
        ("java", "Box<Item>", [("Box", 0)]),
        ("rust", "&'a mut dyn Item", [("Item", 0)]),
        ("rust", "Option<Box<Item>>", [("Item", 0)]),
        ("rust", "Vec<Rc<RefCell<Item>>>", [("Item", 1)]),
        ("rust", "fn(Item) -> Item", []),
        ("cpp", "const std::vector<std::unique_ptr<Item>>", [("Item", 1)]),
        ("cpp", "shop::Item", [("shop::Item", 0)]),
    ],
)
def test_types_as_written(language: str, written: str, expected: list[tuple[str, int]]) -> None:
    """A declared type is the names that it is made of, each with the containers around it."""
    row = LANGUAGES[language]
    assert types(written, row.wrappers, row.containers) == expected


def test_flows_of_go() -> None:
    """Go: receivers, fields, elements, results, embedded structs, interfaces, type switches and method values."""
    check(
        """
#- go.mod
module example.com/shop
#- store/store.go
package store

type Item struct{ Price Money }

type Money struct{}

func (m Money) Round() Money { return m }

type Base struct{}

func (b *Base) Close() error { return nil }

type Finder interface {
	Find(name string) (*Item, error)
}

type Store struct {
	*Base
	items  map[string]*Item
	finder Finder
}

type Stores []*Store

func Open(name string) (*Store, error) { return nil, nil }

func (s *Store) All() []*Item { return nil }

func (s *Store) Total() Money {
	for _, item := range s.items {
		item.Price.Round()
	}
	s.Close()
	item, err := s.finder.Find("a")
	item.Price.Round().Round()
	return err.Error()
}

func (e failure) Error() string { return "" }

type failure struct{}
#- main.go
package main

import (
	"bytes"
	"example.com/shop/store"
)

func main() {
	s, err := store.Open("a")
	s.Total()
	s.Close()
	s.All()[0].Price.Round()
	var many store.Stores
	many[0].Total()
	one := &store.Store{}
	shut := one.Close
	shut()
	var buffer bytes.Buffer
	buffer.Round()
	switch found := any(s).(type) {
	case *store.Item:
		found.Price.Round()
	}
	each(func(inner *store.Store) { inner.All() })
	err.Error()
}

func each(f func(s *store.Store)) { f(nil) }
""",
        """
main.go#main -> store/store.go#Open calls import
main.go#main -> store/store.go#Store.Total calls typed
main.go#main -> store/store.go#Base.Close calls typed
main.go#main -> store/store.go#Store.All calls typed
main.go#main -> store/store.go#Money.Round calls typed
main.go#main -> store/store.go#Store.Total calls typed
main.go#main -> store/store.go#Base.Close calls held
main.go#main -> ? calls external
main.go#main -> store/store.go#Money.Round calls typed
main.go#main -> main.go#each calls file
main.go#main -> store/store.go#Store.All calls typed
main.go#main -> ? calls external
store/store.go#Store -> store/store.go#Base inherits file
store/store.go#Store.Total -> store/store.go#Money.Round calls typed
store/store.go#Store.Total -> store/store.go#Base.Close calls typed
store/store.go#Store.Total -> store/store.go#Finder.Find calls typed
store/store.go#Store.Total -> store/store.go#Money.Round calls typed
store/store.go#Store.Total -> store/store.go#Money.Round calls typed
store/store.go#Store.Total -> ? calls external
""",
        ("calls", "inherits"),
    )


def test_flows_of_java() -> None:
    """Java: fields, var, loops, lambdas, patterns, casts, arrays, Optional, builders, enums and static imports."""
    check(
        """
#- src/main/java/shop/Option.java
package shop;

import java.util.List;
import java.util.Optional;

public class Option extends Named {
    private final List<Value> values;
    private Value first;

    public static Builder builder() { return new Builder(); }

    public Optional<Value> find() { return null; }

    public Value[] all() { return null; }

    public String name() { return null; }

    public static class Builder {
        public Builder required() { return this; }
        public Option build() { return new Option(); }
    }

    void run(Value... more) {
        this.first.show();
        first.show();
        label();
        for (Value value : values) { value.show(); }
        for (var other : more) { other.show(); }
        values.get(0).show();
        values.forEach(v -> v.show());
        Kind.SMALL.show();
        Kind.valueOf("a").show();
    }

    enum Kind {
        SMALL;
        void show() {}
    }
}
#- src/main/java/shop/Value.java
package shop;

public class Value {
    public Value show() { return this; }
    public int length() { return 0; }
    public static Value parse(String text) { return null; }
}
#- src/main/java/shop/Named.java
package shop;

public class Named {
    protected String label() { return ""; }
}
#- src/main/java/app/Main.java
package app;

import shop.Option;
import shop.Value;
import static shop.Value.parse;

class Main {
    void main(Object thing) {
        Option option = Option.builder().required().build();
        option.find().get().show();
        option.label();
        var made = new Option();
        made.all()[0].show();
        made.name().length();
        parse("a").show();
        ((Value) thing).show();
        if (thing instanceof Value v) { v.show(); }
        StringBuilder buffer = new StringBuilder();
        buffer.show();
        option.find().map(x -> x.show());
    }
}
""",
        """
src/main/java/app/Main.java#Main.main -> src/main/java/shop/Option.java#Option.builder calls member
src/main/java/app/Main.java#Main.main -> src/main/java/shop/Option.java#Option.Builder.required calls typed
src/main/java/app/Main.java#Main.main -> src/main/java/shop/Option.java#Option.Builder.build calls typed
src/main/java/app/Main.java#Main.main -> src/main/java/shop/Option.java#Option.find calls typed
src/main/java/app/Main.java#Main.main -> ? calls external
src/main/java/app/Main.java#Main.main -> src/main/java/shop/Value.java#Value.show calls typed
src/main/java/app/Main.java#Main.main -> src/main/java/shop/Named.java#Named.label calls typed
src/main/java/app/Main.java#Main.main -> src/main/java/shop/Option.java#Option calls import
src/main/java/app/Main.java#Main.main -> src/main/java/shop/Option.java#Option.all calls typed
src/main/java/app/Main.java#Main.main -> src/main/java/shop/Value.java#Value.show calls typed
src/main/java/app/Main.java#Main.main -> src/main/java/shop/Option.java#Option.name calls typed
src/main/java/app/Main.java#Main.main -> ? calls external
src/main/java/app/Main.java#Main.main -> src/main/java/shop/Value.java#Value.parse calls import
src/main/java/app/Main.java#Main.main -> src/main/java/shop/Value.java#Value.show calls typed
src/main/java/app/Main.java#Main.main -> src/main/java/shop/Value.java#Value.show calls member
src/main/java/app/Main.java#Main.main -> src/main/java/shop/Value.java#Value.show calls typed
src/main/java/app/Main.java#Main.main -> ? calls external
src/main/java/app/Main.java#Main.main -> ? calls external
src/main/java/app/Main.java#Main.main -> src/main/java/shop/Option.java#Option.find calls typed
src/main/java/app/Main.java#Main.main -> ? calls external
src/main/java/app/Main.java#Main.main -> src/main/java/shop/Value.java#Value.show calls typed
src/main/java/shop/Option.java#Option -> src/main/java/shop/Named.java#Named inherits package
src/main/java/shop/Option.java#Option.builder -> src/main/java/shop/Option.java#Option.Builder calls self
src/main/java/shop/Option.java#Option.Builder.build -> src/main/java/shop/Option.java#Option calls file
src/main/java/shop/Option.java#Option.run -> src/main/java/shop/Value.java#Value.show calls typed
src/main/java/shop/Option.java#Option.run -> src/main/java/shop/Value.java#Value.show calls typed
src/main/java/shop/Option.java#Option.run -> src/main/java/shop/Named.java#Named.label calls inherited
src/main/java/shop/Option.java#Option.run -> src/main/java/shop/Value.java#Value.show calls typed
src/main/java/shop/Option.java#Option.run -> src/main/java/shop/Value.java#Value.show calls typed
src/main/java/shop/Option.java#Option.run -> ? calls external
src/main/java/shop/Option.java#Option.run -> src/main/java/shop/Value.java#Value.show calls typed
src/main/java/shop/Option.java#Option.run -> ? calls external
src/main/java/shop/Option.java#Option.run -> src/main/java/shop/Value.java#Value.show calls typed
src/main/java/shop/Option.java#Option.run -> src/main/java/shop/Option.java#Option.Kind.show calls typed
src/main/java/shop/Option.java#Option.run -> ? calls external
src/main/java/shop/Option.java#Option.run -> src/main/java/shop/Option.java#Option.Kind.show calls member
""",
        ("calls", "inherits"),
    )


def test_flows_of_rust() -> None:
    """Rust: impl blocks, traits, Self, ?, await, Box<dyn T>, closures, enums, macros, crates and what is derived."""
    check(
        """
#- Cargo.toml
[package]
name = "shop"
#- src/lib.rs
pub mod store;
pub use store::Store;
#- src/store.rs
use std::collections::HashMap;

#[derive(Default, Clone)]
pub struct Item { price: Money }

pub struct Money;

impl Money {
    pub fn round(self) -> Self { self }
}

pub enum Kind { Small, Large(Item) }

impl Kind {
    pub fn label(&self) -> &str { "" }
}

pub trait Finder {
    fn find(&self, name: &str) -> Option<&Item>;
    fn close(&mut self) { self.find("a"); }
}

pub struct Store { items: HashMap<String, Item>, finder: Box<dyn Finder>, kind: Kind }

impl Store {
    pub fn open() -> Result<Self, std::io::Error> { Ok(Store { items: HashMap::new() }) }

    pub async fn first(&self) -> Option<&Item> { None }

    pub async fn total(&mut self) -> Money {
        for item in self.items.values() {
            item.price.round();
        }
        self.kind.label();
        self.finder.find("a").unwrap().price.round();
        let item = self.first().await?;
        item.price.round().round();
        if let Some(other) = self.first().await {
            other.price.round();
        }
        self.items.values().map(|one| one.price.round());
        Kind::Large(item).label();
        let made = Item::default();
        made.price.round();
        assert_eq!(self.kind.label(), Kind::Small.label());
        String::from("a").round();
    }
}

impl Finder for Store {
    fn find(&self, name: &str) -> Option<&Item> { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens() {
        let mut store = Store::open().unwrap();
        store.close();
    }
}
#- src/main.rs
use shop::Store;

fn run(store: &mut Store) {
    store.total();
    crate::helper(store).label();
    shop::store::Money::round();
    elsewhere::Money::round();
}

fn helper(store: &Store) -> shop::store::Kind { todo!() }
""",
        """
src/main.rs#run -> src/store.rs#Store.total calls typed
src/main.rs#run -> src/main.rs#helper calls import
src/main.rs#run -> src/store.rs#Kind.label calls typed
src/main.rs#run -> src/store.rs#Money.round calls member
src/main.rs#run -> ? calls external
src/store.rs#Finder.close -> src/store.rs#Finder.find calls self
src/store.rs#Store.open -> src/store.rs#Store calls file
src/store.rs#Store.open -> ? calls external
src/store.rs#Store.total -> ? calls external
src/store.rs#Store.total -> src/store.rs#Money.round calls typed
src/store.rs#Store.total -> src/store.rs#Kind.label calls typed
src/store.rs#Store.total -> src/store.rs#Finder.find calls typed
src/store.rs#Store.total -> ? calls external
src/store.rs#Store.total -> src/store.rs#Money.round calls typed
src/store.rs#Store.total -> src/store.rs#Store.first calls self
src/store.rs#Store.total -> src/store.rs#Money.round calls typed
src/store.rs#Store.total -> src/store.rs#Money.round calls typed
src/store.rs#Store.total -> src/store.rs#Store.first calls self
src/store.rs#Store.total -> src/store.rs#Money.round calls typed
src/store.rs#Store.total -> ? calls external
src/store.rs#Store.total -> ? calls external
src/store.rs#Store.total -> src/store.rs#Money.round calls typed
src/store.rs#Store.total -> src/store.rs#Kind.Large calls member
src/store.rs#Store.total -> src/store.rs#Kind.label calls typed
src/store.rs#Store.total -> ? calls external
src/store.rs#Store.total -> src/store.rs#Money.round calls typed
src/store.rs#Store.total -> src/store.rs#Kind.label calls typed
src/store.rs#Store.total -> src/store.rs#Kind.label calls typed
src/store.rs#Store.total -> ? calls external
src/store.rs#Store.total -> ? calls external
src/store.rs#Store -> src/store.rs#Finder inherits file
src/store.rs#tests.opens -> src/store.rs#Store.open calls member
src/store.rs#tests.opens -> ? calls external
src/store.rs#tests.opens -> src/store.rs#Finder.close calls typed
""",
        ("calls", "inherits"),
    )


def test_flows_of_cpp() -> None:
    """C++: members written outside of their class, auto, templates, smart pointers, aliases, casts and overloads."""
    check(
        """
#- include/shop/store.h
#include <memory>
#include <string>
#include <vector>

namespace shop {
class Money {
 public:
  Money round() const;
};

struct Item {
  Money price;
};

class Named {
 public:
  virtual std::string label() const;
};

class Store : public Named {
 public:
  Store();
  explicit Store(int size);
  Item* first();
  std::vector<Item> all() const;
  std::unique_ptr<Store> clone() const;
  static Store open();
  Money total();

 private:
  std::vector<std::unique_ptr<Item>> m_items;
  std::shared_ptr<Item> m_first;
  std::string m_text;
};

typedef std::vector<Item> Items;
template <typename T> T make();
}
#- src/store.cpp
#include "shop/store.h"

namespace shop {
Store::Store() {}
Store::Store(int size) { total(); }

Money Store::total() {
  for (const auto& item : m_items) {
    item->price.round();
  }
  m_first->price.round();
  this->m_first->price.round();
  label();
  m_text.round();
  auto it = m_items.begin();
  it->price.round();
  return first()->price.round().round();
}

Item* Store::first() { return nullptr; }
Money Money::round() const { return *this; }
}
#- src/main.cpp
#include <sstream>
#include "shop/store.h"

using namespace shop;

int main(int count) {
  Store store(count);
  store.total();
  auto* made = new Store();
  made->first()->price.round();
  made->clone()->total();
  auto copy = std::make_unique<Store>();
  copy->label();
  Items items;
  items[0].price.round();
  shop::Store::open().total();
  static_cast<Store*>(nullptr)->total();
  (*made).total();
  std::stringstream stream;
  stream.round();
  for (auto& item : store.all()) { item.price.round(); }
}
""",
        """
include/shop/store.h#shop.Store -> include/shop/store.h#shop.Named inherits scope
src/main.cpp#main -> src/store.cpp#shop.Store.total calls typed
src/main.cpp#main -> include/shop/store.h#shop.Store calls wildcard
src/main.cpp#main -> src/store.cpp#shop.Store.first calls typed
src/main.cpp#main -> src/store.cpp#shop.Money.round calls typed
src/main.cpp#main -> include/shop/store.h#shop.Store.clone calls typed
src/main.cpp#main -> src/store.cpp#shop.Store.total calls typed
src/main.cpp#main -> ? calls external
src/main.cpp#main -> include/shop/store.h#shop.Named.label calls typed
src/main.cpp#main -> src/store.cpp#shop.Money.round calls typed
src/main.cpp#main -> include/shop/store.h#shop.Store.open calls member
src/main.cpp#main -> src/store.cpp#shop.Store.total calls typed
src/main.cpp#main -> src/store.cpp#shop.Store.total calls member
src/main.cpp#main -> src/store.cpp#shop.Store.total calls typed
src/main.cpp#main -> ? calls external
src/main.cpp#main -> include/shop/store.h#shop.Store.all calls typed
src/main.cpp#main -> src/store.cpp#shop.Money.round calls typed
src/store.cpp#shop.Store.Store~2 -> src/store.cpp#shop.Store.total calls self
src/store.cpp#shop.Store.total -> src/store.cpp#shop.Money.round calls typed
src/store.cpp#shop.Store.total -> src/store.cpp#shop.Money.round calls typed
src/store.cpp#shop.Store.total -> src/store.cpp#shop.Money.round calls typed
src/store.cpp#shop.Store.total -> include/shop/store.h#shop.Named.label calls inherited
src/store.cpp#shop.Store.total -> ? calls external
src/store.cpp#shop.Store.total -> ? calls external
src/store.cpp#shop.Store.total -> src/store.cpp#shop.Money.round calls typed
src/store.cpp#shop.Store.total -> src/store.cpp#shop.Store.first calls self
src/store.cpp#shop.Store.total -> src/store.cpp#shop.Money.round calls typed
src/store.cpp#shop.Store.total -> src/store.cpp#shop.Money.round calls typed
""",
        ("calls", "inherits"),
    )


def test_flows_of_c() -> None:
    """C: structs, pointers to functions in them, and static functions of one name in two files."""
    check(
        """
#- shop.h
struct store;
typedef struct money { int cents; } money;

struct hooks {
  int (*close)(struct store *s);
  money *(*find)(const char *name);
};

struct store {
  struct hooks hooks;
  struct hooks *more;
};

struct store *store_open(const char *name);
#- shop.c
#include "shop.h"

static int helper(void) { return 0; }

struct store *store_open(const char *name) { helper(); return 0; }
#- other.c
#include <stdlib.h>
#include "shop.h"

static int helper(void) { return 1; }

int main(int count) {
  struct store *s = store_open("a");
  s->hooks.close(s);
  s->more->find("b");
  store_open("c")->hooks.close(s);
  helper();
  free(s);
}
""",
        """
other.c#main -> shop.c#store_open calls wildcard
other.c#main -> shop.h#hooks.close calls typed
other.c#main -> shop.h#hooks.find calls typed
other.c#main -> shop.c#store_open calls wildcard
other.c#main -> shop.h#hooks.close calls typed
other.c#main -> other.c#helper calls file
other.c#main -> ? calls unresolved
shop.c#store_open -> shop.c#helper calls file
""",
        ("calls", "inherits"),
    )
