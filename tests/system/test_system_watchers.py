"""Triggerers that are killed while hundreds of files arrive."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Self

import pytest
from scale import FULL

from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from testing.airflow_process import AirflowProcess
from testing.airflow_settings import AIRFLOW_3

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = [
    pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no asset watchers"),
    pytest.mark.skipif(not FULL, reason="make test-scale runs it"),
]

FOLDERS = 5
FILES = 500
INTERVAL = 2
LISTING = ("GET", "file/metadata/{id}")
DAG_IDS = ("one", "other")
# Folder 0 is watched for two assets by one trigger, each of the others for an asset of its own. Both DAGs are told of
# all files, and claim them.
DAG_FILE = f"""
from datetime import timedelta

from airflow.sdk import DAG, Asset, AssetAny, AssetWatcher, task
from airflow_provider_quatrix.triggers.files import QuatrixFileEventTrigger

def watched(name, number):
    trigger = QuatrixFileEventTrigger(f"/in/{{number}}/*", poll_interval={INTERVAL})
    return Asset(name, watchers=[AssetWatcher(name="files", trigger=trigger)]), trigger

inboxes = [watched(f"inbox{{number}}", number) for number in range({FOLDERS})] + [watched("second", 0)]
assets, triggers = zip(*inboxes)
for dag_id in {DAG_IDS}:
    with DAG(dag_id, schedule=AssetAny(*assets), is_paused_upon_creation=False):

        @task(retries=3, retry_delay=timedelta(seconds=1))
        def claim(triggering_asset_events=None):
            from airflow_provider_quatrix.hooks.arrivals import claim_arrivals

            events = [event for of_asset in triggering_asset_events.values() for event in of_asset]
            return [file["key"] for file in claim_arrivals(events, "/taken", watcher=triggers)["files"]]

        claim()
"""


class Triggerer:
    """A triggerer as a user starts it; all its processes end together."""

    def __init__(self, airflow: AirflowProcess, name: str) -> None:
        self._airflow = airflow
        self._log = airflow.logs_folder / "components" / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.job_id = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it has a job of its own; call it for one triggerer at a time."""
        last = self._last_job()
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "airflow", "triggerer", "--skip-serve-logs"],
                cwd=self._airflow.home,
                env=self._airflow.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._airflow.wait_until(lambda: self._last_job() > last, "the triggerer runs", 60)
        self.job_id = self._last_job()

    def _last_job(self) -> int:
        ((number,),) = query(self._airflow, "SELECT coalesce(max(id), 0) FROM job WHERE job_type = 'TriggererJob'")
        return int(number)

    def kill(self) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def airflow(tmp_path: Path, quatrix_emulator: EmulatorClient) -> AirflowProcess:
    """An Airflow of which nothing runs yet, whose database knows what is to be watched."""
    connection = {"conn_type": "quatrix", "host": quatrix_emulator.url, "login": EMAIL, "password": PASSWORD}
    env = {
        "AIRFLOW_CONN_QUATRIX_DEFAULT": json.dumps(connection),
        "AIRFLOW__QUATRIX__LOCK_DIR": str(tmp_path / "locks"),
        # One who is dead is found out about soon.
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
        "AIRFLOW__API_AUTH__JWT_SECRET": "of-scheduler-and-api-server-of-the-tests",
    }
    process = AirflowProcess(tmp_path / "airflow", env=env, triggerer=False)
    process.migrate()
    (process.dags_folder / "watchers.py").write_text(DAG_FILE)
    done = process.cli("dags", "reserialize")
    assert done.returncode == 0, done.stdout + done.stderr
    return process


def query(airflow: AirflowProcess, text: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(airflow.home / "airflow.db", timeout=60)) as database:
        return database.execute(text).fetchall()


def told(airflow: AirflowProcess) -> list[dict[str, Any]]:
    """Return what all assets have been told so far, in its order."""
    return [json.loads(extra)["payload"] for (extra,) in query(airflow, "SELECT extra FROM asset_event ORDER BY id")]


@pytest.mark.timeout(600)
def test_every_file_is_told_and_handled_once_though_triggerers_are_killed(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient
) -> None:
    began = time.monotonic()
    numbers = iter(range(FILES))

    def drop(count: int) -> None:
        dropped = [next(numbers) for _ in range(count)]
        quatrix_emulator.put_files(EMAIL, [{"path": f"/in/{each % FOLDERS}/{each:03}", "size": 1} for each in dropped])

    def all_told(count: int) -> bool:
        return {each["path"] for each in told(airflow)} >= {f"/in/{each % FOLDERS}/{each:03}" for each in range(count)}

    def running() -> set[int]:
        return {job_id for (job_id,) in query(airflow, "SELECT DISTINCT triggerer_id FROM trigger")}

    def kill_and_restart(one: Triggerer, other: Triggerer) -> None:
        (killed,) = [each for each in (one, other) if each.job_id in running()]
        dead = killed.job_id
        killed.kill()
        drop(50)
        killed.start()
        airflow.wait_until(lambda: dead not in running(), "the other triggerer has the watchers", 60)

    with Triggerer(airflow, "one") as one, Triggerer(airflow, "other") as other:
        drop(100)
        airflow.wait_until(lambda: all_told(100), "the first files are told", 120)
        for wanted in (200, 300):
            drop(50)
            some = wanted - 80
            airflow.wait_until(lambda some=some: len(told(airflow)) > some, "some of the next files are told", 60)
            kill_and_restart(one, other)
            airflow.wait_until(lambda wanted=wanted: all_told(wanted), "all files are told", 120)
        listings, looked_for = quatrix_emulator.calls(*LISTING), time.monotonic() - began
        # At the most one per folder, interval and triggerer, and one more for every process that ran.
        assert listings <= FOLDERS * 2 * (looked_for / INTERVAL) + FOLDERS * 4
        # What is kept names every file, in a few characters each.
        airflow.wait_until(lambda: sum(map(marks, kept(airflow))) == 300, "what was told is kept", 60)
        assert len(kept(airflow)) == FOLDERS
        assert max(map(len, kept(airflow))) < FILES / FOLDERS * 10 + 100

        # From here on runs claim files while others arrive.
        with airflow:
            drop(100)
            airflow.wait_until(lambda: any(claimed(airflow).values()), "a run has claimed files", 120)
            kill_and_restart(one, other)
            drop(50)
            # A run may claim a file before the trigger has seen it.
            airflow.wait_until(lambda: sum(map(len, claimed(airflow).values())) >= FILES, "all are claimed", 240)
            airflow.wait_until(lambda: set(run_states(airflow)) == {"success"}, "all runs have ended", 120)

    by_path: dict[str, set[str]] = {}
    for each in told(airflow):
        by_path.setdefault(each["path"], set()).add(each["key"])
    # The same key each time.
    assert {len(keys) for keys in by_path.values()} == {1}
    assert len(by_path) >= 300
    keys = [key for of_run in claimed(airflow).values() for key in of_run]
    assert len(keys) == len(set(keys)) == FILES
    assert set(keys) >= {key for keys in by_path.values() for key in keys}
    assert {dag_id for dag_id, _ in claimed(airflow)} == set(DAG_IDS)
    places = [entry["path"] for entry in quatrix_emulator.files(EMAIL) if entry["type"] == "F"]
    assert len(places) == FILES
    assert [path for path in places if not path.startswith("/taken/")] == []
    assert quatrix_emulator.logins == 1


def claimed(airflow: AirflowProcess) -> dict[tuple[str, str], list[str]]:
    """Return the keys that each run has claimed, by DAG and run."""
    rows = query(airflow, "SELECT dag_id, run_id, value FROM xcom WHERE task_id = 'claim' AND key = 'return_value'")
    return {(dag_id, run_id): _value(text) for dag_id, run_id, text in rows}


def _value(text: str) -> list[str]:
    value = json.loads(text)
    # Airflow stores the text of a JSON document as a JSON document.
    return list(json.loads(value) if isinstance(value, str) else value)


def run_states(airflow: AirflowProcess) -> list[str]:
    return [state for (state,) in query(airflow, "SELECT state FROM dag_run")]


def kept(airflow: AirflowProcess) -> list[str]:
    """Return what the triggers keep: in the stores of assets, and in a Variable where one trigger serves two."""
    texts = [json.loads(value) for (value,) in query(airflow, "SELECT value FROM asset_state_store")]
    ((name,),) = query(airflow, "SELECT key FROM variable WHERE key LIKE 'quatrix_arrivals__%'")
    done = airflow.cli("variables", "get", name)
    return [*texts, next(line for line in done.stdout.splitlines() if line.startswith("{"))]


def marks(text: str) -> int:
    return len(json.loads(text)["reported"].split())
