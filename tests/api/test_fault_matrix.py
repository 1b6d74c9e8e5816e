"""Every kind of trouble on every session call: success or the right typed error, and never one request too many."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from http_servers import ScriptedServer, answer, unused_port

from airflow_provider_quatrix import api
from airflow_provider_quatrix.api import Credentials, SessionCalls, Transport
from airflow_provider_quatrix.api.errors import TransportStage
from airflow_provider_quatrix.api.retry import RetryPolicy
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from airflow_provider_quatrix.emulator.client import EmulatorClient

TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
HTML = "<html><h1>Sorry</h1></html>"
CUT = {"session_id": "0b3f2a6e-7d0c-4d5e-9a51-3f6f2f0d9c11", "valid": True}
ATTEMPTS = 3


def in_a_minute() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)


@dataclass(frozen=True)
class SessionCall:
    """One of the five calls: its request, the user it needs, how it is made, and who may repeat it."""

    method: str
    path: str
    make: Callable[[SessionCalls, str], Any]
    repeat: str
    needs: str = "session"
    most_sent: int = ATTEMPTS


def _sign_in(calls: SessionCalls, _: str) -> str:
    return calls.login(Credentials(EMAIL, PASSWORD, totp_secret=TOTP_SECRET))


CALLS = {
    "keepalive": SessionCall("GET", "session/keepalive", lambda calls, sid: calls.ping(sid), "safe"),
    "login": SessionCall("GET", "session/login", _sign_in, "safe", needs="nothing", most_sent=2),
    "second factor": SessionCall("POST", "session/login", _sign_in, "unsent", needs="totp"),
    "logout": SessionCall("GET", "session/logout", lambda calls, sid: calls.logout(sid), "safe"),
    "unblock": SessionCall(
        "POST",
        "session/unblock-captcha",
        lambda calls, sid: calls.unblock("passed", sid),
        "refused",
        needs="block",
    ),
}


@dataclass(frozen=True)
class Trouble:
    """A fault, who may send the call again after it, and what it is called where nobody may or it stays."""

    fault: dict[str, Any]
    repeated_by: tuple[str, ...]
    error: type[Exception]
    shows: dict[str, Any]
    pause: tuple[float, float] | None = None


SAFE, TURNED_AWAY = ("safe",), ("safe", "refused")
TROUBLES = {
    #                             fault                                     sent again by  error, and what it shows
    "429, seconds": Trouble(
        {"status": 429, "headers": {"Retry-After": "7"}},
        TURNED_AWAY, api.QuatrixRateLimited, {"status": 429, "retry_after": 7.0}, (7, 7),
    ),
    "429, date": Trouble(
        {"status": 429, "headers": {"Retry-After": in_a_minute}},
        TURNED_AWAY, api.QuatrixRateLimited, {"status": 429}, (1, 60),
    ),
    "500": Trouble({"status": 500}, SAFE, api.QuatrixApiError, {"status": 500}),
    "502": Trouble({"status": 502}, SAFE, api.QuatrixApiError, {"status": 502}),
    "503": Trouble({"status": 503}, TURNED_AWAY, api.QuatrixApiError, {"status": 503}),
    "504": Trouble({"status": 504}, SAFE, api.QuatrixApiError, {"status": 504}),
    "509": Trouble({"status": 509}, TURNED_AWAY, api.QuatrixRateLimited, {"status": 509}),
    "502, HTML": Trouble({"status": 502, "body": HTML}, SAFE, api.QuatrixResponseError, {"status": 502, "cut": False}),
    "200, HTML": Trouble({"status": 200, "body": HTML}, (), api.QuatrixResponseError, {"status": 200, "cut": False}),
    "connection cut": Trouble({"cut": "connection"}, SAFE, api.QuatrixTransportError, {"stage": TransportStage.SENT}),
    "cut after the work": Trouble(
        {"cut": "connection", "execute_anyway": True}, SAFE, api.QuatrixTransportError, {"stage": TransportStage.SENT}
    ),
    "body cut": Trouble(
        {"status": 200, "body": CUT, "cut": "body"}, SAFE, api.QuatrixResponseError, {"status": 200, "cut": True}
    ),
    "hangs for 60 s": Trouble({"delay": 60.0}, SAFE, api.QuatrixTransportError, {"stage": TransportStage.SENT}),
}  # fmt: skip


class Scene:
    """A client with short patience, and an emulator in the state that the call needs."""

    def __init__(self, emulator: EmulatorClient, call: SessionCall) -> None:
        self.emulator = emulator
        self.call = call
        self.pauses: list[float] = []
        policy = RetryPolicy(deadline=120.0, attempts=ATTEMPTS, first_pause=0.01)
        self.transport = Transport(
            emulator.url, policy=policy, read_timeout=0.3, connect_timeout=5.0, sleep=self.pauses.append
        )
        self.calls = SessionCalls(self.transport)
        self.session_id = ""
        if call.needs in ("session", "block"):
            self.session_id = self.calls.login(Credentials(EMAIL, PASSWORD))
        if call.needs == "block":
            emulator.block_session(self.session_id)
        if call.needs == "totp":
            emulator.add_user(EMAIL, PASSWORD, totp_secret=TOTP_SECRET)

    def trouble(self, trouble: Trouble, times: int | None) -> None:
        fault = dict(trouble.fault)
        fault["headers"] = {
            name: value() if callable(value) else value for name, value in fault.get("headers", {}).items()
        }
        self.emulator.fault(self.call.path, method=self.call.method, times=times, **fault)

    def run(self) -> Any:
        before = self.emulator.calls(self.call.method, self.call.path)
        try:
            return self.call.make(self.calls, self.session_id)
        finally:
            self.requests = self.emulator.calls(self.call.method, self.call.path) - before
            self.transport.close()


def check(error: BaseException, trouble: Trouble) -> None:
    assert type(error) is trouble.error
    assert {name: getattr(error, name) for name in trouble.shows} == trouble.shows
    assert CUT["session_id"] not in repr(error)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_trouble_that_passes(quatrix_emulator: EmulatorClient, call: SessionCall, trouble: Trouble) -> None:
    scene = Scene(quatrix_emulator, call)
    scene.trouble(trouble, times=1)
    if call.repeat in trouble.repeated_by:
        # The first logout may have ended the session before its answer was lost.
        assert scene.run() in (
            None,
            True,
            *([False] if trouble.fault.get("execute_anyway") else []),
        ) or call.path.endswith("login")
        assert scene.requests == 2
        assert len(scene.pauses) == 1
        if trouble.pause is not None:
            assert trouble.pause[0] <= scene.pauses[0] <= trouble.pause[1]
    else:
        with pytest.raises(api.QuatrixError) as error:
            scene.run()
        check(error.value, trouble)
        assert scene.requests == 1
        assert scene.pauses == []
    assert quatrix_emulator.counters["totp_replays"] == 0
    assert quatrix_emulator.counters["codes_received"] <= 1


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_trouble_that_stays(quatrix_emulator: EmulatorClient, call: SessionCall, trouble: Trouble) -> None:
    scene = Scene(quatrix_emulator, call)
    scene.trouble(trouble, times=None)
    with pytest.raises(api.QuatrixError) as error:
        scene.run()
    if trouble.fault.get("execute_anyway") and call.path.endswith("unblock-captcha"):
        assert quatrix_emulator.counters["captcha_passed"] == 1
    check(error.value, trouble)
    assert scene.requests == (call.most_sent if call.repeat in trouble.repeated_by else 1)
    assert quatrix_emulator.counters["totp_replays"] == 0


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_rejected_password_is_never_sent_again(quatrix_emulator: EmulatorClient, trouble: Trouble) -> None:
    scene = Scene(quatrix_emulator, CALLS["login"])
    quatrix_emulator.add_user(EMAIL, "another-password")
    scene.trouble(trouble, times=1)
    with pytest.raises(api.QuatrixError) as error:
        scene.run()
    if "safe" in trouble.repeated_by:
        assert type(error.value) is api.QuatrixAuthenticationError
        assert scene.requests == 2
    else:
        check(error.value, trouble)
        assert scene.requests == 1
    assert quatrix_emulator.counters["rejected_logins"] == ("safe" in trouble.repeated_by) + trouble.fault.get(
        "execute_anyway", False
    )


@pytest.mark.parametrize("call", [call for name, call in CALLS.items() if name != "second factor"])
def test_connection_refused(call: SessionCall) -> None:
    pauses: list[float] = []
    policy = RetryPolicy(attempts=ATTEMPTS)
    calls = SessionCalls(Transport(f"http://127.0.0.1:{unused_port()}", policy=policy, sleep=pauses.append))
    with pytest.raises(api.QuatrixTransportError, match="cannot be reached") as error:
        call.make(calls, "a-session")
    assert error.value.stage is TransportStage.ADDRESS
    assert len(pauses) == ATTEMPTS - 1


def test_connection_refused_between_password_and_second_factor() -> None:
    """A code that never left may be sent again; here it never gets through."""
    pauses: list[float] = []

    def answering(connection: socket.socket, _: str) -> None:
        server.stop_listening()
        connection.sendall(answer("207 More", b'{"session_id": "pending"}', Mfa_Code="71", Connection="close"))

    server = ScriptedServer(answering)
    with server:
        policy = RetryPolicy(attempts=ATTEMPTS)
        calls = SessionCalls(Transport(server.url, policy=policy, sleep=pauses.append))
        with pytest.raises(api.QuatrixTransportError) as error:
            _sign_in(calls, "")
    assert error.value.stage is TransportStage.ADDRESS
    assert len(pauses) == ATTEMPTS - 1
    assert len(server.heads) == 1
