"""Counts what happens on a connection, in Airflow's own metrics."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.errors import QuatrixApiError, QuatrixResponseError
from airflow_provider_quatrix.api.refusals import THROTTLING_STATUSES
from airflow_provider_quatrix.sessions.decisions import LOGIN_LIMIT
from airflow_provider_quatrix.sessions.record import recent_attempts

if TYPE_CHECKING:
    from airflow_provider_quatrix.api.messages import Request, Response
    from airflow_provider_quatrix.sessions.record import AccountRecord

log = logging.getLogger(__name__)

_LOGIN_RESULTS = {200: "success", 207: "second_factor", 429: "limited"}


class Metrics:
    """Observes the calls of a connection and the record of its account; never fails."""

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id

    def answered(self, request: Request, response: Response) -> None:
        """Count logins and throttling."""
        if (request.method, request.path) == ("GET", "session/login"):
            self._count("quatrix.logins", result=_LOGIN_RESULTS.get(response.status, "refused"))
        if response.status in THROTTLING_STATUSES:
            self._count("quatrix.throttled")

    def repeated(self, request: Request, error: BaseException) -> None:
        """Count a call that is sent again."""
        reason = str(error.status) if isinstance(error, QuatrixApiError | QuatrixResponseError) else "connection"
        self._count("quatrix.retries", reason=reason)

    def moved(self, direction: str, size: int) -> None:
        """Count a file that has arrived."""
        self._count("quatrix.files", direction=direction)
        self._count("quatrix.bytes", size, direction=direction)

    def changed(self, record: AccountRecord) -> None:
        """Report how many logins are left, and whether the account is blocked."""
        left = LOGIN_LIMIT - len(recent_attempts(record.counted, time.time()))
        self._send("gauge", "quatrix.logins_left", max(0, left))
        self._send("gauge", "quatrix.blocked", int(record.block.since is not None))

    def _count(self, name: str, count: int = 1, **tags: str) -> None:
        self._send("incr", name, count, **tags)

    def _send(self, kind: str, name: str, value: int, **tags: str) -> None:
        try:
            from airflow.providers.common.compat.sdk import Stats

            stats: Any = Stats
            getattr(stats, kind)(name, value, tags={"conn_id": self._conn_id, **tags})
        except Exception as error:  # noqa: BLE001 - a missing figure must not fail the task
            log.debug("The metric %s could not be sent (%s)", name, type(error).__name__)
