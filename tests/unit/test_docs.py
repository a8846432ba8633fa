"""What does `repoctx.docs` give, and what does `repoctx docs` print?"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import sys

import pytest
from documents import FOLDER

from repoctx import docs
from repoctx.errors import NotFoundError

# --- topics ------------------------------------------------------------------------------------


def test_every_document_is_a_topic():
    """Each file is listed once, begins with its title, and has a summary of one line."""
    assert sorted(topic.name for topic in docs.topics()) == [path.stem for path in sorted(FOLDER.glob("*.md"))]
    for topic in docs.topics():
        assert docs.text(topic.name).startswith(f"# {topic.title}\n\n")
        assert 10 < len(topic.summary) <= 100, topic
        assert "\n" not in topic.summary
    assert len({topic.title for topic in docs.topics()}) == len(docs.topics())


@pytest.mark.parametrize(
    "asked,said",
    [
        ("quickstrat", "no topic is called 'quickstrat': did you mean 'quickstart'?"),
        ("../README", "no topic is called '../README': there are quickstart, "),
        ("", "no topic is called '': there are quickstart, "),
    ],
)
def test_an_unknown_topic_names_the_nearest(asked, said):
    """Or all, where none is near; a name is never a path."""
    for read in (docs.text, docs.html):
        with pytest.raises(NotFoundError) as caught:
            read(asked)
        assert str(caught.value).startswith(said)


def test_html_escapes_tags_and_rewrites_links():
    """Raw HTML is shown, headings have anchors, links lead to pages, and those out of the documents are text."""
    said = (
        "# A `b` & c!\n\n## Twice\n\n## Twice\n\n<script>alert(1)</script>\n\nx <img src=x onerror=y> "
        "[one](search.md#how), [two](packs.md), [own](#twice-1), [far](https://example.com/), [out](../../LICENSE), "
        "[bad](javascript:alert(1)), [*old*](data:text/html,x)\n\n| a | b |\n|---|---|\n| `1` | 2 |\n"
    )
    assert docs.rendered(said, "/d/") == (
        '<h1 id="a-b--c">A <code>b</code> &amp; c!</h1>\n<h2 id="twice">Twice</h2>\n<h2 id="twice-1">Twice</h2>\n'
        "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n<p>x &lt;img src=x onerror=y&gt; "
        '<a href="/d/search#how">one</a>, <a href="/d/packs">two</a>, <a href="#twice-1">own</a>, '
        '<a href="https://example.com/">far</a>, out, [bad](javascript:alert(1)), [<em>old</em>](data:text/html,x)'
        "</p>\n<table>\n<thead>\n<tr>\n<th>a</th>\n<th>b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n"
        "<td><code>1</code></td>\n<td>2</td>\n</tr>\n</tbody>\n</table>\n"
    )


@pytest.mark.parametrize("name", [topic.name for topic in docs.topics()])
def test_documents_render(name):
    """Without comments or tags of their own; every link within leads to a page that there is."""
    page = docs.html(name)
    assert page.startswith('<h1 id="')
    assert "&lt;!--" not in page
    names = {topic.name for topic in docs.topics()}
    found = re.findall(r'href="([^"]*)"', page)
    assert [link for link in found if not re.match(r"https?:|#", link) and not is_page(link, names)] == []


def is_page(link: str, names: set[str]) -> bool:
    """Whether a link leads to a document's page."""
    return link.startswith(docs.PAGES) and link.removeprefix(docs.PAGES).partition("#")[0] in names


# --- the command -------------------------------------------------------------------------------


COMMAND = [sys.executable, "-c", "from repoctx.serve.cli import main; main()", "docs"]


def run(*arguments: str):
    """Run `repoctx docs`, piped."""
    command = [*COMMAND, *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)


def test_the_command_prints_topics_and_documents():
    """Piped, a document is the file itself; an unknown one is an error with exit code 1."""
    listed = run()
    wanted = [(topic.name, topic.summary) for topic in docs.topics()]
    assert [tuple(re.split("  +", line, maxsplit=1)) for line in listed.stdout.decode().splitlines()] == wanted
    one = run("quickstart")
    assert (one.returncode, one.stdout, one.stderr) == (0, (FOLDER / "quickstart.md").read_bytes(), b"")
    none = run("quickstrat")
    assert (none.returncode, none.stdout) == (1, b"")
    assert none.stderr == b"repoctx: no topic is called 'quickstrat': did you mean 'quickstart'?\n"
    assert run("oper").stderr == b"repoctx: no topic is called 'oper': did you mean 'operations'?\n"


def test_a_terminal_gets_it_laid_out():
    """Headings and tables are drawn; the marks of Markdown are gone."""
    ours, theirs = pty.openpty()
    known = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen([*COMMAND, "settings"], stdin=subprocess.DEVNULL, stdout=theirs, env=known) as running:
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # how Linux says that the other side is closed
            while part := os.read(ours, 65536):
                said += part
    os.close(ours)
    assert running.returncode == 0
    assert b"backend.url" in said
    assert b"\x1b[" in said
    assert b"| `" not in said
    assert b"## " not in said
