from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyotp
import pytest
from airflow.providers.common.compat.sdk import AirflowException, task
from dag_runs import logged_cleanly, new_dag, once, run, stored_timeout

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.operators.session import (
    QuatrixKeepaliveOperator,
    QuatrixLoginOperator,
    QuatrixLogoutOperator,
    QuatrixUnblockCaptchaOperator,
)
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

DEFERRABLE = pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])
DOWN = {"status": 408, "body": "<html>down for maintenance</html>"}


def rendered_fields(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        return str(list(connection.execute("SELECT rendered_fields FROM rendered_task_instance_fields")))


def stored_xcoms(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        return str(list(connection.execute("SELECT value FROM xcom")))


@pytest.fixture
def blocked(quatrix_emulator: EmulatorClient) -> EmulatorClient:
    """The emulator, with the account blocked before anybody signs in."""
    quatrix_emulator.block_user(EMAIL)
    return quatrix_emulator


def lifted_after(refusals: int, emulator: EmulatorClient) -> Any:
    return once(lambda: emulator.counters["captcha_refusals"] >= refusals, lambda: emulator.unblock_user(EMAIL))


# Login


def test_login_signs_in_once_and_shows_nothing_secret(quatrix_emulator: EmulatorClient, airflow_db: Path) -> None:
    with new_dag() as dag:
        QuatrixLoginOperator(task_id="first") >> QuatrixLoginOperator(task_id="second")
    outcome = run(dag)
    assert outcome.states == {"first": "success", "second": "success"}
    assert quatrix_emulator.logins == 1
    for name in ("first", "second"):
        xcom = outcome.tasks[name].xcom
        assert xcom.keys() == {"status", "obtained", "last_used", "login_attempts"}
        assert (xcom["status"], xcom["login_attempts"]) == ("open", 1)
    (session,) = quatrix_emulator.sessions
    assert session["id"] not in stored_xcoms(airflow_db) + rendered_fields(airflow_db)


def test_login_replaces_a_session_that_has_ended(quatrix_emulator: EmulatorClient) -> None:
    with new_dag() as dag:
        first = QuatrixLoginOperator(task_id="first")

        @task
        def expire() -> int:
            return quatrix_emulator.expire_sessions()

        first >> expire() >> QuatrixLoginOperator(task_id="second")
    outcome = run(dag)
    assert outcome.tasks["expire"].xcom == 1
    assert outcome.tasks["second"].xcom["login_attempts"] == quatrix_emulator.logins == 2


def test_an_mfa_code_is_a_template_and_masked(
    quatrix_emulator: EmulatorClient, airflow_db: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = pyotp.random_base32()
    code = pyotp.TOTP(secret).now()
    quatrix_emulator.add_user(EMAIL, PASSWORD, totp_secret=secret)
    with new_dag(params={"code": code}) as dag:
        QuatrixLoginOperator(task_id="login", mfa_code=" {{ params.code }}\n")
    assert run(dag).states == {"login": "success"}
    assert quatrix_emulator.counters["codes_received"] == 1
    assert code not in rendered_fields(airflow_db)
    logged_cleanly(capfd)


def test_an_mfa_code_of_a_native_template_comes_as_a_number(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.add_user(EMAIL, PASSWORD, pin="73512")
    with new_dag(params={"code": 73512}, render_template_as_native_obj=True) as dag:
        QuatrixLoginOperator(task_id="login", mfa_code="{{ params.code }}")
    assert run(dag).states == {"login": "success"}


def test_a_mistyped_mfa_code_asks_for_another(
    quatrix_emulator: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    quatrix_emulator.add_user(EMAIL, PASSWORD, pin="73512")
    with new_dag() as dag:
        QuatrixLoginOperator(task_id="login", mfa_code="73513", retries=3)
    assert run(dag).states == {"login": "failed"}
    said = "".join(capfd.readouterr())
    assert "Enter a new mfa_code: a code works once" in said
    assert "Correct the credentials" not in said


def test_an_empty_mfa_code_is_none(quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection) -> None:
    secret = pyotp.random_base32()
    quatrix_emulator.add_user(EMAIL, PASSWORD, totp_secret=secret)
    quatrix_connection(extra={"totp_secret": secret})
    with new_dag(params={"code": ""}) as dag:
        QuatrixLoginOperator(task_id="login", mfa_code="{{ params.code }}")
    assert run(dag).states == {"login": "success"}


def test_a_missing_second_factor_fails_at_once_and_says_what_to_set(
    quatrix_emulator: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    quatrix_emulator.add_user(EMAIL, PASSWORD, totp_secret=pyotp.random_base32())
    with new_dag() as dag:
        QuatrixLoginOperator(task_id="login", retries=3)
    outcome = run(dag)
    assert (outcome.tasks["login"].state, outcome.tasks["login"].tries) == ("failed", 1)
    assert "set `totp_secret` in the connection's extra" in logged_cleanly(capfd)
    assert quatrix_emulator.logins == 1


def test_a_wrong_password_fails_at_once(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection, capfd: pytest.CaptureFixture[str]
) -> None:
    quatrix_connection(password="wrong-Passw0rd")
    with new_dag(default_args={"retries": 3, "retry_delay": timedelta(0)}) as dag:
        QuatrixLoginOperator(task_id="login")
    outcome = run(dag)
    assert (outcome.tasks["login"].state, outcome.tasks["login"].tries) == ("failed", 1)
    assert quatrix_emulator.logins == 1
    log = logged_cleanly(capfd)
    assert "Quatrix rejected the login or password" in log
    assert "Correct the credentials of connection 'quatrix_default'" in log
    assert "wrong-Passw0rd" not in log


def test_a_service_that_is_down_is_tried_again_by_airflow(
    quatrix_emulator: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    quatrix_emulator.fault("session/login", **DOWN, times=2)
    with new_dag(default_args={"retries": 3, "retry_delay": timedelta(0)}) as dag:
        QuatrixLoginOperator(task_id="login")
    outcome = run(dag)
    assert (outcome.tasks["login"].state, outcome.tasks["login"].tries) == ("success", 3)
    assert quatrix_emulator.logins == 3
    logged_cleanly(capfd)


def test_a_bad_connection_fails_at_once_without_a_request(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection, capfd: pytest.CaptureFixture[str]
) -> None:
    quatrix_connection(extra={"totp_secret": "not-base-32!"})
    with new_dag() as dag:
        QuatrixLoginOperator(task_id="login", retries=3)
    outcome = run(dag)
    assert (outcome.tasks["login"].state, outcome.tasks["login"].tries) == ("failed", 1)
    log = logged_cleanly(capfd)
    assert "Connection 'quatrix_default': extra `totp_secret` is not base32" in log
    assert "not-base-32!" not in log
    assert quatrix_emulator.requests == 0


def test_a_blocked_account_fails_at_once_unless_told_to_wait(
    blocked: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    with new_dag() as dag:
        QuatrixLoginOperator(task_id="login", retries=3)
    outcome = run(dag)
    assert (outcome.tasks["login"].state, outcome.tasks["login"].tries) == ("failed", 1)
    assert "QuatrixCaptchaSensor waits for that without any login" in logged_cleanly(capfd)
    assert blocked.logins == 1


@DEFERRABLE
def test_login_waits_until_the_block_is_lifted(deferrable: bool, blocked: EmulatorClient) -> None:
    with new_dag() as dag:
        QuatrixLoginOperator(task_id="login", wait_for_captcha=True, poll_interval=1, deferrable=deferrable)
    with lifted_after(2, blocked):
        outcome = run(dag)
    assert outcome.states == {"login": "success"}
    assert outcome.tasks["login"].xcom["status"] == "open"
    assert blocked.logins == 1


@DEFERRABLE
def test_login_that_waits_fails_where_waiting_cannot_help(
    deferrable: bool, blocked: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    blocked.fault("session/keepalive", status=403, body={"code": 50, "msg": "Forbidden here"}, times=None, after=1)
    with new_dag() as dag:
        QuatrixLoginOperator(task_id="login", wait_for_captcha=True, poll_interval=1, deferrable=deferrable, retries=3)
    outcome = run(dag)
    assert (outcome.tasks["login"].state, outcome.tasks["login"].tries) == ("failed", 1)
    log = logged_cleanly(capfd)
    assert "Forbidden here (HTTP 403, code 50)" in log
    assert "Ask the account's administrator for the permission" in log
    assert blocked.logins == 1


def test_login_that_waits_outlasts_an_outage(blocked: EmulatorClient) -> None:
    blocked.fault("session/keepalive", **DOWN, times=2)
    with new_dag() as dag:
        QuatrixLoginOperator(task_id="login", wait_for_captcha=True, poll_interval=1, deferrable=False)
    with lifted_after(1, blocked):
        outcome = run(dag)
    assert outcome.states == {"login": "success"}
    assert blocked.logins == 1


def test_login_does_not_wait_for_ever(blocked: EmulatorClient, capfd: pytest.CaptureFixture[str]) -> None:
    with new_dag() as dag:
        QuatrixLoginOperator(
            task_id="login",
            wait_for_captcha=True,
            poll_interval=timedelta(minutes=1),
            captcha_timeout=timedelta(seconds=1),
            deferrable=False,
        )
    assert run(dag).states == {"login": "failed"}
    assert "Nobody has passed the CAPTCHA within 1 s" in logged_cleanly(capfd)
    assert blocked.logins == 1


def test_login_that_defers_does_not_wait_for_ever_either() -> None:
    with new_dag() as dag:
        login = QuatrixLoginOperator(task_id="login", wait_for_captcha=True, captcha_timeout=2, deferrable=True)
    next_method, next_kwargs = stored_timeout(dag, "login")
    with pytest.raises(AirflowException, match="Nobody has passed the CAPTCHA within 2 s"):
        login.resume_execution(next_method, next_kwargs, {})


def test_login_with_an_api_key_tries_the_key(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_emulator.add_api_key("Key-0123456789abcdef", EMAIL)
    quatrix_connection(login=None, password=None, extra={"api_key": "Key-0123456789abcdef"})
    with new_dag() as dag:
        (
            QuatrixLoginOperator(task_id="login")
            >> QuatrixKeepaliveOperator(task_id="keepalive")
            >> QuatrixUnblockCaptchaOperator(task_id="unblock", token="passed")
            >> QuatrixLogoutOperator(task_id="logout")
        )
    outcome = run(dag)
    assert outcome.state == "success"
    assert outcome.tasks["login"].xcom["status"] == "api_key"
    assert (quatrix_emulator.logins, quatrix_emulator.requests) == (0, 1)


# Keepalive


def test_keepalive_pings_once(quatrix_emulator: EmulatorClient) -> None:
    with new_dag() as dag:
        QuatrixLoginOperator(task_id="login") >> QuatrixKeepaliveOperator(task_id="keepalive")
    assert run(dag).state == "success"
    assert (quatrix_emulator.logins, quatrix_emulator.calls("GET", "session/keepalive")) == (1, 1)


@DEFERRABLE
def test_keepalive_holds_the_session(deferrable: bool, quatrix_emulator: EmulatorClient) -> None:
    QuatrixHook().login()
    with new_dag() as dag:
        keepalive = QuatrixKeepaliveOperator(task_id="keepalive", duration=1.75, deferrable=deferrable)
    keepalive.interval = 0.5
    assert run(dag).states == {"keepalive": "success"}
    assert quatrix_emulator.logins == 1
    assert 3 <= quatrix_emulator.calls("GET", "session/keepalive") <= 5


@DEFERRABLE
def test_holding_outlasts_an_outage(deferrable: bool, quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.fault("session/keepalive", **DOWN, times=1, after=1)
    QuatrixHook().login()
    with new_dag() as dag:
        keepalive = QuatrixKeepaliveOperator(
            task_id="keepalive", duration=timedelta(seconds=2), interval=timedelta(seconds=1), deferrable=deferrable
        )
    keepalive.interval = 0.5
    assert run(dag).states == {"keepalive": "success"}
    assert quatrix_emulator.counters["faults"] == 1


@pytest.mark.parametrize(
    ("if_expired", "state", "logins", "says"),
    [
        ("login", "success", 1, ""),
        ("fail", "failed", 0, "Put a QuatrixLoginOperator in front, or set if_expired='login'"),
        ("skip", "skipped", 0, "has ended, or nobody has signed in"),
    ],
)
def test_what_happens_without_a_session_is_up_to_the_dag(
    if_expired: str,
    state: str,
    logins: int,
    says: str,
    *,
    quatrix_emulator: EmulatorClient,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with new_dag() as dag:
        QuatrixKeepaliveOperator(task_id="keepalive", if_expired=if_expired, retries=3)
    outcome = run(dag)
    assert (outcome.tasks["keepalive"].state, outcome.tasks["keepalive"].tries) == (state, 1)
    assert quatrix_emulator.logins == logins
    assert says in logged_cleanly(capfd)


@DEFERRABLE
@pytest.mark.parametrize(("if_expired", "state"), [("login", "success"), ("fail", "failed"), ("skip", "skipped")])
def test_what_happens_when_a_held_session_ends_is_up_to_the_dag(
    if_expired: str, state: str, deferrable: bool, quatrix_emulator: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    with new_dag() as dag:
        login = QuatrixLoginOperator(task_id="login")
        keepalive = QuatrixKeepaliveOperator(
            task_id="keepalive", duration=2, interval=1, if_expired=if_expired, deferrable=deferrable
        )
        login >> keepalive
    keepalive.interval = 0.5
    with once(lambda: quatrix_emulator.calls("GET", "session/keepalive") >= 1, quatrix_emulator.expire_sessions):
        outcome = run(dag)
    assert outcome.states["keepalive"] == state
    assert quatrix_emulator.logins == (2 if if_expired == "login" else 1)
    logged_cleanly(capfd)


@DEFERRABLE
def test_keepalive_fails_at_once_when_the_account_is_blocked(
    deferrable: bool, blocked: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    with new_dag() as dag:
        QuatrixKeepaliveOperator(task_id="keepalive", duration=60, interval=1, deferrable=deferrable, retries=3)
    outcome = run(dag)
    assert (outcome.tasks["keepalive"].state, outcome.tasks["keepalive"].tries) == ("failed", 1)
    assert "until a person passes the CAPTCHA" in logged_cleanly(capfd)
    assert blocked.logins == 1


@pytest.mark.parametrize(
    ("kind", "arguments", "says"),
    [
        (QuatrixKeepaliveOperator, {"duration": -1}, "duration is -1: give a number of seconds, 0 or more"),
        (QuatrixKeepaliveOperator, {"duration": "ten"}, "duration is 'ten'"),
        (QuatrixKeepaliveOperator, {"duration": float("nan")}, "duration is nan"),
        (QuatrixKeepaliveOperator, {"duration": float("inf")}, "duration is inf"),
        (QuatrixKeepaliveOperator, {"duration": timedelta(seconds=-1)}, "give a number of seconds, 0 or more"),
        (QuatrixKeepaliveOperator, {"interval": 0}, "interval is 0: give a number of seconds, 1 or more"),
        (QuatrixKeepaliveOperator, {"interval": 891}, "interval is 891 s, but Quatrix ends a session after 900 s"),
        (QuatrixKeepaliveOperator, {"interval": timedelta(hours=1)}, "interval is 3600 s"),
        (QuatrixKeepaliveOperator, {"interval": True}, "interval is True"),
        (QuatrixKeepaliveOperator, {"if_expired": "cry"}, "if_expired is 'cry': give 'login', 'fail' or 'skip'"),
        (QuatrixLoginOperator, {"poll_interval": 0.5}, "poll_interval is 0.5: give a number of seconds, 1 or more"),
        (QuatrixLoginOperator, {"captcha_timeout": 0}, "captcha_timeout is 0"),
        (QuatrixLoginOperator, {"nonsense": 1}, "nonsense"),
        (QuatrixUnblockCaptchaOperator, {}, "token"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_read(kind: Any, arguments: dict[str, Any], says: str) -> None:
    with new_dag(), pytest.raises((ValueError, TypeError, AirflowException), match=says):
        kind(task_id="task", **arguments)


@pytest.mark.parametrize("given", [True, False])
def test_the_configuration_decides_on_deferring_where_the_dag_does_not(
    given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", str(given))
    with new_dag():
        for kind in (QuatrixLoginOperator, QuatrixKeepaliveOperator):
            assert kind(task_id=f"a{kind.__name__}").deferrable is given
            assert kind(task_id=f"b{kind.__name__}", deferrable=not given).deferrable is not given


# Logout


def test_logout_is_fine_without_a_session_and_twice(quatrix_emulator: EmulatorClient) -> None:
    with new_dag() as dag:
        (
            QuatrixLogoutOperator(task_id="none")
            >> QuatrixLoginOperator(task_id="login")
            >> QuatrixLogoutOperator(task_id="once")
            >> QuatrixLogoutOperator(task_id="twice")
        )
    assert run(dag).state == "success"
    assert (quatrix_emulator.logins, quatrix_emulator.counters["logouts"]) == (1, 1)
    assert quatrix_emulator.sessions == []


def test_logout_leaves_a_blocked_session_alone_as_it_is_what_a_token_unblocks(blocked: EmulatorClient) -> None:
    with new_dag() as dag:
        login = QuatrixLoginOperator(task_id="login")
        logout = QuatrixLogoutOperator(task_id="logout", trigger_rule="all_done")
        unblock = QuatrixUnblockCaptchaOperator(task_id="unblock", token="passed")
        login >> logout >> unblock
    outcome = run(dag)
    assert outcome.states == {"login": "failed", "logout": "success", "unblock": "success"}
    assert (blocked.logins, blocked.counters["logouts"], blocked.counters["captcha_passed"]) == (1, 0, 1)


@pytest.mark.parametrize("fails", [True, False])
def test_teardown_signs_out_whatever_happens_in_between(fails: bool, quatrix_emulator: EmulatorClient) -> None:
    with new_dag() as dag:
        login = QuatrixLoginOperator(task_id="login").as_setup()

        @task
        def work() -> None:
            QuatrixHook().get_conn().profile()
            if fails:
                raise RuntimeError

        @task
        def more() -> None:
            QuatrixHook().get_conn().profile()

        login >> work() >> more() >> QuatrixLogoutOperator(task_id="logout").as_teardown(setups=login)
    outcome = run(dag)
    expected = ("failed", "upstream_failed", "failed") if fails else ("success", "success", "success")
    assert (outcome.states["work"], outcome.states["more"], outcome.state) == expected
    assert (outcome.states["login"], outcome.states["logout"]) == ("success", "success")
    assert (quatrix_emulator.logins, quatrix_emulator.counters["logouts"]) == (1, 1)


def test_a_teardown_after_a_login_that_failed_asks_nothing(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_connection(password="wrong")
    with new_dag() as dag:
        login = QuatrixLoginOperator(task_id="login").as_setup()
        login >> QuatrixLogoutOperator(task_id="logout").as_teardown(setups=login)
    assert run(dag).states["login"] == "failed"
    assert quatrix_emulator.requests == 1


# Unblocking


def test_the_right_token_unblocks_and_appears_nowhere(
    blocked: EmulatorClient, airflow_db: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    token = "Token-98765-xyz"
    blocked.configure(captcha_tokens=[token])
    with new_dag() as dag:

        @task
        def given() -> str:
            # Made up here, so that nothing but the operator brings the whole of it into the log.
            return "Token-98765" + "-xyz"

        unblock = QuatrixUnblockCaptchaOperator(task_id="unblock", token=given())
        unblock >> QuatrixLoginOperator(task_id="login")
    outcome = run(dag)
    assert outcome.states == {"given": "success", "unblock": "success", "login": "success"}
    assert (blocked.logins, blocked.counters["captcha_passed"]) == (1, 1)
    assert token not in rendered_fields(airflow_db)
    assert "The session is unblocked" in logged_cleanly(capfd)


def test_mapped_tokens_are_masked_too(blocked: EmulatorClient, airflow_db: Path) -> None:
    with new_dag() as dag:

        @task
        def codes() -> list[str]:
            return ["code-one-1111", "code-two-2222"]

        QuatrixLoginOperator.partial(task_id="login").expand(mfa_code=codes())
    run(dag)
    fields = rendered_fields(airflow_db)
    assert "code-one" not in fields
    assert "code-two" not in fields
    assert "***" in fields


def test_a_wrong_token_says_that_a_new_one_is_needed(
    blocked: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    with new_dag() as dag:
        QuatrixUnblockCaptchaOperator(task_id="unblock", token="wrong-token-123", retries=3)
    outcome = run(dag)
    assert (outcome.tasks["unblock"].state, outcome.tasks["unblock"].tries) == ("failed", 1)
    log = logged_cleanly(capfd)
    assert "the CAPTCHA token is wrong. A token works once: get a new one" in log
    assert blocked.counters["captcha_rejected"] == 1
    assert blocked.logins == 1


@pytest.mark.parametrize("token", ["", "  \n", None, "{{ params.nothing }}"])
def test_an_empty_token_is_refused_before_any_request(
    token: Any, blocked: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    with new_dag(params={"nothing": ""}) as dag:
        QuatrixUnblockCaptchaOperator(task_id="unblock", token=token, retries=3)
    outcome = run(dag)
    assert (outcome.tasks["unblock"].state, outcome.tasks["unblock"].tries) == ("failed", 1)
    assert "token is empty: pass the CAPTCHA and give the token" in logged_cleanly(capfd)
    assert blocked.requests == 0


def test_a_token_is_not_used_if_nothing_is_blocked(
    quatrix_emulator: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    with new_dag() as dag:
        QuatrixUnblockCaptchaOperator(task_id="unblock", token="passed")
    assert run(dag).states == {"unblock": "success"}
    assert "Nothing was blocked; the token was not used" in logged_cleanly(capfd)
    assert quatrix_emulator.calls("POST", "session/unblock-captcha") == 0


def test_the_connection_may_be_a_template(quatrix_emulator: EmulatorClient) -> None:
    conn = "{{ params.conn }}"
    with new_dag(params={"conn": "quatrix_default"}) as dag:
        (
            QuatrixLoginOperator(task_id="login", quatrix_conn_id=conn)
            >> QuatrixKeepaliveOperator(task_id="keepalive", quatrix_conn_id=conn)
            >> QuatrixUnblockCaptchaOperator(task_id="unblock", token="passed", quatrix_conn_id=conn)
            >> QuatrixLogoutOperator(task_id="logout", quatrix_conn_id=conn)
        )
    assert run(dag).state == "success"
    assert quatrix_emulator.logins == 1
