"""Ask a partner for files, remind the partner when none have come, and end the request once they have.

Shows a file request, whose files a file sensor waits for. When the first wait is over without a file, the partner is
asked once more; then the second wait decides.

Needs the connection ``quatrix_default`` and a running triggerer. The environment variable
``QUATRIX_EXAMPLE_RECIPIENTS`` names who is asked, with commas between them, ``QUATRIX_EXAMPLE_PATIENCE`` for how many
seconds the first wait goes on; default two days.
"""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_quatrix.operators.shares import QuatrixFileRequestOperator, QuatrixRevokeShareOperator
from airflow_provider_quatrix.sensors.files import QuatrixFileSensor

RECIPIENTS = os.environ.get("QUATRIX_EXAMPLE_RECIPIENTS") or "partner@example.com"
PATIENCE = timedelta(seconds=float(os.environ.get("QUATRIX_EXAMPLE_PATIENCE") or 2 * 24 * 60 * 60))
FOLDER = "/collected/{{ dag_run.start_date.strftime('%Y-%m-%d') }}"

with DAG(
    "quatrix_collect",
    schedule=None,
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["quatrix"],
    doc_md=__doc__,
):
    # [START howto_file_request]
    ask = QuatrixFileRequestOperator(
        task_id="ask",
        folder=FOLDER,
        recipients=RECIPIENTS,
        message="Please send us the orders of this week.",
        create_contacts=True,
        create_parents=True,
    )
    arrived = QuatrixFileSensor(
        task_id="arrived",
        path=f"{FOLDER}/*",
        timeout=PATIENCE,
        soft_fail=True,
        deferrable=True,
    )
    # [END howto_file_request]

    # [START howto_file_request_reminder]
    remind = QuatrixFileRequestOperator(
        task_id="remind",
        folder=FOLDER,
        recipients=RECIPIENTS,
        message="We still wait for the orders of this week.",
        trigger_rule="all_skipped",
    )
    arrived_late = QuatrixFileSensor(
        task_id="arrived_late",
        path=f"{FOLDER}/*",
        timeout=PATIENCE,
        deferrable=True,
    )
    # [END howto_file_request_reminder]

    end = QuatrixRevokeShareOperator(task_id="end", share=ask.output, trigger_rule="none_failed_min_one_success")
    end_reminder = QuatrixRevokeShareOperator(task_id="end_reminder", share=remind.output)

    ask >> arrived >> remind >> arrived_late >> end_reminder
    [arrived, arrived_late] >> end
