"""A hook with an API key, and folders of many files."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

USER = "robot@example.com"


@pytest.fixture
def hook(quatrix_connection: QuatrixConnection) -> QuatrixHook:
    return QuatrixHook(quatrix_connection)


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
