"""Runs DAGs of the tests inside a real Airflow process, with its real database."""

from __future__ import annotations

import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from airflow import __version__
from airflow.models import import_all_models
from airflow.providers.common.compat.sdk import DAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AIRFLOW_3 = not __version__.startswith("2.")
BUNDLE = "dags-folder"

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
    with DAG(f"test_{next(_numbers)}", schedule=None, catchup=False, **arguments) as dag:
        yield dag


def run(dag: DAG) -> Outcome:
    """Run a DAG to its end."""
    if AIRFLOW_3:
        _make_known(dag)
    dag_run = dag.test()
    return Outcome(
        str(dag_run.state.value if hasattr(dag_run.state, "value") else dag_run.state),
        {
            ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]": TaskOutcome(
                str(ti.state), ti.try_number, ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index)
            )
            for ti in dag_run.get_task_instances()
        },
    )


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
