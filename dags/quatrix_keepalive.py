"""Keep the session of a connection alive, so that DAGs which run rarely never have to sign in.

Quatrix ends a session 15 minutes after its last use; a ping every ten minutes keeps it, at six calls per hour. If the
session has ended all the same, the task signs in again.

Needs the connection ``quatrix_default``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_quatrix.operators.session import QuatrixKeepaliveOperator

# [START howto_keepalive]
with DAG(
    "quatrix_keepalive",
    schedule="*/10 * * * *",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["quatrix"],
    doc_md=__doc__,
):
    QuatrixKeepaliveOperator(task_id="keepalive")
# [END howto_keepalive]
