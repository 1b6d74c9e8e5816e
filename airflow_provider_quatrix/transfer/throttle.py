"""How bytes are moved: at which rate, and how they are checked."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.stopping import sleep
from airflow_provider_quatrix.transfer.chunks import BLOCK, LARGEST_CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable

_SMALLEST_BLOCK = 1024
_SMALLEST_CHUNK = 64 * 1024
# With a limit: how many blocks make a second, and how many seconds a chunk may take.
_BLOCKS = 4
_SECONDS = 10


class Throttle:
    """Limits the rate of bytes.

    :param rate: bytes per second, ``None`` for no limit.
    :param now: monotonic seconds.
    :param wait: waits until the next bytes may be moved.
    """

    def __init__(
        self,
        rate: float | None = None,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = sleep,
    ) -> None:
        self._rate = rate
        self._now = now
        self._wait = wait
        self._free_at = 0.0
        self._lock = threading.Lock()

    @property
    def block(self) -> int:
        """How much to move at a time, so that no connection is silent for long."""
        return BLOCK if self._rate is None else max(_SMALLEST_BLOCK, min(BLOCK, int(self._rate / _BLOCKS)))

    @property
    def largest_chunk(self) -> int:
        """How much to send in one call, so that the call does not take too long."""
        if self._rate is None:
            return LARGEST_CHUNK
        return max(_SMALLEST_CHUNK, min(LARGEST_CHUNK, int(self._rate * _SECONDS)))

    def let_through(self, size: int) -> None:
        """Wait until bytes may be moved.

        :param size: how many.
        """
        if self._rate is None:
            return
        with self._lock:
            now = self._now()
            begins = max(now, self._free_at)
            self._free_at = begins + size / self._rate
        if begins > now:
            self._wait(begins - now)


@dataclass(frozen=True)
class Handling:
    """How the bytes of an upload are moved.

    :param checksum: algorithm of hashlib; ``None`` to read nothing twice, so that no retry can resume in the
        middle of a file.
    :param verify: read the remote file back, and compare; needs a checksum.
    """

    checksum: str | None = "sha256"
    verify: bool = False
    throttle: Throttle = field(default_factory=Throttle)
