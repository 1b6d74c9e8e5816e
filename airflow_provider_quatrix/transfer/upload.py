"""Uploads files in chunks, straight from disk; nobody sees one under its final name before it is complete."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import (
    QuatrixConflict,
    QuatrixNotFound,
    QuatrixPermissionDenied,
    QuatrixQuotaExceeded,
    QuatrixTransferError,
    QuatrixTransportError,
    TransportStage,
)
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.paths import InvalidPathError, by_wanted_name, join, split
from airflow_provider_quatrix.api.stopping import TransferTooSlowError, check_stopped, cleaning_up
from airflow_provider_quatrix.transfer.chunks import MIB, SMALLEST_CHUNK, next_chunk
from airflow_provider_quatrix.transfer.digest import FileDigest
from airflow_provider_quatrix.transfer.journal import Journal, mark
from airflow_provider_quatrix.transfer.local_files import LocalSource, open_local
from airflow_provider_quatrix.transfer.reader import VersionChangedError, download_to
from airflow_provider_quatrix.transfer.results import Transferred
from airflow_provider_quatrix.transfer.sinks import StreamSink
from airflow_provider_quatrix.transfer.throttle import Handling
from airflow_provider_quatrix.transfer.writer import (
    FileSlice,
    KeyExpiredError,
    RemoteWriter,
    SourceShrankError,
    UploadState,
    remove_unfinished,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from airflow_provider_quatrix.api.files import FilesApi
    from airflow_provider_quatrix.api.models import RemoteFile
    from airflow_provider_quatrix.api.versions import Version
    from airflow_provider_quatrix.transfer.tree import RemoteTree

log = logging.getLogger(__name__)

# A key that expires before even so many bytes are sent is of no use.
_LEAST_CHUNK = MIB
# A killed try loses the chunk that was being sent: at most this part of a large file.
_CHUNKS_PER_FILE = 16


class Uploader:
    """Uploads files into a tree.

    :param resume_key: who uploads, the same in every try, so that a retry finds what the last try left.
    :param journal: what the tries have done; deleted by the caller.
    :param many: many files go into the same folders, so listing them is cheaper than a call for each.
    :param keep_unfinished: a retry may resume what a failed upload leaves.
    :param handling: how the bytes are moved.
    :param progress: called with the bytes of each block that is sent.
    """

    def __init__(
        self,
        tree: RemoteTree,
        *,
        resume_key: str = "",
        journal: Journal | None = None,
        many: bool = False,
        keep_unfinished: bool = False,
        handling: Handling | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._tree = tree
        self._files: FilesApi = tree.files
        self._resume_key = resume_key or uuid.uuid4().hex
        self._journal = journal or Journal()
        self.many = many
        self._keep_unfinished = keep_unfinished
        self._handling = handling or Handling()
        self.progress = progress
        self._groups: dict[str, dict[str, list[str]]] = {}
        self._grouping = threading.Lock()

    def begin(self, targets: Iterable[str], if_exists: IfExists, *, refuse: bool = True) -> None:
        """Check which names are taken, before the first file is sent.

        :param targets: their paths; the folders exist.
        :param if_exists: what to do if one is taken.
        :param refuse: one taken name ends all.
        :raises QuatrixConflict: one is taken, and ``if_exists`` does not allow that.
        """
        if self._journal.begun or not self.many or if_exists in (IfExists.OVERWRITE, IfExists.UPDATE):
            return
        before = []
        for target in targets:
            names = split(target)
            there = self._tree.folder_id(join(names[:-1]))
            taken = self._tree.names(there).get(names[-1])
            if refuse and if_exists is IfExists.FAIL and taken is not None:
                raise _exists(taken, names)
            before += [mark(entry.id) for entry in self._counted(there, names)]
        self._journal.begin(before)

    def upload(
        self, source: Path, target: str, *, if_exists: IfExists = IfExists.FAIL, create_parents: bool = False
    ) -> Transferred:
        """Upload one file.

        :param source: local file.
        :param target: path on Quatrix, the file's name included.
        :param if_exists: what to do if the target exists.
        :param create_parents: make missing folders of the target.
        :return: path, id, size, digest and seconds.
        :raises QuatrixTransferError: the source changed, or the bytes on Quatrix differ from those that were sent.
        :raises QuatrixConflict: the target exists.
        :raises QuatrixQuotaExceeded: it does not fit.
        """
        started = time.monotonic()
        names = split(target)
        if not names:
            raise InvalidPathError("The target is the home folder itself: give a path that ends in the file's name")
        check_stopped()
        folder_id = self._tree.folder_id(join(names[:-1]), create=create_parents)
        fd = open_local(source)
        try:
            stat = os.fstat(fd)
            opened = LocalSource(source, fd, stat.st_size, stat.st_mtime_ns)
            with self._clearing(join(names)):
                return self._upload(opened, names, folder_id, if_exists, started)
        finally:
            os.close(fd)

    def _upload(
        self, source: LocalSource, names: tuple[str, ...], folder_id: str, if_exists: IfExists, started: float
    ) -> Transferred:
        there = self._in_the_way(source, names, folder_id, if_exists)
        if there is not None:
            if self._sent_before(there, source.version):
                return self._skipped(there, names, source.version)
            if self._journal.is_own(mark(there.id)):
                # The source has changed since an earlier try sent it.
                names, if_exists = (*names[:-1], there.name), IfExists.OVERWRITE
            elif there.kind.is_folder or if_exists is IfExists.FAIL:
                raise _exists(there, names)
            elif if_exists is IfExists.UPDATE and there.version.is_same(source.version):
                return self._skipped(there, names, source.version)
            elif if_exists is IfExists.SKIP:
                return self._skipped(there, names)
        path = join(names)
        upload = _FileUpload(
            self._files,
            source,
            path,
            folder_id,
            if_exists=IfExists.OVERWRITE if if_exists is IfExists.UPDATE else if_exists,
            journal=self._journal,
            handling=self._handling,
            progress=self.progress,
        )
        try:
            moved, digest = upload.run(self._resume_key)
        except QuatrixConflict:
            made = None if if_exists is IfExists.RENAME else self._find(names, folder_id)
            if made is None:
                raise
            if if_exists is IfExists.SKIP:
                return self._skipped(made, names)
            raise _exists(made, names) from None
        path = join((*names[:-1], moved.name or names[-1]))
        self._files.report_moved("upload", source.size)
        return Transferred(path, moved.id, source.size, digest, time.monotonic() - started, source=source.version)

    def sent_before(
        self, target: str, version: Version, *, if_exists: IfExists = IfExists.FAIL, gone: bool = False
    ) -> Transferred | None:
        """Return the result of a file that an earlier try has sent; ``None`` if none has.

        :param target: path on Quatrix; its folder exists.
        :param version: of the source, when the earlier try began.
        :param if_exists: of the earlier try.
        :param gone: the source is gone, so an equal file at the target is enough.
        """
        names = split(target)
        folder_id = self._tree.folder_id(join(names[:-1]))
        there = [self._there(names, folder_id)] if if_exists is not IfExists.RENAME else self._counted(folder_id, names)
        for entry in there:
            if entry is None:
                continue
            if self._sent_before(entry, version) or (gone and entry.version.is_same(version)):
                return self._skipped(entry, names, version)
        return None

    @contextmanager
    def _clearing(self, path: str) -> Iterator[None]:
        """Remove what a failure leaves of a file, unless a retry may resume it."""
        try:
            yield
        except BaseException:
            if not self._keep_unfinished:
                self._clear(path)
            raise

    def clear_all(self) -> None:
        """Remove everything unfinished, also of earlier tries."""
        for path in self._journal.all_opened():
            self._clear(path)

    def _clear(self, path: str) -> None:
        state = UploadState.read(self._journal.opened(path))
        if state is not None and not state.moving:
            with cleaning_up():
                remove_unfinished(self._files, state)
        self._journal.close(path)

    def _in_the_way(
        self, source: LocalSource, names: tuple[str, ...], folder_id: str, if_exists: IfExists
    ) -> RemoteFile | None:
        """Return what has the wanted name; with ``rename``, what an earlier try has put there under a numbered name."""
        if if_exists is not IfExists.RENAME:
            return self._there(names, folder_id)
        if not self._journal.begun:
            return None
        for entry in self._counted(folder_id, names):
            if self._journal.is_own(mark(entry.id)) or self._sent_before(entry, source.version):
                return entry
        return None

    def _counted(self, folder_id: str, names: tuple[str, ...]) -> list[RemoteFile]:
        """Return what had a name, or that name with a number, when first asked."""
        there = self._tree.names(folder_id)
        with self._grouping:
            if folder_id not in self._groups:
                self._groups[folder_id] = by_wanted_name(there)
            return [there[name] for name in self._groups[folder_id].get(names[-1], ())]

    def _sent_before(self, there: RemoteFile, version: Version) -> bool:
        """Return whether an earlier try has sent a version of the source."""
        if there.kind.is_folder or not self._journal.begun:
            return False
        of = mark(there.id)
        return (self._journal.is_own(of) or self._journal.appeared(of)) and there.version.is_same(version)

    def _there(self, names: tuple[str, ...], folder_id: str) -> RemoteFile | None:
        if self.many:
            return self._tree.names(folder_id).get(names[-1])
        return self._find(names, folder_id)

    def _find(self, names: tuple[str, ...], folder_id: str) -> RemoteFile | None:
        found = self._files.find(names[-1], folder_id)
        return None if found is None else self._files.stat(found[0])

    def _skipped(self, there: RemoteFile, names: tuple[str, ...], source: Version | None = None) -> Transferred:
        # A killed try may have left a part, before somebody else took the name or its own move was done.
        self._clear(join(names))
        path = join((*names[:-1], there.name or names[-1]))
        return Transferred(path, there.id, there.size, "", 0.0, skipped=True, source=source)


def _exists(there: RemoteFile, names: tuple[str, ...]) -> QuatrixConflict:
    if there.kind.is_folder:
        # The service would replace the folder together with its content.
        return QuatrixConflict(400, None, f"{join(names)!r} is a folder: end the target in a slash to upload into it")
    return QuatrixConflict(
        400, None, f"{join(names)!r} exists: set if_exists to 'overwrite', 'skip' or 'rename' to continue"
    )


class _FileUpload:
    """The upload of one file.

    :param if_exists: what to do if someone takes the name in the meantime; the caller handles ``skip``.
    :param journal: stores how far it has got.
    :param handling: how its bytes are moved.
    :param progress: called with the bytes of each block that is sent.
    """

    def __init__(
        self,
        files: FilesApi,
        source: LocalSource,
        path: str,
        folder_id: str,
        *,
        if_exists: IfExists,
        journal: Journal,
        handling: Handling,
        progress: Callable[[int], None] | None,
    ) -> None:
        self._files = files
        self._source = source
        self._path = path
        self._if_exists = IfExists.FAIL if if_exists is IfExists.SKIP else if_exists
        self._journal = journal
        self._progress = progress
        self._handling = handling
        self._digest = FileDigest(source.fd, source.size, handling.checksum)
        self._writer = RemoteWriter(files, path, folder_id, what=str(source.path), on_change=self._keep)

    def run(self, resume_key: str) -> tuple[RemoteFile, str]:
        """Send the file, and give it its final name.

        :param resume_key: who uploads, the same in every try.
        :return: the file in its place, and its digest.
        """
        try:
            if not self._resume():
                self._begin(resume_key)
            moved = self._commit()
        except SourceShrankError:
            self._discard()
            self._source.check_unchanged()
            raise QuatrixTransferError(f"{self._source.path} ended before its size") from None
        except TransferTooSlowError as error:
            raise QuatrixTransportError(
                f"The upload of {self._source.path} is too slow: {error}", TransportStage.SENT
            ) from None
        except _DEFINITE:
            self._discard()
            raise
        finally:
            self._digest.close()
            self._writer.close()
        self._journal.close(self._path)
        return moved, self._digest.finish()

    def _keep(self, state: UploadState) -> None:
        # It is faster to send a file of one chunk again than to store its progress.
        self._journal.open(self._path, state.text(), at_once=state.size > SMALLEST_CHUNK and not state.moving)

    def _discard(self) -> None:
        with cleaning_up():
            self._writer.discard()
        self._journal.close(self._path)

    def _resume(self) -> bool:
        """Resume where the last try stopped; ``False`` if there is nothing to resume."""
        source = self._source
        state = UploadState.read(self._journal.opened(self._path))
        if state is None:
            return False
        if not self._has_beginning(state):
            log.info("The upload of %s cannot be resumed; starting again", source.path)
            remove_unfinished(self._files, state)
            self._journal.close(self._path)
            return False
        log.info("Resuming the upload of %s at byte %d", source.path, state.offset)
        self._writer.resume(state)
        if self._progress is not None:
            self._progress(state.offset)
        try:
            self._send()
        except QuatrixTransferError as error:
            log.info("%s Starting again.", error)
            self._discard()
            return False
        return True

    def _has_beginning(self, state: UploadState) -> bool:
        """Return whether the source begins with the bytes that were sent."""
        if (state.size, state.modified_ns) != (self._source.size, self._source.modified_ns):
            return False
        if self._handling.checksum is None:
            return False
        self._digest.reach(state.offset)
        return self._digest.up_to(state.offset) == state.digest

    def _begin(self, resume_key: str) -> None:
        source = self._source
        self._writer.begin(source.size, resume_key, modified_ns=source.modified_ns, digest=self._digest.up_to(0))
        self._journal.add(mark(self._writer.state.file_id))
        self._send()

    def _send(self) -> None:
        writer, total = self._writer, self._source.size
        limit = min(self._handling.throttle.largest_chunk, max(SMALLEST_CHUNK, total // _CHUNKS_PER_FILE))
        chunk = min(SMALLEST_CHUNK, limit)
        while (offset := writer.state.offset) < total:
            check_stopped()
            size, started = min(chunk, total - offset), time.monotonic()
            try:
                writer.send(size, total, lambda offset=offset, size=size: self._body(offset, size))  # type: ignore[misc]
            except KeyExpiredError:
                chunk = limit = self._smaller(size)
                continue
            chunk = min(next_chunk(size, time.monotonic() - started), limit)
            writer.confirm(size, self._digest.up_to(offset + size))

    def _body(self, offset: int, size: int) -> FileSlice:
        throttle = self._handling.throttle
        return FileSlice(self._source.fd, offset, size, self._digest, progress=self._progress, throttle=throttle)

    def _smaller(self, size: int) -> int:
        if size <= _LEAST_CHUNK:
            raise QuatrixTransferError(
                f"The upload key for {self._path!r} expires before {size} bytes are sent: the connection "
                "is too slow, or Quatrix's upload keys expire too early"
            )
        return max(_LEAST_CHUNK, size // 4)

    def _commit(self) -> RemoteFile:
        source = self._source
        source.check_unchanged()
        self._digest.up_to(source.size)
        # For the digest, the bytes were read a second time.
        source.check_unchanged()
        check_stopped()
        finished = self._writer.finish(source.modified)
        if self._handling.verify:
            self._read_back()
        return self._writer.commit(self._if_exists, source.modified, finished=finished)

    def _read_back(self) -> None:
        """Check that the service has the bytes that were sent.

        :raises QuatrixTransferError: it has not.
        """
        sink = StreamSink(self._handling.checksum)
        try:
            there = self._files.stat(self._writer.state.file_id)
            digest = download_to(self._files, there, sink, throttle=self._handling.throttle)
        except (QuatrixNotFound, VersionChangedError):
            raise self._writer.lost() from None
        if digest != self._digest.up_to(self._source.size):
            raise QuatrixTransferError(
                f"The bytes of {self._source.path} on Quatrix differ from those that were sent: try again"
            )


# A retry would fail in the same way after these errors; after all others it resumes.
_DEFINITE = (
    QuatrixTransferError,
    QuatrixConflict,
    QuatrixNotFound,
    QuatrixPermissionDenied,
    QuatrixQuotaExceeded,
    OSError,
)
