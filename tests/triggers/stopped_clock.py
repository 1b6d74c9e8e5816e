"""An event loop whose clock only the test moves: what waits for an hour waits until the test lets it pass."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.triggers import shared

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from airflow.triggers.base import TriggerEvent

    from airflow_provider_quatrix.triggers.base import QuatrixTrigger


class StoppedLoop(asyncio.SelectorEventLoop):
    """Runs callbacks, sockets and threads as ever, but timers by a clock of its own."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__()

    def time(self) -> float:
        return self.now


def run_stopped(test: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in such a loop."""
    with asyncio.Runner(loop_factory=StoppedLoop) as runner:
        return runner.run(test)


async def settle() -> None:
    """Let everything run that is not waiting for a thread or the clock."""
    for _ in range(20):
        await asyncio.sleep(0)


async def pass_time(seconds: float) -> None:
    """Move the clock, and let run what was waiting for that."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, StoppedLoop)
    await settle()
    loop.now += seconds
    await settle()


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what threads do."""
    ends = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends
        await asyncio.to_thread(time.sleep, 0.002)
    await settle()


async def idle() -> None:
    """Wait until no poll of this loop has a question under way."""
    await settle()
    polls = shared._polls[asyncio.get_running_loop()].values()
    await eventually(
        lambda: all(poll._running is None or (not poll._waiters and poll._running.done()) for poll in polls)
    )


async def fire(trigger: QuatrixTrigger) -> TriggerEvent:
    (event,) = [event async for event in trigger.run()]
    return event


def run(
    *triggers: QuatrixTrigger, meanwhile: Callable[[int], Any] | None = None, interval: float = 1.0
) -> list[TriggerEvent]:
    """Run triggers in one event loop, as a triggerer does, and return their events.

    :param meanwhile: is called between any two looks, with how many there have been.
    :param interval: seconds from look to look.
    """

    async def together() -> list[TriggerEvent]:
        firing = [asyncio.create_task(fire(trigger)) for trigger in triggers]
        await idle()
        looks = 1
        while not all(task.done() for task in firing):
            if meanwhile is not None:
                await asyncio.to_thread(meanwhile, looks)
            await pass_time(interval)
            await idle()
            looks += 1
            assert looks < 100
        return [task.result() for task in firing]

    events: list[TriggerEvent] = run_stopped(together())
    return events
