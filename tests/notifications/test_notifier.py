"""People are told of what has failed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, task
from dag_runs import AIRFLOW_3, new_dag, run

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.notifications.quatrix import QuatrixNotifier, when_blocked
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.sensors.files import QuatrixFileSensor

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")


def told(emulator: EmulatorClient) -> dict[str, str]:
    return {
        entry["path"]: emulator.read_file(EMAIL, entry["path"]).decode()
        for entry in emulator.files(EMAIL)
        if entry["type"] == "F"
    }


def test_a_task_that_fails_is_told_in_a_file(quatrix_emulator: EmulatorClient) -> None:
    with new_dag() as dag:

        @task(on_failure_callback=QuatrixNotifier(path="/alerts/"))
        def broken() -> None:
            raise AirflowException("The partner is late")

        broken()
    assert run(dag).states == {"broken": "failed"}
    ((path, text),) = told(quatrix_emulator).items()
    assert path.startswith(f"/alerts/{dag.dag_id}.broken.")
    assert path.endswith("Z.txt")
    assert text.startswith(f"Task broken of DAG {dag.dag_id}, run ")
    assert "The partner is late" in text


def test_a_sensor_that_waits_in_vain_says_for_what(quatrix_emulator: EmulatorClient) -> None:
    late = QuatrixNotifier(path="/alerts/{{ ti.task_id }}.txt", text="Late: {{ exception }}")
    with new_dag() as dag:
        QuatrixFileSensor(task_id="wait", path="/in/*.csv", poke_interval=1, timeout=0, on_failure_callback=late)
    assert run(dag).states == {"wait": "failed"}
    text = told(quatrix_emulator)["/alerts/wait.txt"]
    assert text.startswith("Late: Sensor has timed out")
    assert "It waited for /in/*.csv (connection 'quatrix_default'); the last poll saw no folder /in" in text


def test_a_second_one_does_not_replace_the_first(quatrix_emulator: EmulatorClient) -> None:
    for text in ("first", "second"):
        QuatrixNotifier(path="/alerts/late.txt", text=text).notify({})
    assert told(quatrix_emulator) == {"/alerts/late.txt": "first", "/alerts/late(1).txt": "second"}


def test_a_deadline_is_told_in_the_triggerer(quatrix_emulator: EmulatorClient) -> None:
    if not AIRFLOW_3:
        pytest.skip("Airflow 2 has no deadlines")
    arguments = {"path": "/alerts/{{ dag_run.dag_id }}.txt", "text": "{{ dag_run.run_id }} is late"}

    async def fire() -> None:
        # What Airflow hands over is what its REST API answers.
        await QuatrixNotifier(**arguments, context={"dag_run": {"dag_id": "orders", "dag_run_id": "manual"}})

    asyncio.run(fire())
    assert told(quatrix_emulator) == {"/alerts/orders.txt": "manual is late"}


def test_only_a_block_is_told(quatrix_emulator: EmulatorClient) -> None:
    told_of: list[Any] = []
    callback = when_blocked(told_of.append)
    QuatrixHook().login()
    callback({})
    assert told_of == []
    quatrix_emulator.block_user(EMAIL)
    assert QuatrixHook().captcha_blocked()
    before = quatrix_emulator.requests
    callback({"run_id": "x"})
    (context,) = told_of
    assert context["run_id"] == "x"
    assert context["quatrix_captcha"].startswith(f"Quatrix waits for a person to pass the CAPTCHA of {EMAIL} on ")
    assert context["quatrix_captcha"].endswith(f"by signing in at {quatrix_emulator.url}")
    assert quatrix_emulator.requests == before


def test_what_fails_while_it_tells_is_logged(
    quatrix_emulator: EmulatorClient, caplog: pytest.LogCaptureFixture
) -> None:
    QuatrixHook().login()
    quatrix_emulator.block_user(EMAIL)
    assert QuatrixHook().captcha_blocked()

    def tell(context: object) -> None:
        raise OSError("the mail server is away")

    when_blocked(tell)({})
    (line,) = [line for line in caplog.messages if line.startswith("Nobody was notified")]
    assert line.endswith("connection 'quatrix_default' may be blocked: the mail server is away")


def test_a_path_is_needed() -> None:
    with pytest.raises(ValueError, match="path is empty"):
        QuatrixNotifier(path="")
