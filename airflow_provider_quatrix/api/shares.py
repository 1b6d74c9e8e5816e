"""The calls of the API for shares, quicklinks and requests for files. They are documented in its public description."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.messages import Repeat
from airflow_provider_quatrix.api.share_models import (
    CreatedRequest,
    CreatedShare,
    NewShare,
    Recipient,
    ReturnInfo,
    SharedFile,
    ShareInfo,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_quatrix.api.caller import ApiCaller


class SharesApi:
    """Share calls on behalf of one user.

    Ids of shares, links and PINs are secrets: they are kept out of messages.

    :param caller: sends the requests.
    """

    def __init__(self, caller: ApiCaller) -> None:
        self._caller = caller

    def recipients(self, email: str) -> tuple[Recipient, ...]:
        """Return the users and contacts whose e-mail address begins with a text, by ``GET share/recipients``."""
        response = self._caller.call("GET", "share/recipients", params={"email": email})
        # By the description it is a list, by its type a single object.
        found = response.json()
        entries = [found] if isinstance(found, dict) else self._caller.entries(response)
        return tuple(Recipient.from_response(entry) for entry in entries if isinstance(entry, dict) and entry)

    def create_share(self, share: NewShare) -> CreatedShare:
        """Share files, by ``POST share/create``; a second call would share them twice.

        :return: its id, and when it begins.
        """
        body: dict[str, Any] = {
            "folder_id": share.folder_id,
            "files": list(share.file_ids),
            "contacts": list(share.recipient_ids),
            "subject": share.subject,
            "message": share.message,
            "share_type": share.share_type.value,
            "return_files": share.return_files,
            "notify": share.notify,
            "send_email": share.send_email,
        }
        if share.expires is not None:
            body["expires"] = share.expires
        if share.activates is not None:
            body["activates"] = share.activates
        if share.pin is not None:
            body["pin"] = self._encoded(share.pin)
        return self._created("share/create", body)

    def create_quicklink(self, file_ids: Sequence[str], *, subject: str, pin: str | None, notify: bool) -> CreatedShare:
        """Share files with whoever gets the link, by ``POST quicklink/create``; a second call would make another link.

        :param pin: the PIN to enter; ``None`` for none.
        :param notify: the sender gets an e-mail when somebody downloads (known from a guide, not from the description).
        :return: its id, and when it begins and ends.
        """
        body: dict[str, Any] = {"files": list(file_ids), "subject": subject, "notify": notify}
        if pin is not None:
            body["pin"] = self._encoded(pin)
        return self._created("quicklink/create", body)

    def revoke_share(self, share_id: str) -> None:
        """End a share or a request for files, by ``GET share/revoke/{id}`` (a GET with an effect).

        :raises QuatrixNotFound: it does not exist.
        """
        self._revoke("share", share_id)

    def revoke_quicklink(self, quicklink_id: str) -> None:
        """End a quicklink, by ``GET quicklink/revoke/{id}``.

        :raises QuatrixNotFound: it does not exist.
        """
        self._revoke("quicklink", quicklink_id)

    def request_files(
        self, recipient_ids: Sequence[str], folder_id: str, *, message: str, send_email: bool
    ) -> CreatedRequest:
        """Request files for a folder, by ``POST share/request``; a second call would ask twice.

        :param send_email: notify the recipients.
        :return: its id and page.
        """
        body = {"ids": list(recipient_ids), "folder_id": folder_id, "message": message, "send_email": send_email}
        response = self._caller.call("POST", "share/request", json=body, repeat=Repeat.REFUSED)
        made = CreatedRequest.from_response(self._caller.members(response))
        if not made.id:
            raise self._caller.malformed(response, "a request for files without an id")
        self._caller.hide(made.id, announce=True)
        self._caller.hide(made.url, announce=True)
        return made

    def download_info(self, share_id: str) -> ShareInfo:
        """Return a share as its recipient sees it, by ``GET share/download-info/{id}``.

        :raises QuatrixNotFound: it does not exist.
        """
        return ShareInfo.from_response(self._of("share/download-info", share_id))

    def return_info(self, request_id: str) -> ReturnInfo:
        """Return a request for files as its recipient sees it, by ``GET files-return/metadata/{id}``.

        :raises QuatrixNotFound: it does not exist.
        """
        return ReturnInfo.from_response(self._of("files-return/metadata", request_id))

    def files(self, share_id: str) -> tuple[SharedFile, ...]:
        """Return the files of a share, by ``GET share/files/{id}``, which does not count downloads.

        :raises QuatrixNotFound: it does not exist.
        """
        self._caller.hide(share_id)
        entries = self._caller.entries(self._caller.call("GET", f"share/files/{share_id}"))
        return tuple(SharedFile.from_response(entry) for entry in entries if isinstance(entry, dict))

    def _created(self, path: str, body: Mapping[str, Any]) -> CreatedShare:
        response = self._caller.call("POST", path, json=body, repeat=Repeat.REFUSED)
        made = CreatedShare.from_response(self._caller.members(response))
        if not made.id:
            raise self._caller.malformed(response, "a share without an id")
        self._caller.hide(made.id, announce=True)
        return made

    def _revoke(self, kind: str, share_id: str) -> None:
        self._caller.hide(share_id)
        self._caller.call("GET", f"{kind}/revoke/{share_id}")

    def _of(self, call: str, share_id: str) -> Mapping[str, Any]:
        self._caller.hide(share_id)
        return self._caller.members(self._caller.call("GET", f"{call}/{share_id}"))

    def _encoded(self, pin: str) -> str:
        encoded = base64.b64encode(pin.encode()).decode()
        for form in (pin, encoded):
            self._caller.hide(form, announce=True)
        return encoded
