"""Project files: what each says about where imports lead."""

from __future__ import annotations

import pytest

from repoctx.parse import parse
from repoctx.parse.languages import LANGUAGES, by_path
from repoctx.parse.projects import LONGEST, MOST_SETTINGS, READERS, settings


def declared(path: str, text: str) -> list[str]:
    """The settings of a file as `key = value`."""
    return [f"{key} = {value}" for key, value in parse(by_path(path), text.encode()).settings]


def check(path: str, text: str, expected: str) -> None:
    """The settings of a file are exactly the expected ones, in order."""
    assert declared(path, text) == [line.strip() for line in expected.strip().split("\n") if line.strip()]


@pytest.mark.parametrize(
    "path,language",
    [
        ("web/package.json", "json"),
        ("deno.jsonc", "json"),
        ("composer.json", "json"),
        ("tsconfig.build.json", "json"),
        ("Cargo.toml", "toml"),
        ("pyproject.toml", "toml"),
        ("setup.cfg", "ini"),
        ("tox.ini", "ini"),
        ("go.mod", "text"),
    ],
)
def test_project_files_are_read_as_the_text_that_they_are(path: str, language: str) -> None:
    """A project file has a key of its own, and its facts are those of JSON, TOML or plain text."""
    assert parse(by_path(path), b"{}\n").language == language


def test_every_reader_has_a_row_and_every_row_a_reader() -> None:
    """The table names the readers that there are."""
    assert {row.project for row in LANGUAGES.values()} - {""} == set(READERS)


def test_compiler_options_with_comments_and_trailing_commas() -> None:
    """tsconfig.json is JSON with comments; what extends it may have any name."""
    text = """{
      // the sources
      "extends": ["./base.json", "@acme/tsconfig/web.json",],
      "compilerOptions": {
        "baseUrl": "./src", /* not "baseUrl": "lib" */
        "paths": {"@/*": ["*", "gen/*"], "http://x": ["x // y"],},
        "rootDirs": ["src", "gen"], "rootDir": "src", "outDir": "dist",
        "strict": true,
      },
    }"""
    expected = """
      extends = ./base.json
      extends = @acme/tsconfig/web.json
      baseUrl = ./src
      rootDirs = src
      rootDirs = gen
      rootDir = src
      outDir = dist
      paths @/* = *
      paths @/* = gen/*
      paths http://x = x // y
    """
    for path in ("tsconfig.json", "jsconfig.json", "config/base.json"):
        check(path, text, expected)
    check("data.json", '{"extends": 1, "compilerOptions": [], "name": "x"}', "")


def test_packages_name_their_entries_and_conditions_come_in_order() -> None:
    """What is nearest to the source comes first; what is no path is left out."""
    check(
        "package.json",
        """{"name": "@acme/shop", "main": "./dist/index.cjs", "module": "./dist/index.js", "source": "src/index.ts",
            "browser": {"./a.js": false},
            "exports": {
              ".": {"require": "./dist/index.cjs", "@acme/source": "./src/index.ts",
                    "import": {"default": "./dist/index.js", "types": "./dist/index.d.ts"}},
              "./cart/*": ["./dist/cart/*.js", {"default": "./cart/*"}],
              "./private/*": null,
              "import": "./never.js"
            },
            "imports": {"#db": {"node": "./src/db.node.ts", "default": "./src/db.ts"}, "none": "./x.js"}}""",
        """
        name = @acme/shop
        main = src/index.ts
        main = ./dist/index.js
        main = ./dist/index.cjs
        exports . = ./src/index.ts
        exports . = ./dist/index.d.ts
        exports . = ./dist/index.js
        exports . = ./dist/index.cjs
        exports ./cart/* = ./dist/cart/*.js
        exports ./cart/* = ./cart/*
        imports #db = ./src/db.ts
        imports #db = ./src/db.node.ts
        """,
    )
    check("package.json", '{"exports": "./index.js"}', "exports . = ./index.js")
    both = '{"exports": {"require": "./a.cjs", "import": "./a.mjs"}}'
    check("package.json", both, "exports . = ./a.mjs\nexports . = ./a.cjs")


def test_import_maps() -> None:
    """The import map of deno.json is a map of paths; packages from elsewhere are left out."""
    check(
        "deno.json",
        """{"name": "@acme/a", "exports": "./mod.ts",
            "imports": {"@/": "./src/", "db": "./db.ts", "@std/fs": "jsr:@std/fs"}}""",
        """
        name = @acme/a
        exports . = ./mod.ts
        paths @/* = ./src/*
        paths db = ./db.ts
        """,
    )


def test_go_modules() -> None:
    """The module's path, and the modules that a folder takes the place of."""
    check(
        "go.mod",
        """
module "example.com/shop" // the shop

go 1.22
require example.com/a v1.2.3
replace example.com/a v1.2.3 => ../a
replace (
	example.com/b => ./b // here
	example.com/c => example.com/d v1.0.0
)
""",
        """
        name = example.com/shop
        replace example.com/a = ../a
        replace example.com/b = ./b
        """,
    )


def test_crates() -> None:
    """The crate, its targets, and where its dependencies lie."""
    check(
        "Cargo.toml",
        """
[package]
name = "shop-core"
build = "build/main.rs"
[lib]
path = "lib/core.rs"
[[bin]]
name = "shop"
path = "cli/shop.rs"
[dependencies]
serde = "1"
cart = { path = "../cart" }
rand_old = { package = "rand", version = "0.7" }
shared-kit.workspace = true
[target.'cfg(unix)'.dev-dependencies]
test-kit = { path = "kit", version = "1" }
[workspace.dependencies]
shared-kit = { path = "crates/kit" }
log = "1"
[patch.crates-io]
rand = { path = "vendor/rand" }
""",
        """
        name = shop_core
        main = lib/core.rs
        target = build/main.rs
        target = cli/shop.rs
        depends serde = serde
        path cart = ../cart
        depends rand_old = rand
        shared shared_kit = shared-kit
        path test_kit = kit
        workspace shared-kit = crates/kit
        patch rand = vendor/rand
        """,
    )


def test_python_source_roots() -> None:
    """Each build back end and test runner has its own place for the folders that modules lie in."""
    check(
        "pyproject.toml",
        """
[project]
name = "shop"
[tool.setuptools.packages.find]
where = ["src", "lib"]
[tool.setuptools.package-dir]
"" = "code"
"a.b" = "python/a/b"
extra = "other/place"
[tool.poetry]
packages = [{ include = "shop", from = "poetry" }, { include = "flat" }]
[tool.hatch.build.targets.wheel]
packages = ["hatch/shop", "flat"]
sources = { "mapped" = "", "kept" = "x" }
[tool.maturin]
python-source = "py"
[tool.pytest.ini_options]
pythonpath = "tests, tools"
[tool.mypy]
mypy_path = ["stubs"]
""",
        """
        name = shop
        root = src
        root = lib
        root = py
        root = tests
        root = tools
        root = stubs
        root = code
        root = python
        package extra = other/place
        root = poetry
        root = hatch
        root = .
        root = mapped
        """,
    )
    check(
        "setup.cfg",
        """
[metadata]
name = shop
[options]
package_dir =
    = src
    # a comment
    extra = other
[options.packages.find]
where = src
[tool:pytest]
pythonpath = tests tools
""",
        """
        name = shop
        root = src
        root = src
        package extra = other
        root = tests
        root = tools
        """,
    )
    check("pytest.ini", "[pytest]\npythonpath = src\n", "root = src")


def test_namespaces_of_php() -> None:
    """PSR-4 and PSR-0 prefixes, without the last backslash."""
    check(
        "composer.json",
        r"""{"autoload": {"psr-4": {"Acme\\Shop\\": ["src/", "gen/"], "": "lib"}, "classmap": ["old"]},
             "autoload-dev": {"psr-0": {"Acme_": "tests"}}}""",
        r"""
        psr-4 Acme\Shop = src/
        psr-4 Acme\Shop = gen/
        psr-4 = lib
        classmap = old
        psr-0 Acme_ = tests
        """,
    )


@pytest.mark.parametrize("project", sorted(READERS))
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe\x00",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"compilerOptions":' * 20_000,
        b'{"compilerOptions": {"paths": [1]}, "exports": 3, "imports": [], "name": {}, "main": 1}',
        b'{"compilerOptions": {"baseUrl": "\\ud800", "rootDir": "a\\u0000b", "outDir": 1e999}, "name": "\\udfff"}',
        b'{"n": ' + b"9" * 5_000 + b"}",
        b"a" + b".a" * 90_000 + b" = 1",
        b'"a"' + b'."a"' * 40_000 + b" = 1",
        b'"' * 200_000,
        b'\\"' * 100_000,
        b"/*" * 100_000,
        b'"""' * 60_000,
        b"[tool]\nsetuptools = 1\nhatch = []\n[package]\nname = 3\n[lib]\npath = []\n[dependencies]\n",
        b"[options]\npackage_dir\n[]\n=\n = \n  x\n[tool:pytest]\npythonpath\n",
        b"module\nmodule (\n)\n)\nreplace => \nreplace a => \nreplace (\n=>\n",
    ],
)
def test_any_text_gives_settings_or_none(project: str, text: bytes) -> None:
    """Broken, hostile and mistyped project files say nothing, in time that grows with their size."""
    assert settings(project, text) == []


def test_the_limits_are_kept() -> None:
    """Settings of one file are counted, long names are left out, the rest stays."""
    paths = ", ".join(f'"p{i}": ["x"]' for i in range(MOST_SETTINGS + 10))
    assert len(declared("tsconfig.json", f'{{"compilerOptions": {{"paths": {{{paths}}}}}}}')) == MOST_SETTINGS
    long = "x" * (LONGEST + 1)
    check("package.json", f'{{"name": "{long}", "main": "a.js"}}', "main = a.js")
    assert settings("package", b'{"name": "a"}' + b" " * 1_000_000) == []
    assert settings("", b'{"name": "a"}') == []
