"""An Airflow home of the run's own, and a clean provider for every test."""

from __future__ import annotations

import gc
import inspect
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from itertools import count
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import pytest
from known_secrets import KnownSecrets, database_columns, database_files, log_files
from xdist.scheduler import LoadFileScheduling

from airflow_provider_quatrix.api import retry
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.sessions import shared_record
from airflow_provider_quatrix.transfer import reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.remote import Producer

pytest_plugins = ["fixtures_browser"]

# Airflow reads its settings when it is imported, so they are made before any test module can do that.
if "airflow" in sys.modules:
    raise pytest.UsageError("airflow was imported before tests/conftest.py could give it a home folder")
for name in [name for name in os.environ if name.startswith(("AIRFLOW_", "_AIRFLOW_"))]:
    del os.environ[name]
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="quatrix-tests-"))
DATABASE = AIRFLOW_HOME / "airflow.db"
(AIRFLOW_HOME / "dags").mkdir()
os.environ |= {
    "AIRFLOW_HOME": str(AIRFLOW_HOME),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{DATABASE}",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}
_numbers = count(1)
# Whose names are markers.
MARKED_FOLDERS = {"bench", "emulator", "rclone", "system", "transfers"}
# Each stays in one process, as no more than two whole Airflows should run at a time. They take longest, so they begin.
LONGEST_FOLDERS = ("system", "demo")
# Seconds to wait for what a test has left running; some tests let it hang.
PATIENCE = 20.0
# Seconds of a pause that nobody needs.
QUICK = 0.005


class ByFile(LoadFileScheduling):
    """Keeps the tests of a file in one process, and those of folders that start a whole Airflow."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        folder = PurePath(file).parent.name
        return folder if folder in LONGEST_FOLDERS else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    return ByFile(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the folders that can be left out; begin with the files that take longest where others run beside them."""
    for item in items:
        if item.path.parent.name in MARKED_FOLDERS:
            item.add_marker(item.path.parent.name)
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: _place(item.path.parent.name))


def _place(folder: str) -> int:
    return LONGEST_FOLDERS.index(folder) if folder in LONGEST_FOLDERS else len(LONGEST_FOLDERS)


def pytest_collection_finish() -> None:
    """Collect garbage seldom: with Airflow in memory, the default takes a sixteenth of the tests' CPU time."""
    gc.set_threshold(20_000, 20, 20)


def pytest_unconfigure() -> None:
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def clean_provider(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Locks and login times of its own for every test, and no memory of the sessions of others."""
    _empty_database()
    locks = tmp_path_factory.getbasetemp() / f"quatrix-locks-{next(_numbers)}"
    monkeypatch.setenv("AIRFLOW__QUATRIX__LOCK_DIR", str(locks))
    yield
    _wait_for_polls()
    # Tests that do without Airflow have not imported these and need not pay for it.
    if registry := sys.modules.get("airflow_provider_quatrix.sessions.registry"):
        registry.forget_sessions()
    if stores := sys.modules.get("airflow_provider_quatrix.sessions.stores"):
        stores.MemoryStore._texts.clear()
    _forget_masked_secrets()


@pytest.fixture(autouse=True)
def quick_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a claim count at once: no test that uses this has another host, which would need the pause of half a second.

    Tests of several hosts override it.
    """
    monkeypatch.setattr(shared_record, "SHORTEST_SETTLE", 0.0)
    monkeypatch.setattr(shared_record, "LONGEST_SETTLE", 0.0)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the pauses ahead of further tries short; the tests of the pauses themselves override it."""
    pause = retry.pause
    monkeypatch.setattr(retry, "pause", lambda *arguments: min(pause(*arguments), QUICK))
    monkeypatch.setattr(reader, "_PAUSE", QUICK)


def _empty_database() -> None:
    """Delete the Variables, where Airflow 2 keeps sessions and login times, and the connections of other tests."""
    if not DATABASE.exists():
        return
    with closing(sqlite3.connect(DATABASE, timeout=30)) as database, database:
        try:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        except sqlite3.DatabaseError as error:
            begins = {file.name: file.read_bytes()[:200] for file in AIRFLOW_HOME.glob(f"{DATABASE.name}*")}
            raise AssertionError(
                f"The last test has broken Airflow's database, whose files begin with {begins!r}"
            ) from error
        for table in sorted(tables & {"variable", "connection"}):
            database.execute(f"DELETE FROM {table}")  # noqa: S608 - one of two names


def _wait_for_polls() -> None:
    """Let polls end for which no trigger waits any longer: they would sign in while the next test counts logins."""
    ends = time.monotonic() + PATIENCE
    for thread in threading.enumerate():
        if thread.name.startswith("quatrix-poll-"):
            thread.join(max(0.0, ends - time.monotonic()))


def _forget_masked_secrets() -> None:
    """Empty Airflow's maskers, whose cost grows with the square of the secrets that they have seen."""
    for name in [name for name in sys.modules if name.startswith("airflow.") and name.endswith(".secrets_masker")]:
        make = getattr(sys.modules[name], "_secrets_masker", None)
        if make is not None and make.cache_info().currsize:
            make().patterns, make().replacer = set(), None


@pytest.fixture(scope="session")
def airflow_db() -> Iterator[Path]:
    """The file of Airflow's metadata database, with its tables; searched for secrets after the last test.

    It holds no Variables and connections when a test begins, see :func:`clean_provider`.
    """
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, cwd=AIRFLOW_HOME)
    assert done.returncode == 0, done.stdout + done.stderr
    yield DATABASE
    secrets = KnownSecrets()
    secrets.add_password(EMAIL, PASSWORD)
    searched = [*log_files(AIRFLOW_HOME / "logs"), *database_columns(DATABASE), *database_files(DATABASE)]
    assert [hit for where, content in searched for hit in secrets.found_in(where, content)] == []


@pytest.fixture
def shallow_stack() -> Iterator[None]:
    """Little recursion, so that a tree need not be a thousand levels deep to be deeper."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 150)
    yield
    sys.setrecursionlimit(limit)
