"""Growth of peak memory with the size of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure import MIB
from bench.report import Figure, Goal, Report, number
from bench.stage import DOWN, OURS, RCLONE, SETUP, UP, Stage, check_same, rclone_version, remove, write_file

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = (rclone_version(),)
SIZES = (10, 100, 1000, 10_000)
QUICK_SIZES = (1, 10)
MOST_MEMORY = 16
# Bytes in the units of the sizes.
MB = 1000_000


def run(scratch: Path, *, quick: bool) -> Report:
    """Move files of growing sizes both ways.

    :param scratch: empty folder.
    :param quick: small files.
    :return: memory by size.
    """
    sizes = QUICK_SIZES if quick else SIZES
    figures = []
    growth: list[float] = []
    with Stage(scratch) as stage:
        for size in sizes:
            source, back = write_file(scratch / "source.bin", size * MB), scratch / "back.bin"
            # One client after the other, so that the disk contains the file three times at most.
            ours = (stage.ours("upload", source, "/large.bin"), stage.ours("download", "/large.bin", back))
            check_same(source, back)
            remove(back)
            stage.clear()
            theirs = (
                stage.rclone("copyto", source, "quatrix:large.bin"),
                stage.rclone("copyto", "quatrix:large.bin", back),
            )
            for way, our, their in zip((UP, DOWN), ours, theirs, strict=True):
                growth.append(our.growth / MIB)
                series = {f"{OURS}, above idle": [our.growth / MIB], RCLONE: [their.peak / MIB]}
                figures.append(Figure(f"Peak memory, {size:,} MB {way}", "MiB", series))
            for path in (source, back):
                remove(path)
            stage.clear()
    return Report(
        "Memory by size",
        f"Files of {', '.join(f'{size:,}' for size in sizes)} MB go up and come down once. Compared with rclone's "
        f"quatrix backend at its defaults. {SETUP}",
        figures,
        [
            Goal(
                f"at most {MOST_MEMORY} MiB above the idle hook from {sizes[0]:,} MB to {sizes[-1]:,} MB",
                f"{number(min(growth))} to {number(max(growth))} MiB",
                max(growth) <= MOST_MEMORY,
            )
        ],
        ["For the QuatrixHook it is the memory above that of the idle hook, for rclone that of the whole program."],
    )
