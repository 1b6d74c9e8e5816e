"""Serves the emulator on a real socket, in a thread."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from .app import create_app
from .web.middleware import TRANSPORT

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from .service.accounts import ApiKeySpec, UserSpec
    from .settings import EmulatorSettings
    from .web.middleware import Middleware

START_SECONDS = 30.0
BACKLOG = 2048


class _Protocol(H11Protocol):
    """Gives the application its connection, so that a fault can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # Every request's scope carries a copy of this dictionary as its state.
        self.app_state = {**self.app_state, TRANSPORT: transport}
        super().connection_made(transport)


class EmulatorServer:
    """Serves an emulator, inside ``with`` or between ``start`` and ``stop``.

    :param users: who exists at the start and after a reset.
    :param api_keys: keys that exist at the start and after a reset.
    :param port: port to listen on; 0 for a free one.
    :param tls: whether to speak HTTPS, with a certificate of a new authority.
    :param ca_file: where to write that authority's certificate for clients; a temporary file when None.
    :param tls_names: further host names and addresses for the certificate.
    :param data_dir: folder for the contents of files while it runs; None for the system's temporary folder.
    """

    def __init__(
        self,
        settings: EmulatorSettings | None = None,
        users: Iterable[UserSpec] = (),
        api_keys: Iterable[ApiKeySpec] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: bool = False,
        ca_file: str | Path | None = None,
        tls_names: Iterable[str] = (),
        data_dir: str | Path | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self._tls = tls
        self._wanted_ca_file = ca_file
        self._tls_names = tuple(tls_names)
        self._ca_file: Path | None = None
        self._app: Middleware = create_app(settings, users, api_keys, data_dir)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port on which the emulator listens."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    @property
    def ca_file(self) -> str | None:
        """Path of the certificate that a client must trust; None without TLS."""
        return str(self._ca_file) if self._ca_file else None

    def start(self) -> Self:
        """Start; returns when connections are accepted.

        :raises OSError: when the address cannot be used.
        :raises RuntimeError: when the server does not come up.
        """
        listener = self._listen()
        try:
            context = self._make_tls() if self._tls else None
        except BaseException:
            listener.close()
            raise
        config = uvicorn.Config(
            self._app,
            interface="asgi3",
            # Pinned, since the protocol above extends it.
            http=_Protocol,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            backlog=BACKLOG,
        )
        config.load()
        config.ssl = context
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._run, args=(self._server, listener), name="quatrix-emulator", daemon=True
        )
        self._thread.start()
        give_up = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > give_up:
                self._forget()
                raise RuntimeError("The emulator did not start") from self._failure
            time.sleep(0.002)
        return self

    def stop(self) -> None:
        """Stop, and end all connections. A second call does nothing."""
        server, thread, loop = self._server, self._thread, self._loop
        if server is None or thread is None or loop is None:
            return
        server.should_exit = True
        # If the server has failed, the loop is already closed.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._hang_up, server)
        thread.join()
        self._app.close()
        self._forget()

    def _forget(self) -> None:
        self._server = self._thread = self._loop = None
        if self._ca_file is not None and self._wanted_ca_file is None:
            self._ca_file.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # asyncio sets TCP_NODELAY on connections only when the protocol is named.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.host, self.port))
        except BaseException:
            listener.close()
            raise
        self.port = listener.getsockname()[1]
        return listener

    def _make_tls(self) -> ssl.SSLContext:
        import ssl

        import trustme

        authority = trustme.CA()
        names = dict.fromkeys((self.host, "localhost", "127.0.0.1", "::1", *self._tls_names))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(context)
        if self._wanted_ca_file is not None:
            self._ca_file = Path(self._wanted_ca_file)
        else:
            with tempfile.NamedTemporaryFile(prefix="quatrix-emulator-ca-", suffix=".pem", delete=False) as file:
                self._ca_file = Path(file.name)
        self._ca_file.write_bytes(authority.cert_pem.bytes())
        return context

    def _run(self, server: uvicorn.Server, listener: socket.socket) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await server.serve(sockets=[listener])

        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits in start()
            self._failure = error
            listener.close()

    def _hang_up(self, server: uvicorn.Server) -> None:
        """End delays and open requests, so that the server stops at once."""
        self._app.wake()
        for connection in list(server.server_state.connections):
            transport: Any = connection.transport
            transport.abort()
