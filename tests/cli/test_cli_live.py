"""``check --live`` names what the service does differently, and leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyotp
import pytest

from airflow_provider_quatrix.cli.assumptions import ASSUMPTIONS
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Done

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

Cli = "Callable[..., Done]"
SECRET = pyotp.random_base32()
NEVER_TRIED = {"idle-end", "login-limit", "captcha-token"}
OF_KEYS = {"api-key", "api-key-captcha"}
OF_BLOCKS = {"captcha-words", "captcha-session"}


def names(done: Done, result: str) -> set[str]:
    return {entry["name"] for entry in done.json["assumptions"] if entry["result"] == result}


def test_all_that_can_be_tried_holds(cli: Callable[..., Done], quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "in/a.csv", b"a")
    before = quatrix_emulator.files(EMAIL)
    done = cli("check", "--live", "--output", "json")
    assert names(done, "fails") == set()
    assert names(done, "not tried") == {*NEVER_TRIED, *OF_KEYS, *OF_BLOCKS, "second-factor"}
    assert names(done, "holds") == set(ASSUMPTIONS) - names(done, "not tried")
    assert done.status == 0
    assert quatrix_emulator.files(EMAIL) == before
    assert quatrix_emulator.uploads_open == 0
    assert quatrix_emulator.logins == 1

    text = cli("check", "--live", "quatrix_default")
    assert text.status == 0
    # The session is open by now, so no login is seen.
    assert text.out.splitlines()[-1] == "24 hold, 0 fail, 9 were not tried"
    assert quatrix_emulator.logins == 1


@pytest.mark.parametrize(
    ("settings", "deviations"),
    [
        (
            {"session_id_in": "header", "unauthorized_code": 74, "dead_logout_status": 404},
            {"login-answer", "unknown-session", "unknown-logout"},
        ),
        (
            {"ignore_range": True, "download_link_once": True, "hide_partial_files": True, "strict_delete": True},
            {"range", "link-again", "unfinished-visible", "delete-unknown"},
        ),
        (
            {"strict_chunks": True, "replaced_to_trash": True, "hostile_finalize_offset": 1},
            {"chunk-again", "overwrite-final", "finalize-size"},
        ),
    ],
)
def test_deviations_are_named(
    cli: Callable[..., Done], quatrix_emulator: EmulatorClient, settings: dict[str, Any], deviations: set[str]
) -> None:
    quatrix_emulator.configure(**settings)
    before = quatrix_emulator.files(EMAIL)
    done = cli("check", "--live", "--output", "json")
    assert names(done, "fails") == deviations
    assert done.json["ok"]
    assert done.status == 4
    assert quatrix_emulator.files(EMAIL) == before

    text = cli("check", "--live")
    # The login answer is not seen again, as the session is open.
    for name in deviations - {"login-answer"}:
        (number, line), *_ = [pair for pair in enumerate(text.out.splitlines()) if f" {name} " in pair[1]]
        assert line.startswith("fails ")
        assert text.out.splitlines()[number + 1].strip() == f"otherwise: {ASSUMPTIONS[name].otherwise}"


def test_a_second_factor_is_looked_at(
    cli: Callable[..., Done], quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_emulator.add_user(EMAIL, PASSWORD, SECRET)
    quatrix_connection(extra={"totp_secret": SECRET})
    done = cli("check", "--live", "--output", "json")
    assert "second-factor" in names(done, "holds")
    assert SECRET not in done.out + done.err


def test_another_code_for_a_second_factor_is_named(
    cli: Callable[..., Done], quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_emulator.configure(mfa_code_2fa=99)
    quatrix_emulator.add_user(EMAIL, PASSWORD, SECRET)
    quatrix_connection(extra={"totp_secret": SECRET})
    done = cli("check", "--live", "--output", "json")
    assert names(done, "fails") == {"second-factor"}
    assert done.json["failed"] == "Second factor"
    assert done.status == 1


def test_a_block_is_looked_at(cli: Callable[..., Done], quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.configure(captcha_details=False, captcha_header=False)
    quatrix_emulator.block_user(EMAIL)
    done = cli("check", "--live", "--output", "json")
    assert done.status == 3
    assert names(done, "holds") == {"captcha-words"}
    assert names(done, "fails") == {"captcha-session"}
    assert quatrix_emulator.logins == 1


def test_a_block_in_other_words_is_quoted(cli: Callable[..., Done], quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.configure(captcha_msg="Prove that you are human", captcha_details=False)
    quatrix_emulator.block_user(EMAIL)
    done = cli("check", "--live")
    assert done.status == 1
    assert "captcha_pattern must match a word of: Prove that you are human (HTTP 401, code 70)" in done.out


def test_an_api_key(
    cli: Callable[..., Done], quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_emulator.add_api_key("key-of-the-robot", EMAIL)
    quatrix_connection(login=None, password=None, extra={"api_key": "key-of-the-robot"})
    done = cli("check", "--live", "--output", "json")
    assert done.status == 0
    assert {"api-key", "profile", "range", "trash"} <= names(done, "holds")
    assert quatrix_emulator.logins == 0
    assert "key-of-the-robot" not in done.out + done.err


def test_where_nobody_may_write(cli: Callable[..., Done], quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.make_folder(EMAIL, "/fixed")
    quatrix_emulator.protect(EMAIL, "/fixed")
    done = cli("check", "--live", "--folder", "/fixed", "--output", "json")
    assert names(done, "fails") == set()
    assert {"path", "range"} <= names(done, "not tried")
    assert done.status == 0


def test_a_block_in_the_middle_ends_it(cli: Callable[..., Done], quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.fault("file/metadata*", status=401, body={"code": 70, "msg": "Captcha required"}, times=None)
    done = cli("check", "--live", "--output", "json")
    assert "captcha-words" in names(done, "holds")
    assert "range" in names(done, "not tried")
    assert names(done, "fails") == set()
