from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from http_servers import OK, ScriptedServer

from airflow_provider_quatrix import api
from airflow_provider_quatrix.api import (
    ApiKeyAuthorizer,
    Credentials,
    FixedSession,
    QuatrixClient,
    SessionAuthorizer,
    SessionCalls,
    Transport,
)
from airflow_provider_quatrix.api.messages import Repeat, Request
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
RIGHT = Credentials(EMAIL, PASSWORD)


class Source(SessionAuthorizer):
    """Sessions by turns, and what the client told about them."""

    def __init__(self, *session_ids: str) -> None:
        self.session_ids = list(session_ids)
        self.told: list[tuple[str, ...]] = []

    def acquire(self) -> str:
        return self.session_ids.pop(0)

    def renew(self, dead: str) -> str:
        self.told.append(("dead", dead))
        return self.session_ids.pop(0)

    def blocked(self, block: api.QuatrixCaptchaRequired, session_id: str) -> None:
        self.told.append(("blocked", session_id))

    def used(self, session_id: str) -> None:
        self.told.append(("used", session_id))


def test_connect_signs_in(quatrix_emulator: EmulatorClient) -> None:
    client = QuatrixClient.connect(quatrix_emulator.url, EMAIL, PASSWORD)
    assert client.profile().email == EMAIL
    assert not client.uses_api_key
    client.close()
    assert quatrix_emulator.logins == 1


def test_connect_passes_a_totp_code(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.add_user("totp@example.com", PASSWORD, totp_secret=TOTP_SECRET)
    client = QuatrixClient.connect(quatrix_emulator.url, "totp@example.com", PASSWORD, totp_secret=TOTP_SECRET)
    assert client.profile().email == "totp@example.com"


# Calls of a session


def test_a_dead_session_is_renewed_once(quatrix_emulator: EmulatorClient, calls: SessionCalls, over: Transport) -> None:
    alive = calls.login(RIGHT)
    source = Source("dead-1", alive)
    client = QuatrixClient(over, source)
    assert client.profile().email == EMAIL
    assert source.told == [("dead", "dead-1"), ("used", alive)]
    source = Source("dead-1", "dead-2")
    client = QuatrixClient(over, source)
    with pytest.raises(api.QuatrixSessionExpired):
        client.profile()
    assert source.told == [("dead", "dead-1")]
    assert quatrix_emulator.logins == 1


@pytest.mark.parametrize("code", [71, 73])
def test_a_session_that_waits_for_a_second_factor_is_dead(
    quatrix_emulator: EmulatorClient, calls: SessionCalls, over: Transport, code: int
) -> None:
    alive = calls.login(RIGHT)
    quatrix_emulator.fault("profile", status=401, body={"code": code, "msg": "Second factor required"})
    source = Source("pending", alive)
    client = QuatrixClient(over, source)
    assert client.profile().email == EMAIL
    assert source.told == [("dead", "pending"), ("used", alive)]


def test_a_blocked_address_is_no_reason_to_sign_in(quatrix_emulator: EmulatorClient, over: Transport) -> None:
    quatrix_emulator.fault("profile", status=401, body={"code": 74, "msg": "Blocked", "details": {"ip": "192.0.2.7"}})
    source = Source("alive")
    client = QuatrixClient(over, source)
    with pytest.raises(api.QuatrixPermissionDenied) as error:
        client.profile()
    assert error.value.details == {"ip": "192.0.2.7"}
    assert source.told == []


@pytest.mark.parametrize("dead_first", [False, True])
def test_a_block_is_reported(
    quatrix_emulator: EmulatorClient,
    calls: SessionCalls,
    over: Transport,
    dead_first: bool,
) -> None:
    session_id = calls.login(RIGHT)
    quatrix_emulator.block_session(session_id)
    source = Source(*(["dead", session_id] if dead_first else [session_id]))
    client = QuatrixClient(over, source)
    with pytest.raises(api.QuatrixCaptchaRequired):
        client.keepalive()
    assert source.told == [("dead", "dead")] * dead_first + [("blocked", session_id)]


def test_a_fixed_session_is_not_renewed(quatrix_emulator: EmulatorClient, calls: SessionCalls, over: Transport) -> None:
    client = QuatrixClient(over, FixedSession("dead"))
    with pytest.raises(api.QuatrixSessionExpired, match="has ended"):
        client.keepalive()
    session_id = calls.login(RIGHT)
    quatrix_emulator.block_session(session_id)
    client = QuatrixClient(over, FixedSession(session_id))
    with pytest.raises(api.QuatrixCaptchaRequired):
        client.keepalive()


def test_an_api_key_needs_no_session(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.add_api_key("the-api-key", EMAIL)
    client = QuatrixClient(Transport(quatrix_emulator.url), ApiKeyAuthorizer("the-api-key"))
    assert client.uses_api_key
    assert client.profile().email == EMAIL
    assert quatrix_emulator.logins == 0
    assert quatrix_emulator.sessions == []


def test_a_rejected_api_key_is_told(quatrix_emulator: EmulatorClient) -> None:
    client = QuatrixClient(Transport(quatrix_emulator.url), ApiKeyAuthorizer("another-key"))
    with pytest.raises(api.QuatrixAuthenticationError, match="The API key was rejected") as error:
        client.profile()
    assert "another-key" not in repr(error.value)
    assert quatrix_emulator.requests == 1


def test_parameters_and_body_are_sent() -> None:
    with ScriptedServer(lambda connection, _: connection.sendall(OK)) as server:
        client = QuatrixClient(Transport(server.url), FixedSession("an-id"))
        client.call("POST", "x/y", params={"a": "b c&d"}, json={"n": [1, "ü"]}, repeat=Repeat.UNSENT)
    head, _, body = server.heads[0].partition("\r\n\r\n")
    assert head.startswith("POST /api/1.0/x/y?a=b+c%26d HTTP/1.1")
    assert "X-Auth-Token: an-id" in head
    assert "Content-Type: application/json" in head
    assert json.loads(body) == {"n": [1, "ü"]}


def test_a_body_may_be_left_to_be_read(quatrix_emulator: EmulatorClient, calls: SessionCalls, over: Transport) -> None:
    alive = calls.login(RIGHT)
    source = Source("dead", alive)
    client = QuatrixClient(over, source)
    with client.open(Request("GET", "profile")) as response:
        assert json.loads(response.raw.read())["email"] == EMAIL
    assert source.told == [("dead", "dead"), ("used", alive)]
    quatrix_emulator.fault("profile", status=404, body={"code": 20, "msg": "Not found"})
    client = QuatrixClient(over, FixedSession(alive))
    with pytest.raises(api.QuatrixNotFound):
        client.open(Request("GET", "profile"))


@pytest.mark.parametrize("path", ["profile", "profile/info"])
@pytest.mark.parametrize("body", [[1], "text", 7, None])
def test_an_answer_that_is_no_object_is_malformed(
    quatrix_emulator: EmulatorClient, over: Transport, path: str, body: Any
) -> None:
    quatrix_emulator.fault(path, status=200, body=json.dumps(body))
    client = QuatrixClient(over, FixedSession("x"))
    with pytest.raises(api.QuatrixResponseError):
        client.profile() if path == "profile" else client.profile_info()


@pytest.mark.parametrize(
    "body",
    [{"user_used": "lots"}, {"user_limit": "none"}, {"acc_limit": {}}, {"acc_used": [1]}, '{"user_used": 1e999}'],
)
def test_a_quota_of_the_wrong_type_is_malformed(quatrix_emulator: EmulatorClient, over: Transport, body: Any) -> None:
    quatrix_emulator.fault("profile/info", status=200, body=body)
    client = QuatrixClient(over, FixedSession("x"))
    with pytest.raises(api.QuatrixResponseError, match="wrong type"):
        client.profile_info()


def test_quota(quatrix_emulator: EmulatorClient, over: Transport) -> None:
    client = QuatrixClient(over, FixedSession("x"))
    quatrix_emulator.fault("profile/info", status=200, body={"user_used": 1, "user_limit": 5})
    assert client.profile_info().free == 4
