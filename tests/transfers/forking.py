"""Processes that a test may kill, forked off one that has loaded everything already."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from killed_tries import KILLED

if TYPE_CHECKING:
    from collections.abc import Callable

# How the lines begin that are for the test; all others are the log.
BEGAN, ENDED = "began as ", "ended with "


def serve(work: Callable[[dict[str, Any]], str]) -> None:
    """Do the orders of standard input, one per line, each in a child whose result goes to the file ``answer``."""
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            status = 1
            try:
                Path(order["answer"]).write_text(work(order))
                status = 0
            except BaseException:  # noqa: BLE001 - told to the test, which fails
                Path(order["answer"]).write_text(traceback.format_exc())
            finally:
                os._exit(status)
        _tell(BEGAN, child)
        _tell(ENDED, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _tell(what: str, number: int) -> None:
    sys.stdout.write(f"{what}{number}\n")
    sys.stdout.flush()


class Workers:
    """A script that calls :func:`serve`. A context manager: it runs inside ``with``.

    :param script: the script.
    :param environment: further environment variables.
    """

    def __init__(self, script: Path, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def start(self, order: dict[str, Any]) -> int:
        """Let a child begin, and return its process number."""
        Path(order["answer"]).unlink(missing_ok=True)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._next(BEGAN)

    def end(self) -> int:
        """Wait for the end of that child and return its exit status."""
        return self._next(ENDED)

    def run(self, order: dict[str, Any]) -> str | None:
        """Let a child begin and end; return its result, nothing if it was killed."""
        self.start(order)
        status = self.end()
        if status == KILLED:
            return None
        answer = Path(order["answer"]).read_text()
        assert status == 0, answer
        return answer

    def _next(self, what: str) -> int:
        assert self._process.stdout is not None
        return int(next(line for line in self._process.stdout if line.startswith(what)).removeprefix(what))
