"""Which failure deserves another try, and when: pure functions, handed to tenacity."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING

import tenacity

from airflow_provider_quatrix.api.errors import (
    QuatrixApiError,
    QuatrixResponseError,
    QuatrixTransportError,
    TransportStage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504, 509})
# The server says by these that it did not begin the work, so that even a call with an effect may be repeated.
REFUSING_STATUSES = frozenset({429, 503, 509})


class Repeat(Enum):
    """When a call may be sent again without doing harm."""

    SAFE = "safe"
    """Always: it reads, or a second time changes nothing more."""
    REFUSED = "refused"
    """Only if the server cannot have acted on it: never reached, or turned away."""
    UNSENT = "unsent"
    """Only if it never reached the server: what it carries is worthless once shown."""


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Read a ``Retry-After`` header, in seconds or as a date.

    :param value: the header's value.
    :param now: the present, with a time zone.
    :return: seconds to wait, 0 for a date in the past; ``None`` where the header is absent or unreadable.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _status(error: BaseException) -> int | None:
    return error.status if isinstance(error, QuatrixApiError | QuatrixResponseError) else None


def may_repeat(error: BaseException, repeat: Repeat) -> bool:
    """Tell whether a failed call may be sent again.

    A rejected login, a missing second factor and a CAPTCHA block are never transient: sending them again
    only feeds the block; so a refusal (401) whose text is cut short is not asked to say it again. A bad
    certificate or setting does not get better either.

    :param error: how the call failed.
    :param repeat: what the call allows.
    :return: ``True`` if another try is safe and may help.
    """
    if isinstance(error, QuatrixTransportError):
        if error.stage in (TransportStage.TLS, TransportStage.SETTINGS):
            return False
        return error.stage is not TransportStage.SENT or repeat is Repeat.SAFE
    status = _status(error)
    cut = isinstance(error, QuatrixResponseError) and error.cut
    if status == 401:
        return False
    if repeat is Repeat.SAFE:
        return status in TRANSIENT_STATUSES or cut
    return repeat is Repeat.REFUSED and status in REFUSING_STATUSES and not cut


def pause(error: BaseException | None, attempt: int, policy: RetryPolicy, spread: float) -> float:
    """Return the seconds to wait before the next try.

    :param error: how the last try failed; a ``Retry-After`` in it is honoured to the second, unless it asks for no
        pause at all.
    :param attempt: number of tries made, from 1.
    :param policy: the pauses' growth and limit.
    :param spread: random number from 0 to 1 that keeps many clients from trying in step.
    :return: seconds.
    """
    if isinstance(error, QuatrixApiError | QuatrixResponseError) and error.retry_after:
        return error.retry_after
    longest = min(policy.longest_pause, policy.first_pause * 2.0 ** (attempt - 1))
    return longest * (0.5 + spread / 2)


@dataclass(frozen=True)
class RetryPolicy:
    """How long and how often a call is tried.

    :param deadline: seconds for all tries of a call together, pauses included.
    :param attempts: the most tries.
    :param first_pause: seconds before the second try; each further pause is twice as long.
    :param longest_pause: seconds that no pause exceeds, unless the server asks for more.
    """

    deadline: float = 180.0
    attempts: int = 6
    first_pause: float = 0.5
    longest_pause: float = 30.0

    def retrying(
        self,
        repeat: Repeat,
        deadline: float,
        *,
        sleep: Callable[[float], None],
        before_sleep: Callable[[tenacity.RetryCallState], None] | None = None,
    ) -> tenacity.Retrying:
        """Return the tenacity object that runs one call under this policy.

        :param repeat: when the call may be sent again.
        :param deadline: seconds for this call.
        :param sleep: waits; the tests bring their own.
        :param before_sleep: told of each further try.
        :return: a fresh object, to be called with the function to try.
        """

        def gives_up(state: tenacity.RetryCallState) -> bool:
            elapsed = state.seconds_since_start or 0.0
            return state.attempt_number >= self.attempts or elapsed + state.upcoming_sleep >= deadline

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: may_repeat(error, repeat)),
            wait=lambda state: pause(_failure(state), state.attempt_number, self, random.random()),  # noqa: S311
            stop=gives_up,
            sleep=sleep,
            before_sleep=before_sleep,
            reraise=True,
        )


def _failure(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
