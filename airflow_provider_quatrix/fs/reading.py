"""Reads ranges of a remote file."""

from __future__ import annotations

import logging
import re
import threading
import time
from typing import TYPE_CHECKING

import urllib3

from airflow_provider_quatrix.api.errors import (
    QuatrixApiError,
    QuatrixNotFound,
    QuatrixTransferError,
    QuatrixTransportError,
    TransportStage,
)
from airflow_provider_quatrix.api.transfer import BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from airflow_provider_quatrix.api.files import FilesApi

log = logging.getLogger(__name__)

# A range that breaks is taken up again as often as it brings something; without progress this often.
_MOST_BREAKS = 6
_PAUSE = 0.5
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class RangeReader:
    """Reads ranges of one version of one file, all over one download link, which is renewed when it has died.

    :param files: the file calls.
    :param file_id: the file.
    :param path: where it is, for messages.
    :param size: its bytes; a file of another size is not the same any more.
    :param sleep: waits before a broken range is taken up again.
    """

    def __init__(
        self, files: FilesApi, file_id: str, path: str, size: int, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._files = files
        self._file_id = file_id
        self._path = path
        self._size = size
        self._sleep = sleep
        self._link = ""
        self._lock = threading.Lock()

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes of a range, all of them.

        :param start: first byte.
        :param end: byte after the last one; what lies past the file's end is left out.
        :return: the bytes.
        :raises QuatrixNotFound: the file was deleted or replaced meanwhile.
        :raises QuatrixTransferError: the file has another size than before.
        :raises QuatrixTransportError: the connection breaks again and again.
        """
        end = min(end, self._size)
        blocks: list[bytes] = []
        breaks = 0
        while start < end:
            got = self._fetch(start, end, blocks)
            start += got
            breaks = 0 if got else breaks + 1
            if start < end:
                if breaks >= _MOST_BREAKS:
                    raise QuatrixTransportError(
                        f"Reading {self._path!r} broke {breaks} times in a row at byte {start}", TransportStage.SENT
                    )
                self._sleep(_PAUSE * 2**breaks)
        return b"".join(blocks)

    def _fetch(self, start: int, end: int, blocks: list[bytes]) -> int:
        """Read until the end of the range or until the stream breaks; return how far it came."""
        with self._open(start, end) as response:
            skip = self._checked(response, start)
            wanted, got = end - start, 0
            try:
                while got < wanted and (data := response.raw.read(min(BLOCK, skip + wanted - got))):
                    dropped = min(skip, len(data))
                    skip -= dropped
                    data = data[dropped:]
                    blocks.append(data)
                    got += len(data)
            except (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
                log.info("Reading %r broke at byte %d (%s)", self._path, start + got, type(error).__name__)
            return got

    def _open(self, start: int, end: int) -> requests.Response:
        with self._lock:
            link = self._link = self._link or self._files.download_link([self._file_id])
        try:
            return self._files.open_download(link, start, end)
        except QuatrixNotFound:
            # A link lives for some minutes.
            with self._lock:
                if self._link == link:
                    self._link = self._files.download_link([self._file_id])
                link = self._link
            return self._files.open_download(link, start, end)
        except QuatrixApiError as error:
            if error.status != 416:
                raise
            raise self._changed() from None

    def _checked(self, response: requests.Response, start: int) -> int:
        """Check that the answer is of the same file; return how many bytes come ahead of the range."""
        if response.status_code == 206:
            span = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if span is None or int(span[1]) != start or span[2] not in ("*", str(self._size)):
                raise self._changed()
            return 0
        # The server ignores ranges.
        if response.headers.get("Content-Length", str(self._size)) != str(self._size):
            raise self._changed()
        return start

    def _changed(self) -> QuatrixTransferError:
        return QuatrixTransferError(
            f"{self._path!r} is not the file of {self._size} bytes any more that it was when it was opened: open it "
            "again"
        )
