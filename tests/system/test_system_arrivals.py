"""Files that start DAG runs, in a whole Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from system_calls import wait_until_nobody_calls

from testing.airflow_settings import AIRFLOW_3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from system_accounts import Account

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from testing.airflow_process import AirflowProcess

DAG_ID = "quatrix_arrivals"
# Seconds between looks of the example.
INTERVAL = 10
LISTING = ("GET", "file/metadata/{id}")

pytestmark = pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no asset watchers")


@pytest.fixture
def watched(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, make_account: Callable[..., Account]
) -> Iterator[Account]:
    """An account whose folder is watched while the test runs, and no longer."""
    account = make_account("quatrix_default")
    quatrix_emulator.make_folder(account.email, "/partner/drop")
    file = airflow.dags_folder / "examples" / f"{DAG_ID}.py"
    airflow.unpause(DAG_ID)
    # Airflow finds out what is to be watched when it reads the file.
    file.touch()
    airflow.wait_until(lambda: quatrix_emulator.calls(*LISTING) >= 1, "the folder is watched", 90)
    yield account
    airflow.pause(DAG_ID)
    file.touch()
    wait_until_nobody_calls(airflow, quatrix_emulator, LISTING, INTERVAL, "the folder is no longer watched")


@pytest.mark.timeout(300)
def test_a_dropped_file_starts_a_run_that_handles_it_once(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, watched: Account
) -> None:
    def runs() -> list[dict[str, str]]:
        found: list[dict[str, str]] = airflow.get(f"dags/{DAG_ID}/dagRuns")["dag_runs"]
        return found

    def done() -> list[str]:
        return [entry["path"] for entry in quatrix_emulator.files(watched.email) if entry["type"] == "F"]

    assert runs() == []
    for number in range(2):
        quatrix_emulator.put_file(watched.email, f"/partner/drop/{number}.csv", b"1")
        quatrix_emulator.advance(60)
        wanted = [f"/partner/done/{each}.csv" for each in range(number + 1)]
        airflow.wait_until(lambda wanted=wanted: done() == wanted, "the file is handled", 90)
    airflow.wait_until(lambda: {run["state"] for run in runs()} == {"success"}, "the runs have ended", 60)
    assert [run["run_type"] for run in runs()] == ["asset_triggered"] * 2
    events = airflow.get("assets/events", limit=100)["asset_events"]
    told = [event["extra"]["payload"] for event in events if "payload" in event["extra"]]
    assert sorted(each["path"] for each in told) == ["/partner/drop/0.csv", "/partner/drop/1.csv"]
    # Nothing is left of the claims.
    folders = [entry["path"] for entry in quatrix_emulator.files(watched.email) if entry["type"] == "D"]
    assert [path for path in folders if path.startswith("/partner/processing/")] == []
    assert quatrix_emulator.logins == 1
