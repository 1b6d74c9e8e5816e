"""Mapped tasks that share nothing but the record: each has a folder for temporary files of its own, as in a pod."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task


@task
def work(number: int, dag_run: Any = None) -> str:
    import os
    import tempfile

    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

    with tempfile.TemporaryDirectory() as folder:
        os.environ["AIRFLOW__QUATRIX__LOCK_DIR"] = folder
        return QuatrixHook(dag_run.conf["conn_id"]).get_conn().profile().email


with DAG("system_hosts", schedule=None, catchup=False):
    work.expand(number=list(range(8)))
