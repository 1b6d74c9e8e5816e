from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from broker_setup import Team

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient


@pytest.fixture
def team(quatrix_emulator: EmulatorClient, tmp_path: Path) -> Iterator[Team]:
    made = Team(quatrix_emulator, tmp_path)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def quick_claims() -> None:
    """Claims settle here as they do anywhere: hosts that sign in at the same moment are what is tested."""
