from __future__ import annotations

import base64
import hmac
import struct
import time
import uuid
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pyotp
import pytest
from emulator_api import EMAIL, NOT_AUTHORIZED, PASSWORD

from airflow_provider_quatrix.emulator.service.accounts import UserSpec

if TYPE_CHECKING:
    from emulator_api import Api

    from airflow_provider_quatrix.emulator.client import EmulatorClient

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
TOTP_USER = "totp@example.com"
PIN_USER = "pin@example.com"


def code_now() -> str:
    return pyotp.TOTP(SECRET).now()


def wrong_code() -> str:
    totp = pyotp.TOTP(SECRET)
    near = {totp.at(time.time() + 30 * step) for step in range(-3, 4)}
    return next(
        code
        for code in ("123456", "234567", "345678", "456789", "567890", "678901", "789012", "890123")
        if code not in near
    )


@pytest.fixture
def totp_token(api: Api, emulator: EmulatorClient) -> str:
    emulator.add_user(TOTP_USER, "pw", totp_secret=SECRET)
    return api.login(TOTP_USER, "pw").json()["session_id"]


@pytest.fixture
def pin_token(api: Api, emulator: EmulatorClient) -> str:
    emulator.add_user(PIN_USER, "pw", pin="12a45")
    return api.login(PIN_USER, "pw").json()["session_id"]


class TestLogin:
    def test_the_session_id_is_in_body_and_header(self, api: Api) -> None:
        answer = api.login()
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert set(answer.json()) == {"session_id", "account_id"}
        assert str(uuid.UUID(answer.json()["session_id"])) == answer.headers["X-Auth-Token"]
        assert uuid.UUID(answer.json()["account_id"])

    @pytest.mark.parametrize(("where", "body", "header"), [("body", True, False), ("header", False, True)])
    def test_the_session_id_can_be_in_one_place(
        self, api: Api, emulator: EmulatorClient, where: str, body: bool, header: bool
    ) -> None:
        emulator.configure(session_id_in=where)
        answer = api.login()
        assert ("session_id" in answer.json()) is body
        assert ("X-Auth-Token" in answer.headers) is header

    def test_every_login_opens_another_session(self, api: Api, emulator: EmulatorClient) -> None:
        first, second = api.session(), api.session()
        assert first != second
        assert [session["id"] for session in emulator.sessions] == [first, second]
        assert api.keepalive(first).ok
        assert api.keepalive(second).ok

    def test_the_email_is_known_in_any_case(self, api: Api) -> None:
        assert api.login("Robot@Example.COM").status_code == 200

    def test_a_password_may_hold_colons_and_any_letters(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.add_user("zoë@example.com", "p:ä:ß ✓")
        assert api.login("zoë@example.com", "p:ä:ß ✓").status_code == 200

    @pytest.mark.parametrize(("email", "password"), [(EMAIL, "wrong"), (EMAIL, ""), ("nobody@example.com", PASSWORD)])
    def test_a_wrong_pair_is_refused(self, api: Api, emulator: EmulatorClient, email: str, password: str) -> None:
        answer = api.login(email, password)
        assert (answer.status_code, answer.json()) == (401, NOT_AUTHORIZED)
        assert "X-Auth-Token" not in answer.headers
        assert emulator.counters["rejected_logins"] == 1
        assert emulator.sessions == []

    def test_the_code_of_a_wrong_password_is_a_setting(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.configure(wrong_password_code=14)
        assert api.login(password="wrong").json()["code"] == 14

    @pytest.mark.parametrize(
        "header",
        [
            None,
            "",
            "Basic",
            "Basic !!!",
            "Basic " + base64.b64encode(b"no colon").decode(),
            "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
            "Digest abc",
            "Bearer abc",
        ],
    )
    def test_a_missing_or_garbled_header_is_refused(
        self, api: Api, emulator: EmulatorClient, header: str | None
    ) -> None:
        answer = api.call("GET", "session/login", headers={} if header is None else {"Authorization": header})
        assert (answer.status_code, answer.json()) == (401, NOT_AUTHORIZED)
        assert emulator.logins == 1

    def test_a_contact_has_no_account(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.add_user("contact@example.com", "pw", is_contact=True)
        answer = api.login("contact@example.com", "pw")
        assert answer.status_code == 200
        assert answer.json()["account_id"] is None
        assert api.profile(answer.json()["session_id"]).json()["is_contact"] is True

    def test_logins_are_counted(self, api: Api, emulator: EmulatorClient) -> None:
        api.login()
        api.login(password="wrong")
        api.call("GET", "session/login/")
        assert emulator.logins == 3
        assert emulator.calls("get", "session/login") == 3
        assert emulator.users[EMAIL]["logins"] == 2


class TestKeepaliveAndLogout:
    def test_keepalive_has_an_empty_json_body(self, api: Api) -> None:
        answer = api.keepalive(api.session())
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["Content-Type"] == "application/json"

    @pytest.mark.parametrize("token", [None, "", "nonsense", str(uuid.UUID(int=7))])
    @pytest.mark.parametrize("path", ["session/keepalive", "profile", "profile/info"])
    def test_a_dead_session_is_refused(self, api: Api, path: str, token: str | None) -> None:
        answer = api.call("GET", path, token)
        assert (answer.status_code, answer.json()) == (401, NOT_AUTHORIZED)

    def test_the_code_of_a_dead_session_is_a_setting(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.configure(unauthorized_code=14)
        assert api.keepalive("dead").json()["code"] == 14

    def test_logout_ends_the_session(self, api: Api, emulator: EmulatorClient) -> None:
        token, other = api.session(), api.session()
        answer = api.logout(token)
        assert (answer.status_code, answer.content) == (200, b"")
        assert api.keepalive(token).status_code == 401
        assert api.keepalive(other).status_code == 200
        assert emulator.counters["logouts"] == 1

    def test_logout_without_a_session(self, api: Api, emulator: EmulatorClient) -> None:
        answer = api.logout("dead")
        assert (answer.status_code, answer.json()) == (401, NOT_AUTHORIZED)
        emulator.configure(dead_logout_status=200)
        answer = api.logout("dead")
        assert (answer.status_code, answer.content) == (200, b"")
        emulator.configure(dead_logout_status=403)
        assert api.logout(None).status_code == 403

    @pytest.mark.parametrize("path", ["session/login", "session/keepalive", "session/logout", "profile"])
    def test_a_slash_at_the_end_changes_nothing(self, api: Api, emulator: EmulatorClient, path: str) -> None:
        token = api.session()
        assert api.call("GET", f"{path}/", token, auth=(EMAIL, PASSWORD)).status_code == 200
        assert emulator.calls("GET", path) >= 1

    def test_unknown_paths_and_methods(self, api: Api, emulator: EmulatorClient) -> None:
        token = api.session()
        answer = api.call("GET", "no/such/call", token)
        assert (answer.status_code, answer.json()["code"]) == (404, 20)
        answer = api.call("DELETE", "session/keepalive", token)
        assert (answer.status_code, answer.json()["code"]) == (405, 21)
        assert api.call("BREW", "session/keepalive", token).status_code == 405
        counts = emulator.counters["by_call"]
        assert counts["GET (unknown)"] == 1
        assert counts["OTHER /api/1.0/session/keepalive"] == 1


class TestLifetime:
    def test_an_idle_session_ends(self, api: Api, emulator: EmulatorClient) -> None:
        token = api.session()
        emulator.advance(899)
        assert api.keepalive(token).status_code == 200
        emulator.advance(899)
        assert api.profile(token).status_code == 200
        emulator.advance(901)
        answer = api.keepalive(token)
        assert (answer.status_code, answer.json()) == (401, NOT_AUTHORIZED)
        assert emulator.counters["sessions_expired"] == 1
        assert emulator.sessions == []

    def test_refused_calls_do_not_refresh(self, api: Api, emulator: EmulatorClient) -> None:
        token = api.session()
        emulator.block_session(token)
        emulator.advance(600)
        assert api.keepalive(token).status_code == 401
        emulator.advance(301)
        assert emulator.sessions == []

    def test_the_period_is_a_setting(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.configure(idle_seconds=60)
        token = api.session()
        emulator.advance(61)
        assert api.keepalive(token).status_code == 401

    def test_a_maximum_age(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.configure(max_age_seconds=1000)
        token = api.session()
        emulator.advance(600)
        assert api.keepalive(token).status_code == 200
        assert emulator.sessions[0]["time_left"] == pytest.approx(400, abs=5)
        emulator.advance(401)
        assert api.keepalive(token).status_code == 401

    def test_a_maximum_number_ends_the_oldest(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.configure(max_sessions=2)
        tokens = [api.session() for _ in range(3)]
        assert [api.keepalive(token).status_code for token in tokens] == [401, 200, 200]

    def test_expiry_on_demand(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.add_user("other@example.com", "pw")
        tokens = [api.session(), api.session(), api.session("other@example.com", "pw")]
        emulator.expire_session(tokens[0])
        assert [api.keepalive(token).status_code for token in tokens] == [401, 200, 200]
        assert emulator.expire_sessions(EMAIL) == 1
        assert emulator.expire_sessions() == 1
        assert emulator.sessions == []
        assert emulator.counters["sessions_expired"] == 3

    def test_the_date_header_follows_the_clock(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.advance(86400)
        answer = api.login()
        at = parsedate_to_datetime(answer.headers["Date"]).timestamp()
        assert at == pytest.approx(time.time() + 86400, abs=10)


class TestTotp:
    def test_the_first_step_is_207(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.add_user(TOTP_USER, "pw", totp_secret=SECRET)
        answer = api.login(TOTP_USER, "pw")
        assert (answer.status_code, answer.headers["Mfa-Code"]) == (207, "71")
        assert answer.json()["session_id"] == answer.headers["X-Auth-Token"]
        assert emulator.counters["second_factor_asked"] == 1
        assert emulator.counters["sessions_opened"] == 0

    @pytest.mark.parametrize(("code", "header"), [(99, "99"), (None, None)])
    def test_the_code_of_the_first_step_is_a_setting(
        self, api: Api, emulator: EmulatorClient, code: int | None, header: str | None
    ) -> None:
        emulator.add_user(TOTP_USER, "pw", totp_secret=SECRET)
        emulator.configure(mfa_code_2fa=code)
        assert api.login(TOTP_USER, "pw").headers.get("Mfa-Code") == header

    @pytest.mark.parametrize("secret", ["JBSWY3DPEHPK3PXP", "jbsw y3dp ehpk 3pxp", "MFRGG===", "MFRGG"])
    def test_secrets_as_services_hand_them_out_are_fine(self, api: Api, emulator: EmulatorClient, secret: str) -> None:
        emulator.add_user(TOTP_USER, "pw", totp_secret=secret)
        key = base64.b32decode(secret.replace(" ", "").rstrip("=").ljust(8, "=").upper())
        step = struct.pack(">Q", int(time.time()) // 30)
        digest = hmac.digest(key, step, "sha1")
        (number,) = struct.unpack_from(">I", digest, digest[-1] & 15)
        code = f"{(number & 0x7FFFFFFF) % 1_000_000:06}"
        token = api.login(TOTP_USER, "pw").json()["session_id"]
        assert api.second(token, "2FA", code).status_code == 200

    @pytest.mark.parametrize("secret", ["", "  ", "===", "0189", "A"])
    def test_a_secret_that_is_none_is_refused(self, secret: str) -> None:
        with pytest.raises(ValueError, match="totp_secret must be base32"):
            UserSpec(TOTP_USER, "pw", totp_secret=secret)

    def test_a_pending_session_can_do_nothing_else(self, api: Api, totp_token: str) -> None:
        for path in ("session/keepalive", "profile", "profile/info"):
            answer = api.call("GET", path, totp_token)
            assert (answer.status_code, answer.json()["code"]) == (401, 71)

    def test_a_pending_session_can_be_logged_out(self, api: Api, totp_token: str) -> None:
        assert api.logout(totp_token).status_code == 200
        assert api.second(totp_token, "2FA", code_now()).status_code == 401

    def test_the_code_makes_the_same_session_usable(self, api: Api, emulator: EmulatorClient, totp_token: str) -> None:
        answer = api.second(totp_token, "2FA", code_now())
        assert (answer.status_code, answer.json()["session_id"]) == (200, totp_token)
        assert api.keepalive(totp_token).status_code == 200
        assert emulator.counters["codes_received"] == 1
        assert emulator.counters["totp_replays"] == 0
        assert emulator.logins == 1
        assert emulator.calls("POST", "session/login") == 1

    def test_the_session_can_get_another_id(self, api: Api, emulator: EmulatorClient, totp_token: str) -> None:
        emulator.configure(second_factor_new_id=True)
        token = api.second(totp_token, "2FA", code_now()).json()["session_id"]
        assert token != totp_token
        assert api.keepalive(token).status_code == 200
        assert api.keepalive(totp_token).status_code == 401

    def test_a_wrong_code_is_refused(self, api: Api, emulator: EmulatorClient, totp_token: str) -> None:
        for code in (wrong_code(), "abc", "١٢٣٤٥٦"):
            answer = api.second(totp_token, "2FA", code)
            assert (answer.status_code, answer.json()["code"]) == (401, 83)
        assert emulator.counters["wrong_codes"] == 3
        assert api.second(totp_token, "2FA", code_now()).status_code == 200

    def test_the_codes_of_refusals_are_settings(
        self, api: Api, emulator: EmulatorClient, totp_token: str, pin_token: str
    ) -> None:
        emulator.configure(wrong_totp_code=1, wrong_pin_code=2)
        assert api.second(totp_token, "2FA", wrong_code()).json()["code"] == 1
        assert api.second(pin_token, "PIN", "wrong").json()["code"] == 2

    def test_a_code_is_never_taken_twice(self, api: Api, emulator: EmulatorClient, totp_token: str) -> None:
        code = code_now()
        assert api.second(totp_token, "2FA", code).status_code == 200
        again = api.login(TOTP_USER, "pw").json()["session_id"]
        answer = api.second(again, "2FA", code)
        assert (answer.status_code, answer.json()["code"]) == (401, 83)
        assert emulator.counters["totp_replays"] == 1
        assert emulator.counters["codes_received"] == 2

    def test_a_wrong_code_sent_twice_is_a_replay_too(self, api: Api, emulator: EmulatorClient, totp_token: str) -> None:
        code = wrong_code()
        api.second(totp_token, "2FA", code)
        api.second(totp_token, "2FA", code)
        assert emulator.counters["totp_replays"] == 1

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"code": "1"}, 11),
            ({"auth_type": "2FA"}, 11),
            ({"auth_type": "SMS", "code": "1"}, 10),
            ({"auth_type": "PIN", "code": "1"}, 10),
            ({"auth_type": 2, "code": "1"}, 10),
            ({"auth_type": "2FA", "code": 123456}, 10),
            ({"auth_type": "2FA", "code": ""}, 10),
            ({"auth_type": "2FA", "value": {"code": "1"}}, 11),
            (["2FA"], 10),
            ("text", 10),
        ],
    )
    def test_bad_bodies(self, api: Api, totp_token: str, body: object, code: int) -> None:
        answer = api.call("POST", "session/login", totp_token, json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, code)

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'"' + b"x" * (1 << 21) + b'"'])
    def test_broken_bodies(self, api: Api, totp_token: str, body: bytes) -> None:
        answer = api.call("POST", "session/login", totp_token, data=body)
        assert (answer.status_code, answer.json()["code"]) == (400, 10)

    def test_a_second_factor_that_nobody_asked_for(self, api: Api) -> None:
        for token in (None, "dead", api.session()):
            assert api.second(token, "2FA", "123456").status_code == 401


class TestPin:
    def test_the_whole_way(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.add_user(PIN_USER, "pw", pin="12a45")
        answer = api.login(PIN_USER, "pw")
        assert (answer.status_code, answer.headers["Mfa-Code"]) == (207, "73")
        token = answer.json()["session_id"]
        assert api.keepalive(token).json()["code"] == 73
        refused = api.second(token, "PIN", "99999")
        assert (refused.status_code, refused.json()["code"]) == (401, 84)
        assert api.second(token, "PIN", "12a45").json()["session_id"] == token
        assert api.profile(token).json()["auth_methods"] == ["PIN"]

    def test_half_a_character_is_a_wrong_pin(self, api: Api, pin_token: str) -> None:
        answer = api.call("POST", "session/login", pin_token, data=b'{"auth_type": "PIN", "code": "\\ud800"}')
        assert (answer.status_code, answer.json()["code"]) == (401, 84)

    def test_a_pin_may_be_sent_again(self, api: Api, emulator: EmulatorClient, pin_token: str) -> None:
        assert api.second(pin_token, "PIN", "12a45").status_code == 200
        again = api.login(PIN_USER, "pw").json()["session_id"]
        assert api.second(again, "PIN", "12a45").status_code == 200
        assert emulator.counters["totp_replays"] == 0

    def test_a_pending_session_expires(self, api: Api, emulator: EmulatorClient, pin_token: str) -> None:
        emulator.advance(901)
        answer = api.second(pin_token, "PIN", "12a45")
        assert (answer.status_code, answer.json()) == (401, NOT_AUTHORIZED)


class TestProfile:
    def test_the_fields(self, api: Api) -> None:
        profile = api.profile(api.session()).json()
        assert profile["email"] == EMAIL
        assert profile["name"] == "robot"
        assert profile["status"] == profile["account_status"] == "A"
        expected = (
            "id name email super_admin home_id incoming_id outgoing_id channel_id account_id storage_id operations"
            " max_file_size max_files_per_share plan is_contact language created modified quota status uid gid"
            " has_key pgp_enabled message_signature services share_types unique_login auth_methods forced_auth"
            " account_status sftp_url"
        )
        assert set(profile) == set(expected.split())

    def test_ids_stay_the_same(self, api: Api, emulator: EmulatorClient) -> None:
        before = api.profile(api.session()).json()
        emulator.reset()
        after = api.profile(api.session()).json()
        assert before["id"] == after["id"]
        assert before["home_id"] == after["home_id"]

    def test_the_quota(self, api: Api) -> None:
        info = api.call("GET", "profile/info", api.session()).json()
        assert set(info) == {"user_used", "user_limit", "acc_used", "acc_limit"}
        assert all(isinstance(value, int) for value in info.values())


class TestApiKeys:
    @pytest.fixture(autouse=True)
    def _key(self, emulator: EmulatorClient) -> None:
        emulator.add_api_key("key-1234", EMAIL)

    def test_a_key_needs_no_session(self, api: Api, emulator: EmulatorClient) -> None:
        assert api.bearer("key-1234", "profile").json()["email"] == EMAIL
        assert emulator.logins == 0
        assert emulator.sessions == []
        assert emulator.recent_calls[0]["user"] == EMAIL

    @pytest.mark.parametrize("path", ["session/keepalive", "session/logout"])
    def test_the_session_calls_do_nothing(self, api: Api, emulator: EmulatorClient, path: str) -> None:
        answer = api.bearer("key-1234", path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert api.bearer("key-1234", "profile").status_code == 200
        emulator.configure(bearer_session_status=401)
        answer = api.bearer("key-1234", path)
        assert (answer.status_code, answer.json()) == (401, NOT_AUTHORIZED)

    @pytest.mark.parametrize("path", ["session/keepalive", "session/logout", "profile"])
    @pytest.mark.parametrize("key", ["", "unknown"])
    def test_an_unknown_key_is_refused(self, api: Api, path: str, key: str) -> None:
        answer = api.bearer(key, path)
        assert (answer.status_code, answer.json()) == (401, NOT_AUTHORIZED)

    def test_a_deactivated_key_is_refused(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.add_api_key("key-1234", EMAIL, status="D")
        assert api.bearer("key-1234", "profile").status_code == 401

    def test_a_key_is_no_session_id(self, api: Api) -> None:
        assert api.profile("key-1234").status_code == 401

    def test_a_key_counts_before_a_session(self, api: Api) -> None:
        answer = api.call("GET", "profile", api.session(), headers={"Authorization": "Bearer unknown"})
        assert answer.status_code == 401

    def test_no_captcha_block_touches_a_key(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.block_user(EMAIL)
        assert api.bearer("key-1234", "profile").status_code == 200
        emulator.configure(captcha_blocks_api_keys=True)
        answer = api.bearer("key-1234", "profile")
        assert (answer.status_code, answer.json()["msg"]) == (401, "Captcha required")

    def test_only_a_hint_is_shown(self, emulator: EmulatorClient) -> None:
        assert emulator.state()["api_keys"] == [{"hint": "1234", "email": EMAIL, "status": "A", "name": ""}]
