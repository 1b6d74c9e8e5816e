"""Quicklinks: public shares without recipients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .errors import not_found
from .parties import party_of
from .shares import LONGEST_SUBJECT, Share
from .texts import checked_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .accounts import User
    from .context import Context
    from .shares import Shares

DAY_SECONDS = 86400.0


@dataclass(frozen=True)
class NewQuicklink:
    """A quicklink as a call describes it."""

    files: Sequence[str]
    subject: str = ""
    pin: str | None = field(default=None, repr=False)
    notify: bool = True


class Quicklinks:
    """Makes quicklinks, which are kept among the shares."""

    def __init__(self, context: Context, shares: Shares) -> None:
        self._context = context
        self._shares = shares

    def create(self, user: User, wanted: NewQuicklink, address: str) -> Share:
        """Make a quicklink.

        :param address: IP address of the caller.
        :raises ApiError: when the description is invalid; then nothing has changed.
        """
        now, days = self._context.now, self._context.settings.quicklink_days
        share_type = self._shares.checked_type(user, "P")
        subject = checked_text("subject", wanted.subject, 0, LONGEST_SUBJECT)
        files = self._shares.shared_files(user, wanted.files, None)
        first = files[0].node
        share = Share(
            "quicklink",
            user.spec.key,
            party_of(user),
            share_type,
            first.parent or first,
            now,
            now,
            0 if days is None else now + days * DAY_SECONDS,
            files=files,
            subject=subject,
            pin=wanted.pin,
            notify=wanted.notify,
        )
        self._shares.add(share)
        self._shares.log(share, "created-link", address)
        return share

    def get(self, share_id: str) -> Share:
        """Find a quicklink.

        :raises ApiError: 404 when there is none; another kind of share does not count.
        """
        share = self._shares.get(share_id)
        if share.kind != "quicklink":
            raise not_found("quicklink")
        return share
