from __future__ import annotations

import pickle
import time
from typing import TYPE_CHECKING, Any

import pyotp
import pytest
from http_servers import ScriptedServer, answer
from noting_guard import NotingGuard

from airflow_provider_quatrix import api
from airflow_provider_quatrix.api import (
    Credentials,
    FixedSession,
    QuatrixClient,
    SessionCalls,
    Transport,
)
from airflow_provider_quatrix.api.refusals import refuses_login
from airflow_provider_quatrix.api.retry import RetryPolicy
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD

if TYPE_CHECKING:
    import socket

    from airflow_provider_quatrix.api.messages import Request, Response
    from airflow_provider_quatrix.emulator.client import EmulatorClient

TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
RIGHT = Credentials(EMAIL, PASSWORD)


@pytest.mark.parametrize("new_id", [False, True])
@pytest.mark.parametrize("place", ["body", "header"])
def test_a_pin_signs_in(
    quatrix_emulator: EmulatorClient, calls: SessionCalls, over: Transport, place: str, new_id: bool
) -> None:
    quatrix_emulator.configure(session_id_in=place, second_factor_new_id=new_id)
    quatrix_emulator.add_user("pin@example.com", PASSWORD, pin="12345")
    client = QuatrixClient(over, FixedSession(calls.login(Credentials("pin@example.com", PASSWORD, pin="12345"))))
    assert client.profile().email == "pin@example.com"


def test_a_code_of_a_person_signs_in(quatrix_emulator: EmulatorClient, calls: SessionCalls) -> None:
    quatrix_emulator.add_user(EMAIL, PASSWORD, totp_secret=TOTP_SECRET)
    guard = NotingGuard()
    assert calls.login(RIGHT, mfa_code=pyotp.TOTP(TOTP_SECRET).now(), guard=guard)
    assert guard.noted == ["try"]


def test_a_guard_hears_of_a_code_before_it_is_sent(quatrix_emulator: EmulatorClient, calls: SessionCalls) -> None:
    quatrix_emulator.add_user(EMAIL, PASSWORD, totp_secret=TOTP_SECRET)
    quatrix_emulator.fault("session/login", method="POST", status=503)
    guard = NotingGuard()
    with pytest.raises(api.QuatrixApiError):
        calls.login(Credentials(EMAIL, PASSWORD, totp_secret=TOTP_SECRET), guard=guard)
    assert guard.noted == ["try", "code"]


@pytest.mark.parametrize("code", [70, 83, 84])
def test_a_wrong_second_factor_is_told_from_a_wrong_password(
    quatrix_emulator: EmulatorClient, calls: SessionCalls, code: int
) -> None:
    quatrix_emulator.configure(wrong_totp_code=code)
    quatrix_emulator.add_user(EMAIL, PASSWORD, totp_secret=TOTP_SECRET)
    with pytest.raises(api.QuatrixAuthenticationError, match=r"second factor \(2FA\)") as error:
        calls.login(RIGHT, mfa_code="000000")
    assert error.value.second_factor
    with pytest.raises(api.QuatrixAuthenticationError, match="login or password") as error:
        calls.login(Credentials(EMAIL, "wrong-password"), mfa_code="000000")
    assert not error.value.second_factor
    assert "wrong-password" not in repr(error.value)


@pytest.mark.parametrize(("slow", "way"), [(95, "95 s behind"), (-95, "95 s ahead of")])
def test_a_code_refused_for_the_clock_is_told_as_such(
    quatrix_emulator: EmulatorClient, calls: SessionCalls, slow: float, way: str
) -> None:
    quatrix_emulator.add_user(EMAIL, PASSWORD, totp_secret=TOTP_SECRET)
    credentials = Credentials(EMAIL, PASSWORD, totp_secret=TOTP_SECRET)
    with pytest.raises(api.QuatrixAuthenticationError, match=r"clock of this host is \d+ s") as error:
        calls.login(credentials, now=lambda: time.time() - slow)
    offset = error.value.clock_offset
    # The date that a server tells is up to a second old.
    assert offset is not None
    assert abs(offset - slow) < 5
    assert way in str(error.value).replace(f"{abs(offset):.0f} s", "95 s")
    assert "Wrong code" in str(error.value)
    assert error.value.second_factor
    assert pickle.loads(pickle.dumps(error.value)).clock_offset == offset  # noqa: S301 - our own bytes
    # The offset is what a further try needs.
    assert calls.login(credentials, now=lambda: time.time() - slow + offset)


def test_a_code_refused_by_clocks_that_agree_is_just_wrong(
    quatrix_emulator: EmulatorClient, calls: SessionCalls
) -> None:
    quatrix_emulator.add_user(EMAIL, PASSWORD, totp_secret=TOTP_SECRET)
    with pytest.raises(api.QuatrixAuthenticationError) as error:
        calls.login(Credentials(EMAIL, PASSWORD, totp_secret="JBSWY3DPEHPK3PXQ"))
    assert error.value.clock_offset is None
    assert "clock" not in str(error.value)


def test_a_code_of_a_person_or_a_pin_has_nothing_to_do_with_the_clock(
    quatrix_emulator: EmulatorClient, calls: SessionCalls
) -> None:
    quatrix_emulator.add_user(EMAIL, PASSWORD, totp_secret=TOTP_SECRET)
    quatrix_emulator.add_user("pin@example.com", PASSWORD, pin="12345")
    for credentials, code in ((RIGHT, "000000"), (Credentials("pin@example.com", PASSWORD, pin="54321"), None)):
        with pytest.raises(api.QuatrixAuthenticationError) as error:
            calls.login(credentials, mfa_code=code, now=lambda: time.time() - 95)
        assert error.value.clock_offset is None
        assert "clock" not in str(error.value)


def test_both_halves_of_a_login_share_one_deadline() -> None:
    class Noting(Transport):
        calls: list[Request] = []  # noqa: RUF012 - of this one test

        def send(self, call: Request, credentials: Any) -> Response:
            self.calls.append(call)
            return super().send(call, credentials)

    def answering(connection: socket.socket, head: str) -> None:
        if head.startswith("GET"):
            time.sleep(0.3)
            connection.sendall(answer("207 More", b'{"session_id": "pending"}', Mfa_Code="73"))
        else:
            connection.sendall(answer("200 OK", b'{"session_id": "open"}'))

    with ScriptedServer(answering) as server:
        over = Noting(server.url, policy=RetryPolicy(deadline=60.0))
        assert SessionCalls(over).login(Credentials(EMAIL, PASSWORD, pin="12345")) == "open"
    password, code = over.calls
    assert password.deadline is None
    assert code.deadline is not None
    assert 1.0 < code.deadline <= 59.7


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b""])
def test_a_refusal_is_one_whatever_its_body(body: bytes) -> None:
    server = ScriptedServer(lambda connection, _: connection.sendall(answer("401 No", body)))
    with server, pytest.raises(api.QuatrixAuthenticationError):
        SessionCalls(Transport(server.url)).login(RIGHT)
    assert len(server.heads) == 1


def test_a_refusal_cut_short_is_not_asked_for_again(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.fault("session/login", cut="body")
    with pytest.raises(api.QuatrixAuthenticationError, match="cut short"):
        SessionCalls(Transport(quatrix_emulator.url)).login(Credentials(EMAIL, "wrong"))
    assert quatrix_emulator.logins == 1


def test_207_to_the_second_factor_is_no_success() -> None:
    reply = answer("207 More", b'{"session_id": "pending"}', Mfa_Code="73")
    server = ScriptedServer(lambda connection, _: connection.sendall(reply))
    with server, pytest.raises(api.QuatrixMfaRequired, match="further second factor"):
        SessionCalls(Transport(server.url)).login(Credentials(EMAIL, PASSWORD, pin="12345"))
    assert len(server.heads) == 2


@pytest.mark.parametrize("body", [b"", b"{}", b'{"account_id": null}'])
@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_login_without_an_id_is_malformed(status: int, body: bytes) -> None:
    server = ScriptedServer(lambda connection, _: connection.sendall(answer(f"{status} Fine", body)))
    with server, pytest.raises(api.QuatrixResponseError, match=f"HTTP {status}") as error:
        SessionCalls(Transport(server.url)).login(RIGHT)
    assert refuses_login(error.value)
    assert len(server.heads) == 1


# Logout and CAPTCHA


@pytest.mark.parametrize("dead_status", [200, 401])
def test_logging_out_twice_is_fine(quatrix_emulator: EmulatorClient, calls: SessionCalls, dead_status: int) -> None:
    quatrix_emulator.configure(dead_logout_status=dead_status)
    session_id = calls.login(RIGHT)
    assert calls.logout(session_id)
    assert calls.logout(session_id) is (dead_status == 200)
    assert quatrix_emulator.sessions == []


def test_logging_out_of_a_session_without_its_second_factor_is_fine(
    quatrix_emulator: EmulatorClient, calls: SessionCalls
) -> None:
    quatrix_emulator.fault("session/logout", status=401, body={"code": 71, "msg": "Second factor required"})
    assert not calls.logout("x")


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_token_unblocks(quatrix_emulator: EmulatorClient, method: str) -> None:
    quatrix_emulator.configure(unblock_get=True)
    calls = SessionCalls(Transport(quatrix_emulator.url), unblock_method=method)
    session_id = calls.login(RIGHT)
    quatrix_emulator.block_session(session_id)
    assert calls.unblock("wrong", session_id) is False
    assert calls.unblock("passed", session_id) is True
    calls.ping(session_id)
    assert quatrix_emulator.calls(method, "session/unblock-captcha") == 2


def test_a_dead_session_cannot_be_unblocked(calls: SessionCalls) -> None:
    with pytest.raises(api.QuatrixSessionExpired):
        calls.unblock("passed", "dead")


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, {"valid": True}, True),
        (200, {"valid": False}, False),
        (401, {"valid": False}, False),
        (401, {"valid": True}, False),
        (200, {}, api.QuatrixResponseError),
        (200, {"valid": "yes"}, api.QuatrixResponseError),
        (200, {"valid": True, "code": 70}, api.QuatrixResponseError),
        (401, {"valid": False, "code": 70, "msg": "No"}, api.QuatrixSessionExpired),
        (400, {"valid": False}, api.QuatrixApiError),
        (500, {"valid": True}, api.QuatrixApiError),
        (400, {"code": 11, "msg": "Missing"}, api.QuatrixApiError),
    ],
)
def test_the_verdict_is_told_by_its_shape(
    quatrix_emulator: EmulatorClient, calls: SessionCalls, status: int, body: dict[str, Any], outcome: Any
) -> None:
    quatrix_emulator.fault("session/unblock-captcha", status=status, body=body)
    if isinstance(outcome, bool):
        assert calls.unblock("proof-of-a-person", "x") is outcome
        return
    with pytest.raises(outcome) as error:
        calls.unblock("proof-of-a-person", "x")
    assert type(error.value) is outcome


def test_a_blocked_login_hands_out_the_session_to_unblock(
    quatrix_emulator: EmulatorClient, calls: SessionCalls
) -> None:
    quatrix_emulator.block_user(EMAIL)
    with pytest.raises(api.QuatrixCaptchaRequired) as error:
        calls.login(RIGHT)
    session_id = error.value.session_id
    assert session_id is not None
    assert session_id not in f"{error.value!r} {error.value} {error.value.details}"
    assert calls.unblock("passed", session_id)
    calls.ping(session_id)
