"""Runs 400 tasks on Airflow 2.11 with LocalExecutor and PostgreSQL; the program of a host of the lab."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from testing.airflow_process import AirflowProcess
from testing.emulator_process import EmulatorProcess

TASKS = 400
PARALLELISM = 8
RUN_SECONDS = 900.0
RESULT = "result.json"
DAGS = Path(__file__).parent / "dags"


def main() -> int:
    """Run the tasks, and write down what they cost.

    :return: 0, also if tasks have failed.
    """
    home = Path.home()
    with ExitStack() as running:
        emulator = running.enter_context(EmulatorProcess(home / "emulator.log"))
        airflow = running.enter_context(
            AirflowProcess(
                home / "airflow",
                dags_folder=DAGS,
                parallelism=PARALLELISM,
                env={"AIRFLOW_CONN_QUATRIX_DEFAULT": json.dumps(emulator.connection)},
                database_url=os.environ["LAB_DATABASE"],
            )
        )
        run_id, _ = airflow.run("lab_tasks", {"conn_id": "quatrix_default", "tasks": TASKS}, RUN_SECONDS)
        result = {
            "states": [task["state"] for task in airflow.task_instances("lab_tasks", run_id)],
            "logins": emulator.client.logins,
            "profile": emulator.client.calls("GET", "profile"),
        }
    (home / RESULT).write_text(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
