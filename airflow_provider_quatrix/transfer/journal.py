"""What the tries of one transfer have done, stored in one checkpoint, so that a retry need not guess."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.stopping import stopped_by
from airflow_provider_quatrix.transfer.failures import needs_a_person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_quatrix.api.stopping import Stop
    from airflow_provider_quatrix.transfer.checkpoint import Checkpoint
    from airflow_provider_quatrix.transfer.settings import TransferSettings

# Marks beyond these are dropped, as a database may not take a longer text. Their files are moved again.
_MOST_MARKS = 2500
# Seconds between writes about small files. After a kill, a retry may have to move the files of that time again.
_WRITE_SECONDS = 2.0


def mark(*parts: object) -> str:
    """Return a few characters that identify something, such as a file's id or its path and time."""
    digest = hashlib.sha256("\0".join(str(part) for part in parts).encode("utf-8", "surrogateescape")).digest()
    return base64.urlsafe_b64encode(digest[:6]).decode()


class Journal:
    """Distinguishes the work of earlier tries from what only looks alike.

    :param checkpoint: stores it; ``None`` if there is no retry.
    :param is_retry: an earlier try may have written it.
    :param now: monotonic seconds.
    """

    def __init__(
        self, checkpoint: Checkpoint | None = None, *, is_retry: bool = False, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._checkpoint = checkpoint
        self._now = now
        self._lock = threading.Lock()
        self._before: set[str] | None = None
        self._own: set[str] = set()
        self._open: dict[str, str] = {}
        self._written_at: float | None = None
        self.begun = is_retry and self._read()
        """Whether an earlier try has moved something, or was going to."""

    def _read(self) -> bool:
        text = self._checkpoint.read() if self._checkpoint is not None else None
        try:
            kept: dict[str, Any] = json.loads(text or "")
            before, own, unfinished = kept["before"], kept["own"], kept["open"]
            self._before = None if before is None else set(before.split())
            self._own = set(own.split())
            self._open = {str(name): str(state) for name, state in unfinished.items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            return False
        return True

    def begin(self, before: Iterable[str] | None) -> None:
        """Set which names were taken before the first try; a retry knows that from the checkpoint.

        :param before: marks of what had the names; ``None`` if nobody checked.
        """
        if self.begun:
            return
        marks = None if before is None else set(before)
        self._before = None if marks is None or len(marks) > _MOST_MARKS else marks

    def is_own(self, of: str) -> bool:
        """Return whether an earlier try has made what a mark identifies."""
        return of in self._own

    def appeared(self, of: str) -> bool:
        """Return whether what a mark identifies came after the first try had begun."""
        return self.begun and self._before is not None and of not in self._before

    def add(self, of: str) -> None:
        """Record what this try is making."""
        with self._lock:
            if len(self._own) < _MOST_MARKS:
                self._own.add(of)
            if self._written_at is None or self._now() - self._written_at >= _WRITE_SECONDS:
                self._write()

    def opened(self, name: str) -> str | None:
        """Return what is known of an unfinished file; ``None`` if there is none.

        :param name: identifies the file.
        """
        return self._open.get(name)

    def all_opened(self) -> dict[str, str]:
        """Return what is known of all unfinished files, by name."""
        return dict(self._open)

    def open(self, name: str, state: str, *, at_once: bool) -> None:
        """Record how far an unfinished file has got.

        :param name: identifies the file.
        :param state: for the retry that resumes it.
        :param at_once: write it now, and not with the next write.
        """
        with self._lock:
            self._open[name] = state
            if at_once:
                self._write()

    def close(self, name: str) -> None:
        """Record that a file is finished, or gone."""
        with self._lock:
            self._open.pop(name, None)

    def write(self) -> None:
        """Write everything that is known."""
        with self._lock:
            self._write()

    def delete(self) -> None:
        """Delete everything."""
        with self._lock:
            self._own.clear()
            self._open.clear()
            if self._checkpoint is not None and (self.begun or self._written_at is not None):
                self._checkpoint.delete()
            self.begun = False

    def _write(self) -> None:
        self._written_at = self._now()
        if self._checkpoint is not None:
            kept = {
                "before": None if self._before is None else " ".join(sorted(self._before)),
                "own": " ".join(sorted(self._own)),
                "open": self._open,
            }
            self._checkpoint.write(json.dumps(kept))


@contextmanager
def leaving_nothing(
    settings: TransferSettings,
    stop: Stop,
    journal: Journal,
    clear_all: Callable[[], None] = lambda: None,
    checkpoint: Checkpoint | None = None,
) -> Iterator[None]:
    """Remove unfinished files and checkpoints after a failure, unless a retry may need them.

    :param stop: ends the transfers, and is set by a failure.
    :param journal: what the tries have done.
    :param clear_all: removes everything unfinished that has to be searched for.
    :param checkpoint: of the plan, if there is one.
    """
    try:
        with stopped_by(stop):
            yield
    except BaseException as error:
        stop.set()
        if settings.keeps_unfinished and not (isinstance(error, Exception) and needs_a_person(error)):
            journal.write()
        else:
            clear_all()
            journal.delete()
            if checkpoint is not None:
                checkpoint.delete()
        raise
