"""Holds a session from the triggerer while other tasks work."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.triggers.base import QuatrixTrigger

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


class QuatrixKeepaliveTrigger(QuatrixTrigger):
    """Pings a session until a moment; triggers for the same connection share the pings.

    :param ends_at: Unix time at which holding ends.
    :param renew: sign in again if the session has ended.
    :param poll_interval: seconds between pings.
    :param max_failures: failed pings in a row, because the service is down, after which holding fails.
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
        """Return what is held."""
        return (*super().key(), self.renew)  # type: ignore[misc]

    def fetch(self, max_age: float) -> None:
        """Ping once, as nothing that another has seen keeps a session."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        QuatrixHook(self.quatrix_conn_id).keepalive(renew=self.renew)

    def evaluate(self, answers: Sequence[None]) -> dict[str, Any] | None:
        """Return the payload of a success once there is no need for another ping."""
        return {"status": "success"} if self._now() + self.poll_interval > self.ends_at else None

    def failure(self, error: Exception) -> dict[str, Any]:
        """Return the payload of a failed hold; an ended session is told apart.

        :param error: why holding ended.
        """
        from airflow_provider_quatrix.api.errors import QuatrixSessionExpired

        if isinstance(error, QuatrixSessionExpired):
            return {"status": "expired"}
        return super().failure(error)
