"""Open files: read in ranges with read-ahead, written in chunks, committed on close and discarded on error."""

from __future__ import annotations

import inspect
import io
import logging
from typing import TYPE_CHECKING, Any, Protocol

from fsspec.core import OpenFile
from fsspec.spec import AbstractBufferedFile

from airflow_provider_quatrix.api.errors import QuatrixConflict, QuatrixError
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.paths import join, split
from airflow_provider_quatrix.transfer.chunks import MIB, SMALLEST_CHUNK
from airflow_provider_quatrix.transfer.stream_writer import StreamWriter

if TYPE_CHECKING:
    from types import TracebackType

    from airflow_provider_quatrix.transfer.reader import RangeReader
    from airflow_provider_quatrix.transfer.tree import RemoteTree

log = logging.getLogger(__name__)

READ_BLOCK = 4 * MIB
# Stack frames from the file's own close up to the end of fsspec's block. Layers between them are written in C.
_FRAMES_OF_FSSPEC = 4


class FileSystem(Protocol):
    """What an open file needs of its file system."""

    auto_mkdir: bool

    def tree(self) -> RemoteTree:
        """Return the file tree, for one operation."""

    def resume_key(self) -> str:
        """Return who writes; empty if there is no retry."""

    def info(self, path: str) -> dict[str, Any]:
        """Return the metadata of a file or folder."""


class QuatrixFile(AbstractBufferedFile):  # type: ignore[misc]
    """An open file.

    Nobody sees the file under its final name before it is complete. It gets that name when it is closed, or when the
    transaction ends. When an exception leaves its ``with`` block, what was written is removed.

    :param mode: ``rb``, ``wb``, ``xb`` (the file must not exist) or ``ab`` (reads the old file and writes it again).
    :param block_size: bytes to read ahead (default 4 MiB) or to send at a time (default 8 MiB). So many are kept in
        memory.
    :param autocommit: commit on close; otherwise :meth:`commit` does it.
    """

    fs: FileSystem
    path: str
    mode: str
    size: int
    closed: bool
    # Older versions of fsspec read it when they close a file that could not be opened.
    forced = False
    _details: dict[str, Any] | None

    def __init__(
        self,
        fs: FileSystem,
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
        self._writer: StreamWriter | None = None
        self._old: RangeReader | None = None
        self._given_up = self._committed = False
        if mode in ("wb", "xb", "ab"):
            at = self._prepare(fs, path, mode)
            super().__init__(fs, path, mode, block_size, autocommit, **kwargs)
            self.loc = at
        else:
            super().__init__(fs, path, mode, block_size, autocommit, **kwargs)

    @property
    def details(self) -> dict[str, Any]:
        """The metadata of the file that is read."""
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

    def _prepare(self, fs: FileSystem, path: str, mode: str) -> int:
        """Check the place of the file; return the position of the first byte to write."""
        names = split(path)
        found = self._find(names, create_parents=fs.auto_mkdir)
        if not names or (found is not None and found.is_folder):
            raise _is_folder(path)
        if found is not None and mode == "xb":
            raise _exists(path)
        self._writer = StreamWriter(self._tree, path, resume_key=fs.resume_key(), create_parents=fs.auto_mkdir)
        if found is None or mode != "ab":
            return 0
        old = self._tree.stat(path)
        # Paths in DAG files are made at every parse. They must not import an HTTP library.
        from airflow_provider_quatrix.transfer.reader import RangeReader

        self._old = RangeReader(self._tree.files, old.id, path, size=old.size, modified=old.modified)
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
            from airflow_provider_quatrix.transfer.reader import RangeReader

            details = self.details
            self._reader = RangeReader(
                self._tree.files, details["id"], self.path, size=details["size"], modified=details["mtime"]
            )
        return self._reader.read(start, end)

    def write(self, data: Any) -> int:
        """Write bytes; whole blocks are sent.

        :param data: bytes, or an object with the buffer protocol.
        :return: how many bytes.
        """
        view = memoryview(data).cast("B")
        if self._given_up:
            return view.nbytes
        # Block by block, so that a long text is not in memory twice.
        for start in range(0, view.nbytes, self.blocksize):
            super().write(view[start : start + self.blocksize])
        return view.nbytes

    def _writing(self) -> StreamWriter:
        if self._writer is None:
            raise io.UnsupportedOperation("File not open for writing")
        return self._writer

    def _initiate_upload(self) -> None:
        writer, old = self._writing(), self._old
        writer.begin(self.buffer.tell() if self.forced and old is None else None)
        if old is not None:
            try:
                for start in range(0, self.loc - self.buffer.tell(), self.blocksize):
                    writer.send(old.read(start, start + self.blocksize))
            except BaseException:
                self.discard()
                raise

    def _upload_chunk(self, final: bool = False) -> bool:
        writer = self._writing()
        writer.send(self.buffer.getvalue())
        if final:
            writer.finish()
            if self.autocommit:
                self._commit(writer)
        return True

    def commit(self) -> None:
        """Give the file its final name, if it was not discarded; closes it first."""
        if self._given_up or self._committed:
            return
        self.close()
        # Closing may have committed or discarded it.
        if not self._given_up and not self._committed:
            self._commit(self._writing())

    def _commit(self, writer: StreamWriter) -> None:
        try:
            writer.commit(IfExists.FAIL if self.mode == "xb" else IfExists.OVERWRITE)
        except QuatrixConflict:
            raise _exists(self.path) from None
        self._committed = True

    def discard(self) -> None:
        """Remove what was written. If there is a file under the final name, it stays as it was."""
        if self._writer is None or self._committed:
            return
        self._given_up = True
        self.buffer = io.BytesIO()
        self._writer.discard()

    def close(self) -> None:
        """Close the file and commit what was written, unless an exception leaves fsspec's ``with`` block."""
        if self.closed or self._writer is None:
            super().close()
            return
        if not self._given_up and _leaves_block_of_fsspec():
            self.discard()
        if self._given_up:
            self.closed = True
            return
        try:
            super().close()
        except BaseException:
            self.discard()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.discard()
        self.close()

    def __del__(self) -> None:
        if self.closed:
            return
        if self._writer is None:
            self.close()
            return
        log.warning("%s was not written: it was opened for writing and never closed; use a with block", self.path)
        self.discard()
        self.closed = True


def _leaves_block_of_fsspec() -> bool:
    """Return whether an exception leaves ``with fsspec.open(...)``. Fsspec does not pass it on to the file."""
    frame = inspect.currentframe()
    for _ in range(_FRAMES_OF_FSSPEC):
        frame = frame.f_back if frame is not None else None
        if frame is not None and frame.f_code is OpenFile.__exit__.__code__:
            return any(frame.f_locals["args"])
    return False


def _is_folder(path: str) -> IsADirectoryError:
    return IsADirectoryError(f"{path!r} is a folder")


def _exists(path: str) -> FileExistsError:
    return FileExistsError(f"{path!r} exists")


class _Layer:
    """Common part of the text and the compressed writers: an error inside them reaches the file below."""

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
    """Writes text into a file.

    :param target: gets the bytes: the file, or a compressor.
    :param options: ``encoding``, ``errors`` and ``newline``.
    """

    def __init__(self, target: Any, below: QuatrixFile, **options: Any) -> None:
        io.TextIOWrapper.__init__(self, target, **options)
        self.below = below

    def close(self) -> None:
        """Send what is left and close the file."""
        io.TextIOWrapper.close(self)


class CompressedWriter(_Layer, io.BufferedIOBase):
    """Writes bytes through a compressor into a file."""

    def __init__(self, packer: Any, below: QuatrixFile) -> None:
        self._packer = packer
        self.below = below

    def writable(self) -> bool:
        """Return that bytes can be written."""
        return True

    def write(self, data: Any) -> int:
        """Compress and write bytes.

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
