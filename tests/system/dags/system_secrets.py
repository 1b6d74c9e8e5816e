"""Uses every kind of secret, well and badly, and plants one that is no secret."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.standard.sensors.filesystem import FileSensor

from airflow_provider_quatrix.operators.session import QuatrixKeepaliveOperator, QuatrixLoginOperator
from airflow_provider_quatrix.operators.shares import (
    QuatrixFileRequestOperator,
    QuatrixRevokeShareOperator,
    QuatrixShareOperator,
)
from airflow_provider_quatrix.sensors.captcha import QuatrixCaptchaSensor
from airflow_provider_quatrix.sensors.shares import QuatrixShareDownloadedSensor

CONN_ID = "{{ dag_run.conf['conn_id'] }}"
SHARES_CONN_ID = "system_secrets_shares"


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

with DAG("system_secrets_shares", schedule=None, catchup=False):
    share = QuatrixShareOperator(
        task_id="share",
        quatrix_conn_id=SHARES_CONN_ID,
        paths="/secrets/a.csv",
        recipients=["downloads@example.com", "idles@example.com"],
        pin="{{ var.value.system_share_pin_token }}",
        create_contacts=True,
    )
    quicklink = QuatrixShareOperator(
        task_id="quicklink",
        quatrix_conn_id=SHARES_CONN_ID,
        paths="/secrets/a.csv",
        pin="{{ var.value.system_share_pin_token }}",
        quicklink=True,
    )
    request = QuatrixFileRequestOperator(
        task_id="request",
        quatrix_conn_id=SHARES_CONN_ID,
        folder="/secrets/in",
        recipients="sends@example.com",
        create_contacts=True,
        create_parents=True,
    )
    receipt, waits, late = (
        QuatrixShareDownloadedSensor(
            task_id=task_id,
            quatrix_conn_id=SHARES_CONN_ID,
            share=shared,
            recipients=recipients,
            deferrable=True,
            poke_interval=2,
            timeout=600,
        )
        for task_id, shared, recipients in (
            ("receipt", share.output, 1),
            ("waits", quicklink.output, 1),
            ("late", share.output, "all"),
        )
    )
    revoke_share, revoke_request = (
        QuatrixRevokeShareOperator(task_id=f"revoke_{name}", quatrix_conn_id=SHARES_CONN_ID, share=shared)
        for name, shared in (("share", share.output), ("request", request.output))
    )

    @task
    def hand_on(shares: list[dict[str, Any]]) -> None:
        """Take the links as if for somebody; whatever a task logs, Airflow 3's workers print as it is."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        for each in shares:
            assert QuatrixHook(SHARES_CONN_ID).share_link(each).startswith("http")

    [receipt, hand_on([share.output, quicklink.output, request.output])] >> revoke_share >> late
    receipt >> revoke_request

with DAG("system_planted", schedule=None, catchup=False, params={"constant": "planted-in-the-dag-file"}):

    @task
    def plant(rendered: str, dag_run: Any = None) -> str:
        print(dag_run.conf["planted"])  # noqa: T201 - into the log of the task
        return str(dag_run.conf["planted"])

    plant("{{ dag_run.conf['planted'] }}")
    FileSensor(task_id="wait", filepath="/nowhere/planted-in-a-trigger", deferrable=True, poke_interval=2, timeout=600)
