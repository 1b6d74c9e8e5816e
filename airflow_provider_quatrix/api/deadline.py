"""Connections with one time limit for a whole request and its response.

A socket's own time limit starts again with every byte. A server that sends a byte now and then would keep a caller
waiting for hours. Connections made here also have a time by which the response must be complete. They record whether
anything was sent. If there is a watch, they report to it how much was moved.
"""

from __future__ import annotations

import http.client
import io
import math
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from urllib3 import PoolManager
    from urllib3.connectionpool import HTTPConnectionPool


T = TypeVar("T")

# Seconds after which a thread that waits for the network checks whether it must stop.
TICK = 0.5


class Watch(Protocol):
    """Watches what a thread sends and receives."""

    def check(self) -> None:
        """Raise if the thread must stop; called whenever nothing has moved for a while."""

    def moved(self, size: int, seconds: float, window: float | None) -> None:
        """Count what was moved; raise if that is too slow.

        :param size: bytes.
        :param seconds: how long the network took for them.
        :param window: seconds that the connection may be silent; ``None`` for no limit.
        """


@dataclass
class Sends:
    """What was sent inside a block of :func:`noting_sends`.

    :ivar any: whether bytes of a request were sent, to the server or a forwarding proxy. Tunnels and TLS do not count.
    """

    any: bool = False


class _Current(threading.local):
    ends: float = math.inf
    patience: float | None = None
    sends: Sends | None = None
    watch: Watch | None = None
    # Whether the content of a file is received. Other responses may take their time.
    content: bool = False


_current = _Current()


@contextmanager
def answers_by(ends: float, patience: float | None = None) -> Iterator[None]:
    """Limit what this thread reads from connections of :class:`DeadlineAdapter` inside the block.

    :param ends: time of ``time.monotonic()`` after which they time out; an earlier limit stays.
    :param patience: seconds over which a watch measures how fast a body is sent; default: the socket's own limit.
    """
    before = _current.ends, _current.patience
    _current.ends, _current.patience = min(ends, before[0]), patience
    try:
        yield
    finally:
        _current.ends, _current.patience = before


def time_left() -> float:
    """Return the seconds until this thread's limit."""
    return _current.ends - time.monotonic()


@contextmanager
def watched_by(watch: Watch | None) -> Iterator[None]:
    """Let a watch see what this thread sends and receives inside the block."""
    before = _current.watch
    _current.watch = watch
    try:
        yield
    finally:
        _current.watch = before


def watch_of_this_thread() -> Watch | None:
    """Return the watch that sees what this thread sends and receives."""
    return _current.watch


@contextmanager
def receiving_content() -> Iterator[None]:
    """Let the watch count what this thread receives inside the block."""
    _current.content = True
    try:
        yield
    finally:
        _current.content = False


@contextmanager
def noting_sends() -> Iterator[Sends]:
    """Record what this thread sends over connections of :class:`DeadlineAdapter` inside the block."""
    before = _current.sends
    _current.sends = sends = Sends()
    try:
        yield sends
    finally:
        _current.sends = before


def _in_time(sock: socket.socket, operation: Callable[[Any], T], data: Any) -> T:
    """Read from or write to a socket until this thread's limit."""
    left = _current.ends - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    patience = sock.gettimeout()
    if left == math.inf or (patience is not None and patience <= left):
        return operation(data)
    sock.settimeout(left)
    try:
        return operation(data)
    finally:
        sock.settimeout(patience)


def _check_time(silent_since: float, patience: float | None) -> None:
    now = time.monotonic()
    if now >= _current.ends or (patience is not None and now - silent_since >= patience):
        raise TimeoutError("timed out")


class _LimitedReads(io.RawIOBase):
    """The receiving side of a socket, with this thread's limit.

    :param raw: keeps the socket open.
    :param sock: read directly: ``raw`` would never be read again after a timeout, and a watched thread has many.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._patience = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if _current.watch is not None:
            return self._watched_read(buffer, _current.watch)
        if self._sock.gettimeout() != self._patience:
            self._sock.settimeout(self._patience)
        return _in_time(self._sock, self._sock.recv_into, buffer)

    def _watched_read(self, buffer: Any, watch: Watch) -> int:
        # Kept until the next request: a change for every 16 KiB of TLS takes a tenth of a download's CPU time.
        if self._sock.gettimeout() != TICK:
            self._sock.settimeout(TICK)
        silent_since = started = time.monotonic()
        while True:
            _check_time(silent_since, self._patience)
            try:
                size = self._sock.recv_into(buffer)
            except TimeoutError:
                size = None
            now = time.monotonic()
            if _current.content:
                watch.moved(size or 0, now - started, self._patience)
            if size is not None:
                return size
            watch.check()
            started = now

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_LimitedReads(self.fp.detach(), sock))


def _watched_send(sock: socket.socket, data: Any, watch: Watch) -> None:
    patience = sock.gettimeout()
    sock.settimeout(TICK)
    started = time.monotonic()
    try:
        with memoryview(data) as view, view.cast("B") as left:
            at = 0
            while at < len(left):
                _check_time(started, None)
                try:
                    sent = sock.send(left[at:])
                except TimeoutError:
                    sent = 0
                now = time.monotonic()
                watch.moved(sent, now - started, _current.patience or patience)
                watch.check()
                at += sent
                started = now
    finally:
        sock.settimeout(patience)


class _Connection(HTTPConnection):
    response_class = _Response
    _connecting = False

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()
        finally:
            self._connecting = False

    def send(self, data: Any) -> None:
        if self._connecting:
            # This requests a tunnel from a proxy; it is not the request itself.
            super().send(data)
            return
        if self.sock is None:
            self.connect()
        if _current.sends is not None:
            _current.sends.any = True
        if _current.watch is None:
            _in_time(self.sock, super().send, data)
        else:
            sys.audit("http.client.send", self, data)
            _watched_send(self.sock, data, _current.watch)


@cache
def _with_limits(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """Return a class of connection pools whose connections have the limit."""
    connection = type("_Connection", (_Connection, pool.ConnectionCls), {})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


class DeadlineAdapter(HTTPAdapter):
    """Makes connections with the limit."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool."""
        super().init_poolmanager(*args, **kwargs)
        _limit_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the pool behind a proxy."""
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not known:
            _limit_pools(manager)
        return manager


def _limit_pools(manager: PoolManager) -> None:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _with_limits(pool) for scheme, pool in pools.items()}
