"""Waits in the triggerer while a session is CAPTCHA-blocked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.hooks.wait_log import STILL_BLOCKED, of_captcha
from airflow_provider_quatrix.triggers.base import QuatrixTrigger

if TYPE_CHECKING:
    from collections.abc import Sequence


class QuatrixCaptchaTrigger(QuatrixTrigger):
    """Fires once the connection's session works; a block costs one API call per interval and no login."""

    def fetch(self, max_age: float) -> str:
        """Return what the account waits for while it is blocked; empty if it is not blocked.

        :param max_age: seconds for which a block that another task has seen counts as real.
        """
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        hook = QuatrixHook(self.quatrix_conn_id)
        return of_captcha(hook.settings) if hook.captcha_blocked(max_age) else ""

    def description(self, answers: Sequence[str]) -> tuple[str, str]:
        """Return who has to pass the CAPTCHA, and where."""
        return answers[0], STILL_BLOCKED

    def evaluate(self, answers: Sequence[str]) -> dict[str, Any] | None:
        """Return the payload of a success once nothing is blocked.

        :param answers: what the account waits for.
        """
        return None if answers[0] else {"status": "success"}
