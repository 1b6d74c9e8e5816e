"""Listing a large folder and a large tree, against rclone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.report import Figure, Report
from bench.stage import CLIENT_NOTE, OURS, RCLONE, SETUP, Stage, Transfer, rclone_version
from testing.emulator_process import EMAIL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOOLS = (rclone_version(),)
FILES, FOLDERS, ROUNDS = 10_000, 2000, 3
QUICK_FILES, QUICK_FOLDERS, QUICK_ROUNDS = 50, 20, 1
# Folders in a folder of the tree.
WIDTH = 20


def tree_of(folders: int) -> list[str]:
    """Make the names of the folders of a tree, ``WIDTH`` in each folder, level by level.

    :param folders: how many.
    :return: paths below ``/tree/``, parents first, each with a slash at the end.
    """
    paths = ["/tree"]
    for number in range(folders):
        paths.append(f"{paths[number // WIDTH]}/folder-{number}")
    return [f"{path}/" for path in paths[1:]]


def _series(by_subject: dict[str, list[Transfer]], value: Callable[[Transfer], float]) -> dict[str, list[float]]:
    return {subject: [value(cost) for cost in turns] for subject, turns in by_subject.items()}


def run(scratch: Path, *, quick: bool) -> Report:
    """List a folder of 10,000 files and a tree of 2,000 folders.

    :param scratch: empty folder.
    :param quick: few of both, once.
    :return: seconds, calls and CPU.
    """
    files, folders, rounds = (QUICK_FILES, QUICK_FOLDERS, QUICK_ROUNDS) if quick else (FILES, FOLDERS, ROUNDS)
    folder = f"A folder of {files:,} files"
    tree = f"A tree of {folders:,} folders"
    costs: dict[str, dict[str, list[Transfer]]] = {what: {OURS: [], RCLONE: []} for what in (folder, tree)}
    with Stage(scratch) as stage:
        stage.client.put_files(EMAIL, [f"/flat/file-{number:06d}.bin" for number in range(files)])
        stage.client.put_files(EMAIL, tree_of(folders))
        for _ in range(rounds):
            costs[folder][OURS].append(stage.ours("list", "/flat", "--expect", str(files)))
            costs[folder][RCLONE].append(stage.rclone("lsf", "quatrix:flat"))
            costs[tree][OURS].append(stage.ours("list", "/tree", "--recursive", "--expect", str(folders)))
            costs[tree][RCLONE].append(stage.rclone("lsf", "--recursive", "quatrix:tree"))
    figures = []
    for what, by_subject in costs.items():
        figures += [
            Figure(f"{what}, seconds", "s", _series(by_subject, lambda cost: cost.wall), RCLONE),
            Figure(f"{what}, API calls", "", _series(by_subject, lambda cost: cost.calls), RCLONE),
            Figure(f"{what}, client's CPU seconds", "s", _series(by_subject, lambda cost: cost.cpu), RCLONE),
        ]
    return Report(
        "Listing",
        f"A folder of {files:,} files is listed, and a tree of {folders:,} folders {WIDTH} to a folder, {rounds} times "
        f"with each client. Compared with `rclone lsf`. {SETUP}",
        figures,
        (),
        [CLIENT_NOTE],
    )
