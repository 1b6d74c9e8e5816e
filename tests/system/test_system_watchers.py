"""Triggerers that are killed while hundreds of files arrive."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from scale import FULL
from transfers.forking import Workers

from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from testing.airflow_process import AirflowProcess
from testing.airflow_settings import AIRFLOW_3

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = [
    pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no asset watchers"),
    pytest.mark.skipif(not FULL, reason="make test-scale runs it"),
]

FOLDERS = 5
FILES = 500
INTERVAL = 2
KEY = "watchers-key-1"
LISTING = ("GET", "file/metadata/{id}")
CLAIM_CHILD = Path(__file__).parents[1] / "transfers" / "claim_child.py"
# Folder 0 is watched for two assets by one trigger, each of the others for an asset of its own.
DAG_FILE = f"""
from airflow.sdk import DAG, Asset, AssetWatcher
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow_provider_quatrix.triggers.files import QuatrixFileEventTrigger

def watched(name, number):
    trigger = QuatrixFileEventTrigger(f"/in/{{number}}/*", poll_interval={INTERVAL})
    return Asset(name, watchers=[AssetWatcher(name="files", trigger=trigger)])

assets = [watched(f"inbox{{number}}", number) for number in range({FOLDERS})] + [watched("second", 0)]
with DAG("watchers", schedule=assets, is_paused_upon_creation=False):
    EmptyOperator(task_id="nothing")
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
    quatrix_emulator.add_api_key(KEY, EMAIL)
    connection = {"conn_type": "quatrix", "host": quatrix_emulator.url, "login": EMAIL, "password": PASSWORD}
    env = {
        "AIRFLOW_CONN_QUATRIX_DEFAULT": json.dumps(connection),
        "AIRFLOW__QUATRIX__LOCK_DIR": str(tmp_path / "locks"),
        # One who is dead is found out about soon.
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
    }
    process = AirflowProcess(tmp_path / "airflow", env=env)
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
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, tmp_path: Path
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

    with Triggerer(airflow, "one") as one, Triggerer(airflow, "other") as other:
        drop(100)
        airflow.wait_until(lambda: all_told(100), "the first files are told", 120)
        for wanted in (250, 400):
            drop(75)
            some = wanted - 130
            airflow.wait_until(lambda some=some: len(told(airflow)) > some, "some of the next files are told", 60)
            (killed,) = [each for each in (one, other) if each.job_id in running()]
            killed.kill()
            drop(75)
            dead = killed.job_id
            killed.start()
            airflow.wait_until(lambda wanted=wanted: all_told(wanted), "all files are told", 120)
            assert dead not in running()
        drop(100)
        airflow.wait_until(lambda: all_told(FILES), "the last files are told", 120)
        listings, looked_for = quatrix_emulator.calls(*LISTING), time.monotonic() - began
        # What is kept names every file, in a few characters each.
        airflow.wait_until(lambda: sum(map(marks, kept(airflow))) == FILES, "what was told is kept", 60)

    # At the most one per folder, interval and triggerer, and one more for every process that ran.
    assert listings <= FOLDERS * 2 * (looked_for / INTERVAL) + FOLDERS * 4
    assert quatrix_emulator.logins == 1
    assert len(kept(airflow)) == FOLDERS
    assert max(map(len, kept(airflow))) < FILES / FOLDERS * 10 + 100
    by_path: dict[str, set[str]] = {}
    for each in told(airflow):
        by_path.setdefault(each["path"], set()).add(each["key"])
    # The same key each time.
    assert [len(keys) for keys in by_path.values()] == [1] * FILES
    owners = claimed_by_two(quatrix_emulator, told(airflow), tmp_path)
    assert sorted(key for keys in owners for key in keys) == sorted(key for keys in by_path.values() for key in keys)
    places = [entry["path"] for entry in quatrix_emulator.files(EMAIL) if entry["type"] == "F"]
    assert len(places) == FILES
    assert [path for path in places if not path.startswith("/taken/")] == []


def kept(airflow: AirflowProcess) -> list[str]:
    """Return what the triggers keep: in the stores of assets, and in a Variable where one trigger serves two."""
    texts = [json.loads(value) for (value,) in query(airflow, "SELECT value FROM asset_state_store")]
    ((name,),) = query(airflow, "SELECT key FROM variable WHERE key LIKE 'quatrix_arrivals__%'")
    done = airflow.cli("variables", "get", name)
    return [*texts, next(line for line in done.stdout.splitlines() if line.startswith("{"))]


def marks(text: str) -> int:
    return len(json.loads(text)["told"].split())


def claimed_by_two(emulator: EmulatorClient, events: list[dict[str, Any]], tmp_path: Path) -> list[list[str]]:
    """Let two runs on two hosts get all events at once, and return what each has claimed."""
    orders = [
        {
            "url": emulator.url,
            "api_key": KEY,
            "folder": "/taken",
            "owner": f"run{number}",
            "kill_after": -1,
            "arrivals": [{name: each[name] for name in ("path", "id", "key")} for each in unique(events)],
            "answer": str(tmp_path / f"answer{number}"),
        }
        for number in range(2)
    ]
    answers: dict[int, list[str]] = {}

    def run(number: int) -> None:
        with Workers(CLAIM_CHILD) as workers:
            answers[number] = list(json.loads(workers.run(orders[number]) or ""))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[number] for number in range(2)]


def unique(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({each["key"]: each for each in events}.values())
