"""Ctrl-C and SIGTERM as one exception that comes once, so that nothing disturbs what stops the processes."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def interrupt_once() -> None:
    """Let the first SIGINT or SIGTERM raise ``KeyboardInterrupt`` and ignore all further ones."""
    for number in _SIGNALS:
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt
