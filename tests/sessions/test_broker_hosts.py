"""Several hosts, slow answers and clocks that differ: what one broker does while another is at work."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import forked
import pytest
from broker_setup import TOTP_SECRET, CountingStore, Team
from meanwhile import ahead_of

from airflow_provider_quatrix import api
from airflow_provider_quatrix.api import Credentials, SessionStatus
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.sessions.broker import PROBE_CLAIM
from airflow_provider_quatrix.sessions.cipher import RecordCipher
from airflow_provider_quatrix.sessions.decisions import LOGIN_LIMIT
from airflow_provider_quatrix.sessions.host import AccountFolder
from airflow_provider_quatrix.sessions.packing import unpack
from airflow_provider_quatrix.sessions.shared_record import StorePace

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.sessions.record import Claim


class Lockless(CountingStore):
    """A store as Airflow 3's Variables are."""

    lock = None  # type: ignore[assignment]


class Background:
    """Work of another host, in a thread."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.error: BaseException | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except api.QuatrixError as error:
            self.error = error

    def join(self) -> BaseException | None:
        self._thread.join()
        return self.error


def wait_for_call(team: Team, path: str, number: int = 1) -> None:
    """Wait until the emulator has got a call, whose answer a fault may hold back."""
    while sum(call["path"].endswith(path) for call in team.emulator.recent_calls) < number:
        threading.Event().wait(0.01)


def wait_for_looks(team: Team) -> None:
    """Wait until whoever waits for another's claim has looked at it again and again."""
    before = team.pauses
    while team.pauses < before + 3:
        threading.Event().wait(0.01)


def test_a_slow_answer_about_an_old_session_does_not_undo_a_newer_one(team: Team) -> None:
    here, there = team.broker(), team.broker(host="host-2")
    old = here.acquire()
    team.emulator.expire_sessions()
    team.emulator.fault("session/keepalive", delay=0.5)
    slow = Background(here.keep)
    wait_for_call(team, "session/keepalive")
    new = there.renew(old)
    assert isinstance(slow.join(), api.QuatrixSessionExpired)
    assert (team.status(), team.record().session.session_id) == (SessionStatus.OPEN, new)
    assert team.broker(host="host-3").acquire() == new
    assert team.emulator.logins == 2


def test_those_who_wait_for_a_login_that_gets_no_answer_fail_with_it(team: Team) -> None:
    """One hanging login costs six callers one time limit, and the service two requests."""
    team.emulator.fault("session/login", delay=30.0, times=None)
    tasks = [Background(team.broker(host=f"host-{number % 3}", read_timeout=1.0).acquire) for number in range(6)]
    errors = [task.join() for task in tasks]
    assert {type(error) for error in errors} == {api.QuatrixTransportError}
    assert team.emulator.logins <= 2
    assert team.record().claim is None


def test_a_login_that_is_sent_again_keeps_its_claim(team: Team) -> None:
    """Both requests together take longer than one claim lasts."""
    team.emulator.fault("session/login", delay=30.0)
    team.emulator.fault("session/login", delay=1.5)
    first = Background(team.broker(read_timeout=2.0, longest_claim=3.0).acquire)
    while team.record().claim is None:
        threading.Event().wait(0.01)
    assert team.broker(host="host-2", longest_claim=3.0).acquire() == team.record().session.session_id
    assert first.join() is None
    assert team.emulator.logins == 2


def test_no_lock_is_held_while_a_login_waits_to_be_sent_again(team: Team) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        with AccountFolder(team.folder / "host-1", team.emulator.url, EMAIL).locked(0.5):
            assert team.store.lock().acquire(timeout=0.5)
        team.store.lock().release()
        waited.append(seconds)

    team.emulator.fault("session/login", status=429, headers={"Retry-After": "7"}, body={"msg": "Too many requests"})
    assert team.broker(between_tries=wait).acquire()
    assert len(waited) == 1


def test_a_caller_waits_no_longer_than_its_patience_for_its_own_login(team: Team) -> None:
    team.emulator.fault("session/login", delay=2.5, times=None)
    with pytest.raises(api.QuatrixTransportError, match="did not answer within the time limit"):
        team.broker(patience=1.0).acquire()
    assert team.record().claim is None
    assert team.broker().acquire()


def test_a_claim_of_a_dead_process_is_waited_for_until_it_runs_out(team: Team) -> None:
    team.broker().acquire()
    team.emulator.expire_sessions()
    team.store.text = team.packed(team.record().claimed(team.claim(seconds=5)))
    broker = team.broker()
    waiting = Background(team.client_of(broker).profile)
    wait_for_looks(team)
    assert team.emulator.logins == 1
    team.ahead += 6
    assert waiting.join() is None
    assert team.emulator.logins == 2


def test_nobody_waits_for_ever_for_a_claim(team: Team) -> None:
    team.store.text = team.packed(team.record().claimed(team.claim(seconds=15)))
    with pytest.raises(api.QuatrixTransportError, match="Another task has been signing in to Quatrix for 0 s"):
        team.broker(patience=0.1).acquire()
    assert team.emulator.requests == 0


def test_a_claim_from_a_clock_that_is_ahead_is_not_waited_for_longer_than_any_other(team: Team) -> None:
    team.store.text = team.packed(team.record().claimed(team.claim(seconds=86_400)))
    assert team.broker(longest_claim=0.1).acquire()
    assert team.emulator.logins == 1


def test_a_claim_that_was_lost_sends_nothing(team: Team) -> None:
    class Overtaken(Lockless):
        def read(self) -> str | None:
            self.reads += 1
            if self.reads == 2:
                # Another host, which had not seen this claim, writes its own and signs in.
                team.store.text = None
                team.broker(host="host-2").acquire()
            return team.store.read()

        def write(self, text: str) -> None:
            team.store.write(text)

    assert team.broker(store=Overtaken()).acquire() == team.record().session.session_id
    assert team.emulator.logins == 1


def test_a_claim_settles_for_longer_than_the_store_takes(team: Team) -> None:
    class Slow(Lockless):
        def read(self) -> str | None:
            threading.Event().wait(0.2)
            return super().read()

    assert team.broker(store=Slow()).acquire()
    # A quarter of a second, and twice as long as reading has taken; once before the login, and once after.
    assert [seconds >= 0.65 for seconds in team.slept] == [True, True]


def test_a_slow_first_reading_does_not_slow_down_every_login(team: Team) -> None:
    """It pays for Airflow's imports: eight seconds in a triggerer of Airflow 3.3."""

    class Cold(Lockless):
        is_cold = True

        def read(self) -> str | None:
            if self.is_cold:
                self.is_cold = False
                threading.Event().wait(0.5)
            return super().read()

    assert team.broker(store=Cold()).acquire()
    assert [seconds < 0.6 for seconds in team.slept] == [True, True]


def test_a_slow_moment_of_the_store_is_forgotten() -> None:
    pace = StorePace()
    for seconds in (0.0, 0.4, *(0.0 for _ in range(16))):
        with pace.reading():
            threading.Event().wait(seconds)
        if seconds:
            assert pace.settle_seconds >= 1.05
    assert pace.settle_seconds < 1.05


@pytest.mark.parametrize("blocked", [False, True])
def test_an_answer_outlives_the_late_write_of_another_host(team: Team, *, blocked: bool) -> None:
    """Another host has read the record while it was claimed, and writes it back after the answer was written."""

    class Late(Lockless):
        late: str | None = None

        def write(self, text: str) -> None:
            before, self.text = self.text, text
            if team.packed_claim(text) is None and self.late is None and team.packed_claim(before) is not None:
                self.text = self.late = before

    store = Late()
    if blocked:
        team.broker(store=store).acquire()
        team.emulator.block_user(EMAIL)
        with pytest.raises(api.QuatrixCaptchaRequired):
            team.broker(store=store).check()
        store.late = None
        with pytest.raises(api.QuatrixCaptchaRequired):
            team.broker(store=store).check()
    else:
        team.broker(store=store).acquire()
    assert store.late is not None
    kept = unpack(store.text, RecordCipher(team.emulator.url, Credentials(EMAIL, PASSWORD)))
    assert kept.session.session_id is not None
    assert (kept.block.since is not None) is blocked
    if not blocked:
        assert kept.claim is None
        return
    # The claim of a look may come back. It runs out soon, and then the next look is a real one.
    assert kept.claim is not None
    assert kept.claim.until - team.now() <= PROBE_CLAIM
    team.advance(PROBE_CLAIM)
    looks = team.emulator.calls("GET", "session/keepalive")
    with pytest.raises(api.QuatrixCaptchaRequired):
        team.broker(store=store).check()
    assert team.emulator.calls("GET", "session/keepalive") == looks + 1
    assert team.packed_claim(store.text) is None


def test_a_login_stops_where_its_claim_was_taken_over(team: Team) -> None:
    """A process that was stopped for long comes back after others have given it up."""

    class Frozen(CountingStore):
        def read(self) -> str | None:
            self.reads += 1
            if self.reads == 2:
                team.store.text = team.packed(team.record().claimed(team.claim(seconds=0.5)))
            return team.store.read()

        def write(self, text: str) -> None:
            team.store.write(text)

    waiting = Background(team.broker(store=Frozen()).acquire)
    wait_for_looks(team)
    assert team.emulator.logins == 0
    team.ahead += 1
    assert waiting.join() is None
    assert team.emulator.logins == 1


# Blocks and refusals


def test_a_task_that_starts_after_a_block_was_seen_looks_for_itself(team: Team) -> None:
    broker = team.broker()
    broker.acquire()
    team.emulator.block_user(EMAIL)
    with pytest.raises(api.QuatrixCaptchaRequired):
        team.client_of(broker).profile()
    team.emulator.unblock_user(EMAIL)
    assert team.client_of(team.broker()).profile().email == EMAIL
    assert team.emulator.logins == 1


def test_a_look_at_a_block_is_over_with_its_answer(team: Team) -> None:
    """On a store without a lock a login makes sure of its claim, and of its end; a look loses nothing without that."""
    store = Lockless()
    team.broker(store=store).acquire()
    team.emulator.block_user(EMAIL)
    with pytest.raises(api.QuatrixCaptchaRequired):
        team.client_of(team.broker(store=store)).profile()
    team.advance(1)
    team.slept.clear()
    for _ in range(3):
        with pytest.raises(api.QuatrixCaptchaRequired):
            team.broker(store=store, host="host-2").acquire()
        team.advance(1)
    assert team.emulator.calls("GET", "session/keepalive") == 3
    assert team.slept == []
    assert team.packed_claim(store.text) is None
    team.emulator.unblock_user(EMAIL)
    team.broker(store=store, host="host-2").acquire()
    assert team.slept == []
    assert team.emulator.logins == 1


def test_a_look_whose_owner_dies_keeps_others_for_seconds_only(team: Team) -> None:
    team.broker().acquire()
    team.emulator.block_user(EMAIL)
    with pytest.raises(api.QuatrixCaptchaRequired):
        team.client_of(team.broker()).profile()
    team.advance(1)
    claims: list[Claim | None] = []
    looking = team.broker(longest_claim=80.0)
    with (
        ahead_of("GET /api/1.0/session/keepalive", lambda: claims.append(team.packed_claim(team.store.text))),
        pytest.raises(api.QuatrixCaptchaRequired),
    ):
        looking.acquire()
    (claim,) = claims
    assert claim is not None
    assert 0 < claim.until - team.now() <= PROBE_CLAIM


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, "<html>Please solve the CAPTCHA</html>"),
        (401, {"error": "captcha_required"}),
        (403, {"message": "Captcha required", "captcha": True}),
        (200, {"captcha_required": True, "msg": "Captcha required"}),
        (200, "<html>login page</html>"),
        (418, {"msg": "blocked"}),
        (423, {"code": 1, "msg": "account locked"}),
        (400, {"code": 10, "msg": "bad"}),
        (429, {"msg": "Captcha required"}),
        (503, {"msg": "Captcha required"}),
    ],
)
def test_a_refused_login_is_not_sent_again_by_others(team: Team, status: int, body: object) -> None:
    team.emulator.fault("session/login", status=status, body=body, times=None)
    for number in range(20):
        with pytest.raises(api.QuatrixError):
            team.broker(host=f"host-{number % 3}").acquire()
    assert team.emulator.logins == 1


def test_old_and_new_password_on_different_hosts_cost_one_rejection(team: Team) -> None:
    for number in range(12):
        with pytest.raises(api.QuatrixAuthenticationError):
            team.client_of(team.broker(host=f"host-{number % 4}", password="the-old-one")).profile()
        assert team.client_of(team.broker(host=f"host-{number % 4}")).profile().email == EMAIL
    assert team.emulator.logins == 2
    assert team.emulator.counters["rejected_logins"] == 1


def test_a_refused_code_of_one_host_does_not_close_the_session_of_another(team: Team) -> None:
    session_id = team.broker().acquire()
    fingerprint = RecordCipher(team.emulator.url, Credentials(EMAIL, PASSWORD)).fingerprint
    team.store.text = team.packed(team.record().refused(fingerprint, "a code was wrong", code_at=team.now()))
    assert team.status() is SessionStatus.OPEN
    assert team.broker(host="host-2").acquire() == session_id
    team.emulator.expire_sessions()
    team.advance(60)
    assert team.client_of(team.broker(host="host-2")).profile().email == EMAIL
    assert team.emulator.logins == 2


# Clocks


def test_a_block_seen_by_a_clock_that_is_ahead_is_asked_about(team: Team) -> None:
    team.broker().acquire()
    team.emulator.block_user(EMAIL)
    with pytest.raises(api.QuatrixCaptchaRequired):
        team.client_of(team.broker(host="host-2", skew=3600)).profile()
    team.emulator.unblock_user(EMAIL)
    team.broker().check(max_age=30.0)
    assert team.status() is SessionStatus.OPEN


@pytest.mark.parametrize("skew", [3600.0, -3600.0])
def test_hosts_with_different_clocks_share_the_budget(team: Team, skew: float) -> None:
    team.emulator.configure(login_limit=None)
    off, right = team.broker(host="host-2", skew=skew), team.broker()
    for _ in range(LOGIN_LIMIT // 2):
        team.emulator.expire_sessions()
        team.advance(1)
        team.client_of(off).profile()
    budget = LOGIN_LIMIT // 2 if skew > 0 else LOGIN_LIMIT
    for _ in range(budget):
        team.emulator.expire_sessions()
        team.advance(1)
        team.client_of(right).profile()
    team.emulator.expire_sessions()
    if skew > 0:
        with pytest.raises(api.QuatrixLoginBudgetExhausted):
            team.client_of(right).profile()


def test_a_code_that_was_wrong_because_of_the_clock_gets_one_more_try(team: Team) -> None:
    team.emulator.add_user(EMAIL, PASSWORD, totp_secret=TOTP_SECRET)
    with pytest.raises(api.QuatrixAuthenticationError, match="second factor"):
        team.broker(totp_secret=TOTP_SECRET, skew=-95.0).acquire()
    with pytest.raises(api.QuatrixAuthenticationError, match="not tried again"):
        team.broker(totp_secret=TOTP_SECRET, skew=-95.0).acquire()
    assert team.broker(totp_secret=TOTP_SECRET).acquire()


def test_a_wrong_secret_is_tried_twice_in_all(team: Team) -> None:
    team.emulator.add_user(EMAIL, PASSWORD, totp_secret=TOTP_SECRET)
    for _ in range(5):
        with pytest.raises(api.QuatrixAuthenticationError, match="second factor"):
            team.broker(totp_secret="MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK").acquire()
        team.advance(40)
    assert team.emulator.logins == 2


# Forks


# In a process of its own: the lock of a coverage measurement would itself be inherited held.
_FORKS = f"""
import sys, threading
sys.path.insert(0, {str(Path(forked.__file__).parent)!r})
from forked import status_of_child
from airflow_provider_quatrix.sessions.stores import MemoryStore
store, stop = MemoryStore("forks"), threading.Event()
def use():
    while not stop.is_set():
        store.write("text")
        store.read()
users = [threading.Thread(target=use) for _ in range(3)]
for user in users:
    user.start()
try:
    print([status_of_child(lambda: store.write("child")) for _ in range(40)])
finally:
    stop.set()
"""


def test_a_child_forked_in_the_middle_of_use_does_not_hang() -> None:
    done = subprocess.run([sys.executable, "-c", _FORKS], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == str(40 * [0]), done.stderr
