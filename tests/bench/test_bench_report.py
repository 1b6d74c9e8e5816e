"""Medians, ratios and the page they are written to."""

from __future__ import annotations

import pytest

from bench.measure import MIB, status_of, warm_memory
from bench.report import Figure, Goal, Report, at_least, at_most, number, page, paired_ratio, section, table


def test_a_ratio_is_the_median_of_the_ratios_turn_by_turn() -> None:
    assert paired_ratio([1, 10, 3], [2, 10, 2]) == 1


def test_series_of_different_lengths_are_compared_by_their_medians() -> None:
    assert paired_ratio([4, 4, 4], [2, 8]) == pytest.approx(0.8)


@pytest.mark.parametrize(("ours", "theirs"), [([], [1]), ([1], []), ([1], [0])])
def test_there_is_no_ratio_to_nothing(ours: list[float], theirs: list[float]) -> None:
    assert paired_ratio(ours, theirs) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0421, "0.042"), (0.5, "0.50"), (1.254, "1.25"), (3, "3"), (42.13, "42.1"), (1250.4, "1,250")],
)
def test_numbers_have_three_figures_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


def test_a_table_has_a_row_for_each_figure_and_subject() -> None:
    figures = [
        Figure("Seconds", "s", {"ours": [1.0, 3.0, 2.0], "theirs": [4.0, 6.0, 5.0]}, "theirs"),
        Figure("Calls", "", {"ours": [4]}),
    ]
    assert table(figures).splitlines()[2:] == [
        "| Seconds (s) | ours | 2 | 1-3 | 0.40 |",
        "| Seconds (s) | theirs | 5 | 4-6 | 1 |",
        "| Calls | ours | 4 |  |  |",
    ]


def test_goals_are_held_against_their_limits() -> None:
    assert at_most("small", 1.0, 1.0).met
    assert not at_most("small", 1.01, 1.0).met
    assert at_least("large", 10, 10).met
    assert not at_least("large", 9.9, 10).met


def test_a_goal_that_was_not_measured_is_missed() -> None:
    assert at_most("small", None, 1.0) == Goal("small", "not measured", met=False)
    assert at_least("large", None, 1.0) == Goal("large", "not measured", met=False)


def test_a_section_tells_set_up_figures_goals_notes_and_machine() -> None:
    report = Report(
        "Large", "A file goes up.", [Figure("Seconds", "s", {"ours": [2]})], [Goal("fast", "2", met=False)], ["A note."]
    )
    assert section(report, "2 cores").split("\n\n") == [
        "## Large",
        "A file goes up.",
        table(report.figures),
        "- Goal missed: fast. Measured: 2.",
        "A note.",
        "Measured on 2 cores.\n",
    ]


def test_the_page_keeps_the_sections_that_were_not_measured_anew() -> None:
    first = page({"One": "## One\n\nold one\n", "Two": "## Two\n\nold two\n"})
    second = page({"One": "## One\n\nnew one\n"}, first)
    assert first.replace("old one", "new one") == second
    assert page({}, second) == second


def test_warm_memory_is_free_but_for_a_page_of_each_mebibyte() -> None:
    before = status_of("self", "VmRSS")
    held = warm_memory(256 * MIB + 5)
    assert len(held) == 256 * MIB
    assert status_of("self", "VmRSS") - before < 16 * MIB
    held.close()
