"""A person passes the CAPTCHA for a DAG that waits."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from scheduler_notes import wait_until_noted
from system_calls import wait_until_nobody_calls

from testing.airflow_settings import AIRFLOW_3

if TYPE_CHECKING:
    from collections.abc import Callable

    from known_secrets import KnownSecrets
    from system_accounts import Account

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from testing.airflow_process import AirflowProcess

DAG_ID = "quatrix_person_in_the_loop"
TOKEN = "token-of-a-person"
# Seconds between looks of the example.
INTERVAL = 5

pytestmark = pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no tasks that wait for a person")


def states(airflow: AirflowProcess, run_id: str) -> dict[str, str]:
    return {task["task_id"]: task["state"] for task in airflow.task_instances(DAG_ID, run_id)}


def wait_for_question(airflow: AirflowProcess, run_id: str) -> dict[str, Any]:
    """Return the question that a person sees, once the task waits for the answer."""

    def question() -> dict[str, Any] | None:
        asked = airflow.get(f"dags/{DAG_ID}/dagRuns/{run_id}/hitlDetails")["hitl_details"]
        return asked[0] if asked and asked[0]["task_instance"]["state"] in ("deferred", "awaiting_input") else None

    found: dict[str, Any] = airflow.wait_until(question, "a person is asked", 90)
    wait_until_noted(airflow, DAG_ID, run_id, "ask")
    return found


def answer(airflow: AirflowProcess, run_id: str, token: str) -> None:
    path = f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/ask/-1/hitlDetails"
    airflow.patch(path, {"chosen_options": ["OK"], "params_input": {"token": token}})


@pytest.mark.timeout(240)
def test_a_person_unblocks_the_account(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, make_account: Callable[..., Account]
) -> None:
    account = make_account("quatrix_default")
    quatrix_emulator.configure(captcha_tokens=[TOKEN])
    assert airflow.run("system_use", {"conn_id": account.conn_id})[1] == "success"
    account.session_ids()
    quatrix_emulator.block_user(account.email)
    airflow.unpause(DAG_ID)

    run_id = airflow.trigger(DAG_ID)
    assert "CAPTCHA" in wait_for_question(airflow, run_id)["subject"]
    assert quatrix_emulator.calls("POST", "session/unblock-captcha") == 0
    answer(airflow, run_id, TOKEN)

    assert airflow.wait_for_run(DAG_ID, run_id, 90) == "success"
    ended = states(airflow, run_id)
    # The gate may have noticed it before the task that ends the waiting.
    assert ended.pop("gate") in ("skipped", "success")
    assert set(ended.values()) == {"success"}
    assert quatrix_emulator.counters["captcha_passed"] == 1
    assert quatrix_emulator.blocks == []
    assert quatrix_emulator.logins == 1

    run_id = airflow.trigger(DAG_ID)
    assert airflow.wait_for_run(DAG_ID, run_id, 90) == "success"
    assert states(airflow, run_id)["ask"] == "skipped"


@pytest.mark.timeout(240)
def test_a_captcha_that_is_passed_in_the_browser_is_noticed(
    airflow: AirflowProcess,
    quatrix_emulator: EmulatorClient,
    make_account: Callable[..., Account],
    known_secrets: KnownSecrets,
) -> None:
    account = make_account("quatrix_default")
    key = known_secrets.add("API key of a user", f"key-{uuid.uuid4().hex}")
    watch = make_account("quatrix_with_api_key", extra={"api_key": key})
    quatrix_emulator.add_api_key(key, watch.email)
    # A session that the block has not ended is asked at every look; without one it takes minutes to be noticed.
    assert airflow.run("system_use", {"conn_id": account.conn_id})[1] == "success"
    account.session_ids()
    quatrix_emulator.block_user(account.email)
    airflow.unpause(DAG_ID)

    run_id = airflow.trigger(DAG_ID)
    wait_for_question(airflow, run_id)
    (told,) = [found["path"] for found in quatrix_emulator.files(watch.email) if found["type"] == "F"]
    assert told.startswith(f"/operations/{DAG_ID}.ask.")
    text = quatrix_emulator.read_file(watch.email, told).decode()
    assert text.startswith(f"Quatrix waits for a person to pass the CAPTCHA of {account.email} on ")
    assert f"/dags/{DAG_ID}/runs/" in text
    quatrix_emulator.unblock_user(account.email)

    assert airflow.wait_for_run(DAG_ID, run_id, 90) == "success"
    assert states(airflow, run_id) == {
        "is_anything_blocked": "success",
        "ask": "skipped",
        "gate": "success",
        "unblock": "skipped",
        "end_waiting": "success",
        "work": "success",
    }


@pytest.mark.timeout(240)
def test_a_wrong_token_fails_and_says_what_to_do(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, make_account: Callable[..., Account]
) -> None:
    """The last test with this account, as Airflow remembers the block that it leaves."""
    account = make_account("quatrix_default")
    quatrix_emulator.block_user(account.email)
    airflow.unpause(DAG_ID)

    run_id = airflow.trigger(DAG_ID)
    wait_for_question(airflow, run_id)
    answer(airflow, run_id, "mistyped-token")

    assert airflow.wait_for_run(DAG_ID, run_id, 90) == "failed"
    ended = states(airflow, run_id)
    assert (ended["unblock"], ended["gate"], ended["work"]) == ("failed", "skipped", "upstream_failed")
    logs = airflow.logs_folder / f"dag_id={DAG_ID}" / f"run_id={run_id}" / "task_id=unblock"
    (log,) = [path.read_text() for path in logs.glob("attempt=*.log")]
    assert "get a new one" in log
    assert quatrix_emulator.counters["captcha_rejected"] == 1
    assert quatrix_emulator.logins == 1
    # The gate was skipped while it waited, and its trigger may ask once more: not in the next test, which counts calls.
    call = ("GET", "session/keepalive")
    wait_until_nobody_calls(airflow, quatrix_emulator, call, INTERVAL, "the gate waits no longer")
