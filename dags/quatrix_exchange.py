"""Move what partners leave in Quatrix into a bucket, and publish reports from there.

Shows ``QuatrixTransferOperator``: the bytes go straight from one store to the other, and a file that was collected is
deleted at its source once it has arrived whole.

Needs the connection ``quatrix_default``. The store is a folder of the worker, by default one for temporary files; set
the environment variable ``QUATRIX_EXAMPLE_STORE`` to a URL such as ``s3://aws_default@bucket/top`` for another one.
"""

from __future__ import annotations

import os
import tempfile
from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_quatrix.operators.transfer import QuatrixTransferOperator

STORE = os.environ.get("QUATRIX_EXAMPLE_STORE") or f"file://{tempfile.gettempdir()}/quatrix-exchange"

with DAG(
    "quatrix_exchange",
    schedule=None,
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["quatrix"],
    doc_md=__doc__,
):
    # [START howto_operator_quatrix_transfer_collect]
    collect = QuatrixTransferOperator(
        task_id="collect",
        source="quatrix://quatrix_default@/exchange/in/**/*.csv",
        target=f"{STORE}/received/",
        create_parents=True,
        if_exists="rename",
        delete_source=True,
        transfers=8,
    )
    # [END howto_operator_quatrix_transfer_collect]

    # [START howto_operator_quatrix_transfer_publish]
    publish = QuatrixTransferOperator(
        task_id="publish",
        source=f"{STORE}/reports",
        target="/exchange/out/{{ dag_run.run_id }}",
        create_parents=True,
        verify=True,
        bandwidth=50_000_000,
    )
    # [END howto_operator_quatrix_transfer_publish]

    collect >> publish
