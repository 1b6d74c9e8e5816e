from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from emulator_api import EMAIL, PASSWORD

from airflow_provider_quatrix.emulator.client import EmulatorClient, EmulatorControlError

if TYPE_CHECKING:
    from emulator_api import Api

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


class TestReset:
    def test_everything_is_as_at_the_start(self, api: Api, emulator: EmulatorClient) -> None:
        start = emulator.state()
        token = api.session()
        emulator.add_user("other@example.com", "pw")
        emulator.add_api_key("key", EMAIL)
        emulator.configure(idle_seconds=1, captcha_tokens=["x"])
        emulator.fault("profile", status=500)
        emulator.block_user(EMAIL)
        emulator.advance(5000)
        emulator.reset()
        state = emulator.state()
        for changing in (start, state):
            changing["clock"].pop("now")
        assert state == start
        assert api.keepalive(token).status_code == 401

    def test_the_login_window_is_empty_again(self, api: Api, emulator: EmulatorClient) -> None:
        for _ in range(16):
            api.login()
        emulator.reset()
        assert api.login().status_code == 200

    def test_a_reset_can_differ_from_the_start(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.reset(
            settings={"login_limit": 3},
            users=[{"email": "other@example.com", "password": "pw"}],
            api_keys=[{"key": "key", "email": "other@example.com"}],
        )
        assert api.login().status_code == 401
        assert api.login("other@example.com", "pw").status_code == 200
        assert api.bearer("key", "profile").status_code == 200
        assert emulator.state()["settings"]["login_limit"] == 3
        emulator.reset()
        assert list(emulator.users) == [EMAIL]
        assert emulator.state()["settings"]["login_limit"] == 15

    @pytest.mark.parametrize(
        "body",
        [
            {"settings": {"no_such_setting": 1}},
            {"users": [{"email": "no-at", "password": "pw"}]},
            {"users": [{"email": "a@b"}]},
            {"api_keys": [{"key": "key", "email": "nobody@example.com"}]},
            {"unknown": 1},
            [],
        ],
    )
    def test_a_bad_reset_changes_nothing(self, api: Api, emulator: EmulatorClient, body: Any) -> None:
        token = api.session()
        answer = requests.post(f"{emulator.url}/_emulator/reset", json=body, timeout=10)
        assert answer.status_code == 400
        assert list(answer.json()) == ["error"]
        assert api.keepalive(token).status_code == 200


class TestState:
    def test_what_it_shows(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.add_user("totp@example.com", "secret-pw", totp_secret=SECRET)
        emulator.add_user("pin@example.com", "secret-pw", pin="54321", name="Pin")
        token = api.session()
        api.login("totp@example.com", "secret-pw")
        emulator.block_user("pin@example.com")
        emulator.fault("profile", status=500, times=None)
        state = emulator.state()
        assert {user: data["second_factor"] for user, data in state["users"].items()} == {
            EMAIL: None,
            "totp@example.com": "2FA",
            "pin@example.com": "PIN",
        }
        assert [session["stage"] for session in state["sessions"]] == ["ready", "2FA"]
        assert state["sessions"][0]["id"] == token
        assert state["sessions"][0]["time_left"] == pytest.approx(900, abs=5)
        assert state["blocks"] == emulator.blocks == [{"kind": "user", "email": "pin@example.com"}]
        assert state["faults"][0]["path"] == "/api/1.0/profile"
        assert state["counters"]["requests"] == emulator.requests == 2
        assert state["clock"]["offset"] == 0
        text = str(state)
        for secret in (PASSWORD, "secret-pw", SECRET, "54321"):
            assert secret not in text

    def test_recent_calls(self, api: Api, emulator: EmulatorClient) -> None:
        api.keepalive(api.session())
        api.login(password="wrong")
        calls = emulator.recent_calls
        assert [(call["method"], call["path"], call["status"], call["user"]) for call in calls] == [
            ("GET", "/api/1.0/session/login", 401, EMAIL),
            ("GET", "/api/1.0/session/keepalive", 200, EMAIL),
            ("GET", "/api/1.0/session/login", 200, EMAIL),
        ]
        assert all(call["ms"] >= 0 for call in calls)

    def test_there_are_at_most_200(self, emulator: EmulatorClient) -> None:
        with requests.Session() as http:
            for _ in range(205):
                http.get(f"{emulator.api_url}profile", timeout=10)
        assert len(emulator.recent_calls) == 200
        assert emulator.calls("GET", "profile") == 205

    def test_control_calls_are_not_counted(self, emulator: EmulatorClient) -> None:
        requests.get(f"{emulator.url}/", timeout=10)
        requests.get(f"{emulator.url}/favicon.ico", timeout=10)
        requests.get(f"{emulator.url}/_emulator/nothing", timeout=10)
        assert emulator.requests == 0
        assert emulator.recent_calls == []

    def test_invented_paths_do_not_grow_the_counters(self, emulator: EmulatorClient) -> None:
        for name in ("one", "two", "_emulatorish"):
            requests.get(f"{emulator.url}/{name}", timeout=10)
        assert emulator.counters["by_call"] == {"GET (unknown)": 3}


class TestUsers:
    def test_a_user_described_anew_keeps_sessions_and_blocks(self, api: Api, emulator: EmulatorClient) -> None:
        token = api.session()
        emulator.block_user(EMAIL)
        emulator.add_user(EMAIL, "another", name="Robot")
        assert emulator.users[EMAIL]["blocked"]
        emulator.unblock_user(EMAIL)
        assert api.profile(token).json()["name"] == "Robot"
        assert api.login().status_code == 401
        assert api.login(password="another").status_code == 200

    def test_an_email_may_hold_odd_characters(self, emulator: EmulatorClient) -> None:
        emulator.add_user("a+b%c?#@example.com", "pw")
        emulator.block_user("a+b%c?#@example.com")
        assert emulator.users["a+b%c?#@example.com"]["blocked"]

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"email": "no-at"}, "email must contain"),
            ({"email": "a:b@c"}, "email must contain"),
            ({"password": ""}, "password must not be empty"),
            ({"pin": "123456"}, "pin must have 5 characters"),
            ({"totp_secret": "1!"}, "totp_secret must be base32"),
            ({"totp_secret": ""}, "totp_secret must be base32"),
            ({"totp_secret": SECRET, "pin": "12345"}, "not both"),
        ],
    )
    def test_bad_users_are_refused_without_their_secrets(
        self, emulator: EmulatorClient, fields: dict[str, str], words: str
    ) -> None:
        with pytest.raises(EmulatorControlError, match=words) as caught:
            emulator.add_user(**{"email": "a@b", "password": "hidden-pw", **fields})
        assert "hidden-pw" not in str(caught.value)
        assert SECRET not in str(caught.value)

    @pytest.mark.parametrize("key", ["", "with blank", "ümlaut"])
    def test_bad_keys_are_refused(self, emulator: EmulatorClient, key: str) -> None:
        with pytest.raises(EmulatorControlError, match="key must be ASCII"):
            emulator.add_api_key(key, EMAIL)


class TestUnknown:
    def test_unknown_users_and_sessions(self, emulator: EmulatorClient) -> None:
        for call in (
            lambda: emulator.block_user("nobody@example.com"),
            lambda: emulator.unblock_user("nobody@example.com"),
            lambda: emulator.add_api_key("key", "nobody@example.com"),
            lambda: emulator.expire_sessions("nobody@example.com"),
            lambda: emulator.block_session("no"),
            lambda: emulator.unblock_session("no"),
            lambda: emulator.expire_session("no"),
        ):
            with pytest.raises(EmulatorControlError, match="404 No"):
                call()

    def test_an_expired_session_is_unknown(self, api: Api, emulator: EmulatorClient) -> None:
        token = api.session()
        emulator.advance(901)
        with pytest.raises(EmulatorControlError, match="No such session"):
            emulator.block_session(token)


class TestSettings:
    def test_a_partial_update(self, emulator: EmulatorClient) -> None:
        emulator.configure(login_limit=3)
        emulator.configure(retry_after="date")
        settings = emulator.state()["settings"]
        assert (settings["login_limit"], settings["retry_after"]) == (3, "date")

    @pytest.mark.parametrize(
        "setting",
        [
            {"no_such": 1},
            {"login_limit": 0},
            {"login_limit": "many"},
            {"idle_seconds": -1},
            {"captcha_status": 99},
            {"retry_after": "sometimes"},
            {"captcha_tokens": 5},
        ],
    )
    def test_bad_settings_are_named(self, emulator: EmulatorClient, setting: dict[str, Any]) -> None:
        with pytest.raises(EmulatorControlError, match=next(iter(setting))):
            emulator.configure(**setting)


class TestClock:
    def test_it_adds_up(self, emulator: EmulatorClient) -> None:
        before = emulator.state()["clock"]["now"]
        emulator.advance(100)
        emulator.advance(0.5)
        clock = emulator.state()["clock"]
        assert clock["offset"] == 100.5
        assert clock["now"] == pytest.approx(before + 100.5, abs=5)

    @pytest.mark.parametrize(
        "body", [{"advance": -1}, {"advance": 1e300}, {"advance": "x"}, {}, {"advance": 1, "more": 1}]
    )
    def test_it_only_goes_forward(self, emulator: EmulatorClient, body: object) -> None:
        answer = requests.post(f"{emulator.url}/_emulator/clock", json=body, timeout=10)
        assert answer.status_code == 400
        answer = requests.post(f"{emulator.url}/_emulator/clock", data="{", timeout=10)
        assert answer.json() == {"error": "The body is not valid JSON"}
        assert emulator.state()["clock"]["offset"] == 0


class TestHandle:
    def test_its_names(self, emulator: EmulatorClient) -> None:
        assert emulator.url == f"http://{emulator.host}"
        assert emulator.api_url == f"{emulator.url}/api/1.0/"
        assert repr(emulator) == f"EmulatorClient('{emulator.url}')"

    def test_a_proxy_of_the_environment_is_not_used(
        self, emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        assert emulator.logins == 0

    def test_a_foreign_server_is_told_apart(self, emulator: EmulatorClient) -> None:
        with EmulatorClient(f"{emulator.url}/elsewhere") as client, pytest.raises(EmulatorControlError, match="404"):
            client.state()

    def test_an_answer_that_is_no_json(self, emulator: EmulatorClient) -> None:
        emulator.fault("/elsewhere/*", status=502, body="<html>bad gateway</html>")
        with (
            EmulatorClient(f"{emulator.url}/elsewhere") as client,
            pytest.raises(EmulatorControlError, match="502 Bad Gateway"),
        ):
            client.state()
