"""What is kept of a connection's session between tasks, and the pure decisions over it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.models import SessionState, SessionStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_quatrix.sessions.seal import Seal

# The service allows 15 logins of a user in 15 minutes; people who sign in by hand need some of them.
LOGIN_LIMIT = 12
LOGIN_WINDOW = 900.0
# While an account is blocked and its blocked session is gone, only another login can tell that it is free again.
BLOCKED_LOGIN_INTERVAL = 300.0
# Session ids last 15 minutes from their last use, so a last use that is a few minutes off harms nobody.
USE_WRITE_INTERVAL = 180.0
# How far ahead the clock of another host may be before its login times look like nonsense.
CLOCK_SKEW = 60.0


@dataclass(frozen=True)
class SessionRecord:
    """A connection's session.

    :param status: what is known of the session.
    :param session_id: the open or blocked session; ``None`` where there is none.
    :param obtained: Unix time of the login.
    :param last_used: Unix time of a recent use.
    :param reason: why the credentials were refused; or what blocks the account, if that is no CAPTCHA.
    :param wants_factor: they were refused for want of a second factor.
    :param last_login: Unix time of the last login attempt.
    :param last_probe: Unix time at which a block was last seen to be there.
    :param totp_step: step of the last TOTP code sent.
    :param attempts: Unix times of recent login attempts.
    """

    status: SessionStatus = SessionStatus.NONE
    session_id: str | None = field(default=None, repr=False)
    obtained: float | None = None
    last_used: float | None = None
    reason: str = ""
    wants_factor: bool = False
    last_login: float | None = None
    last_probe: float | None = None
    totp_step: int | None = None
    attempts: tuple[float, ...] = ()

    def opened(self, session_id: str, now: float) -> SessionRecord:
        """Return the record of a session that works."""
        return replace(
            self,
            status=SessionStatus.OPEN,
            session_id=session_id,
            obtained=now if session_id != self.session_id or self.obtained is None else self.obtained,
            last_used=now,
            reason="",
            wants_factor=False,
        )

    def blocked(self, session_id: str | None, now: float, reason: str = "") -> SessionRecord:
        """Return the record of a session that waits for a CAPTCHA, or for another block that has a reason."""
        return replace(self, status=SessionStatus.BLOCKED, session_id=session_id, last_probe=now, reason=reason)

    def rejected(self, reason: str, *, wants_factor: bool = False) -> SessionRecord:
        """Return the record of credentials that must not be tried again."""
        return replace(self, status=SessionStatus.REJECTED, session_id=None, reason=reason, wants_factor=wants_factor)

    def ended(self) -> SessionRecord:
        """Return the record without a session; what was attempted stays known."""
        return SessionRecord(attempts=self.attempts, totp_step=self.totp_step, last_login=self.last_login)

    def state(self, now: float) -> SessionState:
        """Return what may be shown of the record."""
        return SessionState(self.status, self.obtained, self.last_used, len(recent_attempts(self.attempts, now)))


def recent_attempts(attempts: Iterable[float], now: float) -> tuple[float, ...]:
    """Return the attempts that still count, in order, each once.

    :param attempts: Unix times, perhaps of several sources.
    :param now: the present.
    :return: those of the last 15 minutes.
    """
    return tuple(sorted({moment for moment in attempts if now - LOGIN_WINDOW < moment <= now + CLOCK_SKEW}))


def wait_for_budget(attempts: Iterable[float], now: float) -> float:
    """Return the seconds until another login attempt is allowed, 0 if it is now."""
    counted = recent_attempts(attempts, now)
    if len(counted) < LOGIN_LIMIT:
        return 0.0
    return counted[-LOGIN_LIMIT] + LOGIN_WINDOW - now


def may_login_while_blocked(record: SessionRecord, now: float) -> bool:
    """Tell whether a blocked account may be tried with a login: its session is gone, and the last try long ago."""
    return record.session_id is None and (
        record.last_login is None or now - record.last_login >= BLOCKED_LOGIN_INTERVAL
    )


def pack(record: SessionRecord, seal: Seal) -> str:
    """Return a record as text, sealed.

    The times of login attempts and the last TOTP step stay outside the seal: they say nothing secret, and they
    must outlive a change of password, as the service counts logins per user and no code may be sent twice.

    :param record: the record.
    :param seal: the connection's.
    :return: JSON.
    """
    members = asdict(record) | {"status": record.status.value}
    outer = {"attempts": list(members.pop("attempts")), "totp_step": members.pop("totp_step")}
    return json.dumps(outer | {"sealed": seal.close(json.dumps(members))})


def unpack(text: str | None, seal: Seal) -> SessionRecord:
    """Read a packed record.

    :param text: what the store holds, ``None`` for nothing.
    :param seal: the connection's.
    :return: the record; without a session where the seal is another's, the text is no record, or another version
        of this package wrote it.
    """
    try:
        outer = json.loads(text or "{}")
        step = outer.get("totp_step")
        void = SessionRecord(
            attempts=tuple(float(moment) for moment in outer.get("attempts", ())),
            totp_step=None if step is None else int(step),
        )
        inner = seal.open(str(outer.get("sealed", "")))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return SessionRecord()
    if inner is None:
        return void
    try:
        members = json.loads(inner)
        return replace(void, **(members | {"status": SessionStatus(members["status"])}))
    except (KeyError, TypeError, ValueError):
        return void
