"""A DAG that is late, on an Airflow that has deadlines."""

from __future__ import annotations

from datetime import timedelta

from airflow import __version__
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_quatrix.notifications.quatrix import QuatrixNotifier
from airflow_provider_quatrix.sensors.files import QuatrixFileSensor

if not __version__.startswith("2."):
    from airflow.sdk.definitions.callback import AsyncCallback
    from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

    late = DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=1),
        callback=AsyncCallback(
            QuatrixNotifier,
            kwargs={
                "path": "/late/{{ dag_run.dag_id }}.txt",
                "text": "{{ dag_run.run_id }} still waits",
                "quatrix_conn_id": "system_deadline",
            },
        ),
    )

    with DAG("system_deadline", schedule=None, catchup=False, deadline=late):
        QuatrixFileSensor(
            task_id="wait",
            quatrix_conn_id="system_deadline",
            path="/in/*",
            deferrable=True,
            poke_interval=1,
            timeout=300,
        )
