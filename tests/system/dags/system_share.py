"""Many mapped tasks over one session, and one task over a session that stays."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_quatrix.operators.session import QuatrixLoginOperator, QuatrixLogoutOperator

CONN_ID = "{{ dag_run.conf['conn_id'] }}"


@task
def work(batch: int, dag_run: Any = None) -> str:
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

    return QuatrixHook(dag_run.conf["conn_id"]).get_conn().profile().email


with DAG("system_share", schedule=None, catchup=False):

    @task
    def batches(dag_run: Any = None) -> list[int]:
        return list(range(dag_run.conf["tasks"]))

    login = QuatrixLoginOperator(task_id="login", quatrix_conn_id=CONN_ID).as_setup()
    logout = QuatrixLogoutOperator(task_id="logout", quatrix_conn_id=CONN_ID).as_teardown(setups=login)
    made = batches()
    made >> login >> work.expand(batch=made) >> logout


with DAG("system_use", schedule=None, catchup=False):
    work(0)
