"""Files for rclone to move: names that are hard to keep, and bytes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [
    "spaces  in side",
    " leading space",
    "Grüße - 文件 - 😀",
    "e\u0301 is not \u00e9",
    "\u00e9",
    "#%?&=+;:@[]{}~'\"`$^*<>|!,",
    ".hidden",
    "trailing dot.",
    "x" * 255,
    "ü" * 255,
]
# A local name has at most 255 bytes, one on the service 255 characters.
LOCAL_NAMES = [name for name in NAMES if len(name.encode()) < 256]


def fill(folder: Path, sizes: dict[str, int]) -> None:
    """Write files of random bytes.

    :param folder: where.
    :param sizes: bytes by path below it; folders are made.
    """
    for name, size in sizes.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
