"""An answer whose body is streamed from disk."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import Response

from ..service.storage import BLOCK
from .middleware import TRANSPORT, wait_until_closed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

    from ..service.emulator import Emulator

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

    :param emulator: where bytes are counted, and how fast they may go; None for a control call, which does neither.
    :param name: file name for ``Content-Disposition``.
    :param length: bytes of the body; None when unknown.
    :param content_range: value of ``Content-Range``; then the status is 206.
    :param endless: whether to send without end, and without a length.
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
        self._blocks = blocks
        self._length = length
        self._endless = endless

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        transport = scope["state"][TRANSPORT]
        sent = await self._send_blocks(self._blocks, send, transport)
        while self._endless and not transport.is_closing():
            sent += await self._send_blocks(iter((_FILLER,)), send, transport)
        if self._length is not None and sent < self._length and not self._endless:
            # The file became shorter meanwhile: only a cut connection can say so.
            transport.close()
            await wait_until_closed(receive)
            return
        await send({"type": "http.response.body", "body": b""})

    async def _send_blocks(self, blocks: Iterator[bytes], send: Send, transport: asyncio.Transport) -> int:
        speed = None if self._emulator is None else self._emulator.settings.bytes_per_second
        sent = 0
        for block in blocks:
            if transport.is_closing():
                break
            await send({"type": "http.response.body", "body": block, "more_body": True})
            sent += len(block)
            if self._emulator is not None:
                self._emulator.counters.download_bytes += len(block)
            # Let other requests run.
            await (asyncio.sleep(0) if speed is None else slow_down(len(block), speed, transport))
        return sent
