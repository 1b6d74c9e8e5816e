from __future__ import annotations

import re
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from scheduler_notes import wait_until_logged

from airflow_provider_quatrix.emulator.client import EmulatorClient
from demo.partner import CONTENT, Partner
from testing.airflow_client import AirflowClient
from testing.emulator_process import EMAIL

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Program

ROOT = Path(__file__).parents[2]
NEEDS_A_KEY_RING = {"quatrix_decrypt"}
pytestmark = pytest.mark.system


def addresses(printed: str) -> dict[str, str]:
    found = dict(re.findall(r"^(Airflow|Emulator): +(http://127\.0\.0\.1:\d+) ", printed, re.MULTILINE))
    assert set(found) == {"Airflow", "Emulator"}, printed
    return found


def files(emulator: EmulatorClient) -> set[tuple[str, int, float]]:
    """Path, size and time of all files, the Trash left out."""
    return {
        (found["path"], found["size"], round(found["modified"], 3))
        for found in emulator.files(EMAIL)
        if found["type"] == "F" and not found["path"].startswith("/Trash/")
    }


def act_as_partner(airflow: AirflowClient, emulator: EmulatorClient) -> None:
    """Return what is asked for, and download what is shared: a report, and the answer to the orders."""
    partner = Partner(emulator)

    def has_all() -> bool:
        partner.read_mails()
        return sorted(partner.downloaded) == ["answer.txt", "report.csv"]

    airflow.wait_until(has_all, "a report and an answer are shared", 300)


def approve(airflow: AirflowClient, logs_folder: Path, run_id: str) -> None:
    """Let go out what a person is asked about."""
    dag_id = "quatrix_approved_share"
    airflow.wait_until(
        lambda: "awaiting_input" in {task["state"] for task in airflow.task_instances(dag_id, run_id)},
        "a question",
        120,
    )
    wait_until_logged(airflow, logs_folder, dag_id, run_id, "approve")
    path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
    airflow.patch(path, {"chosen_options": ["Approve"], "params_input": {}})


def stop(program: Program) -> None:
    program.note_children()
    program.process.send_signal(signal.SIGINT)
    assert "Both are stopped." in program.finish(timeout=60)
    assert program.process.returncode == 0
    assert program.left_over() == []


@pytest.mark.timeout(900)
def test_every_example_dag_succeeds_and_the_next_start_goes_on(start: Callable[..., Program]) -> None:
    program = start("demo.up")
    first = addresses(program.read_until("Ctrl-C stops both"))
    with closing(AirflowClient(first["Airflow"])) as airflow, EmulatorClient(first["Emulator"]) as emulator:
        connection = airflow.get("connections/quatrix_default")
        port = int(first["Emulator"].rpartition(":")[2])
        assert (connection["conn_type"], connection["host"], connection["port"]) == (
            "quatrix",
            "http://127.0.0.1",
            port,
        )
        assert emulator.sessions == []
        dag_ids = sorted({path.stem for path in (ROOT / "dags").glob("*.py")} - NEEDS_A_KEY_RING)
        for dag_id in dag_ids:
            airflow.unpause(dag_id)
        runs = {dag_id: airflow.trigger(dag_id) for dag_id in dag_ids}
        act_as_partner(airflow, emulator)
        approve(airflow, program.home / "logs", runs["quatrix_approved_share"])
        assert {dag_id: airflow.wait_for_run(dag_id, runs[dag_id], 300) for dag_id in dag_ids} == dict.fromkeys(
            dag_ids, "success"
        )
        # One for all, and another after the DAG that signs out at its end.
        assert emulator.logins <= 2
        kept = files(emulator)
    assert any(path.startswith("/partner/archive/orders") for path, _, _ in kept)
    assert any(path.startswith("/dropbox/") and path.endswith("/done/orders.csv") for path, _, _ in kept)
    with closing(sqlite3.connect(program.home / "orders.db")) as database:
        assert database.execute("SELECT count(*) FROM orders").fetchone() == (CONTENT.count(b"\n") - 1,)
    stop(program)
    for address in first.values():
        with pytest.raises(requests.ConnectionError):
            requests.get(address, timeout=5)

    program = start("demo.up")
    again = addresses(program.read_until("Ctrl-C stops both"))
    with closing(AirflowClient(again["Airflow"])) as airflow, EmulatorClient(again["Emulator"]) as emulator:
        for dag_id in dag_ids:
            assert airflow.wait_for_run(dag_id, runs[dag_id], 10) == "success"
        assert files(emulator) == kept
    stop(program)


def test_a_signal_while_they_start_leaves_nothing(start: Callable[..., Program]) -> None:
    program = start("demo.up")
    program.read_until("Starting")
    # The emulator's log is there once its process is.
    while not (program.home / "logs" / "components" / "emulator.log").exists():
        assert program.process.poll() is None
        time.sleep(0.02)
    program.note_children()
    program.process.send_signal(signal.SIGTERM)
    assert "Both are stopped." in program.finish(timeout=60)
    assert program.process.returncode == 0
    assert program.left_over() == []
