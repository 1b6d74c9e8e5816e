from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_quatrix.api import Credentials, SessionState, SessionStatus
from airflow_provider_quatrix.sessions.record import (
    BLOCKED_LOGIN_INTERVAL,
    CLOCK_SKEW,
    LOGIN_LIMIT,
    LOGIN_WINDOW,
    SessionRecord,
    may_login_while_blocked,
    pack,
    recent_attempts,
    unpack,
    wait_for_budget,
)
from airflow_provider_quatrix.sessions.seal import Seal

NOW = 1_800_000_000.0
SECRET_ID = "0b3f2a6e-7d0c-4d5e-9a51-3f6f2f0d9c11"
ALICE = Credentials("alice@example.com", "pass-word", totp_secret="JBSWY3DPEHPK3PXP", pin="12345")
SEAL = Seal("https://acme.quatrix.it", ALICE)
FULL = SessionRecord(
    status=SessionStatus.BLOCKED,
    session_id=SECRET_ID,
    obtained=NOW - 100,
    last_used=NOW - 50,
    reason="because",
    wants_factor=True,
    last_login=NOW - 100,
    last_probe=NOW - 10,
    totp_step=60_000_000,
    attempts=(NOW - 200, NOW - 100),
)


def spaced(number: int, newest: float = NOW) -> list[float]:
    return [newest - 10 * age for age in range(number)]


def test_attempts_count_for_fifteen_minutes_and_each_once() -> None:
    moments = [NOW, NOW - LOGIN_WINDOW, NOW - LOGIN_WINDOW + 0.001, NOW - 5, NOW - 5]
    assert recent_attempts(moments, NOW) == (NOW - LOGIN_WINDOW + 0.001, NOW - 5, NOW)


def test_a_clock_a_little_ahead_counts_and_nonsense_does_not() -> None:
    assert recent_attempts([NOW + CLOCK_SKEW, NOW + CLOCK_SKEW + 1, float("nan"), float("inf")], NOW) == (
        NOW + CLOCK_SKEW,
    )


@pytest.mark.parametrize(
    ("attempts", "wait"),
    [
        ([], 0.0),
        (spaced(LOGIN_LIMIT - 1), 0.0),
        (spaced(LOGIN_LIMIT), LOGIN_WINDOW - 110.0),
        (spaced(LOGIN_LIMIT + 3), LOGIN_WINDOW - 110.0),
        ([*spaced(LOGIN_LIMIT - 1), NOW - LOGIN_WINDOW], 0.0),
        ([*spaced(LOGIN_LIMIT - 1), NOW - LOGIN_WINDOW + 0.5], 0.5),
        (spaced(LOGIN_LIMIT, NOW - LOGIN_WINDOW), 0.0),
    ],
)
def test_the_wait_for_the_next_attempt(attempts: list[float], wait: float) -> None:
    assert wait_for_budget(attempts, NOW) == pytest.approx(wait)


@pytest.mark.parametrize(
    ("session_id", "last_login", "allowed"),
    [
        (None, None, True),
        (None, NOW - BLOCKED_LOGIN_INTERVAL, True),
        (None, NOW - BLOCKED_LOGIN_INTERVAL + 1, False),
        ("id", None, False),
        ("id", NOW - 10_000, False),
    ],
)
def test_when_a_blocked_account_may_be_tried_with_a_login(
    session_id: str | None,
    last_login: float | None,
    allowed: bool,
) -> None:
    record = SessionRecord(status=SessionStatus.BLOCKED, session_id=session_id, last_login=last_login)
    assert may_login_while_blocked(record, NOW) is allowed


def test_a_record_survives_packing() -> None:
    assert unpack(pack(FULL, SEAL), SEAL) == FULL
    assert unpack(pack(SessionRecord(), SEAL), SEAL) == SessionRecord()


def test_what_is_packed_shows_times_only() -> None:
    text = pack(FULL, SEAL)
    assert set(json.loads(text)) == {"attempts", "totp_step", "sealed"}
    assert [secret for secret in (SECRET_ID, "because", "blocked", "alice", "pass-word") if secret in text] == []
    assert SECRET_ID not in repr(FULL)


@pytest.mark.parametrize(
    "other",
    [
        Seal("https://other.quatrix.it", ALICE),
        Seal("https://acme.quatrix.it", replace(ALICE, login="bob@example.com")),
        Seal("https://acme.quatrix.it", replace(ALICE, password="pass-word2")),
        Seal("https://acme.quatrix.it", replace(ALICE, totp_secret="JBSWY3DPEHPK3PXA")),
        Seal("https://acme.quatrix.it", replace(ALICE, totp_secret=None)),
        Seal("https://acme.quatrix.it", replace(ALICE, pin="12346")),
        Seal("https://acme.quatrix.it", replace(ALICE, pin=None)),
    ],
)
def test_another_connection_has_no_use_for_a_record(other: Seal) -> None:
    record = unpack(pack(FULL, SEAL), other)
    assert record == SessionRecord(attempts=FULL.attempts, totp_step=FULL.totp_step)
    assert other.fingerprint != SEAL.fingerprint


def test_the_same_connection_has_the_same_seal() -> None:
    again = Seal("https://acme.quatrix.it", replace(ALICE))
    assert again.fingerprint == SEAL.fingerprint
    assert unpack(pack(FULL, SEAL), again) == FULL
    assert [secret for secret in (SEAL.fingerprint, "pass-word") if secret in repr(SEAL)] == []
    assert SEAL.close("x") != SEAL.close("x")


@pytest.mark.parametrize("sealed", ["", "x", "gAAAAA", "ü", SEAL.close("x")[:-4], "\ud800"])
def test_what_is_no_seal_opens_nothing(sealed: str) -> None:
    assert SEAL.open(sealed) is None


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "nonsense",
        "[]",
        "7",
        "null",
        '"text"',
        "{}",
        '{"attempts": null}',
        '{"attempts": 7}',
        '{"attempts": ["x"]}',
        '{"totp_step": "x"}',
        '{"totp_step": 1e999}',
        '{"sealed": null}',
        "[" * 100_000,
    ],
)
def test_garbage_is_an_empty_record(text: str | None) -> None:
    assert unpack(text, SEAL) == SessionRecord()


@pytest.mark.parametrize(
    "inner",
    ["nonsense", "[]", "{}", '{"status": "odd"}', '{"status": "open", "made_by_a_later_version": 1}', '"text"'],
)
def test_a_record_of_another_version_is_void_but_its_attempts_count(inner: str) -> None:
    text = json.dumps({"attempts": [1.0], "totp_step": 7, "sealed": SEAL.close(inner)})
    assert unpack(text, SEAL) == SessionRecord(attempts=(1.0,), totp_step=7)


def test_the_life_of_a_record() -> None:
    opened = SessionRecord(attempts=(NOW,), last_login=NOW, totp_step=3).opened("a", NOW)
    assert (opened.status, opened.session_id, opened.obtained, opened.last_used) == (SessionStatus.OPEN, "a", NOW, NOW)
    later = opened.opened("a", NOW + 60)
    assert (later.obtained, later.last_used) == (NOW, NOW + 60)
    assert later.opened("b", NOW + 90).obtained == NOW + 90
    blocked = later.blocked("a", NOW + 100)
    assert (blocked.status, blocked.session_id, blocked.last_probe) == (SessionStatus.BLOCKED, "a", NOW + 100)
    rejected = blocked.rejected("no", wants_factor=True)
    assert (rejected.status, rejected.session_id, rejected.reason, rejected.wants_factor) == (
        SessionStatus.REJECTED,
        None,
        "no",
        True,
    )
    assert rejected.opened("c", NOW).reason == ""
    assert rejected.ended() == SessionRecord(attempts=(NOW,), totp_step=3, last_login=NOW)


def test_what_may_be_shown_of_a_record() -> None:
    record = replace(FULL, attempts=(NOW - 1000, NOW - 1))
    assert record.state(NOW) == SessionState(SessionStatus.BLOCKED, NOW - 100, NOW - 50, 1)
