"""Logs from time to time how much a transfer has moved."""

from __future__ import annotations

import logging
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

# Often enough for a person who watches, rare enough for a stored log.
_LOG_SECONDS = 10.0

# Called with the bytes moved so far and those of the whole transfer, by all of its threads.
watched_by: ContextVar[Callable[[int, int], None] | None] = ContextVar("watched_by", default=None)


class TransferLog:
    """Logs from time to time how much has been moved.

    :param total: bytes in all.
    :param now: monotonic seconds.
    """

    def __init__(self, total: int, now: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._watch = watched_by.get()
        self._now = now
        self._done = 0
        self._started = self._logged = now()
        self._lock = threading.Lock()

    def moved(self, size: int) -> None:
        """Count bytes that have been moved."""
        with self._lock:
            self._done += size
            now = self._now()
            done, seconds = self._done, now - self._started
            due = now - self._logged >= _LOG_SECONDS
            if due:
                self._logged = now
        if self._watch is not None:
            self._watch(done, self._total)
        if not due:
            return
        share = min(100.0, 100 * done / self._total) if self._total else 100.0
        log.info("%d of %d bytes (%.0f %%), %.1f MB/s", done, self._total, share, done / seconds / 1e6)
