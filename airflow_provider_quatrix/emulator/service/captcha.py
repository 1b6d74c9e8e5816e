"""CAPTCHA blocks: what they refuse, and how they are lifted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import ApiError, bad_parameter

if TYPE_CHECKING:
    from .accounts import User
    from .context import Context
    from .sessions import Session, Sessions


class Captcha:
    """The blocks of users and of single sessions."""

    def __init__(self, context: Context, sessions: Sessions) -> None:
        self._context = context
        self._sessions = sessions
        self._used_tokens: set[str] = set()

    def clear(self) -> None:
        """Forget which tokens were used."""
        self._used_tokens.clear()

    def is_blocked(self, session: Session) -> bool:
        """Return whether a session waits for a CAPTCHA, by its own block or its user's."""
        covers = session.by_refusal or self._context.settings.captcha_blocks_live_sessions
        return session.blocked or (session.user.blocked and covers)

    def refused_login(self, session: Session) -> ApiError:
        """Make and count the refusal of a blocked login, which returns a session for lifting the block."""
        session.by_refusal = True
        self._context.counters.captcha_logins += 1
        return self._refusal(session.id)

    def refused_call(self) -> ApiError:
        """Make and count the refusal of a blocked call."""
        self._context.counters.captcha_refusals += 1
        return self._refusal()

    def _refusal(self, session_id: str | None = None) -> ApiError:
        settings = self._context.settings
        details: dict[str, Any] | None = None
        if settings.captcha_details:
            details = {"captcha_required": True}
            if session_id is not None:
                details["session_id"] = session_id
        headers = {"X-Auth-Token": session_id} if session_id is not None and settings.captcha_header else None
        return ApiError(settings.captcha_status, settings.captcha_code, settings.captcha_msg, details, headers)

    def count_failure(self, user: User) -> None:
        """Count a failed login; too many in a row block the user."""
        user.failed_logins += 1
        limit = self._context.settings.captcha_after_failures
        if limit is not None and user.failed_logins >= limit:
            self.block_user(user)

    def block_user(self, user: User) -> None:
        """Block a user until a CAPTCHA is passed."""
        if not user.blocked:
            self._context.counters.captcha_blocks += 1
            user.blocked = True

    def block_session(self, session: Session) -> None:
        """Block one session until a CAPTCHA is passed; its user can still log in."""
        if not session.blocked:
            self._context.counters.captcha_blocks += 1
            session.blocked = True

    def unblock_user(self, user: User) -> None:
        """Lift the block of a user and of all their sessions, as a person does who passes the CAPTCHA."""
        for session in self._sessions.of(user):
            self._free(session)
        self._free_user(user)

    def unblock_session(self, session: Session) -> None:
        """Lift the block of one session and of its user, as ``session/unblock-captcha`` does."""
        self._free(session)
        self._free_user(session.user)

    def pass_captcha(self, session_id: str | None, token: object) -> bool:
        """Try a CAPTCHA token; the right one lifts the block.

        :return: whether it was right.
        :raises ApiError: without a session, or for a token that cannot be one.
        """
        session = self._sessions.require(session_id)
        settings, counters = self._context.settings, self._context.counters
        if not isinstance(token, str) or not token:
            raise bad_parameter("token")
        if token not in settings.captcha_tokens or token in self._used_tokens:
            counters.captcha_rejected += 1
            return False
        if settings.captcha_token_once:
            self._used_tokens.add(token)
        counters.captcha_passed += 1
        self._sessions.touch(session)
        self.unblock_session(session)
        return True

    def _free(self, session: Session) -> None:
        if self.is_blocked(session) and self._context.settings.captcha_unblock_ends_session:
            self._sessions.end(session)
        session.blocked = False

    def _free_user(self, user: User) -> None:
        user.blocked = False
        user.failed_logins = 0
        for session in self._sessions.of(user):
            if not session.by_refusal:
                continue
            if session.stage == "refused":
                self._sessions.end(session)
                continue
            session.by_refusal = False
            if session.stage == "ready":
                self._context.counters.sessions_opened += 1
