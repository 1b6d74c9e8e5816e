"""The emulator and Airflow of the demo, started together."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from demo.seed import DATABASE_CONN_ID, database
from testing.airflow_process import AirflowProcess
from testing.emulator_process import EmulatorProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def started(home: Path, dags: Path) -> Iterator[tuple[AirflowProcess, EmulatorProcess]]:
    """Start both, and stop both at the end.

    :param home: folder for Airflow's files and the logs; emptied first.
    :param dags: folder of the DAG files.
    :return: Airflow, which has the connection, and the emulator.
    """
    shutil.rmtree(home, ignore_errors=True)
    with EmulatorProcess(home / "logs" / "components" / "emulator.log") as emulator:
        variables = {
            "AIRFLOW_CONN_QUATRIX_DEFAULT": json.dumps(emulator.connection),
            f"AIRFLOW_CONN_{DATABASE_CONN_ID.upper()}": json.dumps(database(home)),
            "QUATRIX_EXAMPLE_FOLDER": str(home.resolve() / "files"),
            "QUATRIX_EXAMPLE_INTERVAL": "2",
            "AIRFLOW__QUATRIX__LOCK_DIR": str(home.resolve() / "locks"),
            # Only the runs that are counted: a DAG with a schedule would start another run when it is unpaused.
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        }
        with AirflowProcess(home, dags_folder=dags, env=variables) as airflow:
            yield airflow, emulator
