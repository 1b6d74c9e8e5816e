"""Runs many transfers in parallel over one session, and tells the task's log how it goes."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_quatrix.api.transfer import Transferred

log = logging.getLogger(__name__)

J = TypeVar("J")

MIB = 1024 * 1024
# Often enough for a person who watches, rare enough for a log that is kept.
_TELL_SECONDS = 10.0


class Transfers(list["Transferred"]):
    """Results of an upload or download, one per file, in the order of the plan.

    :ivar single: one file was named, and not a list, a folder or a pattern that happens to give one.
    """

    single: bool = False

    @classmethod
    def of(cls, results: Sequence[Transferred], *, single: bool) -> Self:
        """Return the results.

        :param results: one per file.
        :param single: one file was named.
        """
        made = cls(results)
        made.single = single
        return made


class TransferLog:
    """Says from time to time how much has been moved.

    :param total: bytes in all.
    :param now: monotonic seconds.
    """

    def __init__(self, total: int, now: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._now = now
        self._done = 0
        self._started = self._told = now()
        self._lock = threading.Lock()

    def moved(self, size: int) -> None:
        """Count bytes that have been moved."""
        with self._lock:
            self._done += size
            now = self._now()
            if now - self._told < _TELL_SECONDS:
                return
            self._told = now
            done, seconds = self._done, now - self._started
        share = min(100.0, 100 * done / self._total) if self._total else 100.0
        log.info("%d of %d bytes (%.0f %%), %.1f MB/s", done, self._total, share, done / seconds / 1e6)


def run_all(jobs: Sequence[J], run: Callable[[J], Transferred], transfers: int) -> list[Transferred]:
    """Run jobs in parallel; after the first failure no further one begins.

    :param jobs: what to do.
    :param run: does one of them.
    :param transfers: how many at a time.
    :return: results in the jobs' order.
    :raises Exception: what the first job that failed raised.
    """
    if len(jobs) <= 1 or transfers == 1:
        return [run(job) for job in jobs]
    stop = threading.Event()

    def one(job: J) -> Transferred | None:
        if stop.is_set():
            return None
        try:
            return run(job)
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(min(transfers, len(jobs)), thread_name_prefix="quatrix-transfer") as pool:
        futures = [pool.submit(one, job) for job in jobs]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        except BaseException:
            # The task is being killed: what has not begun never does.
            stop.set()
            raise
    for future in futures:
        if (error := future.exception()) is not None:
            raise error
    return [result for future in futures if (result := future.result()) is not None]
