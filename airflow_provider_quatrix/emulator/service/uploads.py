"""Uploads: keys that expire, chunks at any offset, and files that are visible before they are complete."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import BAD_PARAMETER, ApiError, bad_parameter, not_found
from .storage import Writer

if TYPE_CHECKING:
    from .changes import Changes
    from .context import Context
    from .quota import Quota
    from .storage import Storage
    from .tree import Node, Tree


@dataclass(frozen=True)
class ChunkRange:
    """The place of a chunk in its file, as the client announces it.

    :param first: offset of the first byte.
    :param last: offset of the last byte; some clients name the one after it.
    :param total: bytes of the whole file; None if unknown.
    """

    first: int
    last: int
    total: int | None


@dataclass(eq=False)
class Upload:
    """An upload that was begun and not finalized.

    :param began: when the key was issued.
    :param last_used: when a chunk was last accepted.
    :param announced: bytes that the file will have; None if unknown.
    :param position: where the next chunk begins if they come in order.
    :param share_id: the share to which a recipient returns the file.
    """

    key: str
    node: Node
    began: float
    last_used: float
    announced: int | None
    position: int = 0
    share_id: str | None = None


class Uploads:
    """The open uploads."""

    def __init__(self, context: Context, tree: Tree, storage: Storage, quota: Quota, changes: Changes) -> None:
        self._changes = changes
        self._context = context
        self._tree = tree
        self._storage = storage
        self._quota = quota
        self._open: dict[str, Upload] = {}

    def begin(self, node: Node, announced: int | None = None, *, share_id: str | None = None) -> Upload:
        """Issue a key.

        :param announced: bytes that the file will have; None if unknown.
        :param share_id: the share to which a recipient returns the file.
        """
        now = self._context.now
        upload = Upload(uuid.uuid4().hex, node, now, now, announced, share_id=share_id)
        self._open[upload.key] = upload
        return upload

    def get(self, key: str) -> Upload:
        """Find the upload of a key.

        :raises ApiError: 404 when the key is unknown or expired, or its file is gone.
        """
        self._purge()
        upload = self._open.get(key)
        if upload is None:
            raise not_found("upload key")
        return upload

    def is_returned(self, key: str) -> bool:
        """Whether a key was given to a recipient who returns a file."""
        upload = self._open.get(key)
        return upload is not None and upload.share_id is not None

    def end(self, upload: Upload) -> None:
        """End a key."""
        self._open.pop(upload.key, None)

    def kill(self) -> int:
        """Expire all keys.

        :return: how many there were.
        """
        self._purge()
        number = len(self._open)
        self._open.clear()
        return number

    def is_written(self, node: Node) -> bool:
        """Whether a chunk may arrive for a file."""
        return any(upload.node is node for upload in self._open.values())

    def _purge(self) -> None:
        now, settings = self._context.now, self._context.settings
        for upload in list(self._open.values()):
            start = upload.last_used if settings.upload_key_sliding else upload.began
            gone = upload.node.id not in self._tree.nodes or upload.node.trashed is not None
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

        :param length: bytes of the body; None if unknown.
        :raises ApiError: 400 when it is refused.
        """
        if self._context.settings.strict_chunks:
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

        :param end: how many bytes the file will have at least.
        :raises ApiError: 400 when it does not fit.
        """
        node = upload.node
        self._quota.check_file_size(end)
        self._quota.check_space(node.owner, end - node.content.size)

    def open(self, upload: Upload) -> Writer:
        """Open the file of an upload for writing."""
        node = upload.node
        node.content = self._storage.writable(node.content)
        return Writer(node.content)

    def write(self, upload: Upload, writer: Writer, data: bytes, offset: int) -> None:
        """Write a piece of a chunk. Listings show it at once.

        :param offset: where it goes.
        """
        node = upload.node
        before = node.content.size
        writer.write(data, offset)
        node.modified = self._context.now
        if node.id in self._tree.nodes:
            self._tree.used[node.owner] += node.content.size - before

    def end_chunk(self, upload: Upload, end: int) -> None:
        """Accept a chunk.

        :param end: offset of the byte after its last one.
        :raises ApiError: 404 when key or file do not exist any more.
        """
        self.get(upload.key)
        upload.last_used = self._context.now
        upload.position = end

    def finalize(self, upload: Upload, modified: float | None) -> None:
        """End an upload.

        :param modified: modification time to give the file; the time of this call when None.
        :raises ApiError: in strict mode, when bytes are missing.
        """
        node = upload.node
        if self._context.settings.strict_finalize and upload.announced not in (None, node.content.size):
            raise ApiError(400, BAD_PARAMETER, f"The file has {node.content.size} of {upload.announced} bytes")
        self.end(upload)
        node.unfinished = False
        node.modified = self._context.now if modified is None else modified
        node.virus_check = None
        node.checked_until = self._context.now + self._context.settings.antivirus_seconds
        self._changes.add(node, "modify")
