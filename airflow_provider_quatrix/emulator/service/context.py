"""What all parts of the service share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .clock import Clock
from .counters import Counters

if TYPE_CHECKING:
    from ..settings import EmulatorSettings


class Context:
    """The present settings, clock and counters."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self.clock = Clock()
        self.reset(settings)

    def reset(self, settings: EmulatorSettings) -> None:
        """Start again: clock at wall time, counters zero."""
        self.settings = settings
        self.clock.reset()
        self.counters = Counters()

    @property
    def now(self) -> float:
        """The emulator's time, in seconds since the epoch, rounded to the microsecond as file times are."""
        return round(self.clock.now(), 6)
