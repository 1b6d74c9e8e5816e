"""File requests: asking people for files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import bad_parameter
from .parties import party_of
from .shares import LONGEST_MESSAGE, Share
from .texts import checked_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .accounts import User
    from .context import Context
    from .files import Files
    from .shares import Shares

DAY_SECONDS = 86400.0


@dataclass(frozen=True)
class NewRequest:
    """A file request as a call describes it.

    :param ids: the recipients.
    :param folder_id: where files go; the Inbox when empty.
    """

    ids: Sequence[str]
    folder_id: str = ""
    message: str = ""
    send_email: bool = True
    return_pgp_encrypted: bool = False
    request_auth: bool = True


class FileRequests:
    """Makes file requests, which are kept among the shares."""

    def __init__(self, context: Context, files: Files, shares: Shares) -> None:
        self._context = context
        self._files = files
        self._shares = shares

    def create(self, user: User, wanted: NewRequest, address: str) -> tuple[Share, str | None]:
        """Make a request. A job notifies the recipients, if that is wanted.

        :param address: where the call comes from.
        :return: the request, and the id of the job.
        :raises ApiError: when the description is invalid; then nothing has changed.
        """
        now, days, owner = self._context.now, self._context.settings.request_days, user.spec.key
        share = Share(
            "request",
            owner,
            party_of(user),
            "T" if wanted.request_auth else "P",
            self._files.folder(owner, wanted.folder_id or self._files.inbox(owner).id, "folder_id"),
            now,
            now,
            0 if days is None else now + days * DAY_SECONDS,
            recipients=self._shares.checked_recipients(user, wanted.ids, "ids"),
            message=checked_text("message", wanted.message, 0, LONGEST_MESSAGE),
            return_pgp_encrypted=wanted.return_pgp_encrypted,
            request_auth=wanted.request_auth,
        )
        self._shares.add(share)
        self._shares.log(share, "create", address)
        if wanted.send_email:
            return share, self._tell_later(share, "share/request", address)
        self._shares.log(share, "created-link", address)
        return share, None

    def send(self, share: Share, message: str, address: str) -> str:
        """Send the e-mails of a request once more, by a job.

        :param message: the new message; when empty, that of the request.
        :param address: where the call comes from.
        :return: the id of the job.
        :raises ApiError: when it is not a request, or the message is too long.
        """
        if share.kind != "request":
            raise bad_parameter("id", "is no file request")
        if message:
            share.message = checked_text("message", message, 0, LONGEST_MESSAGE)
        return self._tell_later(share, "share/send-request", address)

    def _tell_later(self, share: Share, call: str, address: str) -> str:
        due = self._context.now + self._context.settings.job_seconds
        return self._files.jobs.add(call, due, lambda: self._shares.tell_recipients(share, address))
