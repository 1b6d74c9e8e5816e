from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pyotp
import pytest
from emulator_api import CAPTCHA, EMAIL, NOT_AUTHORIZED

if TYPE_CHECKING:
    from emulator_api import Api

    from airflow_provider_quatrix.emulator.client import EmulatorClient

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


class TestBlock:
    def test_failed_logins_in_a_row_begin_a_block(self, api: Api, emulator: EmulatorClient) -> None:
        for _ in range(5):
            assert api.login(password="wrong").json() == NOT_AUTHORIZED
        assert emulator.users[EMAIL]["blocked"]
        assert emulator.counters["captcha_blocks"] == 1
        assert api.login().json()["msg"] == "Captcha required"

    def test_a_success_starts_the_count_again(self, api: Api, emulator: EmulatorClient) -> None:
        for _ in range(2):
            for _ in range(4):
                api.login(password="wrong")
            assert api.login().status_code == 200
        assert not emulator.users[EMAIL]["blocked"]

    def test_the_count_is_a_setting(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.configure(captcha_after_failures=1)
        api.login(password="wrong")
        assert emulator.users[EMAIL]["blocked"]
        emulator.reset(settings={"captcha_after_failures": None})
        for _ in range(7):
            api.login(password="wrong")
        assert api.login().status_code == 200

    @pytest.mark.parametrize("counts", [False, True])
    def test_wrong_codes_can_count_as_failed_logins(self, api: Api, emulator: EmulatorClient, counts: bool) -> None:
        emulator.configure(captcha_counts_wrong_codes=counts)
        emulator.add_user("pin@example.com", "pw", pin="12345")
        for _ in range(5):
            token = api.login("pin@example.com", "pw").json()["session_id"]
            api.second(token, "PIN", "wrong")
        assert emulator.users["pin@example.com"]["blocked"] is counts
        assert api.second(token, "PIN", "12345").status_code == (401 if counts else 200)

    @pytest.mark.parametrize("password", ["Emulator-Passw0rd", "wrong"])
    def test_a_blocked_login_hands_out_a_session_id(self, api: Api, emulator: EmulatorClient, password: str) -> None:
        emulator.block_user(EMAIL)
        answer = api.login(password=password)
        body = answer.json()
        session_id = body["details"].pop("session_id")
        assert (answer.status_code, body) == (401, CAPTCHA)
        assert str(uuid.UUID(session_id)) == answer.headers["X-Auth-Token"]
        assert emulator.counters["captcha_logins"] == 1
        assert emulator.counters["rejected_logins"] == 0

    def test_its_form_is_a_setting(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.configure(
            captcha_status=403,
            captcha_code=72,
            captcha_msg="Are you a robot?",
            captcha_details=False,
            captcha_header=False,
        )
        emulator.block_user(EMAIL)
        answer = api.login()
        assert (answer.status_code, answer.json()) == (403, {"code": 72, "msg": "Are you a robot?"})
        assert "X-Auth-Token" not in answer.headers

    def test_live_sessions_are_blocked_too(self, api: Api, emulator: EmulatorClient) -> None:
        token = api.session()
        emulator.block_user(EMAIL)
        for path in ("session/keepalive", "profile", "profile/info"):
            answer = api.call("GET", path, token)
            assert (answer.status_code, answer.json()) == (401, CAPTCHA)
            assert "X-Auth-Token" not in answer.headers
        assert emulator.counters["captcha_refusals"] == 3
        emulator.configure(captcha_blocks_live_sessions=False)
        assert api.keepalive(token).status_code == 200
        assert api.login().json()["msg"] == "Captcha required"

    def test_one_session_can_be_blocked(self, api: Api, emulator: EmulatorClient) -> None:
        blocked, free = api.session(), api.session()
        emulator.block_session(blocked)
        emulator.block_session(blocked)
        assert api.keepalive(blocked).json() == CAPTCHA
        assert api.keepalive(free).status_code == 200
        assert api.login().status_code == 200
        assert emulator.blocks == [{"kind": "session", "email": EMAIL, "session_id": blocked}]
        emulator.unblock_session(blocked)
        assert api.keepalive(blocked).status_code == 200
        assert emulator.blocks == []
        assert emulator.counters["captcha_blocks"] == 1

    def test_a_second_factor_waits_for_the_captcha(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.add_user("totp@example.com", "pw", totp_secret=SECRET)
        token = api.login("totp@example.com", "pw").json()["session_id"]
        emulator.block_user("totp@example.com")
        assert api.second(token, "2FA", pyotp.TOTP(SECRET).now()).json() == CAPTCHA
        assert emulator.counters["codes_received"] == 0

    def test_logout_works_while_blocked(self, api: Api, emulator: EmulatorClient) -> None:
        token = api.session()
        emulator.block_session(token)
        assert api.logout(token).status_code == 200
        assert emulator.sessions == []

    def test_the_exempt_calls_are_a_setting(self, api: Api, emulator: EmulatorClient) -> None:
        token = api.session()
        emulator.block_session(token)
        emulator.configure(captcha_exempt=["session/keepalive"])
        assert api.keepalive(token).status_code == 200
        assert api.profile(token).status_code == 401
        assert api.logout(token).json() == CAPTCHA

    def test_a_refused_session_is_never_exempt(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.configure(captcha_exempt=["session/keepalive"])
        emulator.block_user(EMAIL)
        right = api.login().headers["X-Auth-Token"]
        wrong = api.login(password="wrong").headers["X-Auth-Token"]
        assert api.keepalive(right).status_code == 200
        assert api.keepalive(wrong).json() == CAPTCHA


class TestUnblock:
    def test_the_refused_session_becomes_a_normal_one(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.block_user(EMAIL)
        token = api.login().headers["X-Auth-Token"]
        assert api.keepalive(token).json() == CAPTCHA
        answer = api.unblock(token)
        assert (answer.status_code, answer.json()) == (200, {"valid": True})
        assert api.keepalive(token).status_code == 200
        assert not emulator.users[EMAIL]["blocked"]
        assert emulator.logins == 1
        assert emulator.counters["captcha_passed"] == 1
        assert emulator.counters["sessions_opened"] == 1
        assert emulator.sessions[0]["stage"] == "ready"

    def test_after_a_wrong_password_login_must_be_repeated(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.block_user(EMAIL)
        token = api.login(password="wrong").headers["X-Auth-Token"]
        assert api.unblock(token).json() == {"valid": True}
        assert api.keepalive(token).json() == NOT_AUTHORIZED
        assert api.login().status_code == 200

    def test_a_session_that_was_live_lives_on(self, api: Api, emulator: EmulatorClient) -> None:
        token = api.session()
        emulator.block_user(EMAIL)
        assert api.unblock(token).json() == {"valid": True}
        assert api.profile(token).status_code == 200

    def test_the_second_factor_is_still_wanted(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.add_user("totp@example.com", "pw", totp_secret=SECRET)
        emulator.block_user("totp@example.com")
        answer = api.login("totp@example.com", "pw")
        assert answer.status_code == 401
        token = answer.headers["X-Auth-Token"]
        assert api.unblock(token).json() == {"valid": True}
        assert api.keepalive(token).json()["code"] == 71
        assert api.second(token, "2FA", pyotp.TOTP(SECRET).now()).status_code == 200

    def test_a_wrong_token_is_no_error_model(self, api: Api, emulator: EmulatorClient) -> None:
        token = api.session()
        emulator.block_session(token)
        answer = api.unblock(token, "wrong")
        assert (answer.status_code, answer.json()) == (401, {"valid": False})
        assert api.keepalive(token).json() == CAPTCHA
        assert emulator.counters["captcha_rejected"] == 1

    @pytest.mark.parametrize(
        ("body", "code"),
        [({}, 11), ({"token": ""}, 10), ({"token": None}, 10), ({"token": 5}, 10), ("passed", 10)],
    )
    def test_bad_bodies(self, api: Api, emulator: EmulatorClient, body: object, code: int) -> None:
        token = api.session()
        emulator.block_session(token)
        answer = api.call("POST", "session/unblock-captcha", token, json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, code)

    def test_a_session_is_needed(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.add_api_key("key", EMAIL)
        assert api.unblock(None).json() == NOT_AUTHORIZED
        assert api.unblock("dead").json() == NOT_AUTHORIZED
        answer = api.call(
            "POST", "session/unblock-captcha", headers={"Authorization": "Bearer key"}, json={"token": "passed"}
        )
        assert answer.json() == NOT_AUTHORIZED

    def test_the_tokens_are_a_setting(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.configure(captcha_tokens=["one", "two"])
        token = api.session()
        assert api.unblock(token, "passed").json() == {"valid": False}
        assert api.unblock(token, "one").json() == {"valid": True}
        assert api.unblock(token, "one").json() == {"valid": True}

    def test_a_token_can_be_used_up(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.configure(captcha_tokens=["one", "two"], captcha_token_once=True)
        token = api.session()
        assert [api.unblock(token, word).status_code for word in ("one", "one", "two")] == [200, 401, 200]

    def test_login_can_be_required_again(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.configure(captcha_unblock_ends_session=True)
        emulator.block_user(EMAIL)
        token = api.login().headers["X-Auth-Token"]
        assert api.unblock(token).json() == {"valid": True}
        assert api.keepalive(token).json() == NOT_AUTHORIZED
        assert api.login().status_code == 200

    def test_the_get_form(self, api: Api, emulator: EmulatorClient) -> None:
        token = api.session()
        emulator.block_session(token)
        path = "session/unblock-captcha"
        answer = api.call("GET", path, token, params={"token": "passed"})
        assert (answer.status_code, answer.json()["code"], answer.headers["Allow"]) == (405, 21, "POST")
        emulator.configure(unblock_get=True)
        assert api.call("GET", path, token).json()["code"] == 11
        assert api.call("GET", path, token, params={"token": ""}).json()["code"] == 10
        assert api.call("GET", path, token, params={"token": "passed"}).json() == {"valid": True}
        assert api.keepalive(token).status_code == 200

    def test_a_person_unblocks_all_sessions_of_a_user(self, api: Api, emulator: EmulatorClient) -> None:
        live, alone = api.session(), api.session()
        emulator.block_session(alone)
        emulator.block_user(EMAIL)
        right = api.login().headers["X-Auth-Token"]
        wrong = api.login(password="wrong").headers["X-Auth-Token"]
        emulator.unblock_user(EMAIL)
        statuses = [api.keepalive(token).status_code for token in (live, alone, right, wrong)]
        assert statuses == [200, 200, 200, 401]
        assert emulator.blocks == []

    def test_a_person_unblocks_but_login_is_required_again(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.configure(captcha_unblock_ends_session=True)
        token = api.session()
        emulator.block_user(EMAIL)
        api.login()
        emulator.unblock_user(EMAIL)
        assert api.keepalive(token).json() == NOT_AUTHORIZED
        assert emulator.sessions == []

    def test_the_api_leaves_the_block_of_another_session(self, api: Api, emulator: EmulatorClient) -> None:
        one, other = api.session(), api.session()
        emulator.block_session(other)
        emulator.block_user(EMAIL)
        api.unblock(one)
        assert api.keepalive(one).status_code == 200
        assert api.keepalive(other).json() == CAPTCHA

    def test_failures_are_counted_anew(self, api: Api, emulator: EmulatorClient) -> None:
        for _ in range(5):
            api.login(password="wrong")
        emulator.unblock_user(EMAIL)
        api.login(password="wrong")
        assert not emulator.users[EMAIL]["blocked"]
