"""A headless Chromium for the tests of pages, or a clear reason why there is none."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from testing.chromium import NAMES, chromium_path, started_chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

NO_BROWSER = "No browser is installed"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the tests that nobody has run for want of a browser."""
    missed = [report.nodeid for report in terminalreporter.getreports("skipped") if NO_BROWSER in str(report.longrepr)]
    if missed:
        terminalreporter.section(f"{len(missed)} browser tests did not run: install Chromium, or run 'make chromium'")
        terminalreporter.write("".join(f"{nodeid}\n" for nodeid in missed))


@pytest.fixture(scope="session")
def chromium_program() -> str:
    """The path of the browser."""
    path = chromium_path()
    if path is None:
        pytest.skip(f"{NO_BROWSER}: none of {', '.join(NAMES)} is on the PATH")
    pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    return path


@pytest.fixture(scope="module")
def chromium(chromium_program: str) -> Iterator[Browser]:
    """The browser, for one module: as long as it runs, asyncio.run() cannot be used in this thread."""
    with started_chromium(chromium_program) as browser:
        yield browser


@pytest.fixture
def chromium_page(chromium: Browser) -> Iterator[Page]:
    """An empty page that fails the test when a script of the page fails or the console shows an error."""
    with faultless_page(chromium) as page:
        yield page


@contextmanager
def faultless_page(browser: Browser, timeout: float = 10.0) -> Iterator[Page]:
    """Open an empty page; it is an error when a script of the page fails or the console shows an error.

    :param timeout: seconds for each step.
    """
    context = browser.new_context(viewport={"width": 1100, "height": 900}, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(1000 * timeout)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert not problems
