"""Reads one version of a remote file in ranges; continues after broken connections and expired links."""

from __future__ import annotations

import logging
import re
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

import urllib3

from airflow_provider_quatrix.api.deadline import receiving_content
from airflow_provider_quatrix.api.errors import (
    QuatrixApiError,
    QuatrixNotFound,
    QuatrixTransferError,
    QuatrixTransportError,
    TransportStage,
)
from airflow_provider_quatrix.api.stopping import check_stopped, sleep
from airflow_provider_quatrix.transfer.chunks import KEEPALIVE_SECONDS, SMALLEST_CHUNK
from airflow_provider_quatrix.transfer.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from airflow_provider_quatrix.api.files import FilesApi
    from airflow_provider_quatrix.api.models import RemoteFile

log = logging.getLogger(__name__)

# Exceptions of a stream that breaks in the middle.
_STREAM_BREAKS = (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError)
# A broken stream is resumed for as long as bytes arrive; without progress at most this often.
_MOST_BREAKS = 6
_PAUSE = 0.5
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class VersionChangedError(Exception):
    """The remote file is no longer the version that is being read."""


class _OtherBytesError(Exception):
    """The service announces a size or range that does not fit the version that is being read."""


class Sink(Protocol):
    """Takes the bytes of a file, in order."""

    @property
    def held(self) -> int:
        """How many bytes of the file it has."""

    def write(self, data: bytes) -> None:
        """Write the next bytes."""

    def finish(self) -> str:
        """Return the digest of all bytes, once they are where they belong."""


class RangeReader:
    """Reads ranges of one version of one file. Threads may share it.

    All ranges use one download link, which is renewed when it has expired.

    :param path: the file's name in messages.
    :param modified: its modification time, Unix time; another size or time means another version.
    :param sleep: waits before a broken stream is resumed.
    """

    def __init__(
        self,
        files: FilesApi,
        file_id: str,
        path: str,
        *,
        size: int,
        modified: float,
        throttle: Throttle | None = None,
        sleep: Callable[[float], None] = sleep,
    ) -> None:
        self._files = files
        self._file_id = file_id
        self._path = path
        self._size = size
        self._modified = modified
        self._throttle = throttle or Throttle()
        self._sleep = sleep
        self._streams = 0
        self._link = ""
        self._used_api = time.monotonic()
        self._lock = threading.Lock()

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes of a range.

        Somebody may overwrite the file in place between two ranges. So the version is checked after each range but the
        first.

        :param start: first byte.
        :param end: byte after the last one; what is past the file's end is left out.
        :raises QuatrixNotFound: the file was deleted or replaced.
        :raises QuatrixTransferError: the file has changed.
        :raises QuatrixTransportError: the connection keeps breaking.
        """
        blocks: list[bytes] = []
        try:
            self._copy(start, min(end, self._size), blocks.append)
            if self._streams > 1:
                self.check_version()
        except VersionChangedError:
            raise QuatrixTransferError(
                f"{self._path!r} is not the file of {self._size} bytes any more: "
                "somebody has written to it; open it again"
            ) from None
        return b"".join(blocks)

    def copy_to(self, sink: Sink, progress: Callable[[int], None] | None = None) -> str:
        """Copy the rest of the file to a sink.

        :param sink: has the file's first bytes already.
        :param progress: called with the bytes of each block, and first with those that the sink has.
        :return: digest of the file.
        :raises VersionChangedError: the file has changed.
        """
        start, size = sink.held, self._size

        def write(data: bytes) -> None:
            sink.write(data)
            if progress is not None:
                progress(len(data))

        if start:
            log.info("Resuming the download of %r at byte %d", self._path, start)
        if progress is not None:
            progress(start)
        if 0 < start < size:
            self.check_version()
        self._copy(start, size, write)
        # A file that was empty when it was listed is not read, but its writer may have finished it by now.
        if start or self._streams > 1 or not size or size > SMALLEST_CHUNK:
            self.check_version()
        return sink.finish()

    def check_version(self) -> None:
        """Check that the file is still the same version.

        :raises VersionChangedError: it is not.
        """
        now = self._files.stat(self._file_id)
        if (now.size, now.modified) != (self._size, self._modified):
            log.info("%r has changed on Quatrix", self._path)
            raise VersionChangedError

    def _copy(self, start: int, end: int, write: Callable[[bytes], None]) -> None:
        """Read a range, with as many streams as needed."""
        breaks = 0
        while start < end:
            got = self._copy_stream(start, end, write)
            start += got
            if start >= end:
                return
            breaks = 0 if got else breaks + 1
            if breaks >= _MOST_BREAKS:
                raise QuatrixTransportError(
                    f"The download of {self._path!r} broke {breaks} times in a row at byte {start}", TransportStage.SENT
                )
            self._sleep(_PAUSE * 2**breaks)
            if start:
                self.check_version()

    def _copy_stream(self, start: int, end: int, write: Callable[[bytes], None]) -> int:
        """Read one stream until the end of the range, or until it breaks; return how many bytes arrived."""
        try:
            response, begins = self._open(start, end)
            with response, receiving_content():
                return self._copy_body(response.raw, start, end, begins, write)
        except _OtherBytesError as error:
            self.check_version()
            raise QuatrixTransferError(
                f"Quatrix announced {self._size} bytes for {self._path!r}, but sent {error}: try again"
            ) from None

    def _copy_body(self, raw: Any, start: int, end: int, begins: int, write: Callable[[bytes], None]) -> int:
        # A server that ignores ranges also sends what is before and after.
        wanted, got, block = end - start, begins - start, self._throttle.block
        to_end = end == self._size
        try:
            while (to_end or got < wanted) and (
                data := raw.read(block if to_end else min(block, wanted - got), decode_content=False)
            ):
                if got + len(data) > wanted:
                    raise _OtherBytesError("more bytes than that")
                skipped = min(max(-got, 0), len(data))
                got += len(data)
                if skipped < len(data):
                    write(data[skipped:] if skipped else data)
                self._keep_session()
                check_stopped()
                self._throttle.let_through(len(data))
        except _STREAM_BREAKS as error:
            log.info("The download of %r broke at byte %d (%s)", self._path, start + got, type(error).__name__)
        return max(got, 0)

    def _keep_session(self) -> None:
        if time.monotonic() - self._used_api > KEEPALIVE_SECONDS:
            self._used_api = time.monotonic()
            self._files.keep_session()

    def _open(self, start: int, end: int) -> tuple[requests.Response, int]:
        """Open a stream.

        :return: a response with an unread body, and the position of its first byte in the file.
        :raises _OtherBytesError: the file has changed.
        :raises QuatrixNotFound: the file is gone.
        """
        until = None if end == self._size else end
        try:
            response = self._request(start, until)
        except QuatrixApiError as error:
            if error.status != 416:
                raise
            raise _OtherBytesError(f"nothing at byte {start}") from None
        try:
            return response, self._first_byte(response, start)
        except _OtherBytesError:
            response.close()
            raise

    def _request(self, start: int, end: int | None) -> requests.Response:
        with self._lock:
            self._streams += 1
            link = self._link = self._link or self._files.download_link([self._file_id])
        try:
            return self._files.open_download(link, start, end)
        except QuatrixNotFound:
            # A link expires after some minutes.
            with self._lock:
                if self._link == link:
                    self._link = self._files.download_link([self._file_id])
                link = self._link
            return self._files.open_download(link, start, end)

    def _first_byte(self, response: requests.Response, start: int) -> int:
        """Check what the service announces; return the position of the first byte."""
        size = str(self._size)
        if response.status_code == 206:
            span = response.headers.get("Content-Range", "")
            found = _CONTENT_RANGE.fullmatch(span)
            if found is None or int(found[1]) != start or found[2] not in ("*", size):
                raise _OtherBytesError(f"the range {span!r}")
            return start
        length = response.headers.get("Content-Length", size)
        if length != size:
            raise _OtherBytesError(f"{length} bytes from byte 0")
        return 0


def download_to(
    files: FilesApi,
    remote: RemoteFile,
    sink: Sink,
    *,
    progress: Callable[[int], None] | None = None,
    throttle: Throttle | None = None,
    sleep: Callable[[float], None] = sleep,
) -> str:
    """Download one version of a file; see :class:`RangeReader`.

    :param sink: has the file's first bytes already.
    :return: digest of the file.
    :raises VersionChangedError: the file has changed.
    """
    reader = RangeReader(
        files, remote.id, remote.name, size=remote.size, modified=remote.modified, throttle=throttle, sleep=sleep
    )
    return reader.copy_to(sink, progress)
