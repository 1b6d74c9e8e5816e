"""The connection form and its Test button, as a person meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pyotp
import pytest
from playwright.sync_api import expect
from system_accounts import put_connection

from airflow_provider_quatrix.hooks.connection import EXTRA_FIELDS
from testing.airflow_settings import AIRFLOW_3, free_ports

if TYPE_CHECKING:
    from collections.abc import Callable

    from known_secrets import KnownSecrets
    from playwright.sync_api import Browser, Locator, Page
    from system_accounts import Account

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from testing.airflow_process import AirflowProcess

LABELS = ("Account host", "E-mail", "Password", "Port")
# Airflow's own page is slow to load on a busy machine.
PAGE_TIMEOUT_MS = 60_000

browser_only = pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2's form is checked without a browser")


@pytest.fixture
def page(chromium_page: Page) -> Page:
    chromium_page.set_default_timeout(PAGE_TIMEOUT_MS)
    expect.set_options(timeout=PAGE_TIMEOUT_MS)
    chromium_page.set_viewport_size({"width": 1100, "height": 1720})
    return chromium_page


def open_form(page: Page) -> Locator:
    page.get_by_role("button", name="Add Connection").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").first.fill("Quatrix")
    page.get_by_role("option", name="Quatrix", exact=True).click()
    return dialog


def press_test(airflow: AirflowProcess, page: Page, conn_id: str) -> None:
    page.goto(f"{airflow.url}/connections")
    row = page.get_by_role("row").filter(has=page.get_by_text(conn_id, exact=True))
    row.get_by_role("button", name="Test Connection").click()


@browser_only
@pytest.mark.browser
@pytest.mark.timeout(240)
def test_form_shows_every_field_and_hides_secrets(airflow: AirflowProcess, page: Page) -> None:
    page.goto(f"{airflow.url}/connections")
    dialog = open_form(page)
    for label in LABELS:
        expect(dialog.get_by_text(label, exact=True)).to_be_visible()
    expect(dialog.get_by_text("Schema", exact=True)).to_have_count(0)
    dialog.get_by_role("button", name="Extra Fields", exact=True).click()
    for entry in EXTRA_FIELDS:
        expect(dialog.get_by_text(entry.label, exact=True)).to_be_visible()
        expect(dialog.get_by_text(entry.description, exact=True)).to_be_visible()
    hidden = dialog.locator("input[type=password]")
    assert {field.get_attribute("name") for field in hidden.all()} == {
        "password",
        *(f"element_{entry.name}" for entry in EXTRA_FIELDS if entry.secret),
    }


@browser_only
@pytest.mark.browser
@pytest.mark.timeout(240)
def test_connection_made_in_the_form_works(
    airflow: AirflowProcess, page: Page, quatrix_emulator: EmulatorClient, make_account: Callable[..., Account]
) -> None:
    account = make_account("system_form_model")
    host, _, port = quatrix_emulator.url.rpartition(":")
    page.goto(f"{airflow.url}/connections")
    dialog = open_form(page)
    values = {
        "connection_id": "system_form",
        "host": host,
        "port": port,
        "login": account.email,
        "password": account.password,
    }
    for name, value in values.items():
        dialog.locator(f"[name={name}]").fill(value)
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    saved = airflow.get("connections/system_form")
    assert (saved["conn_type"], saved["host"], saved["login"]) == ("quatrix", host, account.email)

    press_test(airflow, page, "system_form")
    expect(page.get_by_text("Test Connection Successful")).to_be_visible()
    expect(page.get_by_text(f"as {account.email}")).to_be_visible()
    assert quatrix_emulator.logins == 1
    assert airflow.run("system_use", {"conn_id": "system_form"})[1] == "success"


@browser_only
@pytest.mark.browser
@pytest.mark.timeout(240)
@pytest.mark.parametrize("stage", ["Credentials", "Address", "CAPTCHA"])
def test_test_button_names_the_stage_that_failed(
    airflow: AirflowProcess, page: Page, make_account: Callable[..., Account], closed_port: int, stage: str
) -> None:
    account = make_account(f"system_form_{stage.lower()}")
    host, _, port = account.emulator.url.rpartition(":")
    # Without a stored port the page of Airflow 3.3 asks to test port 0, and Airflow refuses to test another port.
    fields: dict[str, Any] = {"host": host, "port": int(port)}
    if stage == "Credentials":
        fields["password"] = "not-the-password"
    if stage == "Address":
        fields["port"] = closed_port
    if stage == "CAPTCHA":
        account.emulator.block_user(account.email)
    spoil(airflow, account, **fields)
    press_test(airflow, page, account.conn_id)
    expect(page.get_by_text("Test Connection Failed")).to_be_visible()
    expect(page.get_by_text(f"{stage}: ")).to_be_visible()


@pytest.fixture
def closed_port() -> int:
    return free_ports(1)[0]


def spoil(airflow: AirflowProcess, account: Account, **fields: Any) -> dict[str, Any]:
    """Change fields of the account's connection."""
    values = {
        "connection_id": account.conn_id,
        "conn_type": "quatrix",
        "host": account.emulator.url,
        "login": account.email,
        "password": account.password,
        **fields,
    }
    put_connection(airflow, **values)
    return values


def pressed(airflow: AirflowProcess, fields: dict[str, Any]) -> tuple[bool, str]:
    """Return what the call behind the Test button answers."""
    answer = airflow.post("connections/test", fields)
    return answer["status"], answer["message"]


def test_test_call_names_every_stage(
    airflow: AirflowProcess,
    quatrix_emulator: EmulatorClient,
    make_account: Callable[..., Account],
    closed_port: int,
    known_secrets: KnownSecrets,
) -> None:
    account = make_account("system_test_call")
    works, message = pressed(airflow, spoil(airflow, account))
    assert works
    assert account.email in message

    wrong = known_secrets.add("wrong password of the Test button", "not-the-password-either")
    works, message = pressed(airflow, spoil(airflow, account, password=wrong))
    assert (works, message.partition(":")[0]) == (False, "Credentials")

    works, message = pressed(airflow, spoil(airflow, account, host=f"http://127.0.0.1:{closed_port}"))
    assert (works, message.partition(":")[0]) == (False, "Address")

    works, message = pressed(airflow, spoil(airflow, account, extra='{"colour": "red"}'))
    assert (works, message.partition(":")[0]) == (False, "Connection")

    quatrix_emulator.expire_sessions(account.email)
    quatrix_emulator.add_user(account.email, account.password, totp_secret=pyotp.random_base32())
    works, message = pressed(airflow, spoil(airflow, account, host=quatrix_emulator.url))
    assert (works, message.partition(":")[0]) == (False, "Second factor")

    blocked = make_account("system_test_call_blocked")
    quatrix_emulator.block_user(blocked.email)
    works, message = pressed(airflow, spoil(airflow, blocked))
    assert (works, message.partition(":")[0]) == (False, "CAPTCHA")


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no workers that test connections")
def test_a_worker_tests_the_connection(
    airflow: AirflowProcess, make_account: Callable[..., Account], known_secrets: KnownSecrets
) -> None:
    account = make_account("system_form_worker")
    wrong = known_secrets.add("wrong password of a worker's test", "not-the-password-of-the-worker")
    fields = {"connection_id": account.conn_id, "conn_type": "quatrix", "login": account.email}
    told = {}
    for password in (account.password, wrong):
        body = {**fields, "host": account.emulator.url, "password": password}
        token = airflow.post("connections/enqueue-test", body)["token"]
        told[password] = airflow.wait_until(partial(result_of_worker, airflow, token), "the test is over", 120)
    state, message = told[account.password]
    assert state == "success"
    assert message.startswith(f"Signed in to {account.emulator.url} as {account.email}. Logins: 1 for this test")
    state, message = told[wrong]
    assert (state, message.partition(":")[0]) == ("failed", "Credentials")
    assert ". Logins: 1 for this test" in message
    assert account.emulator.logins == 2


def result_of_worker(airflow: AirflowProcess, token: str) -> tuple[str, str] | None:
    """Return how a worker's test went, once it is over."""
    answer = airflow.request("GET", "connections/enqueue-test", headers={"Airflow-Connection-Test-Token": token})
    return (answer["state"], answer["result_message"]) if answer["state"] in ("success", "failed") else None


@pytest.mark.skipif(AIRFLOW_3, reason="another form")
@pytest.mark.browser
@pytest.mark.timeout(240)
def test_test_button_of_airflow_2(
    airflow: AirflowProcess, chromium: Browser, make_account: Callable[..., Account], known_secrets: KnownSecrets
) -> None:
    account = make_account("system_form_of_2")
    wrong = known_secrets.add("wrong password in the form of Airflow 2", "not-the-password-of-the-form")
    # A script of Airflow's own fails on this page, which the fixture for pages would not forgive.
    page = chromium.new_page()
    page.set_default_timeout(PAGE_TIMEOUT_MS)
    expect.set_options(timeout=PAGE_TIMEOUT_MS)
    page.goto(f"{airflow.url}/connection/add")
    # The list is drawn by a script over the element that holds the choice.
    page.locator("#conn_type").select_option("quatrix", force=True)
    for field, value in {"conn_id": "typed", "host": account.emulator.url, "login": account.email}.items():
        page.locator(f"#{field}").fill(value)
    for password, told in ((wrong, "Credentials: "), (wrong, "Credentials: "), (account.password, "Signed in to ")):
        page.locator("#password").fill(password)
        page.locator("#test-connection").click()
        alert = page.locator(".container .row .alert")
        expect(alert).to_contain_text(told)
        expect(alert).to_contain_text("Logins: 1 for this test")
        alert.evaluate("box => box.remove()")
    page.close()
    assert account.emulator.logins == 3


RENDER_FORM_OF_2 = """
import json
from airflow.providers_manager import ProvidersManager
from wtforms import Form

manager = ProvidersManager()
widgets = {
    info.field_name: info.field
    for name, info in manager.connection_form_widgets.items()
    if name.startswith("extra__quatrix__")
}
form = type("ConnectionForm", (Form,), widgets)()
fields = [[field.name, field.label.text, field.description, 'type="password"' in field()] for field in form]
print(json.dumps({"fields": fields, "behaviour": manager.field_behaviours["quatrix"]}))
"""


@pytest.mark.skipif(AIRFLOW_3, reason="Airflow 3 draws the form from metadata, checked in the browser")
def test_airflow_2_builds_the_form(airflow: AirflowProcess) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RENDER_FORM_OF_2],
        env=airflow.env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.strip().splitlines()[-1])
    assert shown["fields"] == [[entry.name, entry.label, entry.description, entry.secret] for entry in EXTRA_FIELDS]
    assert shown["behaviour"]["hidden_fields"] == ["schema"]
    assert shown["behaviour"]["relabeling"]["host"] == "Account host"
