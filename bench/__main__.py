"""``make bench``: measure, print medians and ratios, and write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import BenchError, machine
from bench.report import page, section
from testing.airflow_client import AirflowError
from testing.emulator_process import EmulatorProcessError
from testing.interruption import interrupt_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.report import Report

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BENCHES = {
    "logins": "bench.logins",
    "waiting": "bench.waiting",
    "import": "bench.imports",
    "large": "bench.large",
    "small": "bench.small",
    "mirror": "bench.mirror",
    "s3": "bench.s3",
    "listing": "bench.listing",
    "memory": "bench.memory",
}
INTERRUPTED = 130


def measure(name: str, *, quick: bool) -> tuple[Report, str]:
    """Run one bench in a folder of its own, which is removed afterwards.

    :param quick: with small numbers, only to see that it runs.
    :return: the report, and where and when it was measured.
    """
    module = import_module(BENCHES[name])
    where = machine(module.TOOLS)
    scratch = Path(tempfile.mkdtemp(prefix=f"quatrix-bench-{name}-"))
    try:
        return module.run(scratch, quick=quick), where
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run benches.

    :param argv: arguments; those of the process when None.
    :return: 0 if all ran, whether their goals are met or not; 1 if one did not run; 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"{', '.join(BENCHES)}; default all")
    parser.add_argument("--write", action="store_true", help="put what was measured into docs/benchmarks.md")
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that it runs; not with --write")
    options = parser.parse_args(argv)
    if unknown := [name for name in options.names if name not in BENCHES]:
        parser.error(f"there is no bench {', '.join(unknown)}: choose from {', '.join(BENCHES)}")
    if options.write and options.quick:
        parser.error("--quick measures nothing that is worth writing down")
    interrupt_once()
    failed = False
    for name in options.names or BENCHES:
        began = time.monotonic()
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            report, where = measure(name, quick=options.quick)
        except KeyboardInterrupt:
            print("Interrupted; everything is stopped.", file=sys.stderr)
            return INTERRUPTED
        except (BenchError, AirflowError, EmulatorProcessError) as error:
            print(f"{name} failed: {error}", file=sys.stderr)
            failed = True
            continue
        text = section(report, where)
        print(f"{text}\n({time.monotonic() - began:.0f} s)\n", flush=True)
        if options.write:
            before = PAGE.read_text() if PAGE.exists() else ""
            PAGE.write_text(page({report.title: text}, before))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
