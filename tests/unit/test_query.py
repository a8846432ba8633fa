"""One query from any text: names, paths, stack frames of each language, failing tests, diffs; no boilerplate."""

from __future__ import annotations

import importlib.resources
import tomllib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoctx.errors import UsageError
from repoctx.retrieve import frames, query
from repoctx.retrieve.diff import FileChange, Hunk
from repoctx.retrieve.frames import Frame
from repoctx.retrieve.query import Query
from repoctx.tasks.ask import citations

ROWS = tomllib.loads(importlib.resources.files("repoctx.resources").joinpath("frames.toml").read_text(encoding="utf-8"))

REPORT = """
TypeError in `Session.get` when calling retry_call()

  File "/usr/lib/python3/site-packages/app/core/session.py", line 42, in get
see src/app/util.ts:17:3 and https://example.com/a/b.py, or README.md. Version 3.11 on x86.
The QuerySet#filter of django::db is "not a value".
"""


def test_a_report_is_taken_apart():
    """Names as written with dots, paths with lines; no URL, no version number."""
    found = query.parse(REPORT)
    assert found.paths == (
        ("/usr/lib/python3/site-packages/app/core/session.py", 42),
        ("README.md", 0),
        ("src/app/util.ts", 17),
    )
    assert {"Session.get", "get", "retry_call", "QuerySet.filter", "filter", "django.db", "TypeError"} <= set(
        found.identifiers
    )
    assert found.marked == ("Session", "Session.get", "TypeError", "get", "retry_call")
    assert found.quoted == ("not a value",)
    assert found.title == "TypeError in `Session.get` when calling retry_call()"
    assert found.title_terms == ("call", "calling", "error", "retry", "retry_call", "session", "type", "typeerror")
    assert "the" not in found.terms
    assert {"session", "retry_call", "retry", "call", "typeerror"} <= set(found.terms)
    assert [term for term, _ in found.frequency] == list(found.terms)


def test_a_query_of_one_letter_is_a_name_and_an_empty_one_is_refused():
    """`g` can be looked up; nothing cannot."""
    assert query.parse("g").identifiers == ("g",)
    for text in ("", "  ", "?!", "\x00", "\n\n", "\u202e\u200b"):
        with pytest.raises(UsageError, match="no words or names"):
            query.parse(text)


@pytest.mark.parametrize("unit", ["a", "@", "a.", "a/", "+", "(", "a_", "aB"])
def test_no_text_makes_reading_it_quadratic(unit):
    """200,000 hostile characters are read; a quadratic pattern would hang here for minutes."""
    text = unit * (200_000 // len(unit))
    assert query.parse("why " + text).terms
    assert citations(text, {}) == ()


# --- the data --------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS["frame"], ids=lambda row: row["language"])
def test_each_row_of_frames_reads_its_example(row):
    """The example of a row is one frame, and the one that stands beside it."""
    assert frames.read(row["example"].split("\n")).frames == (Frame(*row["frame"]),)


@pytest.mark.parametrize("kind, told", [("error", "errors"), ("failing", "failing")])
def test_each_row_of_messages_and_tests_reads_its_example(kind, told):
    """The example of a row is the message or the test that stands beside it."""
    found = [getattr(frames.read(row["example"].split("\n")), told) for row in ROWS[kind]]
    assert found == [(row[kind],) for row in ROWS[kind]]


# --- traces ----------------------------------------------------------------------------------------

PYTHON = r"""Traceback (most recent call last):
  File "/srv/app/store.py", line 10, in load
    return self.rows[key]
           ~~~~~~~~~^^^^^
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
  File "/srv/app/main.py", line 3, in <module>
    main()
  File "C:\srv\app\cli.py", line 7, in main
    store.load("a")
  File "/srv/app/store.py", line 12, in Store.load.<locals>.inner
    raise StoreMissing(key) from None
app.errors.StoreMissing: no such key: a
"""
NODE = r"""/srv/app/src/store.js:42
        throw new TypeError('no such key')
        ^

TypeError: no such key
    at Store.load [as get] (/srv/app/src/store.js:42:13)
    at async Promise.all (index 0)
    at async Object.handler (webpack:///./src/api/handler.ts?:17:5)
    at new Server (webpack-internal:///(app-pages-browser)/./src/server.tsx:9:3)
    at Object.<anonymous> (C:\Program Files (x86)\app\index.js:4:1)
    at Array.map (<anonymous>)
    at node:internal/main/run_main_module:28:49
    at file:///srv/app/main.mjs:1:1 {
  [cause]: Error: ECONNREFUSED
      at connect (/srv/app/src/net.js:3:9)
}
"""
JAVA = """Exception in thread "main" com.acme.StoreException: cannot load
	at com.acme.Store.load(Store.java:42)
	at com.acme.Store$Inner.<init>(Store.java:12)
	at java.base/java.util.ArrayList.forEach(ArrayList.java:1511)
	at app//com.acme.MainKt.main(Main.kt:5)
Caused by: java.io.IOException: closed
	at com.acme.Disk.read(Disk.java:8)
	at com.acme.Disk$read$2.invokeSuspend(Disk.kt)
	at jdk.internal.reflect.NativeMethodAccessorImpl.invoke0(Native Method)
	... 4 more
"""
GO = """panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
github.com/acme/app/store.(*Store[...]).Load(0xc0000b4000, {0x1, 0x2})
	/srv/go/src/app/store/store.go:42 +0x1b5
main.main.func1()
	C:/src/app/main.go:10 +0x25
created by main.start in goroutine 7
	/srv/go/src/app/main.go:30 +0x9d
exit status 2
"""
RUST = """thread 'main' panicked at src/store.rs:42:13:
index out of bounds: the len is 3 but the index is 99
stack backtrace:
   0: rust_begin_unwind
             at /rustc/90c541806f23a127002de5b4038be731ba1458ca/library/std/src/panicking.rs:578:5
   1: core::panicking::panic_bounds_check
   2: <app::store::Store<T> as core::ops::index::Index<usize>>::index
             at ./src/store.rs:40:9
   3: app::main::{{closure}}
             at ./src/main.rs:4:5
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
"""
GDB = """Program received signal SIGSEGV, Segmentation fault.
#0  0x0000555555555131 in foo::Store<int>::load (this=0x0, f=std::function<void ()>) at src/store.cpp:12
#1  0x0000555555555166 in (anonymous namespace)::run (n=3) at ../src/main.cpp:40
#2  main () at main.c:5
#3  0x00007ffff7a2d840 in __libc_start_main () from /lib/x86_64-linux-gnu/libc.so.6
"""
ASAN = """=================================================================
==12345==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010 at pc 0x0000004f0d3c
READ of size 4 at 0x602000000010 thread T0
    #0 0x4f0d3b in load /src/store.c:3:5
    #1 0x4f0e12 in ns::Store::get(int, char const*) const /src/store.cc:17
    #2 0x7f0b2a0 in __libc_start_main (/lib/x86_64-linux-gnu/libc.so.6+0x20830)
"""
CSHARP = r"""Unhandled exception. System.InvalidOperationException: cannot load
 ---> System.IO.IOException: closed
   at Acme.Disk.Read(String path) in /src/Acme/Disk.cs:line 8
   --- End of inner exception stack trace ---
   at Acme.Store.<LoadAsync>d__5.MoveNext() in C:\src\Acme\Store.cs:line 12
   at System.Linq.Enumerable.First[TSource](IEnumerable`1 source)
   at Acme.Program.<>c__DisplayClass0_0.<Main>b__0(Int32 x) in /src/Acme/Program.cs:line 4
   at Acme.Store..ctor(String name) in /src/Acme/Store.cs:line 3
"""
RUBY = """app/models/store.rb:42:in `load': undefined method `get' for nil:NilClass (NoMethodError)
	from app/models/store.rb:17:in `block (2 levels) in each'
	from /usr/lib/ruby/3.4.0/set.rb:5:in 'Set#each'
	from bin/run:3:in `<main>'
"""
PHP = r"""PHP Fatal error:  Uncaught TypeError: bad key in /var/www/src/Store.php:30
Stack trace:
#0 /var/www/src/Api.php(12): App\Store->load('a')
#1 [internal function]: App\Api::handle(Array)
#2 C:\www\index.php(3): array_map(Object(Closure), Array)
#3 {main}
  thrown in /var/www/src/Store.php on line 30
"""
SWIFT = """MyApp/Store.swift:42: Fatal error: Unexpectedly found nil while unwrapping an Optional value
Thread 0 Crashed:
0   libswiftCore.dylib    0x00007fff6c0f1a2b _assertionFailure(_:_:file:line:flags:) + 511
1   MyApp                 0x0000000104a03f2c static Store.load(path: Swift.String) -> Swift.Int + 44 (Store.swift:42)
2   MyApp                 0x0000000104a04abc closure #1 in Api.handle(_:) + 108 (Api.swift:7)
3   MyApp                 0x0000000104a05abc -[AppDelegate run:] + 12
"""

# language: (text, frames, messages, title)
TRACES = {
    "python": (
        PYTHON,
        [
            ("/srv/app/store.py", 12, "Store.load.inner"),
            ("C:/srv/app/cli.py", 7, "main"),
            ("/srv/app/main.py", 3, ""),
            ("", 0, "_run_module_as_main"),
            ("/srv/app/store.py", 10, "load"),
        ],
        ("KeyError: 'a'", "app.errors.StoreMissing: no such key: a"),
        "KeyError: 'a'",
    ),
    "node": (
        NODE,
        [
            ("/srv/app/src/net.js", 3, "connect"),
            ("/srv/app/src/store.js", 42, "Store.load"),
            ("", 0, "Promise.all"),
            ("./src/api/handler.ts", 17, "handler"),
            ("./src/server.tsx", 9, "Server"),
            ("C:/Program Files (x86)/app/index.js", 4, ""),
            ("", 0, "Array.map"),
            ("node:internal/main/run_main_module", 28, ""),
            ("/srv/app/main.mjs", 1, ""),
        ],
        ("TypeError: no such key", "Error: ECONNREFUSED"),
        "TypeError: no such key",
    ),
    "java": (
        JAVA,
        [
            ("Disk.java", 8, "com.acme.Disk.read"),
            ("Disk.kt", 0, "com.acme.Disk.read.invokeSuspend"),
            ("", 0, "jdk.internal.reflect.NativeMethodAccessorImpl.invoke0"),
            ("Store.java", 42, "com.acme.Store.load"),
            ("Store.java", 12, "com.acme.Store.Inner"),
            ("ArrayList.java", 1511, "java.util.ArrayList.forEach"),
            ("Main.kt", 5, "com.acme.MainKt.main"),
        ],
        ("com.acme.StoreException: cannot load", "java.io.IOException: closed"),
        "com.acme.StoreException: cannot load",
    ),
    "go": (
        GO,
        [
            ("/srv/go/src/app/store/store.go", 42, "github.com.acme.app.store.Store.Load"),
            ("C:/src/app/main.go", 10, "main.main"),
            ("/srv/go/src/app/main.go", 30, "main.start"),
        ],
        ("panic: runtime error: index out of range [5] with length 3",),
        "panic: runtime error: index out of range [5] with length 3",
    ),
    "rust": (
        RUST,
        [
            ("src/store.rs", 42, ""),
            (
                "/rustc/90c541806f23a127002de5b4038be731ba1458ca/library/std/src/panicking.rs",
                578,
                "rust_begin_unwind",
            ),
            ("", 0, "core.panicking.panic_bounds_check"),
            ("./src/store.rs", 40, "app.store.Store.index"),
            ("./src/main.rs", 4, "app.main"),
        ],
        ("index out of bounds: the len is 3 but the index is 99",),
        "index out of bounds: the len is 3 but the index is 99",
    ),
    "gdb": (
        GDB,
        [
            ("src/store.cpp", 12, "foo.Store.load"),
            ("../src/main.cpp", 40, "run"),
            ("main.c", 5, "main"),
            ("", 0, "__libc_start_main"),
        ],
        ("SIGSEGV",),
        "Program received signal SIGSEGV, Segmentation fault.",
    ),
    "asan": (
        ASAN,
        [("/src/store.c", 3, "load"), ("/src/store.cc", 17, "ns.Store.get"), ("", 0, "__libc_start_main")],
        ("AddressSanitizer: heap-use-after-free",),
        "AddressSanitizer: heap-use-after-free",
    ),
    "csharp": (
        CSHARP,
        [
            ("/src/Acme/Disk.cs", 8, "Acme.Disk.Read"),
            ("C:/src/Acme/Store.cs", 12, "Acme.Store.LoadAsync"),
            ("", 0, "System.Linq.Enumerable.First"),
            ("/src/Acme/Program.cs", 4, "Acme.Program.Main"),
            ("/src/Acme/Store.cs", 3, "Acme.Store"),
        ],
        ("System.InvalidOperationException: cannot load", "System.IO.IOException: closed"),
        "System.InvalidOperationException: cannot load",
    ),
    "ruby": (
        RUBY,
        [
            ("app/models/store.rb", 42, "load"),
            ("app/models/store.rb", 17, "each"),
            ("/usr/lib/ruby/3.4.0/set.rb", 5, "Set.each"),
            ("bin/run", 3, ""),
        ],
        ("NoMethodError: undefined method `get' for nil:NilClass",),
        "NoMethodError: undefined method `get' for nil:NilClass",
    ),
    "php": (
        PHP,
        [
            ("/var/www/src/Store.php", 30, ""),
            ("/var/www/src/Api.php", 12, "App.Store.load"),
            ("", 0, "App.Api.handle"),
            ("C:/www/index.php", 3, "array_map"),
        ],
        ("TypeError: bad key",),
        "TypeError: bad key",
    ),
    "swift": (
        SWIFT,
        [
            ("MyApp/Store.swift", 42, ""),
            ("", 0, "_assertionFailure"),
            ("Store.swift", 42, "Store.load"),
            ("Api.swift", 7, "Api.handle"),
            ("", 0, "AppDelegate.run"),
        ],
        ("Fatal error: Unexpectedly found nil while unwrapping an Optional value",),
        "Fatal error: Unexpectedly found nil while unwrapping an Optional value",
    ),
}


@pytest.mark.parametrize("text, wanted, errors, title", TRACES.values(), ids=TRACES)
def test_a_trace_is_read(text, wanted, errors, title):
    """All frames, innermost first and those of the last cause before; the messages; the title is a message."""
    found = query.parse(text)
    assert [tuple(frame) for frame in found.frames] == wanted
    assert (found.errors, found.title, found.kind) == (errors, title, "trace")
    assert {(path, line) for path, line, _ in wanted if path} <= set(found.paths)


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_is_read_out_of_a_quotation_and_a_log(name):
    """Quote marks, carriage returns, tabs before each line and the name of a container change no frame."""
    text, wanted, errors, _ = TRACES[name]
    for start, end in (("> ", "\n"), ("\t", "\r\n"), ("web_1  | ", "\n")):
        found = query.parse("".join(start + line + end for line in text.splitlines()))
        assert [tuple(frame) for frame in found.frames] == wanted
        assert found.errors == errors


def test_a_trace_without_what_it_says_is_still_read():
    """Frames alone: the innermost function is the title."""
    found = query.parse("#0  load (key=3) at src/store.c:12\n#1  main () at src/main.c:5\n")
    assert (found.kind, found.title) == ("trace", "load")
    assert found.frames == (Frame("src/store.c", 12, "load"), Frame("src/main.c", 5, "main"))


def test_traces_that_are_no_cause_of_each_other_stay_in_order():
    """The first failure first; a cause goes before its own effect alone."""
    other = JAVA.replace("load(Store.java:42)", "save(Store.java:50)").replace("Disk.java:8", "Disk.java:9")
    lines = [frame.line for frame in query.parse(f"{JAVA}\n{other}").frames if frame.function.startswith("com.acme")]
    assert lines == [8, 0, 42, 12, 5, 9, 50]
    section = "____ test_{0} ____\n\n>       load()\n\ntests/t.py:{0}:\n\n>  no\napp/x.py:{0}: KeyError\n"
    assert [tuple(frame)[:2] for frame in query.parse(section.format(1) + section.format(2)).frames] == [
        ("app/x.py", 1),
        ("tests/t.py", 1),
        ("app/x.py", 2),
        ("tests/t.py", 2),
    ]


def test_a_place_alone_is_no_frame_and_a_frame_within_a_sentence_leaves_it_its_words():
    """`main.go:42` is a path; a long line is not of the trace."""
    found = query.parse("main.go:42")
    assert (found.frames, found.paths, found.kind) == ((), (("main.go", 42),), "symbol")
    found = query.parse('It stops\nThe loader has File "/srv/x.py", line 3, in f as its only call into rows of disks.')
    assert found.frames == (Frame("/srv/x.py", 3, "f"),)
    assert {"loader", "disks"} <= set(found.terms)


@pytest.mark.parametrize(
    "written, language, name",
    [
        ("operator<<", "c", "operator"),
        ("std::vector<std::pair<int, int> >::operator[](unsigned long) const", "c", "std.vector.operator"),
        ("void ns::f<int>(int)", "c", "ns.f"),
        ("Foo->bar", "php", "Foo.bar"),
        ("Server$Companion.lambda$start$0", "java", "Server.Companion.start"),
        ("Acme.Outer+Inner.Run", "csharp", "Acme.Outer.Inner.Run"),
        ("rescue in block in save!", "ruby", "save!"),
        ("<lambda>", "python", ""),
        ("<anonymous>", "javascript", ""),
        ("$http.get", "javascript", "$http.get"),
        ("main.(*Server).handle-fm", "go", "main.Server.handle"),
        ("((((((", "c", ""),
    ],
)
def test_names_of_functions_are_qualified_with_dots(written, language, name):
    """No parameters, no type arguments, nothing that a compiler made up."""
    assert frames.qualified(written, language) == name


# --- failing tests ---------------------------------------------------------------------------------

PYTEST = """
============================= test session starts ==============================
platform linux -- Python 3.12.1, pytest-8.4.0, pluggy-1.5.0
rootdir: /srv/app
collected 3 items

tests/test_store.py F.F                                                  [100%]

=================================== FAILURES ===================================
____________________________ TestStore.test_load _______________________________

self = <test_store.TestStore object at 0x7f0b1c0d5e50>

    def test_load(self):
>       assert Store().load("a") == 1

tests/test_store.py:9:
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

    def load(self, key):
>       raise KeyError(key)
E       KeyError: 'a'

app/store.py:33: KeyError
=========================== short test summary info ============================
FAILED tests/test_store.py::TestStore::test_load - KeyError: 'a'
FAILED tests/test_store.py::test_get[a b] - assert 1 == 2
========================= 2 failed, 1 passed in 0.12s ==========================
"""


def test_the_output_of_pytest():
    """Ids without the name of their section, frames innermost first; nothing of the summary is a term."""
    found = query.parse(PYTEST)
    assert found.failing == ("tests/test_store.py::TestStore::test_load", "tests/test_store.py::test_get[a b]")
    assert found.frames == (Frame("app/store.py", 33, ""), Frame("tests/test_store.py", 9, ""))
    assert found.errors == ("KeyError: 'a'",)
    assert (found.kind, found.about_tests) == ("trace", False)
    assert {"platform", "linux", "session", "summary", "passed", "0x7f0b1c0d5e50"}.isdisjoint(found.terms)
    assert found.paths == (("app/store.py", 33), ("tests/test_store.py", 9))


@pytest.mark.parametrize(
    "text, failing",
    [
        (
            "--- FAIL: TestLoad (0.00s)\n    --- FAIL: TestLoad/missing_key (0.00s)\n"
            "        store_test.go:12: got 1, want 2\nFAIL\nFAIL\tgithub.com/acme/app/store\t0.012s\n",
            ("TestLoad", "TestLoad/missing_key"),
        ),
        (
            "FAIL src/store.test.js\n  \u25cf Store \u203a load \u203a rejects a missing key\n\n"
            "    expect(received).toBe(expected)\n\n      at Object.<anonymous> (src/store.test.js:5:20)\n\n"
            "Test Suites: 1 failed, 1 total\nTests:       1 failed, 2 passed, 3 total\n",
            ("Store \u203a load \u203a rejects a missing key",),
        ),
        (
            "[ERROR] Tests run: 2, Failures: 1, Errors: 0, Skipped: 0\n"
            "[ERROR] com.acme.StoreTest.load -- Time elapsed: 0.5 s <<< FAILURE!\n"
            "org.opentest4j.AssertionFailedError: expected: <1> but was: <2>\n"
            "\tat com.acme.StoreTest.load(StoreTest.java:42)\n[ERROR]   StoreTest.load:42 expected: <1>\n",
            ("com.acme.StoreTest.load",),
        ),
        (
            "running 2 tests\ntest store::tests::it_works ... FAILED\ntest store::tests::other ... ok\n\nfailures:\n\n"
            "---- store::tests::it_works stdout ----\nthread 'store::tests::it_works' panicked at src/store.rs:9:9:\n"
            "assertion `left == right` failed\n\ntest result: FAILED. 1 passed; 1 failed\n",
            ("store::tests::it_works",),
        ),
    ],
    ids=["go test", "jest", "JUnit", "cargo"],
)
def test_the_output_of_test_runners(text, failing):
    """The ids of the tests that fail, as the runner writes them."""
    found = query.parse(text)
    assert found.failing == failing
    assert found.kind == "trace"


# --- diffs -----------------------------------------------------------------------------------------

DIFF = """diff --git a/app/store.py b/app/store.py
index 1234567..89abcde 100644
--- a/app/store.py
+++ b/app/store.py
@@ -10,3 +10,3 @@ class Store:
     def load(self, key):
-        return old_rows[key]
+        return new_rows[key]
     unchanged = 1
"""


def test_a_diff():
    """Its changes; its words are those of changed lines and of what they are in."""
    found = query.parse(DIFF)
    rows = ["     def load(self, key):", "-        return old_rows[key]", "+        return new_rows[key]"]
    hunk = Hunk(10, 10, [*rows, "     unchanged = 1"])
    assert found.changes == (FileChange("a/app/store.py", "b/app/store.py", [hunk]),)
    assert (found.kind, found.title) == ("diff", "b/app/store.py")
    assert found.terms == tuple("app class key new new_rows old old_rows py return rows store".split())
    assert found.identifiers == ("new_rows", "old_rows")
    assert query.parse('diff --git "a/load\\007er.c" "b/load\\007er.c"\nBinary files differ\n').title == "b/load er.c"


def test_a_diff_within_prose():
    """A patch with a message is a diff with a title; a long report with a small one is a report."""
    found = query.parse(f"Subject: [PATCH] Store: read the new rows\n\n{DIFF}-- \n2.43.0\n")
    assert (found.kind, found.title) == ("diff", "[PATCH] Store: read the new rows")
    prose = "\n".join(f"The loader of store {word} reads rows twice." for word in "one two three four five".split())
    mixed = query.parse(f"Rows are read twice\n\n{prose}\n\n{prose.upper()}\n```diff\n{DIFF}```\n")
    assert (mixed.kind, mixed.title, len(mixed.changes)) == ("report", "Rows are read twice", 1)
    assert "unchanged" not in mixed.terms
    assert "afterwards" in query.parse(f"Rows are read twice\n\n{DIFF} afterwards\n").terms


# --- reports ---------------------------------------------------------------------------------------

TEMPLATE = """[Bug]: `Lasso.fit` ignores max_iter
<!-- Please search
the tracker first -->
- [x] I have searched the tracker
### Describe the bug
Fitting never stops, see https://example.org/acme/blob/main/model/lasso.py#L40-L42.
**Expected behavior:** it stops after `max_iter` steps.
### Steps/Code to Reproduce
```python
from shop.linear_model import (
    Lasso,
    Ridge as R,
)
import numpy as np

class Mine:
    pass

clf = Lasso(max_iter=3).fit(Mine(), np.zeros(3))
```
### Actual results
_No response_
### Versions
<details>

```
System:
    python: 3.10.6 (main, Mar 10 2023, 10:55:28) [GCC 11.3.0]
executable: /usr/bin/python
   machine: Linux-5.15.0-71-generic-x86_64-with-glibc2.35
Python dependencies:
        numpy: 1.24.3
       Cython: None
```
</details>
### Additional context
Ridge stops. Log: 2024-03-05 12:00:00,123 step 0x7ffd1234

Thanks in advance!
-- 
Jane
https://example.org/jane
"""


def test_a_template_is_dropped_and_what_was_filled_in_stays():
    """No headings, boxes, comments, versions, thanks or signature; imports and calls are marked."""
    found = query.parse(TEMPLATE)
    assert (found.kind, found.title) == ("report", "`Lasso.fit` ignores max_iter")
    assert found.paths == (("model/lasso.py", 40),)
    marked = (
        "Lasso Lasso.fit Ridge fit linear_model max_iter np.zeros numpy shop.linear_model shop.linear_model.Lasso "
        "shop.linear_model.Ridge zeros"
    )
    assert found.marked == tuple(marked.split())
    words = (
        "after class clf fit fitting ignores import iter lasso linear linear_model log max max_iter mine model never "
        "np numpy pass ridge see shop step steps stops zeros"
    )
    assert found.terms == tuple(words.split())
    assert dict(found.frequency)["max_iter"] == 3


@pytest.mark.parametrize(
    "boilerplate",
    [
        "INSTALLED VERSIONS\n------------------\ncommit: None\npython: 3.8.13 | packaged by conda-forge\nOS: Windows\n",
        "$ pip list\nPackage    Version\n---------- -------\nattrs      19.3.0\nzipp       0.6.0\n",
        "attrs==19.3.0\nmore-itertools==8.0.2\nzipp==0.6.0\n",
        "**Environment:**\n - OS: Ubuntu 22.04\n - Browser: Firefox 120\n - Version: 1.2.3\n",
        "Python version: 3.11\nOS: macOS\n",
        "| package | version |\n|---|---|\n| numpy | 1.24.3 |\n| scipy | 1.10.1 |\n| pandas | 2.0.1 |\n",
        "(last modified by Jane Doe)\nDescription\n",
        "h2. Steps to reproduce:\n*Actual Results*\nHow to reproduce the bug?\nWhat did you expect to happen?\n",
        "<!-- A comment\nof several lines -->\n",
        "- [ ] I have read the documentation\n* [X] I searched\n",
        "# Copyright (c) 2020 The Authors. All rights reserved.\n#\n# Licensed under the Apache License, Version 2.0\n",
        "Permission is hereby granted, free of charge,\nto any person obtaining a copy\n",
        "Hi all,\n",
        "Thanks a lot!\nSent from my phone\n",
        "On Mon, 4 Mar 2024 at 10:00, Jane Doe <jane@example.org> wrote:\n",
        "-- \nJane Doe\nSome Company\n",
    ],
)
def test_boilerplate_adds_no_word(boilerplate):
    """What a template, a form or a mail program adds changes neither words nor names, before or after the text."""
    text = "Loader forgets the cache\nIt is stale after a reload of everything.\n"
    plain = query.parse(text)
    before = [] if boilerplate.startswith("-- ") else [f"{boilerplate}\n### Summary\n{text}"]
    for whole in (text + boilerplate, *before):
        found = query.parse(whole)
        assert (found.title, found.terms, found.identifiers) == (plain.title, plain.terms, plain.identifiers)


def test_what_only_looks_like_boilerplate_stays():
    """A sentence after versions, a comment that never ends, a version within a sentence."""
    found = query.parse("Loader fails\nVersions\nnumpy: 1.2.3\nIt went well up to the upgrade of disks.\n")
    assert found.terms == ("disks", "fails", "loader", "up", "upgrade", "well", "went")
    assert query.parse("Loader fails\n<!-- never closed\non disks\n").terms == ("disks", "fails", "loader")
    assert query.parse("Loader fails\nsince numpy 1.24.3 came\n").terms == (
        "24",
        "came",
        "fails",
        "loader",
        "numpy",
        "since",
    )


def test_numbers_and_repetitions_of_a_long_text_are_data():
    """Lines that differ in numbers alone count once; a question may be about a number."""
    rows = "".join(f"loading rows of disk {n} now\n" for n in range(100, 150))
    found = query.parse(f"Loader fails with 404\n{rows}```\nload(5000)\n```\n")
    words = "404 disk fails load loader loading now rows"
    assert found.frequency == tuple((word, 1) for word in words.split())
    assert query.parse("answer of 404").terms == ("404", "answer")


def test_text_that_is_all_boilerplate_is_searched_for_as_it_is():
    """Somebody may look for what is usually none."""
    assert query.parse("Expected behavior\nEnvironment").terms == ("behavior", "environment", "expected")
    assert query.parse("https://example.org/acme/blob/main/src/x.py#L10").terms == ()
    assert query.parse("steps to reproduce").terms == ("reproduce", "steps")


def test_a_trace_keeps_the_source_of_its_innermost_frames_alone():
    """The words of a report are its own and those next to the failure."""
    rows = "".join(f'  File "/srv/f{n}.py", line {n}, in f{n}\n    call_of_{n}()\n' for n in range(1, 10))
    found = query.parse(f"It fails\n\nTraceback (most recent call last):\n{rows}ValueError: no\n")
    assert [name for name in found.identifiers if "call" in name] == ["call_of_7", "call_of_8", "call_of_9"]
    assert "recent" not in found.terms


@pytest.mark.parametrize(
    "text, kind",
    [
        ("Client.send", "symbol"),
        ("`parse_args()`", "symbol"),
        ("HttpResponse make_bytes", "symbol"),
        ("Store#load\nstore::Store", "symbol"),
        ("client", "symbol"),
        ("Client", "symbol"),
        ("src/app.py", "symbol"),
        ("src/app.py:12", "symbol"),
        ("parse config", "question"),
        ("where are retries counted?", "question"),
        ("why does Client.send hang", "question"),
        ("TypeError: can't multiply", "question"),
        ("Two lines\nof plain prose", "question"),
        ("It breaks\n```\nload(1)\n```", "report"),
        ("word " * 41, "report"),
        ('  File "/srv/app/x.py", line 3, in f', "trace"),
        ('Traceback: File "a.py", line 3, in f x() File "b.py", line 4, in g y() ValueError: no', "trace"),
        ("https://example.org/acme/blob/main/src/x.py#L10-L20", "question"),
    ],
)
def test_kinds(text, kind):
    """Names alone, a question, a long text."""
    assert query.parse(text).kind == kind


@pytest.mark.parametrize(
    "text, about",
    [
        ("which tests cover the loader", True),
        ("mock of the clock", True),
        ("where is tests/unit/test_x.py used", False),
        ("what does --test do", False),
        ("Flaky test in the loader\n" + "It stops now and then. " * 20, True),
        ("Loader stops\n" + "It stops now and then. " * 20 + "I ran a test.", False),
        ("Loader stops\n" + "It stops now and then. " * 40 + "I ran a test. And a test.", False),
        (PYTHON.replace("app", "tests"), False),
        ("Loader stops\n- [x] I ran the tests\n- [x] I added tests\n", False),
    ],
)
def test_what_asks_about_tests(text, about):
    """A path, an option, a trace, a box to tick and a passing mention do not."""
    assert query.parse(text).about_tests is about


@pytest.mark.parametrize(
    "text, names",
    [
        ("from shop.models import Lasso", "Lasso models shop.models shop.models.Lasso"),
        (">>> import x.y as z", "x.y y"),
        ("use a::b::{c, d};", "a.b a.b.c a.b.d b c d"),
        ("use App\\Model\\Store;", "App.Model App.Model.Store Model Store"),
        ("const s = require('x/y');", "require x.y y"),
        ("import { load, type Row } from '@acme/store';", "Row acme.store acme.store.Row acme.store.load load store"),
        ("import com.acme.Store;", "Store com.acme.Store"),
        ("using Acme.Stores;", "Acme.Stores Stores"),
    ],
)
def test_imports_are_marked_names(text, names):
    """With their module and without it."""
    found = query.parse(f"It fails\n```\n{text}\n```\n")
    assert " ".join(found.marked) == names


@pytest.mark.parametrize(
    "text, names",
    [
        ("`a b` and Client.send", "Client.send a b send"),
        ("Store#load, std::move, obj->field", "Store.load field load move obj.field std.move"),
        ("HTTPAdapter, makeBytes, snake_case, CONST_CASE, run()", "CONST_CASE HTTPAdapter makeBytes run snake_case"),
        ("\u8c03\u7528Client.send\u65f6", "Client.send send"),
        ("e.g. self.rows if `None`", "rows self.rows"),
        ("`examples/plot.py` and `https://example.org/a_b` fail", ""),
        ("gr\u00f6\u00dfe_alt", "gr\u00f6\u00dfe_alt"),
    ],
)
def test_names(text, names):
    """What looks like code, or is said to be; code may stand next to words of other scripts."""
    assert " ".join(query.parse(text).identifiers) == names


@pytest.mark.parametrize(
    "text, places",
    [
        ("see src\\app\\main.py:12 now", [("src/app/main.py", 12)]),
        ("in C:\\src\\app\\main.cs", [("C:/src/app/main.cs", 0)]),
        ("at lib/x.ts(12,5): error", [("lib/x.ts", 12)]),
        ("does/not/exist.rs:3:4", [("does/not/exist.rs", 3)]),
        ("https://example.org/acme/app/-/blob/main/lib/x.rb#L7", [("lib/x.rb", 7)]),
        ("https://example.org/a/b.py", []),
        ("\u5728src/app.py\u4e2d", [("src/app.py", 0), ("\u5728src/app.py\u4e2d", 0)]),
        ("1/2 of 3.14", []),
        ("match a\\b or c\\d", []),
    ],
)
def test_paths(text, places):
    """With slashes, and the line if one is given."""
    assert list(query.parse(text).paths) == places


def test_text_from_right_to_left_and_control_characters():
    """Marks of direction, invisible and control characters are gone; words of any script stay."""
    found = query.parse("\u202efix\u202c \u0645\u0631\u062d\u0628\u0627 the\u200bcache\x07 \x1b[31mred\x1b[0m \ud800")
    assert found.title == "fix \u0645\u0631\u062d\u0628\u0627 thecache red"
    assert found.terms == ("fix", "red", "thecache", "\u0645\u0631\u062d\u0628\u0627")


def test_binary_data_is_left_out():
    """A line that is no text says nothing; alone it is nothing to search for."""
    binary = "\x7fELF\x02\x01\x01" + "\x00" * 9 + "\x03\x00>\x00lib.so\x00"
    assert query.parse(f"loader fails on\n{binary}\n").terms == ("fails", "loader")
    with pytest.raises(UsageError, match="no words or names"):
        query.parse(binary)


def test_only_stop_words_and_regular_expressions():
    """Somebody may mean them."""
    assert query.parse("how is it").terms == ("how", "is", "it")
    assert query.parse(r"^(\w+)\.(?P<name>[a-z]*)$").terms == ("name",)


def test_a_long_log_keeps_its_beginning_and_its_end():
    """Of two million characters the first and the last ones are read."""
    lines = "".join(f"2024-03-05 12:00:00,{n:06} INFO loaded row {n} of middle_{n}\n" for n in range(30_000))
    found = query.parse(f"Import stops\n{lines}{JAVA}")
    assert (found.title, len(found.text)) == ("Import stops", 200_001)
    assert found.frames[0] == Frame("Disk.java", 8, "com.acme.Disk.read")
    assert "middle_15000" not in found.terms


def test_of_many_terms_those_of_the_title_and_of_names_are_kept():
    """Then the most frequent ones."""
    letters = str.maketrans("0123456789", "abcdefghij")
    common = " ".join(f"word{n:04}".translate(letters) for n in range(600))
    found = query.parse(f"zebra crossing\n{common}\nzoo_name yes yes yes\n")
    assert len(found.terms) == query.MOST_TERMS
    assert {"zebra", "crossing", "zoo_name", "zoo", "yes"} <= set(found.terms)
    assert found.title_terms == ("crossing", "zebra")


def test_quoted_text():
    """Between double, single and typographic quotes; an apostrophe is none."""
    found = query.parse("it doesn't say \"no such key\" or 'bad key' isn't \u201cgone now\u201d")
    assert found.quoted == ("bad key", "gone now", "no such key")


# --- laws ------------------------------------------------------------------------------------------

PIECES = [
    *(row["example"] for kind in ("frame", "error", "failing") for row in ROWS[kind]),
    *"`x.y` ``` {{{ <!-- --> ### ** | - \" ' \\ / : ( ) [ ] { } @ # => \n \r \t".split(" "),
    *("\x00", "\x1b[31m", "\u202e", "\ud800", "\u0301", "\u4e2d", "\U0001f600", "\u2028", "\x85"),
    *("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", "diff --git a/x b/y\n", "Versions\n", "numpy: 1.2.3\n", "-- \n"),
]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=20)), max_size=12).map("".join))
def test_any_text_is_a_query_or_refused(text):
    """It is the same each time, bounded, and nothing in it has control characters."""
    try:
        found = query.parse(text)
    except UsageError:
        return
    assert found == query.parse(text)
    assert isinstance(found, Query)
    assert set(found.title_terms) <= set(found.terms)
    assert [term for term, _ in found.frequency] == list(found.terms) == sorted(found.terms)
    assert set(found.marked) <= set(found.identifiers)
    assert len(found.terms) <= query.MOST_TERMS
    assert len(found.identifiers) <= query.MOST_NAMES
    assert len(found.paths) <= query.MOST_PATHS
    assert len(found.frames) <= frames.MOST_FRAMES
    assert len(found.errors) <= frames.MOST_ERRORS
    assert len(found.failing) <= frames.MOST_FAILING
    assert len(set(found.frames)) == len(found.frames)
    written = [found.title, *found.identifiers, *found.errors, *found.failing, *(path for path, _ in found.paths)]
    written += [part for path, _, function in found.frames for part in (path, function)]
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in "".join(written))


@pytest.mark.parametrize(
    "text, names, words",
    [
        ("--- FAIL: TestMux/nested_route (0.00s)\nFAIL\n", {"TestMux", "nested_route"}, {"nested"}),
        ("FAILED tests/test_a.py::TestA::test_total[x-1] - AssertionError\n", {"TestA", "test_total"}, {"total"}),
        ("  ● cart \u203a adds the price\n\n    expect(received).toBe(expected)\n", {"cart"}, {"adds", "price"}),
        ("test store::tests::it_loads ... FAILED\n", {"store", "tests", "it_loads"}, {"loads"}),
    ],
)
def test_the_name_of_a_failing_test_is_looked_for(text, names, words):
    """As a name where it is one, as words where it is a sentence; subtests are no paths."""
    found = query.parse(text)
    assert names <= set(found.identifiers) & set(found.marked)
    assert words <= set(found.terms)
    assert {path for path, _ in found.paths} <= {"tests/test_a.py"}
