"""Writes a remote file from blocks of bytes, even if the size is not known in advance."""

from __future__ import annotations

import logging
import tempfile
import time
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import QuatrixApiError, QuatrixQuotaExceeded
from airflow_provider_quatrix.api.paths import join, split
from airflow_provider_quatrix.transfer.chunks import SMALLEST_CHUNK, next_chunk
from airflow_provider_quatrix.transfer.writer import Block, FileSlice, KeyExpiredError, RemoteWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from airflow_provider_quatrix.api.files import IfExists
    from airflow_provider_quatrix.api.messages import SizedReader
    from airflow_provider_quatrix.api.models import RemoteFile
    from airflow_provider_quatrix.transfer.tree import RemoteTree

log = logging.getLogger(__name__)

_BAD_PARAMETER = 400


class StreamWriter:
    """Sends a remote file block by block; see :class:`~airflow_provider_quatrix.transfer.writer.RemoteWriter`.

    While the size is not known, each chunk announces the size so far. A service that requires the same total in all
    chunks refuses the second one; then the file is kept on the local disk until it is complete.

    :param resume_key: who writes, the same in every try, so that a retry removes what a killed try left; empty if there
        is no retry.
    :param create_parents: make missing folders above it.
    """

    def __init__(self, tree: RemoteTree, path: str, *, resume_key: str = "", create_parents: bool = True) -> None:
        self._tree = tree
        self._path = path
        self._resume_key = resume_key
        self._create_parents = create_parents
        self._writer: RemoteWriter | None = None
        self._size: int | None = None
        self._first = b""
        self._spool: BinaryIO | None = None

    @property
    def _open(self) -> RemoteWriter:
        if self._writer is None:
            raise ValueError(f"{self._path!r} is not being written")
        return self._writer

    @property
    def file_id(self) -> str:
        """The unfinished file."""
        return self._open.state.file_id

    def begin(self, size: int | None) -> None:
        """Get permission to write.

        :param size: bytes that it will have, ``None`` if unknown.
        :raises QuatrixNotFound: the folder is missing.
        :raises QuatrixQuotaExceeded: it does not fit.
        """
        self._size = size
        folder_id = self._tree.folder_id(join(split(self._path)[:-1]), create=self._create_parents)
        writer = RemoteWriter(self._tree.files, self._path, folder_id)
        writer.begin(size, self._resume_key)
        self._writer = writer

    def send(self, data: bytes) -> None:
        """Send the next bytes.

        :raises QuatrixTransferError: the unfinished file is gone.
        """
        if not data:
            return
        if self._spool is not None:
            self._spool.write(data)
            return
        sent = self._open.state.offset
        try:
            self._send_chunk(len(data), max(self._size or 0, sent + len(data)), lambda: Block(data))
        except QuatrixApiError as error:
            if not self._first or error.status != _BAD_PARAMETER or isinstance(error, QuatrixQuotaExceeded):
                raise
            self._wait_on_disk(data)
            return
        self._first = b"" if sent or self._size is not None else data

    def _send_chunk(self, size: int, total: int, body: Callable[[], SizedReader]) -> None:
        writer = self._open
        try:
            writer.send(size, total, body)
        except KeyExpiredError:
            raise writer.lost() from None
        writer.confirm(size)

    def _wait_on_disk(self, data: bytes) -> None:
        log.info(
            "Quatrix requires the size of %r in advance, so the file is kept on this host's disk until it is complete",
            self._path,
        )
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it has been sent, or is discarded
        self._spool.write(self._first)
        self._spool.write(data)
        self._first = b""
        self._tree.files.delete([self.file_id], permanently=True)

    def _send_from_disk(self, spool: BinaryIO) -> None:
        size, fd, chunk = spool.tell(), spool.fileno(), SMALLEST_CHUNK
        spool.flush()
        self._open.begin(size, self._resume_key)
        while (offset := self._open.state.offset) < size:
            part, started = min(chunk, size - offset), time.monotonic()
            self._send_chunk(part, size, lambda offset=offset, part=part: FileSlice(fd, offset, part))  # type: ignore[misc]
            chunk = next_chunk(part, time.monotonic() - started)

    def finish(self, modified: float | None = None) -> None:
        """Finish the upload, and check that the service has all bytes.

        :param modified: modification time of the file, Unix time; default: the server's own.
        :raises QuatrixTransferError: some bytes are missing.
        """
        if self._spool is not None:
            self._send_from_disk(self._spool)
        self._open.finish(modified)

    def commit(self, if_exists: IfExists, modified: float | None = None) -> RemoteFile:
        """Give the finished file its final name, in one step on the server.

        :param if_exists: what to do if the name is taken.
        :param modified: modification time of the file, Unix time.
        :return: the file, with its actual name.
        :raises QuatrixConflict: the name is taken.
        """
        moved = self._open.commit(if_exists, modified)
        self._close()
        return moved

    def discard(self) -> None:
        """Remove what was written; if that fails, a retry with the same resume key removes it."""
        if self._writer is not None:
            self._writer.discard()
            self._close()

    def _close(self) -> None:
        self._writer = None
        if self._spool is not None:
            self._spool.close()
