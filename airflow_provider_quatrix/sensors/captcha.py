"""Waits while a connection's session is CAPTCHA-blocked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_quatrix.hooks.wait_log import STILL_BLOCKED, of_captcha
from airflow_provider_quatrix.links.quatrix import CAPTCHA, show_block
from airflow_provider_quatrix.sensors.base import QuatrixSensor

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, PokeReturnValue

    from airflow_provider_quatrix.hooks.signatures import SensorArguments
    from airflow_provider_quatrix.triggers.captcha import QuatrixCaptchaTrigger


class QuatrixCaptchaSensor(QuatrixSensor):
    """Waits until a person has passed the CAPTCHA that blocks the account; succeeds at once if nothing is blocked.

    While the account is blocked, a poll costs one keepalive of the blocked session, and no login. With an API key the
    sensor succeeds at once. A deferrable sensor starts and ends in the triggerer, without any worker slot, if its
    connection id is not a template and nothing else needs a worker.

    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :param poke_interval: seconds between polls, at least 1; default 60.
    :param timeout: seconds until the sensor fails; default from ``[sensors] default_timeout``.
    :param max_failures: fail after so many failed polls in a row, if the service is down; default 10.
    :param deferrable: wait in the triggerer; default from ``[operators] default_deferrable``.
    """

    operator_extra_links = (CAPTCHA,)

    def __init__(self, **kwargs: Unpack[SensorArguments]) -> None:
        super().__init__(**kwargs)
        conn_id = self.quatrix_conn_id
        if self.deferrable and isinstance(conn_id, str) and "{" not in conn_id:
            from airflow_provider_quatrix.sensors.start import start_in_triggerer

            start_in_triggerer(self)

    def poll(self) -> bool:
        """Return whether the session works."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        self._seen = STILL_BLOCKED
        return not QuatrixHook(self.quatrix_conn_id).captcha_blocked(max_age=self.max_age)

    def _show(self, context: Context, found: bool | PokeReturnValue | None) -> None:
        if found is not None:
            show_block(self, context, is_blocked=not found)

    def waited_for(self) -> str:
        """Return who has to pass the CAPTCHA, and where."""
        from airflow_provider_quatrix.hooks.connection import InvalidConnectionError
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        try:
            return of_captcha(QuatrixHook(self.quatrix_conn_id).settings)
        except InvalidConnectionError as error:
            return f"a person to pass the CAPTCHA of connection {self.quatrix_conn_id!r} ({error})"

    def trigger(self, *, ends_task: bool) -> QuatrixCaptchaTrigger:
        """Return the trigger that waits for the same condition.

        :param ends_task: whether the trigger ends the task itself.
        """
        from airflow_provider_quatrix.triggers.captcha import QuatrixCaptchaTrigger

        return QuatrixCaptchaTrigger(self.quatrix_conn_id, self.poke_interval, self.patience, ends_task)
