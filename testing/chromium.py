"""A headless Chromium, as tests and pictures start it."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

# The first is the same engine without windows: it takes half the CPU time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def chromium_path() -> str | None:
    """Find the browser.

    :return: its path, or None where none is installed.
    """
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def started_chromium(path: str) -> Iterator[Browser]:
    """Start a browser, and stop it at the end. As long as it runs, asyncio.run() cannot be used in this thread.

    :param path: of its program.
    :return: the browser.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()
