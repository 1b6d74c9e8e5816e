"""``make up``: the emulator and Airflow with the connection and the example DAGs, until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from demo.seed import DATABASE_CONN_ID, database, keep, restore, sow
from testing.airflow_client import AirflowError
from testing.airflow_process import AirflowProcess
from testing.airflow_settings import port_or_free
from testing.emulator_process import EMAIL, PASSWORD, EmulatorProcess, EmulatorProcessError
from testing.interruption import interrupt_once
from testing.output import say

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
CONN_ID = "quatrix_default"
LOOK_SECONDS = 2.0
AIRFLOW_PORT = 8080
EMULATOR_PORT = 8580


def serve(home: Path) -> None:
    """Start both, print where they are, and wait until somebody interrupts or Airflow ends.

    :param home: folder for the database, the files and the logs; the next start continues with its content.
    :raises AirflowError: Airflow did not start, or has ended.
    :raises EmulatorProcessError: the emulator did not start, or has ended.
    """
    kept, store = home / "quatrix", home.resolve() / "files" / "store"
    with ExitStack() as running:
        say("Starting the emulator and Airflow ...")
        log = home / "logs" / "components" / "emulator.log"
        emulator = running.enter_context(EmulatorProcess(log, port=port_or_free(EMULATOR_PORT)))
        if kept.is_dir():
            restore(emulator.client, kept)
        else:
            sow(emulator.client, store)
        running.callback(keep, emulator.client, kept)
        variables = {
            "QUATRIX_EXAMPLE_FOLDER": str(home.resolve() / "files"),
            "QUATRIX_EXAMPLE_INTERVAL": "5",
            "QUATRIX_EXAMPLE_STORE": store.as_uri(),
            "AIRFLOW__QUATRIX__LOCK_DIR": str(home.resolve() / "locks"),
        }
        port = port_or_free(AIRFLOW_PORT)
        airflow = AirflowProcess(home, dags_folder=ROOT / "dags", env=variables, port=port)
        airflow.migrate()
        connections = home / "connections.json"
        connections.write_text(json.dumps({CONN_ID: emulator.connection, DATABASE_CONN_ID: database(home)}))
        # In the database, not in the environment, so that the web interface shows them.
        added = airflow.cli("connections", "import", "--overwrite", str(connections.resolve()))
        if added.returncode != 0:
            raise AirflowError(f"The connections could not be added:\n{added.stdout}{added.stderr}")
        running.enter_context(airflow)
        say(
            f"Airflow:  {airflow.url}  (no login; reachable from this machine only)\n"
            f"Emulator: {emulator.url}  (user {EMAIL}, password {PASSWORD})\n"
            f"The connections {CONN_ID} and {DATABASE_CONN_ID} are set, and there are files for every example DAG but "
            "quatrix_decrypt, which needs a key ring of yours. Unpause and trigger one, block the user on the "
            "emulator's page, and see what happens. quatrix_dropbox, quatrix_share and quatrix_collect wait for a "
            "partner: be the partner on that page, where the e-mails are. quatrix_approved_share waits for you, under "
            "Required Actions in Airflow.\n"
            f"Logs: {airflow.logs_folder}\nCtrl-C stops both; the next start continues with the same data."
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
    parser.add_argument("--home", type=Path, default=ROOT / ".up", help="folder for logs, database and files")
    options = parser.parse_args(argv)
    interrupt_once()
    try:
        serve(options.home)
    except KeyboardInterrupt:
        say("\nBoth are stopped.")
        return 0
    except (AirflowError, EmulatorProcessError) as error:
        say(f"{error}\nLogs: {options.home / 'logs'}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
