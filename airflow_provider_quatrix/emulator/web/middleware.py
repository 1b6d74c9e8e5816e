"""Counts requests, injects faults and sets the ``Date`` header.

It is plain ASGI, so that bodies of any size pass through.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect
from starlette.routing import compile_path

from ..service.counters import method_name
from .faults import fault_answer, raw_headers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ..service.emulator import Emulator
    from ..service.faults import Fault

TRANSPORT = "quatrix_transport"
USER = "quatrix_user"
CONTROL = "/_emulator"
PAGES = ("/download/", "/files-return/")
"""Where recipients go with a browser."""
LOGIN = "/api/1.0/session/login"
UNKNOWN_PATH = "(unknown)"
_SLASHES = re.compile("//+")
"""Doubled slashes count as one: some clients join URLs carelessly."""


class Templates:
    """The path templates of the API, by which calls are counted.

    :param paths: path formats such as ``/api/1.0/file/info/{id}``.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        formats = sorted(set(paths))
        self._plain = {path.rstrip("/") for path in formats if "{" not in path}
        self._patterns: list[tuple[re.Pattern[str], str]] = [
            (compile_path(path)[0], path.replace(":path}", "}")) for path in formats if "{" in path
        ]

    def of(self, path: str) -> str:
        """Find the template of a path.

        :param path: path without a slash at the end.
        :return: the template. Unknown paths share a name, so that the counters stay small.
        """
        if path in self._plain:
            return path
        for pattern, template in self._patterns:
            if pattern.match(path):
                return template
        return UNKNOWN_PATH


class Middleware:
    """Counts a request, injects a fault if one is due, and passes it on.

    :param emulator: where to count, and the faults.
    """

    def __init__(self, app: ASGIApp, emulator: Emulator, templates: Templates) -> None:
        self._app = app
        self._emulator = emulator
        self._templates = templates
        self._sleeping: set[asyncio.Event] = set()

    def close(self) -> None:
        """Forget all files, and remove their contents from disk."""
        self._emulator.close()

    def wake(self) -> None:
        """End all delays at once; to be called in the event loop."""
        for event in self._sleeping:
            event.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        path = _SLASHES.sub("/", scope["path"]).rstrip("/") or "/"
        scope["path"] = path
        counted = path not in ("/", "/favicon.ico") and not (path + "/").startswith((CONTROL + "/", *PAGES))
        answer = _Answer(send, self._emulator, scope)
        # A client that disconnects is no error.
        with suppress(ClientDisconnect):
            if counted:
                await self._api_call(scope, receive, answer)
            else:
                await self._app(scope, receive, answer.send)

    async def _api_call(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        method, path = scope["method"], scope["path"]
        template = self._templates.of(path)
        counters = self._emulator.counters
        calls = self._emulator.calls
        counters.requests += 1
        counters.by_call[f"{method_name(method)} {template}"] += 1
        if path == LOGIN and method == "GET":
            counters.logins += 1
        fault = self._emulator.faults.take(method, path)
        at, started = self._emulator.clock.now(), time.perf_counter()
        try:
            if fault is None:
                await self._app(scope, receive, answer.send)
            else:
                counters.faults += 1
                await self._inject(fault, scope, receive, answer)
        finally:
            calls.add(
                {
                    "time": at,
                    "method": method_name(method),
                    "path": template,
                    "status": answer.status,
                    "user": scope.get(USER),
                    "ms": round((time.perf_counter() - started) * 1000, 1),
                    "fault": fault is not None,
                }
            )

    async def _inject(self, fault: Fault, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if fault.delay:
            counters = self._emulator.counters
            await self._sleep(fault.delay)
            if self._emulator.counters is not counters:
                # A request from before a reset must have no effect after it.
                await answer.cut_connection(receive)
                return
        if fault.cut == "connection":
            if fault.execute_anyway:
                await self._app(scope, receive, _discard)
            await answer.cut_connection(receive)
            return
        answer.cut_body = fault.cut == "body"
        answer.cut_after = fault.after_bytes
        if fault.cut == "request":
            receive = _Request(receive, fault.after_bytes or 0, answer).receive
        answer.more_headers = raw_headers(fault)
        try:
            await self._answer(fault, scope, receive, answer)
        except ClientDisconnect:
            if not answer.was_cut:
                raise
            await wait_until_closed(receive)

    async def _answer(self, fault: Fault, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if not fault.answers:
            await self._app(scope, receive, answer.send)
            return
        if fault.execute_anyway:
            await self._app(scope, receive, _discard)
        status, headers, body = fault_answer(fault, self._emulator.settings.fault_body)
        await answer.send({"type": "http.response.start", "status": status, "headers": headers})
        await answer.send({"type": "http.response.body", "body": body})

    async def _sleep(self, seconds: float) -> None:
        event = asyncio.Event()
        self._sleeping.add(event)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), seconds)
        finally:
            self._sleeping.discard(event)


async def _discard(_message: Message) -> None:
    """Swallow a response that a fault replaces."""


async def wait_until_closed(receive: Receive) -> None:
    """Wait until the server has noticed the disconnect; it would complete the response otherwise."""
    while (await receive())["type"] != "http.disconnect":
        pass


class _Request:
    """A request that is cut after some bytes of its body.

    :param left: bytes that pass.
    :param answer: what closes the connection.
    """

    def __init__(self, receive: Receive, left: int, answer: _Answer) -> None:
        self._receive = receive
        self._left = left
        self._answer = answer

    async def receive(self) -> Message:
        """Pass on a message of the request."""
        if not self._left:
            self._answer.abort()
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if len(body) < self._left or message["type"] != "http.request":
            self._left -= len(body)
            return message
        body, self._left = body[: self._left], 0
        return {"type": "http.request", "body": body, "more_body": True}


class _Answer:
    """A response: adds headers, notes the status, and can cut the body."""

    def __init__(self, send: Send, emulator: Emulator, scope: Scope) -> None:
        self._send = send
        self._emulator = emulator
        self._scope = scope
        self.status: int | None = None
        self.more_headers: list[tuple[bytes, bytes]] = []
        self.cut_body = False
        self.cut_after: int | None = None
        self.was_cut = False
        self._left: int | None = None

    async def send(self, message: Message) -> None:
        """Pass on a message of the response."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            names = {name for name, _ in self.more_headers}
            own = [(b"date", self._emulator.clock.http_date()), *message.get("headers", ())]
            headers = [(name, value) for name, value in own if name not in names] + self.more_headers
            if self.cut_body:
                length = next((value for name, value in headers if name == b"content-length"), None)
                half = int(length) // 2 if length is not None else None
                self._left = half if self.cut_after is None else self.cut_after
            await self._send({**message, "headers": headers})
        elif self.cut_body:
            await self._send_part(message)
        else:
            await self._send(message)

    async def _send_part(self, message: Message) -> None:
        body: bytes = message.get("body", b"")
        # Without a length, half of the first piece is sent.
        part = body[: len(body) // 2 if self._left is None else self._left]
        if part:
            await self._send({"type": "http.response.body", "body": part, "more_body": True})
        if self._left is not None:
            self._left -= len(part)
        if not self._left:
            self.was_cut = True
            # The transport sends its buffer, then closes. The exception stops the route.
            self._transport().close()
            raise ClientDisconnect

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport().abort()

    async def cut_connection(self, receive: Receive) -> None:
        """Close the connection without a response."""
        self.abort()
        await wait_until_closed(receive)

    def _transport(self) -> Any:
        return self._scope["state"][TRANSPORT]
