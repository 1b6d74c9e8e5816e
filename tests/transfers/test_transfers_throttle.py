"""Bytes that are kept to a rate."""

from __future__ import annotations

import threading

import pytest

from airflow_provider_quatrix.transfer.chunks import BLOCK, LARGEST_CHUNK
from airflow_provider_quatrix.transfer.throttle import Throttle


class Clock:
    """Goes on when somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waited = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waited += seconds
        self.now += seconds


def test_bytes_go_at_the_rate() -> None:
    clock = Clock()
    throttle = Throttle(1000, clock, clock.wait)
    for _ in range(100):
        throttle.let_through(50)
    # What goes last is under way when the waiting is over.
    assert clock.waited == pytest.approx(4.95)


def test_time_in_which_nothing_moved_is_not_made_up_for() -> None:
    clock = Clock()
    throttle = Throttle(1000, clock, clock.wait)
    throttle.let_through(1000)
    clock.now += 3600
    throttle.let_through(1000)
    throttle.let_through(1000)
    assert clock.waited == pytest.approx(1.0)


def test_threads_share_the_rate() -> None:
    waits = []
    throttle = Throttle(1000, lambda: 0.0, waits.append)
    threads = [threading.Thread(target=throttle.let_through, args=(500,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [0.5, 1.0, 1.5, 2.0]


def test_without_a_limit_nobody_waits() -> None:
    throttle = Throttle(wait=lambda _: pytest.fail("waits"))
    throttle.let_through(10**12)
    assert (throttle.block, throttle.largest_chunk) == (BLOCK, LARGEST_CHUNK)


@pytest.mark.parametrize(
    ("rate", "block", "chunk"),
    [(1, 1024, 65_536), (100_000, 25_000, 1_000_000), (10**12, BLOCK, LARGEST_CHUNK)],
)
def test_slow_lines_get_small_pieces(rate: int, block: int, chunk: int) -> None:
    throttle = Throttle(rate)
    assert (throttle.block, throttle.largest_chunk) == (block, chunk)
