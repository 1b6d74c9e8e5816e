from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import requests
from emulator_api import EMAIL

if TYPE_CHECKING:
    from emulator_api import Api
    from emulator_files import FileCalls
    from playwright.sync_api import Locator, Page

    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium_page: Page, emulator: EmulatorClient) -> Page:
    chromium_page.goto(emulator.url)
    chromium_page.evaluate("window.notReloaded = true")
    return chromium_page


def row(page: Page, table: str, text: str) -> Locator:
    return page.locator(f"#{table} tbody tr", has_text=text)


def test_it_needs_nothing_from_elsewhere(emulator: EmulatorClient) -> None:
    answer = requests.get(emulator.url, timeout=10)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "http://" not in answer.text
    assert "https://" not in answer.text


def test_an_empty_emulator(page: Page) -> None:
    row(page, "users", EMAIL).wait_for()
    for name in ("sessions", "blocks", "calls", "uploads", "files"):
        assert page.locator(f"#no-{name}").is_visible()
        assert page.locator(f"#{name}").is_hidden()


def test_sessions_and_calls_appear_without_reload(page: Page, api: Api, emulator: EmulatorClient) -> None:
    token = api.session()
    session = row(page, "sessions", token[:8])
    session.wait_for()
    assert EMAIL in session.inner_text()
    assert token not in page.inner_text("body")
    call = row(page, "calls", "GET /api/1.0/session/login")
    call.wait_for()
    assert "200" in call.inner_text()
    assert page.locator("[data-counter=logins]").inner_text() == "1"
    emulator.advance(600)
    row(page, "sessions", token[:8]).get_by_text(re.compile(r"^[45]:\d\d$")).wait_for()
    assert "10:00 ahead" in page.inner_text("#clock")
    emulator.fault("profile", cut="connection")
    with pytest.raises(requests.ConnectionError):
        api.profile(token)
    row(page, "calls", "(fault)").wait_for()
    assert "cut" in row(page, "calls", "(fault)").inner_text()
    assert page.evaluate("window.notReloaded")


def test_a_person_passes_the_captcha_of_a_user(page: Page, api: Api, emulator: EmulatorClient) -> None:
    for _ in range(5):
        api.login(password="wrong")
    token = api.login().headers["X-Auth-Token"]
    assert api.keepalive(token).status_code == 401
    row(page, "users", "CAPTCHA required").wait_for()
    row(page, "sessions", "CAPTCHA required").wait_for()
    row(page, "blocks", EMAIL).get_by_role("button", name="Pass the CAPTCHA").click()
    page.locator("#no-blocks").wait_for()
    assert api.keepalive(token).status_code == 200
    assert not emulator.users[EMAIL]["blocked"]
    row(page, "sessions", "in use").wait_for()
    assert page.evaluate("window.notReloaded")


def test_a_person_passes_the_captcha_of_a_session(page: Page, api: Api, emulator: EmulatorClient) -> None:
    token = api.session()
    row(page, "sessions", token[:8]).get_by_role("button", name="Block").click()
    row(page, "blocks", f"session {token[:8]}").wait_for()
    assert api.keepalive(token).status_code == 401
    row(page, "blocks", token[:8]).get_by_role("button", name="Pass the CAPTCHA").click()
    page.locator("#no-blocks").wait_for()
    assert api.keepalive(token).status_code == 200


def test_users_are_blocked_and_sessions_expired(page: Page, api: Api, emulator: EmulatorClient) -> None:
    token = api.session()
    row(page, "users", EMAIL).get_by_role("button", name="Block").click()
    row(page, "users", "CAPTCHA required").wait_for()
    assert emulator.users[EMAIL]["blocked"]
    row(page, "sessions", token[:8]).get_by_role("button", name="Expire").click()
    page.locator("#no-sessions").wait_for()
    assert emulator.sessions == []


def test_what_a_client_sent_is_shown_as_text(page: Page, emulator: EmulatorClient) -> None:
    name = "<img/src=x/onerror=window.hacked=1>@example.com"
    emulator.add_user(name, "pw")
    row(page, "users", name).wait_for()
    assert page.evaluate("window.hacked") is None


def test_files_and_open_uploads_appear_without_reload(page: Page, files: FileCalls, emulator: EmulatorClient) -> None:
    link = files.link("report.csv", file_size=12_000_000)
    files.chunk(link["upload_key"], b"x" * 3_400_000, "bytes 0-3399999/12000000")
    upload = row(page, "uploads", "/report.csv")
    upload.get_by_text("3.4 MB").wait_for()
    assert "12.0 MB" in upload.inner_text()
    row(page, "files", "/report.csv").wait_for()
    files.finalize(link["upload_key"])
    emulator.put_files(EMAIL, [{"path": f"f/{number}", "size": 500} for number in range(30)])
    page.locator("#no-uploads").wait_for()
    page.get_by_text(f"{EMAIL}: 31 files, 1 folders, 3.4 MB").wait_for()
    assert page.locator("#files tbody tr").count() == 20
    assert page.evaluate("window.notReloaded")


def test_a_person_adds_a_file(page: Page, emulator: EmulatorClient) -> None:
    emulator.add_user("other@example.com", "pw")
    row(page, "users", "other@example.com").wait_for()
    page.get_by_label("Path").fill("/partner/inbox/späte & frühe.csv")
    page.get_by_label("Text").fill("order,units")
    page.locator("#add-file [name=email]").select_option("other@example.com")
    page.get_by_role("button", name="Add the file").click()
    row(page, "files", "/partner/inbox/späte & frühe.csv").wait_for()
    assert emulator.read_file("other@example.com", "/partner/inbox/späte & frühe.csv") == b"order,units"
    assert page.get_by_label("Path").input_value() == ""
    assert page.evaluate("window.notReloaded")


def test_names_are_shown_as_text(page: Page, emulator: EmulatorClient) -> None:
    emulator.put_hostile_name(EMAIL, "<img src=x onerror=window.hacked=1>")
    emulator.put_hostile_name(EMAIL, "y" * 10_000)
    row(page, "files", "<img src=x").wait_for()
    row(page, "files", "yyy…").wait_for()
    assert page.evaluate("window.hacked") is None


def test_trouble_is_told_and_forgotten(page: Page, api: Api) -> None:
    row(page, "users", EMAIL).wait_for()
    page.route("**/_emulator/state", lambda route: route.fulfill(status=200, body="no JSON"))
    page.get_by_role("alert").wait_for()
    assert "does not answer" in page.get_by_role("alert").inner_text()
    page.unroute("**/_emulator/state")
    page.get_by_role("alert").wait_for(state="hidden")
    assert page.evaluate("window.notReloaded")
