"""Waiting for a CAPTCHA in a real triggerer."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from scale import FULL
from scheduler_notes import wait_until_noted

from testing.airflow_settings import AIRFLOW_3

if TYPE_CHECKING:
    from collections.abc import Callable

    from system_accounts import Account

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from testing.airflow_process import AirflowProcess

RUNS = 20 if FULL else 4
SENSORS = RUNS * 50
POLL_INTERVAL = 5
KEEPALIVE = "GET /api/1.0/session/keepalive"


def states(airflow: AirflowProcess, dag_id: str, *run_ids: str) -> Counter[str]:
    return Counter(task["state"] for run_id in run_ids for task in airflow.task_instances(dag_id, run_id))


@pytest.mark.timeout(420)
def test_many_sensors_share_one_poll_and_take_no_worker(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, make_account: Callable[..., Account]
) -> None:
    account = make_account("system_many_sensors")
    assert airflow.run("system_use", {"conn_id": account.conn_id})[1] == "success"
    account.session_ids()
    quatrix_emulator.block_user(account.email)
    airflow.unpause("system_many_sensors")
    runs = [airflow.trigger("system_many_sensors") for _ in range(RUNS)]
    airflow.wait_until(
        lambda: states(airflow, "system_many_sensors", *runs)["deferred"] == SENSORS, "all sensors are deferred", 180
    )
    airflow.wait_until(
        lambda: triggers_started(airflow) == SENSORS and KEEPALIVE in quatrix_emulator.counters["by_call"],
        "all triggers have started",
        180,
    )
    before = quatrix_emulator.counters
    began = time.monotonic()
    time.sleep(6 * POLL_INTERVAL)
    after = quatrix_emulator.counters
    polls_that_fit = (time.monotonic() - began) / POLL_INTERVAL + 1

    assert states(airflow, "system_many_sensors", *runs) == {"deferred": SENSORS}
    polls = after["by_call"][KEEPALIVE] - before["by_call"][KEEPALIVE]
    assert 2 <= polls <= polls_that_fit
    assert after["requests"] - before["requests"] == polls
    assert after["logins"] == 1

    quatrix_emulator.unblock_user(account.email)
    assert {airflow.wait_for_run("system_many_sensors", run_id, 180) for run_id in runs} == {"success"}
    tasks = [task for run_id in runs for task in airflow.task_instances("system_many_sensors", run_id)]
    assert Counter(task["state"] for task in tasks) == {"success": SENSORS}
    assert quatrix_emulator.logins == 1
    assert {(task["hostname"], task["pid"]) for task in tasks} == {("", None)}
    assert not list((airflow.logs_folder / "dag_id=system_many_sensors").rglob("attempt=1.log"))


def triggers_started(airflow: AirflowProcess) -> int:
    """Return how many triggers run: Airflow 3 begins a log for each, Airflow 2 has a line in that of the triggerer."""
    if AIRFLOW_3:
        return len(list((airflow.logs_folder / "dag_id=system_many_sensors").rglob("attempt=1.log.trigger.*.log")))
    lines = (airflow.logs_folder / "components" / "triggerer.log").read_text().splitlines()
    return sum("trigger system_many_sensors/" in line and line.endswith(" starting") for line in lines)


@pytest.mark.timeout(180)
def links_of(airflow: AirflowProcess, run_id: str) -> dict[str, str | None]:
    """The buttons that the interface shows for the login."""
    found = airflow.get(f"dags/system_wait_for_login/dagRuns/{run_id}/taskInstances/login/links")
    links: dict[str, str | None] = found.get("extra_links", found)
    return links


def test_login_waits_in_the_triggerer_and_signs_in(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, make_account: Callable[..., Account]
) -> None:
    account = make_account("system_wait_for_login")
    quatrix_emulator.block_user(account.email)
    airflow.unpause("system_wait_for_login")
    run_id = airflow.trigger("system_wait_for_login")
    airflow.wait_until(lambda: states(airflow, "system_wait_for_login", run_id)["deferred"] == 1, "the login waits", 60)
    airflow.wait_until(lambda: quatrix_emulator.calls("GET", "session/keepalive") >= 2, "the block is watched", 60)
    wait_until_noted(airflow, "system_wait_for_login", run_id, "login")
    assert quatrix_emulator.logins == 1
    assert links_of(airflow, run_id) == {"Pass the CAPTCHA": f"{quatrix_emulator.url}/"}
    quatrix_emulator.unblock_user(account.email)
    assert airflow.wait_for_run("system_wait_for_login", run_id, 90) == "success"
    assert links_of(airflow, run_id) == {"Pass the CAPTCHA": None}
    log = str(airflow.get(f"dags/system_wait_for_login/dagRuns/{run_id}/taskInstances/login/logs/1", full_content=True))
    told = f"Waiting for a person to pass the CAPTCHA of {account.email} on {quatrix_emulator.host}"
    assert log.count(told) == 1
    assert len(account.session_ids()) == 1
    assert quatrix_emulator.logins == 1
    (login,) = airflow.task_instances("system_wait_for_login", run_id)
    assert login["hostname"] != ""
    assert airflow.run("system_use", {"conn_id": account.conn_id})[1] == "success"
    assert quatrix_emulator.logins == 1
