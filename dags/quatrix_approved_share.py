"""Send a report to people outside only after somebody has looked at what goes out and has approved it.

Shows an approval before a share, on Airflow 3. The question appears under *Required Actions*, with the
files as they are on Quatrix and with who will get them. *Approve* shares them. *Reject* shares nothing and fails the
run, so that nobody takes it for one that has sent something; so does no answer within a day.

Needs the connection ``quatrix_default``, files such as ``/reports/report.csv`` on Quatrix, and the standard provider.
The environment variable ``QUATRIX_EXAMPLE_RECIPIENTS`` names the recipients, with commas between them. On Airflow 2
this file defines no DAG.
"""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, AirflowOptionalProviderFeatureException

from airflow_provider_quatrix.operators.files import QuatrixListOperator
from airflow_provider_quatrix.operators.shares import QuatrixShareOperator

try:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
except AirflowOptionalProviderFeatureException:  # Airflow 2
    ApprovalOperator = None

RECIPIENTS = os.environ.get("QUATRIX_EXAMPLE_RECIPIENTS") or "partner@example.com"

if ApprovalOperator is not None:
    with DAG(
        "quatrix_approved_share",
        schedule=None,
        catchup=False,
        default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
        tags=["quatrix"],
        doc_md=__doc__,
    ):
        # [START howto_approved_share]
        found = QuatrixListOperator(task_id="found", path="/reports/report*.csv")
        approve = ApprovalOperator(
            task_id="approve",
            subject=f"May this go to {RECIPIENTS}?",
            body="{% for file in ti.xcom_pull(task_ids='found') %}"
            "- `{{ file.path }}`, {{ file.size }} bytes, of {{ file.modified }}\n"
            "{% endfor %}",
            fail_on_reject=True,
            response_timeout=timedelta(days=1),
            retries=0,  # a task that fails on "Reject" would ask again
        )
        share = QuatrixShareOperator(
            task_id="share",
            paths=found.output,
            recipients=RECIPIENTS,
            subject="Report of {{ dag_run.start_date.strftime('%Y-%m-%d') }}",
            expires=timedelta(days=7),
            share_type="restricted",
            create_contacts=True,
        )
        # [END howto_approved_share]

        found >> approve >> share
