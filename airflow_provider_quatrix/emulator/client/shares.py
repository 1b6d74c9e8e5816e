"""The control calls for shares."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .files import FileControls

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ShareControls(FileControls):
    """Reads the shares of an emulator, and acts as recipients do."""

    @property
    def shares(self) -> list[dict[str, Any]]:
        """The shares, quicklinks, file requests and replies.

        :return: oldest first, with ``id``, ``kind``, ``type``, ``sender``, ``recipients``, ``status``, ``has_pin``,
            ``replied``, and ``files``: each with ``name``, ``file_id``, ``downloads``.
        """
        shares: list[dict[str, Any]] = self._call("GET", "shares")["shares"]
        return shares

    @property
    def mails(self) -> list[dict[str, Any]]:
        """The e-mails that the service would have sent.

        :return: oldest first, with ``kind``, ``to``, ``sender``, ``share_id``, ``subject``, ``message``, ``time``.
        """
        mails: list[dict[str, Any]] = self._call("GET", "mails")["mails"]
        return mails

    def add_contact(self, owner: str, email: str, name: str = "", *, personal: bool = False) -> str:
        """Make a contact.

        :param owner: e-mail of the user who makes it.
        :param personal: whether only this user sees it.
        """
        body = {"owner": owner, "email": email, "name": name, "personal": personal}
        return str(self._call("POST", "contacts", body)["id"])

    def recipient_session(self, email: str) -> str:
        """Open a session of any person, without a login. A person who is not a user becomes one without an account.

        :return: the session id, for the header ``X-Auth-Token``.
        """
        return str(self._call("POST", "recipients/session", {"email": email})["session_id"])

    def download_share(
        self, share_id: str, email: str | None = None, pin: str | None = None, files: Sequence[str] = ()
    ) -> list[str]:
        """Download files of a share as a recipient; it counts as if the bytes had been moved.

        :param email: the recipient; None for a stranger.
        :param files: their names; all when there is none.
        :return: the names of what was downloaded.
        """
        body = {"email": email, "pin": pin, "files": list(files)}
        names: list[str] = self._call("POST", f"shares/{quote(share_id, safe='')}/download", body)["files"]
        return names

    def return_files(
        self,
        share_id: str,
        files: Mapping[str, bytes],
        email: str | None = None,
        pin: str | None = None,
        message: str = "",
    ) -> list[str]:
        """Return files to the sender of a share or a file request, as a recipient.

        :param files: contents by path; missing folders are made.
        :param email: the recipient; None for a stranger.
        :return: the ids of the files.
        """
        contents = {path: base64.b64encode(data).decode() for path, data in files.items()}
        body = {"files": contents, "email": email, "pin": pin, "message": message}
        ids: list[str] = self._call("POST", f"shares/{quote(share_id, safe='')}/return", body)["ids"]
        return ids
