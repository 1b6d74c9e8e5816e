"""Tries of a task that are killed, and what the next try finds."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import FrameType

KILLED = -signal.SIGKILL
# What a transfer does to either side, and when something goes over the wire.
STEPS = frozenset({"http.client.send", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.utime", "shutil.rmtree"})


class FileStore:
    """A store of a user's own without a lock: one file per text, in the folder that the environment names."""

    def __init__(self, name: str) -> None:
        self.path = Path(os.environ["QUATRIX_TEST_STORE"]) / f"{name}.json"

    def read(self) -> str | None:
        try:
            return self.path.read_text()
        except FileNotFoundError:
            return None

    def write(self, text: str) -> None:
        # As a whole, as a Variable is written, since the process may end at any moment.
        new = self.path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.new")
        new.write_text(text)
        new.replace(self.path)

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)


def die(*_: object) -> None:
    """End this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(step: int, steps: Collection[str] = STEPS) -> None:
    """Kill this process ahead of one of its steps.

    :param step: which, from 1.
    :param steps: audit events that count as steps.
    """
    left = step

    def count(event: str, _: Any) -> None:
        nonlocal left
        if event in steps:
            left -= 1
            if left == 0:
                die()

    sys.addaudithook(count)


def at_each_line(modules: Collection[str], then: Callable[[int], object]) -> None:
    """Do something ahead of each line of this thread that is in some modules.

    :param modules: their names.
    :param then: is told how many lines there were.
    """
    lines = 0

    def line(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal lines
        if event == "line":
            lines += 1
            then(lines)
        return line

    def call(frame: FrameType, _event: str, _argument: Any) -> Any:
        return line if frame.f_globals.get("__name__") in modules else None

    sys.settrace(call)


def kill_at_line(number: int, modules: Collection[str]) -> None:
    """Let this process end ahead of one of its lines.

    :param number: which, from 1.
    :param modules: whose lines count.
    """
    at_each_line(modules, lambda line: die() if line == number else None)


def count_lines(work: Callable[[], object], modules: Collection[str]) -> int:
    """Return how many lines of some modules a work takes."""
    lines = 0

    def count(number: int) -> None:
        nonlocal lines
        lines = number

    before = sys.gettrace()
    try:
        at_each_line(modules, count)
        work()
    finally:
        sys.settrace(before)
    return lines
