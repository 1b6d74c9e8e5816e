"""A Quatrix server to test and demonstrate against.

Nothing is imported here: :mod:`.client` must work where only ``requests`` is installed, against an emulator that
runs elsewhere.
"""

from __future__ import annotations
