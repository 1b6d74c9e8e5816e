from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyotp
import pytest

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

SECRET = pyotp.random_base32()


def press() -> tuple[bool, str]:
    works, text = QuatrixHook().test_connection()
    assert "\n" not in text
    assert PASSWORD not in text
    assert SECRET not in text
    return works, text


def test_a_connection_that_works(quatrix_emulator: EmulatorClient) -> None:
    told = f"Signed in to {quatrix_emulator.url} as {EMAIL}. Logins: "
    assert press() == (True, f"{told}1 for this test, 11 of 12 left in 15 minutes")
    assert press() == (True, f"{told}0 for this test, 11 of 12 left in 15 minutes")
    assert quatrix_emulator.logins == 1


def test_the_button_uses_the_session_of_the_tasks(quatrix_emulator: EmulatorClient) -> None:
    QuatrixHook().get_conn()
    assert press()[0]
    QuatrixHook().get_conn().profile()
    assert quatrix_emulator.logins == 1


def test_every_press_tries_refused_credentials_once(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_connection(password="the-new-one")
    assert press()[1].endswith(". Logins: 1 for this test, 11 of 12 left in 15 minutes")
    assert press()[1].endswith(". Logins: 1 for this test, 10 of 12 left in 15 minutes")
    assert quatrix_emulator.logins == 2
    quatrix_emulator.add_user(EMAIL, "the-new-one")
    assert press()[0]
    assert quatrix_emulator.logins == 3


@pytest.mark.parametrize(
    ("fields", "stage"),
    [
        ({"host": "127.0.0.1:1", "extra": {"verify": False}}, "Address: https://127.0.0.1:1 cannot be reached"),
        ({"host": "no-such-host.invalid"}, "Address: https://no-such-host.invalid cannot be reached"),
        ({"host": None}, "Connection: host is missing"),
        ({"password": None}, "Connection: password is missing"),
        ({"extra": {"pin": []}}, "Connection: extra `pin`"),
        ({"extra": {"proxy": "http://127.0.0.1:1"}}, "Proxy: The proxy to "),
        ({"password": "wrong"}, "Credentials: Quatrix rejected the login or password"),
        ({"extra": {"api_key": "no-such-key"}}, "Credentials: The API key was rejected"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_the_stage_that_failed_is_named(
    fields: dict[str, Any], stage: str, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_connection(**fields)
    works, text = press()
    assert not works
    assert text.startswith(stage)


def test_a_certificate_that_nobody_trusts(
    quatrix_emulator_tls: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_connection(host=quatrix_emulator_tls.url)
    works, text = press()
    assert not works
    assert text.startswith("TLS: TLS with ")
    assert "`verify`" in text
    quatrix_connection(host=quatrix_emulator_tls.url, extra={"verify": quatrix_emulator_tls.ca_file})
    assert press()[0]
    assert quatrix_emulator_tls.logins == 1


def test_a_port_without_tls(quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection) -> None:
    quatrix_connection(host=quatrix_emulator.url.replace("http://", "https://"))
    works, text = press()
    assert not works
    assert text.startswith("TLS: TLS with https://")
    assert "this port does not speak TLS. If it is right, begin the host with http://" in text
    assert quatrix_emulator.requests == 0


def test_a_second_factor_that_is_missing_or_wrong(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_emulator.add_user(EMAIL, PASSWORD, totp_secret=SECRET)
    works, text = press()
    assert not works
    assert text.startswith("Second factor: The account wants a 2FA code: set `totp_secret`")
    quatrix_connection(extra={"totp_secret": pyotp.random_base32()})
    works, text = press()
    assert not works
    assert text.startswith("Second factor: Quatrix rejected the second factor (2FA)")


def test_a_captcha(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.block_user(EMAIL)
    works, text = press()
    assert not works
    assert text.startswith("CAPTCHA: Quatrix has blocked the account until a person")
    assert quatrix_emulator.logins == 1


def test_a_budget_that_is_used_up(quatrix_emulator: EmulatorClient) -> None:
    hook = QuatrixHook()
    for _ in range(12):
        hook.login()
        hook.logout()
    works, text = press()
    assert not works
    assert text.startswith("Budget: 12 logins were attempted")
    assert text.endswith(". Logins: 0 for this test, 0 of 12 left in 15 minutes")
    assert quatrix_emulator.logins == 12


def test_a_contact_is_told_that_it_has_no_files(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.add_user(EMAIL, PASSWORD, is_contact=True)
    works, text = press()
    assert not works
    assert text.startswith(f"Credentials: {EMAIL} is a contact, who has no files; use a full user. Logins: 1 ")


def test_a_service_that_fails(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.fault("profile", status=400, body={"code": 11, "msg": "Bad parameter"}, times=None)
    works, text = press()
    assert not works
    assert text.startswith("Service: Bad parameter")


def test_an_id_that_airflow_has_made_up_is_not_told(quatrix_connection: QuatrixConnection) -> None:
    made_up = quatrix_connection(conn_id="ybxqzw", extra={"totp": "x"})
    works, text = QuatrixHook(made_up).test_connection()
    assert not works
    assert text.startswith("Connection: extra has unknown members 'totp'")
    assert "ybxqzw" not in text.lower()


def test_an_api_key_takes_no_login(quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection) -> None:
    quatrix_emulator.add_api_key("a-key-of-the-robot", EMAIL)
    quatrix_connection(extra={"api_key": "a-key-of-the-robot"})
    assert press() == (True, f"Signed in to {quatrix_emulator.url} as {EMAIL}")


def test_a_connection_that_does_not_exist() -> None:
    works, text = QuatrixHook("no_such_connection").test_connection()
    assert not works
    assert text.startswith("Connection: ")
    assert "no_such_connection" in text


def test_a_folder_for_locks_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("AIRFLOW__QUATRIX__LOCK_DIR", str(blocker / "locks"))
    works, text = press()
    assert not works
    assert str(blocker) in text
    assert "[quatrix] lock_dir" in text
