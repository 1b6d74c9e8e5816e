"""Sensors that wait for a person."""

from __future__ import annotations

import os

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_quatrix.sensors.captcha import QuatrixCaptchaSensor

# Airflow reads the whole DAG for every task that starts in the triggerer, so there are several runs of a small one.
with DAG("lab_waiters", schedule=None, catchup=False, max_active_runs=10, max_active_tasks=200):
    for number in range(50):
        QuatrixCaptchaSensor(
            task_id=f"wait_{number:02}",
            quatrix_conn_id="lab_waiters",
            deferrable=True,
            poke_interval=float(os.environ["LAB_POLL_SECONDS"]),
            timeout=600,
        )
