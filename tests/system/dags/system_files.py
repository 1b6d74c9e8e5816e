"""Deferred file sensors on one folder, and a task that reads what they found."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_quatrix.sensors.files import QuatrixFileSensor

SENSORS = 16

with DAG("system_files", schedule=None, catchup=False, max_active_tasks=100):
    sensors = [
        QuatrixFileSensor(
            task_id=f"wait_{number:02}",
            quatrix_conn_id="system_files",
            path=f"/in/{number:02}.*",
            deferrable=True,
            poke_interval=3,
            timeout=300,
        )
        for number in range(SENSORS)
    ]

    quiet = QuatrixFileSensor(
        task_id="quiet",
        quatrix_conn_id="system_files",
        path="/in/*",
        deferrable=True,
        poke_interval=3,
        timeout=300,
        do_xcom_push=False,
    )

    @task
    def found(ti: Any = None) -> None:
        """Check that every sensor's result is here."""
        for number, sensor in enumerate(sensors):
            (file,) = ti.xcom_pull(task_ids=sensor.task_id)
            assert file["path"] == f"/in/{number:02}.csv", file
            assert file["size"] == number, file

    [*sensors, quiet] >> found()
