"""The contents of files: sparse, on disk, and shared between copies until one is written."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 1 << 20
PATTERN_PERIOD = 1_048_583
"""A prime above the block size, so that blocks in the wrong order never match."""


@cache
def _pattern() -> bytes:
    # Not for secrets: the same bytes in every run.
    once = random.Random(0).randbytes(PATTERN_PERIOD)  # noqa: S311
    return once + once


@dataclass(eq=False)
class Content:
    """The bytes of one file, or of several copies of it.

    :param path: where they are; None while nothing was written.
    :param users: how many files have this content.
    """

    size: int = 0
    path: Path | None = None
    users: int = 1

    def open(self) -> Reader:
        """Open for reading. The reader keeps what it has opened, even when the file is deleted or replaced."""
        return Reader(self)

    def blocks(self, start: int = 0, end: int | None = None, size: int = BLOCK) -> Iterator[bytes]:
        """Read piece by piece. The content is opened at once.

        :param end: byte after the last one; the end of the content when None.
        :param size: bytes of a piece, at most 1 MiB.
        :return: the pieces; they end early if the file has become shorter.
        """
        return self.open().blocks(start, self.size if end is None else end, size)


class Reader:
    """An open content. What was never written is a fixed pattern that takes no space on disk."""

    def __init__(self, content: Content) -> None:
        self._fd = None if content.path is None else os.open(content.path, os.O_RDONLY)

    def read(self, offset: int, size: int) -> bytes:
        """Read some bytes.

        :param size: how many, at most 1 MiB.
        :return: the bytes; fewer if the file has become shorter.
        """
        if self._fd is not None:
            return os.pread(self._fd, size, offset)
        start = offset % PATTERN_PERIOD
        return _pattern()[start : start + size]

    def blocks(self, start: int, end: int, size: int) -> Iterator[bytes]:
        """Read piece by piece, then close.

        :param end: byte after the last one.
        :param size: bytes of a piece, at most 1 MiB.
        :return: the pieces; they end early if the file has become shorter.
        """
        with self:
            while start < end and (block := self.read(start, min(size, end - start))):
                yield block
                start += len(block)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._fd is not None:
            os.close(self._fd)


class Writer:
    """An open content that is written at any offset.

    :param content: what to write; it must be on disk.
    """

    def __init__(self, content: Content) -> None:
        if content.path is None:
            raise ValueError("The content is not on disk")
        self._content = content
        self._fd = os.open(content.path, os.O_WRONLY)

    def write(self, data: bytes, offset: int) -> None:
        """Write bytes; a gap before them reads as zeros.

        :param offset: where the first one goes.
        """
        view = memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, offset)
            view = view[written:]
            offset += written
        self._content.size = max(self._content.size, offset)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        os.close(self._fd)


class Storage:
    """All contents, in a temporary folder that is made with the first of them.

    :param folder: where to make it; None for the system's temporary folder.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._above = folder
        self._folder: Path | None = None
        self._numbers = count(1)

    def pattern(self, size: int) -> Content:
        """Make a content that takes no space on disk.

        :return: the content: the same bytes for every file of that size.
        """
        return Content(size)

    def writable(self, content: Content) -> Content:
        """Make sure that a content is on disk and belongs to one file only.

        :return: the same, or a copy that replaces it.
        """
        if content.path is not None and content.users == 1:
            return content
        copy = Content(path=self._new_path())
        with Writer(copy) as writer:
            offset = 0
            for block in content.blocks():
                writer.write(block, offset)
                offset += len(block)
        self.release(content)
        return copy

    def copy(self, content: Content) -> Content:
        """Copy a content that may be written at any moment."""
        content.users += 1
        return self.writable(content)

    def resize(self, content: Content, size: int) -> Content:
        """Cut a content, or fill it with zeros.

        :return: the same, or another one that replaces it.
        """
        if size == 0:
            # A reader of the old bytes keeps them.
            self.release(content)
            return Content()
        content = self.writable(content)
        if content.path is not None:
            os.truncate(content.path, size)
        content.size = size
        return content

    def release(self, content: Content) -> None:
        """Forget one use of a content; the bytes go with the last."""
        content.users -= 1
        if not content.users and content.path is not None:
            content.path.unlink()

    def close(self) -> None:
        """Remove everything from disk."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _new_path(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="quatrix-emulator-", dir=self._above))
            # Also without close(), and at the end of the process.
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        path = self._folder / str(next(self._numbers))
        path.touch()
        return path
