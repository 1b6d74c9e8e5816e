"""Threads for the blocking calls of triggers, so that a service that hangs delays no other trigger."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter, deque
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_MOST = 16
_MOST_OF_ONE = 4
_numbers = count(1)


@dataclass(eq=False, frozen=True)
class _Job:
    group: Hashable
    work: Callable[[], Any]
    result: asyncio.Future[Any]

    def run(self) -> None:
        loop = self.result.get_loop()
        if loop.is_closed():
            return
        # In a context of its own: what it logs belongs to no trigger.
        result = Context().run(self.work)
        # The loop may have ended in the meantime, as it does not wait for jobs.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self.result.set_result, result)


class WorkThreads:
    """Runs blocking work in threads that exist only while there is work.

    Neither the end of an event loop nor that of the process waits for them. If work of one group hangs, threads are
    left for the others.

    :param most: the most threads at a time.
    :param most_of_one: the most threads at a time for one group.
    """

    def __init__(self, most: int = _MOST, most_of_one: int = _MOST_OF_ONE) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._lock = threading.Lock()
        self._waiting: deque[_Job] = deque()
        self._busy: Counter[Hashable] = Counter()

    def start(self, group: Hashable, work: Callable[[], Any]) -> asyncio.Future[Any]:
        """Run work as soon as there is a thread for it.

        :param group: whose work it is.
        :param work: must not raise.
        :return: its result, in the running event loop; must not be cancelled.
        :raises RuntimeError: the system has no thread left.
        """
        job = _Job(group, work, asyncio.get_running_loop().create_future())
        with self._lock:
            if self._busy.total() >= self._most or self._busy[group] >= self._most_of_one:
                self._waiting.append(job)
                return job.result
            self._busy[group] += 1
        thread = threading.Thread(target=self._run, args=(job,), name=f"quatrix-poll-{next(_numbers)}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            with self._lock:
                self._ended(job)
            raise
        return job.result

    def _run(self, job: _Job | None) -> None:
        while job is not None:
            job.run()
            with self._lock:
                self._ended(job)
                job = self._next()

    def _ended(self, job: _Job) -> None:
        self._busy[job.group] -= 1
        if not self._busy[job.group]:
            del self._busy[job.group]

    def _next(self) -> _Job | None:
        """Take the job that has waited longest, among those of groups that may have another thread."""
        for job in self._waiting:
            if self._busy[job.group] < self._most_of_one:
                self._waiting.remove(job)
                self._busy[job.group] += 1
                return job
        return None


_threads = WorkThreads()


def work_threads() -> WorkThreads:
    """Return the threads of this process."""
    return _threads


def _after_fork() -> None:
    """Start again: a child has none of its parent's threads, and the lock may have been held at the fork."""
    global _threads  # noqa: PLW0603 - see above
    _threads = WorkThreads()


os.register_at_fork(after_in_child=_after_fork)
