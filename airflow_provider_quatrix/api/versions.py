"""Decides whether two files are the same without reading them: by size and modification time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import os

# Modification times have microseconds, and are stored as a float in between.
SAME_TIME = 2e-6


@dataclass(frozen=True, slots=True)
class Version:
    """What is known of a file or folder without reading it.

    :param size: bytes of a file.
    :param modified: modification time, Unix time.
    """

    size: int
    modified: float
    is_folder: bool = False

    @classmethod
    def of_local(cls, stat: os.stat_result) -> Self:
        """Return the version of a local file."""
        return cls(stat.st_size, stat.st_mtime_ns / 1e9)

    def is_same(self, other: Version, tolerance: float = SAME_TIME) -> bool:
        """Return whether two files have the same size and time; folders never count as the same.

        :param tolerance: seconds by which times may differ; default two microseconds.
        """
        if self.is_folder or other.is_folder:
            return False
        return self.size == other.size and abs(self.modified - other.modified) < tolerance
