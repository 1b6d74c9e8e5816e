"""Turns measured values into medians, ratios and a page of Markdown. Pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INTRODUCTION = """\
# Benchmarks

`make bench` measures and writes this page; `python -m bench NAME` measures one thing and only prints it. Every bench
compares with what a user would take instead, against the same emulator in the same run, and takes turns, so that what
disturbs the machine disturbs both. A ratio is the median of the ratios of all turns. The emulator is not the service:
the figures show what a client costs, not how fast Quatrix is.
"""


@dataclass(frozen=True)
class Figure:
    """One measured quantity, for several subjects.

    :param name: of the quantity.
    :param unit: such as ``s`` or ``MiB``; empty for a number of things.
    :param series: measured values by subject, in the order of the turns.
    :param reference: the subject to compare the others with; empty for no comparison.
    """

    name: str
    unit: str
    series: Mapping[str, Sequence[float]]
    reference: str = ""

    def ratio(self, subject: str) -> float | None:
        """Compare a subject with the reference.

        :return: median of the ratios turn by turn; ``None`` if there is no reference.
        """
        theirs = self.series.get(self.reference)
        return None if theirs is None or subject == self.reference else paired_ratio(self.series[subject], theirs)


@dataclass(frozen=True)
class Goal:
    """What a figure should be.

    :param text: the goal, as a sentence.
    :param reached: what was measured, in the goal's own terms.
    :param met: whether that is good enough.
    """

    text: str
    reached: str
    met: bool


@dataclass(frozen=True)
class Report:
    """What a bench found.

    :param title: heading.
    :param setup: how it was measured and against what, in two or three sentences.
    :param figures: the values.
    :param goals: what they should be.
    :param notes: further sentences for the reader.
    """

    title: str
    setup: str
    figures: Sequence[Figure]
    goals: Sequence[Goal] = ()
    notes: Sequence[str] = ()


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Compare two series that were measured in turns.

    :param ours: one value per turn.
    :param theirs: the same; or another number of values, then only the medians are compared.
    :return: the median of ours divided by theirs; ``None`` if theirs contains a zero.
    """
    if not ours or not theirs or 0 in theirs:
        return None
    if len(ours) != len(theirs):
        return median(ours) / median(theirs)
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))


def at_most(text: str, ratio: float | None, limit: float) -> Goal:
    """Compare a ratio or number with its upper limit.

    :param text: the goal.
    :param ratio: what was measured; ``None`` misses the goal.
    :param limit: the largest good value.
    :return: the goal with its verdict.
    """
    return Goal(text, "not measured" if ratio is None else number(ratio), ratio is not None and ratio <= limit)


def at_least(text: str, value: float | None, limit: float) -> Goal:
    """Compare a number with its lower limit; see :func:`at_most`.

    :param text: the goal.
    :param value: what was measured; ``None`` misses the goal.
    :param limit: the smallest good value.
    :return: the goal with its verdict.
    """
    return Goal(text, "not measured" if value is None else number(value), value is not None and value >= limit)


def number(value: float) -> str:
    """Write a number with three significant digits.

    :param value: any number.
    :return: such as ``0.042``, ``1.25``, ``42.1`` or ``1,250``.
    """
    if value == 0 or abs(value) >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


def section(report: Report, machine: str) -> str:
    """Write a report as a section of the page.

    :param report: what was found.
    :param machine: where and when it was measured.
    :return: Markdown, which begins with the heading and ends with a line end.
    """
    parts = [f"## {report.title}", report.setup, table(report.figures)]
    if report.goals:
        parts.append(
            "\n".join(
                f"- Goal {'met' if goal.met else 'missed'}: {goal.text}. Measured: {goal.reached}."
                for goal in report.goals
            )
        )
    parts += [*report.notes, f"Measured on {machine}."]
    return "\n\n".join(parts) + "\n"


def table(figures: Sequence[Figure]) -> str:
    """Format figures as a table with one row for each figure and subject.

    :param figures: the values.
    :return: Markdown.
    """
    rows = [("Figure", "Subject", "Median", "Min-max", "Ratio"), ("---", "---", "---:", "---:", "---:")]
    for figure in figures:
        label = f"{figure.name} ({figure.unit})" if figure.unit else figure.name
        for subject, values in figure.series.items():
            ratio = figure.ratio(subject)
            shown = number(ratio) if ratio is not None else "1" if subject == figure.reference else ""
            rows.append((label, subject, *_spread(values), shown))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _spread(values: Sequence[float]) -> tuple[str, str]:
    if not values:
        return "-", ""
    return number(median(values)), f"{number(min(values))}-{number(max(values))}" if len(values) > 1 else ""


def page(sections: Mapping[str, str], before: str = "") -> str:
    """Put sections into the page; those that were not measured again stay as they are.

    :param sections: Markdown by heading, in the order in which new ones are added.
    :param before: the page as it is.
    :return: the page as it should be.
    """
    kept = {
        text.splitlines()[0].removeprefix("## "): text.rstrip() + "\n"
        for text in re.split(r"^(?=## )", before, flags=re.M)[1:]
    }
    return "\n".join([INTRODUCTION, *{**kept, **sections}.values()])
