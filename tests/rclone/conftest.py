from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rclone_client import API_KEY, EMAIL, Rclone

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient


@pytest.fixture
def rclone(quatrix_emulator_tls: EmulatorClient, tmp_path: Path) -> Rclone:
    program = Path(sys.executable).with_name("rclone")
    if not program.exists():
        pytest.skip("These tests need rclone, of the extra airflow-provider-quatrix[test]")
    quatrix_emulator_tls.add_api_key(API_KEY, EMAIL)
    home = tmp_path / "home"
    home.mkdir()
    return Rclone(program, quatrix_emulator_tls, home)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder
