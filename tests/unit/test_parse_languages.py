"""Which language a path or a text is, and when facts must be made anew."""

from __future__ import annotations

import pytest

from repoctx.errors import UsageError
from repoctx.parse import languages, parse
from repoctx.parse.queries import question
from repoctx.parse.version import parser_version


@pytest.mark.parametrize(
    "path,language",
    [
        ("src/app.py", "python"),
        ("stubs/app.pyi", "python"),
        ("a/B.JAVA", "java"),
        ("web/index.d.ts", "typescript"),
        ("web/App.tsx", "tsx"),
        ("web/App.jsx", "javascript"),
        ("include/store.h", "header"),
        ("include/store.hpp", "cpp"),
        ("Dockerfile", "dockerfile"),
        ("docker/Dockerfile.dev", "dockerfile"),
        ("Makefile", "make"),
        ("CMakeLists.txt", "cmake"),
        ("notes.txt", "text"),
        ("README", "markdown"),
        ("config/.env", "ini"),
        ("Gemfile", "ruby"),
        ("mix.exs", "elixir"),
        ("lib/parcel.mli", "ocaml_interface"),
        ("main.tf", "terraform"),
        ("bin/tool", "auto"),
        ("archive.unknown", "auto"),
        ("", "auto"),
    ],
)
def test_the_path_decides(path, language):
    """File names come before extensions, the longest extension wins, case does not matter."""
    assert languages.by_path(path) == language


@pytest.mark.parametrize(
    "text,language",
    [
        (b"#!/usr/bin/env python3\n", "python"),
        (b"#!/usr/bin/python3.11 -u\n", "python"),
        (b"#! /bin/sh -e\n", "bash"),
        (b"#!/usr/bin/env -S FOO=1 node --harmony\n", "javascript"),
        (b"\xef\xbb\xbf#!/usr/bin/ruby\n", "ruby"),
        (b"# -*- mode: ruby; coding: utf-8 -*-\n", "ruby"),
        (b"// -*- C -*-\n", "c"),
        (b"#comment\n# vim: set ft=lua :\n", "lua"),
        (b"#!/usr/bin/env nothing-we-know\n", "text"),
        (b"plain words", "text"),
        (b"", "text"),
    ],
)
def test_the_content_decides(text, language):
    """An interpreter line or an editor's modeline names the language of a file without extension."""
    assert languages.by_content(text) == language
    assert parse("auto", text).language == language


@pytest.mark.parametrize(
    "text,language",
    [
        (b"#ifndef A_H\nint f(void);\n#endif\n", "c"),
        (b"#include <stdio.h>\ntypedef struct a { int class_; } a;\n", "c"),
        (b"#include <vector>\nint f();\n", "cpp"),
        (b"#pragma once\nnamespace a {\n}\n", "cpp"),
        (b"  class Store;\n", "cpp"),
        (b"std::string f();\n", "cpp"),
        (b"#import <Foundation/Foundation.h>\n@class Store;\n", "objc"),
        (b"// class\n@protocol Sized\n@end\n", "objc"),
        (b"#import \"types.tlb\"\nnamespace a {}\n", "cpp"),
        (b"/** @interface of a */\nint f(void);\n", "c"),
        (b"", "c"),
    ],
)
def test_headers_are_told_apart_by_their_text(text, language):
    """A `.h` file is Objective-C or C++ if something in it is that alone, else C."""
    assert languages.resolve("header", text) == language


@pytest.mark.parametrize(
    "raw,text",
    [
        (b"plain\n", b"plain\n"),
        ("grün".encode(), "grün".encode()),
        (b"\xef\xbb\xbfx", b"\xef\xbb\xbfx"),
        ("grün\n".encode("utf-16"), "grün\n".encode()),
        ("grün\n".encode("utf-32"), "grün\n".encode()),
        (b"\xfe\xff\x00a", b"a"),
        (b"gr\xfcn \x96", "grün \N{EN DASH}".encode()),
        (b"\x81\xfc", "\x81ü".encode()),
        (b"\xff\xfe\x00", "\N{REPLACEMENT CHARACTER}".encode()),
        (b"", b""),
    ],
)
def test_bytes_become_text(raw, text):
    """UTF-16 and UTF-32 are transcoded, other bytes are read as Windows-1252, then as Latin-1."""
    assert languages.decode(raw) == text


def test_a_parser_version_is_stable_and_its_own():
    """12 hex digits, the same at each call, different for languages that differ."""
    versions = {name: parser_version(name) for name in languages.LANGUAGES}
    assert all(len(version) == 12 and int(version, 16) >= 0 for version in versions.values())
    assert len(set(versions.values())) == len(versions)
    assert parser_version("auto") not in versions.values()
    assert parser_version("python") == versions["python"]


def test_an_unknown_language_is_a_mistake_of_the_caller():
    """The message names the languages that there are."""
    with pytest.raises(UsageError, match=r"no language 'cobol'.*python"):
        languages.row("cobol")
    with pytest.raises(UsageError, match="no language 'cobol'"):
        parse("cobol", b"")
    with pytest.raises(UsageError, match="no language 'cobol'"):
        parser_version("cobol")


def test_auto_is_read_as_text():
    """The row of "auto" is that of plain text."""
    assert languages.row("auto").name == "text"
    assert languages.styles()["python"] == "dotted"


@pytest.mark.parametrize("name", [name for name, row in languages.LANGUAGES.items() if row.grammar])
def test_every_query_compiles(name):
    """Each pattern of each query asks for one thing that extraction knows."""
    found = question(name)
    assert found is not None
    subjects = {pattern.subject for pattern in found.patterns}
    assert {"definition", "reference"} <= subjects
    assert "import" not in subjects or languages.LANGUAGES[name].imports


def test_there_are_enough_languages_with_symbols():
    """A language that is lost by mistake would be read as text, and nothing else would say so."""
    assert sum(bool(row.grammar) for row in languages.LANGUAGES.values()) == 29


def test_no_name_is_claimed_twice():
    """An extension, file name or interpreter belongs to one language."""
    for column in ("extensions", "files", "interpreters"):
        claimed = [item for row in languages.LANGUAGES.values() for item in getattr(row, column)]
        assert sorted(claimed) == sorted(set(claimed))
