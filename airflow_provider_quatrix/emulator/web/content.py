"""Answers whose bodies are streamed from disk."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import Response

from ..service.errors import BAD_PARAMETER, ApiError
from ..service.storage import BLOCK
from ..service.zips import zip_blocks
from .middleware import TRANSPORT, wait_until_closed
from .ranges import UnsatisfiableRangeError, parse_range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fastapi import Request
    from starlette.types import Receive, Scope, Send

    from ..service.emulator import Emulator
    from ..service.tree import Node

_FILLER = bytes(1 << 16)
_NAP = 0.1


def block_size(speed: int | None) -> int:
    """Choose how many bytes to send at a time.

    :param speed: bytes per second; None for as fast as it can.
    """
    return BLOCK if speed is None else max(1, min(BLOCK, int(speed * _NAP)))


async def slow_down(size: int, speed: int, transport: asyncio.Transport) -> None:
    """Wait as long as bytes take, unless the connection closes.

    :param speed: bytes per second.
    """
    seconds = size / speed
    while seconds > 0 and not transport.is_closing():
        await asyncio.sleep(min(seconds, _NAP))
        seconds -= _NAP


class ContentResponse(Response):
    """Sends blocks as they are read, and no faster than the client takes them.

    :param emulator: counts the bytes and limits their rate; None for a control call, which needs neither.
    :param name: file name for ``Content-Disposition``.
    :param length: bytes of the body; None when unknown.
    :param content_range: value of ``Content-Range``; then the status is 206.
    :param endless: whether to send without end, and without a length.
    :param done: what to call when all was sent.
    """

    media_type = "application/octet-stream"

    def __init__(
        self,
        emulator: Emulator | None,
        blocks: Iterator[bytes],
        name: str,
        *,
        length: int | None = None,
        content_range: str | None = None,
        endless: bool = False,
        done: Callable[[], None] | None = None,
    ) -> None:
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
        if content_range is not None:
            headers["Content-Range"] = content_range
        super().__init__(b"", 200 if content_range is None else 206, headers)
        # The base class has set the length of its empty body.
        del self.headers["content-length"]
        if length is not None and not endless:
            self.headers["content-length"] = str(length)
        self._emulator = emulator
        # Those of now, as a reset replaces them.
        self._counters = None if emulator is None else emulator.counters
        self._blocks = blocks
        self._length = length
        self._endless = endless
        self._done = done
        self._sent = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        transport = scope["state"][TRANSPORT]
        await self._send_blocks(self._blocks, send, transport)
        while self._endless and not transport.is_closing():
            await self._send_blocks(iter((_FILLER,)), send, transport)
        if self._length is not None and self._sent < self._length and not self._endless:
            # The file became shorter in the meantime: only a cut connection can say so.
            transport.close()
            await wait_until_closed(receive)
            return
        self._complete(transport)
        await send({"type": "http.response.body", "body": b""})

    def _complete(self, transport: asyncio.Transport) -> None:
        if self._done is not None and not transport.is_closing():
            self._done()
        self._done = None

    async def _send_blocks(self, blocks: Iterator[bytes], send: Send, transport: asyncio.Transport) -> None:
        speed = None if self._emulator is None else self._emulator.settings.bytes_per_second
        for block in blocks:
            if transport.is_closing():
                break
            await send({"type": "http.response.body", "body": block, "more_body": True})
            self._sent += len(block)
            if self._sent == self._length:
                # At once, since a client that knows the length may continue before the response ends.
                self._complete(transport)
            if self._counters is not None:
                self._counters.download_bytes += len(block)
            # Let other requests run.
            await (asyncio.sleep(0) if speed is None else slow_down(len(block), speed, transport))


def nodes_response(
    request: Request, emulator: Emulator, nodes: Sequence[Node], done: Callable[[bool], None]
) -> Response:
    """Answer with a file, or with several objects as a ZIP archive.

    :param done: called when everything requested was sent; its argument is whether that began at the first byte.
    """
    settings = emulator.settings
    if len(nodes) != 1 or not nodes[0].is_file:
        name = f"{nodes[0].name}.zip" if len(nodes) == 1 else "files.zip"
        return ContentResponse(emulator, zip_blocks(nodes), name, done=lambda: done(True))
    node, size = nodes[0], nodes[0].content.size
    try:
        wanted = None if settings.ignore_range else parse_range(request.headers.get("range"), size)
    except UnsatisfiableRangeError:
        headers = {"Content-Range": f"bytes */{size}"}
        raise ApiError(416, BAD_PARAMETER, "The range is behind the end of the file", headers=headers) from None
    start, end = wanted or (0, size)
    return ContentResponse(
        emulator,
        node.content.blocks(start, end, block_size(settings.bytes_per_second)),
        node.name,
        length=end - start,
        content_range=None if wanted is None else f"bytes {start}-{end - 1}/{size}",
        endless=settings.hostile_endless_download,
        done=lambda: done(start == 0),
    )
