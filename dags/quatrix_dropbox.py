"""Ask a partner for orders, check and load what comes, share the answer, and wait for the receipt: a partner drop-box.

Each run has a folder of its own, in which the partner puts files through a page of the service. Once a file is there,
the request ends, so that nobody changes what is being checked. A file with a virus, or that is no list of orders, fails
the run with a line that says who sent it and what is wrong; then nothing is loaded or shared. Whatever happens, no
request and no share stays open: they are setups, and what ends them are their teardowns.

Needs the connection ``quatrix_default``, a connection to a database whose provider is installed, and a running
triggerer. Environment variables: ``QUATRIX_EXAMPLE_RECIPIENTS`` names the partner, ``QUATRIX_EXAMPLE_DATABASE`` the
connection to the database, by default ``orders_db``, ``QUATRIX_EXAMPLE_INTERVAL`` the seconds between two looks.
"""

from __future__ import annotations

import csv
import os
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseHook, task

from airflow_provider_quatrix.operators.files import QuatrixMoveOperator
from airflow_provider_quatrix.operators.shares import (
    QuatrixFileRequestOperator,
    QuatrixRevokeShareOperator,
    QuatrixShareOperator,
)
from airflow_provider_quatrix.sensors.files import QuatrixFileSensor
from airflow_provider_quatrix.sensors.shares import QuatrixShareDownloadedSensor

PARTNER = os.environ.get("QUATRIX_EXAMPLE_RECIPIENTS") or "partner@example.com"
DATABASE = os.environ.get("QUATRIX_EXAMPLE_DATABASE") or "orders_db"
INTERVAL = float(os.environ.get("QUATRIX_EXAMPLE_INTERVAL") or 60)
FOLDER = "/dropbox/{{ run_id }}"
EXPECTED = "*.csv"
COLUMNS = ["order", "units"]
TABLE = "CREATE TABLE IF NOT EXISTS orders (run_id VARCHAR(250), order_id VARCHAR(100), units INTEGER)"


def content_of(file: dict[str, Any]) -> bytes:
    """Read a file on Quatrix."""
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

    with TemporaryDirectory() as folder:
        (local,) = QuatrixHook().download(file, f"{folder}/")
        return Path(local.path).read_bytes()


def orders_in(content: bytes) -> list[tuple[str, int]]:
    """Return the orders in a file; a ValueError says why it is no list of orders."""
    rows = csv.DictReader(content.decode("utf-8-sig").splitlines(), restval="")
    if rows.fieldnames != COLUMNS:
        raise ValueError(f"its columns are {rows.fieldnames}, not {COLUMNS}")
    return [(row["order"], int(row["units"])) for row in rows]


with DAG(
    "quatrix_dropbox",
    schedule=None,
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["quatrix"],
    doc_md=__doc__,
):
    # [START howto_dropbox_request]
    ask = QuatrixFileRequestOperator(
        task_id="ask",
        folder=f"{FOLDER}/in",
        recipients=PARTNER,
        message=f"Please send us the orders of this week as one {EXPECTED} file with the columns {', '.join(COLUMNS)}.",
        create_contacts=True,
        create_parents=True,
    )
    arrived = QuatrixFileSensor(
        task_id="arrived",
        path=f"{FOLDER}/in/{EXPECTED}",
        min_age=INTERVAL,
        poke_interval=INTERVAL,
        timeout=timedelta(days=7),
        deferrable=True,
    )
    end_request = QuatrixRevokeShareOperator(task_id="end_request", share=ask.output).as_teardown(setups=ask)
    # [END howto_dropbox_request]

    # [START howto_dropbox_check]
    @task
    def check(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the files, unless the service's virus scanner or the content speaks against one."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        for file in files:
            origin = QuatrixHook().client.files.origin(file["id"])
            refused = f"Refused {file['path']}, uploaded by {origin.uploader or 'somebody'}"
            if origin.infected:
                raise AirflowFailException(f"{refused}: Quatrix reports {origin.infected}")
            content = content_of(file)
            try:
                orders_in(content)
            except (ValueError, csv.Error) as error:
                raise AirflowFailException(f"{refused}: {error}") from None
        return files

    # [END howto_dropbox_check]

    # [START howto_dropbox_load]
    @task
    def load(files: list[dict[str, Any]], run: str) -> int:
        """Load the orders in place of those that an earlier try of this run has loaded."""
        database = BaseHook.get_hook(DATABASE)
        rows = [(run, *order) for file in files for order in orders_in(content_of(file))]
        database.run(TABLE)
        database.run(f"DELETE FROM orders WHERE run_id = {database.placeholder}", parameters=(run,))  # noqa: S608
        database.insert_rows("orders", rows, ["run_id", "order_id", "units"], commit_every=0)
        return len(rows)

    # [END howto_dropbox_load]

    @task
    def answer(loaded: int, target: str) -> dict[str, Any]:
        """Put the answer on Quatrix."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        with TemporaryDirectory() as folder:
            local = Path(folder, "answer.txt")
            local.write_text(f"{loaded} orders are loaded.\n")
            (stored,) = QuatrixHook().upload(local, target, create_parents=True, if_exists="overwrite")
        return stored

    orders = check(arrived.output)
    loaded = load(orders, "{{ run_id }}")
    answered = answer(loaded, f"{FOLDER}/out/")

    # [START howto_dropbox_answer]
    archive = QuatrixMoveOperator(
        task_id="archive", source=orders, target=f"{FOLDER}/done/", if_exists="rename", create_parents=True
    )
    share = QuatrixShareOperator(
        task_id="share",
        paths=answered,
        recipients=PARTNER,
        subject="Your orders have arrived",
        expires=timedelta(days=7),
        share_type="restricted",
    )
    receipt = QuatrixShareDownloadedSensor(
        task_id="receipt",
        share=share.output,
        poke_interval=INTERVAL,
        timeout=timedelta(days=7),
        deferrable=True,
    )
    end_share = QuatrixRevokeShareOperator(task_id="end_share", share=share.output).as_teardown(setups=share)
    # [END howto_dropbox_answer]

    ask >> arrived >> end_request >> orders
    loaded >> archive >> answered
    share >> receipt >> end_share
