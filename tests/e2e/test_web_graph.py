"""The page of the symbol graph in a real browser: the picture, its keys, its lists, and names that mean harm."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from browser import PHONE, cookie, picture, violations, visiting
from playwright.sync_api import expect
from repositories import git, write_files

from repoctx.store import access
from repoctx.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.browser]

HOSTILE = "<img src=x onerror=alert(1)>"
LONG = "a_name_that_goes_on_" + "and_on_" * 16 + "until_its_end"
SECRET = "AKIAQ3EGRIWRXDP7L5TZ"
FILES = {
    "shop/store.py": """class Store:
    def load(self, key):
        return self.read(key)

    def read(self, key):
        return self.read(key[1:]) if key else check(key)


def check(key):
    return key


def signed(key="SECRET"):
    return check(key)
""".replace("SECRET", SECRET),
    "shop/cart.py": "from shop.store import Store\n\n\ndef total(cart):\n    return Store().load(cart)\n",
    "shop/desk.py": "from shop.cart import total\n\n\ndef sell(cart):\n    return total(cart)\n",
    "shop/any.py": "class A:\n    def go(self): pass\nclass B:\n    def go(self): pass\ndef guess(x): x.go()\n",
    f"odd/{HOSTILE} #%?'\".js": (
        f"function évil_ファイル() {{ return 1 }}\nfunction {LONG}() {{ return évil_ファイル() }}\n"
    ),
    "hub/hub.py": "def hub(): pass\n" + "".join(f"def caller_{n}(): hub()\n" for n in range(400)),
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """An index of a small repository."""
    folder = tmp_path_factory.mktemp("graph")
    write_files(folder / "shop", dict(FILES))
    git(folder / "shop", "init", "-q", "-b", "main")
    git(folder / "shop", "add", "-A")
    git(folder / "shop", "commit", "-q", "-m", "first")
    found = Workspace({"REPOCTX_HOME": str(folder / "home"), "REPOCTX_EMBEDDING_MODEL": "none"})
    found.index(str(folder / "shop"))
    yield found
    found.close()


def test_the_picture_has_every_symbol_and_edge_as_the_lists_have(service, browser):
    """Users stand to the left; names are whole in titles; what calls itself has a loop; links lead to the places."""
    with visiting(browser, service.url) as page:
        page.goto("/r/shop/graph?symbol=Store.load&kinds=calls")
        nodes = page.locator("svg .node")
        expect(nodes).to_have_count(5)
        at = {node.get_attribute("data-name").split()[0]: node.bounding_box()["x"] for node in nodes.all()}
        assert at["sell"] < at["total"] < at["Store.load"] < at["Store.read"] < at["check"]
        ties = page.locator(".view .tie")
        expect(ties).to_have_count(5)
        assert sorted(ties.locator("title").all_text_contents())[0] == (
            "Store.load calls Store.read\nshop/store.py:3, 0.95 by self"
        )
        assert "Store.read calls Store.read" in "".join(ties.locator("title").all_text_contents())
        expect(page.locator(".node title").first).to_have_text(
            "Store.load\nmethod, shop/store.py:2\n\ndef load(self, key)"
        )
        expect(page.locator(".nodes tbody tr")).to_have_count(5)
        expect(page.locator(".edges tbody tr")).to_have_count(5)
        assert page.locator(".nodes [data-label=definition] a").first.get_attribute("href") == (
            "/r/shop/files/shop/store.py#L2"
        )
        expect(page.locator(".level")).to_have_text(
            ["use it over 2 edges", "use it", "the symbol", "it uses", "it uses over 2 edges"]
        )
        assert page.locator(".node text").first.evaluate("text => parseFloat(getComputedStyle(text).fontSize)") >= 11
        picture(page, "graph")


def test_a_symbol_is_chosen_centred_and_expanded_with_mouse_and_keys(service, browser):
    """Choosing lights up what is beside a symbol and shows it; arrows follow edges; + and - zoom; Escape ends it."""
    with visiting(browser, service.url) as page:
        page.goto("/r/shop/graph?symbol=Store.load&kinds=calls&depth=1")
        page.locator("[data-name^='total ']").click()
        side = page.locator(".side")
        expect(side.get_by_role("heading", level=2)).to_have_text("total")
        expect(side).to_contain_text("Uses here (1)")
        expect(page.locator(".node.lit")).to_have_count(2)
        expect(page.locator("svg.dimmed")).to_have_count(1)
        page.keyboard.press("Escape")
        expect(side).to_be_hidden()
        expect(page.locator("[data-name^='total ']")).to_be_focused()
        page.keyboard.press("ArrowRight")
        expect(page.locator("[data-name^='Store.load ']")).to_be_focused()
        page.keyboard.press("ArrowRight")
        expect(page.locator("[data-name^='Store.read ']")).to_be_focused()
        scale = page.locator(".world").get_attribute("transform")
        page.keyboard.press("+")
        bigger = page.locator(".world").get_attribute("transform")
        assert float(re.findall(r"scale\((.*)\)", bigger)[0]) > float(re.findall(r"scale\((.*)\)", scale)[0])
        page.keyboard.press("Enter")
        side.get_by_role("link", name="Expand").click()
        expect(page).to_have_url(re.compile("also="))
        expect(page.locator("svg .node")).to_have_count(4)
        expect(side.get_by_role("heading", level=2)).to_have_text("Store.read")
        side.get_by_role("link", name="Centre here").click()
        expect(page.locator(".node.asked title")).to_contain_text("Store.read")


def test_the_picture_moves_and_finds(service, browser):
    """Dragging pans and chooses nothing, the wheel zooms, names are highlighted, all of it can be seen at once."""
    with visiting(browser, service.url) as page:
        page.goto("/r/shop/graph?symbol=hub")
        expect(page.locator("#graph [role=status]")).to_contain_text("60 symbols and 59 edges around hub.")
        expect(page.locator("#graph [role=status]")).to_contain_text("341 more symbols of the last level are left out")
        box = page.locator(".view").bounding_box()
        world = page.locator(".world")
        middle = box["x"] + box["width"] / 2, box["y"] + 40
        before = world.get_attribute("transform")
        page.mouse.move(*middle)
        page.mouse.down()
        page.mouse.move(middle[0] - 50, middle[1] + 80, steps=4)
        page.mouse.up()
        assert world.get_attribute("transform") != before
        expect(page.locator(".side")).to_be_hidden()
        page.mouse.wheel(0, -200)
        expect(world).to_have_attribute("transform", re.compile(r"scale\(1\.6"))
        page.get_by_role("button", name="Fit").click()
        view = page.locator(".view").bounding_box()
        for node in (page.locator("svg .node").first, page.locator("svg .node").last):
            inside = node.bounding_box()
            assert view["x"] <= inside["x"] <= view["x"] + view["width"] - inside["width"]
            assert view["y"] <= inside["y"] <= view["y"] + view["height"] - inside["height"]
        page.get_by_label("Highlight names").fill("ER_39")
        expect(page.locator(".bar output")).to_have_text(re.compile(r"^\d+ of 60$"))
        found = page.locator(".node.match")
        assert 0 < found.count() < 60
        page.keyboard.press("Enter")
        expect(found.first).to_be_focused()
        page.get_by_role("button", name="Full screen").click()
        expect(page.get_by_role("button", name="Full screen")).to_have_attribute("aria-pressed", "true")


def test_settings_and_names_apply_as_they_are_changed(service, browser):
    """Kinds and confidence make the picture anew; of a name that several have, or only its beginning, one chooses."""
    with visiting(browser, service.url) as page:
        page.goto("/r/shop/graph")
        expect(page.get_by_role("heading", name="The most central symbols")).to_be_visible()
        expect(page.locator(".groups .card")).not_to_have_count(0)
        page.get_by_label("Symbol", exact=True).fill("gue")
        expect(page.locator("#graph li")).to_have_count(1)
        expect(page.locator("#graph li")).to_contain_text("guess")
        page.get_by_label("Symbol", exact=True).fill("guess")
        expect(page.locator(".view .tie.possible")).to_have_count(2)
        page.get_by_label("Least confidence").fill("0.1")
        expect(page.locator(".view .tie")).to_have_count(0)
        expect(page.locator(".asking output")).to_have_text("0.10")
        page.get_by_label("Least confidence").fill("0")
        expect(page.locator(".view .tie.possible")).to_have_count(2)
        page.get_by_label("imports").check()
        expect(page.locator(".view .tie")).to_have_count(0)
        expect(page).to_have_url(re.compile("symbol=guess.*kinds=imports"))
        page.get_by_label("imports").uncheck()
        page.get_by_label("Symbol", exact=True).fill("go")
        expect(page.locator("#graph [role=status]")).to_have_text(
            "2 symbols are called 'go': say which one, or path:line. Choose one:"
        )
        page.get_by_role("link", name="B.go").click()
        expect(page.locator(".node.asked")).to_have_count(1)
        page.goto("/r/shop/graph?symbol=nothing_of_it")
        expect(page.locator("#graph [role=status]")).to_contain_text("no symbol or file is called 'nothing_of_it'")


def test_names_that_mean_harm_are_names(service, browser):
    """Markup in a path is text, a long name is cut in its middle and whole in its title, no secret is shown."""
    with visiting(browser, service.url) as page:
        page.goto("/r/shop/graph?symbol=évil_ファイル")
        expect(page.locator("svg .node")).to_have_count(2)
        label = page.locator(".node:not(.asked) text").text_content()
        assert re.fullmatch("a_name.+….+its_end", label)
        assert len(label) <= 26
        expect(page.locator(".node:not(.asked) title")).to_contain_text(LONG)
        expect(page.locator("#main img")).to_have_count(0)
        address = page.locator(".nodes [data-label=definition] a").first.get_attribute("href")
        assert address == "/r/shop/files/odd/%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E%20%23%25%3F%27%22.js#L1"
        page.locator(".node:not(.asked)").click()
        page.locator(".side").get_by_role("link", name="Centre here").click()
        expect(page.locator(".node.asked title")).to_contain_text(LONG)
        page.goto("/r/shop/graph?symbol=" + "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
        expect(page.locator("#graph [role=status]")).to_contain_text(HOSTILE)
        page.goto("/r/shop/graph?symbol=signed")
        expect(page.locator(".node.asked title")).to_have_text("signed\nfunction, shop/store.py:13\n\nsigned")
        assert SECRET not in page.content()
        for wrong in ("depth=9", "least=2", "limit=999", "kinds=magic", "ref=gone"):
            answer = page.request.get(f"/r/shop/graph?{wrong}", headers={"Accept": "text/html"})
            assert answer.status == (404 if wrong == "ref=gone" else 422), wrong
            assert "<h1>" in answer.text()


def test_without_scripts_the_picture_scrolls_and_links_lead_on(service, browser):
    """Nothing is lost but comfort."""
    with visiting(browser, service.url, java_script_enabled=False) as page:
        page.goto("/r/shop/graph")
        page.get_by_label("Symbol", exact=True).fill("Store.read")
        page.get_by_label("calls").check()
        page.get_by_role("button", name="Show").click()
        expect(page.locator(".node.asked title")).to_contain_text("Store.read")
        expect(page.locator(".bar")).to_be_hidden()
        page.locator("[data-name^='check ']").click()
        expect(page.locator(".node.asked title")).to_contain_text("check")
        page.locator("summary", has_text="Edges").click()
        expect(page.locator(".edges tbody tr")).to_have_count(4)
        page.locator(".nodes").get_by_role("link", name="Expand").first.click()
        expect(page.locator(".node.asked title")).to_contain_text("check")


def test_a_phone_opens_with_the_symbol_and_what_is_beside_it(service, browser):
    """Both boxes are in the window, and their names are large enough to be read."""
    with visiting(browser, service.url, viewport=PHONE) as page:
        for symbol in ("Store.load", "sell", "hub"):
            page.goto(f"/r/shop/graph?symbol={symbol}")
            view = page.locator(".view").bounding_box()
            inside = [
                one.get_attribute("data-name")
                for one in page.locator(".node").all()
                if (box := one.locator("rect").bounding_box())
                and view["x"] <= box["x"]
                and box["x"] + box["width"] <= view["x"] + view["width"]
                and view["y"] <= box["y"]
                and box["y"] + box["height"] <= view["y"] + view["height"]
            ]
            assert any(name.startswith(f"{symbol} ") for name in inside), symbol
            assert len(inside) > 1, symbol
        picture(page, "graph-phone")


def test_everybody_can_use_the_page(service, browser):
    """In light and dark, on a phone, with a symbol chosen, axe finds nothing; no page is wider than its window."""
    for options in ({}, {"color_scheme": "dark", "viewport": PHONE}):
        with visiting(browser, service.url, bypass_csp=True, **options) as page:
            for path in ("/r/shop/graph", "/r/shop/graph?symbol=Store", "/r/shop/graph?symbol=go"):
                page.goto(path)
                if path.endswith("Store"):
                    page.locator(".node.asked").click()
                assert violations(page) == [], path
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            picture(page, f"graph-{'-'.join(options)}")


def test_a_token_sees_its_own_repositories_alone(workspace, service, browser):
    """Another repository does not exist; without a token the page asks for one."""
    with workspace.engine.begin() as connection:
        mine = access.create(connection, "mine", "read", ("shop",), time.time())[1]
        other = access.create(connection, "other", "read", ("elsewhere",), time.time())[1]
    with visiting(browser, service.url) as page:
        kept = {"name": cookie(service.url), "url": service.url}
        for token, status in ((mine, 200), (other, 404), ("", 401)):
            page.context.clear_cookies()
            page.context.add_cookies([{**kept, "value": token}] if token else [])
            answer = page.request.get("/r/shop/graph?symbol=Store", headers={"Accept": "text/html"})
            assert answer.status == status
            assert ("data-graph" in answer.text()) == (status == 200)
