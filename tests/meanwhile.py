"""What others do while a client is at work: between two of its calls, as they might at any moment."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_quatrix.api.messages import Request, Response

_waiting: list[_AheadOf] = []


class _AheadOf:
    def __init__(self, call: str, act: Callable[[], object]) -> None:
        self._call = call.encode()
        self._act = act
        self.done = False

    def sending(self, data: Any) -> None:
        if not self.done and isinstance(data, bytes) and data.startswith(self._call):
            self.done = True
            self._act()


@cache
def _watch_sends() -> None:
    """Watch what this process sends; that cannot be ended."""

    def told(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "http.client.send":
            for each in tuple(_waiting):
                each.sending(arguments[1])

    sys.addaudithook(told)


@contextmanager
def ahead_of(call: str, act: Callable[[], object]) -> Iterator[None]:
    """Do something, once, just ahead of a call that is made inside the block.

    :param call: method and beginning of the path, such as ``POST /api/1.0/file/moveone``.
    """
    _watch_sends()
    waiting = _AheadOf(call, act)
    _waiting.append(waiting)
    try:
        yield
    finally:
        _waiting.remove(waiting)
    assert waiting.done, f"there was no {call}"


class AsSoonAs:
    """Observes a client, and does something, once, as soon as it has its answer to a call.

    :param what: pattern of the call's path, or ``moved upload`` or ``moved download`` for a file that has arrived.
    :param after: so many of these pass first.
    """

    def __init__(self, what: str, act: Callable[[], object], *, after: int = 0) -> None:
        self._what = re.compile(what)
        self._act = act
        self._after = after
        self._numbers = count()

    def answered(self, request: Request, _response: Response) -> None:
        self._see(request.path)

    def repeated(self, *_: object) -> None:
        pass

    def moved(self, direction: str, _size: int) -> None:
        self._see(f"moved {direction}")

    def _see(self, what: str) -> None:
        if self._what.fullmatch(what) and next(self._numbers) == self._after:
            self._act()
