"""Downloads files; nobody sees one under its final name before it is complete."""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import (
    QuatrixError,
    QuatrixNotFound,
    QuatrixTransferError,
    QuatrixTransportError,
    TransportStage,
)
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.paths import by_wanted_name, safe_local_name
from airflow_provider_quatrix.api.stopping import TransferTooSlowError, check_stopped, sleep
from airflow_provider_quatrix.api.versions import SAME_TIME, Version
from airflow_provider_quatrix.transfer.chunks import SMALLEST_CHUNK
from airflow_provider_quatrix.transfer.journal import Journal, mark
from airflow_provider_quatrix.transfer.parts import Part, free_name, remove_left
from airflow_provider_quatrix.transfer.reader import VersionChangedError, download_to
from airflow_provider_quatrix.transfer.results import Transferred
from airflow_provider_quatrix.transfer.sinks import FileSink
from airflow_provider_quatrix.transfer.temporary import is_temporary, part_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_quatrix.api.files import FilesApi
    from airflow_provider_quatrix.api.models import RemoteFile
    from airflow_provider_quatrix.transfer.throttle import Throttle

# If a file changes this often while it is downloaded, somebody is still writing to it.
_MOST_VERSIONS = 3
# Some disks store times to two seconds only.
_SAME_OWN_TIME = 2.0


class Downloader:
    """Downloads files by id.

    :param journal: what the tries have done; deleted by the caller.
    :param keep_unfinished: a retry may resume what a failed download leaves.
    :param checksum: algorithm of hashlib for the digest; ``None`` for none, so that nothing is read twice.
    :param progress: called with the bytes of each block that is written.
    :param wait: waits before a broken stream is resumed.
    """

    def __init__(
        self,
        files: FilesApi,
        *,
        journal: Journal | None = None,
        keep_unfinished: bool = True,
        checksum: str | None = "sha256",
        throttle: Throttle | None = None,
        progress: Callable[[int], None] | None = None,
        wait: Callable[[float], None] = sleep,
    ) -> None:
        self._files = files
        self._journal = journal or Journal()
        self._keep_unfinished = keep_unfinished
        self.progress = progress
        self._checksum = checksum
        self._throttle = throttle
        self._wait = wait
        self._left: dict[Path, list[Path]] = {}
        self._there: dict[Path, dict[str, list[str]]] = {}
        self._listing = threading.Lock()

    def begin(self, targets: Iterable[Path], if_exists: IfExists, *, refuse: bool = True) -> None:
        """Check which names are taken, before the first file is fetched.

        :param targets: local paths.
        :param if_exists: what to do if one is taken.
        :param refuse: one taken name ends all.
        :raises FileExistsError: one is taken, and ``if_exists`` does not allow that.
        """
        if self._journal.begun or if_exists in (IfExists.OVERWRITE, IfExists.UPDATE):
            return
        before = []
        for target in targets:
            if if_exists is IfExists.FAIL and target.exists():
                if refuse:
                    raise _exists(target)
                before.append(_mark(target))
            if if_exists is not IfExists.FAIL:
                before += [_mark(entry) for entry in self._counted(target)]
        self._journal.begin(before)

    def download(self, remote: RemoteFile, target: Path, *, if_exists: IfExists = IfExists.FAIL) -> Transferred:
        """Download one file.

        :param remote: the file, with its size and time.
        :param target: local path, the file's name included; its folder exists.
        :param if_exists: what to do if the target exists.
        :return: path, id, size, digest and seconds.
        :raises QuatrixTransferError: the size is not the announced one, or the disk is full.
        :raises FileExistsError: the target exists.
        """
        started = time.monotonic()
        safe_local_name(target.name)
        check_stopped()
        there = self._in_the_way(remote, target, if_exists)
        if there is not None:
            if self._fetched_before(there, remote):
                return self._skipped(there, remote, target, is_copy=True)
            if self._journal.is_own(_mark(there)):
                # The remote file has changed since an earlier try fetched it.
                target, if_exists = there, IfExists.OVERWRITE
            elif there.is_dir() or if_exists is IfExists.FAIL:
                self.clear(target)
                raise _exists(there)
            elif if_exists is IfExists.UPDATE and _local(there).is_same(remote.version):
                return self._skipped(there, remote, target, is_copy=True)
            elif if_exists is IfExists.SKIP:
                return self._skipped(there, remote, target)
        if if_exists is IfExists.UPDATE:
            if_exists = IfExists.OVERWRITE
        placed, remote, digest = self._fetch(remote, target, if_exists)
        if placed is None:
            return self._skipped(target, remote, target)
        seconds = time.monotonic() - started
        self._files.report_moved("download", remote.size)
        return Transferred(str(placed), remote.id, remote.size, digest, seconds, source=remote.version)

    def fetched_before(
        self, remote: RemoteFile, target: Path, *, if_exists: IfExists = IfExists.FAIL, gone: bool = False
    ) -> Transferred | None:
        """Return the result of a file that an earlier try has fetched; ``None`` if none has.

        :param remote: the source, when the earlier try began.
        :param if_exists: of the earlier try.
        :param gone: the source is gone, so an equal file at the target is enough.
        """
        for there in self._counted(target) if if_exists is IfExists.RENAME else [target]:
            if not there.is_file():
                continue
            if self._fetched_before(there, remote) or (gone and _local(there).is_same(remote.version, _SAME_OWN_TIME)):
                return self._skipped(there, remote, target, is_copy=True)
        return None

    def _fetch(self, remote: RemoteFile, target: Path, if_exists: IfExists) -> tuple[Path | None, RemoteFile, str]:
        """Download one version of a file, or the next one if that is gone."""
        versions = 1
        while True:
            try:
                placed, digest = self._fetch_version(remote, target, if_exists)
            except VersionChangedError:
                remote = self._files.stat(remote.id)
                versions += 1
                if versions > _MOST_VERSIONS or remote.kind.is_folder:
                    raise QuatrixTransferError(
                        f"{remote.name!r} kept changing on Quatrix while it was downloaded: download a "
                        "file that nobody writes to any more"
                    ) from None
            else:
                return placed, remote, digest

    def _fetch_version(self, remote: RemoteFile, target: Path, if_exists: IfExists) -> tuple[Path | None, str]:
        version = f"{remote.id} {remote.size} {remote.modified:.6f}"
        overwrite = if_exists is IfExists.OVERWRITE
        try:
            part = Part.open(target, version, _mode(target) if overwrite else 0o666)
        except OSError as error:
            raise _unwritable(target, error) from None
        try:
            self._journal.open(str(target), str(part.path), at_once=remote.size > SMALLEST_CHUNK)
            self.clear(target, except_for=part.path)
            _check_room(part, target, remote)
            digest = self._into(part, remote)
            return self._put_in_place(part, target, remote, if_exists), digest
        except (QuatrixTransferError, QuatrixNotFound, VersionChangedError, FileExistsError, IsADirectoryError):
            part.remove()
            raise
        except TransferTooSlowError as error:
            self._leave(part)
            raise QuatrixTransportError(
                f"The download of {remote.name!r} is too slow: {error}", TransportStage.SENT
            ) from None
        except OSError as error:
            if isinstance(error, QuatrixError):
                self._leave(part)
                raise
            part.remove()
            raise _unwritable(target, error) from None
        except BaseException:
            self._leave(part)
            raise
        finally:
            part.close()
            if not part.path.exists():
                self._journal.close(str(target))

    def _into(self, part: Part, remote: RemoteFile) -> str:
        """Fill a part; return its digest."""
        sink = FileSink(part.fd, remote.size, self._checksum)
        try:
            return download_to(
                self._files, remote, sink, progress=self.progress, throttle=self._throttle, sleep=self._wait
            )
        finally:
            sink.close()

    def _leave(self, part: Part) -> None:
        if not self._keep_unfinished:
            part.remove()

    def _put_in_place(self, part: Part, target: Path, remote: RemoteFile, if_exists: IfExists) -> Path | None:
        """Give a complete part its time and its final name.

        :return: its path; ``None`` if somebody has made the target in the meantime, and it has to be skipped.
        """
        check_stopped()
        ns = round(remote.modified * 1_000_000) * 1000
        os.utime(part.fd, ns=(ns, ns))
        if if_exists is IfExists.OVERWRITE:
            part.take_permissions(target)
            self._journal.add(_mark(part.path, target))
            part.replace(target)
            return target
        while True:
            place = free_name(target) if if_exists is IfExists.RENAME else target
            self._journal.add(_mark(part.path, place))
            try:
                part.put(place)
            except FileExistsError:
                if if_exists is IfExists.SKIP:
                    part.remove()
                    return None
                if if_exists is not IfExists.RENAME:
                    raise _exists(target) from None
            else:
                return place

    def _in_the_way(self, remote: RemoteFile, target: Path, if_exists: IfExists) -> Path | None:
        """Return what has the wanted name; with ``rename``, what an earlier try has put there under a numbered name."""
        if if_exists is not IfExists.RENAME:
            return target if target.exists() else None
        if not self._journal.begun:
            return None
        for entry in self._counted(target):
            if self._journal.is_own(_mark(entry)) or self._fetched_before(entry, remote):
                return entry
        return None

    def _fetched_before(self, there: Path, remote: RemoteFile) -> bool:
        """Return whether an earlier try has fetched the remote file in its present version."""
        if not self._journal.begun or there.is_dir():
            return False
        own = self._journal.is_own(_mark(there))
        if not own and not self._journal.appeared(_mark(there)):
            return False
        return _local(there).is_same(remote.version, _SAME_OWN_TIME if own else SAME_TIME)

    def _skipped(self, there: Path, remote: RemoteFile, target: Path, *, is_copy: bool = False) -> Transferred:
        self.clear(target)
        source = remote.version if is_copy else None
        size = there.stat().st_size if there.exists() else 0
        return Transferred(str(there), remote.id, size, "", 0.0, skipped=True, source=source)

    def clear(self, target: Path, *, except_for: Path | None = None) -> None:
        """Remove parts of a target that nobody writes to and nobody will resume.

        :param except_for: a part to keep.
        """
        prefix = part_prefix(target.name)
        for left in self._left_in(target.parent):
            if left.name.startswith(prefix) and left != except_for:
                remove_left(left)

    def clear_all(self) -> None:
        """Remove everything unfinished, also of earlier tries."""
        for target, left in self._journal.all_opened().items():
            remove_left(Path(left))
            self._journal.close(target)

    def _counted(self, target: Path) -> list[Path]:
        """Return the files that had a name, or that name with a number, when first asked."""
        folder = target.parent
        with self._listing:
            if folder not in self._there:
                with suppress(OSError):
                    self._there[folder] = by_wanted_name(entry.name for entry in folder.iterdir() if entry.is_file())
            names = self._there.get(folder, {}).get(target.name, ())
        return [folder / name for name in names]

    def _left_in(self, folder: Path) -> list[Path]:
        """Return what earlier tries left in a folder, which is listed only once."""
        with self._listing:
            if folder not in self._left:
                left = self._left[folder] = []
                # The folder may be write-only. If it is missing, that is reported when its file is opened.
                with suppress(OSError):
                    left += (entry for entry in folder.iterdir() if is_temporary(entry.name))
            return self._left[folder]


def _local(there: Path) -> Version:
    return Version.of_local(there.stat())


def _mark(there: Path, target: Path | None = None) -> str:
    """Return a mark of a local file in its present version.

    :param there: where it is.
    :param target: where it will be, if elsewhere.
    """
    stat = there.stat()
    return mark(target or there, stat.st_size, stat.st_mtime_ns)


def _mode(target: Path) -> int:
    with suppress(FileNotFoundError):
        return target.stat().st_mode & 0o777
    return 0o666


def _exists(target: Path) -> OSError:
    if target.is_dir():
        return IsADirectoryError(f"{target} is a folder: give the path of a file in it")
    return FileExistsError(f"{target} exists: set if_exists to 'overwrite', 'skip' or 'rename' to continue")


def _check_room(part: Part, target: Path, remote: RemoteFile) -> None:
    needed, free = remote.size - os.fstat(part.fd).st_size, shutil.disk_usage(target.parent).free
    if needed > free:
        raise QuatrixTransferError(f"{target.parent} has {free} bytes free, but {remote.name!r} needs {needed} more")


def _unwritable(target: Path, error: OSError) -> QuatrixTransferError:
    return QuatrixTransferError(f"{target} cannot be written: {error.strerror}")
