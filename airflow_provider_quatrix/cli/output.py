"""What a command prints: text for people, or JSON."""

from __future__ import annotations

import json
import math
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_UNITS = ("kB", "MB", "GB", "TB")


class Output:
    """Prints results to standard output, and failures to standard error.

    :param as_json: print one JSON document to standard output, failures too.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def show(self, value: Any, lines: Sequence[str]) -> None:
        """Print a result.

        :param value: what JSON can represent.
        :param lines: the same for people.
        """
        text = json.dumps(value, indent=2, ensure_ascii=False) if self.as_json else "\n".join(map(printable, lines))
        if text:
            _write(sys.stdout, text)

    def fail(self, message: str, status: int) -> None:
        """Print why a command has failed.

        :param message: one line.
        :param status: exit status.
        """
        if self.as_json:
            self.show({"error": message, "status": int(status)}, ())
        else:
            _write(sys.stderr, f"Error: {printable(message)}")

    @contextmanager
    def progress(self, what: str) -> Iterator[None]:
        """Show a progress bar while bytes are moved, if standard error is a terminal.

        :param what: a word such as ``Uploading``.
        """
        if self.as_json or not sys.stderr.isatty():
            yield
            return
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

        from airflow_provider_quatrix.transfer.progress import watched_by

        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with Progress(what, *columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(what, total=None)
            token = watched_by.set(lambda done, total: bar.update(task, completed=done, total=total))
            try:
                yield
            finally:
                watched_by.reset(token)


def _write(stream: Any, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    # A name may contain characters that a terminal cannot show.
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def printable(text: str) -> str:
    """Return a text without characters that could control a terminal. Names come from whoever sent a file."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def when(moment: float) -> str:
    """Return a Unix time for people, in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")


def size_of(size: int) -> str:
    """Return a number of bytes for people."""
    if size < 1000:
        return f"{size} B"
    step = min(int(math.log10(size)) // 3, len(_UNITS))
    return f"{size / 1000**step:.1f} {_UNITS[step - 1]}"
