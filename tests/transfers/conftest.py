"""A hook with an API key, and folders of many files."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from airflow.models import import_all_models
from tries import TriedHook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

# Airflow 2 can map none of its tables before all of them are known.
import_all_models()

USER = "robot@example.com"


@pytest.fixture
def hook(quatrix_connection: QuatrixConnection, airflow_db: Path) -> QuatrixHook:
    """The hook; on Airflow 2 it finds in the database what an earlier test left there, its login attempts too."""
    hook = TriedHook(quatrix_connection)
    # A session that an earlier test left in the store has ended with that test's emulator.
    hook.login()
    return hook


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes in the memory of this process."""
    monkeypatch.setenv("AIRFLOW__QUATRIX__SESSION_STORE", "memory")


@pytest.fixture
def many_files(tmp_path: Path) -> Callable[[int], Path]:
    """A folder with so many small files, a few of them empty, in subfolders of a hundred."""

    def make(count: int) -> Path:
        generator = random.Random(count)  # noqa: S311
        folder = tmp_path / "many"
        for number in range(count):
            file = folder / f"part {number // 100}" / f"{number:04d} ä.bin"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(generator.randbytes(generator.choice([0, 1, 300, 5_000, 70_000])))
        return folder

    return make
