"""Operators around a connection's session: sign in, keep it alive, pass a CAPTCHA, end it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator, conf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

DEFAULT_CONN_ID = "quatrix_default"


def _deferrable_by_default() -> bool:
    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


class _QuatrixSessionOperator(BaseOperator):
    """Base of the session operators.

    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    """

    template_fields: Sequence[str] = ("quatrix_conn_id",)
    ui_color = "#dbe9f4"

    def __init__(self, *, quatrix_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.quatrix_conn_id = quatrix_conn_id

    @property
    def hook(self) -> QuatrixHook:
        """A hook for the connection."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        return QuatrixHook(self.quatrix_conn_id)


class QuatrixLoginOperator(_QuatrixSessionOperator):
    """Signs in once, for all tasks that use the connection afterwards; does nothing if a session works already.

    Where a login task runs first, the connection signs in exactly once, however many tasks and workers follow.

    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :param mfa_code: second factor for this login, where the connection does not hold it (templated; masked).
    :param wait_for_captcha: wait while the account is CAPTCHA-blocked, without any login, instead of failing.
    :param poll_interval: seconds between looks at the block while waiting, at least 1; default 60.
    :param captcha_timeout: seconds to wait for a person; default a day.
    :param deferrable: wait in the triggerer; default from ``[operators] default_deferrable``.
    :return: what may be shown of the session: ``{"status", "obtained", "last_used", "login_attempts"}``.
    """

    template_fields: Sequence[str] = ("quatrix_conn_id", "mfa_code")

    def __init__(
        self,
        *,
        mfa_code: str | None = None,
        wait_for_captcha: bool = False,
        poll_interval: float = 60.0,
        captcha_timeout: float = 86_400.0,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mfa_code = mfa_code
        self.wait_for_captcha = wait_for_captcha
        self.poll_interval = at_least("poll_interval", poll_interval, 1)
        self.captcha_timeout = at_least("captcha_timeout", captcha_timeout, 1)
        self.deferrable = _deferrable_by_default() if deferrable is None else deferrable

    def render_template_fields(self, context: Context, *args: Any, **kwargs: Any) -> None:
        """Render as any operator does, and mask the code before Airflow writes down what was rendered."""
        super().render_template_fields(context, *args, **kwargs)
        _mask(self.mfa_code)

    def execute(self, context: Context) -> dict[str, Any]:
        """Sign in, or wait until that is possible."""
        from airflow_provider_quatrix.api.errors import QuatrixCaptchaRequired
        from airflow_provider_quatrix.hooks.failures import told_to_airflow

        with told_to_airflow(self.quatrix_conn_id):
            try:
                return self._login()
            except QuatrixCaptchaRequired:
                if not self.wait_for_captcha:
                    raise
        if self.deferrable:
            self._defer()
        self._wait()
        with told_to_airflow(self.quatrix_conn_id):
            return self._login()

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Sign in after the block was lifted."""
        from airflow_provider_quatrix.hooks.failures import told_to_airflow
        from airflow_provider_quatrix.triggers.base import raise_failure

        raise_failure(event)
        with told_to_airflow(self.quatrix_conn_id):
            return self._login()

    def _login(self) -> dict[str, Any]:
        state = self.hook.login(self.mfa_code)
        return {
            "status": state.status.value,
            "obtained": state.obtained,
            "last_used": state.last_used,
            "login_attempts": state.login_attempts,
        }

    def _defer(self) -> None:
        from airflow_provider_quatrix.triggers.captcha import QuatrixCaptchaTrigger

        self.defer(
            trigger=QuatrixCaptchaTrigger(self.quatrix_conn_id, self.poll_interval),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.captcha_timeout),
        )

    def _wait(self) -> None:
        from airflow.providers.common.compat.sdk import AirflowException

        from airflow_provider_quatrix.sensors.waiting import Watch

        watch = Watch(self.quatrix_conn_id, self.poll_interval, max_failures=10)
        ends = time.monotonic() + self.captcha_timeout
        while not watch.look(lambda: not self.hook.captcha_blocked(max_age=self.poll_interval / 2)):
            if time.monotonic() + self.poll_interval > ends:
                raise AirflowException(f"Nobody has passed the CAPTCHA within {self.captcha_timeout:g} s")
            time.sleep(self.poll_interval)


class QuatrixKeepaliveOperator(_QuatrixSessionOperator):
    """Keeps a session alive: by one ping, or by a ping every few minutes while other tasks work.

    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :param duration: seconds to hold the session; default 0, a single ping.
    :param interval: seconds between pings, from 1 to 890, as a session ends after 15 minutes; default 300.
    :param if_expired: what to do if there is no session or it has ended: ``login`` (default), ``fail`` or ``skip``.
    :param deferrable: hold it from the triggerer; default from ``[operators] default_deferrable``.
    """

    def __init__(
        self,
        *,
        duration: float = 0.0,
        interval: float = 300.0,
        if_expired: str = "login",
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.duration = at_least("duration", duration, 0)
        self.interval = at_least("interval", interval, 1)
        if interval > LONGEST_INTERVAL:
            raise ValueError(
                f"interval is {interval:g} s, but Quatrix ends a session after 900 s: give {LONGEST_INTERVAL} or less"
            )
        if if_expired not in ("login", "fail", "skip"):
            raise ValueError(f"if_expired is {if_expired!r}: give 'login', 'fail' or 'skip'")
        self.if_expired = if_expired
        self.deferrable = _deferrable_by_default() if deferrable is None else deferrable

    def execute(self, context: Context) -> None:
        """Ping once, then hold the session if a duration is set."""
        ends_at = time.time() + self.duration
        self._ping()
        if self.duration <= self.interval:
            return
        if self.deferrable:
            from airflow_provider_quatrix.triggers.session import QuatrixKeepaliveTrigger

            self.defer(
                trigger=QuatrixKeepaliveTrigger(
                    self.quatrix_conn_id, ends_at, renew=self.if_expired == "login", poll_interval=self.interval
                ),
                method_name="execute_complete",
            )
        while time.time() + self.interval < ends_at:
            time.sleep(self.interval)
            self._ping()

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """Take note of how holding the session ended."""
        from airflow_provider_quatrix.triggers.base import raise_failure

        if event is not None and event["status"] == "expired":
            self._expired()
        raise_failure(event)

    def _ping(self) -> None:
        from airflow_provider_quatrix.api.errors import QuatrixSessionExpired
        from airflow_provider_quatrix.hooks.failures import told_to_airflow

        with told_to_airflow(self.quatrix_conn_id):
            try:
                self.hook.keepalive(renew=self.if_expired == "login")
            except QuatrixSessionExpired:
                if self.if_expired == "login":
                    raise
                self._expired()

    def _expired(self) -> None:
        from airflow.providers.common.compat.sdk import AirflowFailException

        message = f"The session of connection {self.quatrix_conn_id!r} has ended, or nobody has signed in"
        if self.if_expired == "skip":
            raise AirflowSkipException(message)
        raise AirflowFailException(f"{message}. Put a QuatrixLoginOperator in front, or set if_expired='login'")


class QuatrixLogoutOperator(_QuatrixSessionOperator):
    """Ends the connection's session for all who share it; fine when there is none.

    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    """

    def execute(self, context: Context) -> None:
        """Log out."""
        from airflow_provider_quatrix.hooks.failures import told_to_airflow

        with told_to_airflow(self.quatrix_conn_id):
            self.log.info("Logged out" if self.hook.logout() else "There was no session to end")


class QuatrixUnblockCaptchaOperator(_QuatrixSessionOperator):
    """Hands in a passed CAPTCHA, so that the blocked session works again.

    :param token: proof of the passed CAPTCHA, which works once (templated; masked).
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    """

    template_fields: Sequence[str] = ("quatrix_conn_id", "token")

    def __init__(self, *, token: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.token = token

    def render_template_fields(self, context: Context, *args: Any, **kwargs: Any) -> None:
        """Render as any operator does, and mask the token before Airflow writes down what was rendered."""
        super().render_template_fields(context, *args, **kwargs)
        _mask(self.token)

    def execute(self, context: Context) -> None:
        """Unblock the session."""
        from airflow.providers.common.compat.sdk import AirflowFailException

        from airflow_provider_quatrix.hooks.failures import told_to_airflow

        if not isinstance(self.token, str) or not self.token.strip():
            raise AirflowFailException("token is empty: pass the CAPTCHA and give the token that proves it")
        with told_to_airflow(self.quatrix_conn_id):
            if self.hook.unblock_captcha(self.token.strip()):
                self.log.info("The session is unblocked")
            else:
                self.log.info("Nothing was blocked; the token was not used")


# A ping that comes when the session has ended keeps nothing; some seconds are for the way there.
LONGEST_INTERVAL = 890


def at_least(name: str, value: float, least: float) -> float:
    """Return a number of seconds after checking it.

    :param name: the argument's name.
    :param value: its value.
    :param least: the smallest that makes sense.
    :return: the value.
    :raises ValueError: it is too small or no number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
        raise ValueError(f"{name} is {value!r}: give a number of seconds, {least:g} or more")
    return float(value)


def _mask(secret: str | None) -> None:
    if isinstance(secret, str) and secret:
        from airflow.providers.common.compat.sdk import mask_secret

        mask_secret(secret)
