"""The file system over the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from airflow.models import import_all_models

from airflow_provider_quatrix.fs.quatrix import QuatrixFileSystem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

# Airflow 2 can make no connection before all of its tables are known.
import_all_models()


@pytest.fixture(autouse=True)
def session_in_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where no task runs, Airflow has no place for the session; and Airflow keeps file systems for ever."""
    monkeypatch.setenv("AIRFLOW__QUATRIX__SESSION_STORE", "memory")
    yield
    for kept in QuatrixFileSystem._cache.values():
        kept.invalidate_cache()


@pytest.fixture
def fs(quatrix_connection: QuatrixConnection) -> QuatrixFileSystem:
    return QuatrixFileSystem(str(quatrix_connection), skip_instance_cache=True)
