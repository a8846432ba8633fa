"""The graph stage: whole names need no import, and are never external where the repository defines them."""

from __future__ import annotations

import pytest
from unit.test_graph import check

WHOLE = {
    "elixir": (
        """
#- lib/shop/store.ex
defmodule Shop.Store do
  def get(id), do: id
end
#- lib/shop/cart.ex
defmodule Shop.Cart do
  def total(id) do
    Shop.Store.get(id)
    Shop.Store.lost(id)
    Plug.Conn.get(id)
  end
end
""",
        """
lib/shop/cart.ex#Shop.Cart.total -> lib/shop/store.ex#Shop.Store.get calls member
lib/shop/cart.ex#Shop.Cart.total -> ? calls unresolved
lib/shop/cart.ex#Shop.Cart.total -> ? calls external
""",
    ),
    "perl": (
        """
#- lib/Shop/Price.pm
package Shop::Price;
sub of { return 1; }
1;
#- bin/cart.pl
use Shop::Price;
Shop::Price->of(1);
Shop::Price::of(1);
Shop::Price->lost(1);
Other::Thing->of(1);
""",
        """
bin/cart.pl -> lib/Shop/Price.pm#Shop.Price.of calls member
bin/cart.pl -> lib/Shop/Price.pm#Shop.Price.of calls member
bin/cart.pl -> ? calls unresolved
bin/cart.pl -> ? calls external
""",
    ),
    "csharp": (
        """
#- Store/Shelf.cs
namespace Acme.Store {
  public class Shelf { public static int Get(int i) { return i; } public int Own() { return 1; } }
}
#- App/Main.cs
namespace Acme.App {
  class Main {
    void Run() {
      Acme.Store.Shelf.Get(1);
      global::Acme.Store.Shelf.Get(1);
      Store.Shelf.Get(1);
      new Acme.Store.Shelf().Own();
      Acme.Store.Shelf.Lost(1);
      System.Console.WriteLine(1);
    }
  }
}
""",
        """
App/Main.cs#Acme.App.Main.Run -> Store/Shelf.cs#Acme.Store.Shelf.Get calls member
App/Main.cs#Acme.App.Main.Run -> Store/Shelf.cs#Acme.Store.Shelf.Get calls member
App/Main.cs#Acme.App.Main.Run -> Store/Shelf.cs#Acme.Store.Shelf.Get calls member
App/Main.cs#Acme.App.Main.Run -> Store/Shelf.cs#Acme.Store.Shelf calls member
App/Main.cs#Acme.App.Main.Run -> Store/Shelf.cs#Acme.Store.Shelf.Own calls typed
App/Main.cs#Acme.App.Main.Run -> ? calls unresolved
App/Main.cs#Acme.App.Main.Run -> ? calls external
""",
    ),
    "php": (
        """
#- composer.json
{"autoload": {"psr-4": {"Acme\\\\": "src/"}}}
#- src/Store.php
<?php
namespace Acme;
class Store { public static function get($id) { return $id; } }
function helper() {}
#- app/Main.php
<?php
class Main {
  function run() {
    \\Acme\\Store::get(1);
    new \\Acme\\Store();
    \\Acme\\helper();
    \\Acme\\Store::lost(1);
    \\Other\\Store::get(1);
    \\DateTime::get(1);
  }
}
""",
        """
app/Main.php#Main.run -> src/Store.php#Store.get calls member
app/Main.php#Main.run -> src/Store.php#Store calls import
app/Main.php#Main.run -> src/Store.php#helper calls import
app/Main.php#Main.run -> ? calls unresolved
app/Main.php#Main.run -> ? calls unresolved [src/Store.php#Store.get]
app/Main.php#Main.run -> ? calls external
""",
    ),
    "java": (
        """
#- src/main/java/acme/store/Shelf.java
package acme.store;
public class Shelf {
  public static int get(int i) { return i; }
  public int own() { return 1; }
  public static class Row { static void at() {} }
}
#- src/main/java/acme/app/Main.java
package acme.app;
class Main {
  void run() {
    acme.store.Shelf.get(1);
    acme.store.Shelf.Row.at();
    new acme.store.Shelf().own();
    acme.store.Shelf.lost(1);
    other.Shelf.get(1);
  }
}
""",
        """
src/main/java/acme/app/Main.java#Main.run -> src/main/java/acme/store/Shelf.java#Shelf.get calls member
src/main/java/acme/app/Main.java#Main.run -> src/main/java/acme/store/Shelf.java#Shelf.Row.at calls member
src/main/java/acme/app/Main.java#Main.run -> ? calls unresolved
src/main/java/acme/app/Main.java#Main.run -> src/main/java/acme/store/Shelf.java#Shelf.own calls typed
src/main/java/acme/app/Main.java#Main.run -> ? calls unresolved
src/main/java/acme/app/Main.java#Main.run -> ? calls unresolved [src/main/java/acme/store/Shelf.java#Shelf.get]
""",
    ),
    "kotlin": (
        """
#- src/main/kotlin/acme/store/Shelf.kt
package acme.store
object Shelf {
    fun get(i: Int): Int = i
}
#- src/main/kotlin/acme/app/Main.kt
package acme.app
fun run() {
    acme.store.Shelf.get(1)
    acme.store.Shelf.lost(1)
    other.Shelf.get(1)
}
""",
        """
src/main/kotlin/acme/app/Main.kt#run -> src/main/kotlin/acme/store/Shelf.kt#Shelf.get calls member
src/main/kotlin/acme/app/Main.kt#run -> ? calls unresolved
src/main/kotlin/acme/app/Main.kt#run -> ? calls unresolved [src/main/kotlin/acme/store/Shelf.kt#Shelf.get]
""",
    ),
    "ruby": (
        """
#- lib/acme/store.rb
module Acme
  class Store
    def initialize(id)
    end
    def own
    end
    def self.open(id)
    end
  end
  class Plain
  end
end
#- lib/main.rb
class Main
  def run
    Acme::Store.new(1)
    Acme::Store.new(1).own
    Acme::Plain.new
    ::Acme::Store.open(1)
    Acme::Store.lost(1)
    Net::HTTP.open(1)
  end
end
""",
        """
lib/main.rb#Main.run -> lib/acme/store.rb#Acme.Store.initialize calls member
lib/main.rb#Main.run -> lib/acme/store.rb#Acme.Store.initialize calls member
lib/main.rb#Main.run -> lib/acme/store.rb#Acme.Store.own calls typed
lib/main.rb#Main.run -> lib/acme/store.rb#Acme.Plain calls member
lib/main.rb#Main.run -> lib/acme/store.rb#Acme.Store.open calls member
lib/main.rb#Main.run -> ? calls unresolved
lib/main.rb#Main.run -> ? calls external
""",
    ),
    "haskell": (
        """
#- src/Acme/Store.hs
module Acme.Store where

get :: Int -> Int
get x = x
#- app/Main.hs
module Main where

import qualified Acme.Store
import qualified Data.Map

main = do
  Acme.Store.get 1
  Acme.Store.lost 1
  Data.Map.get 1
""",
        """
app/Main.hs#main -> src/Acme/Store.hs#get calls import
app/Main.hs#main -> ? calls unresolved
app/Main.hs#main -> ? calls external
""",
    ),
    "ocaml": (
        """
#- lib/store.ml
let get x = x
#- bin/main.ml
let run () =
  Store.get 1;
  Store.lost 1;
  List.map 1 2
""",
        """
bin/main.ml#run -> lib/store.ml#get calls import
bin/main.ml#run -> ? calls unresolved
bin/main.ml#run -> ? calls external
""",
    ),
}


@pytest.mark.parametrize("files, expected", WHOLE.values(), ids=WHOLE)
def test_whole_names(files: str, expected: str) -> None:
    """A whole name is what it names; a member that is not there is unresolved; other roots are external."""
    check(files, expected, ("calls",))


def test_of_several_that_have_a_whole_name_the_nearest_is_meant() -> None:
    """Copies and tests are not meant by others; where nothing is nearest, all are candidates."""
    check(
        """
#- one/store.ex
defmodule Shop.Store do
  def get(id), do: id
end
#- one/use.ex
defmodule One do
  def f(id), do: Shop.Store.get(id)
end
#- two/store.ex
defmodule Shop.Store do
  def get(id), do: id
end
#- two/vendor/shop/store.ex
defmodule Shop.Store do
  def get(id), do: id
end
#- use.ex
defmodule Any do
  def f(id), do: Shop.Store.get(id)
end
""",
        """
one/use.ex#One.f -> one/store.ex#Shop.Store.get calls member
use.ex#Any.f -> ? calls unresolved \
[one/store.ex#Shop.Store.get, two/store.ex#Shop.Store.get, two/vendor/shop/store.ex#Shop.Store.get]
""",
        ("calls",),
    )
