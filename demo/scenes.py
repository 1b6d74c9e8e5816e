"""The DAGs that the demo runs, what happens around each, and what each cost."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from demo.emulator_process import EMAIL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from airflow_provider_quatrix.emulator.handle import EmulatorHandle
    from demo.airflow_process import AirflowProcess

# Calls of a sensor that finds the account blocked: the refused login, and a first look at the block.
CALLS_OF_A_WAITING_SENSOR = 2
LOOK_SECONDS = 0.5
RUN_SECONDS = 90.0


@contextmanager
def blocked_until_somebody_waits(emulator: EmulatorHandle) -> Iterator[None]:
    """Block the account, and lift the block as a person would once a sensor has been seen waiting.

    :param emulator: the service.
    """
    emulator.block_user(EMAIL)
    before = emulator.requests
    done = threading.Event()

    def person() -> None:
        while not done.wait(LOOK_SECONDS):
            if emulator.requests - before >= CALLS_OF_A_WAITING_SENSOR:
                emulator.unblock_user(EMAIL)
                return

    thread = threading.Thread(target=person, name="person", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def nothing(emulator: EmulatorHandle) -> AbstractContextManager[None]:
    """Leave the service alone.

    :param emulator: the service.
    """
    return nullcontext()


@dataclass(frozen=True)
class Scene:
    """A DAG of the demo.

    :param dag_id: the DAG.
    :param meanwhile: what happens while it runs.
    """

    dag_id: str
    meanwhile: Callable[[EmulatorHandle], AbstractContextManager[None]] = nothing


SCENES = (
    Scene("quatrix_session_lifecycle"),
    Scene("quatrix_captcha_gate", blocked_until_somebody_waits),
)


@dataclass(frozen=True)
class Outcome:
    """How a DAG ran.

    :param dag_id: the DAG.
    :param state: ``success`` or ``failed``.
    :param tasks: number of tasks, mapped ones each counted.
    :param seconds: from trigger to end.
    :param logins: login attempts that the service saw.
    :param calls: all API calls that the service saw.
    :param failures: one line for each failed task.
    """

    dag_id: str
    state: str
    tasks: int
    seconds: float
    logins: int
    calls: int
    failures: tuple[str, ...] = ()


def play(scene: Scene, airflow: AirflowProcess, emulator: EmulatorHandle) -> Outcome:
    """Run a DAG and count what it cost.

    :param scene: the DAG.
    :param airflow: where.
    :param emulator: the service.
    :return: how it went.
    """
    airflow.unpause(scene.dag_id)
    before = emulator.counters
    began = monotonic()
    with scene.meanwhile(emulator):
        run_id = airflow.trigger(scene.dag_id)
        state = airflow.wait_for_run(scene.dag_id, run_id, RUN_SECONDS)
    seconds = monotonic() - began
    after = emulator.counters
    tasks = airflow.task_instances(scene.dag_id, run_id)
    return Outcome(
        scene.dag_id,
        state,
        len(tasks),
        seconds,
        after["logins"] - before["logins"],
        after["requests"] - before["requests"],
        tuple(_failure(airflow, task) for task in tasks if task["state"] in ("failed", "upstream_failed")),
    )


def _failure(airflow: AirflowProcess, task: dict[str, Any]) -> str:
    name = task["task_id"] + (f"[{task['map_index']}]" if task["map_index"] >= 0 else "")
    return f"{name} {task['state']}{_reason(airflow, task)}"


def _reason(airflow: AirflowProcess, task: dict[str, Any]) -> str:
    """Return the exception at the end of a task's log, empty where there is none."""
    pattern = f"dag_id={task['dag_id']}/run_id={task['dag_run_id']}/task_id={task['task_id']}/**/*.log"
    reason = ""
    for path in sorted(airflow.logs_folder.glob(pattern)):
        for line in path.read_text(errors="replace").splitlines():
            details = _json(line).get("error_detail")
            if details:
                reason = f": {details[0]['exc_type']}: {details[0]['exc_value']}"
    return reason


def _json(line: str) -> dict[str, Any]:
    try:
        members = json.loads(line)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}
