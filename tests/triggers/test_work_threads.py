from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING

from stopped_clock import eventually, settle

from airflow_provider_quatrix.triggers.threads import WorkThreads

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class Work:
    """Hangs until it is let go, and counts who is at it."""

    def __init__(self) -> None:
        self.going = threading.Event()
        self.busy: Counter[Hashable] = Counter()
        self.done: list[Hashable] = []
        self._lock = threading.Lock()

    def of(self, group: Hashable) -> Callable[[], Hashable]:
        def work() -> Hashable:
            with self._lock:
                self.busy[group] += 1
            assert self.going.wait(30)
            with self._lock:
                self.busy[group] -= 1
                self.done.append(group)
            return group

        return work


def test_a_group_that_hangs_leaves_threads_for_the_others() -> None:
    async def test() -> None:
        threads, work, other = WorkThreads(most=4, most_of_one=3), Work(), Work()
        hanging = [threads.start("hangs", work.of("hangs")) for _ in range(10)]
        other.going.set()
        assert [await threads.start("other", other.of("other")) for _ in range(5)] == ["other"] * 5
        assert work.busy["hangs"] == 3
        work.going.set()
        assert await asyncio.gather(*hanging) == ["hangs"] * 10

    asyncio.run(test())


def test_there_are_never_more_threads_than_allowed_and_none_without_work() -> None:
    async def test() -> None:
        threads, work = WorkThreads(most=3, most_of_one=2), Work()
        jobs = [threads.start(group, work.of(group)) for group in "aabbccdd"]
        await eventually(lambda: work.busy.total() == 3)
        await settle()
        named = [thread for thread in threading.enumerate() if thread.name.startswith("quatrix-poll-")]
        assert len(named) == 3
        assert all(thread.daemon for thread in named)
        assert work.busy == {"a": 2, "b": 1}
        work.going.set()
        assert await asyncio.gather(*jobs) == list("aabbccdd")
        assert Counter(work.done) == {"a": 2, "b": 2, "c": 2, "d": 2}
        for thread in named:
            await asyncio.to_thread(thread.join, 30)
            assert not thread.is_alive()

    asyncio.run(test())


def test_the_end_of_the_loop_waits_for_nobody_and_what_has_not_begun_never_does() -> None:
    threads, work = WorkThreads(most=1), Work()

    async def test() -> None:
        threads.start("hangs", work.of("hangs"))
        threads.start("hangs", work.of("never"))
        await eventually(lambda: work.busy["hangs"] == 1)

    asyncio.run(test())
    assert work.done == []
    work.going.set()

    async def again() -> Hashable:
        return await threads.start("other", work.of("other"))

    assert asyncio.run(again()) == "other"
    assert work.done == ["hangs", "other"]


def test_the_end_of_the_process_waits_for_nobody() -> None:
    program = (
        "import asyncio, threading\n"
        "from airflow_provider_quatrix.triggers.threads import work_threads\n"
        "async def hang():\n"
        "    begun = threading.Event()\n"
        "    work_threads().start('hangs', lambda: (begun.set(), threading.Event().wait(1000)))\n"
        "    await asyncio.to_thread(begun.wait)\n"
        "asyncio.run(hang())\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
