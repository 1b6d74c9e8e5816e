"""One real Airflow for all tests of this folder."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from known_secrets import KnownSecrets
from system_accounts import Account, put_connection

from demo.airflow_process import AirflowProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_quatrix.emulator.handle import EmulatorHandle

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PARALLELISM = 16


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder, and let the search for secrets come after everything that might leak one."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.system)
    items.sort(key=lambda item: item.path.name == "test_system_secrets.py")


@pytest.fixture(scope="session")
def known_secrets() -> KnownSecrets:
    return KnownSecrets()


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowProcess]:
    """The Airflow, with the DAGs of this folder and the example DAGs."""
    home = tmp_path_factory.mktemp("airflow")
    shutil.copytree(HERE / "dags", home / "dags")
    shutil.copytree(ROOT / "dags", home / "dags" / "examples")
    env = {"AIRFLOW__QUATRIX__LOCK_DIR": str(home / "locks")}
    with AirflowProcess(home, parallelism=PARALLELISM, env=env) as process:
        yield process


@pytest.fixture
def make_account(
    airflow: AirflowProcess, quatrix_emulator: EmulatorHandle, known_secrets: KnownSecrets
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
