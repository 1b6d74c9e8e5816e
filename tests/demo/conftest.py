from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from testing.airflow_settings import AIRFLOW_3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
# The demo has one environment, which is of the newer line.
collect_ignore_glob = [] if AIRFLOW_3 else ["test_*.py"]


class Program:
    """A program of the demo, in a process of its own, with its files in a folder of its own.

    :param module: what to run.
    :param home: the folder.
    :param arguments: further arguments.
    """

    def __init__(self, module: str, home: Path, *arguments: str) -> None:
        self.home = home
        self.children: frozenset[int] = frozenset()
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, "--home", str(home), *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def read_until(self, text: str) -> str:
        """Return what it prints, up to the line that holds a text; all of it if it ends before."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if text in line:
                break
        return "".join(lines)

    def finish(self, timeout: float) -> str:
        """Wait for its end and return the rest of what it prints."""
        return self.process.communicate(timeout=timeout)[0]

    def left_over(self) -> list[str]:
        """The commands of all processes that work in its folder, or that it has started."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                homes = (process.environ().get("AIRFLOW_HOME"), *process.cmdline())
                if str(self.home) in homes or process.pid in self.children:
                    found.append(" ".join(process.cmdline()))
        return found

    def note_children(self) -> None:
        """Remember the processes that it has started."""
        self.children = frozenset(child.pid for child in psutil.Process(self.process.pid).children(recursive=True))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts a program of the demo; none outlives the test."""
    started: list[Program] = []

    def start_one(module: str, *arguments: str) -> Program:
        started.append(Program(module, tmp_path / "home", *arguments))
        return started[-1]

    yield start_one
    for program in started:
        if program.process.poll() is None:
            os.kill(program.process.pid, signal.SIGTERM)
            program.process.communicate(timeout=60)
