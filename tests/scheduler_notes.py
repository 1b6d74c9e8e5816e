"""What the scheduler has taken note of.

A task that waits and goes on before the scheduler has noted that it waits is failed by Airflow. Neither people nor
Quatrix are that quick; tests would be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.airflow_settings import AIRFLOW_3

if TYPE_CHECKING:
    from pathlib import Path

    from testing.airflow_client import AirflowClient
    from testing.airflow_process import AirflowProcess


def wait_until_noted(airflow: AirflowProcess, dag_id: str, run_id: str, task_id: str) -> None:
    """Wait until the scheduler knows that a worker has handed a task over to wait."""
    wait_until_logged(airflow, airflow.logs_folder, dag_id, run_id, task_id)


def wait_until_logged(airflow: AirflowClient, logs_folder: Path, dag_id: str, run_id: str, task_id: str) -> None:
    """Do the same for an Airflow in another process, with its logs in a folder."""
    log = logs_folder / "components" / ("standalone.log" if AIRFLOW_3 else "scheduler.log")
    key = f"executor event with state success for task instance TaskInstanceKey(dag_id='{dag_id}', task_id='{task_id}'"
    noted = f"{key}, run_id='{run_id}'"
    airflow.wait_until(
        lambda: noted in log.read_text(errors="replace"), f"the scheduler knows that {dag_id}.{task_id} waits", 90
    )
