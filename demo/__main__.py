"""``make demo``: run example DAGs in a real Airflow against the emulator, and print what they cost."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from demo.running import started
from demo.scenes import SCENES, Outcome, play
from testing.airflow_client import AirflowError
from testing.emulator_process import EmulatorProcessError
from testing.interruption import interrupt_once
from testing.output import say

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
TITLES = ("DAG", "state", "tasks", "seconds", "logins", "API calls")
INTERRUPTED = 130


def table(outcomes: Sequence[Outcome]) -> str:
    """Format a table of how the DAGs ran.

    :param outcomes: one per DAG.
    :return: lines of text with aligned columns.
    """
    rows = [
        TITLES,
        *(
            (each.dag_id, each.state, str(each.tasks), f"{each.seconds:.1f}", str(each.logins), str(each.calls))
            for each in outcomes
        ),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    # Names are aligned to the left, numbers to the right.
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def summary(outcomes: Sequence[Outcome], logs: Path) -> tuple[str, int]:
    """Describe how the demo went.

    :param outcomes: one per DAG.
    :param logs: folder of the logs.
    :return: what to print, and the exit status.
    """
    told = "\n" + table(outcomes)
    if all(outcome.state == "success" for outcome in outcomes):
        return told, 0
    failures = [f"{outcome.dag_id}: {failure}" for outcome in outcomes for failure in outcome.failures]
    return "\n".join([told, "\nThe demo failed:", *failures, f"Logs: {logs}"]), 1


def run(home: Path, dags: Path) -> list[Outcome]:
    """Start everything, run the DAGs one after the other, and stop everything.

    :param home: folder for Airflow's files and the logs; emptied first.
    :param dags: folder of the DAG files.
    :return: how they went.
    """
    say("Starting the emulator and Airflow ...")
    outcomes = []
    with started(home, dags) as (airflow, emulator):
        for scene in SCENES:
            say(f"Running {scene.dag_id} ...")
            outcomes.append(play(scene, airflow, emulator.client))
    return outcomes


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo.

    :param argv: arguments; those of the process when None.
    :return: 0 if all DAGs succeeded, 1 if not, 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--home", type=Path, default=ROOT / ".demo", help="folder for logs and database; emptied first")
    parser.add_argument("--dags", type=Path, default=ROOT / "dags", help="folder of the DAG files")
    options = parser.parse_args(argv)
    interrupt_once()
    logs = options.home / "logs"
    try:
        outcomes = run(options.home, options.dags)
    except KeyboardInterrupt:
        say("Interrupted; everything is stopped.")
        return INTERRUPTED
    except (AirflowError, EmulatorProcessError) as error:
        say(f"The demo failed: {error}\nLogs: {logs}")
        return 1
    text, status = summary(outcomes, logs)
    say(text)
    return status


if __name__ == "__main__":
    sys.exit(main())
