"""Send a report to people outside, wait until each of them has downloaded it, and end the share.

Shows how to send and prove receipt: the share is made once however often its task is tried, the sensor returns who has
downloaded what and when, and nobody can open the link afterwards. The link itself is in no XCom: the tasks hand on a
reference that only the connection can use.

Needs the connection ``quatrix_default``, the file ``/reports/report.csv`` on Quatrix, and a running triggerer. The
environment variable ``QUATRIX_EXAMPLE_RECIPIENTS`` names the recipients, with commas between them.
"""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_quatrix.operators.shares import QuatrixRevokeShareOperator, QuatrixShareOperator
from airflow_provider_quatrix.sensors.shares import QuatrixShareDownloadedSensor

RECIPIENTS = os.environ.get("QUATRIX_EXAMPLE_RECIPIENTS") or "partner@example.com"

with DAG(
    "quatrix_share",
    schedule=None,
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["quatrix"],
    doc_md=__doc__,
):
    # [START howto_share]
    share = QuatrixShareOperator(
        task_id="share",
        paths="/reports/report.csv",
        recipients=RECIPIENTS,
        subject="Report of {{ dag_run.start_date.strftime('%Y-%m-%d') }}",
        message="Please download the report within a week.",
        expires=timedelta(days=7),
        share_type="restricted",
        create_contacts=True,
    )
    # [END howto_share]

    # [START howto_share_downloaded_sensor]
    receipt = QuatrixShareDownloadedSensor(
        task_id="receipt",
        share=share.output,
        recipients="all",
        poke_interval=60,
        timeout=timedelta(days=7),
        deferrable=True,
    )
    # [END howto_share_downloaded_sensor]

    # [START howto_revoke_share]
    revoke = QuatrixRevokeShareOperator(task_id="revoke", share=share.output)
    # [END howto_revoke_share]

    receipt >> revoke
