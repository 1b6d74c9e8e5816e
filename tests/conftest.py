"""An Airflow home of the run's own, and a clean provider for every test."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["fixtures_browser"]

# Airflow reads its settings when it is imported, so they are made before any test module can do that.
if "airflow" in sys.modules:
    raise pytest.UsageError("airflow was imported before tests/conftest.py could give it a home folder")
for name in [name for name in os.environ if name.startswith(("AIRFLOW_", "_AIRFLOW_"))]:
    del os.environ[name]
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="quatrix-tests-"))
(AIRFLOW_HOME / "dags").mkdir()
os.environ |= {
    "AIRFLOW_HOME": str(AIRFLOW_HOME),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{AIRFLOW_HOME / 'airflow.db'}",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}
_numbers = count(1)


def pytest_unconfigure() -> None:
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def clean_provider(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Locks and login times of its own for every test, and no memory of the sessions of others."""
    locks = tmp_path_factory.getbasetemp() / f"quatrix-locks-{next(_numbers)}"
    monkeypatch.setenv("AIRFLOW__QUATRIX__LOCK_DIR", str(locks))
    yield
    # Tests that do without Airflow have not imported these and need not pay for it.
    if broker := sys.modules.get("airflow_provider_quatrix.sessions.broker"):
        broker.forget_brokers()
    if stores := sys.modules.get("airflow_provider_quatrix.sessions.stores"):
        stores.MemoryStore._texts.clear()


@pytest.fixture(scope="session")
def migrated_airflow_db() -> Path:
    """The file of Airflow's metadata database, with its tables."""
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, cwd=AIRFLOW_HOME)
    assert done.returncode == 0, done.stdout + done.stderr
    return AIRFLOW_HOME / "airflow.db"


@pytest.fixture
def airflow_db(migrated_airflow_db: Path) -> Path:
    """The same, for tests that read or write it: without Variables and connections when a test begins."""
    with closing(sqlite3.connect(migrated_airflow_db, timeout=30)) as database, database:
        database.execute("DELETE FROM variable")
        database.execute("DELETE FROM connection")
    return migrated_airflow_db
