"""The emulator's clock: wall time plus what a test has advanced it by."""

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
        """The emulator's time.

        :return: seconds since the epoch, the advance included.
        """
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

        The emulator sends its own time and not the machine's, so that a client that judges ages by ``Date`` agrees
        with the times the emulator reports. The text is made once a second: every answer carries it.

        :return: the header's value.
        """
        second = int(self.now())
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True).encode("ascii"))
        return self._date[1]
