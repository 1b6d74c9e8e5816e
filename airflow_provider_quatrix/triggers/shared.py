"""Lets all triggers of a triggerer that wait for the same condition share one poll."""

from __future__ import annotations

import asyncio
import contextvars
import os
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.triggers.threads import work_threads

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Hashable, Sequence

# No trigger polls more often than this.
SHORTEST_INTERVAL = 1.0
# A poll for which nobody waits any more is forgotten after this time.
_KEPT_SECONDS = 3600.0
# Numbers events of all threads, so that one can tell which of two came first.
_moments = count()


@dataclass(frozen=True)
class PollResult:
    """What one poll returned.

    :param asked: when the poll began, by the event loop's clock.
    :param moment: number of the poll among all events.
    :param value: its result, if there was one.
    :param error: why there was none.
    """

    asked: float
    moment: int
    value: Any = None
    error: Exception | None = None


@dataclass(eq=False)
class _Waiter:
    place: int
    interval: float
    may_be_over: Callable[[int, PollResult], bool]
    updated: asyncio.Event
    joined: int = field(default_factory=lambda: next(_moments))
    # Queue of one: only the newest result matters.
    newest: PollResult | None = None
    has_heard: bool = False
    hurried: bool = False

    def hear(self, result: PollResult) -> None:
        """Take a result, unless its poll began before this waiter joined.

        An older result does not end a wait. If it would have, the next poll comes sooner.
        """
        if self.joined < result.moment:
            self.newest, self.has_heard, self.hurried = result, True, False
            self.updated.set()
            return
        try:
            self.hurried = self.may_be_over(self.place, result)
        except Exception:  # noqa: BLE001 - it will fail the same way at the next poll
            self.hurried = True

    def due(self, last: PollResult) -> float:
        return last.asked + (SHORTEST_INTERVAL if self.hurried else self.interval)


class SharedPoll:
    """One poll for all who wait for the same condition, at the shortest of their intervals.

    Polls never overlap. Nobody gets the result of a poll that began before they joined.

    :param fetch: polls once, in a thread. Its argument is how old, in seconds, results of other tasks may be.
    :param group: what is polled; one group cannot take all threads.
    """

    def __init__(self, fetch: Callable[[float], Any], group: Hashable = None) -> None:
        self._fetch = fetch
        self._group = group
        self._waiters: set[_Waiter] = set()
        self._task: asyncio.Task[None] | None = None
        self._running: asyncio.Future[PollResult] | None = None
        self._last: PollResult | None = None
        self._joined = asyncio.Event()

    @property
    def is_stale(self) -> bool:
        """Whether nobody has waited for this for a long time."""
        if self._waiters or (self._running is not None and not self._running.done()):
            return False
        return self._last is None or self._last.asked + _KEPT_SECONDS <= asyncio.get_running_loop().time()

    def join(self, waiter: _Waiter) -> None:
        """Give a waiter the result of every poll from now on."""
        if self._last is not None:
            waiter.hear(self._last)
        self._waiters.add(waiter)
        self._joined.set()
        if self._task is None or self._task.done():
            # In a context of its own: what it logs belongs to no trigger, as a trigger may end before the poll.
            self._task = asyncio.create_task(self._poll(), context=contextvars.Context())

    def leave(self, waiter: _Waiter) -> None:
        """Give a waiter no more results; polling ends with the last waiter."""
        self._waiters.discard(waiter)
        if not self._waiters and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _poll(self) -> None:
        while self._waiters:
            if self._running is None:
                await self._until_due()
                self._running = self._begin()
            # The poll continues when this task is cancelled. The next waiter first waits for its end.
            await asyncio.wait([self._running])
            self._last, self._running = self._running.result(), None
            for waiter in tuple(self._waiters):
                waiter.hear(self._last)
            # Waiters that are done leave before the next poll.
            await asyncio.sleep(0)

    def _begin(self) -> asyncio.Future[PollResult]:
        loop = asyncio.get_running_loop()
        # The first poll of each waiter is a real one. Later ones may use what another triggerer has just seen.
        real = not all(waiter.has_heard for waiter in self._waiters)
        max_age = 0.0 if real else min(waiter.interval for waiter in self._waiters) / 2

        def run() -> PollResult:
            asked, moment = loop.time(), next(_moments)
            try:
                return PollResult(asked, moment, self._fetch(max_age))
            except BaseException as error:  # noqa: BLE001 - every waiter judges it for itself
                return PollResult(asked, moment, error=_portable(error))

        try:
            return work_threads().start(self._group, run)
        except RuntimeError as error:
            failed: asyncio.Future[PollResult] = loop.create_future()
            failed.set_result(PollResult(loop.time(), next(_moments), error=error))
            return failed

    async def _until_due(self) -> None:
        """Sleep until the next poll; who joins in the meantime may have a shorter interval."""
        loop = asyncio.get_running_loop()
        while (last := self._last) is not None:
            pause = min(waiter.due(last) for waiter in self._waiters) - loop.time()
            if pause <= 0:
                return
            self._joined.clear()
            # Not wait_for, which may swallow a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._joined.wait()


def _portable(error: BaseException) -> Exception:
    """Return an error that can be passed to any waiter: some would end the event loop, or get lost on the way."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration | StopAsyncIteration):
        return error
    return RuntimeError(f"The poll ended with {type(error).__name__}: {error}".removesuffix(": "))


async def results(
    polls: Sequence[SharedPoll], interval: float, may_be_over: Callable[[int, PollResult], bool] | None = None
) -> AsyncGenerator[tuple[int, PollResult], None]:
    """Yield the results of polls until the caller leaves, each with the number of its poll.

    :param polls: what to wait for.
    :param interval: seconds between polls.
    :param may_be_over: returns whether an older result would have ended the caller's wait; if so, the next poll does
        not wait for the interval.
    """
    updated = asyncio.Event()
    waiters = [
        _Waiter(place, max(interval, SHORTEST_INTERVAL), may_be_over or _never, updated) for place in range(len(polls))
    ]
    try:
        for poll, waiter in zip(polls, waiters, strict=True):
            poll.join(waiter)
        while True:
            await updated.wait()
            updated.clear()
            for waiter in waiters:
                newest, waiter.newest = waiter.newest, None
                if newest is not None:
                    yield waiter.place, newest
    finally:
        for poll, waiter in zip(polls, waiters, strict=True):
            poll.leave(waiter)


def _never(_place: int, _result: PollResult) -> bool:
    return False


_polls: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, SharedPoll]] = weakref.WeakKeyDictionary()


def shared_poll(key: Hashable, fetch: Callable[[float], Any], group: Hashable = None) -> SharedPoll:
    """Return this event loop's poll for a condition.

    :param key: identifies the condition.
    :param fetch: polls once; that of the first waiter is used.
    :param group: what is polled.
    :return: the same object for the same key.
    """
    polls = _polls.setdefault(asyncio.get_running_loop(), {})
    if key not in polls:
        for stale in [known for known, poll in polls.items() if poll.is_stale]:
            del polls[stale]
        polls[key] = SharedPoll(fetch, group)
    return polls[key]


os.register_at_fork(after_in_child=_polls.clear)
