"""The graph stage: how project files decide where imports lead."""

from __future__ import annotations

from unit.test_graph import STYLES, described, snapshot

from repoctx.graph.link import link


def check(files: str, expected: str) -> None:
    """The import edges between some files are exactly the expected `importer target`, in order; `-`: from elsewhere."""
    o = snapshot(files)
    lines = [line.split() for line in described(o, link(o, STYLES), ("imports",))]
    found = [f"{source} {'-' if target == '?' else target}" for source, _, target, *_ in lines]
    assert found == [line.strip() for line in expected.strip().split("\n")]


def test_compiler_options_map_bare_names() -> None:
    """`paths` before `baseUrl`, the longest pattern first, several targets in order, what is extended included."""
    check(
        """
#- config/base.json
{"compilerOptions": {"baseUrl": "../web/src"}}
#- web/tsconfig.json
{
  // aliases
  "extends": "../config/base",
  "compilerOptions": {"paths": {"@/*": ["*"], "@/gen/*": ["../gen/*", "fallback/*"], "config": ["./settings"]}},
}
#- web/gen/api.ts
export const api = 1
#- web/src/fallback/other.ts
export const other = 1
#- web/src/gen/api.ts
export const wrong = 1
#- web/src/react/index.ts
export const base = 1
#- web/src/settings.ts
export const settings = 1
#- web/src/util/text.ts
export const text = 1
#- web/src/main.ts
import { text } from "@/util/text"
import { api } from "@/gen/api"
import { other } from "@/gen/other"
import "config"
import "util/text"
import { base } from "react"
import "lodash"
import "@/missing"
#- tools/react/index.ts
export const wrong = 1
#- tools/tsconfig.json
{}
#- tools/build.ts
import "react"
import "util/text"
""",
        """
tools/build.ts -
tools/build.ts -
web/src/main.ts web/src/util/text.ts#text
web/src/main.ts web/src/util/text.ts
web/src/main.ts web/gen/api.ts#api
web/src/main.ts web/gen/api.ts
web/src/main.ts web/src/fallback/other.ts#other
web/src/main.ts web/src/fallback/other.ts
web/src/main.ts web/src/settings.ts
web/src/main.ts web/src/util/text.ts
web/src/main.ts web/src/react/index.ts#base
web/src/main.ts web/src/react/index.ts
web/src/main.ts -
web/src/main.ts -
""",
    )


def test_options_beside_a_solution_file_and_folders_laid_over_each_other() -> None:
    """A tsconfig.json without paths yields to the one beside it that has some; rootDirs are one folder."""
    check(
        """
#- tsconfig.json
{"files": [], "references": [{"path": "./tsconfig.app.json"}]}
#- tsconfig.app.json
{"compilerOptions": {"paths": {"~lib/*": ["./lib/*"]}, "rootDirs": ["src", "generated"]}}
#- generated/views/page.ts
export const page = 1
#- lib/a.ts
export const a = 1
#- src/views/main.ts
import { a } from "~lib/a"
import { page } from "./page"
""",
        """
src/views/main.ts lib/a.ts#a
src/views/main.ts lib/a.ts
src/views/main.ts generated/views/page.ts#page
src/views/main.ts generated/views/page.ts
""",
    )


def test_packages_of_a_repository_are_known_by_name() -> None:
    """By `exports` or the entry, whose built files are those they are built from; scoped and nested names too."""
    check(
        """
#- package.json
{"private": true}
#- libs/a/package.json
{"name": "@acme/a", "exports": {".": "./dist/index.js", "./math/*": "./dist/math/*.js", "./raw": "./raw.mjs"}}
#- libs/a/src/index.ts
export const a = 1
#- libs/a/src/math/sum.ts
import "@acme/a"
export const sum = 1
#- libs/a/raw.mjs
export const raw = 1
#- libs/b/package.json
{"name": "b-utils", "main": "build/cjs/main.cjs", "imports": {"#db": "./lib/db.js"}}
#- libs/b/lib/db.js
export const db = 1
#- libs/b/lib/main.ts
import "#db"
import "#none"
export const b = 1
#- libs/b/test/main.test.js
require("..")
require("../build/cjs/main.js")
#- libs/react/index.js
export const wrong = 1
#- app/main.ts
import { a } from "@acme/a"
import { sum } from "@acme/a/math/sum"
import { raw } from "@acme/a/raw"
import { b } from "b-utils"
import { db } from "b-utils/lib/db.js"
import "react"
import "libs/react"
import "@acme/none"
""",
        """
app/main.ts libs/a/src/index.ts#a
app/main.ts libs/a/src/index.ts
app/main.ts libs/a/src/math/sum.ts#sum
app/main.ts libs/a/src/math/sum.ts
app/main.ts libs/a/raw.mjs#raw
app/main.ts libs/a/raw.mjs
app/main.ts libs/b/lib/main.ts#b
app/main.ts libs/b/lib/main.ts
app/main.ts libs/b/lib/db.js#db
app/main.ts libs/b/lib/db.js
app/main.ts -
app/main.ts -
app/main.ts -
libs/a/src/math/sum.ts libs/a/src/index.ts
libs/b/lib/main.ts libs/b/lib/db.js
libs/b/lib/main.ts -
libs/b/test/main.test.js libs/b/lib/main.ts
libs/b/test/main.test.js libs/b/lib/main.ts
""",
    )


def test_import_maps_and_packages_of_deno() -> None:
    """deno.json maps names to paths and is known by its own name."""
    check(
        """
#- deno.json
{"imports": {"@/": "./src/", "db": "./src/store/db.ts", "@std/fs": "jsr:@std/fs"}}
#- kit/deno.json
{"name": "@acme/kit", "exports": "./mod.ts"}
#- kit/mod.ts
export const kit = 1
#- src/store/db.ts
export const db = 1
#- src/main.ts
import "@/store/db.ts"
import "db"
import "@acme/kit"
import "@std/fs"
""",
        """
src/main.ts src/store/db.ts
src/main.ts src/store/db.ts
src/main.ts kit/mod.ts
src/main.ts -
""",
    )


def test_script_options_that_lead_nowhere() -> None:
    """Circles of `extends`, paths out of the repository and broken files are as if they were not there."""
    check(
        """
#- a/tsconfig.json
{"extends": ["../b/tsconfig.json", "../../../etc/x.json"], "compilerOptions": {"paths": {"x/*": ["../../../x/*"]}}}
#- b/tsconfig.json
{"extends": "../a/tsconfig.json", "compilerOptions": {"baseUrl": "."}}
#- b/y.ts
export const y = 1
#- c/package.json
{"name": "c", "main": "../../../c.js", "exports":
#- a/main.ts
import "x/y"
import "y"
import "c"
""",
        """
a/main.ts -
a/main.ts b/y.ts
a/main.ts -
""",
    )


def test_modules_of_go() -> None:
    """The declared path, the longest one, the own module before its namesakes, and what is replaced."""
    check(
        """
#- go.mod
module example.com/shop
replace example.org/fork => ./third/fork
#- main.go
package main

import (
	"fmt"
	"example.com/shop/cart"
	"example.com/shop/tools/lint"
	"example.org/fork/deep"
	"example.org/cart"
	"cart"
)
#- cart/cart.go
package cart
#- tools/go.mod
module example.com/shop/tools
#- tools/lint/lint.go
package lint
#- third/fork/deep/deep.go
package deep
#- testdata/one/go.mod
module example.com/m
#- testdata/one/main.go
package main

import "example.com/m/x"
#- testdata/one/x/x.go
package x
#- testdata/two/go.mod
module example.com/m
#- testdata/two/main.go
package main

import "example.com/m/x"
#- testdata/two/x/x.go
package x
""",
        """
main.go -
main.go cart/cart.go
main.go tools/lint/lint.go
main.go third/fork/deep/deep.go
main.go -
main.go -
testdata/one/main.go testdata/one/x/x.go
testdata/two/main.go testdata/two/x/x.go
""",
    )


def test_crates_of_a_workspace() -> None:
    """Crates are known by the names under which the nearest Cargo.toml depends on their folders, and by no other."""
    check(
        """
#- Cargo.toml
[workspace]
members = ["crates/*"]
[workspace.dependencies]
shop-kit = { path = "crates/kit" }
[patch.crates-io]
rand = { path = "vendor/rand" }
#- crates/core/Cargo.toml
[package]
name = "shop-core"
[lib]
path = "lib/core.rs"
[dependencies]
shop-kit.workspace = true
money = { path = "../cash", package = "cash" }
serde = "1"
rand = "0.8"
#- crates/core/lib/core.rs
pub mod item;
use crate::item::Item;
use shop_kit::tool;
use money::Coin;
use serde::Serialize;
use rand::Rng;
use cash::Coin as Other;
#- crates/core/lib/item.rs
pub struct Item;
#- crates/core/examples/demo.rs
mod common;
use common::setup;
use shop_core::item::Item;
use crate::common::setup as again;
#- crates/core/examples/common/mod.rs
pub fn setup() {}
#- crates/cash/Cargo.toml
[package]
name = "cash"
#- crates/cash/src/lib.rs
pub struct Coin;
#- crates/kit/Cargo.toml
[package]
name = "shop-kit"
#- crates/kit/src/lib.rs
pub fn tool() {}
pub fn shared() {}
#- crates/kit/src/main.rs
use crate::local;
use shop_kit::shared;
fn local() {}
#- crates/kit/src/bin/extra.rs
use crate::own;
fn own() {}
#- crates/serde/Cargo.toml
[package]
name = "serde"
#- crates/serde/src/lib.rs
pub struct Serialize;
#- vendor/rand/Cargo.toml
[package]
name = "rand"
#- vendor/rand/src/lib.rs
pub struct Rng;
""",
        """
crates/core/examples/demo.rs crates/core/examples/common/mod.rs
crates/core/examples/demo.rs crates/core/examples/common/mod.rs#setup
crates/core/examples/demo.rs crates/core/examples/common/mod.rs
crates/core/examples/demo.rs crates/core/lib/item.rs#Item
crates/core/examples/demo.rs crates/core/lib/item.rs
crates/core/examples/demo.rs crates/core/examples/common/mod.rs#setup
crates/core/examples/demo.rs crates/core/examples/common/mod.rs
crates/core/lib/core.rs crates/core/lib/item.rs
crates/core/lib/core.rs crates/core/lib/item.rs#Item
crates/core/lib/core.rs crates/core/lib/item.rs
crates/core/lib/core.rs crates/kit/src/lib.rs#tool
crates/core/lib/core.rs crates/kit/src/lib.rs
crates/core/lib/core.rs crates/cash/src/lib.rs#Coin
crates/core/lib/core.rs crates/cash/src/lib.rs
crates/core/lib/core.rs -
crates/core/lib/core.rs vendor/rand/src/lib.rs#Rng
crates/core/lib/core.rs vendor/rand/src/lib.rs
crates/core/lib/core.rs -
crates/kit/src/main.rs crates/kit/src/lib.rs#shared
crates/kit/src/main.rs crates/kit/src/lib.rs
""",
    )


def test_source_roots_of_python() -> None:
    """The roots of the importer's own project come first, then those of other projects; namesakes are not guessed."""
    check(
        """
#- one/pyproject.toml
[project]
name = "one"
[tool.setuptools.packages.find]
where = ["code"]
#- one/code/shared/__init__.py
#- one/code/shared/text.py
def wrap(): pass
#- one/code/one/__init__.py
from shared.text import wrap
import yaml
import docker
import two
#- one/docker/entry.py
def run(): pass
#- one/examples/yaml/__init__.py
#- one/tests/apps/demo/__init__.py
#- one/tests/test_one.py
import one
import demo
#- two/setup.cfg
[metadata]
name = two
[options]
package_dir =
    = lib
    two_extra = extra
#- two/lib/shared/__init__.py
#- two/lib/shared/text.py
def wrap(): pass
#- two/lib/two/__init__.py
from shared.text import wrap
import two_extra.tool
#- two/extra/__init__.py
#- two/extra/tool.py
#- three/run.py
import shared
""",
        """
one/code/one/__init__.py one/code/shared/text.py#wrap
one/code/one/__init__.py one/code/shared/text.py
one/code/one/__init__.py -
one/code/one/__init__.py -
one/code/one/__init__.py two/lib/two/__init__.py
one/tests/test_one.py one/code/one/__init__.py
one/tests/test_one.py one/tests/apps/demo/__init__.py
three/run.py one/code/shared/__init__.py
two/lib/two/__init__.py two/lib/shared/text.py#wrap
two/lib/two/__init__.py two/lib/shared/text.py
two/lib/two/__init__.py two/extra/tool.py
""",
    )


def test_folders_on_the_path_of_tests() -> None:
    """`pythonpath` of pytest names folders without `__init__`, whose modules keep their own names."""
    check(
        """
#- pyproject.toml
[project]
name = "shop"
[tool.pytest.ini_options]
pythonpath = ["tests", "helpers"]
#- shop.py
#- data/make.py
#- helpers/answers.py
def expect(): pass
#- tests/unit/test_a.py
from unit.test_b import check
from answers import expect
from unit import test_b
from data import missing
import shop
#- tests/unit/test_b.py
def check(): pass
""",
        """
tests/unit/test_a.py tests/unit/test_b.py#check
tests/unit/test_a.py tests/unit/test_b.py
tests/unit/test_a.py helpers/answers.py#expect
tests/unit/test_a.py helpers/answers.py
tests/unit/test_a.py tests/unit/test_b.py
tests/unit/test_a.py -
tests/unit/test_a.py shop.py
""",
    )


def test_a_file_does_not_import_itself() -> None:
    """A script named after the package that it imports means the package."""
    check(
        """
#- src/shop/__init__.py
def sell(): pass
#- examples/shop.py
from shop import sell
#- examples/redis.py
import redis
#- examples/other.py
import redis
""",
        """
examples/other.py examples/redis.py
examples/redis.py -
examples/shop.py src/shop/__init__.py#sell
examples/shop.py src/shop/__init__.py
""",
    )


def test_namespaces_of_php() -> None:
    """The longest prefix decides; a namespace that no prefix explains is from elsewhere."""
    check(
        r"""
#- composer.json
{"autoload": {"psr-4": {"Acme\\": "src/", "Acme\\Gen\\": ["gen", "gen2"]}}}
#- src/Cart/Item.php
<?php
namespace Acme\Cart;
class Item {}
#- gen2/Api.php
<?php
namespace Acme\Gen;
class Api {}
#- vendorish/Psr/Log/Logger.php
<?php
class Logger {}
#- src/Main.php
<?php
use Acme\Cart\Item;
use Acme\Gen\Api;
use Psr\Log\Logger;
""",
        """
src/Main.php src/Cart/Item.php#Item
src/Main.php src/Cart/Item.php
src/Main.php gen2/Api.php#Api
src/Main.php gen2/Api.php
src/Main.php -
""",
    )


def test_modules_of_one_name_that_nothing_decides_between() -> None:
    """The nearest is meant with little confidence, and the others are mentioned."""
    o = snapshot("""
#- a/pyproject.toml
#- a/src/shared/__init__.py
def wrap(): pass
#- b/pyproject.toml
#- b/src/shared/__init__.py
def wrap(): pass
#- c/run.py
from shared import wrap
#- js/app/package.json
{"name": "app"}
#- js/app/main.js
import "kit"
#- js/one/package.json
{"name": "kit"}
#- js/one/index.js
import "kit"
#- js/two/package.json
{"name": "kit"}
#- js/two/index.js
export const two = 1
""")
    assert described(o, link(o, STYLES), ("imports",)) == [
        "c/run.py -> a/src/shared/__init__.py#wrap imports ambiguous [b/src/shared/__init__.py]",
        "c/run.py -> a/src/shared/__init__.py imports ambiguous [b/src/shared/__init__.py]",
        "js/app/main.js -> js/one/index.js imports ambiguous [js/two/index.js]",
    ]


def test_an_import_is_of_the_file_that_it_names() -> None:
    """A module that the named file takes from elsewhere is what the name means, and not what is imported from."""
    check(
        """
#- lib/external.ts
export const text = 1
#- lib/index.ts
import * as z from "./external"
export { z }
#- main.ts
import { z } from "./lib"
""",
        """
lib/index.ts lib/external.ts
main.ts lib/index.ts
""",
    )
