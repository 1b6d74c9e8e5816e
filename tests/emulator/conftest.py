from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from emulator_api import Api  # noqa: E402 - found only by the path above
from emulator_files import FileCalls  # noqa: E402
from fixtures_browser import chromium, chromium_page  # noqa: E402

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

__all__ = ["chromium", "chromium_page"]


@pytest.fixture
def emulator(quatrix_emulator: EmulatorClient) -> EmulatorClient:
    return quatrix_emulator


@pytest.fixture
def api(quatrix_emulator: EmulatorClient) -> Api:
    return Api(quatrix_emulator.url)


@pytest.fixture
def files(quatrix_emulator: EmulatorClient) -> FileCalls:
    return FileCalls(quatrix_emulator)
