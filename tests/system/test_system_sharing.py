"""Many tasks of a real Airflow share one session."""

from __future__ import annotations

import configparser
import json
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet
from scale import FULL

from airflow_provider_quatrix.api.auth import Credentials
from airflow_provider_quatrix.sessions.cipher import RecordCipher
from airflow_provider_quatrix.sessions.packing import unpack
from airflow_provider_quatrix.sessions.stores import account_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from system_accounts import Account

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from testing.airflow_process import AirflowProcess

MANY = 200 if FULL else 60
INTERRUPTED = 64 if FULL else 32


def states(airflow: AirflowProcess, dag_id: str, run_id: str) -> Counter[tuple[str, str]]:
    return Counter((found["task_id"], found["state"]) for found in airflow.task_instances(dag_id, run_id))


def share(airflow: AirflowProcess, account: Account, tasks: int) -> str:
    airflow.unpause("system_share")
    return airflow.trigger("system_share", {"conn_id": account.conn_id, "tasks": tasks})


def wait_for_work(airflow: AirflowProcess, emulator: EmulatorClient, calls: int) -> None:
    airflow.wait_until(lambda: emulator.calls("GET", "profile") >= calls, f"{calls} tasks have worked", 120)


@pytest.mark.timeout(420)
def test_many_tasks_sign_in_once(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, make_account: Callable[..., Account]
) -> None:
    account = make_account("system_share")
    run_id = share(airflow, account, MANY)
    wait_for_work(airflow, quatrix_emulator, 1)
    assert len(account.session_ids()) == 1
    assert airflow.wait_for_run("system_share", run_id, 300) == "success"
    assert states(airflow, "system_share", run_id) == {
        ("batches", "success"): 1,
        ("login", "success"): 1,
        ("work", "success"): MANY,
        ("logout", "success"): 1,
    }
    assert quatrix_emulator.counters["by_call"] == {
        "GET /api/1.0/session/login": 1,
        "GET /api/1.0/profile": MANY,
        "GET /api/1.0/session/logout": 1,
    }


@pytest.mark.timeout(240)
def test_tasks_that_sign_in_themselves_get_blocked(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, make_account: Callable[..., Account]
) -> None:
    account = make_account("system_sign_in_each")
    run_id, state = airflow.run("system_sign_in_each", {"conn_id": account.conn_id}, timeout=180)
    assert state == "failed"
    ended = states(airflow, "system_sign_in_each", run_id)
    assert ended["work", "success"] <= 15
    assert ended["work", "failed"] >= 9
    assert quatrix_emulator.logins == 24
    assert quatrix_emulator.counters["limited_logins"] == ended["work", "failed"]


@pytest.mark.timeout(240)
def test_session_that_ends_in_the_middle_costs_one_more_login(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, make_account: Callable[..., Account]
) -> None:
    account = make_account("system_expiry")
    run_id = share(airflow, account, INTERRUPTED)
    wait_for_work(airflow, quatrix_emulator, 10)
    account.session_ids()
    assert quatrix_emulator.expire_sessions(account.email) == 1
    assert quatrix_emulator.calls("GET", "profile") < INTERRUPTED - 4
    assert airflow.wait_for_run("system_share", run_id, 180) == "success"
    assert states(airflow, "system_share", run_id)["work", "success"] == INTERRUPTED
    assert quatrix_emulator.logins == 2
    assert quatrix_emulator.counters["sessions_opened"] == 2


@pytest.mark.timeout(300)
def test_hosts_that_share_only_variables_sign_in_once(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, make_account: Callable[..., Account]
) -> None:
    account = make_account("system_hosts")
    for logins in (1, 2):
        run_id, state = airflow.run("system_hosts", {"conn_id": account.conn_id}, timeout=120)
        assert state == "success"
        assert states(airflow, "system_hosts", run_id) == {("work", "success"): 8}
        account.session_ids()
        assert quatrix_emulator.logins == logins
        assert quatrix_emulator.expire_sessions(account.email) == 1

    refused = make_account("system_hosts_refused")
    quatrix_emulator.add_user(refused.email, "another password")
    run_id, state = airflow.run("system_hosts", {"conn_id": refused.conn_id}, timeout=120)
    assert state == "failed"
    assert states(airflow, "system_hosts", run_id) == {("work", "failed"): 8}
    assert quatrix_emulator.counters["rejected_logins"] == 1


def use(airflow: AirflowProcess, conn_id: str) -> str:
    return airflow.run("system_use", {"conn_id": conn_id})[1]


def stored_record(airflow: AirflowProcess, emulator: EmulatorClient, account: Account) -> str:
    name = f"quatrix_session__{account_name(emulator.url, account.email)}"
    with closing(sqlite3.connect(airflow.home / "airflow.db", timeout=60)) as database:
        ((value,),) = database.execute("SELECT val FROM variable WHERE key = ? AND is_encrypted", (name,)).fetchall()
    settings = configparser.RawConfigParser()
    settings.read(airflow.home / "airflow.cfg")
    return Fernet(settings["core"]["fernet_key"]).decrypt(value.encode()).decode()


def test_another_password_makes_the_old_record_void(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, make_account: Callable[..., Account]
) -> None:
    account = make_account("system_password")
    assert use(airflow, account.conn_id) == "success"
    assert use(airflow, account.conn_id) == "success"
    assert quatrix_emulator.logins == 1
    old, (old_session,) = stored_record(airflow, quatrix_emulator, account), account.session_ids()

    make_account("system_password")

    assert stored_record(airflow, quatrix_emulator, account) == old
    assert old_session in account.session_ids()
    assert use(airflow, account.conn_id) == "success"
    assert quatrix_emulator.logins == 2
    assert stored_record(airflow, quatrix_emulator, account) != old


def test_record_without_the_connection_is_useless(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, make_account: Callable[..., Account]
) -> None:
    account = make_account("system_sealed")
    assert use(airflow, account.conn_id) == "success"
    text, (session_id,) = stored_record(airflow, quatrix_emulator, account), account.session_ids()
    assert session_id not in text

    def opened_by(password: str) -> str | None:
        credentials = Credentials(account.email, password, None, None)
        return unpack(text, RecordCipher(quatrix_emulator.url, credentials)).session.session_id

    assert opened_by(account.password) == session_id
    assert opened_by("") is None
    assert opened_by("another password") is None

    thief = make_account("system_thief")
    variable: dict[str, Any] = {"key": f"quatrix_session__{account_name(quatrix_emulator.url, thief.email)}"}
    variable["value"] = text
    airflow.post("variables", variable)
    assert use(airflow, thief.conn_id) == "success"
    ((_, sealed),) = json.loads(text)["sessions"].values()
    own = [entry for _, entry in json.loads(stored_record(airflow, quatrix_emulator, thief))["sessions"].values()]
    assert len(own) == 2
    assert sealed in own
    assert quatrix_emulator.logins == 2
    assert {call["user"] for call in quatrix_emulator.recent_calls[:2]} == {thief.email}
