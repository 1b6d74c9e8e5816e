"""Nothing that the whole Airflow wrote holds a secret. These tests run last, to see what all others left."""

from __future__ import annotations

import base64
import json
import time
import uuid
from typing import TYPE_CHECKING

import pyotp
import pytest
from known_secrets import KnownSecrets, database_columns, database_files, log_files, trigger_arguments
from scheduler_notes import wait_until_noted
from system_accounts import put_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from system_accounts import Account

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from testing.airflow_process import AirflowProcess

pytestmark = pytest.mark.timeout(300)

SHARES = "system_secrets_shares"
# Nothing that turns up by chance, as four digits would.
PIN = f"Pin-{uuid.uuid4().hex}"


def everything(airflow: AirflowProcess) -> Iterator[tuple[str, bytes]]:
    """Return all places where Airflow writes, with what is there."""
    database = airflow.home / "airflow.db"
    yield from log_files(airflow.logs_folder)
    yield from database_columns(database)
    yield from trigger_arguments(database, airflow.home / "airflow.cfg")
    yield from database_files(database)


def places(airflow: AirflowProcess, secrets: KnownSecrets) -> list[str]:
    return [hit for where, content in everything(airflow) for hit in secrets.found_in(where, content)]


def wait_until(airflow: AirflowProcess, dag_id: str, run_id: str, task_id: str, state: str) -> None:
    def reached() -> bool:
        tasks = airflow.task_instances(dag_id, run_id)
        return any(task["task_id"] == task_id and task["state"] == state for task in tasks)

    airflow.wait_until(reached, f"{dag_id}.{task_id} is {state}", 90)


def test_the_search_finds_what_is_planted(airflow: AirflowProcess) -> None:
    planted = f"planted-{uuid.uuid4().hex}"
    secrets = KnownSecrets({planted: "canary", "planted-in-the-dag-file": "constant"})
    secrets.add("argument", "planted-in-a-trigger")
    put_connection(airflow, connection_id="fs_default", conn_type="fs")
    airflow.unpause("system_planted")
    run_id = airflow.trigger("system_planted", {"planted": planted})
    wait_until(airflow, "system_planted", run_id, "wait", "deferred")
    airflow.wait_until(
        lambda: "success" in {task["state"] for task in airflow.task_instances("system_planted", run_id)}, "planted", 60
    )
    found = places(airflow, secrets)
    for place in ("xcom.value", "dag_run.conf", "rendered_task_instance_fields.rendered_fields", "airflow.db"):
        assert any(hit.startswith("canary in ") and place in hit for hit in found), place
    logs = [hit for hit in found if hit.startswith("canary in dag_id=system_planted")]
    assert [hit.rpartition("/")[2] for hit in logs] == ["attempt=1.log"]
    assert any(hit.startswith("constant in serialized_dag.data") for hit in found)
    assert any(hit.startswith("argument in trigger of ") for hit in found)


def test_no_secret_is_left_anywhere(
    airflow: AirflowProcess,
    quatrix_emulator: EmulatorClient,
    make_account: Callable[..., Account],
    known_secrets: KnownSecrets,
    tmp_path: Path,
) -> None:
    """Search for the secrets of this test and of all before it.

    The CAPTCHA token that a person types into a form of Airflow is not among them: Airflow puts it into an XCom. It
    works once. A PIN gets into its connection from a file: Airflow 2 writes connections that are made by REST into
    its audit log, and hides there only what has a name that it takes for a secret's.
    """
    began = time.time()
    shares_run = start_sharing(airflow, quatrix_emulator, make_account, known_secrets)
    ran = dict(use_every_secret(airflow, quatrix_emulator, make_account, known_secrets, tmp_path))
    assert ran == {"totp": "success", "pin": "success", "api key": "success", "refused": "failed"}
    use_a_code_of_a_person(airflow, quatrix_emulator, make_account, known_secrets)

    act_as_recipient(airflow, quatrix_emulator, known_secrets, shares_run)

    waiting = make_account("system_secrets_wait")
    assert airflow.run("system_secrets", {"conn_id": waiting.conn_id})[1] == "success"
    waiting.session_ids()
    quatrix_emulator.block_user(waiting.email)
    airflow.unpause("system_secrets_wait")
    run_id = airflow.trigger("system_secrets_wait")
    wait_until(airflow, "system_secrets_wait", run_id, "gate", "deferred")
    wait_until(airflow, SHARES, shares_run, "late", "failed")
    assert {task["task_id"]: task["state"] for task in airflow.task_instances(SHARES, shares_run)} == {
        **dict.fromkeys(
            ("share", "quicklink", "request", "hand_on", "receipt", "revoke_share", "revoke_request"), "success"
        ),
        "waits": "deferred",
        "late": "failed",
    }
    arguments = dict(trigger_arguments(airflow.home / "airflow.db", airflow.home / "airflow.cfg"))
    for conn_id in (b"system_secrets_wait", b"system_secrets_shares"):
        assert any(conn_id in content for content in arguments.values()), conn_id

    known_secrets.add_all_codes(since=began)
    kinds = {what.partition(" of ")[0] for what in known_secrets.values.values()}
    assert kinds >= {"password", "session", "TOTP secret", "TOTP code", "PIN", "API key", "Basic header", "link"}
    assert places(airflow, known_secrets) == []


def use_every_secret(
    airflow: AirflowProcess,
    emulator: EmulatorClient,
    make_account: Callable[..., Account],
    secrets: KnownSecrets,
    tmp_path: Path,
) -> Iterator[tuple[str, str]]:
    """Run a DAG with each kind of secret; yield the kind and the run's state."""
    totp_secret = secrets.add_totp_secret(pyotp.random_base32())
    account = make_account("system_secrets_totp", totp_secret=totp_secret, extra={"totp_secret": totp_secret})
    yield "totp", airflow.run("system_secrets", {"conn_id": account.conn_id})[1]

    pin = secrets.add("PIN of a user", "q7Z9x")
    account = make_account("system_secrets_pin", pin=pin)
    import_connection(airflow, tmp_path / "pin.json", account, {"pin": pin})
    yield "pin", airflow.run("system_secrets", {"conn_id": account.conn_id})[1]

    key = secrets.add("API key of a user", f"key-{uuid.uuid4().hex}")
    account = make_account("system_secrets_key", extra={"api_key": key})
    emulator.add_api_key(key, account.email)
    yield "api key", airflow.run("system_secrets", {"conn_id": account.conn_id})[1]

    account = make_account("system_secrets_refused")
    emulator.add_user(account.email, secrets.add("password of nobody", f"Pw-{uuid.uuid4().hex}"))
    yield "refused", airflow.run("system_secrets", {"conn_id": account.conn_id})[1]


def import_connection(airflow: AirflowProcess, file: Path, account: Account, extra: dict[str, str]) -> None:
    fields = {
        "conn_type": "quatrix",
        "host": account.emulator.url,
        "login": account.email,
        "password": account.password,
        "extra": extra,
    }
    file.write_text(json.dumps({account.conn_id: fields}))
    imported = airflow.cli("connections", "import", "--overwrite", str(file))
    assert imported.returncode == 0, imported.stdout + imported.stderr


def use_a_code_of_a_person(
    airflow: AirflowProcess,
    emulator: EmulatorClient,
    make_account: Callable[..., Account],
    secrets: KnownSecrets,
) -> None:
    """Sign in with a code from a template; on a slow machine it may come too late, but it is sent all the same."""
    totp_secret = secrets.add_totp_secret(pyotp.random_base32())
    account = make_account("system_secrets_code", totp_secret=totp_secret)
    airflow.unpause("system_secrets_code")
    before = emulator.counters["codes_received"]
    airflow.post("variables", {"key": "system_mfa_token", "value": pyotp.TOTP(totp_secret).now()})
    airflow.wait_for_run("system_secrets_code", airflow.trigger("system_secrets_code"), 90)
    account.session_ids()
    assert emulator.counters["codes_received"] == before + 1


def start_sharing(
    airflow: AirflowProcess,
    emulator: EmulatorClient,
    make_account: Callable[..., Account],
    secrets: KnownSecrets,
) -> str:
    """Let a DAG make a share, a quicklink and a request, and return its run.

    The Variable has a name for which Airflow hides its value in the audit log.
    """
    account = make_account(SHARES)
    emulator.put_file(account.email, "/secrets/a.csv", b"12345")
    secrets.add("PIN of shares", PIN)
    secrets.add("PIN of shares, as it is sent", base64.b64encode(PIN.encode()).decode())
    airflow.post("variables", {"key": "system_share_pin_token", "value": PIN})
    airflow.unpause(SHARES)
    return airflow.trigger(SHARES)


def act_as_recipient(airflow: AirflowProcess, emulator: EmulatorClient, secrets: KnownSecrets, run_id: str) -> None:
    """Download what is shared, once it is waited for; an id is what there is to know of a link."""
    wait_until_noted(airflow, SHARES, run_id, "receipt")
    airflow.wait_until(lambda: len(emulator.shares) == 3, "all is shared", 90)
    ids = {found["kind"]: secrets.add(f"link of a {found['kind']}", found["id"]) for found in emulator.shares}
    assert ids.keys() == {"share", "quicklink", "request"}
    assert emulator.download_share(ids["share"], "downloads@example.com", PIN) == ["a.csv"]
