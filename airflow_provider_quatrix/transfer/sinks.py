"""Targets for the bytes of a download."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from airflow_provider_quatrix.transfer.chunks import MIB
from airflow_provider_quatrix.transfer.digest import FileDigest

if TYPE_CHECKING:
    from collections.abc import Callable


# After this many bytes the disk is asked to begin writing, so that there is little to wait for at the end.
_FLUSH_STEP = 64 * MIB


class FileSink:
    """Writes a download into an open file; has to be closed.

    :param fd: descriptor; the file contains the first bytes.
    :param size: bytes that the file will have.
    :param checksum: algorithm of hashlib, ``None`` for none.
    """

    def __init__(self, fd: int, size: int, checksum: str | None) -> None:
        self._fd = fd
        self.held = os.fstat(fd).st_size
        if self.held > size:
            os.ftruncate(fd, 0)
            self.held = 0
        self._flushed = self.held
        self._digest = FileDigest(fd, size, checksum)
        self._digest.reach(self.held)

    def write(self, data: bytes) -> None:
        """Write the next bytes."""
        written = 0
        while written < len(data):
            written += os.pwrite(self._fd, data[written:] if written else data, self.held + written)
        self.held += len(data)
        self._digest.reach(self.held)
        if self.held - self._flushed >= _FLUSH_STEP and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._fd, self._flushed, self.held - self._flushed, os.POSIX_FADV_DONTNEED)
            self._flushed = self.held

    def finish(self) -> str:
        """Return the digest of all bytes, once they are on the disk."""
        os.fsync(self._fd)
        return self._digest.finish()

    def close(self) -> None:
        """Stop hashing."""
        self._digest.close()


class StreamSink:
    """Hashes a download, and passes each block on.

    :param checksum: algorithm of hashlib, ``None`` for none.
    """

    def __init__(self, checksum: str | None, write: Callable[[bytes], None] | None = None) -> None:
        self._hash = None if checksum is None else hashlib.new(checksum, usedforsecurity=False)
        self._write = write
        self.held = 0

    def write(self, data: bytes) -> None:
        """Write the next bytes."""
        self.held += len(data)
        if self._hash is not None:
            self._hash.update(data)
        if self._write is not None:
            self._write(data)

    def finish(self) -> str:
        """Return the digest of all bytes; empty without an algorithm."""
        return "" if self._hash is None else self._hash.hexdigest()
