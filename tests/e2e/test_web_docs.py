"""The documents and the reference of the API as pages in a real browser."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator

import pytest
from browser import PHONE, cookie, picture, violations, visiting
from playwright.sync_api import expect

from repoctx import docs
from repoctx.serve.rest import create_app
from repoctx.serve.web.docs import search
from repoctx.serve.web.reference import operations
from repoctx.store import access
from repoctx.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace without repositories."""
    found = Workspace({"REPOCTX_HOME": str(tmp_path_factory.mktemp("docs"))})
    yield found
    found.close()


def test_documents_are_read_one_after_the_other(service, browser):
    """From the list to the first document, on to the next and back; headings can be linked to, code copied."""
    first, second = docs.topics()[:2]
    with visiting(browser, service.url, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto("/docs")
        expect(page.locator("main li")).to_have_count(len(docs.topics()) + 1)
        page.get_by_role("link", name=first.title, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(first.title)
        expect(page.locator(".topics [aria-current]")).to_have_text(first.title)
        entry = page.locator(".contents a").first
        entry.click()
        anchor = entry.get_attribute("href")
        expect(page).to_have_url(re.compile(re.escape(anchor) + "$"))
        assert page.locator(f"{anchor} .anchor").get_attribute("href") == anchor
        code = page.locator(".code").first
        code.get_by_role("button", name="Copy").click()
        expect(code.get_by_role("button")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == code.locator("pre").text_content()
        page.locator("[rel=next]").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(second.title)
        page.locator("[rel=prev]").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(first.title)
        page.emulate_media(media="print")
        expect(page.locator(".top")).to_be_hidden()
        expect(page.locator(".topics")).to_be_hidden()
        expect(page.locator(".document h1")).to_be_visible()


def test_documents_are_searched_while_one_types_and_without_scripts(service, browser):
    """A heading with the words comes before a text that has them; markup in a query is text."""
    best = search("webhooks")[0].section
    assert "webhooks" in best.title.lower()
    with visiting(browser, service.url) as page:
        page.goto("/docs")
        page.get_by_label("Words").fill("webhooks")
        expect(page.locator("#docs li a").first).to_have_text(best.title)
        expect(page.locator("#docs mark").first).to_have_text(re.compile("webhooks", re.IGNORECASE))
        page.locator("#docs li a").first.click()
        expect(page).to_have_url(f"{service.url}/docs/{best.topic.name}#{best.anchor}")
        expect(page.locator(f"#{best.anchor}")).to_be_visible()
    with visiting(browser, service.url, java_script_enabled=False) as page:
        page.goto("/docs/quickstart")
        page.get_by_label("search the docs").fill("<img src=x onerror=alert(1)>")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Words")).to_have_value("<img src=x onerror=alert(1)>")
        expect(page.locator("main img")).to_have_count(0)
        page.goto("/docs?q=qqqqzzzz")
        expect(page.get_by_role("status")).to_contain_text("No section has these words")


def test_every_anchor_and_link_of_the_documents_leads_somewhere(workspace):
    """What a search and the contents link to is there."""
    from repoctx.serve.web.docs import _html, sections

    for topic in docs.topics():
        known = set(re.findall(r' id="([^"]+)"', _html(topic.name)))
        assert {one.anchor for one in sections() if one.topic == topic and one.anchor} <= known
        assert len(re.findall("<pre ", _html(topic.name))) == len(re.findall("data-copy", _html(topic.name)))
    assert search("") == search(" ?! ") == []


def test_the_reference_has_every_route_with_its_fields_and_an_example(service, browser, workspace):
    """Made of the OpenAPI document: found by words, linked by operation ids, examples that a shell understands."""
    api = create_app(workspace).openapi()
    known = {row["operationId"] for methods in api["paths"].values() for row in methods.values()}
    made = operations(api)
    assert {one.id for one in made} == known
    for one in made:
        words = shlex.split(one.example)
        assert words[0] == "curl"
        assert "{" not in next(word for word in words if word.startswith("https://")), one.id
        if "-d" in words:
            json.loads(words[words.index("-d") + 1])
    with visiting(browser, service.url) as page:
        page.goto("/v1/docs#list_callers")
        expect(page.locator("section.operation")).to_have_count(len(known))
        section = page.locator("#list_callers")
        expect(section).to_be_in_viewport()
        depth = section.locator("tbody tr").filter(has=page.get_by_text("depth", exact=True)).first
        assert depth.locator("td").all_text_contents() == [
            "depth", "query", "integer", "1", "at least 1; at most 50", "calls of calls, so deep"
        ]  # fmt: skip
        expect(section.locator("pre")).to_contain_text(f"curl {service.url}/v1/repositories/shop/symbols/")
        section.get_by_text("Fields", exact=True).click()
        names = section.locator("details[open] tbody code:first-child").all_text_contents()
        assert names.index("symbols") < names.index("in 1: id") < names.index("callers") < names.index("in 1: way")
        assert names[names.index("in 1: way") + 1] == "in 2: kind"
        page.get_by_label("Only routes with").fill("receive_webhook")
        expect(page.locator("section.operation")).to_have_count(1)
        expect(page.locator("section.operation")).to_contain_text("needs no token")
        expect(page.locator(".top [aria-current]")).to_have_text("Docs")
    with visiting(browser, service.url, java_script_enabled=False) as page:
        page.goto("/v1/docs?q=impact")
        expect(page.locator("#assess_impact")).to_be_visible()


def test_everybody_can_read_them(service, browser):
    """In light and dark, on a phone, axe finds nothing; no page is wider than its window."""
    for options in ({}, {"color_scheme": "dark", "viewport": PHONE}):
        with visiting(browser, service.url, bypass_csp=True, **options) as page:
            for path in ("/docs", "/docs?q=token", "/docs/quickstart", "/v1/docs?q=symbols"):
                page.goto(path)
                assert violations(page) == [], path
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            picture(page, f"docs-{'-'.join(options)}")


def test_tables_keep_their_words_whole_and_scroll_in_their_own_box(service, browser):
    """On a phone no cell is narrower than its longest word, and what is wider than the box is reached by keys."""
    with visiting(browser, service.url, viewport=PHONE) as page:
        for topic in ("quickstart", "settings", "scale"):
            page.goto(f"/docs/{topic}")
            broken = page.locator(".document td").evaluate_all(
                "all => all.filter((one) => one.scrollWidth > one.clientWidth"
                " || getComputedStyle(one).overflowWrap !== 'normal').map((one) => one.textContent)"
            )
            assert broken == [], topic
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), topic
        assert page.locator("td").filter(has_text=re.compile(r"^\d+,\d+$")).first.evaluate(
            "one => getComputedStyle(one).whiteSpace"
        ) == "nowrap"  # fmt: skip
        box = page.locator(".document .wide").first
        assert box.get_attribute("tabindex") == "0"
        assert box.evaluate("one => getComputedStyle(one).backgroundAttachment") == "local, local, scroll, scroll"
        picture(page, "docs-tables")


def test_whoever_may_see_the_service_may_read_them_and_nobody_else(workspace, service, browser):
    """The browser's cookie counts for the reference too; what goes wrong there is a page, of other routes a problem."""
    with visiting(browser, service.url) as page:
        html = {"Accept": "text/html"}
        for path in ("/docs/nothing", "/v1/docs?q=" + "x" * 301):
            answer = page.request.get(path, headers=html)
            assert (answer.status, "<h1>" in answer.text()) == (422 if "?" in path else 404, True)
        assert page.request.post("/v1/docs", headers=html).headers["content-type"].startswith("text/html")
        assert page.request.get("/v1/docs/x", headers=html).headers["content-type"] == "application/problem+json"
        with workspace.engine.begin() as connection:
            token = access.create(connection, "reader", "read", ("none",), time.time())[1]
        for path in ("/docs", "/docs/quickstart", "/v1/docs"):
            refused = page.request.get(path, headers=html)
            assert (refused.status, "Show your token" in refused.text()) == (401, True)
        page.context.add_cookies([{"name": cookie(service.url), "url": service.url, "value": token}])
        for path in ("/docs", "/docs/quickstart", "/v1/docs"):
            assert page.request.get(path, headers=html).status == 200
        assert page.request.get("/v1/repositories", headers=html).status == 401, "the cookie is for pages alone"
