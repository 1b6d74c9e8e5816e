from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyotp
import pytest
from http_servers import OK, ScriptedServer, answer

from airflow_provider_quatrix import api
from airflow_provider_quatrix.api import Credentials, FixedSession, QuatrixClient, Transport
from airflow_provider_quatrix.api.retry import Repeat, RetryPolicy
from airflow_provider_quatrix.api.transport import Call
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_quatrix.emulator.handle import EmulatorHandle

TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
RIGHT = Credentials(EMAIL, PASSWORD)
ONCE = RetryPolicy(deadline=5.0, attempts=1)


@pytest.fixture
def client(quatrix_emulator: EmulatorHandle) -> Iterator[QuatrixClient]:
    made = QuatrixClient(Transport(quatrix_emulator.url, policy=ONCE))
    yield made
    made.close()


class Source:
    """Sessions by turns, and what the client told about them."""

    def __init__(self, *session_ids: str) -> None:
        self.session_ids = list(session_ids)
        self.told: list[tuple[str, ...]] = []

    def take(self) -> str:
        return self.session_ids.pop(0)

    def renew(self, dead: str) -> str:
        self.told.append(("dead", dead))
        return self.session_ids.pop(0)

    def blocked(self, block: api.QuatrixCaptchaRequired, session_id: str) -> None:
        self.told.append(("blocked", session_id))

    def used(self, session_id: str) -> None:
        self.told.append(("used", session_id))


def test_connect_signs_in(quatrix_emulator: EmulatorHandle) -> None:
    client = QuatrixClient.connect(quatrix_emulator.url, EMAIL, PASSWORD)
    assert client.profile().email == EMAIL
    assert not client.uses_api_key
    client.close()
    assert quatrix_emulator.logins == 1


def test_connect_passes_a_totp_code(quatrix_emulator: EmulatorHandle) -> None:
    quatrix_emulator.add_user("totp@example.com", PASSWORD, totp_secret=TOTP_SECRET)
    client = QuatrixClient.connect(quatrix_emulator.url, "totp@example.com", PASSWORD, totp_secret=TOTP_SECRET)
    assert client.profile().email == "totp@example.com"


@pytest.mark.parametrize("new_id", [False, True])
@pytest.mark.parametrize("place", ["body", "header"])
def test_a_pin_signs_in(quatrix_emulator: EmulatorHandle, client: QuatrixClient, place: str, new_id: bool) -> None:
    quatrix_emulator.configure(session_id_in=place, second_factor_new_id=new_id)
    quatrix_emulator.add_user("pin@example.com", PASSWORD, pin="12345")
    client.session = FixedSession(client.login(Credentials("pin@example.com", PASSWORD, pin="12345")))
    assert client.profile().email == "pin@example.com"


def test_a_code_of_a_person_signs_in(quatrix_emulator: EmulatorHandle, client: QuatrixClient) -> None:
    quatrix_emulator.add_user(EMAIL, PASSWORD, totp_secret=TOTP_SECRET)
    steps: list[int] = []
    assert client.login(RIGHT, mfa_code=pyotp.TOTP(TOTP_SECRET).now(), on_totp_step=steps.append)
    assert steps == []


@pytest.mark.parametrize("code", [70, 83, 84])
def test_a_wrong_second_factor_is_told_from_a_wrong_password(
    quatrix_emulator: EmulatorHandle, client: QuatrixClient, code: int
) -> None:
    quatrix_emulator.configure(wrong_totp_code=code)
    quatrix_emulator.add_user(EMAIL, PASSWORD, totp_secret=TOTP_SECRET)
    with pytest.raises(api.QuatrixAuthenticationError, match=r"second factor \(2FA\)") as error:
        client.login(RIGHT, mfa_code="000000")
    assert error.value.second_factor
    with pytest.raises(api.QuatrixAuthenticationError, match="login or password") as error:
        client.login(Credentials(EMAIL, "wrong-password"), mfa_code="000000")
    assert not error.value.second_factor
    assert "wrong-password" not in repr(error.value)


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b""])
def test_a_refusal_is_one_whatever_its_body(body: bytes) -> None:
    server = ScriptedServer(lambda connection, _: connection.sendall(answer("401 No", body)))
    with server, pytest.raises(api.QuatrixAuthenticationError):
        QuatrixClient(Transport(server.url)).login(RIGHT)
    assert len(server.heads) == 1


def test_a_refusal_cut_short_is_not_asked_for_again(quatrix_emulator: EmulatorHandle) -> None:
    quatrix_emulator.fault("session/login", cut="body")
    with pytest.raises(api.QuatrixAuthenticationError, match="cut short"):
        QuatrixClient(Transport(quatrix_emulator.url)).login(Credentials(EMAIL, "wrong"))
    assert quatrix_emulator.logins == 1


def test_207_to_the_second_factor_is_no_success() -> None:
    reply = answer("207 More", b'{"session_id": "pending"}', Mfa_Code="73")
    server = ScriptedServer(lambda connection, _: connection.sendall(reply))
    with server, pytest.raises(api.QuatrixMfaRequired, match="further second factor"):
        QuatrixClient(Transport(server.url)).login(Credentials(EMAIL, PASSWORD, pin="12345"))
    assert len(server.heads) == 2


@pytest.mark.parametrize("status", [201, 202, 204])
def test_a_login_without_an_id_is_malformed(status: int) -> None:
    server = ScriptedServer(lambda connection, _: connection.sendall(answer(f"{status} Fine")))
    with server, pytest.raises(api.QuatrixResponseError, match=f"HTTP {status}"):
        QuatrixClient(Transport(server.url)).login(RIGHT)
    assert len(server.heads) == 1


# Calls of a session


def test_a_dead_session_is_renewed_once(quatrix_emulator: EmulatorHandle, client: QuatrixClient) -> None:
    alive = client.login(RIGHT)
    client.session = source = Source("dead-1", alive)
    assert client.profile().email == EMAIL
    assert source.told == [("dead", "dead-1"), ("used", alive)]
    client.session = source = Source("dead-1", "dead-2")
    with pytest.raises(api.QuatrixSessionExpired):
        client.profile()
    assert source.told == [("dead", "dead-1")]
    assert quatrix_emulator.logins == 1


@pytest.mark.parametrize("code", [71, 73])
def test_a_session_that_waits_for_a_second_factor_is_dead(
    quatrix_emulator: EmulatorHandle, client: QuatrixClient, code: int
) -> None:
    alive = client.login(RIGHT)
    quatrix_emulator.fault("profile", status=401, body={"code": code, "msg": "Second factor required"})
    client.session = source = Source("pending", alive)
    assert client.profile().email == EMAIL
    assert source.told == [("dead", "pending"), ("used", alive)]


def test_a_blocked_address_is_no_reason_to_sign_in(quatrix_emulator: EmulatorHandle, client: QuatrixClient) -> None:
    quatrix_emulator.fault("profile", status=401, body={"code": 74, "msg": "Blocked", "details": {"ip": "192.0.2.7"}})
    client.session = source = Source("alive")
    with pytest.raises(api.QuatrixPermissionDenied) as error:
        client.profile()
    assert error.value.details == {"ip": "192.0.2.7"}
    assert source.told == []


@pytest.mark.parametrize("dead_first", [False, True])
def test_a_block_is_reported(
    quatrix_emulator: EmulatorHandle,
    client: QuatrixClient,
    dead_first: bool,
) -> None:
    session_id = client.login(RIGHT)
    quatrix_emulator.block_session(session_id)
    client.session = source = Source(*(["dead", session_id] if dead_first else [session_id]))
    with pytest.raises(api.QuatrixCaptchaRequired):
        client.keepalive()
    assert source.told == [("dead", "dead")] * dead_first + [("blocked", session_id)]


def test_a_fixed_session_is_not_renewed(quatrix_emulator: EmulatorHandle, client: QuatrixClient) -> None:
    client.session = FixedSession("dead")
    with pytest.raises(api.QuatrixSessionExpired, match="has ended"):
        client.keepalive()
    session_id = client.login(RIGHT)
    quatrix_emulator.block_session(session_id)
    client.session = FixedSession(session_id)
    with pytest.raises(api.QuatrixCaptchaRequired):
        client.keepalive()


def test_a_client_without_session_and_key_says_what_to_do(client: QuatrixClient) -> None:
    with pytest.raises(TypeError, match=r"QuatrixClient\.connect"):
        client.profile()


def test_an_api_key_needs_no_session(quatrix_emulator: EmulatorHandle) -> None:
    quatrix_emulator.add_api_key("the-api-key", EMAIL)
    client = QuatrixClient(Transport(quatrix_emulator.url), api_key="the-api-key")
    assert client.uses_api_key
    assert client.profile().email == EMAIL
    assert quatrix_emulator.logins == 0
    assert quatrix_emulator.sessions == []


def test_a_rejected_api_key_is_told(quatrix_emulator: EmulatorHandle) -> None:
    client = QuatrixClient(Transport(quatrix_emulator.url), api_key="another-key")
    with pytest.raises(api.QuatrixAuthenticationError, match="The API key was rejected") as error:
        client.profile()
    assert "another-key" not in repr(error.value)
    assert quatrix_emulator.requests == 1


def test_parameters_and_body_are_sent() -> None:
    with ScriptedServer(lambda connection, _: connection.sendall(OK)) as server:
        client = QuatrixClient(Transport(server.url), session=FixedSession("an-id"))
        client.call("POST", "x/y", params={"a": "b c&d"}, json={"n": [1, "ü"]}, repeat=Repeat.UNSENT)
    head, _, body = server.heads[0].partition("\r\n\r\n")
    assert head.startswith("POST /api/1.0/x/y?a=b+c%26d HTTP/1.1")
    assert "X-Auth-Token: an-id" in head
    assert "Content-Type: application/json" in head
    assert json.loads(body) == {"n": [1, "ü"]}


def test_a_body_may_be_left_to_be_read(quatrix_emulator: EmulatorHandle, client: QuatrixClient) -> None:
    alive = client.login(RIGHT)
    client.session = source = Source("dead", alive)
    with client.open(Call("GET", "profile")) as response:
        assert json.loads(response.raw.read())["email"] == EMAIL
    assert source.told == [("dead", "dead"), ("used", alive)]
    quatrix_emulator.fault("profile", status=404, body={"code": 20, "msg": "Not found"})
    client.session = FixedSession(alive)
    with pytest.raises(api.QuatrixNotFound):
        client.open(Call("GET", "profile"))


@pytest.mark.parametrize("path", ["profile", "profile/info"])
@pytest.mark.parametrize("body", [[1], "text", 7, None])
def test_an_answer_that_is_no_object_is_malformed(
    quatrix_emulator: EmulatorHandle, client: QuatrixClient, path: str, body: Any
) -> None:
    quatrix_emulator.fault(path, status=200, body=json.dumps(body))
    client.session = FixedSession("x")
    with pytest.raises(api.QuatrixResponseError):
        client.profile() if path == "profile" else client.profile_info()


@pytest.mark.parametrize(
    "body",
    [{"user_used": "lots"}, {"user_limit": "none"}, {"acc_limit": {}}, {"acc_used": [1]}, '{"user_used": 1e999}'],
)
def test_a_quota_of_the_wrong_type_is_malformed(
    quatrix_emulator: EmulatorHandle, client: QuatrixClient, body: Any
) -> None:
    quatrix_emulator.fault("profile/info", status=200, body=body)
    client.session = FixedSession("x")
    with pytest.raises(api.QuatrixResponseError, match="wrong type"):
        client.profile_info()


def test_quota(quatrix_emulator: EmulatorHandle, client: QuatrixClient) -> None:
    client.session = FixedSession("x")
    quatrix_emulator.fault("profile/info", status=200, body={"user_used": 1, "user_limit": 5})
    assert client.profile_info().free == 4


# Logout and CAPTCHA


@pytest.mark.parametrize("dead_status", [200, 401])
def test_logging_out_twice_is_fine(quatrix_emulator: EmulatorHandle, client: QuatrixClient, dead_status: int) -> None:
    quatrix_emulator.configure(dead_logout_status=dead_status)
    session_id = client.login(RIGHT)
    assert client.logout(session_id)
    assert client.logout(session_id) is (dead_status == 200)
    assert quatrix_emulator.sessions == []


def test_logging_out_of_a_session_without_its_second_factor_is_fine(
    quatrix_emulator: EmulatorHandle, client: QuatrixClient
) -> None:
    quatrix_emulator.fault("session/logout", status=401, body={"code": 71, "msg": "Second factor required"})
    assert not client.logout("x")


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_token_unblocks(quatrix_emulator: EmulatorHandle, method: str) -> None:
    quatrix_emulator.configure(unblock_get=True)
    client = QuatrixClient(Transport(quatrix_emulator.url), unblock_method=method)
    session_id = client.login(RIGHT)
    quatrix_emulator.block_session(session_id)
    assert client.unblock_captcha("wrong", session_id) is False
    assert client.unblock_captcha("passed", session_id) is True
    client.ping(session_id)
    assert quatrix_emulator.calls(method, "session/unblock-captcha") == 2


def test_a_dead_session_cannot_be_unblocked(client: QuatrixClient) -> None:
    with pytest.raises(api.QuatrixSessionExpired):
        client.unblock_captcha("passed", "dead")


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
    quatrix_emulator: EmulatorHandle, client: QuatrixClient, status: int, body: dict[str, Any], outcome: Any
) -> None:
    quatrix_emulator.fault("session/unblock-captcha", status=status, body=body)
    if isinstance(outcome, bool):
        assert client.unblock_captcha("proof-of-a-person", "x") is outcome
        return
    with pytest.raises(outcome) as error:
        client.unblock_captcha("proof-of-a-person", "x")
    assert type(error.value) is outcome


def test_a_blocked_login_hands_out_the_session_to_unblock(
    quatrix_emulator: EmulatorHandle, client: QuatrixClient
) -> None:
    quatrix_emulator.block_user(EMAIL)
    with pytest.raises(api.QuatrixCaptchaRequired) as error:
        client.login(RIGHT)
    session_id = error.value.session_id
    assert session_id is not None
    assert session_id not in f"{error.value!r} {error.value} {error.value.details}"
    assert client.unblock_captcha("passed", session_id)
    client.ping(session_id)
