"""Waits in the triggerer while a session is CAPTCHA-blocked."""

from __future__ import annotations

from typing import Any

from airflow_provider_quatrix.triggers.base import QuatrixTrigger


class QuatrixCaptchaTrigger(QuatrixTrigger):
    """Fires once the connection's session works; a block costs one API call per interval and no login."""

    def ask(self) -> bool:
        """Return whether the account waits for a CAPTCHA."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        return QuatrixHook(self.quatrix_conn_id).captcha_blocked()

    def verdict(self, value: Any) -> dict[str, Any] | None:
        """Return the payload of a success once nothing is blocked.

        :param value: whether the account waits for a CAPTCHA.
        """
        return None if value else {"status": "success"}
