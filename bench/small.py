"""Many small files up and down, against rclone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure import BenchError
from bench.report import Figure, Report, at_least, at_most
from bench.stage import (
    CLIENT_NOTE,
    DOWN,
    OURS,
    RCLONE,
    SETUP,
    UP,
    Stage,
    Transfer,
    check_same,
    rclone_version,
    remove,
    write_files,
)

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = (rclone_version(),)
TRANSFERS = 16
COUNT, ROUNDS = 1000, 3
QUICK_COUNT, QUICK_ROUNDS = 20, 1
SIZE = 4096
RCLONE_MANY = f"rclone --transfers {TRANSFERS}"
LEAST_GAIN, MOST_CALLS = 10.0, 4.0

Costs = dict[str, dict[str, list[Transfer]]]


def play(stage: Stage, source: Path, rounds: int) -> Costs:
    """Move a folder of files both ways with each client.

    :param stage: the service.
    :param source: the folder.
    :param rounds: how often.
    :return: what it cost, by direction and client.
    """
    costs: Costs = {way: {subject: [] for subject in (OURS, RCLONE, RCLONE_MANY)} for way in (UP, DOWN)}
    back, many = stage.scratch / "back", str(TRANSFERS)
    for _ in range(rounds):
        for subject in (OURS, RCLONE, RCLONE_MANY):
            stage.clear()
            if subject == OURS:
                up = stage.ours("upload", source, "/small/", "--transfers", many)
                down = stage.ours("download", "/small", back, "--transfers", many)
            else:
                more = ("--transfers", many) if subject == RCLONE_MANY else ()
                up = stage.rclone("copy", source, "quatrix:small", *more)
                down = stage.rclone("copy", "quatrix:small", back, *more)
            costs[UP][subject].append(up)
            costs[DOWN][subject].append(down)
            if sum(1 for _ in back.iterdir()) != sum(1 for _ in source.iterdir()):
                raise BenchError(f"{subject} brought back another number of files")
            check_same(source, back)
            remove(back)
    return costs


def run(scratch: Path, *, quick: bool) -> Report:
    """Move 1,000 files of 4 KiB.

    :param scratch: empty folder.
    :param quick: few files, once.
    :return: seconds and API calls.
    """
    count, rounds = (QUICK_COUNT, QUICK_ROUNDS) if quick else (COUNT, ROUNDS)
    with Stage(scratch) as stage:
        # The cost of any folder together with its first file.
        alone = stage.ours("upload", write_files(scratch / "alone", 1, SIZE), "/alone/")
        costs = play(stage, write_files(scratch / "source", count, SIZE), rounds)
    figures, goals = [], []
    for way, by_subject in costs.items():
        seconds = {subject: [cost.wall for cost in turns] for subject, turns in by_subject.items()}
        calls = {subject: [cost.calls / count for cost in turns] for subject, turns in by_subject.items()}
        cpu = {subject: [cost.cpu for cost in turns] for subject, turns in by_subject.items()}
        figures += [
            Figure(f"Seconds, {way}", "s", seconds, RCLONE),
            Figure(f"API calls per file, {way}", "", calls, RCLONE),
            Figure(f"Client's CPU seconds, {way}", "s", cpu, RCLONE),
        ]
        ratios = [Figure("", "", seconds, other).ratio(OURS) for other in (RCLONE, RCLONE_MANY)]
        gain = 1 / max(ratio or 1.0 for ratio in ratios)
        goals.append(
            at_least(f"{count:,} times 4 KiB {way}: at least {LEAST_GAIN:g} times as fast as rclone", gain, LEAST_GAIN)
        )
    most = max((cost.calls - alone.calls) / (count - 1) for cost in costs[UP][OURS])
    goals.append(at_most(f"at most {MOST_CALLS:g} API calls for each further new file", most, MOST_CALLS))
    return Report(
        "Many small files",
        f"{count:,} files of 4 KiB in one folder go up and come down, {rounds} times with each client; the QuatrixHook "
        f"moves {TRANSFERS} at a time. Compared with rclone at its defaults and with as many transfers. "
        f"{SETUP}",
        figures,
        goals,
        [
            CLIENT_NOTE,
            "rclone's backend paces itself to 100 API calls a second, whatever the number of transfers.",
            f"A further file is one more in the same upload; the folder and its first took {alone.calls} API calls.",
        ],
    )
