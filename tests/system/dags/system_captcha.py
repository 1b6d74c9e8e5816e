"""Deferred sensors for one connection, and a login that waits for a person."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_quatrix.operators.session import QuatrixLoginOperator
from airflow_provider_quatrix.sensors.captcha import QuatrixCaptchaSensor

# Airflow reads the whole DAG anew for every task that starts in the triggerer: a DAG of 1,000 would be slow by itself.
with DAG("system_many_sensors", schedule=None, catchup=False, max_active_runs=20, max_active_tasks=1000):
    for number in range(50):
        QuatrixCaptchaSensor(
            task_id=f"gate_{number:02}",
            quatrix_conn_id="system_many_sensors",
            deferrable=True,
            poke_interval=5,
            timeout=600,
        )

with DAG("system_wait_for_login", schedule=None, catchup=False):
    QuatrixLoginOperator(
        task_id="login",
        quatrix_conn_id="system_wait_for_login",
        wait_for_captcha=True,
        deferrable=True,
        poll_interval=1,
        captcha_timeout=300,
    )
