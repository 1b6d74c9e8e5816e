"""Tries of a task that are killed at one of their calls, and the notes that the next try finds."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api import QuatrixClient

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path
    from types import FrameType

KILLED = 9


class FileNotes:
    """Notes in a file, where the next process finds them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str | None:
        return self._path.read_text() if self._path.exists() else None

    def write(self, text: str) -> None:
        # As a whole, as a Variable is written, since the process may end at any moment.
        new = self._path.with_suffix(f".{threading.get_ident()}")
        new.write_text(text)
        new.replace(self._path)

    def delete(self) -> None:
        self._path.unlink(missing_ok=True)


def kill_at_call(number: int, *, carried_out: bool, notes: bool = False) -> None:
    """Let this process end at one of its calls, before it is sent or when it is answered.

    :param number: which, from 1.
    :param carried_out: the call takes effect.
    :param notes: writing a note is a call too.
    """
    calls = 0

    def counted(owner: type, name: str) -> None:
        method = getattr(owner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls != number:
                return method(*arguments, **options)
            try:
                if carried_out:
                    method(*arguments, **options)
            finally:
                os._exit(KILLED)

        setattr(owner, name, call)

    for name in ("call", "send", "open"):
        counted(QuatrixClient, name)
    if notes:
        counted(FileNotes, "write")


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
    at_each_line(modules, lambda line: os._exit(KILLED) if line == number else None)


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
