from __future__ import annotations

import pytest
from broker_setup import CountingStore

from airflow_provider_quatrix.sessions.outage import Outage, OutageLog, continued, is_over_patience


def test_an_outage_goes_on_and_a_stale_one_begins_anew() -> None:
    first = continued(None, 100.0, 10.0)
    assert first == Outage(100.0, 100.0)
    assert continued(first, 110.0, 10.0) == Outage(100.0, 110.0)
    assert continued(first, 700.0, 10.0) == Outage(100.0, 700.0)
    assert continued(first, 701.0, 10.0) == Outage(701.0, 701.0)
    assert continued(first, 1600.0, 300.0) == Outage(100.0, 1600.0)
    assert continued(first, 1601.0, 300.0) == Outage(1601.0, 1601.0)


@pytest.mark.parametrize(
    ("polls", "max_failures", "over"),
    [(1, 0, True), (1, 1, True), (1, 2, False), (2, 2, True), (9, 10, False), (10, 10, True)],
)
def test_patience_is_a_number_of_polls_in_a_row(polls: int, max_failures: int, over: bool) -> None:
    outage = None
    for number in range(polls):
        outage = continued(outage, 100.0 + 60.3 * number, 60.0)
    assert outage is not None
    assert is_over_patience(outage, 60.0, max_failures) is over


def test_many_reports_of_the_same_outage_do_not_end_patience_sooner() -> None:
    outage = None
    for number in range(1000):
        outage = continued(outage, 100.0 + number * 0.1, 60.0)
    assert outage is not None
    assert not is_over_patience(outage, 60.0, 10)


def test_an_outage_is_remembered_between_processes() -> None:
    store, now = CountingStore(), [100.0]
    assert OutageLog(store, lambda: now[0]).failed(60.0) == Outage(100.0, 100.0)
    now[0] = 160.0
    log = OutageLog(store, lambda: now[0])
    assert log.failed(60.0) == Outage(100.0, 160.0)
    log.over()
    assert store.text is None
    assert log.failed(60.0) == Outage(160.0, 160.0)


def test_a_poll_that_works_costs_no_write() -> None:
    store = CountingStore()
    OutageLog(store).over()
    assert store.writes == 0


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"since": "x", "last": 1}', '{"since": 1}', "null"])
def test_garbage_is_no_outage(text: str) -> None:
    store = CountingStore()
    store.text = text
    assert OutageLog(store, lambda: 7.0).failed(60.0) == Outage(7.0, 7.0)
