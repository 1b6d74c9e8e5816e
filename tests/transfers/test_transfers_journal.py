"""What tries note, and what a further one makes of it."""

from __future__ import annotations

import json

import pytest

from airflow_provider_quatrix.transfer.journal import Journal, mark


class MemoryNotes:
    def __init__(self, text: str | None = None) -> None:
        self.text = text
        self.writes = 0

    def read(self) -> str | None:
        return self.text

    def write(self, text: str) -> None:
        self.text = text
        self.writes += 1

    def delete(self) -> None:
        self.text = None


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_further_try_knows_what_the_first_found_and_made() -> None:
    notes = MemoryNotes()
    first = Journal(notes)
    first.begin(["there"])
    first.add("made")
    again = Journal(notes, is_retry=True)
    assert again.begun
    again.begin(["there", "made", "newcomer"])
    assert [again.is_own(of) for of in ("there", "made", "newcomer")] == [False, True, False]
    assert [again.appeared(of) for of in ("there", "made", "newcomer")] == [False, True, True]


def test_a_first_try_knows_nothing() -> None:
    notes = MemoryNotes()
    Journal(notes).add("made")
    first = Journal(notes)
    assert (first.begun, first.is_own("made"), first.appeared("made")) == (False, False, False)


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"before": 1, "own": "", "open": {}}', '"text"'])
def test_notes_that_cannot_be_read_are_none(text: str | None) -> None:
    assert not Journal(MemoryNotes(text), is_retry=True).begun


def test_small_files_are_noted_now_and_then_and_large_ones_at_once() -> None:
    notes, clock = MemoryNotes(), Clock()
    journal = Journal(notes, now=clock)
    journal.begin(None)
    assert notes.writes == 0
    for _ in range(100):
        journal.add("a")
        journal.open("small", "state", at_once=False)
    assert notes.writes == 1
    clock.now += 2.0
    journal.add("b")
    assert notes.writes == 2
    journal.open("large", "state", at_once=True)
    assert notes.writes == 3
    assert json.loads(notes.text or "")["open"] == {"small": "state", "large": "state"}


def test_what_is_finished_is_not_open_any_more() -> None:
    notes = MemoryNotes()
    journal = Journal(notes)
    journal.open("a", "1", at_once=True)
    journal.open("b", "2", at_once=True)
    journal.close("a")
    journal.write()
    again = Journal(notes, is_retry=True)
    assert again.all_opened() == {"b": "2"}
    assert (again.opened("a"), again.opened("b")) == (None, "2")
    again.delete()
    assert notes.text is None


@pytest.mark.parametrize("before", [2_500, 10_000])
def test_notes_stay_short_enough_for_any_database(before: int) -> None:
    notes = MemoryNotes()
    journal = Journal(notes)
    journal.begin(mark("before", number) for number in range(before))
    for number in range(10_000):
        journal.add(mark("own", number))
    journal.write()
    # A third more when sealed; a text column of MySQL holds 64 KiB.
    assert len(notes.text or "") < 48_000
    again = Journal(notes, is_retry=True)
    assert again.is_own(mark("own", 0))
    # Where they are too many to be noted, nobody can tell a newcomer.
    assert again.appeared(mark("newcomer")) == (before == 2_500)


def test_without_notes_it_knows_its_own_try() -> None:
    journal = Journal()
    journal.open("a", "1", at_once=True)
    journal.write()
    assert journal.all_opened() == {"a": "1"}
    journal.delete()
    assert journal.all_opened() == {}
