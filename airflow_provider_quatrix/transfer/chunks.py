"""Sizes of what is moved at a time."""

from __future__ import annotations

MIB = 1024 * 1024
SMALLEST_CHUNK = 8 * MIB
LARGEST_CHUNK = 64 * MIB
# Long enough to make the cost of a call negligible, and short enough that a kill costs little.
_CHUNK_SECONDS = 4.0
# A session ends 15 minutes after the last API call. Whether moving bytes counts as a call is not published.
KEEPALIVE_SECONDS = 300.0
# How many bytes are in memory at a time.
BLOCK = 256 * 1024


def next_chunk(size: int, seconds: float) -> int:
    """Return the size of the next chunk, so that it takes about four seconds.

    :param size: bytes of the last chunk.
    :param seconds: time it took.
    :return: bytes, from 8 to 64 MiB, at most double the last.
    """
    wanted = size * 2 if seconds <= 0 else int(size * _CHUNK_SECONDS / seconds)
    return max(SMALLEST_CHUNK, min(LARGEST_CHUNK, size * 2, wanted))
