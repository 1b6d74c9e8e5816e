"""How sessions begin, age and end."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .errors import NOT_AUTHORIZED, ApiError, UnknownObjectError

if TYPE_CHECKING:
    from .accounts import User
    from .context import Context

Stage = Literal["ready", "2FA", "PIN", "refused"]


@dataclass
class Session:
    """A session, live or waiting for something.

    :param id: what the client sends as ``X-Auth-Token``.
    :param stage: ``ready``; ``2FA`` or ``PIN`` while the second factor is missing; ``refused`` when a blocked login
        with a wrong password returned it.
    :param last_used: when a call was last accepted on it.
    :param by_refusal: whether a blocked login returned it and the block has not been lifted since.
    :param blocked: whether this one session waits for a CAPTCHA.
    """

    id: str = field(repr=False)
    user: User
    stage: Stage
    created: float
    last_used: float
    by_refusal: bool = False
    blocked: bool = False


@dataclass(frozen=True)
class Caller:
    """Who makes a call.

    :param session: None when an API key was used.
    """

    user: User
    session: Session | None


class Sessions:
    """The sessions of all users."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._by_id: dict[str, Session] = {}

    def clear(self) -> None:
        """Forget all sessions."""
        self._by_id.clear()

    def all(self) -> list[Session]:
        """List the sessions that have not expired, oldest first."""
        return [session for session_id in list(self._by_id) if (session := self.find(session_id))]

    def of(self, user: User) -> list[Session]:
        """List the sessions of a user, oldest first."""
        return [session for session in self._by_id.values() if session.user is user]

    def find(self, session_id: str | None) -> Session | None:
        """Find a session that has not expired."""
        session = self._by_id.get(session_id or "")
        if session is not None and self.idle_left(session) <= 0:
            self._context.counters.sessions_expired += 1
            self.end(session)
            return None
        return session

    def require(self, session_id: str | None) -> Session:
        """Find the session of a call.

        :raises ApiError: 401 when there is none.
        """
        session = self.find(session_id)
        if session is None:
            raise self.unauthorized()
        return session

    def named(self, session_id: str) -> Session:
        """Find the session of a control call.

        :raises UnknownObjectError: when there is none.
        """
        session = self.find(session_id)
        if session is None:
            raise UnknownObjectError("No such session")
        return session

    def unauthorized(self, msg: str = NOT_AUTHORIZED) -> ApiError:
        """Make and count the refusal of a call without a usable session or key."""
        self._context.counters.unauthorized += 1
        return ApiError(401, self._context.settings.unauthorized_code, msg)

    def open(self, user: User, stage: Stage) -> Session:
        """Open a session; the user's oldest ends if there would be too many."""
        self.all()
        now, limit = self._context.clock.now(), self._context.settings.max_sessions
        if limit is not None and stage != "refused":
            own = [session for session in self.of(user) if session.stage != "refused"]
            for oldest in own[: len(own) - limit + 1]:
                self.end(oldest)
        session = Session(str(uuid.uuid4()), user, stage, created=now, last_used=now)
        self._by_id[session.id] = session
        return session

    def renew_id(self, session: Session) -> None:
        """Give a session another id."""
        self.end(session)
        session.id = str(uuid.uuid4())
        self._by_id[session.id] = session

    def touch(self, session: Session) -> None:
        """Record that a session was used just now."""
        session.last_used = self._context.clock.now()

    def idle_left(self, session: Session) -> float:
        """Return how many seconds a session lasts if nobody uses it."""
        settings, now = self._context.settings, self._context.clock.now()
        left = session.last_used + settings.idle_seconds - now
        if settings.max_age_seconds is not None:
            left = min(left, session.created + settings.max_age_seconds - now)
        return left

    def end(self, session: Session) -> None:
        """End a session."""
        del self._by_id[session.id]

    def expire(self, session: Session) -> None:
        """End one session as if its time had run out."""
        self.end(session)
        self._context.counters.sessions_expired += 1

    def expire_all(self, user: User | None = None) -> int:
        """End sessions as if their time had run out.

        :param user: whose; None for all.
        :return: how many there were.
        """
        ended = list(self._by_id.values()) if user is None else self.of(user)
        for session in ended:
            self.end(session)
        self._context.counters.sessions_expired += len(ended)
        return len(ended)
