"""Downloads of shared files: links, and the record of each download."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .activity import files_payload
from .errors import not_found
from .mails import Mail
from .parties import actor_of
from .shares import Download

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .accounts import User
    from .activity import Activity
    from .context import Context
    from .mails import Mails
    from .parties import Visitor
    from .share_access import ShareAccess
    from .shares import Share, SharedFile, Shares


@dataclass(frozen=True)
class ShareLink:
    """A permission to read shared files.

    :param recipient: who requested it; None when downloads do not show it.
    """

    share: Share
    files: tuple[SharedFile, ...]
    recipient: User | None
    created: float


class ShareDownloads:
    """The download links of shares, and their use."""

    def __init__(self, context: Context, shares: Shares, access: ShareAccess, mails: Mails, activity: Activity) -> None:
        self._activity = activity
        self._context = context
        self._shares = shares
        self._access = access
        self._mails = mails
        self._links: dict[str, ShareLink] = {}

    def files(self, share: Share, ids: Iterable[str] = ()) -> list[SharedFile]:
        """Choose files of a share.

        :param ids: of shared files; all when there is none.
        :raises ApiError: 404 for an unknown one, and when nothing is left of the share.
        """
        present = {file.id: file for file in self._shares.present(share)}
        wanted = list(dict.fromkeys(ids)) or list(present)
        if not wanted or not present.keys() >= set(wanted):
            raise not_found("shared file")
        return [present[file_id] for file_id in wanted]

    def add(self, share: Share, files: Sequence[SharedFile], visitor: Visitor) -> str:
        """Make a link.

        :param visitor: who requests it.
        """
        link_id = str(uuid.uuid4())
        tracked = share.share_type != "P" or self._context.settings.public_shares_know_users
        recipient = visitor.user if tracked else None
        self._links[link_id] = ShareLink(share, tuple(files), recipient, self._context.now)
        return link_id

    def use(self, link_id: str) -> ShareLink:
        """Follow a link.

        :raises ApiError: 404 when the link is unknown or too old, or a file is gone; when the share is closed.
        """
        settings = self._context.settings
        link = self._links.get(link_id)
        if link is None:
            raise not_found("download link")
        if self._context.now - link.created > settings.download_link_seconds:
            del self._links[link_id]
            raise not_found("download link")
        self._access.check_open(link.share)
        self.files(link.share, [file.id for file in link.files])
        if settings.download_link_once:
            del self._links[link_id]
        return link

    def record(self, link: ShareLink, address: str, began: float) -> None:
        """Record a complete download of the files of a link.

        :param address: IP address of the recipient.
        :param began: when it began.
        """
        now, actor = self._context.now, actor_of(link.recipient, address)
        for file in link.files:
            download = Download(address, file.name, file.size, round(now - began, 6), now, actor.email)
            file.downloads.append(download)
        self._context.counters.share_downloads += len(link.files)
        share = link.share
        payload = {"files": files_payload(file.node for file in link.files)}
        self._activity.add(actor, share.owner, ("share", "download"), payload, began=began, share_id=share.id)
        if share.notify:
            names = ", ".join(file.name for file in link.files)
            to = share.sender.email
            self._mails.send(Mail("downloaded", to, to, share.id, share.subject, names))
