"""Who may open a share: types of shares, PINs, and shares that are closed."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from .accounts import same_text
from .errors import DEACTIVATED, EXPIRED, INACTIVE, RESTRICTED, ApiError

if TYPE_CHECKING:
    from .context import Context
    from .parties import Visitor
    from .sessions import Sessions
    from .shares import Share


class ShareAccess:
    """Decides who may open a share, and remembers who has entered its PIN."""

    def __init__(self, context: Context, sessions: Sessions) -> None:
        self._context = context
        self._sessions = sessions
        self._opened: dict[str, set[str]] = {}
        self._guests: set[str] = set()

    def clear(self) -> None:
        """Forget who has entered which PIN."""
        self._opened.clear()
        self._guests.clear()

    def is_guest(self, token: str | None) -> bool:
        """Whether a stranger who entered a PIN has received this token."""
        return token in self._guests

    def check_visitor(self, share: Share, visitor: Visitor, *, signed_in: bool = False) -> None:
        """Make sure that the type of a share allows somebody to see it.

        :param signed_in: whether strangers are refused for public shares too.
        :raises ApiError: 401 for a stranger, 403 for the wrong user.
        """
        if visitor.key is None:
            if share.share_type != "P" or signed_in:
                raise self._sessions.unauthorized()
            return
        is_owner = visitor.key == share.sender.key and self._context.settings.owner_reads_share
        if share.share_type == "C" and not is_owner and not share.is_for(visitor.key):
            raise ApiError(self._context.settings.permission_status, RESTRICTED, "No permission")

    def check_open(self, share: Share) -> None:
        """Make sure that a share is active.

        :raises ApiError: when it is revoked, expired or not active yet.
        """
        status, now = self._context.settings.closed_share_status, self._context.now
        if share.revoked:
            raise ApiError(status, DEACTIVATED, "The share is revoked")
        if share.is_expired(now):
            raise ApiError(status, EXPIRED, "The share is expired")
        if share.activates > now:
            raise ApiError(status, INACTIVE, "The share is not active yet")

    def check(self, share: Share, visitor: Visitor, *, signed_in: bool = False) -> None:
        """Make sure that somebody may open a share now.

        :param signed_in: whether strangers are refused for public shares too.
        :raises ApiError: when it belongs to somebody else or is closed, or its PIN was not entered.
        """
        self.check_visitor(share, visitor, signed_in=signed_in)
        self.check_open(share)
        if share.pin is not None and not self._opened.get(share.id, set()) & self._names(visitor):
            raise ApiError(401, self._context.settings.share_pin_code, "PIN required")

    def login_pin(self, share: Share, visitor: Visitor, pin: str) -> str | None:
        """Enter the PIN of a share.

        :return: a token for a stranger, who must send it with further calls; None for others.
        :raises ApiError: when the share belongs to somebody else or is closed, or the PIN is wrong.
        """
        self.check_visitor(share, visitor)
        self.check_open(share)
        if share.pin is not None and not same_text(pin, share.pin):
            raise ApiError(401, self._context.settings.wrong_pin_code, "Wrong PIN")
        token = None
        names = self._names(visitor)
        if not names:
            token = str(uuid.uuid4())
            self._guests.add(token)
            names = {token}
        self._opened.setdefault(share.id, set()).update(names)
        return token

    def _names(self, visitor: Visitor) -> set[str]:
        if visitor.token is not None:
            return {visitor.token}
        return {visitor.address} if self._context.settings.share_pin_guest == "address" else set()
