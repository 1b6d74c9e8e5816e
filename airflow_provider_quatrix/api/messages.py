"""Requests to Quatrix and its responses, as values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any, Protocol

Headers = Mapping[str, str]

# The header with the session id.
SESSION_HEADER = "X-Auth-Token"


class Repeat(Enum):
    """When a request may be sent again without doing harm."""

    SAFE = "safe"
    """Always: it reads, or a second time changes nothing more."""
    REFUSED = "refused"
    """Only if the server cannot have acted on it: it was never reached, or turned the request away."""
    UNSENT = "unsent"
    """Only if it never reached the server: what it carries works once."""


class SizedReader(Protocol):
    """A request's body: read in blocks, with a known length, so that it is never in memory as a whole."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes."""

    def __len__(self) -> int: ...


class AttemptGuard(Protocol):
    """Counts the tries of a login, and may forbid one. Its exceptions end the login."""

    def before_try(self) -> None:
        """Count a try; called before any of it is sent."""

    def after_unsent(self) -> None:
        """Withdraw the last try: nothing of it was sent."""

    def before_code(self, totp_step: int) -> None:
        """Record which TOTP code is going to be sent.

        :param totp_step: number of the 30-second step that the code belongs to.
        """


@dataclass(frozen=True)
class Request:
    """A request to the API, before credentials are added.

    :param path: path below the API's root, such as ``session/keepalive``.
    :param body: opens the body, which is sent unchanged; called for every try.
    :param body_size: bytes of that body.
    :param repeat: when the request may be sent again.
    :param deadline: seconds for all tries together; default: the retry policy's.
    :param most_sent: the most tries that the server may get; ``None`` for as many as the policy allows.
    :param guard: called before every try.
    :param accepts: selects responses that are results although their status is an error.
    """

    method: str
    path: str
    headers: Headers = field(default_factory=dict, repr=False)
    params: Mapping[str, str] | None = field(default=None, repr=False)
    json: Any = field(default=None, repr=False)
    body: Callable[[], SizedReader] | None = field(default=None, repr=False)
    body_size: int = 0
    repeat: Repeat = Repeat.SAFE
    deadline: float | None = None
    most_sent: int | None = None
    guard: AttemptGuard | None = field(default=None, repr=False)
    accepts: Callable[[Response], bool] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Response:
    """A complete HTTP response.

    :param headers: case-insensitive headers.
    """

    status: int
    headers: Headers = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """Return the decoded body; ``None`` if it is not JSON. An empty body is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def date(self) -> float | None:
        """Return the server's time, Unix time; ``None`` if the response does not contain it."""
        try:
            moment = parsedate_to_datetime(self.headers.get("Date", ""))
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return None

    def __repr__(self) -> str:
        # Bodies and headers contain session ids.
        return f"Response(status={self.status}, {len(self.body)} bytes)"
