"""One time limit over a whole answer, headers included.

A socket's time limit begins anew with every byte that arrives, so a server that sends a byte now and then would
hold a caller for hours. Connections made here also look at a moment by which the answer has to be there.
"""

from __future__ import annotations

import http.client
import io
import math
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator


class _Limit(threading.local):
    ends: float = math.inf


_limit = _Limit()


@contextmanager
def answers_by(ends: float) -> Iterator[None]:
    """Limit what this thread reads from connections of :class:`DeadlineAdapter` inside the block.

    :param ends: moment of ``time.monotonic()`` after which reads fail as timed out.
    """
    before = _limit.ends
    _limit.ends = ends
    try:
        yield
    finally:
        _limit.ends = before


class _LimitedReads(io.RawIOBase):
    """The receiving side of a socket, which also keeps the moment in mind.

    :param raw: keeps the socket open.
    :param sock: read directly, as TLS hands out no more than 16 KiB at a time and every layer costs as often.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = _limit.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        patience = self._sock.gettimeout()
        if patience is not None and patience <= left:
            return self._sock.recv_into(buffer)
        self._sock.settimeout(None if left == math.inf else left)
        try:
            return self._sock.recv_into(buffer)
        finally:
            self._sock.settimeout(patience)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_LimitedReads(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _TlsConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class DeadlineAdapter(HTTPAdapter):
    """Connections whose answers have to be there by a moment; through SOCKS proxies they are ordinary ones."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the pool behind a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager
