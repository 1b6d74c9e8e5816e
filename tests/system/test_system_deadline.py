"""Whoever is late is told while the DAG still waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dag_runs import AIRFLOW_3

if TYPE_CHECKING:
    from collections.abc import Callable

    from system_accounts import Account

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from testing.airflow_process import AirflowProcess


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no deadlines")
def test_a_deadline_that_passes_is_told_in_a_file(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, make_account: Callable[..., Account]
) -> None:
    account = make_account("system_deadline")
    airflow.unpause("system_deadline")
    run_id = airflow.trigger("system_deadline")

    def told() -> list[str]:
        return [entry["path"] for entry in quatrix_emulator.files(account.email) if entry["type"] == "F"]

    airflow.wait_until(lambda: told() == ["/late/system_deadline.txt"], "the notifier has written its file", 90)
    said = quatrix_emulator.read_file(account.email, "/late/system_deadline.txt").decode()
    assert said == f"{run_id} still waits"
    quatrix_emulator.put_file(account.email, "/in/a", b"1")
    assert airflow.wait_for_run("system_deadline", run_id, 60) == "success"
