"""What users see of shares, downloads and the activity log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import RESTRICTED, ApiError, not_found
from .paging import page_of

if TYPE_CHECKING:
    from .accounts import Accounts, User
    from .activity import Activity, Entry
    from .context import Context
    from .paging import Page
    from .shares import Share, SharedFile, Shares

DAY_SECONDS = 86400


class Tracking:
    """Shows users what they may see: their own entries, or, depending on the settings, those of the whole account."""

    def __init__(self, context: Context, accounts: Accounts, shares: Shares, activity: Activity) -> None:
        self._context = context
        self._accounts = accounts
        self._shares = shares
        self._activity = activity

    def _sees_all(self) -> bool:
        return self._context.settings.tracking_scope == "account"

    def _check_manages(self, user: User, user_id: str) -> None:
        others = {other.id for other in self._accounts.users}
        if user_id not in others:
            raise not_found("user")
        if user_id != user.id and not self._sees_all():
            raise ApiError(self._context.settings.permission_status, RESTRICTED, "No permission")

    def shares(self, user: User, user_id: str | None, date: float | None) -> list[Share]:
        """List shares, newest first.

        :param user_id: whose; None for those of all users that the caller manages.
        :param date: since when they were made, or on which day; None for all.
        :raises ApiError: 404 or 403 for a user that the caller does not manage.
        """
        if user_id is not None:
            self._check_manages(user, user_id)
        elif not self._sees_all():
            user_id = user.id
        found = [share for share in self._shares.all() if user_id is None or share.sender.id == user_id]
        if date is not None and self._context.settings.tracking_date == "day":
            found = [share for share in found if share.created // DAY_SECONDS == date // DAY_SECONDS]
        elif date is not None:
            found = [share for share in found if int(share.created) >= date]
        return found[::-1]

    def files(self, user: User, share_id: str) -> list[SharedFile]:
        """List the files of a share, also those that are gone.

        :raises ApiError: 404 for an unknown share, 403 for one of a user that the caller does not manage.
        """
        share = self._shares.get(share_id) if self._sees_all() else self._shares.own(user, share_id)
        self._shares.present(share)
        return share.files

    def shared_file(self, user: User, file_id: str) -> SharedFile:
        """Find a shared file.

        :raises ApiError: 404 for an unknown one, 403 for one of a user that the caller does not manage.
        """
        for share in self._shares.all():
            for file in share.files:
                if file.id == file_id:
                    return next(own for own in self.files(user, share.id) if own is file)
        raise not_found("shared file")

    def inbox(self, user: User, page: Page) -> list[Share]:
        """List the shares that a user has received and that are neither revoked nor inactive.

        :raises ApiError: 404 for an unknown id in the page.
        """
        now = self._context.now
        got = [
            share
            for share in self._shares.all()
            if share.is_for(user.spec.key) and not share.revoked and share.activates <= now
        ]
        return page_of(got, page, self._context.settings, lambda share: (share.id, share.activates))

    def activity(self, user: User, user_id: str | None, page: Page, *, full: bool) -> list[Entry]:
        """List what people did.

        :param user_id: who; None for all users that the caller manages.
        :param full: whether to list copies too, which the short list leaves out.
        :raises ApiError: 404 or 403 for a user that the caller does not manage, 404 for an unknown id in the page.
        """
        if user_id is not None:
            self._check_manages(user, user_id)
        entries = [
            entry
            for entry in self._activity.all()
            if (full or entry.action != "copy")
            and (self._sees_all() or user.spec.key in (entry.owner, entry.actor.key))
            and (user_id is None or entry.actor.user_id == user_id)
        ]
        return page_of(entries, page, self._context.settings, lambda entry: (entry.id, entry.time))

    def entry(self, entry: Entry) -> dict[str, Any]:
        """Show an entry of the activity log."""
        share = None
        if entry.share_id is not None:
            share = next((share for share in self._shares.all() if share.id == entry.share_id), None)
        return {
            "id": entry.id,
            "email": entry.actor.email,
            "user_name": entry.actor.name,
            "user_status": "A",
            "timestamp": int(entry.time),
            "protocol": "web",
            "event": entry.event,
            "action": "move-rename" if entry.action == "rename" else entry.action,
            "share_status": None if share is None else share.status,
            "payload": entry.payload,
            "duration": entry.duration,
        }
