"""The pages of a pack in a real browser: from the form to the prompt, and from one pack to the next."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from browser import PHONE, picture, violations, visiting
from playwright.sync_api import Browser, Page, expect
from repositories import git, write_files
from running import Running, running

from repoctx.serve.web.packs import _line, _pattern

pytestmark = [pytest.mark.slow, pytest.mark.browser]

TASK = "Why is total in shop/cart.py one too much?"
FILES = {
    "shop/cart.py": '"""A cart."""\n\n\ndef total(prices):\n    return sum(prices) + 1  # cafe\u0301 \u202e\n',
    "shop/till.py": "from shop.cart import total\n\n\ndef pay(prices):\n    return total(prices)\n",
    "shop/[id].py": 'def total_of(id):\n    """</pre><script>alert(1)</script><img src=x onerror=alert(1)>"""\n',
    "total.py": "def total():\n    return '\x07 \u2066'\n",
    "shop/total.py": "def total():\n    return 2\n",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that has indexed a repository."""
    folder = tmp_path_factory.mktemp("web-pack")
    shop = folder / "shop"
    write_files(shop, dict(FILES))
    git(shop, "init", "-q", "-b", "main")
    git(shop, "add", "-A")
    git(shop, "commit", "-q", "-m", "first")
    with running(folder / "home", {}) as found:
        found.client.post("/v1/repositories", json={"path": str(shop)}).raise_for_status()
        found.idle()
        yield found


@pytest.fixture
def url(service: Running) -> str:
    """Where the service is."""
    return f"http://127.0.0.1:{service.port}"


def packed(service: Running, **asked: object) -> str:
    """The prompt that the route makes."""
    answer = service.client.post("/v1/pack", json={"task": TASK, "repository": "shop", **asked})
    answer.raise_for_status()
    return str(answer.json()["prompt"])


def shown(page: Page) -> list[str]:
    """The paths of the parts that are shown."""
    return sorted(re.sub(r":\d+-\d+$", "", one) for one in page.locator("#parts tbody td > a").all_text_contents())


def asked(page: Page) -> dict[str, list[str]]:
    """What the address of a page says."""
    return parse_qs(urlsplit(page.url).query)


def test_a_pack_is_made_and_made_anew(service: Running, url: str, browser: Browser, tmp_path: Path) -> None:
    """From the form to other sizes, without a part, with a part; what is taken along is what the route makes."""
    with visiting(browser, url) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto("/pack")
        expect(page.get_by_label("Repositories")).to_have_value("shop")
        page.locator("[name=task]").fill(TASK)
        page.get_by_label("Budget").fill("8k")
        page.get_by_role("button", name="Pack", exact=True).click()
        expect(page.locator("#parts")).to_be_visible()
        assert asked(page) == {"task": [TASK], "repository": ["shop"], "budget": ["8k"]}
        assert set(shown(page)) == set(FILES)
        picture(page, "pack")

        prompt = packed(service, budget="8k")
        page.get_by_role("button", name="Copy the prompt").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == prompt
        for button, name in (("Download it", "prompt.txt"), ("Download the manifest", "manifest.json")):
            with page.expect_download() as taken:
                page.get_by_role("button", name=button).click()
            assert taken.value.suggested_filename == name
            taken.value.save_as(tmp_path / name)
        assert (tmp_path / "prompt.txt").read_bytes() == prompt.encode()
        manifest = service.client.post("/v1/pack", json={"task": TASK, "repository": "shop", "budget": "8k"}).json()
        assert json.loads((tmp_path / "manifest.json").read_text()) == manifest["manifest"]

        page.locator(".outlook button").first.click()
        expect(page.locator(".outlook .now")).to_be_visible()
        assert asked(page)["budget"] != ["8k"]
        page.locator("#parts tr", has_text="shop/[id].py").get_by_role("button", name="leave").click()
        expect(page.locator("textarea[name=exclude]")).to_have_value("/shop/[[]id].py")
        assert set(shown(page)) == set(FILES) - {"shop/[id].py"}
        page.locator("#parts tr").filter(has=page.locator("td > a", has_text=re.compile("^total.py"))).get_by_role(
            "button", name="leave"
        ).click()
        expect(page.locator("textarea[name=exclude]")).to_have_value("/shop/[[]id].py\n/total.py")
        assert set(shown(page)) == set(FILES) - {"shop/[id].py", "total.py"}
        page.locator("#parts tr", has_text="shop/till.py").get_by_role("button", name="in any case").click()
        expect(page.locator("textarea[name=files]")).to_have_value("shop/till.py")
        expect(page.locator("#parts tbody")).to_contain_text("--files shop/till.py")
        before, address = page.locator("#prompt").inner_text(), page.url
        page.goto("/")
        page.goto(address)
        assert page.locator("#prompt").inner_text() == before


def test_the_inspector_searches_filters_and_sorts(url: str, browser: Browser) -> None:
    """Within the page of the service, whose keys go on working."""
    with visiting(browser, url, color_scheme="dark") as page:
        page.goto(f"/pack?task={TASK}&repository=shop&budget=8k")
        page.locator("[name=task]").press("End")
        page.locator("[name=task]").press_sequentially(" a/b")
        expect(page.locator("[name=task]")).to_have_value(f"{TASK} a/b")
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        expect(page.locator("#search")).to_be_focused()
        page.keyboard.type("total(prices)")
        expect(page.locator("#found")).to_have_text(re.compile(r"^\d+ found$"))
        page.keyboard.press("Enter")
        expect(page.locator("#found")).to_have_text(re.compile(r"^1 of \d+"))
        page.locator("#filter").fill("till.py")
        expect(page.locator("#kept")).to_contain_text("1 of ")
        page.locator("#filter").fill("")
        expect(page.locator("#parts tbody tr:visible")).to_have_count(len(shown(page)))
        page.locator("#parts th", has_text="tokens").get_by_role("button").click()
        expect(page.locator("#parts th", has_text="tokens")).to_have_attribute("aria-sort", "descending")
        tokens = [int(one.replace(",", "")) for one in page.locator("#parts td:nth-child(5)").all_text_contents()]
        assert tokens == sorted(tokens, reverse=True)
        dark = page.evaluate("getComputedStyle(document.querySelector('#prompt .code')).backgroundColor")
        page.locator("#theme").click()
        light = page.evaluate("getComputedStyle(document.querySelector('#prompt .code')).backgroundColor")
        assert (dark, light) == ("rgb(26, 31, 36)", "rgb(245, 247, 249)")


def test_what_is_hostile_stays_text(service: Running, url: str, browser: Browser) -> None:
    """Markup of a file, and what does not print or turns the direction."""
    with visiting(browser, url) as page:
        page.goto(f"/pack?task={TASK}&repository=shop&budget=8k&ref=main")
        assert page.locator(".pack script, .pack img").count() == 0
        text = "\n".join(page.locator("#prompt pre[translate=no]").evaluate_all("all => all.map((x) => x.textContent)"))
        assert '"""</pre><script>alert(1)</script><img src=x onerror=alert(1)>"""' in text
        assert "# cafe\u0301 \\u202e" in text
        assert "'\\x07 \\u2066'" in text
        link = page.locator("#parts tr", has_text="shop/[id].py").get_by_role("link", name="file shop")
        assert link.get_attribute("href") == "/r/shop/files/shop/%5Bid%5D.py?ref=main#L1-L2"
        command = page.locator("#command").text_content()
        assert command == f"repoctx pack --task '{TASK}' --repo shop --ref main --budget 8k --format xml"
        page.goto('/pack?task="><script>alert(1)</script>&repository=<b>&files="><i>')
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.locator("[name=task]")).to_have_value('"><script>alert(1)</script>')
        expect(page.locator("textarea[name=files]")).to_have_value('"><i>')


def test_thousands_of_parts_would_not_hold_a_browser_up(url: str, browser: Browser) -> None:
    """Rows out of sight are not laid out, and no button of a row is a part of the form: for each button that a form
    gets a browser looks at all that the form has."""
    with visiting(browser, url, viewport={"width": 1280, "height": 300}) as page:
        page.goto("/pack")
        before = page.evaluate("document.forms.pack.elements.length")
        page.goto(f"/pack?task={TASK}&repository=shop&budget=8k")
        buttons = page.locator("#parts tbody button")
        assert buttons.count() == 2 * len(FILES)
        of_the_whole = page.locator(".outlook button, .take button[form]").count()
        assert page.evaluate("document.forms.pack.elements.length") == before + of_the_whole
        laid_out = "button => button.checkVisibility({ contentVisibilityAuto: true })"
        assert not buttons.last.evaluate(laid_out)
        buttons.last.focus()
        expect(buttons.last).to_be_in_viewport()
        assert buttons.last.evaluate(laid_out)
        page.locator("#filter").fill("till.py")
        expect(page.locator("#parts tbody tr:visible")).to_have_count(1)


def test_a_long_task_and_what_is_wrong_stay_in_the_form(service: Running, url: str, browser: Browser) -> None:
    """No address holds it; each mistake is one sentence, and nothing that was written is lost."""
    long = f"{TASK}\n" + "E   assert total([1]) == 1\n" * 400
    with visiting(browser, url) as page:
        page.goto("/pack")
        page.locator("[name=task]").fill(long)
        page.get_by_role("button", name="Pack", exact=True).click()
        expect(page.locator("#parts")).to_be_visible()
        assert page.url == f"{url}/pack"
        expect(page.locator("[name=task]")).to_have_value(long)
        said = {}
        for name, query in {
            "repository": {"repository": "other"}, "none": {"repository": ""}, "budget": {"budget": "5"},
            "model": {"model": "no-such"}, "glob": {"files": "nothing/**"}, "size": {"budget": "many"},
            "ref": {"ref": "dev"},
        }.items():  # fmt: skip
            answer = page.request.post("/pack", form={"task": TASK, "repository": "shop", **query},
                                       headers={"Origin": url, "Accept": "text/html"})  # fmt: skip
            assert answer.status == 200, name
            page.goto(answer.url)
            expect(page.locator("[name=task]")).to_have_value(TASK)
            for field, value in query.items():
                if field != "repository" or value:
                    expect(page.locator(f"[name={field}]").first).to_have_value(value)
            said[name] = page.get_by_role("alert").inner_text()
        assert said["none"] == "say which repository the task is about"
        assert said["repository"].startswith("no repository is called 'other'")
        assert "no-such" in said["model"]
        assert "'nothing/**'" in said["glob"]
        assert "dev" in said["ref"]
        assert all(said.values())


def test_it_works_without_scripts_and_for_all_who_read(service: Running, url: str, browser: Browser) -> None:
    """What needs a script is not offered without one; nothing is wrong for those who see little."""
    with visiting(browser, url, java_script_enabled=False) as page:
        page.goto("/pack")
        page.locator("[name=task]").fill(TASK)
        page.get_by_role("button", name="Pack", exact=True).click()
        assert set(shown(page)) == set(FILES)
        expect(page.get_by_role("button", name="Copy the prompt")).to_be_hidden()
        expect(page.locator("#parts tbody button:visible")).to_have_count(0)
        with page.expect_download() as taken:
            page.get_by_role("button", name="Download it").click()
        assert Path(taken.value.path()).read_text() == packed(service)
    for options in ({}, {"color_scheme": "dark"}, {"viewport": PHONE}):
        with visiting(browser, url, bypass_csp=True, **options) as page:
            page.goto(f"/pack?task={TASK}&repository=shop&budget=8k")
            assert violations(page) == []
            page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            picture(page, f"pack-{'-'.join(options)}")


@pytest.mark.parametrize(
    "path, pattern, line",
    [
        ("setup.py", "/setup.py", "setup.py"),
        ("app/[id]/a*b?.ts", "/app/[[]id]/a[*]b[?].ts", "app/[id]/a*b?.ts"),
        ("a\nb.py", "/a?b.py", "/a?b.py"),
        ("my file ", "/my file[ ]", "/my file[ ]"),
    ],
)
def test_a_button_means_its_file_and_no_other(path: str, pattern: str, line: str) -> None:
    """Whatever signs its name has."""
    from repoctx.retrieve.places import glob

    assert (_pattern(path), _line(path)) == (pattern, line)
    assert glob(pattern)(path)
    assert not glob(pattern)(f"other/{path}")
    assert _pattern(f"shop/{path}", several=True) == f"shop{pattern}"
