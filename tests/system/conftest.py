"""One real Airflow for all tests of this folder."""

from __future__ import annotations

import json
import shutil
import socket
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from known_secrets import KnownSecrets
from system_accounts import Account, put_connection

from testing.airflow_process import AirflowProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_quatrix.emulator.client import EmulatorClient

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PARALLELISM = 16
_running: list[AirflowProcess] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the search for secrets come after everything that might leak one."""
    items.sort(key=lambda item: item.path.name == "test_system_secrets.py")


@pytest.fixture(scope="session")
def known_secrets() -> KnownSecrets:
    return KnownSecrets()


@pytest.fixture(scope="session")
def metrics_inbox() -> Iterator[socket.socket]:
    """Where the Airflow sends its metrics."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inbox:
        inbox.bind(("127.0.0.1", 0))
        inbox.setblocking(False)
        yield inbox


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory, metrics_inbox: socket.socket) -> Iterator[AirflowProcess]:
    """The Airflow, with the DAGs of this folder and the example DAGs."""
    home = tmp_path_factory.mktemp("airflow")
    shutil.copytree(HERE / "dags", home / "dags")
    shutil.copytree(ROOT / "dags", home / "dags" / "examples")
    env = {
        "AIRFLOW__QUATRIX__LOCK_DIR": str(home / "locks"),
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": str(metrics_inbox.getsockname()[1]),
        "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
        # All the others would fill the socket's memory before a test reads them.
        "AIRFLOW__METRICS__METRICS_ALLOW_LIST": "^quatrix",
        "AIRFLOW__METRICS__METRICS_USE_PATTERN_MATCH": "True",
    }
    with AirflowProcess(home, parallelism=PARALLELISM, env=env) as process:
        _running.append(process)
        yield process


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Stop the Airflow after this folder's last test: it would take time and logins from the tests of other folders."""
    if nextitem is None or nextitem.path.parent != HERE:
        while _running:
            _running.pop().stop()


@pytest.fixture
def make_account(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient, known_secrets: KnownSecrets
) -> Iterator[Callable[..., Account]]:
    """Make a user and its connection; every test takes names of its own, so that no login counts for another."""
    made: list[Account] = []

    def make(
        conn_id: str,
        *,
        totp_secret: str | None = None,
        pin: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> Account:
        email = f"{conn_id.replace('_', '-')}@example.com"
        password = f"Pw-{uuid.uuid4().hex}"
        known_secrets.add_password(email, password)
        quatrix_emulator.add_user(email, password, totp_secret, pin)
        put_connection(
            airflow,
            connection_id=conn_id,
            conn_type="quatrix",
            host=quatrix_emulator.url,
            login=email,
            password=password,
            extra=json.dumps(extra) if extra else None,
        )
        made.append(Account(conn_id, email, password, known_secrets, quatrix_emulator))
        return made[-1]

    yield make
    for account in made:
        account.session_ids()
