"""Many mapped tasks on one connection: one shared session against a sign-in in each task."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from bench.report import Figure, Goal, Report
from testing.airflow_process import AirflowProcess
from testing.emulator_process import EMAIL, PASSWORD, EmulatorProcess

TOOLS: tuple[str, ...] = ()
TASKS, PARALLELISM = 200, 16
QUICK_TASKS, QUICK_PARALLELISM = 4, 2
RUN_SECONDS = 1800.0
DAGS = Path(__file__).parent / "dags" / "logins"
OURS, THEIRS = "QuatrixHook, shared session", "HttpHook, sign-in in each task"


@dataclass(frozen=True)
class Outcome:
    """How a DAG ran.

    :param logins: login attempts that the service saw.
    :param calls: all calls that the service saw.
    :param failed: tasks that failed.
    :param seconds: from trigger to end.
    """

    logins: int
    calls: int
    failed: int
    seconds: float


def play(airflow: AirflowProcess, emulator: EmulatorProcess, dag_id: str) -> Outcome:
    """Run a DAG against a fresh service.

    :param emulator: the service.
    :return: the outcome.
    """
    emulator.client.reset()
    airflow.unpause(dag_id)
    began = monotonic()
    run_id = airflow.trigger(dag_id)
    airflow.wait_for_run(dag_id, run_id, RUN_SECONDS)
    seconds = monotonic() - began
    counters = emulator.client.counters
    states = Counter(task["state"] for task in airflow.task_instances(dag_id, run_id))
    return Outcome(counters["logins"], counters["requests"], states["failed"], seconds)


def run(scratch: Path, *, quick: bool) -> Report:
    """Run the same tasks both ways in a real Airflow.

    :param scratch: empty folder.
    :param quick: with few tasks.
    :return: logins, failures, calls and seconds.
    """
    tasks, parallelism = (QUICK_TASKS, QUICK_PARALLELISM) if quick else (TASKS, PARALLELISM)
    with ExitStack() as running:
        emulator = running.enter_context(EmulatorProcess(scratch / "emulator.log"))
        http = {"conn_type": "http", "host": emulator.url, "login": EMAIL, "password": PASSWORD}
        variables = {
            "AIRFLOW_CONN_QUATRIX_DEFAULT": json.dumps(emulator.connection),
            "AIRFLOW_CONN_QUATRIX_HTTP": json.dumps(http),
            "AIRFLOW__QUATRIX__LOCK_DIR": str(scratch / "locks"),
            "BENCH_TASKS": str(tasks),
        }
        airflow = running.enter_context(
            AirflowProcess(scratch / "airflow", dags_folder=DAGS, parallelism=parallelism, env=variables)
        )
        shared = play(airflow, emulator, "bench_logins_shared")
        basic = play(airflow, emulator, "bench_logins_basic")
    both = {OURS: shared, THEIRS: basic}
    return Report(
        "Logins",
        f"{tasks} mapped tasks, {parallelism} at a time on LocalExecutor, ask for the profile over one connection. "
        "Compared with tasks that a user of the http provider would write: each signs in by HttpHook and asks then. "
        "The emulator allows 15 logins in 15 minutes, as the service does; tasks are not retried.",
        [
            Figure("Logins", "", {name: [each.logins] for name, each in both.items()}),
            Figure("Tasks that failed", "", {name: [each.failed] for name, each in both.items()}),
            Figure("API calls", "", {name: [each.calls] for name, each in both.items()}),
            Figure("From trigger to end", "s", {name: [each.seconds] for name, each in both.items()}, THEIRS),
        ],
        [
            Goal(
                "one login for all tasks, and none fails",
                f"{shared.logins} login, {shared.failed} failed",
                (shared.logins, shared.failed) == (1, 0),
            )
        ],
    )
