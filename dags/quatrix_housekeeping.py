"""Keep a folder in order: once there are reports, copy them to a folder of the month, and delete what is left over.

Shows the file sensor as a task of its own, and operators that work on Quatrix alone: no byte passes through the worker.

Needs the connection ``quatrix_default`` and a running triggerer.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_quatrix.operators.cleanup import QuatrixCleanupOperator
from airflow_provider_quatrix.operators.files import (
    QuatrixCopyOperator,
    QuatrixDeleteOperator,
    QuatrixMakeDirectoryOperator,
)
from airflow_provider_quatrix.sensors.files import QuatrixFileSensor

MONTH = "/reports/{{ dag_run.start_date.strftime('%Y-%m') }}"

with DAG(
    "quatrix_housekeeping",
    schedule="0 6 1 * *",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["quatrix"],
    doc_md=__doc__,
):
    # [START howto_file_sensor]
    reports = QuatrixFileSensor(
        task_id="reports",
        path="/reports/*.csv",
        min_size=1,
        min_age=timedelta(minutes=1),
        poke_interval=60,
        timeout=12 * 60 * 60,
        deferrable=True,
    )
    # [END howto_file_sensor]

    # [START howto_make_directory]
    month = QuatrixMakeDirectoryOperator(task_id="month", path=MONTH)
    # [END howto_make_directory]

    # [START howto_copy]
    keep = QuatrixCopyOperator(
        task_id="keep",
        source="/reports/*.csv",
        target=MONTH,
        exclude="draft-*",
        min_size=1,
        if_exists="overwrite",
        on_error="continue",
    )
    # [END howto_copy]

    # [START howto_delete]
    clean = QuatrixDeleteOperator(
        task_id="clean",
        path=["/reports/drafts", "/reports/*.tmp"],
        older_than=timedelta(days=7),
        missing_ok=True,
    )
    # [END howto_delete]

    # [START howto_cleanup]
    clean_up = QuatrixCleanupOperator(task_id="clean_up", path="/reports", older_than=timedelta(days=7))
    # [END howto_cleanup]

    reports >> month >> keep >> clean >> clean_up
