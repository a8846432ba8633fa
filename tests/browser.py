"""A real Chromium, which asks nobody but the service under test, and what it must not find on a page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

# What Chromium must not do: look for news of itself, or need a sandbox that root has none of.
_OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
# Sizes of windows: a laptop's, a phone's.
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# How long anything on a page may take that is waited for, in milliseconds, on a machine with much else to do.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; without one that is installed, or that Playwright has fetched, the test is skipped."""
    found = os.environ.get("REPOCTX_TEST_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=list(_OPTIONS))
        except Error as error:
            if found:
                raise
            pytest.skip(f"no Chromium: install it, or `playwright install chromium` ({error.message[:60]})")
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    """A page of a new visitor at a service. At the end nothing may have failed in it, or have been asked elsewhere."""
    context: BrowserContext = browser.new_context(base_url=url, **{"viewport": WIDE, "locale": "en-GB", **options})
    context.set_default_timeout(PATIENCE)
    wrong: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda said: wrong.append(f"{said.type}: {said.text}") if said.type == "error" else None)
    page.on("request", lambda asked: None if asked.url.startswith(url) else wrong.append(f"asked {asked.url}"))
    try:
        yield page
        assert wrong == []
    finally:
        context.close()


def cookie(url: str) -> str:
    """What the cookie with a visitor's token is called at a service that is reached by http."""
    return f"repoctx-{url.rpartition(':')[2]}"


def violations(page: Page) -> list[str]:
    """What axe finds wrong with a page: for people who see little, or use no mouse."""
    from axe_playwright_python.sync_playwright import Axe

    page.wait_for_load_state()
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


def picture(page: Page, name: str) -> None:
    """Keep a picture of a page where REPOCTX_TEST_PICTURES says, for people to look at."""
    if folder := os.environ.get("REPOCTX_TEST_PICTURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
