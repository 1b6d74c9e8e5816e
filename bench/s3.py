"""One large file from a bucket to Quatrix, against either side alone."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import requests

from bench.client import KEY
from bench.measure import MIB, BenchError
from bench.report import Figure, Goal, Report, at_most, number
from bench.stage import (
    CLIENT_NOTE,
    OURS,
    SETUP,
    Stage,
    Transfer,
    check_same,
    rclone_program,
    rclone_version,
    write_file,
)
from testing.airflow_settings import free_ports
from testing.emulator_process import EMAIL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOOLS = (rclone_version(), f"s3fs {version('s3fs')}")
SIZE, ROUNDS = 1000**3, 5
QUICK_SIZE, QUICK_ROUNDS = 20 * MIB, 1
MOST_TIME, MOST_MEMORY = 1.1, 64
FROM_S3, TO_QUATRIX, SLOWER = "from the bucket alone, by s3fs", "upload of a local file alone", "the slower side alone"
BUCKET = "bench"
START_SECONDS = 60


@contextmanager
def s3_server(folder: Path, log: Path) -> Iterator[str]:
    """Run an S3 server.

    :param folder: its buckets are the folders in it.
    :param log: file for what it prints.
    :return: its URL.
    :raises BenchError: it does not start.
    """
    address = f"127.0.0.1:{free_ports(1)[0]}"
    url = f"http://{address}"
    command: list[str | Path] = [
        rclone_program(),
        "serve",
        "s3",
        f"--addr={address}",
        f"--auth-key={KEY},{KEY}",
        folder,
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            _wait_for(process, url)
            yield url
        finally:
            process.kill()
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], url: str) -> None:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        try:
            requests.get(url, timeout=1)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise BenchError(f"the S3 server has not begun to listen on {url}")


def play(stage: Stage, endpoint: str, source: Path, rounds: int) -> dict[str, list[Transfer]]:
    """Move a file from the bucket to Quatrix, from the bucket to nowhere, and from here to Quatrix, in turns.

    :param stage: the service.
    :param endpoint: URL of the S3 server.
    :param source: the file.
    :param rounds: how often.
    :return: what each cost.
    """
    there = f"s3://s3_store@{BUCKET}/{source.name}"
    ways = {
        OURS: lambda: stage.ours("transfer", endpoint, there, "/large.bin"),
        FROM_S3: lambda: stage.ours("receive", endpoint, f"{BUCKET}/{source.name}"),
        TO_QUATRIX: lambda: stage.ours("upload", source, "/large.bin"),
    }
    costs: dict[str, list[Transfer]] = {subject: [] for subject in ways}
    for number_ in range(rounds):
        subjects = list(ways)
        for subject in subjects[number_ % 3 :] + subjects[: number_ % 3]:
            stage.clear()
            costs[subject].append(ways[subject]())
            if subject == OURS:
                arrived = stage.scratch / "arrived.bin"
                arrived.write_bytes(stage.client.read_file(EMAIL, "/large.bin"))
                check_same(source, arrived)
    return costs


def run(scratch: Path, *, quick: bool) -> Report:
    """Move a file of 1 GB.

    :param scratch: empty folder.
    :param quick: a small file, once.
    :return: seconds, CPU and memory.
    """
    size, rounds = (QUICK_SIZE, QUICK_ROUNDS) if quick else (SIZE, ROUNDS)
    buckets = scratch / "buckets"
    (buckets / BUCKET).mkdir(parents=True)
    source = write_file(buckets / BUCKET / "large.bin", size)
    with Stage(scratch, largest=size) as stage, s3_server(buckets, scratch / "s3.log") as endpoint:
        costs = play(stage, endpoint, source, rounds)
    seconds = {subject: [cost.wall for cost in turns] for subject, turns in costs.items()}
    seconds[SLOWER] = [max(pair) for pair in zip(seconds[FROM_S3], seconds[TO_QUATRIX], strict=True)]
    growth = [cost.growth / MIB for cost in costs[OURS]]
    figures = [
        Figure("Seconds", "s", seconds, SLOWER),
        Figure(
            "Client's CPU seconds", "s", {subject: [cost.cpu for cost in turns] for subject, turns in costs.items()}
        ),
        Figure("Peak memory above the idle hook", "MiB", {OURS: growth}),
    ]
    return Report(
        "From a bucket to Quatrix",
        f"`hook.transfer` moves a file of {size / 1000**2:,.0f} MB from an S3 server to Quatrix, {rounds} times, in "
        "turns with reading it from the bucket and with uploading it from here. The S3 server is rclone's, in a "
        f"process of its own, without TLS. {SETUP}",
        figures,
        [
            at_most(
                f"S3 to Quatrix, {size / 1000**2:,.0f} MB: at most {MOST_TIME} times the slower side alone",
                figures[0].ratio(OURS),
                MOST_TIME,
            ),
            Goal(
                f"S3 to Quatrix: at most {MOST_MEMORY} MiB above the idle hook",
                f"{number(max(growth))} MiB",
                max(growth) <= MOST_MEMORY,
            ),
        ],
        [CLIENT_NOTE + " s3fs is loaded and has listed its buckets before, too."],
    )
