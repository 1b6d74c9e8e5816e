"""What uploads and downloads have in common: results, chunk sizes, temporary names, progress."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_quatrix.api.digest import FileDigest

MIB = 1024 * 1024
SMALLEST_CHUNK = 8 * MIB
LARGEST_CHUNK = 64 * MIB
# Long enough that the cost of a call does not matter, short enough that little is sent twice after a kill.
CHUNK_SECONDS = 4.0
# A session ends 15 minutes after the last API call, and whether moving bytes counts as one is not published.
KEEPALIVE_SECONDS = 300.0
# How much is held in memory at a time.
BLOCK = 256 * 1024

_TEMPORARY = re.compile(r"^\.[0-9a-f]{24}(-[0-9a-f]{16})?\.quatrix-part$")


class Notes(Protocol):
    """Where a transfer writes down how far it came, so that another process can go on."""

    def read(self) -> str | None:
        """Return what was written, ``None`` if nothing."""

    def write(self, text: str) -> None:
        """Write in place of any earlier text."""

    def delete(self) -> None:
        """Forget it."""


@dataclass(frozen=True)
class Transferred:
    """A file that was moved.

    :param path: where it is now: a path on Quatrix after an upload, a local one after a download.
    :param id: its id on Quatrix.
    :param size: bytes.
    :param sha256: of the local bytes, in hex; the service itself knows no checksums. Empty if skipped.
    :param seconds: time it took.
    :param skipped: it was there already, and left alone.
    """

    path: str
    id: str
    size: int
    sha256: str
    seconds: float
    skipped: bool = False


def next_chunk(size: int, seconds: float) -> int:
    """Return the size of the next chunk by how long the last one took.

    :param size: bytes of the last chunk.
    :param seconds: time it took.
    :return: bytes that should take about four seconds, at most double the last, from 8 to 64 MiB.
    """
    wanted = size * 2 if seconds <= 0 else int(size * CHUNK_SECONDS / seconds)
    return max(SMALLEST_CHUNK, min(LARGEST_CHUNK, size * 2, wanted))


def temporary_name(*parts: str) -> str:
    """Return the name under which a file is written until it is whole.

    The same parts give the same name, so that another try finds what the last one left.

    :param parts: what the file is, and who writes it.
    :return: a hidden name that :func:`is_temporary` recognises.
    """
    return f".{_digest(*parts)[:24]}.quatrix-part"


def part_name(target: str, version: str) -> str:
    """Return the name of a local file that is being downloaded.

    :param target: final name.
    :param version: tells versions of the remote file apart, so that parts of two are never put together.
    :return: a hidden name; all parts of one target begin alike.
    """
    return f"{part_prefix(target)}{_digest(version)[:16]}.quatrix-part"


def part_prefix(target: str) -> str:
    """Return how the names of all parts of a target begin."""
    return f".{_digest(target)[:24]}-"


def is_temporary(name: str) -> bool:
    """Tell whether a file is one that this package is still writing."""
    return _TEMPORARY.match(name) is not None


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


class FileSlice:
    """A part of an open file as a body to send, read block by block; a digest may follow it.

    :param fd: descriptor; its own position is not used, so that slices of one file do not disturb each other.
    :param offset: first byte.
    :param size: bytes.
    :param digest: told how far it came.
    :param progress: told the bytes of each block.
    """

    def __init__(
        self,
        fd: int,
        offset: int,
        size: int,
        digest: FileDigest | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._fd = fd
        self._at = offset
        self._end = offset + size
        self._size = size
        self._digest = digest
        self._progress = progress

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, none at the end.

        :param size: bytes wanted; a block if negative.
        :raises OSError: the file is shorter than announced.
        """
        wanted = min(BLOCK if size < 0 else size, self._end - self._at)
        if wanted <= 0:
            return b""
        data = os.pread(self._fd, wanted, self._at)
        if not data:
            raise SourceShrankError
        self._at += len(data)
        if self._digest is not None:
            self._digest.reach(self._at)
        if self._progress is not None:
            self._progress(len(data))
        return data

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(BLOCK):
            yield block


class SourceShrankError(Exception):
    """The local file ended before its announced size."""
