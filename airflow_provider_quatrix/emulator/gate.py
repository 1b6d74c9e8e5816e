"""What happens to every request before and after its route: counting, faults, the ``Date`` header.

This is plain ASGI, so that bodies of any size pass through untouched.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect
from starlette.routing import compile_path

from .counters import method_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from .faults import Fault
    from .state import EmulatorState

TRANSPORT = "quatrix_transport"
USER = "quatrix_user"
CONTROL = "/_emulator"
LOGIN = "/api/1.0/session/login"
UNKNOWN_PATH = "(unknown)"
_SLASHES = re.compile("//+")
"""A client that puts a base URL and a path together carelessly is understood all the same."""


class Templates:
    """The paths of the API with their parameters' names, for counting without ids and keys.

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
        :return: the template, or one name for all unknown paths, so that the counters cannot grow without end.
        """
        if path in self._plain:
            return path
        for pattern, template in self._patterns:
            if pattern.match(path):
                return template
        return UNKNOWN_PATH


class Gate:
    """Counts a request, lets a fault strike it, and passes it on.

    :param app: the routes.
    :param state: where to count, and the faults.
    :param templates: the known paths.
    """

    def __init__(self, app: ASGIApp, state: EmulatorState, templates: Templates) -> None:
        self._app = app
        self._state = state
        self._templates = templates
        self._sleeping: set[asyncio.Event] = set()

    def close(self) -> None:
        """Forget all files, and remove their contents from disk."""
        self._state.close()

    def wake(self) -> None:
        """End all delays at once; to be called in the event loop."""
        for event in self._sleeping:
            event.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        path = _SLASHES.sub("/", scope["path"]).rstrip("/") or "/"
        scope["path"] = path
        counted = path not in ("/", "/favicon.ico") and not (path + "/").startswith(CONTROL + "/")
        answer = _Answer(send, self._state, scope)
        # A client that has gone away needs no answer, and its leaving is no fault of the emulator.
        with suppress(ClientDisconnect):
            if counted:
                await self._api_call(scope, receive, answer)
            else:
                await self._app(scope, receive, answer.send)

    async def _api_call(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        method, path = scope["method"], scope["path"]
        template = self._templates.of(path)
        counters = self._state.counters
        calls = self._state.calls
        counters.requests += 1
        counters.by_call[f"{method_name(method)} {template}"] += 1
        if path == LOGIN and method == "GET":
            counters.logins += 1
        fault = self._state.faults.take(method, path)
        at, started = self._state.clock.now(), time.perf_counter()
        try:
            if fault is None:
                await self._app(scope, receive, answer.send)
            else:
                counters.faults += 1
                await self._strike(fault, scope, receive, answer)
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

    async def _strike(self, fault: Fault, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if fault.delay:
            counters = self._state.counters
            await self._sleep(fault.delay)
            if self._state.counters is not counters:
                # What was asked before a reset must not show after it.
                await answer.cut_connection(receive)
                return
        if fault.cut == "connection":
            if fault.carry_out:
                await self._app(scope, receive, _discard)
            await answer.cut_connection(receive)
            return
        answer.cut_body = fault.cut == "body"
        answer.cut_after = fault.after_bytes
        if fault.cut == "request":
            receive = _Request(receive, fault.after_bytes or 0, answer).receive
        answer.more_headers = fault.raw_headers()
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
        if fault.carry_out:
            await self._app(scope, receive, _discard)
        status, headers, body = fault.answer(self._state.settings.fault_body)
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
    """Swallow an answer that a fault replaces."""


async def wait_until_closed(receive: Receive) -> None:
    """Return only when the server knows that the connection is gone; it would complete the answer otherwise.

    :param receive: of the request.
    """
    while (await receive())["type"] != "http.disconnect":
        pass


class _Request:
    """The way in from the client, which breaks after some bytes of the body.

    :param receive: of the request.
    :param left: bytes that get through.
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
    """The way back to the client: adds headers, notes the status, and can cut the answer short."""

    def __init__(self, send: Send, state: EmulatorState, scope: Scope) -> None:
        self._send = send
        self._state = state
        self._scope = scope
        self.status: int | None = None
        self.more_headers: list[tuple[bytes, bytes]] = []
        self.cut_body = False
        self.cut_after: int | None = None
        self.was_cut = False
        self._left: int | None = None

    async def send(self, message: Message) -> None:
        """Pass on a message of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            names = {name for name, _ in self.more_headers}
            own = [(b"date", self._state.clock.http_date()), *message.get("headers", ())]
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
        # Without a length nobody knows where half of the answer is; half of its first piece is short of the end too.
        part = body[: len(body) // 2 if self._left is None else self._left]
        if part:
            await self._send({"type": "http.response.body", "body": part, "more_body": True})
        if self._left is not None:
            self._left -= len(part)
        if not self._left:
            self.was_cut = True
            # The transport sends what it holds, then closes. Whoever makes the answer need not go on.
            self._transport().close()
            raise ClientDisconnect

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport().abort()

    async def cut_connection(self, receive: Receive) -> None:
        """Close the connection without an answer."""
        self.abort()
        await wait_until_closed(receive)

    def _transport(self) -> Any:
        return self._scope["state"][TRANSPORT]
