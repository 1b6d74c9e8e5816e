"""What the commands do, print and return."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Done

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection


def test_check_tells_the_stages(cli: Callable[..., Done], quatrix_emulator: EmulatorClient) -> None:
    done = cli("check")
    assert done.status == 0
    assert done.out.splitlines() == [
        "Connection     ok",
        "Budget         ok",
        "Address        ok",
        "Service        ok",
        "CAPTCHA        ok",
        "Credentials    ok",
        f"Signed in to {quatrix_emulator.url} as {EMAIL}",
    ]


@pytest.mark.parametrize(
    "command", [[], ["check"], ["session", "show"], ["session", "end"], ["ls"], ["get"], ["put"], ["rm"], ["cleanup"]]
)
def test_each_command_has_a_help(
    command: list[str], cli: Callable[..., Done], quatrix_emulator: EmulatorClient
) -> None:
    done = cli(*command, "--help")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(" ".join(["usage: python -m airflow_provider_quatrix", *command]))
    assert quatrix_emulator.requests == 0


def test_check_tells_where_it_failed(
    cli: Callable[..., Done], quatrix_connection: QuatrixConnection, quatrix_emulator: EmulatorClient
) -> None:
    quatrix_connection(password="wrong-on-purpose", extra={"pin": "12345"})
    done = cli("check", "--output", "json")
    assert done.status == 1
    assert (done.json["ok"], done.json["failed"]) == (False, "Credentials")
    assert [(each["stage"], each["result"]) for each in done.json["stages"][-3:]] == [
        ("CAPTCHA", "ok"),
        ("Credentials", "failed"),
        ("Second factor", "not reached"),
    ]
    assert done.json["message"].endswith("Correct the credentials of connection 'quatrix_default'.")
    # As with the Test button, every press tries once.
    assert cli("check").status == 1
    assert quatrix_emulator.logins == 2
    assert "wrong-on-purpose" not in done.out + done.err


def test_an_address_where_nobody_listens(cli: Callable[..., Done], quatrix_connection: QuatrixConnection) -> None:
    quatrix_connection(host="https://127.0.0.1:1", extra={"proxy": "http://127.0.0.1:2"})
    done = cli("check")
    assert done.status == 1
    assert done.out.splitlines()[2:5] == ["Address        ok", "Proxy          failed", "TLS            not reached"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["check", "no_such"], "no_such"),
        (["ls", "-c", "no_such"], "no_such"),
        (["frobnicate"], "invalid choice"),
        (["get", "one"], "TARGET"),
        (["put", "--transfers", "0", "a", "b"], "'0' is not a whole number from 1 to 64"),
        (["cleanup", "--older-than", "-1"], "'-1' is not a number of days"),
        (["rm", "a\x00b"], "control character"),
    ],
)
def test_a_wrong_word_has_status_2(cli: Callable[..., Done], words: list[str], told: str) -> None:
    done = cli(*words)
    assert done.status == 2
    assert told in done.out + done.err
    assert "Traceback" not in done.err


def test_a_wrong_field_has_status_2(cli: Callable[..., Done], quatrix_connection: QuatrixConnection) -> None:
    quatrix_connection(extra={"totp": "x"})
    assert cli("check").status == 2
    done = cli("ls", "--output", "json")
    assert done.status == 2
    assert "unknown members 'totp'" in done.json["error"]
    assert done.json["status"] == 2


def test_session_show_and_end(cli: Callable[..., Done], quatrix_emulator: EmulatorClient) -> None:
    assert "none; the next use signs in" in cli("session", "show").out
    assert quatrix_emulator.requests == 0
    cli("ls")
    shown = cli("session", "show", "--output", "json").json
    assert (shown["status"], shown["login_attempts"], shown["logins_left"]) == ("open", 1, 11)
    assert shown["obtained"] == pytest.approx(time.time(), abs=60)
    text = cli("session", "show", "quatrix_default").out
    assert f"Account      {EMAIL} at {quatrix_emulator.url}" in text
    assert "Logins       1 of 12 in the last 15 minutes" in text
    (session,) = quatrix_emulator.sessions
    assert session["id"] not in text + json.dumps(shown)

    # The session is in Airflow's Variable, so that a command of another process ends it.
    assert cli("session", "end").out == "The session has ended\n"
    assert quatrix_emulator.sessions == []
    assert cli("session", "end").out == "There was no open session\n"
    assert quatrix_emulator.logins == 1


def test_a_blocked_account_has_status_3(cli: Callable[..., Done], quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.block_user(EMAIL)
    done = cli("ls")
    assert done.status == 3
    assert "passes the CAPTCHA" in done.err
    assert "Session      blocked" in cli("session", "show").out
    assert cli("check").status == 3


def test_files(cli: Callable[..., Done], quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    for name in ("a.csv", "b[1].csv"):
        (tmp_path / name).write_text(f"{name}\n")
    local = [str(tmp_path / name) for name in ("a.csv", "b[1].csv")]
    done = cli("put", *local, "/reports/", "--create-parents")
    assert done.out.splitlines() == ["Uploaded /reports/a.csv (6 B)", "Uploaded /reports/b[1].csv (9 B)"]
    assert quatrix_emulator.read_file(EMAIL, "/reports/b[1].csv") == b"b[1].csv\n"
    assert cli("put", *local, "/reports/").status == 1
    assert cli("put", *local, "/reports/", "--if-exists", "skip").out.startswith("Left /reports/a.csv")

    listed = cli("ls", "/reports").out.splitlines()
    assert [line.split()[-1] for line in listed] == ["/reports/a.csv", "/reports/b[1].csv"]
    assert [entry["path"] for entry in cli("ls", "-r", "--output", "json").json if entry["kind"] == "file"] == [
        "/reports/a.csv",
        "/reports/b[1].csv",
    ]
    assert cli("ls", "/reports/*.txt").out == ""
    assert "is a file, not a folder" in cli("ls", "/reports/a.csv").err
    assert cli("ls", "/nothing").status == 1

    (got,) = cli("get", "/reports/a*", str(tmp_path / "in"), "--create-parents", "--output", "json").json
    assert (tmp_path / "in" / "a.csv").read_text() == "a.csv\n"
    assert got["size"] == 6
    assert not got["skipped"]
    dry = cli("get", "/reports", str(tmp_path / "all"), "--create-parents", "--dry-run")
    assert len(dry.out.splitlines()) == 2
    assert dry.out.startswith("Would be there ")
    assert not (tmp_path / "all").exists()

    assert cli("rm", "/reports/nothing").status == 1
    assert cli("rm", "/reports/nothing", "--missing-ok").out == "Deleted 0\n"
    assert cli("rm", "/reports/*.csv", "--permanently", "--output", "json").json == {"deleted": 2}
    assert quatrix_emulator.logins == 1


def test_cleanup(cli: Callable[..., Done], quatrix_emulator: EmulatorClient) -> None:
    left = f"/in/.{'0' * 24}.quatrix-part"
    quatrix_emulator.put_file(EMAIL, left, b"half a file")
    quatrix_emulator.advance(2 * 86_400)
    assert cli("cleanup").out.startswith("Removed 0 unfinished uploads (0 B)")
    dry = cli("cleanup", "/in", "--older-than", "1", "--dry-run", "--output", "json").json
    assert dry == {"files": [left], "bytes": 11, "checkpoints": 0, "dry_run": True}
    done = cli("cleanup", "--older-than", "1")
    assert done.out.splitlines() == ["Removed 1 unfinished uploads (11 B) and 0 checkpoints", left]
    assert quatrix_emulator.files(EMAIL)[-1]["path"] == "/in"


def test_names_do_not_steer_the_terminal(cli: Callable[..., Done], quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_hostile_name(EMAIL, "a\x1b[2J.csv", "/")
    done = cli("ls")
    assert "\x1b" not in done.out
    assert r"/a\x1b[2J.csv" in done.out
    assert any(entry["path"] == "/a\x1b[2J.csv" for entry in cli("ls", "--output", "json").json)


def test_what_is_done_is_told_if_wanted(cli: Callable[..., Done]) -> None:
    assert "Signed in" not in cli("ls").err
    cli("session", "end")
    told = cli("ls", "-v")
    assert "INFO airflow_provider_quatrix.sessions.broker: Signed in to Quatrix" in told.err
    assert "Signed in" not in told.out
    assert PASSWORD not in told.err
