"""Keep who did what in the account: every day a file with all entries of the activity log of that day.

Shows an export that is the same however often it is made: another try and another run of the same day replace the file
as a whole, and neighbouring days have every entry once. A run by hand tells of the 24 hours before it.

Needs the connection ``quatrix_default``; of a user who manages others, the file tells of these too. The files lie in a
folder of the worker, by default one for temporary files. Set the environment variable ``QUATRIX_EXAMPLE_AUDIT`` to a
URL that ends in a slash, such as ``s3://aws_default@bucket/audit/``, to keep them elsewhere.
"""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_quatrix.operators.audit import QuatrixAuditExportOperator

FOLDER = Path(os.environ.get("QUATRIX_EXAMPLE_FOLDER") or tempfile.gettempdir()) / "quatrix-audit"
TARGET = os.environ.get("QUATRIX_EXAMPLE_AUDIT") or f"{FOLDER}/"

with DAG(
    "quatrix_audit",
    schedule="@daily",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["quatrix"],
    doc_md=__doc__,
):
    # [START howto_audit_export]
    export = QuatrixAuditExportOperator(
        task_id="export",
        target=TARGET,
        # A schedule such as "@daily" has an interval in Airflow 2 only, and a run by hand may have no date at all.
        start=timedelta(days=1),
        end="{{ data_interval_end | default(dag_run.run_after) }}",
        create_parents=True,
    )
    # [END howto_audit_export]
