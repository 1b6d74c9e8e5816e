"""Acts as recipients do, without HTTP: for tests and the page."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from .accounts import User, UserSpec
from .errors import UnknownObjectError
from .parties import Visitor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .accounts import Accounts
    from .sessions import Session, Sessions
    from .share_access import ShareAccess
    from .share_downloads import ShareDownloads
    from .shares import Share, Shares

ADDRESS = "127.0.0.1"


class Recipients:
    """Lets somebody act as the person with an e-mail address."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        shares: Shares,
        access: ShareAccess,
        downloads: ShareDownloads,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._shares = shares
        self._access = access
        self._downloads = downloads

    def user(self, email: str) -> User:
        """Find a person, who becomes a user without an account of their own as soon as they act.

        :param email: in any case; any address, as everybody may register.
        :raises ValueError: when it is no address.
        """
        return self._accounts.find(email) or self._accounts.add_user(UserSpec(email, uuid.uuid4().hex, is_contact=True))

    def session(self, email: str) -> Session:
        """Open a session of a person, without a login that counts.

        :raises ValueError: when it is no address.
        """
        return self._sessions.open(self.user(email), "ready")

    def enter(self, share_id: str, email: str | None, pin: str | None) -> tuple[Share, Visitor]:
        """Open a share.

        :param email: who does; None for a stranger.
        :param pin: None for none.
        :raises UnknownObjectError: when there is no such share.
        :raises ApiError: when the person may not open it, or it is closed.
        """
        share = next((share for share in self._shares.all() if share.id == share_id), None)
        if share is None:
            raise UnknownObjectError("No such share")
        user = None if email is None else self.user(email)
        visitor = Visitor(user, None if user is None else str(uuid.uuid4()), ADDRESS)
        if pin is not None:
            token = self._access.login_pin(share, visitor, pin)
            visitor = Visitor(user, token or visitor.token, ADDRESS)
        self._access.check(share, visitor)
        return share, visitor

    def download(self, share_id: str, email: str | None, pin: str | None, names: Sequence[str]) -> list[str]:
        """Download files of a share, all in one; it counts as if the bytes had moved.

        :param email: who does; None for a stranger.
        :param names: of the files; all when there is none.
        :return: the names of what was downloaded.
        :raises UnknownObjectError: when there is no such share or file.
        :raises ApiError: when the person may not open the share, or it is closed.
        """
        share, visitor = self.enter(share_id, email, pin)
        files = {file.name: file for file in self._downloads.files(share)}
        if unknown := set(names).difference(files):
            raise UnknownObjectError(f"No shared file {min(unknown)}")
        chosen = [files[name] for name in names] or list(files.values())
        link = self._downloads.use(self._downloads.add(share, chosen, visitor))
        self._downloads.record(link, ADDRESS, link.created)
        return [file.name for file in chosen]
