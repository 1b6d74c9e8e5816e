"""Many tasks that each ask once. A file of its own, as every task reads the file that it is in."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task


def ask(conn_id: str) -> None:
    """Ask for the profile, as a user of this provider does."""
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

    QuatrixHook(conn_id).get_conn().profile()


@task
def numbers(dag_run: Any = None) -> list[int]:
    """Tell how many tasks there shall be."""
    return list(range(dag_run.conf["tasks"]))


with DAG("lab_tasks", schedule=None, catchup=False):

    @task(retries=0)
    def work(number: int, dag_run: Any = None) -> None:
        """Ask once."""
        ask(dag_run.conf["conn_id"])

    work.expand(number=numbers())


with DAG("lab_blocked", schedule=None, catchup=False):

    @task(retries=0)
    def refused(number: int, dag_run: Any = None) -> None:
        """Ask, and be told of the block."""
        from airflow_provider_quatrix.api import QuatrixCaptchaRequired

        try:
            ask(dag_run.conf["conn_id"])
        except QuatrixCaptchaRequired:
            return
        raise RuntimeError("the account is not blocked")

    refused.expand(number=numbers())
