"""Build a report every night, upload it, and list what is there.

Shows an upload under retries: nobody sees the report before it is whole, another try of the task sends only what is
missing, and a second run on the same day replaces the report of the first. Once it is there, the local one is deleted.

Needs the connection ``quatrix_default``. The report is built in a folder of the worker, by default one for temporary
files; set the environment variable ``QUATRIX_EXAMPLE_FOLDER`` to a folder that all workers share where there are many.
"""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_quatrix.operators.files import QuatrixListOperator, QuatrixUploadOperator

FOLDER = Path(os.environ.get("QUATRIX_EXAMPLE_FOLDER") or tempfile.gettempdir()) / "quatrix-reports"

with DAG(
    "quatrix_nightly_report",
    schedule="30 1 * * *",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["quatrix"],
    doc_md=__doc__,
):

    @task
    def build_report(dag_run: Any = None) -> str:
        """Write the report and return its path."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        report = FOLDER / f"sales-{dag_run.start_date:%Y-%m-%d}.csv"
        lines = ["region,units", *(f"region-{number},{number * number}" for number in range(1, 1001))]
        report.write_text("\n".join(lines) + "\n")
        return str(report)

    # [START howto_upload]
    upload = QuatrixUploadOperator(
        task_id="upload",
        source=build_report(),
        target="/reports/",
        if_exists="overwrite",
        create_parents=True,
        delete_source=True,
    )
    # [END howto_upload]

    # [START howto_list]
    reports = QuatrixListOperator(task_id="reports", path="/reports/*.csv")
    # [END howto_list]

    upload >> reports
