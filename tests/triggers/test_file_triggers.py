from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from airflow.triggers.base import TaskSuccessEvent, TriggerEvent

from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.triggers.files import QuatrixFileTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.emulator.handle import EmulatorHandle
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

LISTING = ("GET", "file/metadata/{id}")


def watching(path: str, **arguments: Any) -> QuatrixFileTrigger:
    return QuatrixFileTrigger("quatrix_default", path, **{"poll_interval": 1.0} | arguments)


def run(*triggers: QuatrixFileTrigger, meanwhile: Callable[[], None] | None = None) -> list[TriggerEvent]:
    """Run triggers in one event loop, as a triggerer does."""

    async def fire(trigger: QuatrixFileTrigger) -> TriggerEvent:
        (event,) = [event async for event in trigger.run()]
        return event

    async def together() -> list[TriggerEvent]:
        async with asyncio.timeout(60):
            waiting = asyncio.gather(*(fire(trigger) for trigger in triggers))
            if meanwhile is not None:
                await asyncio.to_thread(meanwhile)
            return await waiting

    return asyncio.run(together())


def paths(event: TriggerEvent) -> list[str]:
    return [entry["path"] for entry in event.payload["found"]]


def after_listings(emulator: EmulatorHandle, number: int, then: Callable[[], Any]) -> Callable[[], None]:
    def wait() -> None:
        ends = time.monotonic() + 30
        while emulator.calls(*LISTING) < number:
            assert time.monotonic() < ends
            time.sleep(0.05)
        then()

    return wait


def test_200_triggers_on_one_folder_cost_one_listing_per_interval(quatrix_emulator: EmulatorHandle) -> None:
    quatrix_emulator.make_folder(EMAIL, "/in")
    names = [f"{number:03}.csv" for number in range(100)]
    triggers = [watching(f"/in/{name}") for name in names] + [
        watching(f"/in/{number:02}?.csv", min_size=number) for number in range(1, 11) for _ in range(10)
    ]

    def arrive() -> None:
        quatrix_emulator.put_files(EMAIL, [{"path": f"/in/{name}", "size": 50} for name in [*names, "100.csv"]])

    events = run(*triggers, meanwhile=after_listings(quatrix_emulator, 3, arrive))
    assert [paths(event) for event in events[:100]] == [[f"/in/{name}"] for name in names]
    assert [len(paths(event)) for event in events[100:]] == [10] * 90 + [1] * 10
    # Three without the files, one with them; another may slip in before they are there.
    assert quatrix_emulator.calls(*LISTING) in (4, 5)
    assert quatrix_emulator.calls("POST", "file/id") == 1
    assert quatrix_emulator.logins == 1


def test_what_is_watched_decides_who_shares(quatrix_connection: QuatrixConnection) -> None:
    quatrix_connection(conn_id="quatrix_other")
    keys = {
        trigger.key()
        for trigger in (
            watching("/in/a.csv"),
            watching("in//b.csv", min_age=7.0, poll_interval=9.0, ends_task=True),
            watching("/in/*.csv", newer_than=1.0, min_size=3),
        )
    }
    assert len(keys) == 1
    others = {
        watching("/in/**/*.csv").key(),
        watching("/in/*/a.csv").key(),
        watching("/other/*.csv").key(),
        QuatrixFileTrigger("quatrix_other", "/in/*.csv").key(),
    }
    assert len(keys | others) == 5


def test_a_trigger_that_is_built_anew_waits_for_the_same(quatrix_emulator: EmulatorHandle) -> None:
    trigger = watching("/in/*", newer_than=1.5, min_size=2, min_age=3.0, max_failures=4)
    classpath, arguments = trigger.serialize()
    assert classpath == "airflow_provider_quatrix.triggers.files.QuatrixFileTrigger"
    again = QuatrixFileTrigger(**arguments)
    assert (again.wanted, again.serialize()) == (trigger.wanted, trigger.serialize())
    assert quatrix_emulator.requests == 0


def test_a_task_ends_from_here_where_nobody_wants_its_result(quatrix_emulator: EmulatorHandle) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    wanted, unwanted = run(watching("/in/*"), watching("/in/*", ends_task=True))
    assert type(wanted) is TriggerEvent
    assert paths(wanted) == ["/in/a.csv"]
    assert type(unwanted) is TaskSuccessEvent


def test_a_missing_permission_ends_waiting_at_once(quatrix_emulator: EmulatorHandle) -> None:
    quatrix_emulator.fault("file/*", status=403, body={"code": 50, "msg": "Restricted operation"}, times=None)
    (event,) = run(watching("/in/*", ends_task=True))
    assert event.payload["status"] == "failed"
    assert event.payload["final"] is True
    assert "Restricted operation" in event.payload["message"]
    assert quatrix_emulator.calls("POST", "file/id") == 1


def test_each_trigger_waits_for_its_own_file(quatrix_emulator: EmulatorHandle) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/first.csv", b"1")
    first, second = watching("/in/first.csv"), watching("/in/second.csv")

    def arrive() -> None:
        quatrix_emulator.put_file(EMAIL, "/in/second.csv", b"2")

    events = run(first, second, meanwhile=after_listings(quatrix_emulator, 2, arrive))
    assert [paths(event) for event in events] == [["/in/first.csv"], ["/in/second.csv"]]
