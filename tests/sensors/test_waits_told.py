"""Who waits says for what, and what it saw; no more than once a minute."""

from __future__ import annotations

import asyncio
import itertools
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowSensorTimeout, AirflowSkipException
from dag_runs import new_dag

from airflow_provider_quatrix.hooks.wait_log import WaitLog
from airflow_provider_quatrix.operators.session import QuatrixLoginOperator
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.sensors.captcha import QuatrixCaptchaSensor
from airflow_provider_quatrix.sensors.files import QuatrixFileSensor
from airflow_provider_quatrix.triggers.captcha import QuatrixCaptchaTrigger
from airflow_provider_quatrix.triggers.files import QuatrixFileTrigger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")


@pytest.fixture(autouse=True)
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """What was told of waits."""
    caplog.set_level(logging.INFO)
    found: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("airflow_provider_quatrix.hooks.wait_log")
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


def captcha(emulator: EmulatorClient) -> str:
    return (
        f"a person to pass the CAPTCHA of {EMAIL} on {emulator.url.removeprefix('http://')} (connection "
        f"'quatrix_default'), by signing in at {emulator.url}"
    )


def test_a_wait_in_one_process_is_told_once_a_minute(lines: list[str]) -> None:
    now = [1000.0]
    wait_log = WaitLog(now=lambda: now[0])
    times = []
    for _ in range(301):
        before = len(lines)
        wait_log.write("x", "nothing")
        if len(lines) > before:
            times.append(now[0])
        now[0] += 1
    assert times == [1000, 1060, 1120, 1180, 1240, 1300]


@pytest.mark.parametrize("interval", [1.0, 7.0, 60.0, 90.0])
def test_a_wait_in_a_process_per_look_is_told_once_in_each_minute_of_the_clock(
    interval: float, lines: list[str]
) -> None:
    times = []
    for look in range(200):
        now = 1015.0 + look * (interval + 0.3)
        before = len(lines)
        WaitLog(interval, is_first=look == 0, now=lambda now=now: now).write("x", "nothing")
        if len(lines) > before:
            times.append(now)
    minutes = [time // 60 for time in times]
    assert times[0] == 1015.0
    assert len(minutes) == len(set(minutes))
    # No look of a slow wait, and no minute of a quick one, goes by without a line for long.
    assert max(b - a for a, b in itertools.pairwise(times)) <= 3 * max(interval, 60)


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
@pytest.mark.parametrize("kind", [AirflowSensorTimeout, AirflowSkipException])
def test_a_timeout_says_what_was_waited_for(
    kind: type[Exception], mode: str, quatrix_emulator: EmulatorClient, lines: list[str]
) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.txt", b"1")
    with new_dag():
        sensor = QuatrixFileSensor(
            task_id="wait",
            path=["/in/*.csv", "/in/*.txt", "/new/b"],
            poke_interval=1,
            timeout=0,
            soft_fail=kind is AirflowSkipException,
        )
    with pytest.raises(kind) as caught:
        sensor.execute({})
    seen = "1 file in /in, none that fits; no folder /new"
    what = "/in/*.csv; /in/*.txt; /new/b (connection 'quatrix_default')"
    assert str(caught.value).endswith(f"It waited for {what}; the last poll saw {seen}")
    assert lines == [f"Waiting for {what}; this poll saw {seen}"]


def test_so_does_one_in_the_triggerer(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.block_user(EMAIL)
    with new_dag():
        gate = QuatrixCaptchaSensor(task_id="gate", timeout=5, deferrable=True)
        wait = QuatrixFileSensor(task_id="wait", path="/in/*", timeout=5, deferrable=True)
    for sensor, what in ((gate, captcha(quatrix_emulator)), (wait, "/in/* (connection 'quatrix_default')")):
        with pytest.raises(AirflowSensorTimeout) as caught:
            sensor.resume_execution("__fail__", {"error": "Trigger timeout"}, {})
        assert str(caught.value) == f"Sensor has timed out after 5 s. It waited for {what}"


def test_a_captcha_is_told_with_account_host_connection_and_page(
    quatrix_emulator: EmulatorClient, lines: list[str]
) -> None:
    quatrix_emulator.block_user(EMAIL)
    with new_dag():
        gate = QuatrixCaptchaSensor(task_id="gate", poke_interval=1, timeout=0)
        login = QuatrixLoginOperator(task_id="login", wait_for_captcha=True, poll_interval=1, captcha_timeout=1)
    told = f"Waiting for {captcha(quatrix_emulator)}; this poll saw that it is still blocked"
    with pytest.raises(AirflowSensorTimeout):
        gate.execute({})
    assert lines == [told]
    with pytest.raises(AirflowException, match=r"within 1 s\. It waited for a person to pass the CAPTCHA of robot@"):
        login.execute({})
    assert lines == [told, told]


def test_triggers_tell_it_in_their_own_log(quatrix_emulator: EmulatorClient, lines: list[str]) -> None:
    async def wait(trigger: Any, lift: Any) -> None:
        async def first() -> None:
            async with aclosing(trigger.run()) as events:
                await anext(events)

        waiting = asyncio.create_task(first())
        while not lines:  # noqa: ASYNC110 - the line itself is what is waited for
            await asyncio.sleep(0.02)
        await asyncio.to_thread(lift)
        await asyncio.wait_for(waiting, 20)

    quatrix_emulator.make_folder(EMAIL, "/in")
    asyncio.run(
        wait(
            QuatrixFileTrigger("quatrix_default", "/in/*", poll_interval=1),
            lambda: quatrix_emulator.put_file(EMAIL, "/in/a", b"1"),
        )
    )
    assert lines == ["Waiting for /in/* (connection 'quatrix_default'); this poll saw no file in /in"]
    lines.clear()
    quatrix_emulator.block_user(EMAIL)
    quatrix_emulator.expire_sessions()
    asyncio.run(
        wait(
            QuatrixCaptchaTrigger("quatrix_default", poll_interval=1),
            lambda: quatrix_emulator.unblock_user(EMAIL),
        )
    )
    assert lines == [f"Waiting for {captcha(quatrix_emulator)}; this poll saw that it is still blocked"]
