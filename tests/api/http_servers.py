"""Small real servers for what the emulator is too well-behaved to do."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    Answering = Callable[[socket.socket, str], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Running:
    """Serves in a thread inside ``with``."""

    server: socketserver.TCPServer

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is what many tests are about."""


class ScriptedServer(_Running):
    """Answers each request by a function of the socket and the request's text; notes requests and connections.

    With ``speaks_http=False`` it answers the first bytes of a connection, whatever they are, and hangs up.
    """

    def __init__(self, answering: Answering, *, speaks_http: bool = True) -> None:
        self.heads: list[str] = []
        self.connections = 0
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer.connections += 1
                with suppress(OSError):
                    if not speaks_http:
                        self.request.recv(65536)
                        answering(self.request, "")
                        return
                    while head := _read_head(self.request):
                        outer.heads.append(head)
                        answering(self.request, head)

        self.server = _Server(("127.0.0.1", 0), Handler)

    def stop_listening(self) -> None:
        self.server.socket.shutdown(socket.SHUT_RDWR)


def _read_head(connection: socket.socket) -> str:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(4096)
        if piece.startswith(b"\x16"):
            # TLS is answered as plain servers do.
            connection.sendall(answer("400 Bad Request"))
            return ""
        if not piece:
            return ""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    while len(body) < length:
        body += connection.recv(4096)
    return f"{head.decode()}\r\n\r\n{body.decode()}"


class ForwardProxy(_Running):
    """A proxy for http (absolute URLs) and https (CONNECT); notes what it was asked and how it was greeted."""

    def __init__(self, wants: str | None = None) -> None:
        self.asked: list[str] = []
        self.greetings: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _admit(self) -> bool:
                outer.asked.append(f"{self.command} {self.path}")
                greeting = self.headers.get("Proxy-Authorization")
                outer.greetings.append(greeting)
                if wants is None or greeting == wants:
                    return True
                self.send_response(407, "Proxy Authentication Required")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return False

            def do_CONNECT(self) -> None:
                if not self._admit():
                    return
                host, _, port = self.path.partition(":")
                with socket.create_connection((host, int(port)), timeout=10) as target:
                    self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                    _pump_both(self.connection, target)
                self.close_connection = True

            def do_GET(self) -> None:
                if not self._admit():
                    return
                host, _, path = self.path.removeprefix("http://").partition("/")
                name, _, port = host.partition(":")
                kept = [f"{k}: {v}" for k, v in self.headers.items() if not k.lower().startswith("proxy-")]
                head = "\r\n".join([f"{self.command} /{path} HTTP/1.1", *kept, "Connection: close", "", ""])
                with socket.create_connection((name, int(port or 80)), timeout=10) as target:
                    target.sendall(head.encode())
                    while piece := target.recv(65536):
                        self.wfile.write(piece)
                self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False


def _pump_both(one: socket.socket, other: socket.socket) -> None:
    back = threading.Thread(target=_pump, args=(other, one), daemon=True)
    back.start()
    _pump(one, other)
    back.join(10)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
