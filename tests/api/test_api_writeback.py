"""Files that reach the disk while they are written."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from airflow_provider_quatrix.api.writeback import Writeback

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "file.bin", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


@pytest.fixture
def pipe() -> Iterator[int]:
    """A descriptor that cannot be synced."""
    reader, writer = os.pipe()
    yield writer
    os.close(reader)
    os.close(writer)


def syncing() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "quatrix-writeback"]


def test_a_file_can_be_finished_after_any_number_of_steps(fd: int) -> None:
    writeback = Writeback(fd, step=1000)
    for offset in range(0, 5000, 500):
        os.pwrite(fd, bytes(500), offset)
        writeback.reach(offset + 500)
    writeback.finish()
    writeback.close()
    assert not syncing()


def test_a_short_file_needs_no_thread(pipe: int) -> None:
    writeback = Writeback(pipe, step=1000)
    writeback.reach(999)
    writeback.close()
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        writeback.finish()


def test_what_fails_on_the_way_is_told_at_the_end(fd: int, pipe: int, tmp_path: Path) -> None:
    os.dup2(pipe, fd)
    writeback = Writeback(fd, step=1000)
    writeback.reach(1000)
    writeback.close()
    whole = os.open(tmp_path / "whole.bin", os.O_RDWR | os.O_CREAT)
    os.dup2(whole, fd)
    os.close(whole)
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        writeback.finish()
