"""Keeps a session alive from the triggerer while other tasks work."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.triggers.base import QuatrixTrigger

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


class QuatrixKeepaliveTrigger(QuatrixTrigger):
    """Pings a session until a given time; triggers for the same connection share the pings.

    :param ends_at: Unix time at which it ends.
    :param renew: sign in again if the session has ended.
    :param poll_interval: seconds between pings.
    :param max_failures: how many failed pings in a row, because the service is down, fail the task.
    """

    def __init__(
        self,
        quatrix_conn_id: str,
        ends_at: float,
        renew: bool = True,
        poll_interval: float = 300.0,
        max_failures: int = 10,
    ) -> None:
        super().__init__(quatrix_conn_id, poll_interval, max_failures)
        self.ends_at = ends_at
        self.renew = renew
        self._now = time.time

    def arguments(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        arguments = super().arguments() | {"ends_at": self.ends_at, "renew": self.renew}
        del arguments["ends_task"]
        return arguments

    def key(self) -> Hashable:
        """Return which session is kept alive."""
        return (*super().key(), self.renew)  # type: ignore[misc]

    def fetch(self, max_age: float) -> None:
        """Ping once; a ping by another task is no substitute."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        QuatrixHook(self.quatrix_conn_id).keepalive(renew=self.renew)

    def evaluate(self, answers: Sequence[None]) -> dict[str, Any] | None:
        """Return the payload of a success once no further ping is needed."""
        return {"status": "success"} if self._now() + self.poll_interval > self.ends_at else None

    def failure(self, error: Exception) -> dict[str, Any]:
        """Return the payload of a failure, which says whether the session has ended.

        :param error: why it failed.
        """
        from airflow_provider_quatrix.api.errors import QuatrixSessionExpired

        if isinstance(error, QuatrixSessionExpired):
            return {"status": "expired"}
        return super().failure(error)
