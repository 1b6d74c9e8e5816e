from __future__ import annotations

import json
import logging
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
from emulator_api import EMAIL, raw

from airflow_provider_quatrix.emulator.client import EmulatorControlError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator_api import Api

    from airflow_provider_quatrix.emulator.client import EmulatorClient


@pytest.fixture(autouse=True)
def _no_server_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


class TestAnswers:
    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 509])
    def test_a_status_strikes_once(self, api: Api, emulator: EmulatorClient, status: int) -> None:
        token = api.session()
        emulator.fault("session/keepalive", status=status)
        answer = api.keepalive(token)
        assert answer.status_code == status
        assert answer.json() == {"code": -1, "msg": "Injected fault"}
        assert api.keepalive(token).status_code == 200
        assert emulator.counters["faults"] == 1
        assert emulator.calls("GET", "session/keepalive") == 2

    def test_headers_and_body(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.fault("profile", status=429, headers={"Retry-After": "7", "Content-Type": "text/plain"}, body="later")
        answer = api.profile(None)
        assert (answer.status_code, answer.text) == (429, "later")
        assert (answer.headers["Retry-After"], answer.headers["Content-Type"]) == ("7", "text/plain")

    @pytest.mark.parametrize(
        ("body", "content_type", "text"),
        [
            ("<html>no</html>", "text/html; charset=utf-8", "<html>no</html>"),
            ({"code": 50, "msg": "ü"}, "application/json", '{"code": 50, "msg": "\\u00fc"}'),
            ([], "application/json", "[]"),
            ("", "application/json", ""),
        ],
    )
    def test_a_body_alone_has_status_200(
        self, api: Api, emulator: EmulatorClient, body: Any, content_type: str, text: str
    ) -> None:
        emulator.fault("profile", body=body)
        answer = api.profile(None)
        assert (answer.status_code, answer.headers["Content-Type"], answer.text) == (200, content_type, text)

    @pytest.mark.parametrize(("form", "start"), [("json", "{"), ("html", "<html>"), ("empty", "")])
    def test_the_body_without_a_body_is_a_setting(
        self, api: Api, emulator: EmulatorClient, form: str, start: str
    ) -> None:
        emulator.configure(fault_body=form)
        emulator.fault("profile", status=502)
        text = api.profile(None).text
        assert text.startswith(start)
        assert bool(text) is bool(start)

    def test_a_status_without_a_body(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.fault("profile", status=204, body="ignored")
        answer = api.profile(None)
        assert (answer.status_code, answer.content) == (204, b"")

    def test_headers_alone_change_the_real_answer(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.fault("session/login", headers={"X-Auth-Token": "other", "X-More": "1", "Date": "never"})
        answer = api.login()
        assert answer.status_code == 200
        assert answer.headers["X-Auth-Token"] == "other"
        assert answer.headers["X-More"] == "1"
        assert answer.headers["Date"] == "never"

    def test_a_faulted_login_is_a_login_but_no_session(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.fault("session/login", status=503)
        api.login()
        assert emulator.logins == 1
        assert emulator.sessions == []
        assert emulator.users[EMAIL]["logins"] == 0

    def test_the_call_can_take_effect_all_the_same(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.fault("session/login", status=504, execute_anyway=True)
        assert api.login().status_code == 504
        assert len(emulator.sessions) == 1

    def test_an_answer_can_be_late(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.fault("session/login", delay=0.2)
        started = time.monotonic()
        assert api.login().status_code == 200
        assert time.monotonic() - started >= 0.2
        emulator.fault("profile", delay=30)
        with pytest.raises(requests.ReadTimeout):
            api.call("GET", "profile", timeout=0.1)

    def test_a_late_call_does_not_outlive_a_reset(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.fault("session/login", delay=0.5)
        with ThreadPoolExecutor() as pool:
            login = pool.submit(api.login)
            while not emulator.logins:
                time.sleep(0.01)
            emulator.reset()
        with pytest.raises(requests.ConnectionError):
            login.result()
        assert emulator.sessions == []


class TestAim:
    def test_by_method(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.fault("session/login", method="post", status=500)
        assert api.login().status_code == 200
        assert api.second(None, "2FA", "1").status_code == 500

    def test_by_pattern(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.fault("session/*", status=500, times=None)
        assert api.login().status_code == 500
        assert api.keepalive(None).status_code == 500
        assert api.profile(None).status_code == 401

    def test_by_path_from_the_root_and_with_a_slash(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.fault("/upload/chunked/*", status=500)
        assert api.call("POST", "/upload/chunked/some-key").status_code == 500
        emulator.fault("profile/", status=500, times=2)
        assert api.call("GET", "profile").status_code == 500
        assert api.call("GET", "profile/").status_code == 500
        emulator.fault("/*", status=500)
        assert api.call("GET", "/anything").status_code == 500

    def test_times_and_after(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.fault("profile", status=500, times=2, after=1)
        assert [api.profile(None).status_code for _ in range(4)] == [401, 500, 500, 401]

    def test_faults_strike_in_order(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.fault("profile", status=500)
        emulator.fault("profile", status=502)
        assert [api.profile(None).status_code for _ in range(3)] == [500, 502, 401]

    def test_for_ever_until_cleared(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.fault("profile", status=500, times=None)
        assert {api.profile(None).status_code for _ in range(3)} == {500}
        emulator.clear_faults()
        assert api.profile(None).status_code == 401
        assert emulator.state()["faults"] == []

    def test_probability_is_repeatable(self, api: Api, emulator: EmulatorClient) -> None:
        runs = []
        for _ in range(2):
            emulator.reset()
            emulator.fault("profile", status=500, times=None, probability=0.5)
            runs.append([api.profile(None).status_code for _ in range(12)])
        assert runs[0] == runs[1]
        assert set(runs[0]) == {401, 500}
        emulator.reset()
        emulator.fault("profile", status=500, times=None, probability=0)
        assert api.profile(None).status_code == 401

    def test_control_calls_are_never_struck(self, emulator: EmulatorClient) -> None:
        emulator.fault("/*", status=500, times=None)
        assert emulator.logins == 0

    @pytest.mark.parametrize(
        "fault",
        [
            {"times": 0},
            {"after": -1},
            {"probability": 2},
            {"status": 101},
            {"cut": "wire"},
            {"delay": -1},
            {"headers": {"bad name": "x"}},
            {"headers": {"Content-Length": "1"}},
            {"headers": {"X": "a\r\nSet-Cookie: b"}},
        ],
    )
    def test_bad_faults_are_refused(self, emulator: EmulatorClient, fault: dict[str, Any]) -> None:
        with pytest.raises(EmulatorControlError, match=next(iter(fault))):
            emulator.fault("profile", **fault)

    def test_a_path_starts_at_the_root(self, emulator: EmulatorClient) -> None:
        answer = requests.post(f"{emulator.url}/_emulator/faults", json={"path": "profile"}, timeout=10)
        assert (answer.status_code, answer.json()) == (400, {"error": "body: Value error, path must start with '/'"})


class TestCuts:
    def test_a_cut_connection_has_no_answer(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.fault("session/login", cut="connection")
        with pytest.raises(requests.ConnectionError):
            api.login()
        assert emulator.logins == 1
        assert emulator.sessions == []
        assert emulator.recent_calls[0]["status"] is None
        assert api.login().status_code == 200

    def test_no_byte_is_sent(self, emulator: EmulatorClient) -> None:
        emulator.fault("profile", cut="connection")
        assert raw(emulator.url, b"GET /api/1.0/profile HTTP/1.1\r\nHost: x\r\n\r\n") == b""

    def test_the_call_can_take_effect_before_the_cut(self, api: Api, emulator: EmulatorClient) -> None:
        token = api.session()
        emulator.fault("session/logout", cut="connection", execute_anyway=True)
        with pytest.raises(requests.ConnectionError):
            api.logout(token)
        assert emulator.sessions == []

    def test_in_the_middle_of_an_upload(self, emulator: EmulatorClient) -> None:
        emulator.fault("/upload/*", cut="connection")
        request = b"POST /upload/chunked/key HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 10000
        assert raw(emulator.url, request) == b""

    def test_a_kept_connection_can_be_cut(self, api: Api, emulator: EmulatorClient) -> None:
        with requests.Session() as http:
            assert http.get(f"{emulator.api_url}profile", timeout=10).status_code == 401
            emulator.fault("profile", cut="connection")
            with pytest.raises(requests.ConnectionError):
                http.get(f"{emulator.api_url}profile", timeout=10)
            assert http.get(f"{emulator.api_url}profile", timeout=10).status_code == 401

    def test_a_cut_body_is_half_of_what_was_promised(self, emulator: EmulatorClient) -> None:
        emulator.fault("profile", cut="body", status=200, body="0123456789")
        answer = raw(emulator.url, b"GET /api/1.0/profile HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"content-length: 10" in head
        assert body == b"01234"

    def test_the_real_answer_can_be_cut(self, api: Api, emulator: EmulatorClient) -> None:
        token = api.session()
        emulator.fault("profile", cut="body")
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            api.profile(token)
        emulator.fault("profile", cut="body")
        request = f"GET /api/1.0/profile HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\n\r\n"
        head, _, body = raw(emulator.url, request.encode()).partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        assert len(body) == length // 2
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)

    def test_the_real_login_is_cut_but_took_effect(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.fault("session/login", cut="body")
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            api.login()
        assert len(emulator.sessions) == 1

    @pytest.mark.parametrize("body", ["", "x"])
    def test_a_body_too_short_to_halve_is_closed_after_the_headers(self, emulator: EmulatorClient, body: str) -> None:
        emulator.fault("profile", cut="body", status=500, body=body)
        answer = raw(emulator.url, b"GET /api/1.0/profile HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.endswith(b"\r\n\r\n")

    def test_over_tls(self, quatrix_emulator_tls: EmulatorClient) -> None:
        client = quatrix_emulator_tls
        for cut in ("connection", "body"):
            client.fault("profile", cut=cut, status=500)
            with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
                requests.get(f"{client.api_url}profile", verify=client.ca_file, timeout=10)
        assert client.counters["faults"] == 2


class TestClientsThatLeave:
    def test_in_the_middle_of_a_body(self, api: Api, emulator: EmulatorClient) -> None:
        parts = urlsplit(emulator.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            connection.sendall(b"POST /api/1.0/session/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            deadline = time.monotonic() + 10
            while not emulator.requests and time.monotonic() < deadline:
                time.sleep(0.01)
        while not emulator.recent_calls and time.monotonic() < deadline:
            time.sleep(0.01)
        assert emulator.recent_calls[0]["status"] in (None, 500)
        assert api.login().status_code == 200

    def test_while_an_answer_is_late(self, api: Api, emulator: EmulatorClient) -> None:
        emulator.fault("profile", delay=0.2)
        with pytest.raises(requests.ReadTimeout):
            api.call("GET", "profile", timeout=0.05)
        time.sleep(0.3)
        assert api.login().status_code == 200
