"""Local parts, and how they get their place on disks that can do more or less."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_quatrix.transfer import parts
from airflow_provider_quatrix.transfer.parts import Part, remove_left

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "a"


def opened(target: Path, data: bytes = b"new") -> Part:
    part = Part.open(target, "version", 0o666)
    os.ftruncate(part.fd, 0)
    os.pwrite(part.fd, data, 0)
    return part


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def answers(error: int) -> Any:
    def refuse(*_: object) -> int:
        ctypes.set_errno(error)
        return -1

    return refuse


def refuses(error: int) -> Any:
    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    return refuse


@pytest.fixture(params=["renameat2", "link", "neither", "an old system"])
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A disk that knows one way or the other to give a name that must be free."""
    if request.param == "an old system":
        monkeypatch.setattr(parts, "_renameat2", lambda: None)
    elif request.param != "renameat2":
        monkeypatch.setattr(parts, "_renameat2", lambda: answers(errno.EINVAL))
    if request.param == "neither":
        monkeypatch.setattr(os, "link", refuses(errno.EPERM))
    return str(request.param)


@pytest.mark.usefixtures("disk")
def test_a_part_gets_a_free_name_on_any_disk(target: Path) -> None:
    part = opened(target)
    part.put(target)
    part.close()
    assert target.read_bytes() == b"new"
    assert names(target.parent) == ["a"]
    assert target.stat().st_nlink == 1


@pytest.mark.usefixtures("disk")
def test_a_part_replaces_nothing_on_any_disk(target: Path) -> None:
    part = opened(target)
    target.write_bytes(b"of somebody else")
    with pytest.raises(FileExistsError):
        part.put(target)
    part.close()
    assert target.read_bytes() == b"of somebody else"
    assert part.path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_a_broken_disk_is_told(target: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    monkeypatch.setattr(parts, "_renameat2", lambda: answers(error))
    part = opened(target)
    with pytest.raises(OSError, match=os.strerror(error)):
        part.put(target)
    monkeypatch.setattr(parts, "_renameat2", lambda: None)
    monkeypatch.setattr(os, "link", refuses(error))
    with pytest.raises(OSError, match=os.strerror(error)):
        part.put(target)
    part.close()


def test_a_part_is_gone_on_with(target: Path) -> None:
    part = opened(target)
    part.close()
    again = Part.open(target, "version", 0o666)
    assert os.pread(again.fd, 10, 0) == b"new"
    again.close()


def test_a_part_of_another_who_still_writes_is_left_alone(target: Path) -> None:
    part = opened(target)
    other = Part.open(target, "version", 0o666)
    assert other.path != part.path
    assert os.fstat(other.fd).st_size == 0
    remove_left(part.path)
    assert part.path.exists()
    for each in (part, other):
        each.close()
    remove_left(part.path)
    assert names(target.parent) == [other.path.name]


def test_a_part_that_is_a_file_already_is_not_written_to(target: Path) -> None:
    part = opened(target)
    # As a worker leaves it that is killed between link and unlink.
    os.link(part.path, target)
    part.close()
    again = Part.open(target, "version", 0o666)
    assert os.fstat(again.fd).st_size == 0
    again.close()
    assert target.read_bytes() == b"new"
    assert target.stat().st_nlink == 1


def test_where_files_cannot_be_locked_nobody_goes_on_with_a_part(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", refuses(errno.ENOLCK))
    both = [opened(target), opened(target)]
    assert len({part.path for part in both}) == len(names(target.parent)) == 2
    remove_left(both[0].path)
    assert both[0].path.exists()
    for part in both:
        part.close()


def test_a_file_keeps_its_permissions_when_it_is_replaced(target: Path) -> None:
    target.write_bytes(b"old")
    target.chmod(0o600)
    part = opened(target)
    part.take_permissions(target)
    part.replace(target)
    part.close()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o600
