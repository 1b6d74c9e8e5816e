"""The two steps of a login."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import NOT_AUTHORIZED, ApiError, bad_parameter

if TYPE_CHECKING:
    from .accounts import Accounts, User
    from .captcha import Captcha
    from .context import Context
    from .limits import Limits
    from .sessions import Session, Sessions


class Logins:
    """Opens sessions for callers with the right password and second factor."""

    def __init__(
        self, context: Context, accounts: Accounts, sessions: Sessions, captcha: Captcha, limits: Limits
    ) -> None:
        self._context = context
        self._accounts = accounts
        self._sessions = sessions
        self._captcha = captcha
        self._limits = limits

    def login(self, email: str, password: str) -> Session:
        """Take the first step.

        The order is: number of attempts, CAPTCHA block, password. So a blocked user's attempts fill the window too.

        :return: a session; not usable yet unless its stage is ``ready``.
        :raises ApiError: when the login is refused.
        """
        context = self._context
        self._limits.count_login(email.casefold())
        user = self._accounts.find(email)
        if user is None:
            raise self._wrong_password()
        user.logins += 1
        right = user.password_is(password)
        if user.blocked:
            stage = (user.spec.second_factor or "ready") if right else "refused"
            raise self._captcha.refused_login(self._sessions.open(user, stage))
        if not right:
            self._captcha.count_failure(user)
            raise self._wrong_password()
        if user.spec.second_factor is None or not context.settings.captcha_counts_wrong_codes:
            user.failed_logins = 0
        session = self._sessions.open(user, user.spec.second_factor or "ready")
        if session.stage == "ready":
            context.counters.sessions_opened += 1
        else:
            context.counters.second_factor_asked += 1
        return session

    def _wrong_password(self) -> ApiError:
        self._context.counters.rejected_logins += 1
        return ApiError(401, self._context.settings.wrong_password_code, NOT_AUTHORIZED)

    def second_factor(self, session_id: str | None, auth_type: object, code: object) -> Session:
        """Take the second step.

        :param auth_type: ``2FA`` or ``PIN``, whichever the first step asked for.
        :param code: the TOTP code or the PIN.
        :return: the session, usable now.
        :raises ApiError: when the code is refused, or nothing waits for one.
        """
        session = self._sessions.require(session_id)
        if self._captcha.is_blocked(session):
            raise self._captcha.refused_call()
        if session.stage not in ("2FA", "PIN"):
            raise self._sessions.unauthorized("No second factor is awaited")
        if auth_type != session.stage:
            raise bad_parameter("auth_type")
        if not isinstance(code, str) or not code:
            raise bad_parameter("code")
        self._check_code(session, code)
        session.user.failed_logins = 0
        session.stage = "ready"
        self._context.counters.sessions_opened += 1
        if self._context.settings.second_factor_new_id:
            self._sessions.renew_id(session)
        self._sessions.touch(session)
        return session

    def _check_code(self, session: Session, code: str) -> None:
        settings, counters, user = self._context.settings, self._context.counters, session.user
        counters.codes_received += 1
        if session.stage == "PIN":
            right, wrong_code = user.pin_is(code), settings.wrong_pin_code
        else:
            right, wrong_code = self._is_new_totp(user, code), settings.wrong_totp_code
        if not right:
            counters.wrong_codes += 1
            if settings.captcha_counts_wrong_codes:
                self._captcha.count_failure(user)
            raise ApiError(401, wrong_code, "Wrong code")

    def _is_new_totp(self, user: User, code: str) -> bool:
        if user.seen_code(code):
            self._context.counters.totp_replays += 1
            return False
        return user.totp_is(code)
