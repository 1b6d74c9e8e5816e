"""A person acts as a recipient: opens a share, enters a PIN, downloads, returns a file."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from emulator_api import EMAIL
from emulator_files import NO_ID
from emulator_shares import PARTNER, ShareCalls, base64_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.browser


@pytest.fixture
def shares(emulator: EmulatorClient) -> ShareCalls:
    emulator.configure(job_seconds=0)
    return ShareCalls(emulator)


@pytest.fixture
def page(chromium_page: Page) -> Page:
    return chromium_page


@pytest.fixture
def refused_page(chromium: Browser) -> Iterator[Page]:
    """A page whose calls may be refused, which Chromium reports as errors."""
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()


def open_share(page: Page, emulator: EmulatorClient, share_id: str, who: str | None = PARTNER) -> None:
    page.goto(f"{emulator.url}/download/{share_id}")
    page.get_by_label("I am").select_option("a stranger" if who is None else who)
    page.get_by_role("button", name="Go on").click()


def downloaded(page: Page, button: str) -> bytes:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button, exact=True).click()
    return Path(waiting.value.path()).read_bytes()


def test_it_needs_nothing_from_elsewhere(emulator: EmulatorClient) -> None:
    for path in (f"/download/{NO_ID}", f"/files-return/{NO_ID}", "/_emulator/style.css", "/_emulator/common.js"):
        answer = requests.get(emulator.url + path, timeout=10)
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "http://" not in answer.text
        assert "https://" not in answer.text
    assert emulator.requests == 0


def test_the_way_from_the_e_mail_to_the_files(page: Page, shares: ShareCalls, emulator: EmulatorClient) -> None:
    share_id = shares.share(subject="Prices", message="For May", send_email=True, share_type="C")
    page.goto(emulator.url)
    mail = page.locator("#mails tbody tr", has_text=PARTNER)
    mail.get_by_role("link", name="Follow the link").click()
    page.get_by_role("heading", name="Prices").wait_for()
    assert page.url == f"{emulator.url}/download/{share_id}"
    assert page.inner_text("#from") == f"From {EMAIL}"
    assert page.inner_text("#message") == "For May"
    page.get_by_role("button", name="Go on").click()
    row = page.locator("#files tbody tr", has_text="1.csv")
    row.wait_for()
    assert "10 B" in row.inner_text()
    assert page.locator("#return").is_hidden()
    with page.expect_download() as waiting:
        row.get_by_role("button", name="Download").click()
    assert waiting.value.suggested_filename == "1.csv"
    assert Path(waiting.value.path()).read_bytes() == emulator.read_file(EMAIL, "out/1.csv")
    archive = zipfile.ZipFile(io.BytesIO(downloaded(page, "Download all")))
    assert archive.namelist() == ["1.csv", "2.csv"]
    downloads = shares.downloads(share_id)
    assert [download["recipient"] for download in downloads["1.csv"]] == [PARTNER, PARTNER]
    assert len(downloads["2.csv"]) == 1
    assert emulator.logins == 0


def test_a_pin(refused_page: Page, shares: ShareCalls, emulator: EmulatorClient) -> None:
    share_id = shares.share(pin=base64_of("späte 42"))
    open_share(refused_page, emulator, share_id)
    refused_page.get_by_label("PIN").fill("wrong")
    refused_page.get_by_role("button", name="Open").click()
    refused_page.get_by_role("alert").get_by_text("Wrong PIN").wait_for()
    assert refused_page.locator("#download").is_hidden()
    refused_page.get_by_label("PIN").fill("späte 42")
    refused_page.get_by_role("button", name="Open").click()
    refused_page.locator("#files tbody tr", has_text="1.csv").wait_for()
    assert refused_page.get_by_role("alert").is_hidden()


@pytest.mark.parametrize("kind", ["share", "quicklink"])
def test_a_stranger_with_a_pin(page: Page, shares: ShareCalls, emulator: EmulatorClient, kind: str) -> None:
    if kind == "share":
        share_id = shares.share(share_type="P", files=[shares.one], pin=base64_of("42"))
    else:
        body = {"files": [shares.one], "pin": base64_of("42")}
        share_id = shares.ok("POST", "quicklink/create", body, 201)["id"]
    open_share(page, emulator, share_id, None)
    page.get_by_label("PIN").fill("42")
    page.get_by_role("button", name="Open").click()
    assert downloaded(page, "Download all") == emulator.read_file(EMAIL, "out/1.csv")
    assert [download["recipient"] for download in shares.downloads(share_id)["1.csv"]] == [None]


def test_somebody_else(page: Page, shares: ShareCalls, emulator: EmulatorClient) -> None:
    share_id = shares.share(files=[shares.one])
    page.goto(f"{emulator.url}/download/{share_id}")
    page.get_by_label("I am").select_option("somebody else")
    page.get_by_label("My e-mail").fill("late@example.org")
    page.get_by_role("button", name="Go on").click()
    downloaded(page, "Download all")
    assert shares.downloads(share_id)["1.csv"][0]["recipient"] == "late@example.org"


def test_a_restricted_share_is_not_for_others(refused_page: Page, shares: ShareCalls, emulator: EmulatorClient) -> None:
    share_id = shares.share(share_type="C")
    refused_page.goto(f"{emulator.url}/download/{share_id}")
    refused_page.get_by_label("I am").select_option("somebody else")
    refused_page.get_by_label("My e-mail").fill("late@example.org")
    refused_page.get_by_role("button", name="Go on").click()
    refused_page.get_by_role("alert").get_by_text("No permission").wait_for()
    assert refused_page.locator("#download").is_hidden()


def test_closed_shares(page: Page, shares: ShareCalls, emulator: EmulatorClient) -> None:
    now = emulator.state()["clock"]["now"]
    later, expired, revoked = shares.share(activates=now + 9000), shares.share(expires=now + 3600), shares.share()
    emulator.advance(3601)
    shares.ok("GET", f"share/revoke/{revoked}")
    for share_id, words in [(later, "has not come"), (expired, "is over"), (revoked, "revoked")]:
        open_share(page, emulator, share_id)
        page.locator("#closed", has_text=words).wait_for()
        assert page.locator("#download").is_hidden()
    page.goto(f"{emulator.url}/download/{NO_ID}")
    page.get_by_role("heading", name="There is no such share").wait_for()
    assert page.locator("#who").is_hidden()


def test_files_for_a_request(page: Page, shares: ShareCalls, emulator: EmulatorClient) -> None:
    body = {"ids": [shares.contact], "folder_id": shares.folder, "message": "The orders, please"}
    request = shares.ok("POST", "share/request", body)
    page.goto(emulator.url)
    page.locator("#shares tbody tr", has_text="file request").get_by_role("link", name="Answer").click()
    page.get_by_role("heading", name="Files are wanted").wait_for()
    assert page.url == request["url"]
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Files", exact=True).set_input_files(
        [
            {"name": "späte.csv", "mimeType": "text/csv", "buffer": b"order,units"},
            {"name": "empty", "mimeType": "text/plain", "buffer": b""},
        ]
    )
    page.get_by_label("Message").fill("Here")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("status").get_by_text("Sent: 2 files").wait_for()
    assert page.locator("#download").is_hidden()
    assert emulator.read_file(EMAIL, "out/späte.csv") == b"order,units"
    assert emulator.read_file(EMAIL, "out/empty") == b""
    assert shares.shared(request["id"])["replied"] == [PARTNER]
    mail = emulator.mails[-1]
    assert (mail["kind"], mail["to"], mail["message"]) == ("reply", EMAIL, "Here")


def test_files_for_a_share(page: Page, shares: ShareCalls, emulator: EmulatorClient) -> None:
    share_id = shares.share(return_files=True)
    open_share(page, emulator, share_id)
    page.locator("#files tbody tr", has_text="1.csv").wait_for()
    page.get_by_label("Files", exact=True).set_input_files(
        {"name": "answer", "mimeType": "text/plain", "buffer": b"yes"}
    )
    page.get_by_role("button", name="Send").click()
    page.get_by_role("status").get_by_text("Sent: 1 file").wait_for()
    assert emulator.read_file(EMAIL, "Inbox/answer") == b"yes"


def test_the_list_of_shares(page: Page, shares: ShareCalls, emulator: EmulatorClient) -> None:
    page.goto(emulator.url)
    page.locator("#no-shares").wait_for()
    page.locator("#no-mails").wait_for()
    share_id = shares.share(subject="<img src=x onerror=window.hacked=1>", pin=base64_of("42"))
    row = page.locator("#shares tbody tr", has_text="<img src=x")
    row.get_by_text("open, with PIN").wait_for()
    emulator.download_share(share_id, PARTNER, "42")
    row.get_by_text("2", exact=True).wait_for()
    shares.ok("GET", f"share/revoke/{share_id}")
    row.get_by_text("revoked").wait_for()
    assert page.evaluate("window.hacked") is None


def test_a_person_infects_a_file(page: Page, shares: ShareCalls, emulator: EmulatorClient) -> None:
    page.goto(emulator.url)
    row = page.locator("#files tbody tr", has_text="1.csv")
    row.get_by_role("button", name="Infect").click()
    row.get_by_text("infected").wait_for()
    assert shares.ok("GET", f"file/info/{shares.one}")["antivirus_check"] == "infected"
    row.get_by_role("button", name="Clean").click()
    row.get_by_role("button", name="Infect").wait_for()
    assert shares.ok("GET", f"file/info/{shares.one}")["antivirus_check"] is None
