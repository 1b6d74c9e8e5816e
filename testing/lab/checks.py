"""From counters to verdicts and a table. Pure: nothing is run here."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TITLES = ("Scenario", "What", "Wanted", "Measured", "Held")
# One line of the API server's log for each call of a task.
VARIABLE_CALL = re.compile(r"\b(GET|PUT|DELETE)\b[^\n]*?/execution/variables/(quatrix_\w+?)__")


@dataclass(frozen=True)
class Check:
    """A promise and what became of it.

    :param scenario: what happened.
    :param what: what was counted.
    :param wanted: what it should be.
    :param measured: what it was.
    :param held: whether that is good.
    """

    scenario: str
    what: str
    wanted: str
    measured: str
    held: bool


def exactly(scenario: str, what: str, wanted: float, measured: float) -> Check:
    """Hold a number against what it has to be.

    :param scenario: what happened.
    :param what: what was counted.
    :param wanted: the number.
    :param measured: what it was.
    :return: the verdict.
    """
    return Check(scenario, what, f"{wanted:,}", f"{measured:,}", wanted == measured)


def at_most(scenario: str, what: str, limit: float, measured: float) -> Check:
    """Hold a number against the most it may be; see :func:`exactly`.

    :param scenario: what happened.
    :param what: what was counted.
    :param limit: the largest good number.
    :param measured: what it was.
    :return: the verdict.
    """
    return Check(scenario, what, f"≤ {limit:,}", f"{measured:,}", measured <= limit)


def all_green(scenario: str, states: Sequence[str | None]) -> Check:
    """Judge the tasks of runs.

    :param scenario: what happened.
    :param states: of all tasks.
    :return: the verdict.
    """
    counts = Counter(str(state) for state in states)
    measured = ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items())) or "none"
    return Check(scenario, "tasks", "all success", measured, set(counts) == {"success"})


def calls_per_interval(scenario: str, calls: int, seconds: float, interval: float, triggerers: int) -> Check:
    """Judge what waiting costs: each triggerer may ask once in every interval that begins.

    :param scenario: what happened.
    :param calls: that the service saw.
    :param seconds: how long they were counted at most.
    :param interval: seconds between two calls of one triggerer.
    :param triggerers: how many waited.
    :return: the verdict.
    """
    intervals = int(seconds // interval) + 1
    return at_most(scenario, f"calls in {intervals} intervals", intervals * triggerers, calls)


def sent_again(scenario: str, size: int, received: int, share: float = 0.1) -> Check:
    """Judge how much of a file was sent more than once.

    :param scenario: what happened.
    :param size: bytes of the file.
    :param received: bytes that the service got.
    :param share: of the file that may be sent again.
    :return: the verdict.
    """
    again = (received - size) / size
    return Check(scenario, "bytes sent again", f"< {share:.0%}", f"{again:.1%}", 0 <= again < share)


def variable_calls(log: Iterable[str]) -> Counter[tuple[str, str]]:
    """Count the calls of tasks for Variables of the provider.

    :param log: lines of the API server's log.
    :return: numbers by method and the first part of the Variable's name.
    """
    return Counter((found[1], found[2]) for line in log if (found := VARIABLE_CALL.search(line)))


def table(checks: Sequence[Check]) -> str:
    """Lay verdicts out, readable as text and as Markdown.

    :param checks: verdicts.
    :return: lines.
    """
    rows = [TITLES, *(_row(check) for check in checks)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = tuple("-" * width for width in widths)
    lines = [rows[0], rule, *rows[1:]]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |" for line in lines
    )


def _row(check: Check) -> tuple[str, ...]:
    return check.scenario, check.what, check.wanted, check.measured, "yes" if check.held else "**no**"
