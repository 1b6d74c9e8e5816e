"""Injected faults: which call they affect, how often, and what they do."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from ..settings import Count, Status  # noqa: TC001 - pydantic reads the annotations


@dataclass
class Fault:
    """One fault.

    Without ``status`` and ``body`` the call is answered by the emulator itself, only later, with further headers or
    cut short. With one of them the call never reaches the emulator, unless ``execute_anyway`` is set.

    :param path: path from the root of the server, or a pattern with ``*``, ``?`` and ``[]``; ``*`` matches ``/`` too.
    :param method: HTTP method; None for all.
    :param times: how many calls it affects; None for all.
    :param after: how many matching calls pass first.
    :param probability: how likely it is to affect a matching call; None for always.
    :param status: status of the response; 200 when only ``body`` is given.
    :param headers: headers of the response, or further headers of the emulator's own.
    :param body: body of the response; anything but text is sent as JSON. None: see the setting ``fault_body``.
    :param delay: seconds of real time to wait first.
    :param cut: ``connection`` closes the connection instead of a response; ``body`` sends all headers and half of the
        body, then closes; ``request`` closes while the body of the request comes in, of which a part takes effect.
    :param after_bytes: for ``body``: how much of it is sent, half when None; for ``request``: how much of its body
        gets through, nothing when None.
    :param execute_anyway: whether the call takes effect although its response is lost.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    path: str
    method: str | None = None
    times: Count | None = 1
    after: Annotated[int, Field(ge=0)] = 0
    probability: Annotated[float, Field(ge=0, le=1)] | None = None
    status: Status | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    delay: Annotated[float, Field(ge=0, le=3600)] = 0.0
    cut: Literal["connection", "body", "request"] | None = None
    after_bytes: Annotated[int, Field(ge=0)] | None = None
    execute_anyway: bool = False

    def __post_init__(self) -> None:
        if not self.path.startswith("/"):
            raise ValueError("path must start with '/'")
        self.path = self.path.rstrip("/") or "/"
        if self.method is not None:
            self.method = self.method.upper()
        for name, value in self.headers.items():
            if name.lower() in ("content-length", "transfer-encoding"):
                raise ValueError(f"headers: {name} follows from the body; see cut")
            if not name.isascii() or not name.replace("-", "").isalnum():
                raise ValueError("headers: a name may contain letters, digits and '-' only")
            if not value.isprintable() or not value.isascii():
                raise ValueError("headers: a value may contain printable ASCII only")

    @property
    def answers(self) -> bool:
        """Whether the fault makes the response itself."""
        return self.status is not None or self.body is not None

    def as_dict(self) -> dict[str, Any]:
        """The fault for tests and the page, without headers and body."""
        return {
            "path": self.path,
            "method": self.method,
            "times": self.times,
            "after": self.after,
            "status": self.status,
            "delay": self.delay,
            "cut": self.cut,
            "after_bytes": self.after_bytes,
        }


class Faults:
    """The armed faults, in the order they were added. The first that matches a call affects it."""

    def __init__(self) -> None:
        self.clear(seed=0)

    def clear(self, seed: int) -> None:
        """Disarm all.

        :param seed: of the random numbers.
        """
        self._armed: list[Fault] = []
        # Not for secrets: a test must see the same faults in every run.
        self._random = random.Random(seed)  # noqa: S311

    def add(self, fault: Fault) -> None:
        """Arm a fault."""
        self._armed.append(fault)

    def take(self, method: str, path: str) -> Fault | None:
        """Find the fault for a call, and count it.

        :param path: path without a slash at the end.
        """
        for fault in self._armed:
            if fault.method not in (None, method) or not fnmatchcase(path, fault.path):
                continue
            if fault.after:
                fault.after -= 1
                continue
            if fault.probability is not None and self._random.random() >= fault.probability:
                continue
            if fault.times is not None:
                fault.times -= 1
                if not fault.times:
                    self._armed.remove(fault)
            return fault
        return None

    def as_list(self) -> list[dict[str, Any]]:
        """The armed faults."""
        return [fault.as_dict() for fault in self._armed]
