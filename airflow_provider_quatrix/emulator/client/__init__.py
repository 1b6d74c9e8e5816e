"""A client of the emulator's control calls. It needs nothing but ``requests``."""

from __future__ import annotations

from .connection import EmulatorControlError
from .control import EmulatorClient

__all__ = ["EmulatorClient", "EmulatorControlError"]
