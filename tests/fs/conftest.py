"""The file system over the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_quatrix.fs.quatrix import QuatrixFileSystem

if TYPE_CHECKING:
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection


@pytest.fixture
def fs(quatrix_connection: QuatrixConnection) -> QuatrixFileSystem:
    return QuatrixFileSystem(str(quatrix_connection), skip_instance_cache=True)
