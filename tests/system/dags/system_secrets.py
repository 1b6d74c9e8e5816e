"""Uses every kind of secret, well and badly, and plants one that is no secret."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.standard.sensors.filesystem import FileSensor

from airflow_provider_quatrix.operators.session import QuatrixKeepaliveOperator, QuatrixLoginOperator
from airflow_provider_quatrix.sensors.captcha import QuatrixCaptchaSensor

CONN_ID = "{{ dag_run.conf['conn_id'] }}"


@task
def profile(dag_run: Any = None) -> str:
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

    return QuatrixHook(dag_run.conf["conn_id"]).get_conn().profile().email


with DAG("system_secrets", schedule=None, catchup=False):
    login = QuatrixLoginOperator(task_id="login", quatrix_conn_id=CONN_ID)
    keepalive = QuatrixKeepaliveOperator(task_id="keepalive", quatrix_conn_id=CONN_ID)
    login >> keepalive >> profile()

with DAG("system_secrets_code", schedule=None, catchup=False):
    QuatrixLoginOperator(
        task_id="login",
        quatrix_conn_id="system_secrets_code",
        mfa_code="{{ var.value.system_mfa_token }}",
    )

with DAG("system_secrets_wait", schedule=None, catchup=False):
    QuatrixCaptchaSensor(
        task_id="gate",
        quatrix_conn_id="system_secrets_wait",
        deferrable=True,
        poke_interval=2,
        timeout=600,
    )

with DAG("system_planted", schedule=None, catchup=False, params={"constant": "planted-in-the-dag-file"}):

    @task
    def plant(rendered: str, dag_run: Any = None) -> str:
        print(dag_run.conf["planted"])  # noqa: T201 - into the log of the task
        return str(dag_run.conf["planted"])

    plant("{{ dag_run.conf['planted'] }}")
    FileSensor(task_id="wait", filepath="/nowhere/planted-in-a-trigger", deferrable=True, poke_interval=2, timeout=600)
