"""``make test-distributed`` and ``test-distributed-2.11``: many hosts on one machine, with what the emulator counts."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from testing.interruption import interrupt_once, interruption_held
from testing.lab import needs
from testing.lab.compose import ROOT
from testing.output import say

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT_SECONDS = 600.0
INTERRUPTED = 130
# Process, mount and network namespaces, which end with their first process; and that one ends with this. It is an
# init, as a host cannot end before all its dead processes are buried, also those whose parents came from outside.
APART = (
    *("setpriv", "--pdeathsig=KILL"),
    *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"),
    *(str(Path(sys.executable).parent / "dumb-init"), "--"),
)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that came from it, and wait until nothing of it is left.

    :param process: the process.
    """
    try:
        members = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        members = []
    process.kill()
    process.wait()
    psutil.wait_procs(members, timeout=20)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the lab.

    :param argv: arguments; those of the process when None.
    :return: 0 if all promises held, 1 if not, 2 if it cannot run here, 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog="python -m testing.lab", description=__doc__)
    parser.add_argument(
        "names", metavar="SCENARIO", nargs="*", help="functions of testing/lab/scenarios.py; default all but older"
    )
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS, help="seconds; default %(default)g")
    options = parser.parse_args(argv)
    lacking = needs.main()
    if lacking:
        return lacking
    interrupt_once()
    process = None
    try:
        with interruption_held():
            process = subprocess.Popen(
                [*APART, sys.executable, "-m", "testing.lab.inside", *options.names],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return process.wait(options.limit)
    except subprocess.TimeoutExpired:
        say(f"Not through within {options.limit:g} s; everything is stopped.")
        return 1
    except KeyboardInterrupt:
        say("Interrupted; everything is stopped.")
        return INTERRUPTED
    finally:
        if process is not None:
            stop(process)


if __name__ == "__main__":
    sys.exit(main())
