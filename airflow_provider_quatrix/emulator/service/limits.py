"""How many logins and file calls a user may make."""

from __future__ import annotations

import math
from collections import deque
from email.utils import formatdate
from typing import TYPE_CHECKING

from .errors import ApiError

if TYPE_CHECKING:
    from .context import Context


class SlidingWindow:
    """The events of the last seconds, by name."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}

    def count(self, name: str, since: float) -> int:
        """Count the events of a name after a time."""
        return sum(at > since for at in self._times.get(name, ()))

    def admit(self, name: str, now: float, limit: int, seconds: float, *, count_refused: bool = False) -> float | None:
        """Count an event, unless there were too many.

        :param limit: how many are let through per window.
        :param count_refused: whether an event beyond the limit fills the window too.
        :return: seconds until another one fits; None when this one is let through.
        """
        for other in [key for key, times in self._times.items() if times[-1] <= now - seconds]:
            del self._times[other]
        times = self._times.setdefault(name, deque())
        while times and times[0] <= now - seconds:
            times.popleft()
        full = len(times) >= limit
        if not full or count_refused:
            times.append(now)
        # The event that must leave the window before another fits in.
        return times[-limit] + seconds - now if full else None


class Limits:
    """The limits on logins and on file calls."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.clear()

    def clear(self) -> None:
        """Forget all logins and calls."""
        self._logins = SlidingWindow()
        self._file_calls = SlidingWindow()

    def count_login(self, name: str) -> None:
        """Count a login attempt.

        :param name: key of the user, who need not exist.
        :raises ApiError: when there were too many.
        """
        settings = self._context.settings
        if settings.login_limit is None:
            return
        wait = self._logins.admit(
            name,
            self._context.clock.now(),
            settings.login_limit,
            settings.login_window_seconds,
            count_refused=settings.login_limit_counts_refused,
        )
        if wait is not None:
            self._context.counters.limited_logins += 1
            raise self._too_many("Too many login attempts", wait)

    def count_file_call(self, owner: str) -> None:
        """Count a file call.

        :param owner: key of the user who makes it.
        :raises ApiError: when there were too many.
        """
        settings = self._context.settings
        if settings.file_call_limit is None:
            return
        wait = self._file_calls.admit(
            owner, self._context.clock.now(), settings.file_call_limit, settings.file_call_window_seconds
        )
        if wait is not None:
            raise self._too_many("Too many calls", wait)

    def logins_in_window(self, name: str) -> int:
        """Count the logins of a user in the present window."""
        context = self._context
        return self._logins.count(name, context.clock.now() - context.settings.login_window_seconds)

    def _too_many(self, msg: str, wait: float) -> ApiError:
        settings, seconds = self._context.settings, max(1, math.ceil(wait))
        headers = {
            "seconds": {"Retry-After": str(seconds)},
            "date": {"Retry-After": formatdate(math.ceil(self._context.clock.now()) + seconds, usegmt=True)},
            "none": {},
        }[settings.retry_after]
        return ApiError(settings.login_limit_status, settings.login_limit_code, msg, headers=headers)
