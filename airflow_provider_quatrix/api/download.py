"""Downloads a file: into a part beside its target, resumed by range, checked, then put in place."""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import urllib3

from airflow_provider_quatrix.api.digest import FileDigest
from airflow_provider_quatrix.api.errors import (
    QuatrixApiError,
    QuatrixError,
    QuatrixNotFound,
    QuatrixTransferError,
    QuatrixTransportError,
    TransportStage,
)
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.paths import is_counted, safe_local_name
from airflow_provider_quatrix.api.transfer import (
    BLOCK,
    KEEPALIVE_SECONDS,
    Transferred,
    is_temporary,
    part_name,
    part_prefix,
)
from airflow_provider_quatrix.api.writeback import Writeback

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import requests

    from airflow_provider_quatrix.api.files import FilesApi
    from airflow_provider_quatrix.api.models import RemoteFile

log = logging.getLogger(__name__)

# A stream that breaks is taken up again as often as it brings something; without progress this often.
_MOST_BREAKS = 6
_PAUSE = 0.5
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Downloader:
    """Downloads files by id.

    :param files: the file calls.
    :param further_try: an earlier try may have finished some files: one with the size and time of its source is
        taken for done.
    :param progress: told the bytes of each block that is written.
    :param sleep: waits before a broken stream is taken up again.
    """

    def __init__(
        self,
        files: FilesApi,
        *,
        further_try: bool = False,
        progress: Callable[[int], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._files = files
        self._further_try = further_try
        self._progress = progress
        self._sleep = sleep
        self._left: dict[Path, list[Path]] = {}
        self._listing = threading.Lock()

    def download(self, remote: RemoteFile, target: Path, *, if_exists: IfExists = IfExists.FAIL) -> Transferred:
        """Download one file; nobody sees it under its final name before it is whole.

        :param remote: what, with its size and time.
        :param target: local path, the file's name included; its folder exists.
        :param if_exists: what to do if the target exists.
        :return: path, id, size, SHA-256 and seconds.
        :raises QuatrixTransferError: other bytes came than were announced, or they do not fit on the disk.
        :raises FileExistsError: the target exists.
        """
        started = time.monotonic()
        safe_local_name(target.name)
        settled = self._settled(remote, target, if_exists)
        if settled is not None:
            return settled
        if if_exists is IfExists.RENAME:
            target = free_name(target)
        part = target.with_name(part_name(target.name, f"{remote.id} {remote.size} {remote.modified:.6f}"))
        self._clear_others(target, part)
        try:
            digest = _Download(self._files, remote, part, self._progress, self._sleep).run()
        except QuatrixTransferError:
            part.unlink(missing_ok=True)
            raise
        except OSError as error:
            if isinstance(error, QuatrixError):
                raise
            part.unlink(missing_ok=True)
            raise QuatrixTransferError(f"{target} cannot be written: {error.strerror}") from None
        _put_in_place(part, target, remote.modified, replace=if_exists is IfExists.OVERWRITE)
        return Transferred(str(target), remote.id, remote.size, digest, time.monotonic() - started)

    def _settled(self, remote: RemoteFile, target: Path, if_exists: IfExists) -> Transferred | None:
        if if_exists is IfExists.RENAME:
            return self._written_before(remote, target) if self._further_try else None
        if not target.exists():
            return None
        if target.is_dir():
            raise IsADirectoryError(f"{target} is a folder: give the path of a file in it")
        if if_exists is IfExists.SKIP or (self._further_try and _is_copy(target, remote)):
            return Transferred(str(target), remote.id, target.stat().st_size, "", 0.0, skipped=True)
        if if_exists is IfExists.FAIL:
            raise FileExistsError(f"{target} exists: set if_exists to 'overwrite', 'skip' or 'rename' to go on")
        return None

    @staticmethod
    def _written_before(remote: RemoteFile, target: Path) -> Transferred | None:
        """Return what an earlier try has put under the wanted name, or one counted up from it."""
        for entry in target.parent.iterdir():
            if is_counted(entry.name, target.name) and entry.is_file() and _is_copy(entry, remote):
                return Transferred(str(entry), remote.id, remote.size, "", 0.0, skipped=True)
        return None

    def _clear_others(self, target: Path, part: Path) -> None:
        """Remove parts of earlier versions of the same file, which nobody will resume."""
        prefix = part_prefix(target.name)
        for left in self._left_in(target.parent):
            if left.name.startswith(prefix) and left.name != part.name:
                with suppress(OSError):
                    left.unlink()

    def _left_in(self, folder: Path) -> list[Path]:
        """Return what earlier tries left in a folder, which is listed once however many files go there."""
        with self._listing:
            if folder not in self._left:
                left = self._left[folder] = []
                # A folder may be one to write into only; one that is gone is reported when its file is opened.
                with suppress(OSError):
                    left += (entry for entry in folder.iterdir() if is_temporary(entry.name))
            return self._left[folder]


def _is_copy(path: Path, remote: RemoteFile) -> bool:
    there = path.stat()
    return there.st_size == remote.size and abs(there.st_mtime - remote.modified) < 2e-6


class _Download:
    """One download under way."""

    def __init__(
        self,
        files: FilesApi,
        remote: RemoteFile,
        part: Path,
        progress: Callable[[int], None] | None,
        sleep: Callable[[float], None],
    ) -> None:
        self._files = files
        self._remote = remote
        self._part = part
        self._progress = progress
        self._sleep = sleep
        self._link = ""
        self._used_api = time.monotonic()

    def run(self) -> str:
        """Bring the part to its full size.

        :return: SHA-256 of it.
        """
        fd = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._digest = FileDigest(fd, self._remote.size)
        self._writeback = Writeback(fd)
        try:
            offset = self._resume_at(fd)
            self._check_room(offset)
            breaks = 0
            while offset < self._remote.size:
                reached = self._fetch(fd, offset)
                breaks = 0 if reached > offset else breaks + 1
                if reached < self._remote.size:
                    if breaks >= _MOST_BREAKS:
                        raise QuatrixTransportError(
                            f"The download of {self._remote.name!r} broke {breaks} times in a row at byte {reached}",
                            TransportStage.SENT,
                        )
                    self._sleep(_PAUSE * 2**breaks)
                offset = reached
            self._writeback.finish()
            return self._digest.finish()
        finally:
            self._writeback.close()
            self._digest.close()
            os.close(fd)

    def _resume_at(self, fd: int) -> int:
        size = os.fstat(fd).st_size
        if size > self._remote.size:
            os.ftruncate(fd, 0)
            size = 0
        if size:
            log.info("Going on with the download of %r at byte %d", self._remote.name, size)
        self._digest.reach(size)
        if self._progress is not None:
            self._progress(size)
        return size

    def _check_room(self, offset: int) -> None:
        needed, free = self._remote.size - offset, shutil.disk_usage(self._part.parent).free
        if needed > free:
            raise QuatrixTransferError(
                f"{self._part.parent} has {free} bytes free, but {self._remote.name!r} needs {needed} more"
            )

    def _fetch(self, fd: int, offset: int) -> int:
        """Read one stream from an offset to its end or break; return how far it came."""
        try:
            response = self._open(offset)
        except QuatrixApiError as error:
            if error.status != 416:
                raise
            raise self._other_bytes(f"nothing at byte {offset}") from None
        with response:
            if offset and response.status_code != 206:
                # The server ignores ranges: what is there already comes once more.
                os.ftruncate(fd, 0)
                self._digest.close()
                self._digest = FileDigest(fd, self._remote.size)
                offset = 0
            self._check_announced(response, offset)
            return self._write(fd, offset, response)

    def _open(self, offset: int) -> requests.Response:
        if not self._link:
            self._link = self._files.download_link([self._remote.id])
        try:
            return self._files.open_download(self._link, offset)
        except QuatrixNotFound:
            # A link lives for some minutes.
            self._link = self._files.download_link([self._remote.id])
            return self._files.open_download(self._link, offset)

    def _check_announced(self, response: requests.Response, offset: int) -> None:
        size = self._remote.size
        span = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if response.status_code == 206 and span is not None:
            if int(span[1]) != offset or span[3] not in ("*", str(size)):
                raise self._other_bytes(f"the range {span[0]!r}")
            return
        length = response.headers.get("Content-Length")
        if length is not None and int(length) != size - offset:
            raise self._other_bytes(f"{length} bytes from byte {offset}")

    def _write(self, fd: int, offset: int, response: requests.Response) -> int:
        raw, digest, size = response.raw, self._digest, self._remote.size
        try:
            while data := raw.read(BLOCK, decode_content=False):
                if offset + len(data) > size:
                    raise self._other_bytes("more bytes than that")
                written = 0
                while written < len(data):
                    written += os.pwrite(fd, data[written:] if written else data, offset + written)
                offset += len(data)
                digest.reach(offset)
                self._writeback.reach(offset)
                if self._progress is not None:
                    self._progress(len(data))
                self._keep_session()
        except (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
            log.info("The download of %r broke at byte %d (%s)", self._remote.name, offset, type(error).__name__)
        return offset

    def _keep_session(self) -> None:
        if time.monotonic() - self._used_api > KEEPALIVE_SECONDS:
            self._used_api = time.monotonic()
            self._files.client.hold()

    def _other_bytes(self, what: str) -> QuatrixTransferError:
        return QuatrixTransferError(
            f"Quatrix announced {self._remote.size} bytes for {self._remote.name!r}, but sent {what}: the file may "
            "have changed meanwhile; try again"
        )


def _put_in_place(part: Path, target: Path, modified: float, *, replace: bool) -> None:
    """Give a whole part its time and its final name."""
    ns = round(modified * 1_000_000) * 1000
    os.utime(part, ns=(ns, ns))
    if replace:
        part.replace(target)
    else:
        # Unlike a rename a link never replaces what somebody has put there meanwhile.
        try:
            os.link(part, target)
        except FileExistsError:
            raise FileExistsError(f"{target} exists: somebody made it during the download") from None
        part.unlink()
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def free_name(target: Path) -> Path:
    """Return the first free name by counting, as the service itself does it.

    :param target: wanted path.
    :return: it, or ``name(1).ext``, ``name(2).ext`` and so on.
    """
    candidate, number = target, 0
    while candidate.exists():
        number += 1
        candidate = target.with_name(f"{target.stem}({number}){target.suffix}")
    return candidate
