from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from airflow.triggers.base import TaskSuccessEvent, TriggerEvent
from dag_runs import AIRFLOW_3
from stopped_clock import fire, idle, pass_time, run, run_stopped

from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.triggers.files import QuatrixFileEventTrigger, QuatrixFileTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

LISTING = ("GET", "file/metadata/{id}")


def watching(path: str, **arguments: Any) -> QuatrixFileTrigger:
    return QuatrixFileTrigger("quatrix_default", path, **{"poll_interval": 1.0} | arguments)


def paths(event: TriggerEvent) -> list[str]:
    return [entry["path"] for entry in event.payload["found"]]


def after_looks(number: int, then: Callable[[], Any]) -> Callable[[int], None]:
    return lambda looks: then() if looks == number else None


def test_200_triggers_on_one_folder_cost_one_listing_per_interval(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.make_folder(EMAIL, "/in")
    names = [f"{number:03}.csv" for number in range(100)]
    triggers = [watching(f"/in/{name}") for name in names] + [
        watching(f"/in/{number:02}?.csv", min_size=number) for number in range(1, 11) for _ in range(10)
    ]

    def arrive() -> None:
        quatrix_emulator.put_files(EMAIL, [{"path": f"/in/{name}", "size": 50} for name in [*names, "100.csv"]])

    events = run(*triggers, meanwhile=after_looks(3, arrive))
    assert [paths(event) for event in events[:100]] == [[f"/in/{name}"] for name in names]
    assert [len(paths(event)) for event in events[100:]] == [10] * 90 + [1] * 10
    # Three without the files, one with them.
    assert quatrix_emulator.calls(*LISTING) == 4
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


def test_a_trigger_that_is_built_anew_waits_for_the_same(quatrix_emulator: EmulatorClient) -> None:
    trigger = watching("/in/*", newer_than=1.5, min_size=2, min_age=3.0, max_failures=4)
    classpath, arguments = trigger.serialize()
    assert classpath == "airflow_provider_quatrix.triggers.files.QuatrixFileTrigger"
    again = QuatrixFileTrigger(**arguments)
    assert (again.wanted, again.serialize()) == (trigger.wanted, trigger.serialize())
    assert quatrix_emulator.requests == 0


def test_a_trigger_waits_for_several_files(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/*", b"1")
    quatrix_emulator.put_file(EMAIL, "/in/b", b"1")
    several = [{"path": "/in/*"}, "/other/*.csv", "/in/b*"]
    trigger = QuatrixFileTrigger("quatrix_default", several, glob=True, poll_interval=1.0)
    again = QuatrixFileTrigger(**trigger.serialize()[1])
    (event,) = run(again, meanwhile=after_looks(3, lambda: quatrix_emulator.put_file(EMAIL, "/other/a.csv", b"1")))
    assert paths(event) == ["/in/*", "/in/b", "/other/a.csv"]


def test_a_task_ends_from_here_where_nobody_wants_its_result(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    wanted, unwanted = run(watching("/in/*"), watching("/in/*", ends_task=True))
    assert type(wanted) is TriggerEvent
    assert paths(wanted) == ["/in/a.csv"]
    assert type(unwanted) is TaskSuccessEvent


def test_a_missing_permission_ends_waiting_at_once(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.fault("file/*", status=403, body={"code": 50, "msg": "Restricted operation"}, times=None)
    (event,) = run(watching("/in/*", ends_task=True))
    assert event.payload["status"] == "failed"
    assert event.payload["final"] is True
    assert "Restricted operation" in event.payload["message"]
    assert quatrix_emulator.calls("POST", "file/id") == 1


def test_each_trigger_waits_for_its_own_file(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/first.csv", b"1")
    first, second = watching("/in/first.csv"), watching("/in/second.csv")

    def arrive() -> None:
        quatrix_emulator.put_file(EMAIL, "/in/second.csv", b"2")

    events = run(first, second, meanwhile=after_looks(2, arrive))
    assert [paths(event) for event in events] == [["/in/first.csv"], ["/in/second.csv"]]


def test_what_was_there_before_a_trigger_began_does_not_end_its_wait(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    looked: list[int] = []

    async def one_after_the_other() -> tuple[bool, list[str]]:
        first = await fire(watching("/in/*", poll_interval=60.0))
        assert paths(first) == ["/in/a.csv"]
        quatrix_emulator.remove_file(EMAIL, "/in/a.csv")
        second = asyncio.create_task(fire(watching("/in/*", poll_interval=60.0)))
        # It would have fired by the old listing, and so asks for itself at once.
        await pass_time(1)
        await idle()
        waits = not second.done()
        looked.append(quatrix_emulator.calls(*LISTING))
        quatrix_emulator.put_file(EMAIL, "/in/b.csv", b"1")
        await pass_time(60)
        await idle()
        return waits, paths(await second)

    assert run_stopped(one_after_the_other()) == (True, ["/in/b.csv"])
    assert looked == [2]


def test_credentials_that_change_take_effect_at_the_next_look(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_emulator.make_folder(EMAIL, "/in")
    quatrix_emulator.add_user("other@example.com", PASSWORD)
    quatrix_emulator.put_file("other@example.com", "/in/a.csv", b"1")
    quatrix_emulator.add_api_key("Key-0123456789abcdef", EMAIL)

    def change(looks: int) -> None:
        if looks == 2:
            quatrix_connection(extra={"api_key": "Key-0123456789abcdef"}, login=None, password=None)
        if looks == 4:
            quatrix_connection(login="other@example.com", password=PASSWORD, extra={})

    (event,) = run(watching("/in/*"), meanwhile=change)
    assert paths(event) == ["/in/a.csv"]
    assert quatrix_emulator.calls(*LISTING) == 5
    # The folder was looked up once by each of the three clients.
    assert quatrix_emulator.calls("POST", "file/id") == 3
    assert quatrix_emulator.logins == 2


def test_a_corrected_password_needs_no_restart(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")

    async def try_again() -> list[Any]:
        payloads = []
        quatrix_connection(password="wrong-Passw0rd")
        payloads.append((await fire(watching("/in/*", poll_interval=60.0))).payload)
        quatrix_connection(password=PASSWORD)
        for _ in range(3):
            task = asyncio.create_task(fire(watching("/in/*", poll_interval=60.0)))
            # What ended the one before is asked again at once, not when the interval is over.
            await pass_time(1)
            await idle()
            payloads.append((await task).payload)
        return payloads

    payloads = run_stopped(try_again())
    assert [payload["status"] for payload in payloads] == ["failed", "success", "success", "success"]
    assert (quatrix_emulator.logins, quatrix_emulator.counters["rejected_logins"]) == (2, 1)


@pytest.mark.skipif(AIRFLOW_3, reason="Airflow 3 has asset watchers; see test_file_events.py")
def test_airflow_2_says_that_it_has_no_watchers() -> None:
    with pytest.raises(AirflowException, match="needs Airflow 3, as 2 has no asset watchers: use QuatrixFileSensor"):
        QuatrixFileEventTrigger("/in/*")
