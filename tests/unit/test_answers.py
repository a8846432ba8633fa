"""What a model wrote, as a page shows it: exactly."""

from __future__ import annotations

import pytest

from repoctx.serve.web.answers import MOST_MARKDOWN, Changed, Line, changed, place, prose


def cited(path: str, line: int, end: int = 0, exists: bool = True) -> dict[str, object]:
    """A citation as the result of a task has it."""
    return {"path": path, "line": line, "end": end, "exists": exists}


CITED = [
    cited("shop/cart.py", 5), cited("shop/cart.py", 50), cited("shop/cart.py", 3, 9), cited("my file.py", 1),
    cited("app/[id]/a&b.ts", 2), cited("gone.py", 1, exists=False), cited("<b>.py", 4),
]  # fmt: skip
CART = "/r/shop/files/shop/cart.py?ref=a%2Fb"


@pytest.mark.parametrize(
    "text, html",
    [
        ("It **is** here.", "<p>It <strong>is</strong> here.</p>\n"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        ("a <b onclick=x>b</b>", "<p>a &lt;b onclick=x&gt;b&lt;/b&gt;</p>\n"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("[x](https://e.example/?q=1)", "<p>[x](https://e.example/?q=1)</p>\n"),
        ("<https://e.example>", "<p>&lt;https://e.example&gt;</p>\n"),
        ("![x](https://e.example/a.png)", "<p>![x](https://e.example/a.png)</p>\n"),
        ("[x]\n\n[x]: /leave", "<p>[x]</p>\n<p>[x]: /leave</p>\n"),
        ("# One\n### Two", "<h3>One</h3>\n<h3>Two</h3>\n"),
        ("a\n---\nb", "<p>a</p>\n<hr />\n<p>b</p>\n"),
        ("```x\" onclick=\"y\na<b\n```", "<pre><code>a&lt;b\n</code></pre>\n"),
        ("a\x1b[31m\u202eb &#x202e; \ud800", "<p>a\\x1b[31m\\u202eb \\u202e \\ud800</p>\n"),
        ("`\u202e`\n\n```\n\u2066\n```", "<p><code>\\u202e</code></p>\n<pre><code>\\u2066\n</code></pre>\n"),
        (
            "a.py\n<<<<<<< SEARCH\n  _a_\n=======\n  *b*\n>>>>>>> REPLACE\nso",
            "<p>a.py</p>\n<pre><code>&lt;&lt;&lt;&lt;&lt;&lt;&lt; SEARCH\n  _a_\n=======\n  *b*\n"
            "&gt;&gt;&gt;&gt;&gt;&gt;&gt; REPLACE\n</code></pre>\n<p>so</p>\n",
        ),
        ("<<<<<<< SEARCH\nx", "<p>&lt;&lt;&lt;&lt;&lt;&lt;&lt; SEARCH\nx</p>\n"),
        ("see shop/cart.py:5.", f'<p>see <a href="{CART}#L5">shop/cart.py:5</a>.</p>\n'),
        ("(./shop/cart.py:50)", f'<p>(<a href="{CART}#L50">./shop/cart.py:50</a>)</p>\n'),
        ("`shop/cart.py:3-9`", f'<p><a href="{CART}#L3-L9"><code>shop/cart.py:3-9</code></a></p>\n'),
        ("`my file.py:1`", '<p><a href="/r/shop/files/my%20file.py?ref=a%2Fb#L1"><code>my file.py:1</code></a></p>\n'),
        (
            "`app/[id]/a&b.ts:2`",
            '<p><a href="/r/shop/files/app/%5Bid%5D/a%26b.ts?ref=a%2Fb#L2"><code>app/[id]/a&amp;b.ts:2</code></a>'
            "</p>\n",
        ),
        (
            "`<b>.py:4`",
            '<p><a href="/r/shop/files/%3Cb%3E.py?ref=a%2Fb#L4"><code>&lt;b&gt;.py:4</code></a></p>\n',
        ),
        ("shop/cart.py:51 shop/cart.py:500", "<p>shop/cart.py:51 shop/cart.py:500</p>\n"),
        ("my/shop/cart.py:5 gone.py:1", "<p>my/shop/cart.py:5 gone.py:1</p>\n"),
    ],
)  # fmt: skip
def test_prose_is_markdown_in_which_only_places_are_links(text: str, html: str) -> None:
    """HTML, pictures and links elsewhere stay text; what does not print, or turns the direction, is a code."""
    assert prose(text, CITED, place("shop", "a/b")) == html


def test_a_table_is_one() -> None:
    """And what is in it is escaped as all else."""
    html = prose("|a|b|\n|-|-:|\n|<i>|shop/cart.py:5|", CITED, place("shop", None))
    assert html == (
        "<table>\n<thead>\n<tr>\n<th>a</th>\n<th style=\"text-align:right\">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n"
        '<td>&lt;i&gt;</td>\n<td style="text-align:right"><a href="/r/shop/files/shop/cart.py#L5">shop/cart.py:5</a>'
        "</td>\n</tr>\n</tbody>\n</table>\n"
    )  # fmt: skip


def test_a_text_without_end_is_shown_as_it_is() -> None:
    """Markdown is not read in it."""
    text = "\n*a* <b> \x07" + "x" * MOST_MARKDOWN
    assert prose(text, CITED, place("shop", None)) == f"<pre>\n\n*a* &lt;b&gt; \\x07{'x' * MOST_MARKDOWN}</pre>"


def test_many_places_in_many_lines() -> None:
    """Each is found, whatever else there is."""
    many = [cited(f"m{number}/a.py", number) for number in range(1, 1001)]
    text = "\n\n".join(f"see m{number}/a.py:{number} and m{number}/a.py:{number}1" for number in range(1, 1001))
    assert prose(text, many, place("shop", None)).count('<a href="/r/shop/files/m') == 1000


ODD = """diff --git a/a.sql b/a.sql
--- a/a.sql
+++ b/a.sql
@@ -1,4 +1,4 @@ create
 one\x0ctwo
--- a comment
+++ another

-last
\\ No newline at end of file
+last\r
@@ -20 +20,0 @@
-gone
diff --git a/new.txt b/new.txt
new file mode 100644
--- /dev/null
+++ b/new.txt
@@ -0,0 +1 @@
+x
\\ No newline at end of file
diff --git "a/d\\303\\251.txt" "b/d\\303\\251.txt"
deleted file mode 100644
--- "a/d\\303\\251.txt"
+++ /dev/null
@@ -1 +0,0 @@
-x
diff --git a/my old.py b/my new.py
similarity index 100%
rename from my old.py
rename to my new.py
"""


def test_a_change_is_shown_line_by_line() -> None:
    """Lines that look like heads, no line feed at the end, new and deleted files, other names."""
    assert changed(ODD) == [
        Changed("a.sql", "", 2, 3, [
            Line("place", None, None, "@@ -1,4 +1,4 @@ create"),
            Line("same", 1, 1, "one\x0ctwo"),
            Line("removed", 2, None, "-- a comment"),
            Line("added", None, 2, "++ another"),
            Line("same", 3, 3, ""),
            Line("removed", 4, None, "last"),
            Line("note", None, None, "\\ No newline at end of file"),
            Line("added", None, 4, "last\r"),
            Line("place", None, None, "@@ -20 +20,0 @@"),
            Line("removed", 20, None, "gone"),
        ]),
        Changed("new.txt", "new", 1, 0, [
            Line("place", None, None, "@@ -0,0 +1 @@"),
            Line("added", None, 1, "x"),
            Line("note", None, None, "\\ No newline at end of file"),
        ]),
        Changed("d\u00e9.txt", "deleted", 0, 1, [
            Line("place", None, None, "@@ -1 +0,0 @@"),
            Line("removed", 1, None, "x"),
        ]),
        Changed("my new.py", "was my old.py", 0, 0, []),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "diff, expected",
    [
        ("", []),
        ("no diff\n@@ -1 +1 @@\n-a\n", []),
        ("--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n-a\n", [Changed("x", "", 0, 1, [
            Line("place", None, None, "@@ -1,9 +1,9 @@"), Line("removed", 1, None, "a"), Line("same", 2, 1, "")])]),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n--- a/y\n+++ b/y\n@@ -1 +0,0 @@\n-c", [
            Changed("x", "", 1, 1, [
                Line("place", None, None, "@@ -1 +1 @@"), Line("removed", 1, None, "a"), Line("added", None, 1, "b")]),
            Changed("y", "", 0, 1, [Line("place", None, None, "@@ -1 +0,0 @@"), Line("removed", 1, None, "c")])]),
        ("diff --git a/x b/x\n@@ -1,2 +1 @@\n-a\n?what\n", [Changed("x", "", 0, 1, [
            Line("place", None, None, "@@ -1,2 +1 @@"), Line("removed", 1, None, "a"),
            Line("note", None, None, "?what")])]),
    ],
)  # fmt: skip
def test_a_change_that_is_cut_short_or_no_change(diff: str, expected: list[Changed]) -> None:
    """What is there is shown; nothing fails."""
    assert changed(diff) == expected
