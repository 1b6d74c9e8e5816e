"""Where a transfer keeps its progress, so that a retry in another process can resume it."""

from __future__ import annotations

from typing import Protocol


class Checkpoint(Protocol):
    """Keeps one text for the retries of a task."""

    def read(self) -> str | None:
        """Return the text, ``None`` if there is none."""

    def write(self, text: str) -> None:
        """Replace the text."""

    def delete(self) -> None:
        """Delete the text."""


class DatedCheckpoint(Checkpoint, Protocol):
    """A checkpoint that knows its age."""

    def written(self) -> float | None:
        """Return when the text was written, Unix time; ``None`` if there is none."""
