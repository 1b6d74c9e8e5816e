from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet

from airflow_provider_quatrix.api import Credentials, SessionState, SessionStatus
from airflow_provider_quatrix.sessions.cipher import RecordCipher
from airflow_provider_quatrix.sessions.decisions import (
    BLOCKED_LOGIN_INTERVAL,
    LOGIN_LIMIT,
    Step,
    may_login_while_blocked,
    next_step,
    wait_for_budget,
)
from airflow_provider_quatrix.sessions.packing import pack, unpack
from airflow_provider_quatrix.sessions.record import (
    LOGIN_WINDOW,
    USE_WRITE_INTERVAL,
    AccountRecord,
    Block,
    Claim,
    Session,
    merge,
    normalized,
    recent_attempts,
)

NOW = 1_800_000_000.0
SECRET_ID = "0b3f2a6e-7d0c-4d5e-9a51-3f6f2f0d9c11"
ALICE = Credentials("alice@example.com", "pass-word", totp_secret="JBSWY3DPEHPK3PXP", pin="12345")
CIPHER = RecordCipher("https://acme.quatrix.it", ALICE)
ME, OTHER = CIPHER.fingerprint, "another fingerprint"
FULL = (
    AccountRecord(epoch="e", attempts=(NOW - 200, NOW - 100), refunded=(NOW - 200,), totp_step=60_000_000)
    .opened(SECRET_ID, NOW - 100)
    .blocked(SECRET_ID, NOW - 10)
    .refused(OTHER, "because", wants_factor=True, code_at=NOW - 20)
    .released("nonce", "The service does not answer")
    .claimed(Claim("n", NOW + 50))
)


def spaced(number: int, newest: float = NOW) -> list[float]:
    return [newest - 10 * age for age in range(number)]


# The budget


def test_attempts_count_for_fifteen_minutes_and_each_once() -> None:
    moments = [NOW, NOW - LOGIN_WINDOW, NOW - LOGIN_WINDOW + 0.001, NOW - 5, NOW - 5]
    assert recent_attempts(moments, NOW) == (NOW - LOGIN_WINDOW + 0.001, NOW - 5, NOW)


def test_an_attempt_of_the_future_counts_as_one_of_now_and_nonsense_does_not() -> None:
    assert recent_attempts([NOW + 3600, float("nan"), float("-inf")], NOW) == (NOW,)


def test_an_attempt_that_never_arrived_does_not_count() -> None:
    assert FULL.counted == (NOW - 100,)
    assert AccountRecord().attempted(NOW).refund(NOW).counted == ()


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
    ("session_id", "attempts", "allowed"),
    [
        (None, (), True),
        (None, (NOW - BLOCKED_LOGIN_INTERVAL,), True),
        (None, (NOW - BLOCKED_LOGIN_INTERVAL + 1,), False),
        ("id", (), False),
        ("id", (NOW - 10_000,), False),
    ],
)
def test_when_a_blocked_account_may_be_tried_with_a_login(
    session_id: str | None, attempts: tuple[float, ...], allowed: bool
) -> None:
    record = AccountRecord(session=Session(session_id), block=Block(NOW - 999), attempts=attempts)
    assert may_login_while_blocked(record, NOW) is allowed


# What to do

OPEN = AccountRecord().opened("id", NOW)
BLOCKED = OPEN.blocked("id", NOW - 10)
CLAIM = Claim("n", NOW + 60)


@pytest.mark.parametrize(
    ("record", "settings", "step"),
    [
        (AccountRecord(), {}, Step.SIGN_IN),
        (AccountRecord().claimed(CLAIM), {}, Step.WAIT),
        (AccountRecord(attempts=tuple(spaced(LOGIN_LIMIT))), {}, Step.NO_BUDGET),
        (OPEN, {}, Step.USE),
        (OPEN.claimed(CLAIM), {}, Step.USE),
        (OPEN, {"dead": "another"}, Step.USE),
        (OPEN, {"dead": "id"}, Step.SIGN_IN),
        (OPEN.refused(ME, "no"), {}, Step.USE),
        (OPEN.refused(ME, "no"), {"dead": "id"}, Step.REFUSED),
        (AccountRecord().refused(ME, "no"), {}, Step.REFUSED),
        (AccountRecord().refused(ME, "no").claimed(CLAIM), {}, Step.REFUSED),
        (AccountRecord().refused(ME, "no").forgiven(ME), {}, Step.SIGN_IN),
        (AccountRecord().refused(ME, "no"), {"has_code": True}, Step.REFUSED),
        (AccountRecord().refused(ME, "no", wants_factor=True), {}, Step.REFUSED),
        (AccountRecord().refused(ME, "no", wants_factor=True), {"has_code": True}, Step.SIGN_IN),
        (AccountRecord().refused(OTHER, "no"), {}, Step.SIGN_IN),
        (AccountRecord().refused(ME, "no", code_at=NOW - 29), {}, Step.REFUSED),
        (AccountRecord().refused(ME, "no", code_at=NOW - 30), {}, Step.SIGN_IN),
        (AccountRecord().refused(ME, "", code_at=NOW - 60).refused(ME, "", code_at=NOW - 30), {}, Step.REFUSED),
        (BLOCKED, {"believe_since": NOW - 10}, Step.BLOCKED),
        (BLOCKED, {"believe_since": NOW - 9}, Step.PROBE),
        (BLOCKED.claimed(CLAIM), {"believe_since": NOW - 9}, Step.WAIT),
        (BLOCKED.claimed(CLAIM), {"believe_since": NOW - 10}, Step.BLOCKED),
        (OPEN.blocked("id", NOW + 3600), {"believe_since": NOW - 9}, Step.PROBE),
        (AccountRecord().blocked(None, NOW - 10), {"believe_since": NOW}, Step.SIGN_IN),
        (AccountRecord(attempts=(NOW - 299,)).blocked(None, NOW - 10), {"believe_since": NOW}, Step.BLOCKED),
        (AccountRecord(attempts=(NOW - 300,)).blocked(None, NOW - 10), {"believe_since": NOW}, Step.SIGN_IN),
        (OPEN.blocked("id", NOW - 10).opened("id", NOW), {}, Step.USE),
    ],
)
def test_what_a_caller_does(record: AccountRecord, settings: dict[str, Any], step: Step) -> None:
    assert next_step(record, ME, NOW, **({"believe_since": NOW} | settings)) is step


# Changes


def test_the_life_of_a_session() -> None:
    opened = AccountRecord(attempts=(NOW,), totp_step=3).opened("a", NOW)
    assert opened.session == Session("a", NOW, NOW, 1)
    assert opened.used("a", NOW + USE_WRITE_INTERVAL - 1) is opened
    assert opened.used("b", NOW + USE_WRITE_INTERVAL) is opened
    used = opened.used("a", NOW + USE_WRITE_INTERVAL)
    assert (used.session.obtained, used.session.last_used) == (NOW, NOW + USE_WRITE_INTERVAL)
    again = used.opened("b", NOW + 300)
    assert (again.session.obtained, again.usable) == (NOW + 300, "b")
    assert again.ended("a") is again
    assert again.ended(None) is again
    ended = again.ended("b")
    assert (ended.usable, ended.attempts, ended.totp_step) == (None, (NOW,), 3)


def test_the_life_of_a_block() -> None:
    blocked = OPEN.blocked("id", NOW + 5, "reason")
    assert (blocked.block.since, blocked.block.seen, blocked.block.reason) == (NOW + 5, NOW + 5, "reason")
    assert (blocked.usable, blocked.session) == (None, OPEN.session)
    later = blocked.blocked("id", NOW + 9)
    assert (later.block.since, later.block.seen) == (NOW + 5, NOW + 9)
    assert later.seen_blocked(NOW + 11).block.seen == NOW + 11
    assert later.blocked("other", NOW + 12).session.session_id == "other"
    assert later.worked("id", NOW + 8) is later
    assert later.worked("other", NOW + 10) is later
    assert later.worked("id", NOW + 10).usable == "id"
    assert later.freed().usable == "id"
    assert later.opened("new", NOW + 20).usable == "new"


def test_a_claim_is_released_by_its_owner_only() -> None:
    claimed = AccountRecord().claimed(CLAIM)
    assert claimed.released("other") is claimed
    assert claimed.released("n").claim is None
    failed = claimed.released("n", "no answer")
    assert (failed.claim, failed.failure.nonce, failed.failure.message) == (None, "n", "no answer")


def test_a_login_that_works_forgets_a_refusal() -> None:
    record = AccountRecord().refused(ME, "no").opened("id", NOW).ended("id")
    assert record.refusal(ME, NOW) is None
    assert AccountRecord().forgiven(ME) == AccountRecord()


def test_what_may_be_shown_of_a_record() -> None:
    record = replace(FULL, attempts=(NOW - 1000, NOW - 1), refunded=())
    assert record.state(ME, NOW) == SessionState(SessionStatus.BLOCKED, NOW - 100, NOW - 100, 1)
    assert AccountRecord().status(ME, NOW) is SessionStatus.NONE
    assert AccountRecord().refused(ME, "no").status(ME, NOW) is SessionStatus.REJECTED
    assert OPEN.refused(ME, "no").status(ME, NOW) is SessionStatus.OPEN


# Two readings of one account


def test_nothing_newer_is_lost_to_something_older() -> None:
    old = AccountRecord(epoch="e", attempts=(1.0,), totp_step=5).opened("a", NOW).refused("x", "no")
    new = old.opened("b", NOW).blocked("b", NOW).refused("y", "no").attempted(2.0)
    for stored, known in ((old, new), (new, old)):
        united = merge(stored, known)
        assert (united.session, united.block, united.refusals) == (new.session, new.block, new.refusals)
        assert (united.attempts, united.totp_step, united.revision) == ((1.0, 2.0), 5, new.revision)


def test_parts_written_at_the_same_time_are_united() -> None:
    start = AccountRecord(epoch="e").opened("a", NOW)
    here, there = start.refused("x", "no").sent_code(8), start.blocked("a", NOW).sent_code(7)
    for stored, known in ((here, there), (there, here)):
        united = merge(stored, known)
        assert (united.block, united.refusals, united.totp_step) == (there.block, here.refusals, 8)


def test_the_claim_that_is_stored_stands() -> None:
    start = AccountRecord(epoch="e")
    mine, theirs = start.claimed(Claim("mine", NOW)), start.claimed(Claim("theirs", NOW))
    assert merge(theirs, mine).claim == Claim("theirs", NOW)
    assert merge(start, mine).claim is None


def test_of_a_deleted_record_only_attempts_and_codes_are_remembered() -> None:
    known = AccountRecord(epoch="old", attempts=(1.0,), refunded=(1.0,), totp_step=5).opened("a", NOW).refused(ME, "no")
    for stored in (AccountRecord(), AccountRecord(epoch="new").opened("b", NOW)):
        united = merge(stored, known)
        assert united == replace(stored, attempts=(1.0,), refunded=(1.0,), totp_step=5)


def test_sessions_of_other_credentials_are_kept() -> None:
    one = AccountRecord(epoch="e", revision=9, others={"x": (3, "old"), "y": (4, "y")})
    other = AccountRecord(epoch="e", revision=9, others={"x": (5, "new"), "z": (6, "z")})
    assert merge(one, other).others == {"x": (5, "new"), "y": (4, "y"), "z": (6, "z")}


def test_times_of_other_clocks_make_sense_here() -> None:
    record = AccountRecord(
        attempts=(NOW - 4 * LOGIN_WINDOW, NOW - LOGIN_WINDOW, NOW + 3600, NOW + 3601, NOW + 3602),
        refunded=(NOW - 4 * LOGIN_WINDOW, NOW - LOGIN_WINDOW, NOW + 3602),
        claim=Claim("n", NOW + 9999),
    )
    here = normalized(record, NOW, 60.0)
    assert here.attempts == (NOW - LOGIN_WINDOW, NOW - 0.001, NOW)
    assert here.refunded == (NOW - LOGIN_WINDOW,)
    assert here.claim == Claim("n", NOW + 60)
    assert normalized(here, NOW + 60, 60.0).claim is None


def test_nothing_is_kept_for_ever() -> None:
    record = AccountRecord(
        attempts=tuple(NOW - age for age in range(100, 0, -1)),
        others={str(number): (number, "") for number in range(10)},
    )
    for number in range(40):
        record = record.refused(str(number), "no")
    kept = normalized(record, NOW, 60.0)
    assert kept.attempts == record.attempts[-64:]
    assert list(kept.refusals) == [str(number) for number in range(24, 40)]
    assert list(kept.others) == ["7", "8", "9"]


# As text


def test_a_record_survives_packing() -> None:
    assert unpack(pack(FULL, CIPHER), CIPHER) == FULL
    assert unpack(pack(AccountRecord(), CIPHER), CIPHER) == AccountRecord()


def test_what_is_packed_shows_nothing_secret() -> None:
    text = pack(FULL, CIPHER)
    assert [secret for secret in (SECRET_ID, "alice", "pass-word", "12345", "JBSWY3") if secret in text] == []
    assert SECRET_ID not in repr(FULL)


@pytest.mark.parametrize(
    "other",
    [
        RecordCipher("https://other.quatrix.it", ALICE),
        RecordCipher("https://acme.quatrix.it", replace(ALICE, login="bob@example.com")),
        RecordCipher("https://acme.quatrix.it", replace(ALICE, password="pass-word2")),
        RecordCipher("https://acme.quatrix.it", replace(ALICE, totp_secret="JBSWY3DPEHPK3PXA")),
        RecordCipher("https://acme.quatrix.it", replace(ALICE, totp_secret=None)),
        RecordCipher("https://acme.quatrix.it", replace(ALICE, pin="12346")),
        RecordCipher("https://acme.quatrix.it", replace(ALICE, pin=None)),
    ],
)
def test_other_credentials_read_all_but_the_session(other: RecordCipher) -> None:
    text = pack(FULL, CIPHER)
    record = unpack(text, other)
    assert record == replace(FULL, session=Session(), others=record.others)
    assert list(record.others) == [ME]
    assert other.fingerprint != ME
    mine = record.opened("mine", NOW)
    both = pack(mine, other)
    assert unpack(both, other).session == mine.session
    assert unpack(both, CIPHER).session == FULL.session


def test_a_password_takes_100_000_steps_to_try() -> None:
    material = json.dumps(["https://acme.quatrix.it", ALICE.login, ALICE.password, ALICE.totp_secret, ALICE.pin])
    purpose = b"airflow-provider-quatrix session record 2"
    slow = hashlib.pbkdf2_hmac("sha256", material.encode(), purpose, 100_000)
    first = hmac.digest(slow, purpose + b"\x01", "sha256")
    second = hmac.digest(slow, first + purpose + b"\x02", "sha256")
    assert second[:16].hex() == ME
    assert Fernet(base64.urlsafe_b64encode(first)).decrypt(CIPHER.encrypt("x").encode()) == b"x"


def test_the_same_credentials_have_the_same_key() -> None:
    again = RecordCipher("https://acme.quatrix.it", replace(ALICE, login="ALICE@example.com"))
    assert again.fingerprint == ME
    assert unpack(pack(FULL, CIPHER), again) == FULL
    assert [secret for secret in (ME, "pass-word") if secret in repr(CIPHER)] == []
    assert CIPHER.encrypt("x") != CIPHER.encrypt("x")


@pytest.mark.parametrize(
    "encrypted", ["", "x", "gAAAAA", "\u00fc", pytest.param(CIPHER.encrypt("x")[:-4], id="cut short"), "\ud800"]
)
def test_what_is_not_encrypted_is_nothing(encrypted: str) -> None:
    assert CIPHER.decrypt(encrypted) is None


@pytest.mark.parametrize(
    "text", [None, "", "nonsense", "[]", "7", "null", '"text"', "{}", '{"version": 2}', '{"version": 1}', "[" * 100_000]
)
def test_garbage_is_an_empty_record(text: str | None) -> None:
    assert unpack(text, CIPHER) == AccountRecord()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attempts", None),
        ("attempts", ["x"]),
        ("attempts", [10**400]),
        ("totp_step", "x"),
        ("totp_step", float("inf")),
        ("revision", None),
        ("block", {"since": "x", "seen": 1, "reason": "", "revision": 1}),
        ("block", {"since": float("inf"), "seen": 1, "reason": "", "revision": 1}),
        ("block", {"since": 1, "seen": 1, "reason": "", "revision": 1, "made_by_a_later_version": 1}),
        ("refusals", {"x": []}),
        ("refusals", 7),
        ("claim", {"nonce": 7, "until": 1}),
        ("sessions", {"x": ["y", 1]}),
        ("sessions", []),
    ],
)
def test_a_member_of_the_wrong_type_makes_an_empty_record(name: str, value: object) -> None:
    members = json.loads(pack(FULL, CIPHER))
    assert name in members
    assert unpack(json.dumps(members | {name: value}), CIPHER) == AccountRecord()


def test_moments_that_are_no_numbers_are_left_out() -> None:
    members = json.loads(pack(AccountRecord(epoch="e"), CIPHER)) | {"attempts": [1.0, float("inf"), float("nan")]}
    assert unpack(json.dumps(members), CIPHER).attempts == (1.0,)
