"""Open files: read by ranges with read-ahead, written in chunks, committed on close and discarded on error."""

from __future__ import annotations

import io
import logging
import sys
from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractBufferedFile

from airflow_provider_quatrix.api.errors import QuatrixConflict, QuatrixError
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.paths import join, split
from airflow_provider_quatrix.api.transfer import MIB, SMALLEST_CHUNK
from airflow_provider_quatrix.fs.pending import PendingFile
from airflow_provider_quatrix.fs.reading import RangeReader

if TYPE_CHECKING:
    from types import TracebackType

    from airflow_provider_quatrix.fs.quatrix import QuatrixFileSystem

log = logging.getLogger(__name__)

READ_BLOCK = 4 * MIB


class QuatrixFile(AbstractBufferedFile):  # type: ignore[misc]
    """An open file.

    Nobody sees what is written under the final name before the file is whole: it gets there when the file is closed, or
    when the transaction ends. When a ``with`` block, or whatever closes the file, is left by an exception, what was
    written is removed again.

    :param fs: the file system.
    :param path: from the home folder.
    :param mode: ``rb``, ``wb``, ``xb`` (the file must not exist) or ``ab`` (reads the old file and writes it anew).
    :param block_size: bytes read ahead (default 4 MiB), or sent at a time (default 8 MiB), which is what is held in
        memory.
    :param autocommit: commit on close; otherwise :meth:`commit` does it.
    """

    fs: QuatrixFileSystem
    path: str
    mode: str
    size: int
    closed: bool
    _details: dict[str, Any] | None

    def __init__(
        self,
        fs: QuatrixFileSystem,
        path: str,
        mode: str = "rb",
        block_size: int | str | None = None,
        autocommit: bool = True,
        **kwargs: Any,
    ) -> None:
        if block_size in (None, "default"):
            block_size = READ_BLOCK if mode == "rb" else SMALLEST_CHUNK
        self._tree = fs.tree()
        self._reader: RangeReader | None = None
        self._pending: PendingFile | None = None
        self._old: RangeReader | None = None
        self._given_up = self._committed = False
        self._opened_during = sys.exception()
        if mode in ("wb", "xb", "ab"):
            at = self._prepare(fs, path, mode)
            super().__init__(fs, path, mode, block_size, autocommit, **kwargs)
            self.loc = at
        else:
            super().__init__(fs, path, mode, block_size, autocommit, **kwargs)

    @property
    def details(self) -> dict[str, Any]:
        """What the file system says of the file that is read."""
        if self._details is None:
            found = self.fs.info(self.path)
            if found["type"] == "directory":
                raise _is_folder(self.path)
            self._details = found
        return self._details

    @details.setter
    def details(self, value: dict[str, Any]) -> None:
        self._details = value
        self.size = value["size"]

    def _prepare(self, fs: QuatrixFileSystem, path: str, mode: str) -> int:
        """Look at the place where the file will be; return the position of the first byte that is written."""
        names = split(path)
        found = self._find(names, create_parents=fs.auto_mkdir)
        if not names or (found is not None and found.is_folder):
            raise _is_folder(path)
        if found is not None and mode == "xb":
            raise _exists(path)
        self._pending = PendingFile(self._tree, path, owner=fs.owner(), create_parents=fs.auto_mkdir)
        if found is None or mode != "ab":
            return 0
        old = self._tree.stat(path)
        self._old = RangeReader(self._tree.files, old.id, path, old.size)
        return old.size

    def _find(self, names: tuple[str, ...], *, create_parents: bool) -> Any:
        parent = join(names[:-1])
        above = self._tree.find(parent)
        if above is None and create_parents:
            return None
        if above is not None and not above[1].is_folder:
            raise NotADirectoryError(f"{parent!r} is a file, not a folder")
        self._tree.folder_id(parent)
        found = self._tree.find(join(names))
        return None if found is None else found[1]

    def _fetch_range(self, start: int, end: int) -> bytes:
        if self._reader is None:
            details = self.details
            self._reader = RangeReader(self._tree.files, details["id"], self.path, details["size"])
        return self._reader.read(start, end)

    def write(self, data: Any) -> int:
        """Write bytes; whole blocks are sent.

        :param data: bytes, or what can be seen as such.
        :return: their number.
        """
        view = memoryview(data).cast("B")
        if self._given_up:
            return view.nbytes
        # Block by block, so that a long text does not lie in memory twice.
        for start in range(0, view.nbytes, self.blocksize):
            super().write(view[start : start + self.blocksize])
        return view.nbytes

    def _writing(self) -> PendingFile:
        if self._pending is None:
            raise io.UnsupportedOperation("File not open for writing")
        return self._pending

    def _initiate_upload(self) -> None:
        pending, old = self._writing(), self._old
        pending.begin(self.buffer.tell() if self.forced and old is None else None)
        if old is not None:
            try:
                for start in range(0, self.loc - self.buffer.tell(), self.blocksize):
                    pending.send(old.read(start, start + self.blocksize))
            except BaseException:
                self.discard()
                raise

    def _upload_chunk(self, final: bool = False) -> bool:
        pending = self._writing()
        pending.send(self.buffer.getvalue())
        if final:
            pending.finish()
            if self.autocommit:
                self._commit(pending)
        return True

    def commit(self) -> None:
        """Give the file its final name, if it was not discarded; closes it first."""
        if self._given_up or self._committed:
            return
        self.close()
        # Closing may have committed it, or given it up.
        if not self._given_up and not self._committed:
            self._commit(self._writing())

    def _commit(self, pending: PendingFile) -> None:
        try:
            pending.commit(IfExists.FAIL if self.mode == "xb" else IfExists.OVERWRITE)
        except QuatrixConflict:
            raise _exists(self.path) from None
        self._committed = True

    def discard(self) -> None:
        """Remove what was written; the file under the final name, if there is one, stays as it was."""
        if self._pending is None or self._committed:
            return
        self._given_up = True
        self.buffer = io.BytesIO()
        self._pending.discard()

    def close(self) -> None:
        """Close the file; what was written is committed, unless an exception is on its way through here."""
        if self.closed or self._pending is None:
            super().close()
            return
        if not self._given_up and self._is_failing():
            log.warning("%s was not written: an error came before it was closed", self.path)
            self.discard()
        if self._given_up:
            self.closed = True
            return
        try:
            super().close()
        except BaseException:
            self.discard()
            raise

    def _is_failing(self) -> bool:
        """Tell whether the file is closed because of an exception, by somebody who cannot pass it to ``__exit__``."""
        error = sys.exception()
        return (
            error is not None
            and error is not self._opened_during
            and not isinstance(error, StopIteration | StopAsyncIteration)
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.discard()
        self.close()

    def __del__(self) -> None:
        if self.closed:
            return
        if self._pending is None:
            self.close()
            return
        log.warning("%s was not written: it was opened for writing and never closed; use a with block", self.path)
        self.discard()
        self.closed = True


def _is_folder(path: str) -> IsADirectoryError:
    return IsADirectoryError(f"{path!r} is a folder")


def _exists(path: str) -> FileExistsError:
    return FileExistsError(f"{path!r} exists")


class _Layer:
    """What the text and the compressed writers have in common: an error inside them reaches the file below."""

    below: QuatrixFile

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.below.discard()
        self.close()

    def close(self) -> None:
        raise NotImplementedError

    def __del__(self) -> None:
        below: QuatrixFile | None = getattr(self, "below", None)
        if below is not None and not below.closed:
            below.__del__()


class TextWriter(_Layer, io.TextIOWrapper):
    """Text on its way into a file.

    :param target: gets the bytes: the file, or what compresses them.
    :param below: the file.
    :param options: ``encoding``, ``errors`` and ``newline``.
    """

    def __init__(self, target: Any, below: QuatrixFile, **options: Any) -> None:
        io.TextIOWrapper.__init__(self, target, **options)
        self.below = below

    def close(self) -> None:
        """Send what is left and close the file."""
        io.TextIOWrapper.close(self)


class CompressedWriter(_Layer, io.BufferedIOBase):
    """Bytes on their way through a compressor into a file.

    :param packer: compresses.
    :param below: the file.
    """

    def __init__(self, packer: Any, below: QuatrixFile) -> None:
        self._packer = packer
        self.below = below

    def writable(self) -> bool:
        """Tell that bytes can be written."""
        return True

    def write(self, data: Any) -> int:
        """Compress and write bytes.

        :param data: them.
        :return: their number.
        """
        return int(self._packer.write(data))

    def close(self) -> None:
        """Send what is left and close the file."""
        if self.closed:
            return
        try:
            self._packer.close()
        except (OSError, QuatrixError):
            self.below.discard()
            raise
        finally:
            io.BufferedIOBase.close(self)
            self.below.close()
