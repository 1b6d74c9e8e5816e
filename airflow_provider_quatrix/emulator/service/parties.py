"""People in shares: users, contacts and visitors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .accounts import User


@dataclass(frozen=True)
class Party:
    """A sender or a recipient.

    :param id: id of the user or the contact.
    """

    id: str
    email: str
    name: str

    @property
    def key(self) -> str:
        """The e-mail in lower case, which identifies people."""
        return self.email.casefold()

    def as_dict(self) -> dict[str, Any]:
        """Show it as JSON."""
        return {"id": self.id, "email": self.email, "name": self.name}


@dataclass(frozen=True)
class Actor:
    """Who did something, for the activity log.

    :param email: None for a stranger.
    :param user_id: None for a stranger.
    :param address: IP address.
    """

    email: str | None
    name: str | None
    user_id: str | None
    address: str

    @property
    def key(self) -> str | None:
        """The key of the user; None for a stranger."""
        return None if self.email is None else self.email.casefold()


def actor_of(user: User | None, address: str) -> Actor:
    """Return who did something.

    :param user: None for a stranger.
    :param address: IP address.
    """
    if user is None:
        return Actor(None, None, None, address)
    return Actor(user.spec.email, user.name, user.id, address)


def party_of(user: User) -> Party:
    """Return a user as a party."""
    return Party(user.id, user.spec.email, user.name)


@dataclass(frozen=True)
class Visitor:
    """Who makes a call that shares allow to strangers.

    :param user: None for a stranger.
    :param token: identifies somebody who has entered a PIN: session id, key of a user, or token of a guest; None for a
        stranger without one.
    :param address: IP address of the caller.
    """

    user: User | None
    token: str | None
    address: str

    @property
    def actor(self) -> Actor:
        """The visitor, for the activity log."""
        return actor_of(self.user, self.address)

    @property
    def key(self) -> str | None:
        """The key of the user; None for a stranger."""
        return None if self.user is None else self.user.spec.key
