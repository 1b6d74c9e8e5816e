from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.triggers.shared import SHORTEST_INTERVAL, PollResult, SharedPoll, shared_poll

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Service:
    """Answers with a count of the questions; can fail and can be slow."""

    def __init__(self) -> None:
        self.asked = 0
        self.failure: Exception | None = None
        self.answering = threading.Event()
        self.answering.set()

    def ask(self) -> int:
        self.asked += 1
        assert self.answering.wait(10)
        if self.failure is not None:
            raise self.failure
        return self.asked


def going(test: Callable[[Service], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        async def within_limits() -> None:
            async with asyncio.timeout(20):
                await test(Service())

        asyncio.run(within_limits())

    run.__name__ = test.__name__
    return run


async def take(poll: SharedPoll, interval: float, number: int) -> list[PollResult]:
    taken: list[PollResult] = []
    async with aclosing(poll.results(interval)) as results:
        async for result in results:
            taken.append(result)
            if len(taken) == number:
                break
    return taken


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a thread makes it true
            await asyncio.sleep(0.01)


@going
async def test_a_thousand_waiters_share_one_poll(service: Service) -> None:
    poll = SharedPoll(service.ask)
    taken = await asyncio.gather(*(take(poll, 1.0, 2) for _ in range(1000)))
    assert service.asked == 2
    assert {tuple(result.value for result in results) for results in taken} == {(1, 2)}


@going
async def test_the_most_impatient_sets_the_pace_for_all(service: Service) -> None:
    poll = SharedPoll(service.ask)
    patient = asyncio.create_task(take(poll, 3600, 3))
    await eventually(lambda: service.asked == 1)
    # The poll sleeps for an hour by now; whoever joins must wake it.
    assert [result.value for result in await take(poll, 1.0, 3)] == [1, 2, 3]
    assert [result.value for result in await patient] == [1, 2, 3]
    assert service.asked == 3


@going
async def test_the_pace_slows_down_when_the_impatient_has_left(service: Service) -> None:
    poll = SharedPoll(service.ask)
    patient = asyncio.create_task(take(poll, 3600, 99))
    await take(poll, 1.0, 2)
    asked = service.asked
    await asyncio.sleep(2.5)
    assert service.asked == asked
    patient.cancel()


@going
async def test_nobody_can_ask_in_a_tight_loop(service: Service) -> None:
    first, second = await take(SharedPoll(service.ask), 0.0, 2)
    assert second.asked - first.asked >= SHORTEST_INTERVAL
    assert service.asked == 2


@going
async def test_who_comes_late_gets_the_fresh_answer_without_a_question(service: Service) -> None:
    poll = SharedPoll(service.ask)
    await take(poll, 60, 1)
    for _ in range(10):
        (result,) = await take(poll, 60, 1)
        assert result.value == 1
    assert service.asked == 1


@going
async def test_who_comes_late_does_not_get_an_old_failure(service: Service) -> None:
    poll = SharedPoll(service.ask)
    service.failure = RuntimeError("down")
    (result,) = await take(poll, 1.0, 1)
    assert result.error is service.failure
    service.failure = None
    (result,) = await take(poll, 1.0, 1)
    assert (result.value, result.error) == (2, None)


@going
async def test_a_failure_is_told_to_all_and_the_poll_goes_on(service: Service) -> None:
    poll = SharedPoll(service.ask)
    service.failure = RuntimeError("down")
    waiters = [asyncio.create_task(take(poll, 1.0, 2)) for _ in range(3)]
    await eventually(lambda: service.asked == 1)
    await asyncio.sleep(0.1)
    service.failure = None
    taken = await asyncio.gather(*waiters)
    assert [[str(result.error), result.value] for result in taken[0]] == [["down", None], ["None", 2]]
    assert taken[0] == taken[1] == taken[2]
    assert service.asked == 2


@going
async def test_who_is_slow_to_look_gets_the_newest_answer(service: Service) -> None:
    poll = SharedPoll(service.ask)
    async with aclosing(poll.results(1.0)) as results:
        assert (await anext(results)).value == 1
        await eventually(lambda: service.asked == 3)
        await asyncio.sleep(0.1)
        assert (await anext(results)).value == 3


@going
async def test_one_that_is_cancelled_does_not_disturb_the_others(service: Service) -> None:
    poll = SharedPoll(service.ask)
    leaver, stayer = (asyncio.create_task(take(poll, 1.0, 2)) for _ in range(2))
    await eventually(lambda: service.asked == 1)
    leaver.cancel()
    assert [result.value for result in await stayer] == [1, 2]
    assert leaver.cancelled()


@going
async def test_the_poll_ends_with_the_last_waiter_and_starts_again_with_the_next(service: Service) -> None:
    poll = SharedPoll(service.ask)
    waiters = [asyncio.create_task(take(poll, 1.0, 99)) for _ in range(3)]
    await eventually(lambda: service.asked == 1)
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    asked = service.asked
    await asyncio.sleep(1.5)
    assert service.asked == asked
    assert (await take(poll, 1.0, 1))[0].value == asked + 1


@going
async def test_one_may_join_while_the_question_of_those_who_left_is_under_way(service: Service) -> None:
    poll = SharedPoll(service.ask)
    service.answering.clear()
    first = asyncio.create_task(take(poll, 1.0, 1))
    await eventually(lambda: service.asked == 1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.create_task(take(poll, 1.0, 1))
    await eventually(lambda: service.asked == 2)
    service.answering.set()
    assert (await second)[0].value == 2


@going
async def test_the_question_is_asked_in_nobodys_name(service: Service) -> None:
    trigger: ContextVar[str] = ContextVar("trigger")
    trigger.set("the first that waits")
    seen: list[str | None] = []
    await take(SharedPoll(lambda: seen.append(trigger.get(None))), 1.0, 1)
    assert seen == [None]


@going
async def test_polls_are_found_by_what_is_waited_for(service: Service) -> None:
    assert shared_poll("a", service.ask) is not shared_poll("b", service.ask)
    waiter = asyncio.create_task(take(shared_poll("c", service.ask), 60, 99))
    await eventually(lambda: service.asked == 1)
    polls = [shared_poll("c", service.ask), shared_poll("d", service.ask), shared_poll("c", service.ask)]
    assert polls[0] is polls[2]
    waiter.cancel()


@going
async def test_what_nobody_waits_for_is_forgotten(service: Service) -> None:
    unused = shared_poll("unused", service.ask)
    shared_poll("another", service.ask)
    assert shared_poll("unused", service.ask) is not unused
    await take(used := shared_poll("used", service.ask), 60, 1)
    shared_poll("yet another", service.ask)
    assert shared_poll("used", service.ask) is used


def test_each_event_loop_has_polls_of_its_own() -> None:
    service = Service()

    async def poll() -> SharedPoll:
        return shared_poll("a", service.ask)

    assert asyncio.run(poll()) is not asyncio.run(poll())
