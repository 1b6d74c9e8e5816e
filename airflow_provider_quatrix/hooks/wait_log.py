"""Logs what a task waits for and what it saw at its last poll, at most once a minute."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.hooks.connection import ConnectionSettings

log = logging.getLogger(__name__)

_LOG_SECONDS = 60.0


class WaitLog:
    """Writes the log lines of one wait.

    :param interval: seconds between polls, if each poll runs in a process of its own; then the minutes of the clock
        decide which polls are logged.
    :param is_first: whether this is the first poll of the wait.
    :param now: seconds, of a clock that processes share if they have to.
    """

    def __init__(
        self, interval: float | None = None, *, is_first: bool = True, now: Callable[[], float] = time.time
    ) -> None:
        self._interval = interval
        self._now = now
        self._logged_at: float | None = None
        self._is_first = is_first

    def write(self, what: str, seen: str) -> None:
        """Log what the task waits for, unless that was logged less than a minute ago.

        :param what: such as ``/in/*.csv``.
        :param seen: what the last poll saw.
        """
        if self._is_due():
            log.info("Waiting for %s; this poll saw %s", what, seen)

    def _is_due(self) -> bool:
        now = self._now()
        if self._interval is not None:
            # Polls are at least an interval apart, so two of them never see the same minute begin.
            is_due = self._is_first or now // _LOG_SECONDS != (now - self._interval) // _LOG_SECONDS
            self._is_first = False
            return is_due
        if self._logged_at is not None and now - self._logged_at < _LOG_SECONDS:
            return False
        self._logged_at = now
        return True


def of_captcha(settings: ConnectionSettings) -> str:
    """Return what a task with a blocked account waits for: who has to do what where."""
    host = settings.base_url.partition("://")[2]
    who = f"{settings.login} on {host} (connection {settings.conn_id!r})"
    return f"a person to pass the CAPTCHA of {who}, by signing in at {settings.base_url}"


# What a poll saw if the account is blocked.
STILL_BLOCKED = "that it is still blocked"
