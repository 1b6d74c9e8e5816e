"""Taking, sharing, renewing, using and ending the one session."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from broker_setup import CountingStore, Team
from forked import status_of_child
from killed_tries import FileStore

from airflow_provider_quatrix import api
from airflow_provider_quatrix.api import SessionStatus
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.sessions import registry
from airflow_provider_quatrix.sessions.host import AccountFolder
from airflow_provider_quatrix.sessions.record import USE_WRITE_INTERVAL
from airflow_provider_quatrix.sessions.registry import SharedSession, forget_sessions, shared_session

if TYPE_CHECKING:
    from collections.abc import Callable


HERE = Path(__file__).parent


def in_threads(number: int, work: Callable[[], object]) -> list[object]:
    results: list[object] = []
    start = threading.Barrier(number)

    def run() -> None:
        start.wait()
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001 - looked at by the test
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_from_memory_then_store_then_login(team: Team) -> None:
    first = team.broker()
    session_id = first.acquire()
    assert team.emulator.logins == 1
    reads = team.store.reads
    assert first.acquire() == session_id
    assert team.store.reads == reads
    second = team.broker()
    assert second.acquire() == session_id
    assert team.store.reads > reads
    team.store.delete()
    third = team.broker()
    assert third.acquire() != session_id
    assert team.emulator.logins == 2


def test_what_the_store_holds_is_of_no_use_without_the_connection(team: Team) -> None:
    session_id = team.broker().acquire()
    assert session_id not in str(team.store.text)
    stranger = team.broker(password="another-password")
    assert stranger.state().status is SessionStatus.NONE
    with pytest.raises(api.QuatrixAuthenticationError):
        stranger.acquire()


def test_a_changed_password_makes_the_record_void(team: Team) -> None:
    old = team.broker().acquire()
    team.emulator.add_user(EMAIL, "changed-password")
    new = team.broker(password="changed-password").acquire()
    assert new != old
    assert team.emulator.logins == 2


def test_two_brokers_sign_in_once_threads(team: Team) -> None:
    pair = [team.broker(), team.broker()]
    turn = iter(pair * 8)
    results = in_threads(16, lambda: next(turn).acquire())
    assert len(set(results)) == 1
    assert team.emulator.logins == 1


_WORKER = """
import sys
from pathlib import Path
from killed_tries import FileStore
from airflow_provider_quatrix.api import Credentials, SessionCalls, Transport
from airflow_provider_quatrix.sessions.broker import SessionBroker
from airflow_provider_quatrix.sessions.host import AccountFolder
from airflow_provider_quatrix.sessions.cipher import RecordCipher
from airflow_provider_quatrix.sessions.shared_record import SharedRecord
url, login, password, locks, dead = sys.argv[1:]
who = Credentials(login, password)
calls = SessionCalls(Transport(url))
cipher = RecordCipher(url, who)
shared = SharedRecord(FileStore("acme"), cipher, AccountFolder(Path(locks), url, login), longest_claim=30)
broker = SessionBroker(calls, who, shared=shared, fingerprint=cipher.fingerprint)
sys.stdin.readline()
print(broker.renew(dead) if dead else broker.acquire())
broker.with_session(calls.ping)
"""


def in_processes(number: int, team: Team, dead: str = "") -> list[str]:
    command = [sys.executable, "-c", _WORKER, team.emulator.url, EMAIL, PASSWORD, str(team.folder / "host-1"), dead]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([*map(str, HERE.parents[:2]), str(HERE), os.environ.get("PYTHONPATH", "")]),
        "QUATRIX_TEST_STORE": str(team.folder),
    }
    workers = [
        subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(number)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    return [worker.communicate(timeout=60)[0].strip() for worker in workers]


def test_processes_of_a_host_sign_in_once(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUATRIX_TEST_STORE", str(team.folder))
    taken = in_processes(4, team)
    assert len(set(taken)) == 1
    assert team.emulator.logins == 1
    assert team.broker(store=FileStore("acme")).acquire() == taken[0]
    team.emulator.expire_sessions()
    renewed = in_processes(4, team, dead=taken[0])
    assert len(set(renewed)) == 1
    assert renewed[0] != taken[0]
    assert team.emulator.logins == 2


def test_an_expired_session_costs_sixteen_threads_one_login(team: Team) -> None:
    one, other = team.broker(), team.broker()
    one.acquire()
    other.acquire()
    team.emulator.expire_sessions()
    turn = iter([one, other] * 8)
    assert in_threads(16, lambda: team.client_of(next(turn)).profile().email) == [EMAIL] * 16
    assert team.emulator.logins == 2


def test_a_newer_session_of_another_host_is_adopted(team: Team) -> None:
    here, there = team.broker(), team.broker(host="host-2")
    old = here.acquire()
    team.emulator.expire_sessions()
    new = there.renew(old)
    assert team.emulator.logins == 2
    assert team.client_of(here).profile().email == EMAIL
    assert here.acquire() == new
    assert team.emulator.logins == 2


def test_a_session_ended_elsewhere_is_renewed(team: Team) -> None:
    here, there = team.broker(), team.broker()
    here.acquire()
    there.end()
    assert team.client_of(here).profile().email == EMAIL
    assert team.emulator.logins == 2


def test_only_one_renewal_per_call(team: Team) -> None:
    broker = team.broker()
    broker.acquire()
    team.emulator.fault("profile", times=None, status=401, body={"code": 70, "msg": "Not authorized"})
    with pytest.raises(api.QuatrixSessionExpired):
        team.client_of(broker).profile()
    assert team.emulator.logins == 2
    assert team.emulator.calls("GET", "profile") == 2


def test_a_lost_login_answer_leaves_the_attempt_on_the_books(team: Team) -> None:
    team.emulator.fault("session/login", cut="connection", times=None)
    with pytest.raises(api.QuatrixTransportError):
        team.broker().acquire()
    state = team.broker().state()
    assert (state.status, state.login_attempts) == (SessionStatus.NONE, 2)
    assert team.emulator.logins == 2


# Login on purpose


def test_login_uses_what_works(team: Team) -> None:
    state = team.broker().login()
    assert (state.status, state.login_attempts) == (SessionStatus.OPEN, 1)
    assert state.obtained == state.last_used
    team.advance(60)
    again = team.broker().login()
    assert again.obtained == state.obtained
    assert again.last_used == pytest.approx(team.now(), abs=5)
    assert team.emulator.logins == 1
    assert team.emulator.calls("GET", "session/keepalive") == 1


def test_login_replaces_what_has_died(team: Team) -> None:
    team.broker().login()
    team.emulator.expire_sessions()
    assert team.broker().login().login_attempts == 2
    assert team.emulator.logins == 2


# Use


def test_use_is_written_down_every_few_minutes(team: Team) -> None:
    broker = team.broker()
    team.client_of(broker).profile()
    writes = team.store.writes
    for _ in range(5):
        team.advance(USE_WRITE_INTERVAL / 6)
        team.client_of(broker).profile()
    assert team.store.writes == writes
    team.advance(USE_WRITE_INTERVAL / 2)
    team.client_of(broker).profile()
    team.client_of(broker).profile()
    assert team.store.writes == writes + 1
    assert team.record().session.last_used == pytest.approx(team.now(), abs=5)


def test_the_use_by_many_is_written_down_by_one(team: Team) -> None:
    tasks = [team.broker(host=f"host-{number % 4}") for number in range(16)]
    for broker in tasks:
        team.client_of(broker).profile()
    writes = team.store.writes
    team.advance(USE_WRITE_INTERVAL * 1.5)
    turn = iter(tasks)
    assert in_threads(16, lambda: team.client_of(next(turn)).profile().email) == [EMAIL] * 16
    assert team.store.writes == writes + 1


def test_use_of_a_session_that_others_have_replaced_changes_nothing(team: Team) -> None:
    here, there = team.broker(), team.broker(host="host-2")
    old = here.acquire()
    team.emulator.expire_sessions()
    team.client_of(there).profile()
    text = team.store.text
    team.advance(USE_WRITE_INTERVAL)
    here.used(old)
    here.used("one that nobody knows")
    assert team.store.text == text


def test_a_call_that_worked_does_not_fail_for_want_of_a_note(team: Team) -> None:
    broker = team.broker()
    team.client_of(broker).profile()
    team.advance(USE_WRITE_INTERVAL * 1.5)
    team.store.fails = True
    asked = team.store.reads
    for _ in range(3):
        assert team.client_of(broker).profile().email == EMAIL
    # Written down is tried once, not at every call.
    assert team.store.reads == asked + 1
    team.advance(USE_WRITE_INTERVAL * 1.5)
    asked = team.store.reads
    with AccountFolder(team.folder / "host-1", team.emulator.url, EMAIL).locked():
        assert team.client_of(broker).profile().email == EMAIL
    # Nor is that tried again at the next call.
    assert team.client_of(broker).profile().email == EMAIL
    assert team.store.reads == asked


def test_where_the_store_fails_the_host_remembers(team: Team) -> None:
    team.store.fails = True
    taken = {team.broker().acquire() for _ in range(3)}
    assert len(taken) == 1
    assert team.emulator.logins == 1
    team.emulator.add_user("other@example.com", "right")
    for _ in range(20):
        with pytest.raises(api.QuatrixAuthenticationError):
            team.broker(login="other@example.com", password="wrong").acquire()
    assert team.emulator.logins == 2


def test_what_a_host_remembered_reaches_the_store_once_it_works(team: Team) -> None:
    team.store.fails = True
    session_id = team.broker().acquire()
    team.store.fails = False
    team.broker().login()
    assert team.record().session.session_id == session_id
    assert team.broker(host="host-2").acquire() == session_id


def test_nothing_is_sent_where_the_attempt_cannot_be_noted(team: Team) -> None:
    team.store.fails = True
    (team.folder / "host-1").write_text("in the way")
    with pytest.raises(api.QuatrixError, match="lock_dir"):
        team.broker().acquire()
    assert team.emulator.requests == 0


# Keep and check


def test_keep_never_signs_in(team: Team) -> None:
    broker = team.broker()
    with pytest.raises(api.QuatrixSessionExpired, match="nobody has signed in"):
        broker.keep()
    assert team.emulator.requests == 0
    broker.acquire()
    team.advance(600)
    broker.keep()
    team.advance(600)
    broker.keep()
    assert team.record().session.last_used == pytest.approx(team.now(), abs=5)
    team.advance(901)
    with pytest.raises(api.QuatrixSessionExpired):
        broker.keep()
    assert team.status() is SessionStatus.NONE
    assert team.emulator.logins == 1


def test_check_signs_in_if_need_be(team: Team) -> None:
    broker = team.broker()
    broker.check()
    assert team.emulator.logins == 1
    broker.check()
    assert team.emulator.calls("GET", "session/keepalive") == 1
    team.emulator.expire_sessions()
    broker.check()
    assert team.emulator.logins == 2


# Logout


def test_logout_ends_it_for_all_and_twice_is_fine(team: Team) -> None:
    broker = team.broker()
    assert broker.end() is False
    broker.acquire()
    assert team.broker().end() is True
    assert broker.end() is False
    assert team.emulator.sessions == []
    assert team.status() is SessionStatus.NONE
    assert team.emulator.calls("GET", "session/logout") == 1


def test_logout_of_a_session_that_has_ended(team: Team) -> None:
    broker = team.broker()
    broker.acquire()
    team.emulator.expire_sessions()
    assert broker.end() is False
    assert team.status() is SessionStatus.NONE


def test_a_logout_that_fails_forgets_nothing(team: Team) -> None:
    broker = team.broker()
    broker.acquire()
    team.emulator.fault("session/logout", cut="connection", times=None)
    with pytest.raises(api.QuatrixTransportError):
        broker.end()
    assert team.status() is SessionStatus.OPEN


# Sessions of a process


def new_session(team: Team) -> SharedSession:
    broker = team.broker()
    return SharedSession(broker, team.client_of(broker))


def test_a_process_has_one_session_per_connection(team: Team) -> None:
    make = partial(new_session, team)
    one = shared_session(("a",), make)
    assert shared_session(("a",), make) is one
    assert shared_session(("b",), make) is not one
    forget_sessions()
    assert shared_session(("a",), make) is not one


def test_only_so_many_sessions_are_kept(team: Team) -> None:
    make = partial(new_session, team)
    one = shared_session(("a",), make)
    for number in range(63):
        shared_session((str(number),), lambda: one)
    assert shared_session(("a",), make) is one
    shared_session(("63",), lambda: one)
    assert len(registry._sessions) == 64
    assert ("0",) not in registry._sessions
    assert ("a",) in registry._sessions


def test_a_forked_child_has_sessions_of_its_own(team: Team) -> None:
    make = partial(new_session, team)
    kept = shared_session(("a",), make)
    kept.broker.acquire()

    def acquire() -> None:
        assert shared_session(("a",), make) is not kept

    assert status_of_child(acquire) == 0
    assert shared_session(("a",), make) is kept


def test_nothing_secret_is_shown(team: Team) -> None:
    broker = team.broker()
    session_id = broker.acquire()
    shown = f"{broker!r} {broker.state()!r} {team.client_of(broker)!r} {broker._shared.known!r} {broker._credentials!r}"
    assert [secret for secret in (session_id, PASSWORD, EMAIL) if secret in shown] == []


def test_an_own_store_is_asked_before_every_login(team: Team) -> None:
    store = CountingStore()
    broker = team.broker(store=store)
    broker.acquire()
    # The claim, the attempt, and the session.
    assert store.writes == 3
