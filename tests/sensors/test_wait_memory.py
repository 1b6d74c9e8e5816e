from __future__ import annotations

import sqlite3
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from dag_runs import LOOK_INTERVAL, new_dag, run

from airflow_provider_quatrix.api import QuatrixApiError
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.hooks.waiting import Watch
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.sensors.captcha import QuatrixCaptchaSensor
from airflow_provider_quatrix.sensors.memory import PREFIX, WaitMemory
from airflow_provider_quatrix.sessions.stores import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_quatrix.emulator.client import EmulatorClient

DOWN = QuatrixApiError(503, None, "down")


def down() -> bool:
    raise DOWN


def up() -> bool:
    return True


def poll(store: MemoryStore, ask: Any, *, attempt: int = 1, max_failures: int = 3) -> bool | None:
    """Look as a process does that was started for this look only."""
    return Watch("acme", 60.0, max_failures=max_failures, memory=WaitMemory(store, attempt)).poll(ask)


def test_failures_are_counted_from_process_to_process() -> None:
    store = MemoryStore("a")
    assert poll(store, down) is None
    assert poll(store, down) is None
    with pytest.raises(AirflowException, match="Waiting ends after 3 failures in a row: down"):
        poll(store, down)


def test_a_look_that_works_leaves_nothing_behind() -> None:
    store = MemoryStore("a")
    poll(store, down)
    assert store.read() is not None
    assert poll(store, up) is True
    assert store.read() is None


def test_each_sensor_counts_for_itself() -> None:
    ours, theirs = MemoryStore("a"), MemoryStore("b")
    for _ in range(2):
        poll(ours, down)
        poll(theirs, up)
    # The first failed look of another is its first, and another's success is none of ours.
    assert poll(theirs, down) is None
    with pytest.raises(AirflowException):
        poll(ours, down)


def test_each_try_counts_anew() -> None:
    store = MemoryStore("a")
    for _ in range(2):
        poll(store, down)
    # A try that was killed leaves its count behind.
    assert poll(store, up, attempt=2) is True
    assert store.read() is None
    for _ in range(2):
        poll(store, down, attempt=2)
    for _ in range(2):
        assert poll(store, down, attempt=3) is None


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", "null", '{"try": 1}', '{"try": 1, "kept": 7}'])
def test_garbage_is_forgotten(text: str) -> None:
    store = MemoryStore("a")
    store.write(text)
    assert WaitMemory(store, 1).get("failures") is None
    assert store.read() is None


def test_an_odd_count_is_none() -> None:
    store = MemoryStore("a")
    store.write('{"try": 1, "kept": {"failures": "many"}}')
    assert poll(store, down) is None


def test_a_first_poll_reads_nothing() -> None:
    class Unreadable(MemoryStore):
        def read(self) -> str | None:
            raise AssertionError("read")

    memory = WaitMemory(Unreadable("a"), 1, empty=True)
    memory.keep(failures=0)
    memory.forget()


def test_task_instances_are_told_apart() -> None:
    first: dict[str, Any] = {"dag_id": "d", "task_id": "t", "run_id": "r", "map_index": -1, "try_number": 2}
    names = {
        WaitMemory.of(SimpleNamespace(**first | change), first_poll=True)._store.name  # type: ignore[attr-defined]
        for change in ({}, {"dag_id": "e"}, {"task_id": "u"}, {"run_id": "s"}, {"map_index": 0}, {"try_number": 3})
    }
    assert len(names) == 5
    assert all(name.startswith(PREFIX) and len(name) < 100 for name in names)


# In a real Airflow


def kept(database: Path) -> list[str]:
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM variable WHERE key LIKE ?", (f"{PREFIX}%",))]


def outage(emulator: EmulatorClient, times: int | None) -> None:
    # A 408 that is no JSON: the transport does not repeat it, so that one look is one call.
    emulator.fault("session/login", status=408, body="<html>down for maintenance</html>", times=times)


def then_refused(emulator: EmulatorClient) -> None:
    emulator.add_user(EMAIL, PASSWORD + "-changed")
    outage(emulator, 1)


@pytest.mark.parametrize(
    ("given", "arguments", "state"),
    [
        (lambda emulator: outage(emulator, 1), {}, "success"),
        (lambda emulator: outage(emulator, None), {"max_failures": 2}, "failed"),
        (lambda emulator: outage(emulator, None), {"timeout": 0.5}, "failed"),
        (lambda emulator: outage(emulator, None), {"timeout": 0.5, "soft_fail": True}, "skipped"),
        (then_refused, {}, "failed"),
    ],
    ids=["success", "too many failures", "timeout", "skipped", "refused"],
)
@pytest.mark.usefixtures("quatrix_connection")
def test_nothing_is_left_behind_when_waiting_is_over(
    given: Callable[[EmulatorClient], None],
    arguments: dict[str, Any],
    state: str,
    quatrix_emulator: EmulatorClient,
    airflow_db: Path,
) -> None:
    given(quatrix_emulator)
    remembered: list[int] = []

    class Sensor(QuatrixCaptchaSensor):
        def poke(self, context: Context) -> Any:
            try:
                return super().poke(context)
            finally:
                remembered.append(len(kept(airflow_db)))

    with new_dag() as dag:
        Sensor(task_id="gate", poke_interval=1, mode="reschedule", **arguments)
    assert run(dag).states == {"gate": state}
    assert max(remembered) == 1
    assert kept(airflow_db) == []


class Recording(QuatrixCaptchaSensor):
    """Notes how old what others saw may be at each of its looks."""

    ages: list[float]

    def poll(self) -> bool:
        self.ages.append(self.max_age)
        return len(self.ages) == 3


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
@pytest.mark.usefixtures("airflow_db", "quatrix_connection")
def test_only_the_first_poll_of_a_task_has_to_be_a_real_one(mode: str) -> None:
    ages: list[float] = []
    with new_dag() as dag:
        type("Own", (Recording,), {"ages": ages})(task_id="gate", poke_interval=1, mode=mode)
    assert run(dag).state == "success"
    assert ages == [0.0, LOOK_INTERVAL / 2, LOOK_INTERVAL / 2]


@pytest.mark.usefixtures("quatrix_connection")
def test_a_block_that_is_over_when_the_task_begins_is_not_believed(
    quatrix_emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__QUATRIX__SESSION_STORE", "memory")
    QuatrixHook().get_conn()
    quatrix_emulator.block_user(EMAIL)
    assert QuatrixHook().captcha_blocked()
    quatrix_emulator.unblock_user(EMAIL)
    with new_dag():
        sensor = QuatrixCaptchaSensor(task_id="gate", poke_interval=3600)
    assert sensor.poke({}) is True
    assert quatrix_emulator.logins == 1
