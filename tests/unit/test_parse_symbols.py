"""Which names a blob defines, for whom, and what they are called."""

from __future__ import annotations

import pytest

from repoctx.parse import parse
from repoctx.parse.languages import LANGUAGES
from repoctx.parse.texts import without_macros


def defined(language: str, text: str) -> list[tuple[str, str, str]]:
    """Kind and descriptor of each symbol, and the descriptor of the one around it."""
    symbols = parse(language, text.encode()).symbols
    return [(s.kind, s.descriptor, symbols[s.parent].descriptor if s.parent >= 0 else "") for s in symbols]


@pytest.mark.parametrize("language", ["javascript", "typescript", "tsx"])
def test_what_a_callback_defines_is_seen_in_it_alone(language):
    """Its functions and classes say so in their descriptors; its variables are no symbols."""
    text = """
test("a", () => {
  const x = () => { function deep() {} };
  class Foo { m() {} }
  const q = 1;
  on(function () { function inner() {} });
});
const router = make(function () { function route() {} });
"""
    assert defined(language, text) == [
        ("function", "().x", ""),
        ("function", "().x.deep", "().x"),
        ("class", "().Foo", ""),
        ("method", "().Foo.m", "().Foo"),
        ("function", "().inner", ""),
        ("constant", "router", ""),
        ("function", "router.().route", "router"),
    ]


@pytest.mark.parametrize("language", ["javascript", "typescript", "tsx"])
def test_a_named_function_is_around_what_its_callbacks_define(language):
    """Whoever can name it stands in that function."""
    text = "function named() { on(() => { function f() {} }) }\nexport const g = () => { function h() {} }\n"
    assert defined(language, text) == [
        ("function", "named", ""), ("function", "named.f", "named"), ("function", "g", ""), ("function", "g.h", "g"),
    ]  # fmt: skip


def test_what_a_function_exports_is_seen_outside_of_it():
    """Scripts that were modules before there were modules."""
    text = "(function (exports) { exports.f = function () {}; function g() {} A.prototype.h = function () {} })(this)"
    assert defined("javascript", text) == [("function", "f", ""), ("function", "().g", ""), ("function", "().A.h", "")]


def test_assigned_members_define_where_nothing_declares_them():
    """In TypeScript a member is declared by its type, but for what a module sets on its own functions."""
    text = "f.extra = () => 1;\nfunction set(inst) { inst.parse = () => 1; later = () => 2 }\n"
    assert defined("typescript", text) == [("function", "f.extra", ""), ("function", "set", "")]
    assert defined("javascript", text) == [
        ("function", "f.extra", ""), ("function", "set", ""), ("function", "set.inst.parse", "set"),
    ]  # fmt: skip


@pytest.mark.parametrize("language", ["javascript", "typescript"])
def test_a_default_export_without_a_name_is_called_default(language):
    """So its members have something to be members of."""
    assert defined(language, "export default class { run() {} }\n") == [
        ("class", "default", ""), ("method", "default.run", "default"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "decorator,kind",
    [
        ("property", "property"),
        ("cached_property", "property"),
        ("functools.cached_property", "property"),
        ("abc.abstractproperty", "property"),
        ("a.setter", "property"),
        ("a.deleter", "property"),
        ("propertyless", "method"),
        ("a.setting", "method"),
        ("property_of(1)", "method"),
        ("staticmethod", "method"),
    ],
)
def test_properties_of_python(decorator, kind):
    """They are read like fields and have bodies like methods."""
    text = f"class A:\n    @{decorator}\n    def a(self):\n        self.z = 1\n        x = 2\n        return 1\n"
    assert defined("python", text) == [("class", "A", ""), (kind, "A.a", "A"), ("field", "A.z", "A")]
    assert [s.body_line for s in parse("python", text.encode()).symbols] == [0, 4, 0]


@pytest.mark.parametrize("language", ["javascript", "typescript"])
def test_accessors_are_properties(language):
    """`get` and `set`, but not methods of these names."""
    text = "class A {\n  get a() { return 1 }\n  static set a(v) {}\n  get() {}\n  set(v) {}\n}\n"
    assert defined(language, text) == [
        ("class", "A", ""), ("property", "A.a", "A"), ("property", "A.a", "A"), ("method", "A.get", "A"),
        ("method", "A.set", "A"),
    ]  # fmt: skip


def test_macros_do_not_hide_what_stands_behind_them():
    """The grammar of C++ sees spaces where only a preprocessor understands; no line or column moves."""
    text = """
class API_EXPORT Error : public std::exception {
 public:
  ~Error() NOEXCEPT override;
  void clear() NOEXCEPT {}
};
API_INLINE struct tag_t {};
static API_CALL unsigned_t f(int a) { return a; }
void g() {
  BEGIN_CHECK
  check(1);
  END_CHECK
}
struct less { bool operator ()(int a) const; };
"""
    assert defined("cpp", text) == [
        ("class", "Error", ""), ("method", "Error.~Error", "Error"), ("method", "Error.clear", "Error"),
        ("struct", "tag_t", ""), ("function", "f", ""), ("function", "g", ""),
        ("struct", "less", ""), ("method", "less.operator ()", "less"),
    ]  # fmt: skip
    assert without_macros(LANGUAGES["c"].macros, text.encode()).count(b"\n") == text.count("\n")


def test_macros_of_c_that_make_a_function_hold_locals():
    """`TEST(a, b) { ... }` defines no variables of the file; a lone enumerator is no macro."""
    text = "TEST(Group, name)\n{\n    int x = 1;\n    f(x);\n}\nint y;\n"
    text += "enum one {\n    ALONE\n};\nBOOL\nCloseIt(int a)\n{\n}\n"
    assert defined("c", text) == [
        ("variable", "y", ""), ("enum", "one", ""), ("enum_member", "one.ALONE", "one"), ("function", "CloseIt", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "language,text,expected",
    [
        ("typescript", "let x: core.$Type<A>", [("$Type", "core"), ("A", "")]),
        ("go", "package p\nfunc f(c context.Context) {}\n", [("Context", "context")]),
        ("rust", "fn f(g: &mut fmt::Formatter) {}\n", [("Formatter", "fmt")]),
    ],
)
def test_the_qualifier_of_a_type_is_kept(language, text, expected):
    """The whole dotted name says more than its last part."""
    assert [(r.name, r.qualifier) for r in parse(language, text.encode()).references] == expected


def test_accessors_of_other_languages_are_properties():
    """A field with code of its own is one; what its code sets are locals."""
    text = "class A {\n  val x: Int\n    get() { val y = 1; return y }\n  var z = 2\n}\n"
    assert defined("kotlin", text) == [("class", "A", ""), ("property", "A.x", "A"), ("field", "A.z", "A")]
    text = "<?php class A { public int $x { get => 1; } public int $z; }"
    assert defined("php", text) == [("class", "A", ""), ("property", "A.x", "A"), ("field", "A.z", "A")]
