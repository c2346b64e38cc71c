"""A headless Chromium, and pages opened in it that may ask nothing of a network.

`pytest` alone does not collect this folder; `pytest -n 0 tests/browser` runs it, and fails where there is no Chromium
(Debian: `apt-get install chromium`) or no playwright (`pip install -e '.[browser]'`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Opened:
    """A page, and what it did that a user would not see: requests, words on the console, errors."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = [path for name in NAMES if (path := shutil.which(name))]
    assert found, f"none of {', '.join(NAMES)} is installed"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found[0], args=list(QUIET))
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Opened]]:
    """Open a file; afterwards it must have asked for nothing but files, and complained of nothing."""
    every: list[Opened] = []
    contexts = []

    def open_page(path: Path, *, width: int = 1280, height: int = 900, scheme: str = "light", touch: bool = False):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=touch, device_scale_factor=1
        )
        contexts.append(context)
        opened = Opened(context.new_page())
        every.append(opened)
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.on("console", lambda message: opened.complaints.append(message.text))
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.on("dialog", lambda dialog: opened.complaints.append(dialog.message))
        opened.page.set_default_timeout(5000)
        opened.page.goto(path.as_uri())
        return opened

    yield open_page
    for context in contexts:
        context.close()
    for opened in every:
        assert opened.complaints == []
        assert [url[:80] for url in opened.requests if not url.startswith(("file://", "data:"))] == []
