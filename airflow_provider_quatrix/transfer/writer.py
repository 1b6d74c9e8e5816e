"""Writes a remote file under a temporary name, and moves it to its final name once it is complete."""

from __future__ import annotations

import io
import json
import logging
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import (
    QuatrixApiError,
    QuatrixConflict,
    QuatrixError,
    QuatrixNotFound,
    QuatrixTransferError,
    QuatrixTransportError,
)
from airflow_provider_quatrix.api.messages import Repeat
from airflow_provider_quatrix.api.paths import join, split
from airflow_provider_quatrix.transfer.chunks import BLOCK, KEEPALIVE_SECONDS, SMALLEST_CHUNK
from airflow_provider_quatrix.transfer.temporary import NamesInUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_quatrix.api.files import FilesApi, IfExists
    from airflow_provider_quatrix.api.messages import SizedReader
    from airflow_provider_quatrix.api.models import RemoteFile, UploadLink
    from airflow_provider_quatrix.transfer.digest import FileDigest
    from airflow_provider_quatrix.transfer.throttle import Throttle

log = logging.getLogger(__name__)

# A response may be lost; if every response is, there is another reason.
_MOST_LINKS = 4
_names_in_use = NamesInUse()


class Block(io.BytesIO):
    """Bytes in memory as the body of a request."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._size = len(data)

    def __len__(self) -> int:
        return self._size


class FileSlice:
    """A part of an open file as the body of a request, read block by block; a digest may follow it.

    :param fd: descriptor; its own position is not used, so that slices of one file do not disturb each other.
    :param offset: first byte.
    :param size: bytes.
    :param digest: informed how far it has been read.
    """

    def __init__(
        self,
        fd: int,
        offset: int,
        size: int,
        digest: FileDigest | None = None,
        *,
        progress: Callable[[int], None] | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self._fd = fd
        self._at = offset
        self._end = offset + size
        self._size = size
        self._digest = digest
        self._progress = progress
        self._throttle = throttle

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, none at the end.

        :param size: bytes wanted; a block if negative.
        :raises SourceShrankError: the file is shorter than announced.
        """
        wanted = min(BLOCK if size < 0 else size, self._end - self._at)
        if wanted <= 0:
            return b""
        if self._throttle is not None:
            wanted = min(wanted, self._throttle.block)
            self._throttle.let_through(wanted)
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


class KeyExpiredError(Exception):
    """A renewed upload key has expired too, before a chunk was sent."""


@dataclass(frozen=True)
class UploadState:
    """How far an upload has got; stored in a checkpoint.

    :param size: bytes of the source.
    :param modified_ns: modification time of the source.
    :param offset: bytes that the service has confirmed.
    :param moving: it may have its final name by now.
    """

    size: int
    modified_ns: int
    key: str = field(repr=False)
    file_id: str
    temporary: str
    offset: int = 0
    digest: str = ""
    moving: bool = False

    @classmethod
    def read(cls, text: str | None) -> UploadState | None:
        """Return the state of a checkpoint; ``None`` if there is none."""
        with suppress(ValueError, TypeError):
            return cls(**json.loads(text or ""))
        return None

    def text(self) -> str:
        """Return the state as text for a checkpoint."""
        return json.dumps(asdict(self))


class RemoteWriter:
    """A remote file from its first byte until it has its final name, or is discarded.

    Begin with :meth:`begin` or :meth:`resume`, then :meth:`send`, :meth:`finish` and :meth:`commit`; or
    :meth:`discard`.

    :param what: the name of the upload in messages; default: the path.
    :param on_change: called with each new state, to store it in a checkpoint.
    """

    def __init__(
        self,
        files: FilesApi,
        path: str,
        folder_id: str,
        *,
        what: str = "",
        on_change: Callable[[UploadState], None] = lambda state: None,
    ) -> None:
        self._files = files
        self._names = split(path)
        self._folder_id = folder_id
        self._what = what or repr(path)
        self._on_change = on_change
        self._state: UploadState | None = None
        self._in_use = ""
        self._key_expired = False
        self._used_api = time.monotonic()

    @property
    def state(self) -> UploadState:
        """How far the upload has got."""
        if self._state is None:
            raise ValueError(f"{self._what} is not being written")
        return self._state

    def begin(self, size: int | None, resume_key: str = "", *, modified_ns: int = 0, digest: str = "") -> None:
        """Get permission to write.

        :param size: bytes the file will have, ``None`` if unknown.
        :param resume_key: who writes, the same in every try, so that a retry finds and removes what is left; empty if
            there is no retry.
        :param modified_ns: modification time of the source.
        :raises QuatrixQuotaExceeded: the file does not fit.
        """
        if not self._in_use:
            self._in_use = _names_in_use.acquire(join(self._names), resume_key)
        try:
            link = _temporary_link(self._files, self._folder_id, self._in_use, size)
        except BaseException:
            self.close()
            raise
        self._key_expired = False
        name = link.name or self._in_use
        self._change(UploadState(size or 0, modified_ns, link.key, link.file_id, name, digest=digest))

    def resume(self, state: UploadState) -> None:
        """Continue what an earlier try has left."""
        self._state = state

    def confirm(self, size: int, digest: str = "") -> None:
        """Record that the service has so many more bytes.

        :param digest: of all bytes that it has.
        """
        self._change(replace(self.state, offset=self.state.offset + size, digest=digest))

    def _change(self, state: UploadState) -> None:
        self._state = state
        self._on_change(state)

    def send(self, size: int, total: int, body: Callable[[], SizedReader]) -> None:
        """Send the next chunk; an upload key that has expired is renewed once.

        :param size: bytes of the chunk.
        :param total: bytes of the whole file, as far as known.
        :param body: opens the chunk, again for every attempt.
        :raises KeyExpiredError: the renewed key has expired too; the chunk may be sent again.
        :raises QuatrixTransferError: the unfinished file is gone.
        """
        is_second = self._key_expired
        if is_second:
            self._renew_key()
        try:
            self._files.upload_chunk(self.state.key, self.state.offset, size, total, body)
        except QuatrixNotFound:
            self._key_expired = True
            if is_second:
                raise KeyExpiredError from None
            self.send(size, total, body)
            return
        self._key_expired = False
        if time.monotonic() - self._used_api > KEEPALIVE_SECONDS:
            self._used_api = time.monotonic()
            self._files.keep_session()

    def _renew_key(self) -> None:
        state = self.state
        try:
            key = self._files.modify(state.file_id).key if self._is_kept() else None
            key = key if self._is_kept() else None
        except QuatrixApiError:
            key = None
        if key is None:
            raise self.lost()
        log.info("The key of the upload of %s has expired; continuing with another one", self._what)
        self._change(replace(state, key=key))

    def _is_kept(self) -> bool:
        there = self._files.stat(self.state.file_id)
        return there.name == self.state.temporary and there.size >= self.state.offset

    def lost(self) -> QuatrixTransferError:
        """Return the error that the service does not know the unfinished file any more."""
        try:
            self._files.stat(self._folder_id)
        except QuatrixNotFound:
            return QuatrixTransferError(
                f"The folder {join(self._names[:-1])!r} was deleted while {self._what} was written into it. Try again."
            )
        return QuatrixTransferError(
            f"Quatrix does not know the upload of {self._what} any more: its key has expired, or someone has deleted "
            "the unfinished file. Try again."
        )

    def finish(self, modified: float | None = None) -> RemoteFile | None:
        """Finish the upload, and check that the service has all bytes.

        :param modified: modification time of the file, Unix time; default: the server's own.
        :return: the file, if an earlier try had finished the upload.
        :raises QuatrixTransferError: some bytes are missing.
        """
        state, there = self.state, None
        try:
            _, size = self._files.finalize(state.key, modified)
        except QuatrixNotFound:
            # Finished by the last try, or by a request whose response was lost; otherwise the key has expired.
            try:
                there = self._files.stat(state.file_id)
            except QuatrixNotFound:
                raise self.lost() from None
            size = there.size
        if size != state.offset:
            raise QuatrixTransferError(f"Quatrix has {size} bytes of {self._what}, but {state.offset} were sent")
        return there

    def commit(
        self, if_exists: IfExists, modified: float | None = None, *, finished: RemoteFile | None = None
    ) -> RemoteFile:
        """Give the file its final name, in one step on the server.

        :param if_exists: what to do if the name is taken; the caller handles ``skip``.
        :param modified: modification time of the file, Unix time.
        :param finished: what :meth:`finish` returned.
        :return: the file, with its actual name.
        :raises QuatrixConflict: the name is taken.
        :raises QuatrixTransferError: the folder is not where it was.
        """
        if finished is None or not self._is_moved(finished):
            self._check_folder()
            # From here on the file may have its final name, unless the move is refused.
            self._change(replace(self.state, moving=True))
            try:
                finished = self._files.move_verified(
                    self.state.file_id,
                    self._folder_id,
                    self._names[-1],
                    if_exists=if_exists,
                    modified=modified,
                    is_moved=self._is_moved,
                )
            except QuatrixNotFound:
                raise self.lost() from None
        self.close()
        return finished

    def _is_moved(self, there: RemoteFile) -> bool:
        return there.parent_id == self._folder_id and there.name != self.state.temporary

    def _check_folder(self) -> None:
        """Check that no one has moved the folder during a long upload."""
        if self.state.offset <= SMALLEST_CHUNK:
            return
        found = self._files.find("/".join(self._names[:-1]))
        if found is None or found[0] != self._folder_id:
            folder = join(self._names[:-1])
            raise QuatrixTransferError(f"The folder {folder!r} was moved while {self._what} was written into it")

    def discard(self) -> None:
        """Remove what was written; if that fails, a retry with the same resume key removes it."""
        state = self._state
        if state is not None:
            with suppress(QuatrixError):
                if state.moving:
                    remove_unfinished(self._files, state)
                else:
                    self._files.delete([state.file_id], permanently=True)
        self.close()

    def close(self) -> None:
        """Leave what was written for a retry."""
        self._state = None
        _names_in_use.release(self._in_use)
        self._in_use = ""


def _temporary_link(files: FilesApi, folder_id: str, temporary: str, size: int | None) -> UploadLink:
    """Get permission to write a file under its temporary name; what an earlier try left under it is removed."""
    tries = 0
    while True:
        tries += 1
        try:
            return files.upload_link(folder_id, temporary, size, repeat=Repeat.SAFE)
        except QuatrixConflict:
            # The last try was killed before it could store anything, or the response to this one was lost.
            left = files.find(temporary, folder_id)
            if left is None or tries >= _MOST_LINKS:
                raise
            # If the response is lost, the next round checks whether it is gone.
            with suppress(QuatrixTransportError):
                files.delete([left[0]], permanently=True)


def remove_unfinished(files: FilesApi, state: UploadState) -> None:
    """Remove what an earlier try has left unfinished, but nothing that has its final name by now."""
    try:
        there = files.stat(state.file_id)
    except QuatrixNotFound:
        return
    if there.name == state.temporary:
        files.delete([state.file_id], permanently=True)
