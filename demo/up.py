"""``make up``: the emulator and Airflow with the connection and the example DAGs, until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from demo.airflow_process import AirflowProcess, AirflowProcessError
from demo.emulator_process import EMAIL, PASSWORD, EmulatorProcess, EmulatorProcessError
from demo.interruption import interrupt_once
from demo.output import say

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
CONN_ID = "quatrix_default"
LOOK_SECONDS = 2.0


def serve(home: Path) -> None:
    """Start both, print where they are, and wait until somebody interrupts or Airflow ends.

    :param home: folder for Airflow's files and the logs; emptied first.
    :raises AirflowProcessError: Airflow did not start, or has ended.
    :raises EmulatorProcessError: the emulator did not start, or has ended.
    """
    shutil.rmtree(home, ignore_errors=True)
    with ExitStack() as running:
        say("Starting the emulator and Airflow ...")
        emulator = running.enter_context(EmulatorProcess(home / "logs" / "components" / "emulator.log"))
        variables = {
            "QUATRIX_EXAMPLE_FOLDER": str(home.resolve() / "files"),
            "AIRFLOW__QUATRIX__LOCK_DIR": str(home.resolve() / "locks"),
        }
        airflow = AirflowProcess(home, dags_folder=ROOT / "dags", env=variables)
        airflow.migrate()
        # In the database, not in the environment, so that the web interface shows it.
        added = airflow.cli("connections", "add", CONN_ID, "--conn-json", json.dumps(emulator.connection))
        if added.returncode != 0:
            raise AirflowProcessError(f"The connection could not be added:\n{added.stdout}{added.stderr}")
        running.enter_context(airflow)
        say(
            f"Airflow:  {airflow.url}  (no login; reachable from this machine only)\n"
            f"Emulator: {emulator.url}  (user {EMAIL}, password {PASSWORD})\n"
            f"The connection {CONN_ID} is set. Unpause and trigger a DAG, block the user on the emulator's page, "
            f"and see what happens.\nLogs: {airflow.logs_folder}\nCtrl-C stops both."
        )
        while True:
            airflow.wait_healthy()
            emulator.check()
            time.sleep(LOOK_SECONDS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run both until interrupted.

    :param argv: arguments; those of the process when None.
    :return: 0 after Ctrl-C or SIGTERM, 1 if one of them did not start or ended.
    """
    parser = argparse.ArgumentParser(prog="python -m demo.up", description=__doc__)
    parser.add_argument("--home", type=Path, default=ROOT / ".demo", help="folder for logs and database; emptied first")
    options = parser.parse_args(argv)
    interrupt_once()
    try:
        serve(options.home)
    except KeyboardInterrupt:
        say("\nBoth are stopped.")
        return 0
    except (AirflowProcessError, EmulatorProcessError) as error:
        say(f"{error}\nLogs: {options.home / 'logs'}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
