"""Who makes a call, by session or API key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ApiError
from .sessions import Caller

if TYPE_CHECKING:
    from .accounts import Accounts, User
    from .captcha import Captcha
    from .context import Context
    from .sessions import Sessions


class Authentication:
    """Finds the caller of a call. An API key counts before a session id."""

    def __init__(self, context: Context, accounts: Accounts, sessions: Sessions, captcha: Captcha) -> None:
        self._context = context
        self._accounts = accounts
        self._sessions = sessions
        self._captcha = captcha

    def require(self, session_id: str | None, api_key: str | None, call: str, *, transfer: bool = False) -> Caller:
        """Find out who makes a call, and keep their session alive.

        :param call: the path below ``/api/1.0/``.
        :param transfer: whether the call moves file content.
        :raises ApiError: when there is no usable session or key.
        """
        if api_key is not None:
            return Caller(self._key_user(api_key), None)
        settings, session = self._context.settings, self._sessions.require(session_id)
        if self._captcha.is_blocked(session) and (call not in settings.captcha_exempt or session.stage == "refused"):
            raise self._captcha.refused_call()
        if session.stage == "2FA":
            raise ApiError(401, settings.mfa_code_2fa or 71, "Second factor required")
        if session.stage == "PIN":
            raise ApiError(401, settings.mfa_code_pin or 73, "PIN required")
        if not transfer or settings.transfers_refresh:
            self._sessions.touch(session)
        return Caller(session.user, session)

    def recognise(self, session_id: str | None, api_key: str | None) -> Caller | None:
        """Find out who moves file content in a call that needs no credentials, and keep their session alive.

        :return: the caller; None without a usable session or key.
        """
        if api_key is not None:
            user = self._accounts.user_of_key(api_key)
            return Caller(user, None) if user else None
        session = self._sessions.find(session_id)
        if session is None or session.stage != "ready" or self._captcha.is_blocked(session):
            return None
        if self._context.settings.transfers_refresh:
            self._sessions.touch(session)
        return Caller(session.user, session)

    def logout(self, session_id: str | None, api_key: str | None) -> Caller | None:
        """End a session; also a waiting or blocked one. With an API key nothing ends.

        :return: who it was; None when there was no session.
        :raises ApiError: for an unknown key, or when logout is not exempt from a block.
        """
        if api_key is not None:
            return Caller(self._key_user(api_key), None)
        session = self._sessions.find(session_id)
        if session is None:
            return None
        if self._captcha.is_blocked(session) and "session/logout" not in self._context.settings.captcha_exempt:
            raise self._captcha.refused_call()
        self._context.counters.logouts += 1
        self._sessions.end(session)
        return Caller(session.user, session)

    def _key_user(self, api_key: str) -> User:
        user = self._accounts.user_of_key(api_key)
        if user is None:
            raise self._sessions.unauthorized()
        if user.blocked and self._context.settings.captcha_blocks_api_keys:
            raise self._captcha.refused_call()
        return user
