"""An upload that is killed in the middle, with other tasks beside it and after it."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_quatrix.operators.files import QuatrixUploadOperator

CONN_ID = "lab_killed"
FOLDER = Path(os.environ["QUATRIX_EXAMPLE_FOLDER"])
# So slow that it can be killed in the middle.
BANDWIDTH = 15_000_000
RETRY_DELAY = timedelta(seconds=1)


def ask() -> None:
    """Ask for the profile, as a user of this provider does."""
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

    QuatrixHook(CONN_ID).get_conn().profile()


with DAG("lab_killed", schedule=None, catchup=False):

    @task(retries=1, retry_delay=RETRY_DELAY)
    def hold(number: int) -> None:
        """Ask, hold the slot until the upload's worker is dead, and ask again."""
        import time

        ask()
        while not (FOLDER / "killed").exists():
            time.sleep(0.5)
        ask()

    @task(retries=1, retry_delay=RETRY_DELAY)
    def go_on(number: int) -> None:
        """Ask once."""
        ask()

    upload = QuatrixUploadOperator(
        task_id="upload",
        quatrix_conn_id=CONN_ID,
        source=str(FOLDER / "large.bin"),
        target="/large.bin",
        bandwidth=BANDWIDTH,
        retries=1,
        retry_delay=RETRY_DELAY,
    )
    [upload, hold.expand(number=list(range(6)))] >> go_on.expand(number=list(range(20)))
