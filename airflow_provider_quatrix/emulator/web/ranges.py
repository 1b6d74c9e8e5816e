"""The headers ``Range`` and ``Content-Range``."""

from __future__ import annotations

import re

from ..service.errors import bad_parameter, missing_parameter
from ..service.uploads import ChunkRange

_WANTED = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.ASCII | re.IGNORECASE)
_SENT = re.compile(r"\s*bytes\s+(\d{1,18})\s*-\s*(\d{1,18})\s*/\s*(\d{1,18}|\*)\s*", re.ASCII | re.IGNORECASE)


class UnsatisfiableRangeError(ValueError):
    """A range begins after the end of the file."""


def parse_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Read the header ``Range``.

    :return: offset of the first byte and of the one after the last; None for the whole file, also if the header is
        invalid or names several ranges.
    :raises UnsatisfiableRangeError: when the range contains no byte of the file.
    """
    match = _WANTED.fullmatch(text) if text is not None else None
    if match is None:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < start:
            return None
    if start >= end:
        raise UnsatisfiableRangeError
    return start, end


def parse_chunk_range(text: str | None) -> ChunkRange:
    """Read the header ``Content-Range`` of a chunk.

    :raises ApiError: 400 when it is missing or unreadable.
    """
    if text is None:
        raise missing_parameter("Content-Range")
    match = _SENT.fullmatch(text)
    if match is None:
        raise bad_parameter("Content-Range")
    first, last, total = match.groups()
    return ChunkRange(int(first), int(last), None if total == "*" else int(total))
