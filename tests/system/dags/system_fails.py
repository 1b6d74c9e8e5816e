"""A task that fails, and one that never runs."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, task

with DAG("system_fails", schedule=None, catchup=False):

    @task(retries=0)
    def work() -> None:
        raise ValueError("the reason of the failure")

    @task
    def after() -> None:
        pass

    work() >> after()
