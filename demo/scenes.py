"""The DAGs that the demo runs, what happens around each, and what each cost."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from demo.partner import Partner
from testing.emulator_process import EMAIL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from testing.airflow_process import AirflowProcess

# The calls of a sensor that waits: the first poll and one more.
CALLS_OF_A_WAITING_SENSOR = 2
LOOK_SECONDS = 0.5
RUN_SECONDS = 90.0
INBOX_FILE = "/partner/inbox/orders.csv"


@contextmanager
def outsider(look: Callable[[], object]) -> Iterator[None]:
    """Let somebody outside poll until nothing more is to come.

    :param look: does what there is to do, and returns true if nothing more is to come.
    """
    done = threading.Event()

    def work() -> None:
        while not done.wait(LOOK_SECONDS) and not look():
            pass

    thread = threading.Thread(target=work, name="outsider", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def once_somebody_waits(emulator: EmulatorClient, act: Callable[[], object]) -> AbstractContextManager[None]:
    """Do something from outside as soon as a sensor is waiting.

    :param emulator: the service.
    :param act: what to do.
    """
    before = emulator.requests

    def look() -> bool:
        is_seen: bool = emulator.requests - before >= CALLS_OF_A_WAITING_SENSOR
        if is_seen:
            act()
        return is_seen

    return outsider(look)


def blocked_account(emulator: EmulatorClient) -> AbstractContextManager[None]:
    """Block the account, until a person passes the CAPTCHA.

    :param emulator: the service.
    """
    emulator.block_user(EMAIL)
    return once_somebody_waits(emulator, lambda: emulator.unblock_user(EMAIL))


def late_partner(emulator: EmulatorClient) -> AbstractContextManager[None]:
    """Let a partner put a file into the inbox.

    :param emulator: the service.
    """
    return once_somebody_waits(emulator, lambda: emulator.put_file(EMAIL, INBOX_FILE, b"order,units\n1,12\n"))


def partner_with_mail(emulator: EmulatorClient) -> AbstractContextManager[None]:
    """Let a partner send the files that e-mails ask for, and download what they announce.

    :param emulator: the service.
    """
    return outsider(Partner(emulator).read_mails)


def nothing(emulator: EmulatorClient) -> AbstractContextManager[None]:
    """Do nothing to the service.

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
    meanwhile: Callable[[EmulatorClient], AbstractContextManager[None]] = nothing


SCENES = (
    Scene("quatrix_session_lifecycle"),
    Scene("quatrix_captcha_gate", blocked_account),
    Scene("quatrix_nightly_report"),
    Scene("quatrix_inbound", late_partner),
    Scene("quatrix_dropbox", partner_with_mail),
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


def play(scene: Scene, airflow: AirflowProcess, emulator: EmulatorClient) -> Outcome:
    """Run a DAG and count what it cost.

    :param scene: the DAG.
    :param emulator: the service.
    :return: the outcome.
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
    """Return the exception at the end of a task's log; empty if there is none."""
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
