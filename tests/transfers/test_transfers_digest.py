"""The SHA-256 that follows a transfer."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

import pytest

from airflow_provider_quatrix.transfer.digest import FileDigest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1024 * 1024
# Below and above what is worth a thread, and not a whole number of blocks.
SIZES = [0, 1, 4096, MIB - 1, MIB, 5 * MIB + 123]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.bin"


@pytest.fixture
def fd(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


def followers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "quatrix-digest"]


@pytest.mark.parametrize("size", SIZES)
def test_it_hashes_a_file_that_is_there(path: Path, fd: int, size: int) -> None:
    content = os.urandom(size)
    path.write_bytes(content)
    assert FileDigest(fd, size).finish() == hashlib.sha256(content).hexdigest()
    assert not followers()


@pytest.mark.parametrize("size", SIZES)
def test_it_hashes_a_file_that_grows(fd: int, size: int) -> None:
    content = os.urandom(size)
    digest = FileDigest(fd, size)
    for start in range(0, size, 300_000):
        end = start + os.pwrite(fd, content[start : start + 300_000], start)
        digest.reach(end)
    assert digest.finish() == hashlib.sha256(content).hexdigest()


def test_going_back_hashes_nothing_twice(path: Path, fd: int) -> None:
    content = os.urandom(4 * MIB)
    path.write_bytes(content)
    digest = FileDigest(fd, len(content))
    for offset in (2 * MIB, MIB, 3 * MIB, 0):
        digest.reach(offset)
    assert digest.finish() == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("size", [4096, 2 * MIB])
def test_a_file_that_is_too_short_is_an_error(path: Path, fd: int, size: int) -> None:
    path.write_bytes(bytes(1000))
    digest = FileDigest(fd, size)
    with pytest.raises(OSError, match=f"ends at byte 1000 instead of {size}"):
        digest.finish()
    digest.close()
    assert not followers()


@pytest.mark.parametrize("reached", [0, 2 * MIB])
def test_closing_ends_it_before_the_end(path: Path, fd: int, reached: int) -> None:
    path.write_bytes(bytes(2 * MIB))
    digest = FileDigest(fd, 8 * MIB)
    digest.reach(reached)
    digest.close()
    digest.close()
    assert not followers()
