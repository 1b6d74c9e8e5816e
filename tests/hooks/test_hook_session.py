from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, ClassVar

import pyotp
import pytest
from dag_runs import new_dag, run

from airflow_provider_quatrix.api import (
    QuatrixAuthenticationError,
    QuatrixCaptchaRequired,
    QuatrixClient,
    QuatrixMfaRequired,
    QuatrixSessionExpired,
    SessionStatus,
)
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.sessions.stores import account_name

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

API_KEY = "Key-0123456789abcdef"
PIN = "73512"


def variables(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM variable")]


class KeptStore:
    """A store of a user's own."""

    texts: ClassVar[dict[str, str]] = {}

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id

    def read(self) -> str | None:
        return self.texts.get(self.conn_id)

    def write(self, text: str) -> None:
        self.texts[self.conn_id] = text

    def delete(self) -> None:
        self.texts.pop(self.conn_id, None)


# Signing in


def test_a_password_signs_in_once(quatrix_emulator: EmulatorClient) -> None:
    client = QuatrixHook().get_conn()
    assert isinstance(client, QuatrixClient)
    assert client.profile().email == EMAIL
    assert QuatrixHook().get_conn().profile_info().user_used == 0
    assert quatrix_emulator.logins == 1


def test_get_conn_signs_in_before_any_call(quatrix_emulator: EmulatorClient) -> None:
    QuatrixHook().get_conn()
    assert quatrix_emulator.requests == quatrix_emulator.logins == 1


def test_a_totp_secret_signs_in_unattended(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    secret = pyotp.random_base32()
    quatrix_emulator.add_user(EMAIL, PASSWORD, totp_secret=secret)
    quatrix_connection(extra={"totp_secret": secret})
    assert QuatrixHook().get_conn().profile().email == EMAIL
    assert quatrix_emulator.counters["codes_received"] == 1


def test_a_pin_signs_in_unattended(quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection) -> None:
    quatrix_emulator.add_user(EMAIL, PASSWORD, pin=PIN)
    quatrix_connection(extra={"pin": PIN})
    assert QuatrixHook().get_conn().profile().email == EMAIL


def test_a_code_given_by_hand_signs_in_without_a_secret(quatrix_emulator: EmulatorClient) -> None:
    secret = pyotp.random_base32()
    quatrix_emulator.add_user(EMAIL, PASSWORD, totp_secret=secret)
    with pytest.raises(QuatrixMfaRequired, match="`totp_secret`"):
        QuatrixHook().login()
    assert QuatrixHook().login(pyotp.TOTP(secret).now()).status is SessionStatus.OPEN
    assert quatrix_emulator.counters["sessions_opened"] == 1


def test_a_refused_password_is_not_tried_again(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_connection(password="wrong")
    for _ in range(3):
        with pytest.raises(QuatrixAuthenticationError):
            QuatrixHook().get_conn()
    assert QuatrixHook().session_state().status is SessionStatus.REJECTED
    assert quatrix_emulator.logins == 1
    quatrix_connection(password=PASSWORD)
    assert QuatrixHook().get_conn().profile().email == EMAIL


def test_an_api_key_needs_no_session(quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection) -> None:
    quatrix_emulator.add_api_key(API_KEY, EMAIL)
    quatrix_emulator.block_user(EMAIL)
    quatrix_connection(login=None, password=None, extra={"api_key": API_KEY})
    hook = QuatrixHook()
    assert hook.get_conn().profile().email == EMAIL
    assert hook.login().status is SessionStatus.API_KEY
    assert hook.session_state().status is SessionStatus.API_KEY
    hook.keepalive()
    hook.keepalive(renew=False)
    assert hook.captcha_blocked() is False
    assert hook.unblock_captcha("passed") is False
    assert hook.logout() is False
    assert hook.test_connection() == (True, f"Signed in to {quatrix_emulator.url} as {EMAIL}")
    assert (quatrix_emulator.logins, quatrix_emulator.requests) == (0, 3)
    with pytest.raises(TypeError):
        _ = hook._session


def test_a_refused_api_key_fails_the_login(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_connection(login=None, password=None, extra={"api_key": API_KEY})
    with pytest.raises(QuatrixAuthenticationError, match="API key was rejected"):
        QuatrixHook().login()
    assert quatrix_emulator.logins == 0


# Sharing


def test_connections_of_one_account_share_its_session(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_connection(conn_id="quatrix_other")
    for conn_id in ("quatrix_default", "quatrix_other", "quatrix_default", "quatrix_other"):
        QuatrixHook(conn_id).get_conn().profile()
    assert quatrix_emulator.logins == 1


def test_logout_ends_the_session_for_all(quatrix_emulator: EmulatorClient) -> None:
    first, second = QuatrixHook(), QuatrixHook()
    first.get_conn()
    assert second.logout() is True
    assert second.logout() is False
    assert QuatrixHook().session_state().status is SessionStatus.NONE
    assert first.get_conn().profile().email == EMAIL
    assert (quatrix_emulator.logins, quatrix_emulator.counters["logouts"]) == (2, 1)


def test_keepalive_renews_only_if_it_may(quatrix_emulator: EmulatorClient) -> None:
    hook = QuatrixHook()
    with pytest.raises(QuatrixSessionExpired):
        hook.keepalive(renew=False)
    assert quatrix_emulator.requests == 0
    hook.keepalive()
    hook.keepalive(renew=False)
    quatrix_emulator.expire_sessions()
    with pytest.raises(QuatrixSessionExpired):
        hook.keepalive(renew=False)
    assert quatrix_emulator.logins == 1
    hook.keepalive()
    assert quatrix_emulator.logins == 2


# CAPTCHA


def test_a_block_is_seen_without_a_login(quatrix_emulator: EmulatorClient) -> None:
    hook = QuatrixHook()
    assert hook.captcha_blocked() is False
    quatrix_emulator.block_user(EMAIL)
    assert [hook.captcha_blocked() for _ in range(3)] == [True] * 3
    assert hook.session_state().status is SessionStatus.BLOCKED
    quatrix_emulator.unblock_user(EMAIL)
    assert hook.captcha_blocked() is False
    assert (quatrix_emulator.logins, quatrix_emulator.calls("GET", "session/keepalive")) == (1, 4)


def test_a_block_seen_a_moment_ago_is_believed(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.block_user(EMAIL)
    hook = QuatrixHook()
    assert [hook.captcha_blocked(max_age=60) for _ in range(5)] == [True] * 5
    assert quatrix_emulator.requests == quatrix_emulator.logins == 1


def test_a_token_unblocks_the_session(quatrix_emulator: EmulatorClient) -> None:
    hook = QuatrixHook()
    quatrix_emulator.block_user(EMAIL)
    assert hook.captcha_blocked() is True
    with pytest.raises(QuatrixCaptchaRequired, match="get a new one"):
        hook.unblock_captcha("wrong")
    assert hook.unblock_captcha("passed") is True
    assert hook.get_conn().profile().email == EMAIL
    assert quatrix_emulator.logins == 1


def test_a_token_is_not_used_if_nothing_is_blocked(quatrix_emulator: EmulatorClient) -> None:
    assert QuatrixHook().unblock_captcha("passed") is False
    assert quatrix_emulator.calls("POST", "session/unblock-captcha") == 0


def test_a_token_is_not_used_if_a_person_has_passed_the_captcha_meanwhile(quatrix_emulator: EmulatorClient) -> None:
    hook = QuatrixHook()
    quatrix_emulator.block_user(EMAIL)
    assert hook.captcha_blocked() is True
    quatrix_emulator.unblock_user(EMAIL)
    assert hook.unblock_captcha("a wrong one") is False
    assert quatrix_emulator.calls("POST", "session/unblock-captcha") == 0


def test_the_get_form_of_unblocking_is_a_setting_of_the_connection(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_connection(extra={"unblock_method": "GET"})
    quatrix_emulator.configure(unblock_get=True)
    quatrix_emulator.block_user(EMAIL)
    assert QuatrixHook().unblock_captcha("passed") is True
    assert quatrix_emulator.calls("GET", "session/unblock-captcha") == 1


# Where the session lives


def test_in_a_task_the_session_lives_in_a_variable(quatrix_emulator: EmulatorClient, airflow_db: Path) -> None:
    from airflow.providers.common.compat.sdk import task

    with new_dag() as dag:

        @task
        def work() -> str:
            return QuatrixHook().get_conn().profile().email

        work()
    assert run(dag).tasks["work"].xcom == EMAIL
    assert variables(airflow_db) == [f"quatrix_session__{account_name(quatrix_emulator.url, EMAIL)}"]
    (session,) = quatrix_emulator.sessions
    assert session["id"].encode() not in airflow_db.read_bytes()


def test_the_memory_store_leaves_no_variable(
    quatrix_emulator: EmulatorClient, airflow_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__QUATRIX__SESSION_STORE", "memory")
    QuatrixHook().get_conn()
    QuatrixHook().get_conn()
    assert quatrix_emulator.logins == 1
    assert variables(airflow_db) == []


def test_a_store_of_the_users_own_keeps_the_encrypted_record(
    quatrix_emulator: EmulatorClient, airflow_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__QUATRIX__SESSION_STORE", f"{__name__}.KeptStore")
    QuatrixHook().get_conn()
    text = KeptStore.texts.pop(account_name(quatrix_emulator.url, EMAIL))
    (session,) = quatrix_emulator.sessions
    assert session["id"] not in text
    assert variables(airflow_db) == []


@pytest.mark.parametrize("setting", ["no_such_module.Store", f"{__name__}.NoStore", "nonsense", "sealed.", ""])
def test_a_store_that_does_not_exist_names_the_option(
    setting: str, quatrix_emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__QUATRIX__SESSION_STORE", setting)
    with pytest.raises(ValueError, match=r"AIRFLOW__QUATRIX__SESSION_STORE"):
        QuatrixHook().get_conn()
    assert quatrix_emulator.requests == 0
