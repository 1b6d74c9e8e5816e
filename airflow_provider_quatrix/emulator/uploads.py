"""Uploads: keys that die, chunks at any offset, files that are there before they are whole."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import BAD_PARAMETER, ApiError, bad_parameter, missing_parameter, not_found
from .storage import Writer

if TYPE_CHECKING:
    from .files import Files
    from .tree import Node

_RANGE = re.compile(r"\s*bytes\s+(\d{1,18})\s*-\s*(\d{1,18})\s*/\s*(\d{1,18}|\*)\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class ChunkRange:
    """The header ``Content-Range`` of a chunk.

    :param first: offset of the first byte.
    :param last: offset of the last byte; some clients name the one after it.
    :param total: bytes of the whole file; None when not told.
    """

    first: int
    last: int
    total: int | None

    @classmethod
    def parse(cls, text: str | None) -> ChunkRange:
        """Read the header.

        :param text: its value.
        :return: the range.
        :raises ApiError: 400 when it is missing or unreadable.
        """
        if text is None:
            raise missing_parameter("Content-Range")
        match = _RANGE.fullmatch(text)
        if match is None:
            raise bad_parameter("Content-Range")
        first, last, total = match.groups()
        return cls(int(first), int(last), None if total == "*" else int(total))


@dataclass(eq=False)
class Upload:
    """An upload that was begun and not finalized.

    :param key: what allows it.
    :param node: the file.
    :param began: when the key was handed out.
    :param last_used: when a chunk was last accepted.
    :param announced: bytes that the file shall have; None when not told.
    :param position: where the next chunk begins if they come in order.
    """

    key: str
    node: Node
    began: float
    last_used: float
    announced: int | None
    position: int = 0


class Uploads:
    """The uploads that are open.

    :param files: where the files are.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._open: dict[str, Upload] = {}

    def begin(self, node: Node, announced: int | None = None) -> Upload:
        """Hand out a key.

        :param node: the file to be written.
        :param announced: bytes that it shall have.
        :return: the upload.
        """
        now = self._files.now
        upload = Upload(uuid.uuid4().hex, node, now, now, announced)
        self._open[upload.key] = upload
        return upload

    def get(self, key: str) -> Upload:
        """Find the upload of a key.

        :param key: the key.
        :return: the upload.
        :raises ApiError: 404 when the key is unknown, has died, or its file is gone.
        """
        self._purge()
        upload = self._open.get(key)
        if upload is None:
            raise not_found("upload key")
        return upload

    def end(self, upload: Upload) -> None:
        """Let a key die.

        :param upload: its upload.
        """
        self._open.pop(upload.key, None)

    def kill(self) -> int:
        """Let all keys die.

        :return: how many there were.
        """
        self._purge()
        number = len(self._open)
        self._open.clear()
        return number

    def is_written(self, node: Node) -> bool:
        """Whether a chunk may arrive for a file.

        :param node: the file.
        :return: whether it has a key.
        """
        return any(upload.node is node for upload in self._open.values())

    def _purge(self) -> None:
        now, settings = self._files.now, self._files.settings
        for upload in list(self._open.values()):
            start = upload.last_used if settings.upload_key_sliding else upload.began
            gone = upload.node.id not in self._files.tree.nodes or upload.node.trashed is not None
            if gone or now - start > settings.upload_key_seconds:
                self.end(upload)

    def as_list(self) -> list[dict[str, Any]]:
        """The open uploads, for tests and the page.

        :return: oldest first; without their keys.
        """
        self._purge()
        return [
            {
                "email": upload.node.owner,
                "path": upload.node.path,
                "file_id": upload.node.id,
                "size": upload.node.content.size,
                "announced": upload.announced,
                "began": upload.began,
            }
            for upload in self._open.values()
        ]

    def begin_chunk(self, upload: Upload, given: ChunkRange, length: int | None) -> None:
        """Decide whether a chunk may be sent.

        :param upload: the upload.
        :param given: its range.
        :param length: bytes of the body; None when not told.
        :raises ApiError: 400 when it is refused.
        """
        files = self._files
        if files.settings.strict_chunks:
            self._check_strictly(upload, given, length)
        if given.total is not None:
            upload.announced = given.total
        self.check_growth(upload, given.first + (length or 0))

    @staticmethod
    def _check_strictly(upload: Upload, given: ChunkRange, length: int | None) -> None:
        if given.first != upload.position:
            raise bad_parameter("Content-Range", f"must continue at byte {upload.position}")
        if length is None or given.last - given.first + 1 != length:
            raise bad_parameter("Content-Range", "differs from the length of the body")
        if given.total is None or given.total <= given.last or upload.announced not in (None, given.total):
            raise bad_parameter("Content-Range", "has another total than was announced")

    def check_growth(self, upload: Upload, end: int) -> None:
        """Make sure that more of a file fits.

        :param upload: the upload.
        :param end: how many bytes the file shall have at least.
        :raises ApiError: 400 when it does not fit.
        """
        files, node = self._files, upload.node
        files.check_file_size(end)
        files.check_space(node.owner, end - node.content.size)

    def open(self, upload: Upload) -> Writer:
        """Open the file of an upload for writing.

        :param upload: the upload.
        :return: a context manager.
        """
        files, node = self._files, upload.node
        node.content = files.storage.writable(node.content)
        return Writer(node.content)

    def write(self, upload: Upload, writer: Writer, data: bytes, offset: int) -> None:
        """Write a piece of a chunk. Listings show it at once.

        :param upload: the upload.
        :param writer: the open file.
        :param data: the piece.
        :param offset: where it goes.
        """
        files, node = self._files, upload.node
        before = node.content.size
        writer.write(data, offset)
        node.modified = files.now
        if node.id in files.tree.nodes:
            files.tree.used[node.owner] += node.content.size - before

    def end_chunk(self, upload: Upload, end: int) -> None:
        """Accept a chunk.

        :param upload: the upload.
        :param end: offset of the byte after its last one.
        :raises ApiError: 404 when key or file have gone meanwhile.
        """
        self.get(upload.key)
        upload.last_used = self._files.now
        upload.position = end

    def finalize(self, upload: Upload, modified: float | None) -> None:
        """End an upload.

        :param upload: the upload.
        :param modified: modification time to give the file; the time of this call when None.
        :raises ApiError: in strict mode, when bytes are missing.
        """
        files, node = self._files, upload.node
        if files.settings.strict_finalize and upload.announced not in (None, node.content.size):
            raise ApiError(400, BAD_PARAMETER, f"The file has {node.content.size} of {upload.announced} bytes")
        self.end(upload)
        node.unfinished = False
        node.modified = files.now if modified is None else modified
