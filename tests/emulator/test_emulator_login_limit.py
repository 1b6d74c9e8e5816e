from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest
from emulator_api import EMAIL

if TYPE_CHECKING:
    from emulator_api import Api

    from airflow_provider_quatrix.emulator.client import EmulatorClient


def fill(api: Api, number: int = 15) -> None:
    for _ in range(number):
        assert api.login().status_code == 200


def test_the_sixteenth_login_is_refused(api: Api, emulator: EmulatorClient) -> None:
    fill(api)
    answer = api.login()
    assert (answer.status_code, answer.json()["code"]) == (429, 50)
    assert 890 <= int(answer.headers["Retry-After"]) <= 900
    assert emulator.logins == 16
    assert emulator.counters["limited_logins"] == 1
    assert emulator.users[EMAIL]["logins_in_window"] == 15


def test_retry_after_tells_the_truth(api: Api, emulator: EmulatorClient) -> None:
    fill(api)
    emulator.advance(int(api.login().headers["Retry-After"]))
    assert api.login().status_code == 200


def test_the_window_slides(api: Api, emulator: EmulatorClient) -> None:
    fill(api, 10)
    emulator.advance(600)
    fill(api, 5)
    assert api.login().status_code == 429
    emulator.advance(301)
    fill(api, 10)
    assert api.login().status_code == 429


def test_failed_logins_fill_the_window_too(api: Api, emulator: EmulatorClient) -> None:
    emulator.configure(captcha_after_failures=None)
    for _ in range(15):
        api.login(password="wrong")
    assert api.login().status_code == 429


def test_blocked_logins_fill_the_window_too(api: Api, emulator: EmulatorClient) -> None:
    emulator.block_user(EMAIL)
    for _ in range(15):
        assert api.login().status_code == 401
    assert api.login().status_code == 429


def test_unknown_users_are_limited_alike(api: Api) -> None:
    for _ in range(15):
        assert api.login("nobody@example.com").status_code == 401
    assert api.login("nobody@example.com").status_code == 429


def test_users_are_counted_apart(api: Api, emulator: EmulatorClient) -> None:
    emulator.add_user("other@example.com", "pw")
    fill(api)
    assert api.login("other@example.com", "pw").status_code == 200
    assert api.login("ROBOT@example.com").status_code == 429


@pytest.mark.parametrize(("counts", "status"), [(False, 200), (True, 429)])
def test_refused_logins_can_fill_the_window(api: Api, emulator: EmulatorClient, counts: bool, status: int) -> None:
    emulator.configure(login_limit_counts_refused=counts, login_limit=2)
    fill(api, 2)
    emulator.advance(600)
    for _ in range(2):
        assert api.login().status_code == 429
    emulator.advance(301)
    assert api.login().status_code == status


def test_the_form_is_a_setting(api: Api, emulator: EmulatorClient) -> None:
    emulator.configure(
        login_limit=1, login_window_seconds=60, login_limit_status=503, login_limit_code=-1, retry_after="date"
    )
    fill(api, 1)
    answer = api.login()
    assert (answer.status_code, answer.json()["code"]) == (503, -1)
    at = parsedate_to_datetime(answer.headers["Retry-After"]).timestamp()
    assert at == pytest.approx(time.time() + 60, abs=10)
    emulator.configure(retry_after="none")
    assert "Retry-After" not in api.login().headers


def test_the_limit_can_be_off(api: Api, emulator: EmulatorClient) -> None:
    emulator.configure(login_limit=None)
    fill(api, 17)
