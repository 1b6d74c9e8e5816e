from __future__ import annotations

import asyncio
import os
import threading
from contextlib import aclosing
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest
from stopped_clock import eventually, pass_time, run_stopped, settle

from airflow_provider_quatrix.triggers import threads
from airflow_provider_quatrix.triggers.shared import PollResult, SharedPoll, results, shared_poll

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Service:
    """Answers with a count of the questions; can fail, and can take its time."""

    def __init__(self) -> None:
        self.asked = 0
        self.answered = 0
        self.under_way: list[int] = []
        self.max_ages: list[float] = []
        self.failure: BaseException | None = None
        self.answering = threading.Event()
        self.answering.set()

    def ask(self, max_age: float) -> int:
        self.max_ages.append(max_age)
        self.asked += 1
        number = self.asked
        self.under_way.append(self.asked - self.answered)
        assert self.answering.wait(30)
        self.answered += 1
        if self.failure is not None:
            raise self.failure
        return number


def going(test: Callable[[Service], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        run_stopped(test(Service()))

    run.__name__ = test.__name__
    return run


def waiting(poll: SharedPoll, interval: float, may_be_over: Callable[[PollResult], bool] = lambda _: False) -> Waiting:
    return Waiting(poll, interval, may_be_over)


class Waiting:
    """Somebody who waits, and what was heard."""

    def __init__(self, poll: SharedPoll, interval: float, may_be_over: Callable[[PollResult], bool]) -> None:
        self.heard: list[PollResult] = []
        self.task = asyncio.create_task(self._wait(poll, interval, may_be_over))

    async def _wait(self, poll: SharedPoll, interval: float, may_be_over: Callable[[PollResult], bool]) -> None:
        async with aclosing(results([poll], interval, lambda _, result: may_be_over(result))) as told:
            async for place, result in told:
                assert place == 0
                self.heard.append(result)

    @property
    def values(self) -> list[Any]:
        return [result.value for result in self.heard]

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def rounds(poll: SharedPoll, number: int, seconds: float) -> None:
    """Let so many further questions be asked and answered, the clock going on by so many seconds before each."""
    for _ in range(number):
        before = poll._last
        await pass_time(seconds)
        await eventually(lambda before=before: poll._last is not before)  # type: ignore[misc]


@going
async def test_a_thousand_waiters_share_one_poll(service: Service) -> None:
    poll = SharedPoll(service.ask)
    all_ = [waiting(poll, 1.0) for _ in range(1000)]
    await rounds(poll, 1, 0)
    await rounds(poll, 1, 1)
    assert service.asked == 2
    assert {tuple(each.values) for each in all_} == {(1, 2)}


@going
async def test_the_most_impatient_sets_the_pace_for_all(service: Service) -> None:
    poll = SharedPoll(service.ask)
    patient = waiting(poll, 3600)
    await rounds(poll, 1, 0)
    # The poll sleeps for an hour by now; whoever joins must wake it.
    impatient = waiting(poll, 5)
    await pass_time(4.9)
    assert service.asked == 1
    await rounds(poll, 1, 0.1)
    await rounds(poll, 1, 5)
    assert (patient.values, impatient.values) == ([1, 2, 3], [2, 3])


@going
async def test_the_pace_slows_down_when_the_impatient_has_left(service: Service) -> None:
    poll = SharedPoll(service.ask)
    patient, impatient = waiting(poll, 3600), waiting(poll, 1)
    await rounds(poll, 1, 0)
    await rounds(poll, 2, 1)
    await impatient.leave()
    await pass_time(3600 - 1)
    # A sleep that had begun before may end once more.
    assert service.asked <= 4
    await patient.leave()


@going
async def test_nobody_can_ask_in_a_tight_loop(service: Service) -> None:
    poll = SharedPoll(service.ask)
    hasty = waiting(poll, 0.0)
    await rounds(poll, 1, 0)
    await pass_time(0.99)
    assert service.asked == 1
    await rounds(poll, 1, 0.01)
    assert hasty.values == [1, 2]


@going
async def test_nobody_hears_an_answer_from_before_it_joined(service: Service) -> None:
    poll = SharedPoll(service.ask)
    first = waiting(poll, 60)
    await rounds(poll, 1, 0)
    second = waiting(poll, 60)
    await pass_time(59)
    # The answer that there was, which ended nobody's waiting, spares this one a question until the next is due.
    assert (service.asked, second.values) == (1, [])
    await rounds(poll, 1, 1)
    assert (first.values, second.values) == ([1, 2], [2])


@going
async def test_who_joins_while_a_question_is_under_way_hears_the_next(service: Service) -> None:
    poll = SharedPoll(service.ask)
    service.answering.clear()
    first = waiting(poll, 60)
    await eventually(lambda: service.asked == 1)
    second = waiting(poll, 60)
    await settle()
    service.answering.set()
    await eventually(lambda: first.values == [1])
    assert second.values == []
    await rounds(poll, 1, 60)
    assert (first.values, second.values) == ([1, 2], [2])


@going
async def test_what_might_have_ended_the_waiting_is_asked_again_at_once(service: Service) -> None:
    poll = SharedPoll(service.ask)
    first = waiting(poll, 3600)
    await rounds(poll, 1, 0)
    second = waiting(poll, 3600, lambda result: result.value == 1)
    await pass_time(0.9)
    assert service.asked == 1
    await rounds(poll, 1, 0.1)
    assert (first.values, second.values) == ([1, 2], [2])
    await pass_time(3599)
    assert service.asked == 2


@going
async def test_one_that_cannot_tell_asks_for_itself(service: Service) -> None:
    def fails(_result: PollResult) -> bool:
        raise ValueError("odd")

    poll = SharedPoll(service.ask)
    waiting(poll, 3600)
    await rounds(poll, 1, 0)
    second = waiting(poll, 3600, fails)
    await rounds(poll, 1, 1)
    assert second.values == [2]


@going
async def test_the_first_look_of_each_is_a_real_one(service: Service) -> None:
    poll = SharedPoll(service.ask)
    waiting(poll, 60)
    waiting(poll, 30)
    await rounds(poll, 1, 0)
    await rounds(poll, 1, 30)
    assert service.max_ages == [0.0, 15.0]
    waiting(poll, 60)
    await rounds(poll, 2, 30)
    assert service.max_ages == [0.0, 15.0, 0.0, 15.0]


@going
async def test_a_failure_is_told_to_all_and_the_poll_goes_on(service: Service) -> None:
    poll = SharedPoll(service.ask)
    service.failure = RuntimeError("down")
    all_ = [waiting(poll, 1.0) for _ in range(3)]
    await rounds(poll, 1, 0)
    service.failure = None
    await rounds(poll, 1, 1)
    assert [[(result.value, str(result.error)) for result in each.heard] for each in all_] == [
        [(None, "down"), (2, "None")]
    ] * 3
    assert service.asked == 2


@pytest.mark.parametrize(
    "failure",
    [
        asyncio.CancelledError(),
        GeneratorExit(),
        StopIteration("odd"),
        StopAsyncIteration(),
        KeyboardInterrupt(),
        SystemExit(1),
        MemoryError(),
        BaseException("odd"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_whatever_a_question_raises_is_told_to_all(failure: BaseException) -> None:
    async def test() -> None:
        service = Service()
        service.failure = failure
        poll = SharedPoll(service.ask)
        all_ = [waiting(poll, 1.0) for _ in range(3)]
        await rounds(poll, 1, 0)
        service.failure = None
        await rounds(poll, 1, 1)
        for each in all_:
            error, answer = each.heard
            assert isinstance(error.error, Exception)
            assert type(failure).__name__ in repr(error.error)
            assert str(failure) in str(error.error)
            assert answer.value == 2

    run_stopped(test())


def test_a_system_without_threads_is_a_failure_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def test() -> None:
        service = Service()
        poll = SharedPoll(service.ask)
        with monkeypatch.context() as patch:
            patch.setattr(threads.threading.Thread, "start", none_left)
            waiter = waiting(poll, 1.0)
            await settle()
        await rounds(poll, 1, 1)
        assert [str(result.error) for result in waiter.heard] == ["can't start new thread", "None"]

    run_stopped(test())


@going
async def test_who_is_slow_to_look_gets_the_newest_answer(service: Service) -> None:
    poll = SharedPoll(service.ask)
    async with aclosing(results([poll], 1.0)) as told:
        first = asyncio.create_task(anext(told))
        await rounds(poll, 1, 0)
        assert (await first)[1].value == 1
        await rounds(poll, 2, 1)
        assert (await anext(told))[1].value == 3


@going
async def test_one_that_is_cancelled_does_not_disturb_the_others(service: Service) -> None:
    poll = SharedPoll(service.ask)
    leaver, stayer = waiting(poll, 1.0), waiting(poll, 1.0)
    await rounds(poll, 1, 0)
    await leaver.leave()
    await rounds(poll, 1, 1)
    assert (leaver.values, stayer.values) == ([1], [1, 2])


@going
async def test_the_poll_ends_with_the_last_waiter_and_starts_again_with_the_next(service: Service) -> None:
    poll = SharedPoll(service.ask)
    all_ = [waiting(poll, 1.0) for _ in range(3)]
    await rounds(poll, 1, 0)
    for each in all_:
        await each.leave()
    await pass_time(3600)
    assert service.asked == 1
    late = waiting(poll, 60)
    await rounds(poll, 1, 0)
    assert late.values == [2]


@going
async def test_no_two_questions_of_a_poll_are_under_way_at_a_time(service: Service) -> None:
    poll = SharedPoll(service.ask)
    service.answering.clear()
    for _ in range(5):
        comer = waiting(poll, 1.0)
        await eventually(lambda: service.asked == 1)
        await comer.leave()
        await pass_time(10)
        assert not poll.is_stale
    stayer = waiting(poll, 60.0)
    await pass_time(10)
    assert service.asked == 1
    service.answering.set()
    await eventually(lambda: bool(stayer.heard))
    # The first answer was to a question from before it joined.
    assert stayer.values == [2]
    assert service.under_way == [1, 1]


@going
async def test_an_answer_that_came_when_nobody_waited_spares_a_question(service: Service) -> None:
    poll = SharedPoll(service.ask)
    service.answering.clear()
    comer = waiting(poll, 60)
    await eventually(lambda: service.asked == 1)
    await comer.leave()
    service.answering.set()
    await eventually(lambda: service.answered == 1)
    late = waiting(poll, 60)
    await pass_time(59)
    assert service.asked == 1
    await rounds(poll, 1, 1)
    assert late.values == [2]


@going
async def test_who_has_heard_enough_leaves_before_another_question(service: Service) -> None:
    poll = SharedPoll(service.ask)

    async def first() -> int:
        async with aclosing(results([poll], 1.0)) as told:
            async for _, result in told:
                return int(result.value)
        return 0

    service.answering.clear()
    content = asyncio.create_task(first())
    await eventually(lambda: service.asked == 1)
    # The next question is due by the time of the answer.
    await pass_time(60)
    service.answering.set()
    await eventually(content.done)
    assert service.asked == content.result() == 1


@going
async def test_several_polls_are_waited_for_at_once(service: Service) -> None:
    other = Service()
    heard = []

    async def wait() -> None:
        async for place, result in results([SharedPoll(service.ask), SharedPoll(other.ask)], 1.0):
            heard.append((place, result.value))

    task = asyncio.create_task(wait())
    await eventually(lambda: len(heard) == 2)
    await pass_time(1)
    await eventually(lambda: len(heard) == 4)
    assert sorted(heard) == [(0, 1), (0, 2), (1, 1), (1, 2)]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await pass_time(3600)
    assert service.asked == other.asked == 2


@going
async def test_the_question_is_asked_in_nobodys_name_by_a_thread_of_our_own(service: Service) -> None:
    trigger: ContextVar[str] = ContextVar("trigger")
    trigger.set("the first that waits")
    seen: list[tuple[str | None, str]] = []
    waiting(SharedPoll(lambda _: seen.append((trigger.get(None), threading.current_thread().name))), 1.0)
    await eventually(lambda: bool(seen))
    ((name, thread),) = seen
    assert name is None
    # Not by a thread of the loop's own, which others need.
    assert thread.startswith("quatrix-poll-")


@going
async def test_polls_are_found_by_what_is_waited_for(service: Service) -> None:
    assert shared_poll("a", service.ask) is not shared_poll("b", service.ask)
    waiting(shared_poll("c", service.ask), 60)
    await settle()
    polls = [shared_poll("c", service.ask), shared_poll("d", service.ask), shared_poll("c", service.ask)]
    assert polls[0] is polls[2]


@going
async def test_what_nobody_waits_for_is_forgotten(service: Service) -> None:
    unused = shared_poll("unused", service.ask)
    shared_poll("another", service.ask)
    assert shared_poll("unused", service.ask) is not unused
    used = shared_poll("used", service.ask)
    waiter = waiting(used, 60)
    await rounds(used, 1, 0)
    await waiter.leave()
    await pass_time(3599)
    shared_poll("yet another", service.ask)
    assert shared_poll("used", service.ask) is used
    await pass_time(1)
    shared_poll("one more", service.ask)
    assert shared_poll("used", service.ask) is not used


def test_each_event_loop_has_polls_of_its_own() -> None:
    service = Service()

    async def poll() -> SharedPoll:
        return shared_poll("a", service.ask)

    assert asyncio.run(poll()) is not asyncio.run(poll())


def test_a_forked_child_polls_with_threads_of_its_own() -> None:
    service = Service()

    async def hear() -> list[Any]:
        waiter = waiting(shared_poll("a", service.ask), 60)
        await eventually(lambda: bool(waiter.heard))
        return waiter.values

    async def fork_while_asking() -> None:
        service.answering.clear()
        waiting(shared_poll("a", service.ask), 60)
        await eventually(lambda: service.asked == 1)
        with threads.work_threads()._lock:
            child = os.fork()
            if child == 0:
                ended = 1
                try:
                    asyncio._set_running_loop(None)
                    service.answering.set()
                    ended = 0 if run_stopped(hear()) == [2] else 2
                finally:
                    os._exit(ended)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        service.answering.set()
        assert os.waitstatus_to_exitcode(status) == 0

    run_stopped(fork_while_asking())
