"""Tells what a task waits for and what it saw at its last look, at most once a minute."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.hooks.connection import ConnectionSettings

log = logging.getLogger(__name__)

_TELL_SECONDS = 60.0


class WaitLog:
    """The lines of one wait.

    :param interval: seconds between polls, where each look is a process of its own; then lines are told apart by the
        minutes of the clock.
    :param is_first: whether this is the first look of the wait.
    :param now: seconds, of a clock that processes share if they have to.
    """

    def __init__(
        self, interval: float | None = None, *, is_first: bool = True, now: Callable[[], float] = time.time
    ) -> None:
        self._interval = interval
        self._now = now
        self._told: float | None = None
        self._is_first = is_first

    def tell(self, what: str, seen: str) -> None:
        """Say what is waited for, if that is due.

        :param what: it, such as ``/in/*.csv``.
        :param seen: what the look that has just ended saw.
        """
        if self._is_due():
            log.info("Waiting for %s; this look saw %s", what, seen)

    def _is_due(self) -> bool:
        now = self._now()
        if self._interval is not None:
            # Looks are at least an interval apart, so that no two of them see the same minute begin.
            is_due = self._is_first or now // _TELL_SECONDS != (now - self._interval) // _TELL_SECONDS
            self._is_first = False
            return is_due
        if self._told is not None and now - self._told < _TELL_SECONDS:
            return False
        self._told = now
        return True


def of_captcha(settings: ConnectionSettings) -> str:
    """Return what a task waits for whose account is blocked: who has to do what where."""
    host = settings.base_url.partition("://")[2]
    who = f"{settings.login} on {host} (connection {settings.conn_id!r})"
    return f"a person to pass the CAPTCHA of {who}, by signing in at {settings.base_url}"


# What a look saw that found the account blocked.
STILL_BLOCKED = "that it is still blocked"
