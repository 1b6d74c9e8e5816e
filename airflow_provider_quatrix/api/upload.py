"""Uploads a file: under a temporary name, in chunks straight from disk, then moved onto its final name."""

from __future__ import annotations

import json
import logging
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.digest import FileDigest
from airflow_provider_quatrix.api.errors import (
    QuatrixConflict,
    QuatrixError,
    QuatrixNotFound,
    QuatrixPermissionDenied,
    QuatrixQuotaExceeded,
    QuatrixTransferError,
)
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.paths import InvalidPathError, is_counted, join, split
from airflow_provider_quatrix.api.retry import Repeat
from airflow_provider_quatrix.api.transfer import (
    KEEPALIVE_SECONDS,
    SMALLEST_CHUNK,
    FileSlice,
    SourceShrankError,
    Transferred,
    next_chunk,
    temporary_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_quatrix.api.files import FilesApi
    from airflow_provider_quatrix.api.models import RemoteFile, UploadLink
    from airflow_provider_quatrix.api.transfer import Notes
    from airflow_provider_quatrix.api.tree import RemoteTree

log = logging.getLogger(__name__)

# Modification times are kept to the microsecond, and pass through a float on the way.
_SAME_TIME = 2e-6
# An answer may get lost; that it does so every time has another reason.
_MOST_LINKS = 4


@dataclass(frozen=True)
class UploadState:
    """How far an upload came.

    :param target: final path.
    :param size: bytes of the source.
    :param modified_ns: modification time of the source.
    :param key: upload key.
    :param file_id: the unfinished file.
    :param temporary: its name.
    :param offset: bytes that the service has confirmed.
    """

    target: str
    size: int
    modified_ns: int
    key: str = field(repr=False)
    file_id: str
    temporary: str
    offset: int


@dataclass(frozen=True)
class Source:
    """A local file at the moment its upload begins.

    :param path: where it is.
    :param fd: open descriptor.
    :param size: bytes.
    :param modified_ns: modification time.
    """

    path: Path
    fd: int
    size: int
    modified_ns: int

    @property
    def modified(self) -> float:
        """Modification time as Unix time."""
        return self.modified_ns / 1e9

    def check_unchanged(self) -> None:
        """Raise if the file was written to since.

        :raises QuatrixTransferError: it was.
        """
        now = os.fstat(self.fd)
        if (now.st_size, now.st_mtime_ns) != (self.size, self.modified_ns):
            raise QuatrixTransferError(
                f"{self.path} changed while it was uploaded ({self.size} bytes at first, {now.st_size} now): upload a "
                "file that nobody writes to any more"
            )


class Uploader:
    """Uploads files into a tree.

    :param tree: where to.
    :param owner: who uploads, the same in every try, so that a further try finds what the last one left.
    :param further_try: an earlier try may have finished some files: one with the size and time of its source is
        taken for done.
    :param many: many files go into the same folders, so that listing them beats asking for each.
    :param progress: told the bytes of each block that is sent.
    """

    def __init__(
        self,
        tree: RemoteTree,
        *,
        owner: str = "",
        further_try: bool = False,
        many: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._tree = tree
        self._files: FilesApi = tree.files
        self._owner = owner
        self._further_try = further_try
        self._many = many
        self._progress = progress

    def upload(
        self,
        source: Path,
        target: str,
        *,
        if_exists: IfExists = IfExists.FAIL,
        create_parents: bool = False,
        notes: Notes | None = None,
    ) -> Transferred:
        """Upload one file; nobody sees it under its final name before it is whole.

        :param source: local file.
        :param target: path on Quatrix, the file's name included.
        :param if_exists: what to do if the target exists.
        :param create_parents: make missing folders of the target.
        :param notes: where to write down how far it came, for a further try.
        :return: path, id, size, SHA-256 and seconds.
        :raises QuatrixTransferError: the source changed, or the service has other bytes than were sent.
        :raises QuatrixConflict: the target exists.
        :raises QuatrixQuotaExceeded: it does not fit.
        """
        started = time.monotonic()
        names = split(target)
        if not names:
            raise InvalidPathError("The target is the home folder itself: give a path that ends in the file's name")
        folder_id = self._tree.folder_id(join(names[:-1]), create=create_parents)
        fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        try:
            stat = os.fstat(fd)
            opened = Source(source, fd, stat.st_size, stat.st_mtime_ns)
            done = self._settled(opened, names, folder_id, if_exists)
            if done is not None:
                return done
            upload = _Upload(
                self._files, opened, names, folder_id, if_exists=if_exists, notes=notes, progress=self._progress
            )
            moved, digest = upload.run(temporary_name(join(names), self._owner))
        finally:
            os.close(fd)
        path = join((*names[:-1], moved.name or names[-1]))
        return Transferred(path, moved.id, opened.size, digest, time.monotonic() - started)

    def _settled(
        self, source: Source, names: tuple[str, ...], folder_id: str, if_exists: IfExists
    ) -> Transferred | None:
        """Return the result if nothing needs to be sent."""
        if if_exists is IfExists.RENAME:
            return self._sent_before(source, names, folder_id) if self._further_try else None
        there = self._there(names, folder_id)
        if there is None:
            return None
        if there.kind.is_folder:
            # The service would put the file in the folder's place, with all that it holds.
            raise QuatrixConflict(
                400, None, f"{join(names)!r} is a folder: end the target in a slash to upload into it"
            )
        if if_exists is IfExists.SKIP or (self._further_try and _is_copy(there, source)):
            return _skipped(there, names)
        if if_exists is IfExists.FAIL:
            raise QuatrixConflict(
                400, None, f"{join(names)!r} exists: set if_exists to 'overwrite', 'skip' or 'rename' to go on"
            )
        return None

    def _sent_before(self, source: Source, names: tuple[str, ...], folder_id: str) -> Transferred | None:
        """Return what an earlier try has put under the wanted name, or one counted up from it."""
        for there in self._tree.names(folder_id).values():
            if is_counted(there.name, names[-1]) and not there.kind.is_folder and _is_copy(there, source):
                return _skipped(there, names)
        return None

    def _there(self, names: tuple[str, ...], folder_id: str) -> RemoteFile | None:
        if self._many:
            return self._tree.names(folder_id).get(names[-1])
        found = self._files.find(names[-1], folder_id)
        return None if found is None else self._files.stat(found[0])


def _is_copy(there: RemoteFile, source: Source) -> bool:
    return there.size == source.size and abs(there.modified - source.modified) < _SAME_TIME


def _skipped(there: RemoteFile, names: tuple[str, ...]) -> Transferred:
    return Transferred(join((*names[:-1], there.name or names[-1])), there.id, there.size, "", 0.0, skipped=True)


def temporary_link(files: FilesApi, folder_id: str, temporary: str, size: int | None) -> UploadLink:
    """Get permission to write a file under its temporary name.

    :param files: the file calls.
    :param folder_id: where.
    :param temporary: name that nobody but this upload uses; what an earlier try left under it is removed.
    :param size: bytes it will have, ``None`` if unknown.
    :return: the key, and the name the file really got.
    """
    tries = 0
    while True:
        tries += 1
        try:
            return files.upload_link(folder_id, temporary, size, repeat=Repeat.SAFE)
        except QuatrixConflict:
            # The last try was killed before it could note anything, or the answer to this one got lost.
            left = files.find(temporary, folder_id)
            if left is None or tries >= _MOST_LINKS:
                raise
            files.delete([left[0]], permanently=True)


class _Upload:
    """One upload under way."""

    def __init__(
        self,
        files: FilesApi,
        source: Source,
        names: tuple[str, ...],
        folder_id: str,
        *,
        if_exists: IfExists,
        notes: Notes | None,
        progress: Callable[[int], None] | None,
    ) -> None:
        self._files = files
        self._source = source
        self._names = names
        self._folder_id = folder_id
        self._if_exists = if_exists
        # A file of one chunk is sent anew faster than notes about it are written.
        self._notes = notes if source.size > SMALLEST_CHUNK else None
        self._progress = progress
        self._digest = FileDigest(source.fd, source.size)
        self._sha256 = ""
        self._used_api = time.monotonic()
        self._state: UploadState | None = None
        self._may_be_moved = False

    def run(self, temporary: str) -> tuple[RemoteFile, str]:
        """Send, finalize and move the file.

        :param temporary: name until it is whole.
        :return: the file in its place, and its SHA-256.
        """
        try:
            state = self._resumed()
            if state is None:
                state = self._sent_anew(temporary)
            moved = self._commit(state)
        except SourceShrankError:
            self._discard()
            self._source.check_unchanged()
            raise QuatrixTransferError(f"{self._source.path} ended before its size") from None
        except _DEFINITE:
            self._discard()
            raise
        except QuatrixError:
            if self._notes is None:
                self._discard()
            raise
        finally:
            self._digest.close()
        if self._notes is not None:
            self._notes.delete()
        return moved, self._sha256

    def _resumed(self) -> UploadState | None:
        """Go on where the last try stopped; ``None`` where there is nothing to go on with."""
        state = self._noted()
        if state is None:
            return None
        self._state = state
        source = self._source
        if (state.target, state.size, state.modified_ns) != (join(self._names), source.size, source.modified_ns):
            self._discard()
            return None
        log.info("Going on with the upload of %s at byte %d", source.path, state.offset)
        self._digest.reach(state.offset)
        if self._progress is not None:
            self._progress(state.offset)
        try:
            return self._send_from(state)
        except QuatrixNotFound:
            log.info("The key of the earlier upload has died; beginning anew")
            self._discard()
            return None

    def _noted(self) -> UploadState | None:
        text = self._notes.read() if self._notes is not None else None
        with suppress(ValueError, TypeError):
            return UploadState(**json.loads(text or ""))
        return None

    def _sent_anew(self, temporary: str) -> UploadState:
        source = self._source
        link = temporary_link(self._files, self._folder_id, temporary, source.size)
        state = UploadState(
            target=join(self._names),
            size=source.size,
            modified_ns=source.modified_ns,
            key=link.key,
            file_id=link.file_id,
            temporary=link.name or temporary,
            offset=0,
        )
        self._note(state)
        try:
            return self._send_from(state)
        except QuatrixNotFound:
            raise self._lost_place() from None

    def _lost_place(self) -> QuatrixTransferError:
        try:
            self._files.stat(self._folder_id)
        except QuatrixNotFound:
            return QuatrixTransferError(
                f"The folder {join(self._names[:-1])!r} was deleted while {self._source.path} was uploaded into it"
            )
        return QuatrixTransferError(
            f"Quatrix does not know the upload of {self._source.path} any more: its key has died, or somebody has "
            "deleted the unfinished file. Try again."
        )

    def _send_from(self, state: UploadState) -> UploadState:
        chunk = SMALLEST_CHUNK
        while state.offset < state.size:
            size = min(chunk, state.size - state.offset)
            started = time.monotonic()
            self._send_chunk(state.key, state.offset, size)
            chunk = next_chunk(size, time.monotonic() - started)
            state = replace(state, offset=state.offset + size)
            self._note(state)
            self._keep_session()
        return state

    def _send_chunk(self, key: str, offset: int, size: int) -> None:
        def body() -> FileSlice:
            return FileSlice(self._source.fd, offset, size, self._digest, self._progress)

        self._files.upload_chunk(key, offset, size, self._source.size, body)

    def _keep_session(self) -> None:
        if time.monotonic() - self._used_api > KEEPALIVE_SECONDS:
            self._used_api = time.monotonic()
            self._files.client.hold()

    def _commit(self, state: UploadState) -> RemoteFile:
        self._source.check_unchanged()
        self._sha256 = self._digest.finish()
        # What was hashed was read a second time.
        self._source.check_unchanged()
        there = self._finalize(state)
        if there is not None and self._is_moved(there, state):
            return there
        return self._move(state)

    def _finalize(self, state: UploadState) -> RemoteFile | None:
        """End the upload; return the file if that had happened before."""
        there = None
        try:
            _, size = self._files.finalize(state.key, self._source.modified)
        except QuatrixNotFound:
            # Ended by the last try, or by a request whose answer got lost; else the key has died.
            try:
                there = self._files.stat(state.file_id)
            except QuatrixNotFound:
                raise self._lost_place() from None
            size = there.size
        if size != state.size:
            raise QuatrixTransferError(f"Quatrix has {size} bytes of {self._source.path}, but {state.size} were sent")
        return there

    def _is_moved(self, there: RemoteFile, state: UploadState) -> bool:
        return there.parent_id == self._folder_id and there.name != state.temporary

    def _move(self, state: UploadState) -> RemoteFile:
        mode = IfExists.FAIL if self._if_exists is IfExists.SKIP else self._if_exists
        # From here on the file may be in its place already, whatever an error says.
        self._may_be_moved = True
        try:
            return self._files.move_surely(
                state.file_id,
                self._folder_id,
                self._names[-1],
                if_exists=mode,
                modified=self._source.modified,
                is_moved=lambda there: self._is_moved(there, state),
            )
        except _DEFINITE:
            self._may_be_moved = False
            raise

    def _note(self, state: UploadState) -> None:
        self._state = state
        if self._notes is not None:
            self._notes.write(json.dumps(asdict(state)))

    def _discard(self) -> None:
        """Remove the unfinished file; if even that fails, the next try finds it by its name."""
        if self._state is not None and not self._may_be_moved:
            with suppress(QuatrixError):
                self._files.delete([self._state.file_id], permanently=True)
        if self._notes is not None:
            self._notes.delete()
        self._state = None


# After these another try would meet the same; after all others it goes on where this one stopped.
_DEFINITE = (
    QuatrixTransferError,
    QuatrixConflict,
    QuatrixNotFound,
    QuatrixPermissionDenied,
    QuatrixQuotaExceeded,
    OSError,
)
