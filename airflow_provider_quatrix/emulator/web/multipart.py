"""The file of a multipart form, read as it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from ..service.errors import bad_parameter, missing_parameter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import Request


class _FilePart:
    """Collects the bytes of the first part that is a file."""

    def __init__(self) -> None:
        self.found = False
        self._inside = False
        self._name = b""
        self._disposition = b""
        self._pieces: list[bytes] = []

    def begin(self) -> None:
        self._disposition = b""

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition += data[start:end]

    def header_end(self) -> None:
        self._name = b""

    def headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._inside = not self.found and (b"filename" in options or options.get(b"name") == b"file")
        self.found = self.found or self._inside

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if self._inside:
            self._pieces.append(data[start:end])

    def take(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


async def file_parts(request: Request) -> AsyncIterator[bytes]:
    """Read the file of a form piece by piece.

    :raises ApiError: 400 when the body is no form, or no file is in it.
    """
    _, options = parse_options_header(request.headers.get("content-type"))
    part = _FilePart()
    try:
        parser = MultipartParser(
            options.get(b"boundary", b""),
            {
                "on_part_begin": part.begin,
                "on_header_field": part.header_field,
                "on_header_value": part.header_value,
                "on_header_end": part.header_end,
                "on_headers_finished": part.headers_finished,
                "on_part_data": part.part_data,
            },
        )
        async for data in request.stream():
            parser.write(data)
            if piece := part.take():
                yield piece
        parser.finalize()
    except MultipartParseError:
        raise bad_parameter("body", "is no form") from None
    if not part.found:
        raise missing_parameter("file")
