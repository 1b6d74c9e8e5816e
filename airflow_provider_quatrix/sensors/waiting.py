"""One look at what a task waits for, patient while the service is down."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_quatrix.api.errors import QuatrixError
from airflow_provider_quatrix.hooks.connection import InvalidConnectionError
from airflow_provider_quatrix.hooks.failures import is_outage, told_to_airflow
from airflow_provider_quatrix.sessions.outage import OutageLog, is_over_patience
from airflow_provider_quatrix.sessions.stores import VariableStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

log = logging.getLogger(__name__)


class _OwnMemory:
    """Remembers for one watch, and is forgotten with it."""

    def __init__(self) -> None:
        self._text: str | None = None

    def read(self) -> str | None:
        return self._text

    def write(self, text: str) -> None:
        self._text = text

    def delete(self) -> None:
        self._text = None


class Watch:
    """Looks again and again, and gives up only when the service has been down for long.

    :param conn_id: connection.
    :param interval: seconds between looks.
    :param max_failures: looks in a row that may fail because the service is down.
    :param across_processes: each look may happen in a new process, as when a sensor is rescheduled.
    """

    def __init__(self, conn_id: str, interval: float, *, max_failures: int, across_processes: bool = False) -> None:
        self._conn_id = conn_id
        self._interval = interval
        self._max_failures = max_failures
        self._outages = OutageLog(VariableStore(f"quatrix_outage__{conn_id}") if across_processes else _OwnMemory())

    def look(self, ask: Callable[[], T]) -> T | None:
        """Ask once.

        :param ask: asks; may raise.
        :return: its answer, or ``None`` while the service is down.
        :raises AirflowFailException: a person has to do something first.
        :raises AirflowException: the service has been down for too long.
        """
        try:
            answer = ask()
        except (QuatrixError, InvalidConnectionError) as error:
            if not is_outage(error):
                with told_to_airflow(self._conn_id):
                    raise
            outage = self._outages.failed(self._interval)
            if is_over_patience(outage, self._interval, self._max_failures):
                self._outages.over()
                raise AirflowException(f"Waiting ends after {self._max_failures} failures in a row: {error}") from None
            log.info("%s; looking again in %g s", error, self._interval)
            return None
        self._outages.over()
        return answer
