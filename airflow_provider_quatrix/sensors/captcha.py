"""Waits while a connection's session is CAPTCHA-blocked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.sensors.base import QuatrixSensor

if TYPE_CHECKING:
    from airflow_provider_quatrix.triggers.captcha import QuatrixCaptchaTrigger


class QuatrixCaptchaSensor(QuatrixSensor):
    """Waits until a person has passed the CAPTCHA that blocks the account; succeeds at once if nothing is blocked.

    While the account is blocked a look costs one keepalive of the blocked session, and no login. With an API key
    there is no CAPTCHA, and the sensor passes at once. A deferrable sensor starts in and ends from the triggerer,
    without any worker slot, where its connection id holds no template and nothing else wants the worker.

    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :param poke_interval: seconds between looks, at least 1; default 60.
    :param timeout: seconds until waiting fails; default from ``[sensors] default_timeout``.
    :param max_failures: looks in a row that may fail because the service is down; default 10.
    :param deferrable: wait in the triggerer; default from ``[operators] default_deferrable``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        conn_id = self.quatrix_conn_id
        if self.deferrable and isinstance(conn_id, str) and "{" not in conn_id:
            from airflow_provider_quatrix.sensors.start import start_in_triggerer

            start_in_triggerer(self)

    def look(self) -> bool:
        """Return whether the session works."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        return not QuatrixHook(self.quatrix_conn_id).captcha_blocked(max_age=self.poke_interval / 2)

    def trigger(self, *, ends_task: bool) -> QuatrixCaptchaTrigger:
        """Return the trigger that waits for the same.

        :param ends_task: let the trigger end the task.
        """
        from airflow_provider_quatrix.triggers.captcha import QuatrixCaptchaTrigger

        return QuatrixCaptchaTrigger(self.quatrix_conn_id, self.poke_interval, self.patience, ends_task)
