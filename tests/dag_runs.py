"""Runs DAGs of the tests inside a real Airflow process, with its real database."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from airflow import __version__
from airflow.models import import_all_models
from airflow.providers.common.compat.sdk import DAG, BaseSensorOperator

from airflow_provider_quatrix.operators.session import QuatrixLoginOperator
from airflow_provider_quatrix.triggers import shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AIRFLOW_3 = not __version__.startswith("2.")
BUNDLE = "dags-folder"
DATE = "logical_date" if AIRFLOW_3 else "execution_date"
# The ways in which a sensor waits, as its arguments.
MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
}

# Seconds between the looks of those who wait in :func:`run`; users cannot go below one second.
LOOK_INTERVAL = 0.1

# Airflow 2 can map none of its tables before all of them are known.
import_all_models()

_numbers = count(1)


@dataclass(frozen=True)
class TaskOutcome:
    """What became of one task instance."""

    state: str
    tries: int
    xcom: Any


@dataclass(frozen=True)
class Outcome:
    """What became of a DAG run."""

    state: str
    tasks: dict[str, TaskOutcome]

    @property
    def states(self) -> dict[str, str]:
        """The states by task id; a mapped task's with its index in brackets."""
        return {name: task.state for name, task in self.tasks.items()}


@contextmanager
def new_dag(**arguments: Any) -> Iterator[DAG]:
    """Open a DAG with a name that no other test uses."""
    with DAG(f"test_{next(_numbers)}", **({"schedule": None, "catchup": False} | arguments)) as dag:
        yield dag


def run(dag: DAG, **when: datetime | None) -> Outcome:
    """Run a DAG to its end, in which whoever waits looks every :data:`LOOK_INTERVAL` seconds.

    :param when: ``date`` of the run, now unless given; with ``None`` it has none, but in Airflow 2.
    """
    if AIRFLOW_3:
        _make_known(dag)
    for task in dag.tasks:
        if isinstance(task, BaseSensorOperator):
            task.poke_interval = LOOK_INTERVAL
        elif isinstance(task, QuatrixLoginOperator):
            task.poll_interval = LOOK_INTERVAL
    # Airflow 2 leaves a handler behind that writes to what is standard output by now.
    logger = logging.getLogger("airflow.task")
    handlers = list(logger.handlers)
    with _short_pauses():
        dag_run = dag.test(**({DATE: when["date"]} if when else {}))
    logger.handlers[:] = handlers
    return Outcome(
        str(dag_run.state.value if hasattr(dag_run.state, "value") else dag_run.state),
        {
            ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]": TaskOutcome(
                str(ti.state), ti.try_number, ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index)
            )
            for ti in dag_run.get_task_instances()
        },
    )


@contextmanager
def _short_pauses() -> Iterator[None]:
    """Shorten the second for which Airflow pauses while no task can run, and the shortest interval of a trigger."""
    sleep = time.sleep

    def pause(seconds: float) -> None:
        is_loop = sys._getframe(1).f_globals["__name__"] == DAG.__module__
        sleep(min(seconds, LOOK_INTERVAL) if is_loop else seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", pause)
        patch.setattr(shared, "SHORTEST_INTERVAL", LOOK_INTERVAL)
        yield


def _make_known(dag: DAG) -> None:
    """Write a DAG that lives in no file to the database, where Airflow 3 looks for it."""
    with warnings.catch_warnings():
        # What Airflow's own dependencies warn of when they are imported is not for us to mend.
        warnings.simplefilter("ignore")
        import airflow.api_fastapi.execution_api.app  # noqa: F401
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    DagBundlesManager().sync_bundles_to_db()
    bag = DagBag(collect_dags=False)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, BUNDLE, None)


@contextmanager
def once(condition: Callable[[], bool], then: Callable[[], Any]) -> Iterator[None]:
    """Do something as soon as a condition holds, while the code below runs; fails if it never held."""
    leaving, done, failures = threading.Event(), threading.Event(), []

    def watch() -> None:
        try:
            while not condition():
                if leaving.wait(0.05):
                    return
            then()
            done.set()
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield
    leaving.set()
    thread.join(10)
    assert not failures, failures
    assert done.is_set(), "what was waited for never happened"


def logged_cleanly(capfd: pytest.CaptureFixture[str]) -> str:
    """Return what was logged, after checking that no exception of ours drags others behind it."""
    log = "".join(capfd.readouterr())
    assert "During handling of the above exception" not in log, log
    assert "was the direct cause of the following exception" not in log, log
    return log


def through_serialization(dag: DAG) -> Any:
    """Return the DAG as Airflow stores it, and shows it in its interface."""
    try:
        from airflow.serialization.serialized_objects import DagSerialization as Serialization  # Airflow 3
    except ImportError:
        from airflow.serialization.serialized_objects import SerializedDAG as Serialization
    # Airflow's DAG processor, of which some tests run a part, turns them off for the whole process.
    Serialization._load_operator_extra_links = True
    return Serialization.from_dict(json.loads(json.dumps(Serialization.to_dict(dag))))


def stored_timeout(dag: DAG, task_id: str) -> tuple[str, dict[str, Any]]:
    """Let the scheduler end a deferral that took too long, and return with what the task resumes then."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState

    if AIRFLOW_3:
        _make_known(dag)
    dag.test(mark_success_pattern=".*")
    with create_session() as session:
        ti = session.query(TaskInstance).filter_by(dag_id=dag.dag_id, task_id=task_id).one()
        ti.state = TaskInstanceState.DEFERRED
        ti.trigger_timeout = datetime.now(UTC) - timedelta(seconds=1)
    with create_session() as session:
        SchedulerJobRunner(Job()).check_trigger_timeouts(session=session)
    with create_session() as session:
        ti = session.query(TaskInstance).filter_by(dag_id=dag.dag_id, task_id=task_id).one()
        return ti.next_method, ti.next_kwargs
