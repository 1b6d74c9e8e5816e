"""Lets all triggers of a triggerer that wait for the same thing share one poll."""

from __future__ import annotations

import asyncio
import contextvars
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Hashable

# No trigger asks more often than this, whatever it is told.
SHORTEST_INTERVAL = 1.0
# An answer that nobody has waited for since is forgotten after so long; until then it spares the next one a question.
_KEPT_SECONDS = 3600.0


@dataclass(frozen=True)
class PollResult:
    """What one poll gave.

    :param value: the answer, if there was one.
    :param error: why there was none.
    :param asked: monotonic time of the question.
    """

    asked: float
    value: Any = None
    error: Exception | None = None


@dataclass(eq=False)
class _Waiter:
    interval: float
    # Room for the newest result only: who is slow to look misses nothing that still matters.
    queue: asyncio.Queue[PollResult] = field(default_factory=lambda: asyncio.Queue(maxsize=1))

    def tell(self, result: PollResult) -> None:
        with suppress(asyncio.QueueEmpty):
            self.queue.get_nowait()
        self.queue.put_nowait(result)


class SharedPoll:
    """One poll for all who wait for the same thing, at the interval of the most impatient of them.

    :param ask: asks once; runs in a thread.
    """

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask
        self._waiters: set[_Waiter] = set()
        self._task: asyncio.Task[None] | None = None
        self._last: PollResult | None = None
        self._joined = asyncio.Event()

    @property
    def is_stale(self) -> bool:
        """Whether nobody waits for this any more, and nobody has for long."""
        return not self._waiters and self._due(_KEPT_SECONDS) == 0

    async def results(self, interval: float) -> AsyncGenerator[PollResult, None]:
        """Yield the result of every poll until the caller leaves; first the last answer, if it is fresh.

        :param interval: seconds between polls.
        """
        waiter = _Waiter(max(interval, SHORTEST_INTERVAL))
        if self._last is not None and self._last.error is None and self._due(waiter.interval) > 0:
            waiter.tell(self._last)
        self._waiters.add(waiter)
        self._joined.set()
        if self._task is None or self._task.done():
            # In a context of its own: what it logs belongs to no trigger, least of all to one that ends before it.
            self._task = asyncio.create_task(self._poll(), context=contextvars.Context())
        try:
            while True:
                yield await waiter.queue.get()
        finally:
            self._waiters.discard(waiter)
            if not self._waiters and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _poll(self) -> None:
        while self._waiters:
            await self._until_due()
            asked = time.monotonic()
            try:
                self._last = PollResult(asked, await asyncio.to_thread(self._ask))
            except Exception as error:  # noqa: BLE001 - every waiter judges it for itself
                self._last = PollResult(asked, error=error)
            for waiter in tuple(self._waiters):
                waiter.tell(self._last)

    async def _until_due(self) -> None:
        """Sleep until the next poll; whoever joins meanwhile may be more impatient than all before."""
        while (pause := self._due(min(waiter.interval for waiter in self._waiters))) > 0:
            self._joined.clear()
            # Not wait_for, which may swallow a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._joined.wait()

    def _due(self, interval: float) -> float:
        """Return the seconds until the next poll is due."""
        return 0.0 if self._last is None else max(0.0, self._last.asked + interval - time.monotonic())


_polls: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, SharedPoll]] = weakref.WeakKeyDictionary()


def shared_poll(key: Hashable, ask: Callable[[], Any]) -> SharedPoll:
    """Return this event loop's poll for a thing.

    :param key: what is waited for.
    :param ask: asks once; taken from the first who waits.
    :return: the same object for the same key.
    """
    polls = _polls.setdefault(asyncio.get_running_loop(), {})
    if key not in polls:
        for stale in [known for known, poll in polls.items() if poll.is_stale]:
            del polls[stale]
        polls[key] = SharedPoll(ask)
    return polls[key]
