"""What the lab lets a cluster do; also read by Airflow 2.11."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_quatrix.operators.files import QuatrixUploadOperator
from airflow_provider_quatrix.sensors.captcha import QuatrixCaptchaSensor

FOLDER = Path(os.environ["QUATRIX_EXAMPLE_FOLDER"])
POLL_SECONDS = float(os.environ["LAB_POLL_SECONDS"])
# So slow that it can be killed in the middle.
BANDWIDTH = 15_000_000
RETRY_DELAY = timedelta(seconds=1)


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


# Airflow reads the whole DAG for every task that starts in the triggerer, so there are several runs of a small one.
with DAG("lab_waiters", schedule=None, catchup=False, max_active_runs=10, max_active_tasks=200):
    for number in range(50):
        QuatrixCaptchaSensor(
            task_id=f"wait_{number:02}",
            quatrix_conn_id="lab_waiters",
            deferrable=True,
            poke_interval=POLL_SECONDS,
            timeout=600,
        )


with DAG("lab_killed", schedule=None, catchup=False):

    @task(retries=1, retry_delay=RETRY_DELAY)
    def hold(number: int) -> None:
        """Ask, hold the slot until the upload's worker is dead, and ask again."""
        import time

        ask("lab_killed")
        while not (FOLDER / "killed").exists():
            time.sleep(0.5)
        ask("lab_killed")

    @task(retries=1, retry_delay=RETRY_DELAY)
    def go_on(number: int) -> None:
        """Ask once."""
        ask("lab_killed")

    upload = QuatrixUploadOperator(
        task_id="upload",
        quatrix_conn_id="lab_killed",
        source=str(FOLDER / "large.bin"),
        target="/large.bin",
        bandwidth=BANDWIDTH,
        retries=1,
        retry_delay=RETRY_DELAY,
    )
    [upload, hold.expand(number=list(range(6)))] >> go_on.expand(number=list(range(20)))
