"""Folders, files and symbols in a real browser."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from browser import PHONE, picture, violations, visiting
from paged import HOSTILE, SECRET, Paged, paged
from playwright.sync_api import expect
from repositories import git, write_files

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CART = "/r/shop/files/shop/cart.py"
# Names that a file may have: each is a function of its own.
ODD = (
    "two\nlines.py", "\n.py", "tab\there.py", "a#b?c=d&e.py", "100%.py", "%0A.py", "%2e%2e.py", "back\\slash.py",
    " first.py", " deeper/ first.py", "last.py ", "folder\n/in it.py", "folder /x.py", "\"quoted'<>.py", "a+b;c:@,.py",
    "...py", "\u00e9\u202e.py", "~tilde|`^{}[].py", os.fsdecode(b"caf\xe9.py"),
)  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paged]:
    """Pages about two small repositories."""
    with paged(tmp_path_factory.mktemp("paged")) as found:
        yield found


def test_folders_lead_to_files_and_what_is_left_out_says_why(service, browser):
    """Folders first; a filter over all paths as one types; odd names are addresses that work."""
    with visiting(browser, service.url) as page:
        page.goto("/r/shop/files")
        assert page.locator("tbody td:first-child").all_inner_texts() == ["odd/", "shop/", "tests/"]
        page.get_by_role("link", name="odd/").click()
        names = page.locator("tbody td:first-child").all_inner_texts()
        assert names == [f"{HOSTILE}.py", "a #1?%.txt", "logo.png", "long.md", "many.py"]
        assert page.locator("main img").count() == 0
        page.get_by_role("link", name="a #1?%.txt").click()
        expect(page.locator(".line code")).to_have_text("plain words about carts")
        page.go_back()
        page.get_by_role("link", name="logo.png").click()
        expect(page.locator("main")).to_contain_text("left out of the index: binary (.png)")
        page.goto("/r/shop/files")
        page.keyboard.press("/")
        page.keyboard.type("cart py")
        expect(page.locator("#paths [role=status]")).to_have_text("2 files")
        assert page.locator("#paths td:first-child").all_inner_texts() == ["shop/cart.py", "tests/test_cart.py"]
        expect(page).to_have_url(re.compile(r"/r/shop/files\?q=cart\+py$"))
        expect(page.locator("#paths")).not_to_have_attribute("aria-busy", "true")  # "cart p" had the same answer
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page).to_have_url(service.url + CART)
        answer = page.request.get(service.url + "/r/shop/files/nowhere.py", headers={"Accept": "text/html"})
        assert (answer.status, "no file of shop" in answer.text()) == (404, True)


@pytest.fixture(scope="module")
def names(service: Paged, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A repository of files with odd names, and its name."""
    folder = tmp_path_factory.mktemp("names")
    write_files(folder, {name: f"def named_{at}():\n    return {at}\n" for at, name in enumerate(ODD)})
    write_files(folder, {"left\nout/a.py": "a = 1\n", "lo\ngo.png": b"\x89PNG\0", ".repoctxignore": "left?out/\n"})
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "odd names")
    return service.workspace.index(str(folder), name="names").repository


def test_every_file_that_is_listed_opens(service, browser, names):
    """Whatever is in its name: its lines and its history, or why it is left out; so does every folder."""
    with visiting(browser, service.url) as page:

        def files(folder: str) -> Iterator[str]:
            page.goto(folder)
            for address in page.locator("table.files td:first-child a").evaluate_all("all => all.map((a) => a.href)"):
                page.goto(address)
                yield from files(address) if page.locator("table.files").count() else [address]

        opened = []
        for address in files(f"/r/{names}/files"):
            page.goto(address)
            if page.locator("#L1").count() == 0:
                opened.append(page.locator("main p").first.inner_text())
                continue
            opened.append(page.locator("#L1 code").inner_text())
            page.get_by_role("link", name="History").click()
            expect(page.locator("main .list li")).to_contain_text("odd names")
        assert sorted(opened) == sorted([
            *(f"def named_{at}():" for at in range(len(ODD))), "left?out/",
            "This file is left out of the index: binary (.png).",
            "This folder is left out of the index: ignored (.repoctxignore).",
        ])  # fmt: skip


@pytest.mark.parametrize("name", ["two\nlines.py", "a#b?c=d&e.py", " first.py", " deeper/ first.py", ODD[-1]])
def test_symbols_of_files_with_odd_names_have_pages(service, browser, names, name):
    """From the name in the file to the symbol, and on to its graph and its pack."""
    at, path = ODD.index(name), quote(os.fsencode(name).decode("utf-8", "backslashreplace"))
    with visiting(browser, service.url) as page:
        page.goto(f"/r/{names}/files/{path}?at=1:4")
        expect(page.get_by_role("heading", level=1)).to_have_text(f"named_{at}")
        pack = page.get_by_role("link", name="Pack it").get_attribute("href")
        page.get_by_role("link", name="Graph around it").click()
        expect(page.locator(".node.asked title")).to_contain_text(f"named_{at}")
        page.locator(".nodes").get_by_role("link", name="Details").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"named_{at}")
        page.goto(f"{pack}&task=What+is+it")
        expect(page.locator("#parts tbody")).to_contain_text("--symbols")


def test_a_name_opens_a_panel_and_escape_leads_back(service, browser):
    """A call opens what it means with its references, callers and calls; the link was where it was before."""
    with visiting(browser, service.url) as page:
        page.goto(CART)
        name = page.locator("#L7 code a", has_text="load")
        name.click()
        panel = page.locator("#panel")
        expect(panel.get_by_role("heading", level=2)).to_have_text("Store.load")
        expect(panel).to_be_focused()
        expect(panel.locator(".signature")).to_have_text("def load(self, name)")
        expect(panel.locator(".uses summary").first).to_contain_text("shop/cart.py")
        expect(panel.locator(".uses li").first).to_contain_text(re.compile(r"calls\s+\d+% typed"))
        expect(panel.get_by_role("heading", name="Callers")).to_have_text("Callers 1")
        expect(panel.locator("li", has_text="pay").first).to_be_visible()
        page.keyboard.press("Escape")
        expect(panel).to_be_hidden()
        expect(name).to_be_focused()
        page.locator("#L11 code a", has_text="undo").click()
        expect(panel.get_by_role("heading", level=2)).to_have_text("It may mean one of these")
        assert sorted(panel.locator("li a").all_inner_texts()) == ["Cart.undo", "Gift.undo"]
        panel.get_by_role("button", name="close").click()
        expect(panel).to_be_hidden()


def test_ranges_of_lines_stand_in_the_address(service, browser):
    """A click marks a line, a shifted one a range; the address shows the same again, on the page that has it."""
    with visiting(browser, service.url) as page:
        page.goto(CART)
        page.locator("#L4 .no").click()
        page.locator("#L7 .no").click(modifiers=["Shift"])
        expect(page).to_have_url(service.url + CART + "#L4-L7")
        expect(page.locator(".line.lit .no")).to_have_text(["4", "5", "6", "7"])
        page.reload()
        expect(page.locator(".line.lit .no")).to_have_text(["4", "5", "6", "7"])
        page.goto("/r/shop/files/odd/many.py#L9001-L9002")
        expect(page.locator(".line.lit .no")).to_have_text(["9001", "9002"])
        expect(page).to_have_url(re.compile(r"lines=9001#L9001-L9002$"))
        expect(page.locator(".line")).to_have_count(1000)
        expect(page.locator(".pager").first).to_contain_text("Lines 9,001 to 10,000 of 10,400")
        page.get_by_role("link", name="Lines after").first.click()
        expect(page.locator("#L10001")).to_be_visible()
        page.goto("/r/shop/files/odd/long.md?lines=9001")
        expect(page.locator("#L9001 .more")).to_have_text("… 298,000 more bytes")


def test_without_scripts_names_lead_to_pages(service, browser):
    """A resolved name leads to its symbol, an open one to the list of what it may mean."""
    with visiting(browser, service.url, java_script_enabled=False) as page:
        page.goto(CART)
        assert page.locator(".outline a").all_inner_texts() == [
            "function pay", "function refund", "class Cart", "method undo", "class Gift", "method undo",
            "constant LATE",
        ]  # fmt: skip
        page.locator("#L7 code a", has_text="load").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Store.load")
        expect(page.locator("main")).to_contain_text("1 test in 1 file would tell")
        expect(page.get_by_role("link", name="Graph around it")).to_have_attribute(
            "href", "/r/shop/graph?symbol=shop/store.py%23Store.load"
        )
        expect(page.get_by_role("link", name="Pack it")).to_have_attribute(
            "href", "/pack?repository=shop&symbols=shop/store.py%23Store.load"
        )
        expect(page.locator(".uses summary").first).to_contain_text("shop/cart.py")
        page.goto("/r/shop/symbol?id=shop/store.py%23Quick.load")
        overrides = page.locator("h2:text-is('Overrides') + ul a")
        expect(overrides).to_have_text("Store.load")
        page.goto(CART)
        page.locator("#L11 code a", has_text="undo").click()
        expect(page.locator("main")).to_contain_text("2 symbols may be meant")
        page.goto("/r/shop/symbol?id=undo")
        assert sorted(page.locator("main .list a").all_inner_texts()) == ["Cart.undo", "Gift.undo"]


def test_what_is_hostile_is_text_and_secrets_are_cut_out(service, browser):
    """A file whose name, comment and commit are markup, with control characters and a secret."""
    with visiting(browser, service.url) as page:
        address = f"/r/shop/files/odd/{quote(HOSTILE + '.py')}"
        page.goto(address)
        expect(page.locator("#L1 code")).to_have_text(f"# {HOSTILE} \\u202e turned \\x07")
        expect(page.locator("#L2 .c-cut")).to_have_text("[redacted AWS access key]")
        expect(page.locator(".cuts")).to_have_text("1 secret was cut out: AWS access key on line 2.")
        expect(page.locator("#L6 .c-string").first).to_have_text('f"')
        page.get_by_role("link", name="History").click()
        expect(page.locator("main .list li")).to_have_count(1)
        expect(page.locator("main .list li")).to_contain_text(f"first {HOSTILE} [redacted AWS access key]")
        assert SECRET not in page.content()
        assert page.locator("main img").count() == 0
        page.goto(CART + "?show=history")
        assert [text.split(" ", 1)[1][:8] for text in page.locator("main .list li").all_inner_texts()] == [
            "add LATE", "first <i",
        ]  # fmt: skip
        expect(page.locator("main .list li").first).to_contain_text("A U Thor")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_people_who_see_little_or_have_a_phone_can_use_it(service, browser, scheme):
    """Axe finds nothing, with the panel open too, and nothing is wider than a phone."""
    with visiting(browser, service.url, bypass_csp=True, color_scheme=scheme, viewport=PHONE) as page:
        for address in ("/r/shop/files", CART, CART + "?show=history", "/r/shop/symbol?id=pay"):
            page.goto(address)
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.goto(CART)
        page.locator("#L7 code a", has_text="load").click()
        expect(page.locator("#panel h2")).to_have_text("Store.load")
        assert violations(page) == []
        picture(page, f"panel-{scheme}")


def test_what_a_token_may_not_see_is_not_there(service, browser):
    """This comes last: from now on a token is needed."""
    token = service.token()
    with visiting(browser, service.url) as page:
        page.goto("/entry")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Enter").click()
        page.goto(CART)
        expect(page.locator("#L4")).to_contain_text("def pay(cart):")
        for address in ("/r/beside/files", "/r/beside/files/basket.py", "/r/beside/symbol?id=pay"):
            assert page.request.get(service.url + address, headers={"Accept": "text/html"}).status == 404
