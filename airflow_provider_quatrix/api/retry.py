"""Decides which failed requests are sent again, and when; tenacity does it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import tenacity

from airflow_provider_quatrix.api.errors import (
    QuatrixApiError,
    QuatrixCaptchaRequired,
    QuatrixRateLimited,
    QuatrixResponseError,
    QuatrixTransportError,
    TransportStage,
)
from airflow_provider_quatrix.api.messages import Repeat

if TYPE_CHECKING:
    from collections.abc import Callable

TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504, 509})
# With these the server did not begin the work, so even a request with an effect may be repeated.
REFUSING_STATUSES = frozenset({429, 503, 509})


def is_outage(error: Exception) -> bool:
    """Return whether the service is only down or busy, so that a waiting task continues to wait.

    :return: ``True`` if the same call may succeed later without any action.
    """
    if isinstance(error, QuatrixTransportError):
        return error.stage not in (TransportStage.TLS, TransportStage.SETTINGS)
    if isinstance(error, QuatrixResponseError):
        return True
    if isinstance(error, QuatrixCaptchaRequired):
        # Even if its status is one of a busy service.
        return False
    return isinstance(error, QuatrixRateLimited) or (
        isinstance(error, QuatrixApiError) and error.status in TRANSIENT_STATUSES
    )


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Read a ``Retry-After`` header, in seconds or as a date.

    :param now: the present, with a time zone.
    :return: seconds to wait, 0 for a date in the past; ``None`` if the header is absent or unreadable.
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
    """Return whether a failed request may be sent again.

    A rejected login, a missing second factor and a CAPTCHA block are never retried, whatever their status: that would
    lead to a block or prolong it. So an incomplete 401 is never retried. Nor is a bad certificate or setting.

    :param repeat: what the request allows.
    :return: ``True`` if a retry is safe and may help.
    """
    if isinstance(error, QuatrixTransportError):
        if error.stage in (TransportStage.TLS, TransportStage.SETTINGS):
            return False
        return not error.sent or repeat is Repeat.SAFE
    if isinstance(error, QuatrixCaptchaRequired):
        return False
    status = _status(error)
    cut = isinstance(error, QuatrixResponseError) and error.cut
    if status == 401:
        return False
    if repeat is Repeat.SAFE:
        return status in TRANSIENT_STATUSES or cut
    return repeat is Repeat.REFUSED and status in REFUSING_STATUSES and not cut


def pause(error: BaseException | None, attempt: int, policy: RetryPolicy, spread: float) -> float:
    """Return the seconds to wait before the next try.

    :param error: how the last try failed; its ``Retry-After`` is followed, unless that is 0.
    :param attempt: tries so far, from 1.
    :param spread: random number from 0 to 1, so that many clients do not retry at the same time.
    """
    if isinstance(error, QuatrixApiError | QuatrixResponseError) and error.retry_after:
        return error.retry_after
    longest = min(policy.longest_pause, policy.first_pause * 2.0 ** (attempt - 1))
    return longest * (0.5 + spread / 2)


@dataclass(frozen=True)
class RetryPolicy:
    """How long and how often a request is tried.

    :param deadline: seconds for all tries together, with pauses; default three minutes.
    :param attempts: the most tries; default 6.
    :param first_pause: seconds before the second try; each further pause is twice as long; default 0.5.
    :param longest_pause: seconds of the longest pause, unless the server asks for more; default 30.
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
        most_sent: int | None = None,
        sleep: Callable[[float], None],
        before_sleep: Callable[[tenacity.RetryCallState], None] | None = None,
    ) -> tenacity.Retrying:
        """Return the tenacity object that sends one request under this policy.

        :param repeat: when the request may be sent again.
        :param deadline: seconds for this request.
        :param most_sent: the most tries that the server may get; ``None`` for no other limit.
        :param before_sleep: called before each retry.
        :return: an object to be called once, with the function to try.
        """
        sent = 0

        def again(error: BaseException) -> bool:
            nonlocal sent
            sent += not (isinstance(error, QuatrixTransportError) and not error.sent)
            return may_repeat(error, repeat) and (most_sent is None or sent < most_sent)

        def gives_up(state: tenacity.RetryCallState) -> bool:
            elapsed = state.seconds_since_start or 0.0
            return state.attempt_number >= self.attempts or elapsed + state.upcoming_sleep >= deadline

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(again),
            wait=lambda state: pause(_failure(state), state.attempt_number, self, random.random()),  # noqa: S311
            stop=gives_up,
            sleep=sleep,
            before_sleep=before_sleep,
            reraise=True,
        )


def _failure(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
