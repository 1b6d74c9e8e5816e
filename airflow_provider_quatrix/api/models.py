"""What the API answers, as typed values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class SessionStatus(Enum):
    """What is known of a connection's session."""

    NONE = "none"
    """No session is kept; the next call signs in."""
    OPEN = "open"
    """Signed in."""
    BLOCKED = "blocked"
    """A person has to pass a CAPTCHA first."""
    REJECTED = "rejected"
    """The credentials were refused; nobody signs in until the connection changes."""
    API_KEY = "api_key"
    """The connection has an API key, so there is no session."""


@dataclass(frozen=True)
class SessionState:
    """A connection's session, without anything secret.

    :param status: what is known of it.
    :param obtained: Unix time of the login, ``None`` without a session.
    :param last_used: Unix time of the last use that was written down, accurate to a few minutes.
    :param login_attempts: attempts in the last 15 minutes.
    """

    status: SessionStatus
    obtained: float | None = None
    last_used: float | None = None
    login_attempts: int = 0


@dataclass(frozen=True)
class Profile:
    """The signed-in user, from ``GET profile``.

    :param id: user id.
    :param email: e-mail address, which is the login.
    :param name: display name.
    :param home_id: id of the home folder.
    :param is_contact: a mere recipient, who may not use the account's files.
    :param raw: the whole answer.
    """

    id: str
    email: str
    name: str
    home_id: str
    is_contact: bool
    raw: dict[str, Any]

    @classmethod
    def from_answer(cls, body: dict[str, Any]) -> Profile:
        """Read the answer; absent members become empty."""
        return cls(
            id=str(body.get("id") or ""),
            email=str(body.get("email") or ""),
            name=str(body.get("name") or ""),
            home_id=str(body.get("home_id") or ""),
            is_contact=bool(body.get("is_contact")),
            raw=body,
        )


@dataclass(frozen=True)
class Quota:
    """Storage in bytes, from ``GET profile/info``.

    :param user_used: used by this user.
    :param user_limit: allowed to this user, ``None`` where only the account is limited.
    :param account_used: used by the whole account.
    :param account_limit: allowed to the account, ``None`` without a limit.
    """

    user_used: int
    user_limit: int | None
    account_used: int
    account_limit: int | None

    @property
    def free(self) -> int | None:
        """Bytes that still fit, ``None`` without any limit."""
        left = [
            limit - used
            for limit, used in (
                (self.user_limit, self.user_used),
                (self.account_limit, self.account_used),
            )
            if limit is not None
        ]
        return max(0, min(left)) if left else None

    @classmethod
    def from_answer(cls, body: dict[str, Any]) -> Quota:
        """Read the answer; a limit of -1 means none."""

        def limit(name: str) -> int | None:
            value = body.get(name)
            return None if value is None or value < 0 else int(value)

        return cls(
            user_used=int(body.get("user_used") or 0),
            user_limit=limit("user_limit"),
            account_used=int(body.get("acc_used") or 0),
            account_limit=limit("acc_limit"),
        )
