"""The pages of tasks in a real browser: from the form to the accepted change, live, and what goes wrong on the way."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser import PHONE, cookie, picture, violations, visiting
from playwright.sync_api import Browser, Page, expect
from running import Running, running
from samples import committed, fix, right

from repoctx.serve.scripted import Server, scripted
from repoctx.store import access
from repoctx.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.browser]

NAME = "python-parcels"
REPORT = "A parcel costs too much </pre><script>alert(1)</script> \u202e"
HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1)) "
    "![x](https://e.example/a.png) <https://e.example> \u202e\n\n"
)


@contextmanager
def served(folder: Path, script: list[Any]) -> Iterator[tuple[Running, Server, str]]:
    """A service that has indexed a sample, its scripted back end, and where it is."""
    replies = [{"text": one} if isinstance(one, str) else one for one in script]
    with (
        scripted({"replies": replies}) as server,
        running(folder / "home", {"REPOCTX_BACKEND_URL": server.url}) as service,
    ):
        path = str(committed(NAME, folder))
        service.client.post("/v1/repositories", json={"path": path}).raise_for_status()
        service.idle()
        yield service, server, f"http://127.0.0.1:{service.port}"


def begin(page: Page, report: str = REPORT) -> str:
    """Begin a debug task on the form: the address of its page."""
    page.goto("/tasks/new")
    page.locator("[name=report]").fill(report)
    page.get_by_role("button", name="Begin").click()
    expect(page).to_have_url(re.compile("/tasks/[0-9a-f]{32}$"))
    return page.url


def test_a_bug_is_mended_before_ones_eyes(tmp_path: Path, browser: Browser) -> None:
    """From the form to the change that holds; what a model writes leads nowhere and runs nowhere."""
    with served(tmp_path, [HOSTILE + right(NAME)]) as (service, server, url):
        with visiting(browser, url) as page:
            page.goto("/tasks/new")
            page.locator("[name=report]").fill(REPORT)
            page.get_by_role("button", name="What would it cost?").click()
            expect(page.get_by_role("status")).to_contain_text("The first question has")
            expect(page.locator("[name=report]")).to_have_value(REPORT)
            assert server.requests == []
            address = begin(page)
            expect(page.locator(".outcome")).to_contain_text("valid")
            made = fix(NAME)
            assert page.locator(".diff tr.removed code").all_inner_texts() == [
                line for line in made.search.split("\n") if line not in made.replace.split("\n")
            ]
            assert page.locator(".prose a").all_inner_texts() == [f"{made.path}:{made.line}"]
            assert page.locator(".prose a").get_attribute("href") == (
                f"/r/{NAME}/files/{made.path}?ref=main#L{made.line}"
            )
            assert page.locator("main script, main img").count() == 0
            expect(page.locator(".prose")).to_contain_text("[x](javascript:alert(1))")
            expect(page.locator(".prose")).to_contain_text("\\u202e")
            expect(page.locator(".prose")).to_contain_text("<<<<<<< SEARCH")
            expect(page.locator("li", has_text="no such line")).to_contain_text(f"{made.path}:99999")
            page.locator("summary", has_text="report").click()
            expect(page.locator("#asked-1 pre")).to_have_text(REPORT.replace("\u202e", "\\u202e"))
            with page.expect_download() as taken:
                page.get_by_role("link", name="Download the patch").click()
            task = address.rpartition("/")[2]
            diff = service.client.get(f"/v1/tasks/{task}").json()["result"]["diff"]
            assert Path(taken.value.path()).read_text() == diff
            page.goto("/tasks")
            expect(page.locator("[data-item]")).to_contain_text("A parcel costs too much")
            page.get_by_role("button", name="Show").click()
            expect(page.locator("[data-item]")).to_have_count(1)
            page.locator("[name=state]").select_option("failed")
            page.get_by_role("button", name="Show").click()
            expect(page.locator("[data-item]")).to_have_count(0)
        for options in ({}, {"color_scheme": "dark"}, {"viewport": PHONE}):
            with visiting(browser, url, bypass_csp=True, **options) as page:
                for path in (address, "/tasks", "/tasks/new", "/tasks/new?kind=review"):
                    page.goto(path)
                    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
                    assert violations(page) == [], path
                    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
                    picture(page, f"tasks-{path[-6:].replace('/', '')}-{'-'.join(options)}")
        workspace = Workspace({"REPOCTX_HOME": str(service.home)})
        with workspace.engine.begin() as connection:
            token = access.create(connection, "reader", "read", None, time.time())[1]
        workspace.close()
        with visiting(browser, url, java_script_enabled=False) as page:
            page.context.add_cookies([{"name": cookie(url), "value": token, "url": url}])
            page.goto(address)
            expect(page.locator(".outcome")).to_contain_text("valid")
            expect(page.get_by_role("button", name="Go on")).to_have_count(0)
            page.goto("/tasks")
            expect(page.get_by_role("link", name="New task")).to_have_count(0)
            headers = {"Origin": url, "Cookie": f"{cookie(url)}={token}"}
            for path in ("/tasks", f"{address}/cancel", f"{address}/retry"):
                assert page.request.post(path, headers=headers, form={"kind": "debug"}).status == 403


def test_a_task_that_fails_goes_on_and_one_that_hangs_is_cancelled(tmp_path: Path, browser: Browser) -> None:
    """Without a reload; what is wrong with a form stays in it; a workflow has its own."""
    refusal = {"status": 400, "body": '{"error": {"message": "the model is out of order"}}'}
    script = [refusal, right(NAME), {"stall": True}, "All is well."]
    with served(tmp_path, script) as (_, server, url), visiting(browser, url) as page:
        page.goto("/tasks/new")
        page.locator("[name=report]").fill(REPORT)
        page.locator("[name=ref]").fill("dev")
        page.get_by_role("button", name="Begin").click()
        expect(page.get_by_role("alert")).to_contain_text("dev")
        expect(page.locator("[name=report]")).to_have_value(REPORT)
        begin(page)
        expect(page.get_by_role("alert")).to_contain_text("the model is out of order")
        page.get_by_role("button", name="Go on").click()
        expect(page.locator(".outcome")).to_contain_text("valid")
        begin(page)
        expect(page.locator(".events")).to_contain_text("asking the model")
        page.on("dialog", lambda asked: asked.accept())
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator(".state")).to_have_text("cancelled")
        page.goto("/tasks/new?kind=explain")
        page.locator("[name='input.question']").fill("what is a parcel?")
        page.get_by_role("button", name="Begin").click()
        expect(page.locator(".prose")).to_have_text("All is well.")
        assert len(server.requests) == 4


def test_a_long_task_is_shown_by_its_newest_events(
    tmp_path: Path, make_repository: Callable[..., Path], browser: Browser
) -> None:
    """And a change of many lines is closed; all that is odd in it is shown as it is."""
    from served import listening

    from repoctx import tasking
    from repoctx.serve.rest import create_app
    from repoctx.store import tasks

    lines = "".join(f"+line {number}\n" for number in range(10_000))
    diff = f"--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1,10000 @@\n{lines}"
    workspace = Workspace({"REPOCTX_HOME": str(tmp_path / "home"), "REPOCTX_BACKEND_URL": "http://127.0.0.1:9/v1"})
    workspace.index(str(make_repository({"a.py": "x = 1\n"})), name="shop")
    task = tasking.submit(workspace, "workflow", {"workflow": "review", "inputs": {"diff": diff}}, "shop", local=True)
    with workspace.engine.begin() as connection:
        for number in range(1500):
            assert tasks.tell(connection, task, "ask", {"step": f"part {number}"}, 1.0)
        result = {"result": {"diff": diff, "problems": []}, "skipped": [], "failed": [], "notes": ["<b>"]}
        assert tasks.finish(connection, task, "done", 2.0, result=result)
    with listening(create_app(workspace)) as address, visiting(browser, address.url) as page:
        page.goto(f"/tasks/{task.id}")
        expect(page.locator(".events li")).to_have_count(300)
        expect(page.locator(".events li").last).to_have_text("part 1499: asking the model")
        expect(page.get_by_text("1,200 earlier events left out")).to_be_visible()
        expect(page.get_by_text("<b>", exact=True)).to_be_visible()
        expect(page.locator(".change tr.added").first).to_be_hidden()
        page.locator(".change summary").click()
        expect(page.locator(".change tr.added")).to_have_count(10_000)
        page.goto("/tasks")
        expect(page.locator("[data-item] a")).to_have_text("review")
    workspace.close()
