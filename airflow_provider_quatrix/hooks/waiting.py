"""Waiting: patient while the service is down, over when it has been down for long."""

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

# Polls are never apart by exactly their interval.
_SLACK = 0.9


class Patience:
    """Counts the polls in a row that failed because the service is down.

    :param max_failures: how many of them end waiting.
    :param interval: seconds between polls.
    :param pace: seconds between the polls that count; an earlier one, for someone less patient, counts as the one
        before.
    """

    def __init__(self, max_failures: int, interval: float, pace: float = 0.0) -> None:
        self.failures = 0
        self._max_failures = max_failures
        self._interval = interval
        self._pace = pace
        self._counted_at = 0.0

    def answered(self) -> None:
        """Note that a poll has worked."""
        self.failures = 0

    def outlasts(self, error: Exception, now: float = 0.0) -> bool:
        """Tell whether to go on waiting after a poll that failed.

        :param now: when, in seconds.
        """
        if not is_outage(error):
            return False
        if isinstance(error, QuatrixLoginBudgetExhausted):
            until = datetime.now(UTC) + timedelta(seconds=error.retry_after or 0)
            log.info("%s. Waiting for it, until %s UTC, is no failure", error, f"{until:%H:%M:%S}")
            return True
        if not self.failures or now - self._counted_at >= _SLACK * self._pace:
            self.failures += 1
            self._counted_at = now
        if self.failures >= self._max_failures:
            return False
        log.info("%s; polling again in %g s", error, self._interval)
        return True


class Memory(Protocol):
    """Keeps values from one process of a task to the next."""

    def get(self, name: str) -> Any:
        """Return a value, ``None`` where nothing is kept."""

    def keep(self, **values: Any) -> None:
        """Keep values."""


class Watch:
    """Polls again and again, and gives up only when the service has been down for long.

    :param interval: seconds between polls.
    :param max_failures: polls in a row that fail because the service is down, and end waiting.
    :param memory: where to count them, if each poll may happen in a new process, as when a sensor is rescheduled.
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

        :param fetch: asks the service; may raise.
        :return: its answer, or ``None`` while the service is down.
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


# What Airflow 3 and 2 give as the reason when a trigger outlives the timeout of its deferral.
_TIMEOUTS = ("Trigger timeout", "Trigger/execution timeout")


def timed_out(next_kwargs: dict[str, Any] | None) -> bool:
    """Tell whether a task resumes because its trigger took too long.

    :param next_kwargs: what the task resumes with.
    """
    return (next_kwargs or {}).get("error") in _TIMEOUTS


def raise_failure(event: dict[str, Any] | None) -> dict[str, Any]:
    """Turn the payload of a failed wait into an exception.

    :param event: payload of a trigger of this package; ``None`` where a success ended the task already.
    :return: the payload of a success.
    :raises AirflowFailException: a person has to do something first.
    :raises AirflowException: a retry may help.
    """
    if event is None:
        return {"status": "success"}
    if event["status"] == "failed":
        raise (AirflowFailException if event["final"] else AirflowException)(event["message"])
    return event
