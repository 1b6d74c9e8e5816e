"""Shares: their content, and how they are made and revoked."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .activity import files_payload
from .errors import DEACTIVATED, RESTRICTED, ApiError, bad_parameter, not_found
from .mails import Mail
from .parties import Actor, party_of
from .texts import checked_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..settings import ShareType
    from .accounts import Accounts, User
    from .activity import Action, Activity
    from .contacts import Contacts
    from .context import Context
    from .files import Files
    from .mails import Mails
    from .parties import Party
    from .tree import Node

ShareKind = Literal["share", "quicklink", "request", "reply"]
FIRST_FAILURE = 300
LONGEST_SUBJECT = 500
LONGEST_MESSAGE = 10_000
LONGEST_SIGNATURE = 500


@dataclass(frozen=True)
class Download:
    """A download of a shared file.

    :param duration: seconds.
    :param recipient: e-mail of the person who did it; None if unknown.
    """

    address: str
    name: str
    size: int
    duration: float
    time: float
    recipient: str | None


@dataclass(eq=False)
class SharedFile:
    """A file or folder in a share.

    :param id: not the id of the file.
    :param name: its name once the file is gone.
    """

    id: str
    node: Node
    name: str
    size: int
    downloads: list[Download] = field(default_factory=list)

    @classmethod
    def of(cls, node: Node) -> SharedFile:
        """Share a file or folder."""
        return cls(str(uuid.uuid4()), node, node.name, node.total())

    def refresh(self) -> None:
        """Update name and size."""
        self.name, self.size = self.node.name, self.node.total()


@dataclass(eq=False)
class Share:
    """A share, quicklink, file request, or reply to one of these.

    :param owner: key of the user in whose home the files are.
    :param folder: where the files are, or where requested files go.
    :param expires: 0 for never.
    :param pin: None when no PIN is needed.
    :param request_auth: whether only signed-in people can return files.
    :param replied: keys of those who returned files.
    """

    kind: ShareKind
    owner: str
    sender: Party
    share_type: ShareType
    folder: Node
    created: float
    activates: float
    expires: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    files: list[SharedFile] = field(default_factory=list)
    recipients: tuple[Party, ...] = ()
    subject: str = ""
    message: str = ""
    signature: str = ""
    pin: str | None = field(default=None, repr=False)
    notify: bool = False
    return_files: bool = False
    return_pgp_encrypted: bool = False
    request_auth: bool = True
    revoked: bool = False
    replied: set[str | None] = field(default_factory=set)

    @property
    def status(self) -> Literal["A", "D"]:
        """``A`` active, ``D`` revoked."""
        return "D" if self.revoked else "A"

    @property
    def takes_files(self) -> bool:
        """Whether recipients can send files back."""
        return self.return_files or self.kind == "request"

    def is_expired(self, now: float) -> bool:
        """Whether it has expired."""
        return 0 < self.expires <= now

    def is_for(self, key: str | None) -> bool:
        """Whether a user is one of the recipients.

        :param key: of the user; None for a stranger.
        """
        return any(party.key == key for party in self.recipients)


@dataclass(frozen=True)
class NewShare:
    """A share as a call describes it."""

    folder_id: str
    files: Sequence[str]
    contacts: Sequence[str]
    subject: str = ""
    message: str = ""
    message_signature: str = ""
    expires: float = 0
    activates: float = 0
    return_files: bool = False
    return_pgp_encrypted: bool = False
    pgp_encrypted: bool = False
    notify: bool = False
    share_type: str = "T"
    pin: str | None = field(default=None, repr=False)
    send_email: bool = False
    request_auth: bool = True


class Shares:
    """The shares of all users."""

    def __init__(
        self,
        context: Context,
        accounts: Accounts,
        files: Files,
        contacts: Contacts,
        *,
        mails: Mails,
        activity: Activity,
    ) -> None:
        self._accounts = accounts
        self._activity = activity
        self._context = context
        self._files = files
        self._contacts = contacts
        self._mails = mails
        self._by_id: dict[str, Share] = {}

    # Making

    def create(self, user: User, wanted: NewShare, address: str) -> Share:
        """Make a share, and notify the recipients if that is wanted.

        :param address: IP address of the caller.
        :raises ApiError: when the description is invalid; then nothing has changed.
        """
        share_type = self.checked_type(user, wanted.share_type)
        share = Share(
            "share",
            user.spec.key,
            party_of(user),
            share_type,
            self._files.get(user.spec.key, wanted.folder_id),
            self._context.now,
            *self.checked_times(wanted.activates, wanted.expires),
            recipients=self.checked_recipients(user, wanted.contacts, "contacts"),
            subject=checked_text("subject", wanted.subject, 0, LONGEST_SUBJECT),
            message=checked_text("message", wanted.message, 0, LONGEST_MESSAGE),
            signature=checked_text("message_signature", wanted.message_signature, 0, LONGEST_SIGNATURE),
            pin=wanted.pin,
            notify=wanted.notify,
            return_files=wanted.return_files,
            return_pgp_encrypted=wanted.return_pgp_encrypted,
            request_auth=wanted.request_auth,
        )
        if wanted.return_pgp_encrypted and not wanted.return_files:
            raise bad_parameter("return_pgp_encrypted", "needs 'return_files'")
        if wanted.pgp_encrypted:
            why = "is not possible for public shares" if share_type == "P" else "needs PGP keys, which nobody has"
            raise bad_parameter("pgp_encrypted", why)
        share.files = self.shared_files(user, wanted.files, share.folder)
        self.add(share)
        self.log(share, "create", address)
        if wanted.send_email:
            self.tell_recipients(share, address)
        else:
            self.log(share, "created-link", address)
        return share

    def add(self, share: Share) -> None:
        """Keep a share that was made."""
        self._by_id[share.id] = share
        self._context.counters.shares += share.kind != "reply"

    def log(self, share: Share, action: Action, address: str) -> None:
        """Record in the activity log what the sender did with a share.

        :param address: IP address of the caller.
        """
        sender = share.sender
        payload = {
            "subject": share.subject,
            "recipients": [party.email for party in share.recipients],
            "files": files_payload(file.node for file in share.files),
        }
        actor = Actor(sender.email, sender.name, sender.id, address)
        self._activity.add(actor, share.owner, ("share", action), payload, share_id=share.id)

    def tell_recipients(self, share: Share, address: str) -> None:
        """Send the recipients an e-mail each.

        :param address: IP address of the caller.
        """
        if not self._context.settings.share_mails:
            return
        self.log(share, "sent-email", address)
        kind: Literal["share", "request"] = "request" if share.kind == "request" else "share"
        for party in share.recipients:
            self._mails.send(Mail(kind, party.email, share.sender.email, share.id, share.subject, share.message))

    def checked_type(self, user: User, wanted: str) -> ShareType:
        """Check the type of a share.

        :raises ApiError: 400 for an unknown one, or one that the user may not make.
        """
        settings = self._context.settings
        allowed = settings.share_types if user.spec.share_types is None else user.spec.share_types
        if wanted not in ("P", "T", "C"):
            raise bad_parameter("share_type", "is none of 'P', 'T', 'C'")
        for share_type in allowed:
            if share_type == wanted:
                return share_type
        raise self._forbidden(f"Shares of type {wanted} are forbidden")

    def _forbidden(self, msg: str) -> ApiError:
        return ApiError(self._context.settings.share_limit_status, RESTRICTED, msg)

    def checked_times(self, activates: float, expires: float) -> tuple[float, float]:
        """Check when a share begins and ends.

        :param activates: 0 for at once.
        :param expires: 0 for never.
        :return: both, the first never 0.
        :raises ApiError: 400 when the end is not after the beginning and in the future.
        """
        now = self._context.now
        if activates < 0:
            raise bad_parameter("activates", "is before 1970")
        begin = activates or now
        if expires and expires <= max(begin, now):
            raise bad_parameter("expires", "must be after 'activates' and in the future")
        return begin, expires

    def checked_recipients(self, user: User, ids: Sequence[str], parameter: str) -> tuple[Party, ...]:
        """Find the recipients of a share.

        :param parameter: their name in a refusal.
        :return: each once.
        :raises ApiError: 404 for an unknown one, 400 when there is none.
        """
        if not ids and self._context.settings.share_needs_contacts:
            raise bad_parameter(parameter, "names nobody")
        parties = {party.key: party for party in (self._contacts.recipient(user, party_id) for party_id in ids)}
        return tuple(parties.values())

    def shared_files(self, user: User, ids: Iterable[str], folder: Node | None) -> list[SharedFile]:
        """Find the files of a share.

        :param folder: in which they must be; None for anywhere.
        :raises ApiError: 404 for an unknown one, 403 for another user's, 400 for one elsewhere, in the Trash or a
            system folder, and when there are too many.
        """
        nodes = [self._files.get(user.spec.key, node_id) for node_id in dict.fromkeys(ids)]
        for node in nodes:
            above = list(node.way_up())
            if node.is_fixed or any(one.kind == "T" for one in above):
                raise bad_parameter("files", "names a system folder or something in the Trash")
            if folder is not None and folder not in above[1:]:
                raise bad_parameter("files", "names something outside of 'folder_id'")
        limit = self.file_limit(user.spec.key)
        number = len(nodes)
        if self._context.settings.share_limit_counts_tree:
            number = sum(below.is_file for node in nodes for below in node.walk())
        if limit is not None and number > limit:
            raise self._forbidden(f"A share must not have more than {limit} files")
        return [SharedFile.of(node) for node in nodes]

    def file_limit(self, owner: str) -> int | None:
        """Return how many files a share may have.

        :param owner: key of its user.
        """
        user = self._accounts.find(owner)
        own = None if user is None else user.spec.max_files_per_share
        return own or self._context.settings.max_files_per_share

    # Finding

    def all(self) -> list[Share]:
        """List all shares, oldest first."""
        return list(self._by_id.values())

    def get(self, share_id: str) -> Share:
        """Find a share.

        :raises ApiError: 404 when there is none.
        """
        share = self._by_id.get(share_id)
        if share is None:
            raise not_found("share")
        return share

    def own(self, user: User, share_id: str) -> Share:
        """Find a share of a user.

        :raises ApiError: 404 when there is none, 403 when it is another user's.
        """
        share = self.get(share_id)
        if share.sender.key != user.spec.key:
            raise ApiError(self._context.settings.permission_status, RESTRICTED, "No permission")
        return share

    def present(self, share: Share) -> list[SharedFile]:
        """List the files of a share that still exist outside the Trash."""
        present = [
            file
            for file in share.files
            if file.node.id in self._files.tree.nodes and not any(one.kind == "T" for one in file.node.way_up())
        ]
        for file in present:
            file.refresh()
        return present

    # Ending

    def revoke(self, share: Share, address: str) -> int:
        """End a share.

        :param address: IP address of the caller.
        :return: the status of the response.
        :raises ApiError: when it has ended before, if the settings say so.
        """
        if not share.revoked:
            share.revoked = True
            self.log(share, "revoke", address)
            return 200
        status = self._context.settings.revoke_twice_status
        if status >= FIRST_FAILURE:
            raise ApiError(status, DEACTIVATED, "The share is revoked")
        return status

    # Showing

    def as_list(self) -> list[dict[str, Any]]:
        """The shares for tests and the page, oldest first; without PINs."""
        return [self._shown(share) for share in self._by_id.values()]

    def _shown(self, share: Share) -> dict[str, Any]:
        return {
            "id": share.id,
            "kind": share.kind,
            "type": share.share_type,
            "sender": share.sender.email,
            "recipients": [party.email for party in share.recipients],
            "subject": share.subject,
            "message": share.message,
            "status": share.status,
            "expired": share.is_expired(self._context.now),
            "begun": share.activates <= self._context.now,
            "activates": share.activates,
            "expires": share.expires,
            "created": share.created,
            "has_pin": share.pin is not None,
            "takes_files": share.takes_files,
            "folder": share.folder.path,
            "replied": sorted(key or "" for key in share.replied),
            "files": [
                {
                    "id": file.id,
                    "file_id": file.node.id,
                    "name": file.name,
                    "downloads": [vars(download) for download in file.downloads],
                }
                for file in share.files
            ],
        }
