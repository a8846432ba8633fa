"""The page that searches while one types, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from browser import PHONE, picture, violations, visiting
from paged import HOSTILE, SECRET, Paged, paged
from playwright.sync_api import Page, expect
from repositories import write_files
from served import listening

from repoctx.serve.rest import create_app
from repoctx.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.browser]


NAMES = ["alpha", "beta", "delta", "kappa", "omega"]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., AbstractContextManager[str]]:
    """Where pages about five repositories are, each with one file of its name, of which so many are searched at a
    time."""
    folder = tmp_path_factory.mktemp("many")
    home = {"REPOCTX_HOME": str(folder / "home"), "REPOCTX_INDEX_WORKERS": "1"}
    workspace = Workspace(home)
    for name in NAMES:
        write_files(folder / name, {f"{name}.py": f"def pay():\n    return {name!r}\n"})
        workspace.index(str(folder / name), name=name)
    workspace.close()

    @contextmanager
    def served(together: int = 100) -> Iterator[str]:
        of = Workspace({**home, "REPOCTX_SERVE_TOGETHER": str(together)})
        with listening(create_app(of)) as address:
            yield address.url
        of.close()

    return served


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paged]:
    """Pages about two small repositories."""
    with paged(tmp_path_factory.mktemp("paged")) as found:
        yield found


def hits(page: Page) -> list[str]:
    """The places of the hits."""
    return page.locator(".hit .head a").all_inner_texts()


def test_hits_follow_what_is_typed_and_the_address_holds_it(service, browser):
    """Each key asks; marks, symbol and reasons are shown; a reload and the way back show the same."""
    with visiting(browser, service.url) as page:
        page.goto("/search?repository=shop")
        expect(page.get_by_label("search the code")).to_be_focused()
        page.keyboard.type("where is a cart paid", delay=5)
        expect(page.locator(".hit").first).to_contain_text("shop/cart.py:1-24")
        expect(page).to_have_url(re.compile(r"/search\?q=where\+is\+a\+cart\+paid&repository=shop&level=chunk$"))
        first = page.locator(".hit").first
        expect(first.locator(".symbol")).to_have_text("function pay")
        assert "cart" in first.locator("mark").all_inner_texts()
        expect(first.locator(".c-keyword").first).to_have_text("from")
        expect(first.locator("details summary")).to_have_text("12 more lines")
        assert first.locator(".reasons li").count() >= 2
        assert first.locator(".reasons .bar i").first.get_attribute("style").startswith("width:")
        expect(page.locator("#said")).to_have_text(re.compile(r"^Hits 1 to 10 in \d+ ms$"))
        found = hits(page)
        page.reload()
        assert hits(page) == found
        first.get_by_role("link", name="shop/cart.py").click()
        expect(page).to_have_url(re.compile(r"/r/shop/files/shop/cart\.py\?lines=1-24#L1$"))
        expect(page.locator(".line.lit")).to_have_count(24)
        page.go_back()
        expect(page.locator(".hit").first).to_contain_text("shop/cart.py:1-24")
        expect(page.get_by_label("search the code")).to_have_value("where is a cart paid")


def test_filters_narrow_and_what_is_wrong_is_said_in_the_part(service, browser):
    """Level, kind, language, path and repository count; a bad one is a sentence, and the form stays."""
    with visiting(browser, service.url) as page:
        page.goto("/search?q=pay&repository=shop")
        page.get_by_label("Find").select_option("symbols")
        page.get_by_label("Kind").select_option("class")
        expect(page.locator(".symbol b").first).to_have_text(re.compile("Cart|Gift|Store|Quick"))
        assert {text.split()[0] for text in page.locator(".symbol").all_inner_texts()} == {"class"}
        page.get_by_label("Kind").select_option("any")
        page.get_by_label("Path").fill("tests/**")
        page.get_by_label("Find").select_option("files")
        expect(page.locator(".hit .head a")).to_have_text(["tests/test_cart.py:1-5"])
        page.get_by_label("Ref").fill("nowhere")
        expect(page.locator("#found [role=alert]")).to_contain_text("has no index of 'nowhere'")
        page.get_by_label("Ref").fill("a b")
        expect(page.locator("#found [role=alert]")).to_contain_text("The field ref is not valid")
        page.get_by_label("Ref").fill("")
        page.get_by_label("Path").fill("x" * 301)
        expect(page.locator("#found [role=alert]")).to_contain_text("at most 300 characters")
        page.get_by_label("Path").fill("nothing/**")
        expect(page.locator("#found")).to_contain_text("Nothing found")
        page.get_by_role("link", name="Search without the filters").click()
        expect(page.locator(".hit").first).to_be_visible()
    with visiting(browser, service.url) as page:
        page.goto("/search?q=" + "x" * 20_001)
        expect(page.get_by_role("alert")).to_contain_text("the query has 20,001 characters".capitalize())
        page.goto("/search?q=pay&lang=cobol&repository=shop")
        expect(page.get_by_role("alert")).to_contain_text("No file of shop is in 'cobol': there is")


def test_keys_lead_from_the_field_to_a_hit_and_open_it(service, browser):
    """Slash, arrow down, j, k, Enter."""
    with visiting(browser, service.url) as page:
        page.goto("/search?q=pay&repository=shop")
        page.locator("h1").click()
        page.keyboard.press("/")
        expect(page.get_by_label("search the code")).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(page.locator(".hit.at a").first).to_be_focused()
        page.keyboard.press("j")
        expect(page.locator(".hit").nth(1)).to_have_class(re.compile(r"\bat\b"))
        page.keyboard.press("k")
        expect(page.locator(".hit").nth(0)).to_have_class(re.compile(r"\bat\b"))
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/r/shop/files/.*#L\d+$"))


def test_without_scripts_the_form_and_more_work(service, browser):
    """The answer is a whole page; more hits have an address."""
    with visiting(browser, service.url, java_script_enabled=False) as page:
        page.goto("/search?repository=shop")
        page.get_by_label("search the code").fill("return f")
        page.get_by_role("button", name="Search").click()
        expect(page.locator(".hit")).to_have_count(10)
        seen = hits(page)
        page.get_by_role("link", name="More").click()
        expect(page).to_have_url(re.compile("offset=10"))
        expect(page.locator(".said")).to_contain_text("Hits 11 to 20")
        assert not set(hits(page)) & set(seen)
        page.get_by_role("link", name="Before").click()
        assert hits(page) == seen


def test_what_is_hostile_is_text_and_secrets_are_cut_out(service, browser):
    """A path and a comment that are markup, control characters, a secret."""
    with visiting(browser, service.url) as page:
        page.goto("/search?q=key+odd+turned&repository=shop&path=odd/*.py")
        first = page.locator(".hit").first
        expect(first.locator(".head a")).to_contain_text(f"odd/{HOSTILE}.py")
        expect(first.locator("pre").first).to_contain_text(f"# {HOSTILE} \\u202e turned \\x07")
        expect(first).to_contain_text("[redacted AWS access key]")
        assert SECRET not in page.content()
        page.goto(f"/search?q={HOSTILE}")
        expect(page.get_by_label("search the code")).to_have_value(HOSTILE)
        assert page.locator("main img").count() == 0


def test_a_search_over_the_latest_or_all_names_the_repositories(service, browser):
    """Where no repository is chosen, hits of several are told apart."""
    with visiting(browser, service.url) as page:
        page.goto("/search?q=pay")
        expect(page.get_by_label("Repository")).to_have_value("*")
        expect(page.locator(".said")).to_have_text(re.compile(r" in \d+ ms; searched: all 2 repositories$"))
        expect(page.locator("#typing")).to_have_count(0)
        assert {text.partition("/")[0] for text in hits(page)} == {"beside", "shop"}


def found_in(page: Page) -> list[str]:
    """The repositories with hits, by name."""
    return sorted(text.partition("/")[0] for text in hits(page))


def test_while_one_types_the_latest_answer_and_enter_asks_all(many, browser):
    """Enter and the button ask though nothing in the form has changed; each address shows the same again."""
    latest, every = sorted(NAMES[2:]), sorted(NAMES)
    with many() as url, visiting(browser, url) as page:
        page.goto("/search")
        expect(page.locator("#typing")).to_have_text(
            "While you type, only the 3 repositories that were indexed last are searched. "
            "All 5 are searched when you press Enter."
        )
        page.keyboard.type("pay")
        expect(page.locator(".said")).to_have_text(re.compile(
            r"^3 hits in \d+ ms; searched: omega, kappa, delta, the 3 of 5 that were indexed last\. "
                    r"Enter searches all 5$"
        ))  # fmt: skip
        assert found_in(page) == latest
        page.reload()
        assert found_in(page) == latest
        page.get_by_label("search the code").focus()
        page.keyboard.press("Enter")
        expect(page.locator(".said")).to_have_text(re.compile(r"^5 hits in \d+ ms; searched: all 5 repositories$"))
        expect(page).to_have_url(re.compile(r"/search\?q=pay&repository=\*&level=chunk$"))
        assert found_in(page) == every
        page.get_by_label("Find").select_option("symbols")
        expect(page).to_have_url(re.compile("level=symbol"))
        expect(page.locator(".hit")).to_have_count(5)
        page.reload()
        assert found_in(page) == every
        page.get_by_label("search the code").fill("pays")
        expect(page).to_have_url(re.compile("q=pays.*typing=1"))
        page.get_by_role("button", name="Search").click()
        expect(page).to_have_url(re.compile(r"q=pays&repository=\*&level=symbol$"))
        page.get_by_label("search the code").fill("pay")
        expect(page.locator(".hit")).to_have_count(3)
        page.get_by_role("link", name="all 5").click()
        expect(page.locator(".hit")).to_have_count(5)
        page.get_by_label("Repository").select_option("alpha")
        expect(page.locator("#typing")).to_be_hidden()
        expect(page.locator(".hit")).to_have_count(1)
        expect(page.locator(".said")).to_have_text(re.compile(r"^1 hit in \d+ ms$"))
        page.reload()
        expect(page.locator("#typing")).to_be_hidden()
        page.get_by_label("Repository").select_option("all 5")
        expect(page.locator("#typing")).to_be_visible()
        expect(page.locator(".hit")).to_have_count(5)
        page.goto("/docs")
        page.get_by_label("search the code").fill("pay")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/search\?q=pay$"))
        expect(page.locator(".hit")).to_have_count(5)
        assert found_in(page) == every
        picture(page, "search-several")


def test_without_scripts_the_form_asks_all_and_of_too_many_the_latest(many, browser):
    """What is sent is never refused for how many there are."""
    with many() as url, visiting(browser, url, java_script_enabled=False) as page:
        page.goto("/search")
        expect(page.locator("#typing")).to_have_text(re.compile("All 5 are searched"))
        expect(page.locator("#typing .js")).to_have_count(2)
        expect(page.locator("#typing .js").first).to_be_hidden()
        page.get_by_label("search the code").fill("pay")
        page.keyboard.press("Enter")
        expect(page.locator(".hit")).to_have_count(5)
        assert found_in(page) == sorted(NAMES)
    with many(4) as url, visiting(browser, url) as page:
        page.goto("/search?q=pay")
        expect(page.locator(".said")).to_have_text(
            re.compile(r"^4 hits in \d+ ms; searched: the 4 of 5 that were indexed last$")
        )
        assert found_in(page) == sorted(NAMES[1:])
        expect(page.locator("#typing")).to_contain_text("The 4 that were indexed last are searched when you")
        page.get_by_label("search the code").fill("def pay")
        expect(page.locator(".said")).to_contain_text("the 3 of 5 that were indexed last. Enter searches 4")


def test_labels_stand_on_one_line_and_a_marked_hit_keeps_its_bars(service, browser):
    """Fields and lists to choose from are of one height; the bars of reasons differ from what is behind them."""
    with visiting(browser, service.url) as page:
        for path in ("/search?q=pay&repository=shop", "/pack", "/r/shop/graph"):
            page.goto(path)
            rows = page.locator("main form .row label, main form.row > label").evaluate_all(
                "all => all.map((label) => { const line = document.createRange();"
                " line.selectNodeContents(label.firstChild);"
                " const field = label.querySelector('input, select').getBoundingClientRect();"
                " return [Math.round(field.bottom), Math.round(line.getBoundingClientRect().top * 10) / 10]; })"
            )
            assert len(rows) >= 4, path
            assert len(set(map(tuple, rows))) == len({bottom for bottom, _ in rows}), path
        page.goto("/search?q=pay&repository=shop")
        page.keyboard.press("j")
        colour = "one => getComputedStyle(one).backgroundColor"
        marked = page.locator(".hit.at")
        assert marked.evaluate(colour) != marked.locator(".bar").first.evaluate(colour)
        picture(page, "search-marked")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_people_who_see_little_or_have_a_phone_can_use_it(service, browser, scheme):
    """Axe finds nothing, and nothing is wider than a phone."""
    with visiting(browser, service.url, bypass_csp=True, color_scheme=scheme, viewport=PHONE) as page:
        page.goto("/search?q=pay&repository=shop")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        picture(page, f"search-{scheme}")


def test_a_token_sees_its_own_repositories_alone(service, browser):
    """This comes last: from now on a token is needed."""
    token = service.token()
    with visiting(browser, service.url) as page:
        page.goto("/entry")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Enter").click()
        page.goto("/search?q=pay")
        assert page.get_by_label("Repository").locator("option").all_inner_texts() == ["all 1", "shop"]
        assert "shop/cart.py:1-24" in hits(page)
        assert not any("basket" in place for place in hits(page))
        page.goto("/search?q=pay&repository=beside")
        expect(page.get_by_role("alert")).to_contain_text("No repository is called 'beside'")
