"""Operators around a connection's session: sign in, keep it alive, pass a CAPTCHA, end it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowSkipException, conf

from airflow_provider_quatrix.links.quatrix import CAPTCHA, show_block, showing_block
from airflow_provider_quatrix.operators.base import QuatrixOperator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_quatrix.hooks.signatures import QuatrixArguments


def _deferrable_by_default() -> bool:
    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


class _QuatrixSessionOperator(QuatrixOperator):
    """Base of the session operators."""

    operator_extra_links = (CAPTCHA,)
    secret_fields: ClassVar[tuple[str, ...]] = ()

    def _do_render_template_fields(self, *args: Any, **kwargs: Any) -> None:
        """Render as any operator does, and mask the secrets before Airflow stores the rendered fields.

        Unlike ``render_template_fields``, this is called for mapped tasks too.
        """
        from airflow_provider_quatrix.hooks.masking import mask_secret

        super()._do_render_template_fields(*args, **kwargs)
        for name in self.secret_fields:
            if secret := as_text(getattr(self, name)):
                mask_secret(secret)


class QuatrixLoginOperator(_QuatrixSessionOperator):
    """Signs in once for all tasks that use the connection afterwards; does nothing if a session works already.

    If a login task runs first, the connection signs in exactly once, however many tasks and workers follow.

    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :param mfa_code: second factor for this login, if the connection has none (templated; masked).
    :param wait_for_captcha: wait while the account is blocked by a CAPTCHA, without any login, instead of failing.
    :param poll_interval: seconds (or a timedelta) between checks of the block, at least 1; default 60.
    :param captcha_timeout: seconds (or a timedelta) to wait for a person; default a day.
    :param deferrable: wait in the triggerer; default from ``[operators] default_deferrable``.
    :return: the session without its id: ``{"status", "obtained", "last_used", "login_attempts"}``.
    """

    template_fields: Sequence[str] = ("quatrix_conn_id", "mfa_code")
    secret_fields = ("mfa_code",)

    def __init__(
        self,
        *,
        mfa_code: str | None = None,
        wait_for_captcha: bool = False,
        poll_interval: timedelta | float = 60.0,
        captcha_timeout: timedelta | float = 86_400.0,
        deferrable: bool | None = None,
        **kwargs: Unpack[QuatrixArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.mfa_code = mfa_code
        self.wait_for_captcha = wait_for_captcha
        self.poll_interval = at_least("poll_interval", poll_interval, 1)
        self.captcha_timeout = at_least("captcha_timeout", captcha_timeout, 1)
        self.deferrable = _deferrable_by_default() if deferrable is None else deferrable

    def execute(self, context: Context) -> dict[str, Any]:
        """Sign in, or wait until a login is possible."""
        from airflow_provider_quatrix.api.errors import QuatrixCaptchaRequired
        from airflow_provider_quatrix.hooks.failures import airflow_errors

        with airflow_errors(self.quatrix_conn_id):
            try:
                return self._login()
            except QuatrixCaptchaRequired:
                show_block(self, context)
                if not self.wait_for_captcha:
                    raise
        if self.deferrable:
            self._defer()
        self._wait()
        show_block(self, context, is_blocked=False)
        with airflow_errors(self.quatrix_conn_id):
            return self._login()

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Sign in after the block was lifted."""
        from airflow_provider_quatrix.hooks.failures import airflow_errors
        from airflow_provider_quatrix.hooks.waiting import raise_failure

        raise_failure(event)
        CAPTCHA.write(self, context, "", at_once=True)
        with airflow_errors(self.quatrix_conn_id):
            return self._login()

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume as any operator does; the message of a timeout says what the task waited for."""
        from airflow.providers.common.compat.sdk import AirflowException

        from airflow_provider_quatrix.hooks.waiting import timed_out

        if timed_out(next_kwargs):
            raise AirflowException(self._in_vain())
        return super().resume_execution(next_method, next_kwargs, context)

    def _in_vain(self) -> str:
        from airflow_provider_quatrix.hooks.wait_log import of_captcha

        return (
            f"Nobody has passed the CAPTCHA within {self.captcha_timeout:g} s. It waited for "
            f"{of_captcha(self.hook.settings)}"
        )

    def _login(self) -> dict[str, Any]:
        state = self.hook.login(as_text(self.mfa_code) or None)
        return {**state, "status": state.status.value}

    def _defer(self) -> None:
        from airflow_provider_quatrix.triggers.captcha import QuatrixCaptchaTrigger

        self.defer(
            trigger=QuatrixCaptchaTrigger(self.quatrix_conn_id, self.poll_interval),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.captcha_timeout),
        )

    def _wait(self) -> None:
        from airflow.providers.common.compat.sdk import AirflowException

        from airflow_provider_quatrix.hooks.wait_log import STILL_BLOCKED, WaitLog, of_captcha
        from airflow_provider_quatrix.hooks.waiting import Watch

        watch = Watch(self.quatrix_conn_id, self.poll_interval, max_failures=10)
        wait_log = WaitLog()
        ends = time.monotonic() + self.captcha_timeout
        while not watch.poll(lambda: not self.hook.captcha_blocked(max_age=self.poll_interval / 2)):
            wait_log.write(of_captcha(self.hook.settings), STILL_BLOCKED)
            left = ends - time.monotonic()
            if left <= 0:
                raise AirflowException(self._in_vain())
            time.sleep(min(self.poll_interval, left))


class QuatrixKeepaliveOperator(_QuatrixSessionOperator):
    """Keeps a session alive: by one ping, or by a ping every few minutes while other tasks work.

    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :param duration: how long to keep the session alive, in seconds or as a timedelta; default 0, a single ping. The
        task ends with its last ping, which may be up to ``interval`` before that time.
    :param interval: seconds (or a timedelta) between pings, from 1 to 890, as a session ends after 15 minutes;
        default 300.
    :param if_expired: what to do if there is no session or it has ended: ``login`` (default), ``fail`` or ``skip``.
    :param deferrable: keep it alive from the triggerer; default from ``[operators] default_deferrable``.
    """

    def __init__(
        self,
        *,
        duration: timedelta | float = 0.0,
        interval: timedelta | float = 300.0,
        if_expired: str = "login",
        deferrable: bool | None = None,
        **kwargs: Unpack[QuatrixArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.duration = at_least("duration", duration, 0)
        self.interval = at_least("interval", interval, 1)
        if self.interval > LONGEST_INTERVAL:
            raise ValueError(
                f"interval is {self.interval:g} s, but Quatrix ends a session after 900 s: "
                f"give {LONGEST_INTERVAL} or less"
            )
        if if_expired not in ("login", "fail", "skip"):
            raise ValueError(f"if_expired is {if_expired!r}: give 'login', 'fail' or 'skip'")
        self.if_expired = if_expired
        self.deferrable = _deferrable_by_default() if deferrable is None else deferrable

    def execute(self, context: Context) -> None:
        """Ping once, then keep the session alive if a duration is set."""
        from airflow_provider_quatrix.hooks.failures import airflow_errors

        ends_at = time.time() + self.duration
        with airflow_errors(self.quatrix_conn_id), showing_block(self, context):
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
        from airflow_provider_quatrix.hooks.waiting import Watch

        watch = Watch(self.quatrix_conn_id, self.interval, max_failures=10)
        while time.time() + self.interval < ends_at:
            time.sleep(self.interval)
            watch.poll(self._ping)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """End the task with the outcome of the trigger."""
        from airflow_provider_quatrix.hooks.waiting import raise_failure

        if event is not None and event["status"] == "expired":
            self._expired()
        raise_failure(event)

    def _ping(self) -> None:
        from airflow_provider_quatrix.api.errors import QuatrixSessionExpired

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
            raise AirflowSkipException(message) from None
        raise AirflowFailException(
            f"{message}. Put a QuatrixLoginOperator in front, or set if_expired='login'"
        ) from None


class QuatrixLogoutOperator(_QuatrixSessionOperator):
    """Ends the connection's session for all who share it; fine when there is none.

    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    """

    def __init__(self, **kwargs: Unpack[QuatrixArguments]) -> None:
        super().__init__(**kwargs)

    def execute(self, context: Context) -> None:
        """Log out."""
        from airflow_provider_quatrix.hooks.failures import airflow_errors

        with airflow_errors(self.quatrix_conn_id):
            self.log.info("Logged out" if self.hook.logout() else "There was no session to end")


class QuatrixUnblockCaptchaOperator(_QuatrixSessionOperator):
    """Submits the token of a passed CAPTCHA, so that the blocked session works again.

    :param token: proof of the passed CAPTCHA, which works once (templated; masked).
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    """

    template_fields: Sequence[str] = ("quatrix_conn_id", "token")
    secret_fields = ("token",)

    def __init__(self, *, token: str, **kwargs: Unpack[QuatrixArguments]) -> None:
        super().__init__(**kwargs)
        self.token = token

    def execute(self, context: Context) -> None:
        """Unblock the session."""
        from airflow.providers.common.compat.sdk import AirflowFailException

        from airflow_provider_quatrix.hooks.failures import airflow_errors

        token = as_text(self.token)
        if not token:
            raise AirflowFailException("token is empty: pass the CAPTCHA and give the token that proves it")
        with airflow_errors(self.quatrix_conn_id):
            if self.hook.unblock_captcha(token):
                self.log.info("The session is unblocked")
            else:
                self.log.info("Nothing was blocked; the token was not used")


# A ping after the session has ended is useless. The seconds that are left are for the way to the service.
LONGEST_INTERVAL = 890


# Airflow cannot add more to the present time.
_LONGEST = timedelta(days=36_500).total_seconds()


def at_least(name: str, value: timedelta | float, least: float) -> float:
    """Check a number of seconds.

    :raises ValueError: it is too small, infinite or not a number.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not least <= seconds <= _LONGEST:
        raise ValueError(f"{name} is {value!r}: give a number of seconds, {least:g} or more")
    return float(seconds)


def as_text(value: object) -> str:
    """Return a rendered field as text. With native rendering, a code of digits is a number.

    :return: the text without blanks around it, empty for ``None``.
    """
    return "" if value is None else str(value).strip()
