"""The version of this package. It imports nothing, so every module can import it."""

from __future__ import annotations

__version__ = "0.1.0"
