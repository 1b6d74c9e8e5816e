"""A local file while it is downloaded: beside its target and locked, until it gets its place in one step."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import functools
import os
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.paths import counted
from airflow_provider_quatrix.transfer.temporary import part_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
# Errors that mean that a file system or the kernel does not support a call.
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOLCK)


class NoLocksError(OSError):
    """The disk cannot lock files."""


class Part:
    """An open part; nobody else writes to it."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd

    @classmethod
    def open(cls, target: Path, version: str, mode: int) -> Part:
        """Open the part that an earlier try has left, or a new one.

        :param version: identifies the version of the remote file, so that parts of two versions are never combined.
        :param mode: permissions of a new part.
        :return: the part.
        """
        path = target.with_name(part_name(target.name, version))
        try:
            fd = _locked(path, os.O_CREAT, mode)
        except NoLocksError:
            # Without locks a part may belong to another download, so none is resumed.
            path.unlink(missing_ok=True)
            fd = None
        if fd is None:
            # Another download of the same file is running.
            path = target.with_name(part_name(target.name, f"{version} {uuid.uuid4().hex}"))
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        return cls(path, fd)

    def close(self) -> None:
        """Close and unlock it."""
        os.close(self.fd)

    def remove(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)

    def take_permissions(self, target: Path) -> None:
        """Give it the permissions, and as far as allowed the owner, of the file that it will replace."""
        with suppress(FileNotFoundError):
            there = target.stat()
            with suppress(PermissionError):
                os.fchown(self.fd, there.st_uid, there.st_gid)
            os.fchmod(self.fd, there.st_mode & 0o777)

    def replace(self, target: Path) -> None:
        """Replace the target by it."""
        self.path.replace(target)
        _sync_folder(target.parent)

    def put(self, target: Path) -> None:
        """Move it to the target, unless the target exists.

        :raises FileExistsError: the target exists.
        """
        if not _rename_to_free(self.path, target) and not _link_to_free(self.path, target):
            # Without either call, an empty file reserves the name first.
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
            self.path.replace(target)
        _sync_folder(target.parent)


def remove_left(path: Path) -> None:
    """Remove a part that nobody writes to any more."""
    with suppress(OSError):
        fd = _locked(path, 0, 0)
        if fd is not None:
            path.unlink()
            os.close(fd)


def _locked(path: Path, flags: int, mode: int) -> int | None:
    """Open a part and lock it; ``None`` if another process has it."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | flags, mode)
        if not _lock(fd):
            os.close(fd)
            return None
        mine = os.fstat(fd)
        with suppress(FileNotFoundError):
            there = path.lstat()
            if (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino):
                if mine.st_nlink == 1:
                    return fd
                # It also has its final name, by a hard link: writing to it would change that file.
                path.unlink()
        os.close(fd)
        if not flags & os.O_CREAT:
            return None


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        os.close(fd)
        raise NoLocksError(error.errno, error.strerror) from None
    return True


@functools.cache
def _renameat2() -> Callable[..., int] | None:
    """Return Linux's ``renameat2``, for which Python has no function; ``None`` on other systems."""
    return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


def _rename_to_free(path: Path, target: Path) -> bool:
    """Rename unless the target exists; ``False`` if that is not supported."""
    rename = _renameat2()
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(path), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE) == 0:
        return True
    error = ctypes.get_errno()
    if error in _UNSUPPORTED:
        return False
    raise OSError(error, os.strerror(error), str(path), None, str(target))


def _link_to_free(path: Path, target: Path) -> bool:
    """Link and unlink; ``False`` if there are no hard links."""
    try:
        os.link(path, target)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        return False
    path.unlink()
    return True


def _sync_folder(folder: Path) -> None:
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:
        # The folder may be writable but not readable.
        return
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(fd)


def free_name(target: Path) -> Path:
    """Return the first free name, numbered as the service does it.

    :return: the name, or ``name(1).ext``, ``name(2).ext`` and so on.
    """
    candidate, number = target, 0
    # A link that leads nowhere takes a name too.
    while os.path.lexists(candidate):
        number += 1
        candidate = target.with_name(counted(target.name, number))
    return candidate
