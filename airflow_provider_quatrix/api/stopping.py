"""Stops transfers early: one flag that all their threads check, also while they wait for the network."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.deadline import TICK, Watch, answers_by, time_left, watch_of_this_thread, watched_by
from airflow_provider_quatrix.api.errors import QuatrixError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Bytes per second. A connection counts as broken if it is slower for as long as it may be silent.
LOWEST_RATE = 1024
# After a slow window so many must be fast enough, as a new connection first fills its buffers.
_PROBATION = 10
# Seconds that a stopped task has to clean up.
_CLEANING_SECONDS = 1.0


class TransferStoppedError(QuatrixError):
    """A transfer was stopped: the task was cancelled or timed out, or another of its files failed."""

    def __init__(self) -> None:
        super().__init__("The transfer was stopped")


class Stop:
    """Signals the threads of a transfer to stop. It has no lock, so that a signal handler may set it."""

    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        """Stop all threads."""
        self.is_set = True

    def check(self) -> None:
        """Raise if the threads must stop.

        :raises TransferStoppedError: they must.
        """
        if self.is_set:
            raise TransferStoppedError


class TransferTooSlowError(QuatrixError):
    """Two connections in a row moved almost nothing."""


class TransferWatch(Watch):
    """Stops a thread that must stop, or whose connection is too slow.

    :param lowest_rate: bytes per second.
    """

    def __init__(self, stop: Stop, lowest_rate: float = LOWEST_RATE) -> None:
        self._stop = stop
        self._lowest_rate = lowest_rate
        self._size = 0
        self._seconds = 0.0
        self._doubtful = 0

    def check(self) -> None:
        """Raise if the thread must stop.

        :raises TransferStoppedError: it must.
        """
        self._stop.check()

    def moved(self, size: int, seconds: float, window: float | None) -> None:
        """Count what was moved.

        :param size: bytes.
        :param seconds: how long the network took for them.
        :param window: seconds over which the rate is measured; ``None`` for no lowest rate.
        :raises TimeoutError: the rate is too low; another connection may be faster.
        :raises TransferTooSlowError: it was too low on the last connection, too.
        """
        self._size += size
        self._seconds += seconds
        if window is None or self._seconds < window:
            return
        rate, self._size, self._seconds = self._size / self._seconds, 0, 0.0
        if rate >= self._lowest_rate:
            self._doubtful = max(0, self._doubtful - 1)
        elif self._doubtful:
            raise TransferTooSlowError(
                f"fewer than {self._lowest_rate:g} bytes a second came through for {window:g} s, over two connections"
            )
        else:
            self._doubtful = _PROBATION
            raise TimeoutError("too slow")


@contextmanager
def stopped_by(stop: Stop) -> Iterator[None]:
    """Stop what this thread sends and receives inside the block when it must stop, or when it is too slow."""
    with watched_by(TransferWatch(stop)):
        yield


@contextmanager
def cleaning_up() -> Iterator[None]:
    """Let this thread clean up inside the block although its transfer was stopped; failures are ignored."""
    with watched_by(None), answers_by(time.monotonic() + _CLEANING_SECONDS), suppress(QuatrixError, TimeoutError):
        yield


def check_stopped() -> None:
    """Raise if this thread's transfer must stop.

    :raises TransferStoppedError: it must.
    """
    watch = watch_of_this_thread()
    if watch is not None:
        watch.check()


def sleep(seconds: float) -> None:
    """Wait, unless this thread's transfer must stop.

    :raises TransferStoppedError: it must.
    :raises TimeoutError: this thread's time limit comes first.
    """
    if seconds > time_left():
        raise TimeoutError("no time left to wait for a retry")
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        check_stopped()
        time.sleep(min(left, TICK))
