"""The emulator's clock: wall time plus the time by which a test has advanced it."""

from __future__ import annotations

import time
from email.utils import formatdate

MAX_OFFSET = 20 * 365 * 86400.0
"""Dates stay within what every client can parse."""


class Clock:
    """Wall time with an offset that only grows."""

    def __init__(self) -> None:
        self.offset = 0.0
        self._date: tuple[int, bytes] = (0, b"")

    def now(self) -> float:
        """The emulator's time, in seconds since the epoch."""
        return time.time() + self.offset

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        :param seconds: how far; the clock never goes back.
        :raises ValueError: for a negative number, or one that leads too far.
        """
        if not 0 <= seconds <= MAX_OFFSET - self.offset:
            raise ValueError("The clock can only be advanced by 0 seconds or more, and by 20 years in all")
        self.offset += seconds

    def reset(self) -> None:
        """Return to wall time."""
        self.offset = 0.0

    def http_date(self) -> bytes:
        """The time for the ``Date`` header.

        It is the emulator's time, so that a client that computes ages from ``Date`` agrees with the emulator. The
        text is made once per second, as every response contains it.
        """
        second = int(self.now())
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True).encode("ascii"))
        return self._date[1]
