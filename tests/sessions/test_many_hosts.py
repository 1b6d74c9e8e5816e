"""Many hosts with temporary folders of their own and one slow store without a lock: one login for all."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from broker_setup import TOTP_SECRET

from airflow_provider_quatrix.api import Credentials
from airflow_provider_quatrix.sessions.cipher import RecordCipher
from airflow_provider_quatrix.sessions.packing import unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.sessions.record import AccountRecord

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PASSWORD = "The-right-0ne"
# `make test-hosts` plays more.
ROUNDS = int(os.environ.get("QUATRIX_TEST_ROUNDS", "1"))
# More at a time would be a test of this machine's two cores.
AT_A_TIME = 6
# Hosts remember the login attempts of an account, so every round has one of its own.
_numbers = count()


class Hosts:
    """Processes that stand for hosts."""

    def __init__(self, number: int, folder: Path) -> None:
        self.number = number
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)])}
        self._processes = []
        for index in range(number):
            process = subprocess.Popen(
                [sys.executable, str(HERE / "host_worker.py"), str(folder / f"host-{index}")],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            threading.Thread(target=self._listen, args=(process,), daemon=True).start()
            self._processes.append(process)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._answers.put(json.loads(line))

    def tell(self, index: int, job: dict[str, Any]) -> None:
        stdin = self._processes[index].stdin
        assert stdin is not None
        stdin.write(json.dumps(job) + "\n")
        stdin.flush()

    def answer(self) -> dict[str, Any]:
        return self._answers.get(timeout=120)

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()


# One round shows with eight what it shows with more.
@pytest.fixture(scope="module", params=[8, 16] if ROUNDS > 1 else [8])
def hosts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    made = Hosts(request.param, tmp_path_factory.mktemp("hosts"))
    yield made
    made.close()


@dataclass(frozen=True)
class Scenario:
    """What every host does at about the same moment, and what should come of it.

    :param outcomes: of the hosts.
    :param logins: how many the service should see.
    """

    outcomes: frozenset[str]
    logins: int = 1
    passwords: tuple[str, ...] = (PASSWORD,)
    totp_secret: str | None = None
    expired: bool = False
    blocked: bool = False


OK, REFUSED = "ok", "QuatrixAuthenticationError"
SCENARIOS = {
    "empty store": Scenario(frozenset({OK})),
    "expiry": Scenario(frozenset({OK}), expired=True),
    "2FA": Scenario(frozenset({OK}), totp_secret=TOTP_SECRET),
    "blocked": Scenario(frozenset({"QuatrixCaptchaRequired"}), blocked=True),
    "wrong password": Scenario(frozenset({REFUSED}), passwords=("wrong",)),
    # One rejection and one login.
    "two passwords": Scenario(frozenset({OK, REFUSED}), logins=2, passwords=("wrong", PASSWORD)),
}


class Round:
    """One scenario with an account of its own."""

    def __init__(self, scenario: Scenario, emulator: EmulatorClient, hosts: Hosts, folder: Path) -> None:
        self.number = next(_numbers)
        self.outcomes: list[str] = []
        self._scenario = scenario
        self._emulator = emulator
        self._hosts = hosts
        self._login = f"robot-{self.number}@example.com"
        self._store = folder / f"{self.number}.record"
        self._logins_before = 0

    def begin(self) -> None:
        scenario, emulator = self._scenario, self._emulator
        emulator.add_user(self._login, PASSWORD, scenario.totp_secret)
        if scenario.expired:
            self._tell(0, at=0.0, spread=0.0)
            assert self._hosts.answer()["outcome"] == OK
            emulator.expire_sessions(self._login)
            self._logins_before = emulator.users[self._login]["logins"]
        if scenario.blocked:
            emulator.block_user(self._login)

    def go(self, at: float) -> None:
        for host in range(self._hosts.number):
            self._tell(host, at, spread=0.3)

    def _tell(self, host: int, at: float, spread: float) -> None:
        passwords = self._scenario.passwords
        job = {
            "round": self.number,
            "url": self._emulator.url,
            "login": self._login,
            "password": passwords[host % len(passwords)],
            "totp_secret": self._scenario.totp_secret,
            "store": str(self._store),
            "at": at,
            "spread": spread,
        }
        self._hosts.tell(host, job)

    def check(self) -> int:
        """Check what must never happen, and return the logins beyond the one or two that are needed."""
        scenario = self._scenario
        assert set(self.outcomes) == scenario.outcomes, self.outcomes
        who = Credentials(self._login, scenario.passwords[0], scenario.totp_secret)
        journal = self._store.with_suffix(".journal").read_text().splitlines()
        records = [unpack(line, RecordCipher(self._emulator.url, who)) for line in journal]
        for earlier, later in pairwise(records):
            assert_not_older(earlier, later)
        assert records[-1].claim is None
        excess = self._emulator.users[self._login]["logins"] - self._logins_before - scenario.logins
        assert excess <= 1
        return int(excess)


def assert_not_older(earlier: AccountRecord, later: AccountRecord) -> None:
    if earlier.session.session_id or earlier.block.since or earlier.refusals:
        assert later.epoch == earlier.epoch
    assert later.session.revision >= earlier.session.revision
    assert later.block.revision >= earlier.block.revision
    assert set(later.refusals) >= set(earlier.refusals)
    assert set(later.attempts) >= set(earlier.attempts)


def test_many_hosts_sign_in_once(quatrix_emulator: EmulatorClient, hosts: Hosts, tmp_path: Path) -> None:
    plan = [name for _ in range(ROUNDS) for name in SCENARIOS]
    excess: Counter[str] = Counter()
    for first in range(0, len(plan), AT_A_TIME):
        names = plan[first : first + AT_A_TIME]
        rounds = [Round(SCENARIOS[name], quatrix_emulator, hosts, tmp_path) for name in names]
        for one in rounds:
            one.begin()
        at = time.time() + 0.2
        for one in rounds:
            one.go(at)
        by_number = {one.number: one for one in rounds}
        for _ in range(hosts.number * len(rounds)):
            answer = hosts.answer()
            by_number[answer["round"]].outcomes.append(answer["outcome"])
        for name, one in zip(names, rounds, strict=True):
            excess[name] += one.check()
    sys.stdout.write(f"{hosts.number} hosts, {ROUNDS} rounds each; logins too many: {dict(excess)}\n")
    assert max(excess.values()) <= ROUNDS // 100
