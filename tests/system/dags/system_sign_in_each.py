"""What a user writes without the provider: every task signs in by Basic itself."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, BaseHook, task

with DAG("system_sign_in_each", schedule=None, catchup=False):

    @task(retries=0)
    def work(batch: int, dag_run: Any = None) -> None:
        import requests

        connection = BaseHook.get_connection(dag_run.conf["conn_id"])
        api = f"{connection.host}/api/1.0"
        answer = requests.get(f"{api}/session/login", auth=(connection.login, connection.password), timeout=60)
        answer.raise_for_status()
        token = {"X-Auth-Token": answer.json()["session_id"]}
        requests.get(f"{api}/profile", headers=token, timeout=60).raise_for_status()

    work.expand(batch=list(range(24)))
