"""The metadata database's own lock, on Airflow 2: no two processes change a record at the same moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from airflow import __version__ as airflow_version
from database_servers import DATABASES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_quatrix.emulator.client import EmulatorClient

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(
    not airflow_version.startswith("2."), reason="tasks of Airflow 3 do not read the database"
)


@pytest.fixture(params=list(DATABASES))
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    with DATABASES[request.param]() as url:
        yield url


def test_the_lock_of_a_database_is_held_until_it_is_given_up(
    database_url: str, quatrix_emulator: EmulatorClient, tmp_path: Path
) -> None:
    environment = os.environ | {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url,
        "PYTHONPATH": os.pathsep.join([*map(str, HERE.parents[:2]), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, str(HERE / "database_child.py"), quatrix_emulator.url, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["versions"] == [None, "one", "two", None]
    refused, given = found["others meanwhile"]
    assert refused == "Another task has held the lock of the Variable quatrix_session__b for 2 s"
    assert given == "the lock"
    assert found["of a lost connection"] == "the database's error"
    assert found["counted"] == 40
    assert found["after a kill"] == "of the killed"
    # One session for all; and with a lock nobody has to wait until a claim is certain.
    assert found["sessions"] == [1, 0]
    assert quatrix_emulator.logins == 1
