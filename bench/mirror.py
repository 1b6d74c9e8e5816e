"""Mirroring a tree in which nothing has changed, against rclone sync."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bench.measure import BenchError
from bench.report import Figure, Report, at_most
from bench.stage import CLIENT_NOTE, DOWN, OURS, RCLONE, SETUP, UP, Stage, Transfer, rclone_version
from testing.emulator_process import EMAIL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOOLS = (rclone_version(),)
FILES, FOLDERS, ROUNDS = 10_000, 100, 5
QUICK_FILES, QUICK_FOLDERS, QUICK_ROUNDS = 40, 4, 1
SIZE = 64
FIRST_TIME = 1_700_000_000

Costs = dict[str, dict[str, list[Transfer]]]


def same_on_both_sides(stage: Stage, local: Path, files: int, folders: int) -> None:
    """Make a tree here and on the service, with the same sizes and times.

    :param stage: the service.
    :param local: folder; made.
    :param files: how many.
    :param folders: in how many folders they are.
    """
    objects = []
    for number in range(files):
        name = f"folder-{number % folders:03d}/file-{number:06d}.bin"
        path, modified = local / name, FIRST_TIME + number
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(SIZE))
        os.utime(path, (modified, modified))
        objects.append({"path": f"/mirror/{name}", "size": SIZE, "modified": modified})
    stage.client.put_files(EMAIL, objects)


def play(stage: Stage, local: Path, rounds: int) -> Costs:
    """Mirror the tree both ways with both clients, which go first in turns.

    :param stage: the service.
    :param local: the tree here.
    :param rounds: how often.
    :return: what it cost, by direction and client.
    :raises BenchError: a client moved something.
    """
    costs: Costs = {way: {OURS: [], RCLONE: []} for way in (UP, DOWN)}
    for number in range(rounds):
        for subject in (OURS, RCLONE) if number % 2 == 0 else (RCLONE, OURS):
            before = _moved(stage)
            if subject == OURS:
                up = stage.ours("upload", local, "/mirror", "--mirror")
                down = stage.ours("download", "/mirror", local, "--mirror")
            else:
                up = stage.rclone("sync", local, "quatrix:mirror")
                down = stage.rclone("sync", "quatrix:mirror", local)
            if _moved(stage) != before:
                raise BenchError(f"{subject} moved files although none has changed")
            costs[UP][subject].append(up)
            costs[DOWN][subject].append(down)
    return costs


def _moved(stage: Stage) -> tuple[int, int]:
    counters = stage.client.counters
    return counters["upload_bytes"], counters["download_bytes"]


def run(scratch: Path, *, quick: bool) -> Report:
    """Mirror 10,000 unchanged files.

    :param scratch: empty folder.
    :param quick: few files, once.
    :return: seconds, API calls and CPU.
    """
    files, folders, rounds = (QUICK_FILES, QUICK_FOLDERS, QUICK_ROUNDS) if quick else (FILES, FOLDERS, ROUNDS)
    with Stage(scratch) as stage:
        same_on_both_sides(stage, scratch / "local", files, folders)
        costs = play(stage, scratch / "local", rounds)
    figures, goals = [], []
    for way, by_subject in costs.items():
        seconds = Figure(f"Seconds, {way}", "s", _series(by_subject, lambda cost: cost.wall), RCLONE)
        calls = Figure(f"API calls, {way}", "", _series(by_subject, lambda cost: cost.calls), RCLONE)
        figures += [
            seconds,
            calls,
            Figure(f"Client's CPU seconds, {way}", "s", _series(by_subject, lambda cost: cost.cpu), RCLONE),
        ]
        goals += [
            at_most(f"{files:,} unchanged files {way}: at most the time of rclone sync", seconds.ratio(OURS), 1.0),
            at_most(f"{files:,} unchanged files {way}: at most the API calls of rclone sync", calls.ratio(OURS), 1.0),
        ]
    return Report(
        "A mirror without changes",
        f"{files:,} files in {folders} folders are the same on both sides; they are mirrored up and down, {rounds} "
        'times with each client, which go first in turns: with `if_exists="update", delete_extra=True`, and with '
        f"`rclone sync` at its defaults. {SETUP}",
        figures,
        goals,
        [CLIENT_NOTE],
    )


def _series(by_subject: dict[str, list[Transfer]], value: Callable[[Transfer], float]) -> dict[str, list[float]]:
    return {subject: [value(cost) for cost in turns] for subject, turns in by_subject.items()}
