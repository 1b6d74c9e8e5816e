"""Waiting for files in a real triggerer."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from system_accounts import Account

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from testing.airflow_process import AirflowProcess

SENSORS = 16
LISTING = ("GET", "file/metadata/{id}")


@pytest.mark.timeout(300)
def test_sensors_on_one_folder_share_a_poll_and_find_each_its_file(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, make_account: Callable[..., Account]
) -> None:
    account = make_account("system_files")
    quatrix_emulator.make_folder(account.email, "/in")
    airflow.unpause("system_files")
    run_id = airflow.trigger("system_files")

    def waiting() -> list[dict[str, str]]:
        return [task for task in airflow.task_instances("system_files", run_id) if task["state"] == "deferred"]

    airflow.wait_until(lambda: len(waiting()) == SENSORS + 1, "all sensors are deferred", 90)
    seen = quatrix_emulator.calls(*LISTING)
    airflow.wait_until(lambda: quatrix_emulator.calls(*LISTING) >= seen + 3, "the folder is watched", 60)
    quatrix_emulator.put_files(
        account.email, [{"path": f"/in/{number:02}.csv", "size": number} for number in range(SENSORS)]
    )
    assert airflow.wait_for_run("system_files", run_id, 120) == "success"
    tasks = {task["task_id"]: task for task in airflow.task_instances("system_files", run_id)}
    assert Counter(task["state"] for task in tasks.values()) == {"success": SENSORS + 2}
    links = airflow.get(f"dags/system_files/dagRuns/{run_id}/taskInstances/wait_00/links")
    links = links.get("extra_links", links)
    assert links == {"Open on Quatrix": f"{quatrix_emulator.url}/#/in", "Pass the CAPTCHA": None}
    # Nobody wants the result of this one, so that no worker has ever run it.
    assert (tasks["quiet"]["hostname"], tasks["quiet"]["pid"]) == ("", None)
    # One look-up of the folder for all of them; each of their own would have looked it up and listed it.
    assert quatrix_emulator.calls("POST", "file/id") == 1
    assert quatrix_emulator.requests == quatrix_emulator.calls(*LISTING) + 2
    assert quatrix_emulator.logins == 1
