"""Waiting: patient while the service is down, over if it has been down for too long."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_quatrix.api.errors import QuatrixError, QuatrixLoginBudgetExhausted
from airflow_provider_quatrix.api.retry import is_outage
from airflow_provider_quatrix.hooks.connection import InvalidConnectionError
from airflow_provider_quatrix.hooks.failures import airflow_errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

log = logging.getLogger(__name__)

# The time between two polls is never exactly their interval.
_SLACK = 0.9


class Patience:
    """Counts the polls in a row that failed because the service is down.

    :param max_failures: how many of them end the wait.
    :param interval: seconds between polls.
    :param pace: seconds between the polls that count. A poll that comes sooner, for a waiter with a shorter interval,
        counts together with the one before.
    """

    def __init__(self, max_failures: int, interval: float, pace: float = 0.0) -> None:
        self.failures = 0
        self._max_failures = max_failures
        self._interval = interval
        self._pace = pace
        self._counted_at = 0.0

    def answered(self) -> None:
        """Record that a poll has succeeded."""
        self.failures = 0

    def outlasts(self, error: Exception, now: float = 0.0) -> bool:
        """Return whether to continue after a failed poll.

        :param now: the present time in seconds.
        """
        if not is_outage(error):
            return False
        if isinstance(error, QuatrixLoginBudgetExhausted):
            until = datetime.now(UTC) + timedelta(seconds=error.retry_after or 0)
            log.info("%s. Waiting until %s UTC does not count as a failure", error, f"{until:%H:%M:%S}")
            return True
        if not self.failures or now - self._counted_at >= _SLACK * self._pace:
            self.failures += 1
            self._counted_at = now
        if self.failures >= self._max_failures:
            return False
        log.info("%s; polling again in %g s", error, self._interval)
        return True


class Memory(Protocol):
    """Keeps values between the processes of a task."""

    def get(self, name: str) -> Any:
        """Return a value, or ``None``."""

    def keep(self, **values: Any) -> None:
        """Keep values."""


class Watch:
    """Polls, and fails only if the service has been down for too long.

    :param interval: seconds between polls.
    :param max_failures: how many failed polls in a row, because the service is down, end the wait.
    :param memory: where to count them, if each poll may run in a new process, as for a rescheduled sensor.
    """

    def __init__(self, conn_id: str, interval: float, *, max_failures: int, memory: Memory | None = None) -> None:
        self._conn_id = conn_id
        self._max_failures = max_failures
        self._memory = memory
        self._patience = Patience(max_failures, interval)
        if memory is not None:
            failures = memory.get("failures")
            self._patience.failures = failures if isinstance(failures, int) else 0

    def poll(self, fetch: Callable[[], T]) -> T | None:
        """Poll once.

        :param fetch: calls the service; may raise.
        :return: its result, or ``None`` while the service is down.
        :raises AirflowFailException: a person has to do something first.
        :raises AirflowException: the service has been down for too long.
        """
        try:
            answer = fetch()
        except (QuatrixError, InvalidConnectionError) as error:
            if self._patience.outlasts(error):
                self._note()
                return None
            if is_outage(error):
                raise AirflowException(f"Waiting ends after {self._max_failures} failures in a row: {error}") from None
            with airflow_errors(self._conn_id):
                raise
        self._patience.answered()
        self._note()
        return answer

    def _note(self) -> None:
        if self._memory is not None:
            self._memory.keep(failures=self._patience.failures)


# The reasons that Airflow 3 and 2 give when a deferral times out.
_TIMEOUTS = ("Trigger timeout", "Trigger/execution timeout")


def timed_out(next_kwargs: dict[str, Any] | None) -> bool:
    """Return whether a task resumes because its trigger took too long.

    :param next_kwargs: arguments with which the task resumes.
    """
    return (next_kwargs or {}).get("error") in _TIMEOUTS


def raise_failure(event: dict[str, Any] | None) -> dict[str, Any]:
    """Turn the payload of a failed wait into an exception.

    :param event: payload of a trigger of this package; ``None`` if a success has ended the task already.
    :return: the payload of a success.
    :raises AirflowFailException: a person has to do something first.
    :raises AirflowException: a retry may help.
    """
    if event is None:
        return {"status": "success"}
    if event["status"] == "failed":
        raise (AirflowFailException if event["final"] else AirflowException)(event["message"])
    return event
