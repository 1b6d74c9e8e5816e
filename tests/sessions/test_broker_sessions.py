"""Taking, sharing, renewing, using and ending the one session."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from broker_setup import CountingStore, FileStore, Team

from airflow_provider_quatrix import api
from airflow_provider_quatrix.api import SessionStatus
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.sessions import broker as brokers
from airflow_provider_quatrix.sessions.broker import SessionBroker, forget_brokers, shared_broker
from airflow_provider_quatrix.sessions.record import USE_WRITE_INTERVAL

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


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
    session_id = first.take()
    assert team.emulator.logins == 1
    reads = team.store.reads
    assert first.take() == session_id
    assert team.store.reads == reads
    second = team.broker()
    assert second.take() == session_id
    assert team.store.reads > reads
    team.store.delete()
    third = team.broker()
    assert third.take() != session_id
    assert team.emulator.logins == 2


def test_what_the_store_holds_is_of_no_use_without_the_connection(team: Team) -> None:
    session_id = team.broker().take()
    assert session_id not in str(team.store.text)
    stranger = team.broker(password="another-password")
    assert stranger.state().status is SessionStatus.NONE
    with pytest.raises(api.QuatrixAuthenticationError):
        stranger.take()


def test_a_changed_password_makes_the_record_void(team: Team) -> None:
    old = team.broker().take()
    team.emulator.add_user(EMAIL, "changed-password")
    new = team.broker(password="changed-password").take()
    assert new != old
    assert team.emulator.logins == 2


def test_two_brokers_sign_in_once_threads(team: Team) -> None:
    pair = [team.broker(), team.broker()]
    turn = iter(pair * 8)
    results = in_threads(16, lambda: next(turn).take())
    assert len(set(results)) == 1
    assert team.emulator.logins == 1


_WORKER = """
import sys
from pathlib import Path
from broker_setup import FileStore
from airflow_provider_quatrix.api import Credentials, QuatrixClient, Transport
from airflow_provider_quatrix.sessions.broker import SessionBroker
from airflow_provider_quatrix.sessions.ledger import HostLedger
from airflow_provider_quatrix.sessions.seal import Seal
url, login, password, locks, dead = sys.argv[1:]
who = Credentials(login, password)
client = QuatrixClient(Transport(url))
client.session = SessionBroker(client, who, store=FileStore("acme"), seal=Seal(url, who),
                               ledger=HostLedger(Path(locks), url, login))
sys.stdin.readline()
print(client.session.renew(dead) if dead else client.session.take())
client.keepalive()
"""


def in_processes(number: int, team: Team, dead: str = "") -> list[str]:
    command = [sys.executable, "-c", _WORKER, team.emulator.url, EMAIL, PASSWORD, str(team.folder / "host-1"), dead]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", ""), str(ROOT)]),
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
    assert team.broker(store=FileStore("acme")).take() == taken[0]
    team.emulator.expire_sessions()
    renewed = in_processes(4, team, dead=taken[0])
    assert len(set(renewed)) == 1
    assert renewed[0] != taken[0]
    assert team.emulator.logins == 2


def test_an_expired_session_costs_sixteen_threads_one_login(team: Team) -> None:
    one, other = team.broker(), team.broker()
    one.take()
    other.take()
    team.emulator.expire_sessions()
    turn = iter([one, other] * 8)
    assert in_threads(16, lambda: next(turn).client.profile().email) == [EMAIL] * 16
    assert team.emulator.logins == 2


def test_a_newer_session_of_another_host_is_adopted(team: Team) -> None:
    here, there = team.broker(), team.broker(host="host-2")
    old = here.take()
    team.emulator.expire_sessions()
    new = there.renew(old)
    assert team.emulator.logins == 2
    assert here.client.profile().email == EMAIL
    assert here.take() == new
    assert team.emulator.logins == 2


def test_a_session_ended_elsewhere_is_renewed(team: Team) -> None:
    here, there = team.broker(), team.broker()
    here.take()
    there.end()
    assert here.client.profile().email == EMAIL
    assert team.emulator.logins == 2


def test_only_one_renewal_per_call(team: Team) -> None:
    broker = team.broker()
    broker.take()
    team.emulator.fault("profile", times=None, status=401, body={"code": 70, "msg": "Not authorized"})
    with pytest.raises(api.QuatrixSessionExpired):
        broker.client.profile()
    assert team.emulator.logins == 2
    assert team.emulator.calls("GET", "profile") == 2


def test_a_lost_login_answer_leaves_the_attempt_on_the_books(team: Team) -> None:
    team.emulator.fault("session/login", cut="connection", times=None)
    with pytest.raises(api.QuatrixTransportError):
        team.broker().take()
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
    broker.client.profile()
    writes = team.store.writes
    for _ in range(5):
        team.advance(USE_WRITE_INTERVAL / 6)
        broker.client.profile()
    assert team.store.writes == writes
    team.advance(USE_WRITE_INTERVAL / 6)
    broker.client.profile()
    broker.client.profile()
    assert team.store.writes == writes + 1
    assert team.record().last_used == pytest.approx(team.now(), abs=5)


def test_use_of_a_session_that_others_have_replaced_changes_nothing(team: Team) -> None:
    here, there = team.broker(), team.broker(host="host-2")
    old = here.take()
    team.emulator.expire_sessions()
    there.client.profile()
    text = team.store.text
    team.advance(USE_WRITE_INTERVAL)
    here.used(old)
    here.used("one that nobody knows")
    assert team.store.text == text


def test_a_call_that_worked_does_not_fail_for_want_of_a_note(team: Team) -> None:
    broker = team.broker()
    broker.client.profile()
    team.advance(USE_WRITE_INTERVAL)
    team.store.fails = True
    assert broker.client.profile().email == EMAIL
    team.advance(USE_WRITE_INTERVAL)
    with broker._ledger.locked():
        assert broker.client.profile().email == EMAIL


def test_nothing_is_sent_where_the_attempt_cannot_be_noted(team: Team) -> None:
    team.store.fails = True
    with pytest.raises(ConnectionError):
        team.broker().take()
    assert team.emulator.requests == 0


# Keep and check


def test_keep_never_signs_in(team: Team) -> None:
    broker = team.broker()
    with pytest.raises(api.QuatrixSessionExpired, match="nobody has signed in"):
        broker.keep()
    assert team.emulator.requests == 0
    broker.take()
    team.advance(600)
    broker.keep()
    team.advance(600)
    broker.keep()
    assert team.record().last_used == pytest.approx(team.now(), abs=5)
    team.advance(901)
    with pytest.raises(api.QuatrixSessionExpired):
        broker.keep()
    assert team.record().status is SessionStatus.NONE
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
    broker.take()
    assert team.broker().end() is True
    assert broker.end() is False
    assert team.emulator.sessions == []
    assert team.record().status is SessionStatus.NONE
    assert team.emulator.calls("GET", "session/logout") == 1


def test_logout_of_a_session_that_has_ended(team: Team) -> None:
    broker = team.broker()
    broker.take()
    team.emulator.expire_sessions()
    assert broker.end() is False
    assert team.record().status is SessionStatus.NONE


def test_a_logout_that_fails_forgets_nothing(team: Team) -> None:
    broker = team.broker()
    broker.take()
    team.emulator.fault("session/logout", cut="connection", times=None)
    with pytest.raises(api.QuatrixTransportError):
        broker.end()
    assert team.record().status is SessionStatus.OPEN


# Brokers of a process


def test_a_process_has_one_broker_per_connection(team: Team) -> None:
    one = shared_broker(("a",), team.broker)
    assert shared_broker(("a",), team.broker) is one
    assert shared_broker(("b",), team.broker) is not one
    forget_brokers()
    assert shared_broker(("a",), team.broker) is not one


def test_only_so_many_brokers_are_kept(team: Team) -> None:
    one = shared_broker(("a",), team.broker)
    for number in range(63):
        shared_broker((str(number),), lambda: one)
    assert shared_broker(("a",), team.broker) is one
    shared_broker(("63",), lambda: one)
    assert len(brokers._brokers) == 64
    assert ("0",) not in brokers._brokers
    assert ("a",) in brokers._brokers


def test_a_forked_child_has_brokers_of_its_own(team: Team) -> None:
    kept = shared_broker(("a",), team.broker)
    kept.take()
    child = os.fork()
    if child == 0:  # pragma: no cover - in a process that is not measured
        made: list[SessionBroker] = []
        shared_broker(("a",), lambda: made.append(team.broker()) or made[0])
        os._exit(0 if made else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert shared_broker(("a",), team.broker) is kept


def test_nothing_secret_is_shown(team: Team) -> None:
    broker = team.broker()
    session_id = broker.take()
    shown = f"{broker!r} {broker.state()!r} {broker.client!r} {broker._memory!r} {broker._credentials!r}"
    assert [secret for secret in (session_id, PASSWORD, EMAIL) if secret in shown] == []


def test_an_own_store_is_asked_before_every_login(team: Team) -> None:
    store = CountingStore()
    broker = team.broker(store=store)
    broker.take()
    assert store.writes == 2
