"""The frame of the web pages in a real browser: the entry, repositories, jobs, administration."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import PHONE, picture, violations, visiting
from playwright.sync_api import expect
from repositories import git, write_files
from running import Running, running, until

from repoctx.serve.web.entry import within
from repoctx.store import access, jobs, snapshots
from repoctx.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.browser]

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A repository with a symbol whose name a page must not believe."""
    folder = tmp_path / "shop"
    write_files(folder, {"cart.py": f'"""{HOSTILE}"""\n\ndef total(items):\n    return sum(items)\n'})
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", HOSTILE)
    return folder


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    """A service with a worker."""
    with running(tmp_path / "home", {}) as found:
        yield found


def url(service: Running) -> str:
    """Where a service is."""
    return f"http://127.0.0.1:{service.port}"


def made(service: Running, scope: str, repositories: tuple[str, ...] | None = None) -> str:
    """A token."""
    workspace = Workspace({"REPOCTX_HOME": str(service.home)})
    with workspace.engine.begin() as connection:
        token = access.create(connection, scope, scope, repositories, time.time())[1]
    workspace.close()
    return token


def test_a_repository_is_registered_and_followed_to_its_index(service, shop, browser):
    """From the empty page to the indexed repository, live; nothing on the way is wrong for those who see little."""
    with visiting(browser, url(service)) as page:
        page.goto("/")
        page.get_by_role("link", name="Register one").click()
        page.get_by_label("Clone URL").fill(str(shop))
        page.get_by_role("button", name="Register and index").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("shop")
        page.goto("/")
        expect(page.locator(".repository .facts")).to_contain_text("1 file, 1 symbol")
        expect(page.locator(".job .s-done")).to_have_count(1)
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page).to_have_url(url(service) + "/r/shop")
        expect(page.locator("pre.map")).to_contain_text("def total(items)")
        page.get_by_role("button", name="index ").click()
        expect(page.locator(".s-done")).to_be_visible()
        expect(page.get_by_text("tokens", exact=True)).to_be_visible()
    for options in ({}, {"color_scheme": "dark"}, {"viewport": PHONE}):
        with visiting(browser, url(service), bypass_csp=True, **options) as page:
            for path in ("/", "/r/shop", "/jobs", "/admin/tokens", "/admin/repositories", "/admin/repositories/shop",
                         "/admin/audit", "/entry", "/r/nothing"):  # fmt: skip
                answer = page.request.get(path, headers={"Accept": "text/html"})
                assert answer.status == (404 if path == "/r/nothing" else 200), path
                if path == "/r/nothing":
                    continue
                page.goto(path)
                assert violations(page) == [], path
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
                picture(page, f"frame{path.replace('/', '-')}{'-'.join(options)}")


def test_pages_work_without_scripts(service, shop, browser):
    """All is there to read, and forms are sent."""
    with visiting(browser, url(service), java_script_enabled=False) as page:
        page.goto("/admin/repositories")
        page.get_by_label("Clone URL").fill(str(shop))
        page.get_by_role("button", name="Register and index").click()
        service.idle()
        page.goto("/r/shop")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.get_by_role("button", name="index ").click()
        expect(page).to_have_url(re.compile("/jobs/[0-9a-f]{32}$"))
        service.idle()
        page.reload()
        expect(page.locator(".s-done")).to_have_text("done")


def test_from_the_first_token_on_everybody_is_asked(service, shop, browser):
    """The browser that made it goes on; others show a token, and see what it allows."""
    service.ask("POST", "/v1/repositories", json={"path": str(shop)})
    service.idle()
    with visiting(browser, url(service)) as page:
        page.goto("/admin")
        page.get_by_role("textbox", name="Name", exact=True).fill("mine")
        page.get_by_role("button", name="Make a token").click()
        token = page.locator("#made").inner_text()
        page.goto("/r/shop")
        expect(page.get_by_role("heading", level=1)).to_have_text("shop")
        assert service.client.get("/v1/repositories", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        page.get_by_role("button", name="Leave").click()
        expect(page.get_by_label("Token")).to_be_visible()
    # a 401 is no failure of the page that asks for a token: the browser says it on the console all the same
    reader = made(service, "read", ("shop",))
    with visiting(browser, url(service)) as page:
        page.goto("/entry")
        page.get_by_label("Token").fill(reader)
        page.get_by_role("button", name="Enter").click()
        expect(page.locator(".repository .name")).to_have_text("shop")
        expect(page.get_by_role("link", name="Admin")).to_have_count(0)
        page.goto("/r/shop")
        expect(page.get_by_role("button", name="index ")).to_have_count(0)
        assert page.request.get("/admin/tokens").status == 403
        refused = page.request.post("/r/shop/index", headers={"Origin": url(service)})
        assert refused.status == 403
        assert page.context.cookies()[0]["httpOnly"]
        assert page.evaluate("document.cookie") == ""


def test_the_entry_says_nothing_is_wrong_before_a_token_was_shown(service, shop, browser):
    """It asks once; a wrong token is said to be wrong, and the right one leads where one wanted to go."""
    service.ask("POST", "/v1/repositories", json={"path": str(shop)})
    service.idle()
    token, html = made(service, "read", ("shop",)), {"Accept": "text/html"}
    first = service.client.get("/r/shop", headers=html)
    assert (first.status_code, 'role="alert"' in first.text) == (401, False)
    assert first.text.count("repoctx token create") == 1
    ended = service.client.get("/r/shop", headers=html | {"Cookie": f"repoctx-{service.port}=rctx_no"})
    assert 'role="alert">the token is not valid, or no longer: `repoctx token create` makes one.' in ended.text
    assert ended.text.count("repoctx token create") == 1
    sent = html | {"Origin": url(service)}
    wrong = service.client.post("/entry", data={"token": "rctx_no", "to": "/r/shop"}, headers=sent)
    assert (wrong.status_code, '<input type="hidden" name="to" value="/r/shop">' in wrong.text) == (401, True)
    right = service.client.post("/entry", data={"token": token, "to": "/r/shop"}, headers=sent)
    assert (right.status_code, right.headers["location"]) == (303, "/r/shop")


def test_it_is_up_to_date_only_where_something_tells_of_pushes(service, shop, browser):
    """Neither a delivery nor polling: no push is known. Then one is, then one fails."""
    service.ask("POST", "/v1/repositories", json={"path": str(shop), "webhook_secret": "a-secret-of-webhooks"})
    service.idle()

    def said() -> list[str]:
        pages = [service.client.get(path, headers={"Accept": "text/html"}).text for path in ("/", "/r/shop")]
        found = [re.search(r'<span class="state( s-\w+)?"[^>]*>([^<]*)</span>', page) for page in pages]
        assert {one[1] for one in found} == {found[0][1]}
        return [found[0][1] or "", *(one[2] for one in found)]

    assert said() == ["", "no pushes known", "no pushes known"]
    service.client.patch("/v1/repositories/shop", json={"poll_seconds": 86400}).raise_for_status()
    assert said() == [" s-done", "up to date", "up to date"]
    service.client.patch("/v1/repositories/shop", json={"poll_seconds": 0}).raise_for_status()
    service.told("github", "shop", str(shop), "main", None, "1" * 40, "a-secret-of-webhooks")
    service.idle()
    assert said() == [" s-done", "up to date", "up to date"]
    workspace = Workspace({"REPOCTX_HOME": str(service.home)})
    with workspace.engine.begin() as connection:
        of = snapshots.repository(connection, "shop")
        later = time.time() + 5  # the index is of no second after it
        job = jobs.submit(connection, of.id, "main", "push", commit="2" * 40, now=later)
        begun = jobs.begin(connection, job, 1, "nobody", later)
        assert begun
        assert jobs.finish(connection, begun, "failed", later, error="it is gone")
    workspace.close()
    assert said() == [" s-failed", "a push could not be indexed", "a push could not be indexed"]
    assert '<a href="/jobs?repository=shop&amp;state=failed">Why</a>' in service.client.get(
        "/r/shop", headers={"Accept": "text/html"}
    ).text  # fmt: skip


def test_what_is_not_there_is_said_to_people_and_the_way_on_is_a_link(service, shop, browser):
    """No route, no command: links. An unknown address keeps the navigation."""
    service.ask("POST", "/v1/repositories", json={"path": str(shop)})
    service.idle()
    with visiting(browser, url(service)) as page:
        answer = page.request.get("/r/nope", headers={"Accept": "text/html"})
        assert (answer.status, "/v1/" in answer.text().partition("<main")[2]) == (404, False)
        assert "no repository is called &#39;nope&#39;: the first page lists those" in answer.text()
        assert '<p><a href="/">All repositories</a></p>' in answer.text()
        assert '<nav aria-label="pages">' in page.request.get("/nothing", headers={"Accept": "text/html"}).text()
        missing = page.request.get("/r/shop/symbol?id=no<b>body", headers={"Accept": "text/html"})
        assert (missing.status, "repoctx search" in missing.text()) == (404, False)
        assert '<a class="button main" href="/search?q=no%3Cb%3Ebody&amp;repository=shop">' in missing.text()
        page.goto("/tasks/new?repository=shop")
        button = page.get_by_role("button", name="Begin")
        expect(button).to_be_disabled()
        expect(button).to_have_css("cursor", "not-allowed")
        expect(button).to_have_css("background-color", "rgba(0, 0, 0, 0)")
        picture(page, "frame-task-disabled")


def test_what_another_site_sends_changes_nothing(service, shop, browser):
    """Neither with the token of a visitor, nor on this machine without one; wrong tokens are not kept."""
    service.ask("POST", "/v1/repositories", json={"path": str(shop)})
    ask = service.client.post
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert ask("/r/shop/index", headers=elsewhere).status_code == 403
    assert ask("/r/shop/index").status_code == 403  # what no browser sends
    token = made(service, "admin")
    cookie = {"Cookie": f"repoctx-{service.port}={token}"}
    assert ask("/r/shop/index", headers=elsewhere | cookie).status_code == 403
    assert ask("/r/shop/index", headers={"Origin": url(service)} | cookie).status_code == 303
    assert ask("/v1/repositories/shop/index", headers=cookie).status_code == 401  # the routes take no cookie
    assert ask("/entry", headers=elsewhere, data={"token": token}).status_code == 403
    wrong = ask("/entry", headers={"Origin": url(service)}, data={"token": "rctx_no"})
    assert wrong.status_code == 401
    assert "set-cookie" not in wrong.headers
    assert ask("/entry", headers={"Origin": url(service)}, content=b"x" * 20_000).status_code == 413


def test_a_page_may_be_linked_from_elsewhere(service, shop, browser):
    """A link in a chat leads to the page, though nobody elsewhere may read what it says."""
    service.ask("POST", "/v1/repositories", json={"path": str(shop)})
    far = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert service.client.get("/r/shop", headers=far).status_code == 200
    assert service.client.get("/r/shop", headers=far | {"Sec-Fetch-Dest": "iframe"}).status_code == 401
    assert service.client.get("/r/shop", headers=far | {"Host": "evil.example"}).status_code == 401
    answer = service.client.get("/r/shop", headers=far)
    assert answer.headers["x-frame-options"] == "DENY"
    assert "default-src 'none'; script-src 'self';" in answer.headers["content-security-policy"]


def test_an_admin_looks_after_a_repository(service, shop, browser):
    """A new secret is shown once and signs deliveries, which are listed; settings change; removal asks for the name."""
    service.ask("POST", "/v1/repositories", json={"path": str(shop)})
    with visiting(browser, url(service)) as page:
        page.goto("/admin/repositories/shop")
        page.get_by_role("button", name="Set a new secret").click()
        secret = page.locator("#made").inner_text()
        service.told("github", "shop", str(shop), "main", None, "1" * 40, secret)
        page.goto("/admin/repositories/shop")
        expect(page.locator("tbody tr")).to_contain_text(["push"])
        page.get_by_label("Follow").fill("release/* v*")
        page.get_by_role("button", name="Change").click()
        expect(page.get_by_label("Follow")).to_have_value("release/* v*")
    service.idle()
    sent = {"Origin": url(service), "Accept": "text/html"}
    bad = service.client.post("/admin/repositories/shop", data={"poll_seconds": "-1"}, headers=sent)
    assert (bad.status_code, "poll_seconds: Input should be greater than or equal to 0" in bad.text) == (422, True)
    kept = service.client.post("/admin/repositories/shop/remove", data={"sure": "no"}, headers=sent)
    assert (kept.status_code, "type the name of the repository" in kept.text) == (422, True)
    until(
        lambda: (
            service.client.post("/admin/repositories/shop/remove", data={"sure": "shop"}, headers=sent).status_code
            == 303
        ),
        "removal",
    )
    assert service.client.get("/v1/repositories").json()["items"] == []


def test_a_ref_that_was_removed_breaks_no_page(service, shop, browser):
    """The job that forgot it is shown as what it was."""
    git(shop, "branch", "old")
    service.ask("POST", "/v1/repositories", json={"path": str(shop)})
    service.idle()
    service.ask("POST", "/v1/repositories/shop/index", json={"ref": "old"})
    service.idle()
    git(shop, "branch", "-D", "old")
    secret = {"webhook_secret": "a-secret-of-webhooks"}
    service.client.patch("/v1/repositories/shop", json=secret)
    service.told("github", "shop", str(shop), "old", "1" * 40, None, "a-secret-of-webhooks")
    service.idle()
    for path in ("/", "/jobs", "/r/shop"):
        shown = service.client.get(path, headers={"Accept": "text/html"})
        assert (shown.status_code, "the ref was removed" in shown.text) == (200, True), path
    bad = service.client.post("/r/shop/index", data={"ref": "a\nb"}, headers={"Origin": url(service)})
    assert bad.status_code == 422


def test_programs_read_problems_and_people_pages(service):
    """The same address, by what the caller accepts."""
    told = service.client.get("/nothing")
    assert (told.status_code, told.headers["content-type"]) == (404, "application/problem+json")
    shown = service.client.get("/nothing", headers={"Accept": "text/html"})
    assert (shown.status_code, shown.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "there is no such page" in shown.text
    hostile = service.client.get("/r/%3Cscript%3E", headers={"Accept": "text/html"})
    assert (hostile.status_code, "<script>" in hostile.text) == (422, False)
    file = re.search(r"/static/[0-9a-f]+/pages\.js", shown.text)
    assert service.client.get(file[0]).headers["cache-control"].endswith("immutable")
    assert service.client.get("/static/x/pages.js").headers["cache-control"] == "no-cache"
    assert service.client.get("/static/x/..%2Fframe.py").status_code == 404


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_pages_know_where_they_were_reached(service, shop, scheme):
    """Behind a proxy too: addresses to be copied have its scheme and its host; redirects keep to the address."""
    service.ask("POST", "/v1/repositories", json={"path": str(shop)})
    service.idle()
    proxied = {
        "Host": "code.example:8443", "X-Forwarded-Proto": scheme, "Accept": "text/html",
        "Cookie": f"{'__Host-repoctx' if scheme == 'https' else 'repoctx-8443'}={made(service, 'admin')}",
    }  # fmt: skip
    own = f"{scheme}://code.example:8443"
    for path, said in (
        ("/admin/repositories/shop", f"<code>{own}/v1/webhooks/github?repository=shop</code>"),
        ("/pack?repository=shop&task=total", f"}}&#39; {own}/v1/pack</code>"),
        ("/v1/docs?q=find_symbols", f"curl &#39;{own}/v1/repositories/shop/symbols?q=Store.load&#39;"),
    ):
        answer = service.client.get(path, headers=proxied)
        assert (answer.status_code, said in answer.text) == (200, True), (path, answer.text)
    for path, leads in {
        "/docs/?q=a+b&part=1": "/docs?q=a+b&part=1", "//docs//": "/docs", "/r/shop/symbol/": "/r/shop/symbol",
        "/v1/search/": "/v1/search", "/mcp/": "/mcp",
    }.items():  # fmt: skip
        answer = service.client.get(url(service) + path, headers=proxied)
        assert (answer.status_code, answer.headers.get("location")) == (307, leads)
    assert service.client.get("/nothing/", headers=proxied).status_code == 404


@pytest.mark.parametrize(
    "address, leads",
    [("/r/shop?ref=a", "/r/shop?ref=a"), ("//evil.example", "/"), ("/\\evil.example", "/"),
     ("https://evil.example", "/"), ("/\n/evil", "/")],
)  # fmt: skip
def test_the_entry_leads_nowhere_else(address, leads):
    """An address that was asked for leads to the service alone."""
    assert within(address) == leads
