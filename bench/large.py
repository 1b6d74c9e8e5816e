"""One large file up and down, against rclone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.measure import MIB
from bench.report import Figure, Goal, Report, at_most, number, paired_ratio
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
    write_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOOLS = (rclone_version(),)
SIZE, PAIRS = 1024**3, 5
QUICK_SIZE, QUICK_PAIRS = 20 * MIB, 1
MOST_MEMORY = 16
# The QuatrixHook returns the SHA-256 of what it moved; a user of rclone has to compute it separately.
RCLONE_DIGEST = "rclone, then rclone hashsum"
OURS_PLAIN = f"{OURS}, checksum=None"


@dataclass
class Turns:
    """What each client cost, turn by turn, by direction and subject."""

    costs: dict[tuple[str, str], list[Transfer]] = field(default_factory=dict)

    def add(self, way: str, subject: str, cost: Transfer) -> None:
        """Add the cost of a turn.

        :param way: up or down.
        :param subject: the client.
        """
        self.costs.setdefault((way, subject), []).append(cost)

    def figure(self, name: str, unit: str, way: str, value: Callable[[Transfer], float]) -> Figure:
        """Make a figure for one direction.

        :param way: up or down.
        :param value: returns the value of a cost.
        :return: the figure, compared with rclone.
        """
        series = {
            subject: [value(cost) for cost in costs] for (its, subject), costs in self.costs.items() if its == way
        }
        return Figure(f"{name}, {way}", unit, series, RCLONE)


def play(stage: Stage, source: Path, pairs: int) -> Turns:
    """Move a file both ways with both clients, several times.

    :param stage: the service.
    :param source: the file.
    :param pairs: how often.
    :return: what it cost.
    """
    turns, back = Turns(), stage.scratch / "back.bin"
    for pair in range(pairs):
        for subject in (OURS, RCLONE) if pair % 2 == 0 else (RCLONE, OURS):
            stage.clear()
            if subject == OURS:
                turns.add(UP, OURS_PLAIN, stage.ours("upload", source, "/plain.bin", "--no-checksum"))
                turns.add(UP, OURS, stage.ours("upload", source, "/large.bin"))
                turns.add(DOWN, OURS, stage.ours("download", "/large.bin", back))
                remove(back)
                turns.add(DOWN, OURS_PLAIN, stage.ours("download", "/large.bin", back, "--no-checksum"))
            else:
                for way, ends, local in (
                    (UP, (source, "quatrix:large.bin"), source),
                    (DOWN, ("quatrix:large.bin", back), back),
                ):
                    moved = stage.rclone("copyto", *ends)
                    turns.add(way, RCLONE, moved)
                    turns.add(way, RCLONE_DIGEST, moved.then(stage.rclone("hashsum", "sha256", local)))
            check_same(source, back)
            remove(back)
    return turns


def run(scratch: Path, *, quick: bool) -> Report:
    """Move a file of 1 GiB.

    :param scratch: empty folder.
    :param quick: a small file, once.
    :return: seconds, CPU and memory.
    """
    size, pairs = (QUICK_SIZE, QUICK_PAIRS) if quick else (SIZE, PAIRS)
    with Stage(scratch, largest=size) as stage:
        turns = play(stage, write_file(scratch / "source.bin", size), pairs)
    figures, goals = [], []
    for way in (UP, DOWN):
        seconds = turns.figure("Seconds", "s", way, lambda cost: cost.wall)
        figures += [
            seconds,
            turns.figure("Client's CPU seconds", "s", way, lambda cost: cost.cpu),
            turns.figure("Peak memory", "MiB", way, lambda cost: cost.peak / MIB),
        ]
        growth = {subject: [cost.growth / MIB for cost in turns.costs[way, subject]] for subject in (OURS, OURS_PLAIN)}
        figures.append(Figure(f"Peak memory above the idle hook, {way}", "MiB", growth))
        most = max(max(series) for series in growth.values())
        what = f"{size // MIB:,} MiB {way}"
        # An upload hashes while it sends, so its digest costs no time: both variants have to keep up with rclone alone.
        for subject in (OURS, OURS_PLAIN) if way == UP else (OURS_PLAIN,):
            goals.append(at_most(f"{what} ({subject}): at most 1.0 times rclone", seconds.ratio(subject), 1.0))
        goals += [
            at_most(
                f"{what} with SHA-256: at most 1.0 times rclone followed by rclone hashsum",
                paired_ratio(seconds.series[OURS], seconds.series[RCLONE_DIGEST]),
                1.0,
            ),
            Goal(
                f"{what}: at most {MOST_MEMORY} MiB above the idle hook",
                f"{number(most)} MiB",
                most <= MOST_MEMORY,
            ),
        ]
    return Report(
        "One large file",
        f"A file of {size // MIB:,} MiB goes up and comes down, {pairs} times with each client, which go first "
        "in turns. Compared with rclone's quatrix backend at its defaults, and with rclone followed by the SHA-256 "
        f"that the hook computes on the way. {SETUP}",
        figures,
        goals,
        [CLIENT_NOTE],
    )
