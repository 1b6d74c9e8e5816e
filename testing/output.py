"""What the demo prints, at once."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Print a text, also into a pipe, at once.

    :param text: without the last line end.
    """
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
