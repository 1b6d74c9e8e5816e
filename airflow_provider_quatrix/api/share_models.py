"""The content of responses about shares, file requests, contacts and tracking, as typed values.

Whoever has the id of a share can open it. So ``repr`` never shows one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from airflow_provider_quatrix.api.models import byte_count, read_number, read_text, read_time

_REVOKED = "D"


class ShareType(Enum):
    """Who can open a share."""

    PUBLIC = "P"
    """Anybody who has the link; downloads are known by IP address only."""
    TRACKED = "T"
    """Its recipients and any user; downloads are known by user."""
    RESTRICTED = "C"
    """Its recipients only; downloads are known by user."""
    UNKNOWN = "?"

    @classmethod
    def _missing_(cls, value: object) -> ShareType:
        return cls.UNKNOWN

    @property
    def word(self) -> str:
        """Its name for people."""
        return self.name.lower()


@dataclass(frozen=True)
class ShareLimits:
    """What an account lets its user share, from ``GET profile``.

    :param types: the allowed types; ``None`` if the response does not say.
    :param most_files: files in one share; ``None`` without a limit.
    """

    types: frozenset[ShareType] | None = None
    most_files: int | None = None

    @classmethod
    def from_profile(cls, body: Mapping[str, Any]) -> ShareLimits:
        """Read the response of ``GET profile``."""
        known = (ShareType.PUBLIC, ShareType.TRACKED, ShareType.RESTRICTED)
        stated = body.get("share_types")
        types = None
        if isinstance(stated, Mapping):
            # What is not mentioned is not forbidden.
            types = frozenset(each for each in known if stated.get(f"{each.word}_share") is not False)
        return cls(types, byte_count(body.get("max_files_per_share")) or None)


@dataclass(frozen=True)
class NewShare:
    """A share to be made.

    :param folder_id: the folder that contains the files.
    :param file_ids: files and folders.
    :param recipient_ids: users and contacts.
    :param expires: Unix time; ``None`` for never.
    :param activates: Unix time; ``None`` for at once.
    :param pin: what a recipient has to enter.
    :param return_files: recipients may send files back.
    :param notify: the sender gets an e-mail when somebody downloads.
    :param send_email: notify the recipients.
    """

    folder_id: str
    file_ids: tuple[str, ...]
    recipient_ids: tuple[str, ...] = ()
    subject: str = ""
    message: str = ""
    expires: int | None = None
    activates: int | None = None
    pin: str | None = field(default=None, repr=False)
    share_type: ShareType = ShareType.TRACKED
    return_files: bool = False
    notify: bool = False
    send_email: bool = True


@dataclass(frozen=True)
class CreatedShare:
    """A share or quicklink that was made.

    :param id: part of the link.
    :param activates: Unix time; ``None`` for at once.
    :param expires: Unix time; ``None`` for never, or if the response does not say.
    """

    id: str = field(repr=False)
    activates: float | None = None
    expires: float | None = None

    @classmethod
    def from_response(cls, body: Mapping[str, Any]) -> CreatedShare:
        """Read a response."""
        return cls(read_text(body.get("id")), _moment(body.get("activates")), _moment(body.get("expires")))


@dataclass(frozen=True)
class CreatedRequest:
    """A request for files that was made.

    :param id: part of the link.
    :param url: the page where files can be uploaded.
    """

    id: str = field(repr=False)
    url: str = field(repr=False)

    @classmethod
    def from_response(cls, body: Mapping[str, Any]) -> CreatedRequest:
        """Read a response."""
        return cls(read_text(body.get("id")), read_text(body.get("url")))


@dataclass(frozen=True)
class Recipient:
    """Somebody who can get a share: a user or a contact.

    :param id: user or contact id.
    :param email: e-mail address.
    :param name: display name.
    """

    id: str
    email: str
    name: str

    @classmethod
    def from_response(cls, body: Mapping[str, Any]) -> Recipient:
        """Read a response, also one of the contact calls."""
        return cls(read_text(body.get("id")), read_text(body.get("email")), read_text(body.get("name")))


@dataclass(frozen=True)
class ShareInfo:
    """A share as its recipient sees it, from ``GET share/download-info/{id}``.

    :param expires: Unix time; ``None`` for never.
    :param expired: whether it has.
    :param revoked: its sender has ended it.
    :param pin_protected: a recipient has to enter a PIN.
    """

    subject: str
    message: str
    sender: str
    share_type: ShareType
    expires: float | None
    expired: bool
    revoked: bool
    pin_protected: bool

    @classmethod
    def from_response(cls, body: Mapping[str, Any]) -> ShareInfo:
        """Read a response."""
        return cls(
            subject=read_text(body.get("subject")),
            message=read_text(body.get("message")),
            sender=read_text(body.get("sender_email")),
            share_type=ShareType(body.get("share_type")),
            expires=_moment(body.get("expires")),
            expired=body.get("expired") is True,
            revoked=body.get("status") == _REVOKED,
            pin_protected=body.get("pin_protected") is True,
        )


@dataclass(frozen=True)
class ReturnInfo:
    """A request for files as its recipient sees it, from ``GET files-return/metadata/{id}``.

    :param folder_id: the folder for the files.
    """

    message: str
    sender: str
    folder_id: str

    @classmethod
    def from_response(cls, body: Mapping[str, Any]) -> ReturnInfo:
        """Read a response."""
        members = (body.get("message"), body.get("sender_email"), body.get("folder_id"))
        return cls(*map(read_text, members))


@dataclass(frozen=True)
class TrackedShare:
    """A share, quicklink or request in the sender's list, from ``GET tracking/``.

    :param id: part of the link.
    :param emails: addresses of the recipients.
    :param owner_id: user who has made it.
    :param created: Unix time.
    :param expires: Unix time; ``None`` for never.
    :param revoked: its sender has ended it.
    :param is_request: it asks for files.
    """

    id: str = field(repr=False)
    subject: str
    share_type: ShareType
    emails: tuple[str, ...]
    owner_id: str
    created: float
    expires: float | None
    revoked: bool
    is_request: bool

    @classmethod
    def from_response(cls, body: Mapping[str, Any]) -> TrackedShare:
        """Read an entry."""
        emails = body.get("emails")
        return cls(
            id=read_text(body.get("id")),
            subject=read_text(body.get("subject")),
            share_type=ShareType(body.get("type")),
            emails=tuple(map(read_text, emails)) if isinstance(emails, list) else (),
            owner_id=read_text(body.get("owner_id")),
            created=read_time(body.get("created")) or 0.0,
            expires=_moment(body.get("expire_date")),
            revoked=body.get("status") == _REVOKED,
            is_request=body.get("is_request") is True,
        )


@dataclass(frozen=True)
class SharedFile:
    """A file or folder of a share.

    :param id: of the file in the share, which is not the file's own.
    :param size: bytes.
    :param downloads: how often it was downloaded; 0 if the call does not say.
    """

    id: str
    name: str
    size: int
    downloads: int

    @classmethod
    def from_response(cls, body: Mapping[str, Any]) -> SharedFile:
        """Read an entry."""
        return cls(
            read_text(body.get("id")),
            read_text(body.get("name")),
            byte_count(body.get("size")) or 0,
            byte_count(body.get("downloads")) or 0,
        )


@dataclass(frozen=True)
class Download:
    """One download of a shared file.

    :param recipient: e-mail address; empty if only the IP address is known.
    :param address: IP address.
    :param file: name of the file.
    :param size: bytes.
    :param seconds: how long it took.
    :param time: Unix time.
    """

    recipient: str
    address: str
    file: str
    size: int
    seconds: float
    time: float

    @classmethod
    def from_response(cls, body: Mapping[str, Any]) -> Download:
        """Read an entry."""
        return cls(
            recipient=read_text(body.get("recipient")),
            address=read_text(body.get("ip")),
            file=read_text(body.get("name")),
            size=byte_count(body.get("size")) or 0,
            seconds=float(read_number(body.get("duration")) or 0),
            time=read_time(body.get("time")) or 0.0,
        )


@dataclass(frozen=True)
class Activity:
    """An entry of the activity log, from ``GET tracking/activity``.

    :param id: of the entry.
    :param time: Unix time.
    :param event: ``share``, ``file`` or ``files-return``.
    :param action: such as ``create``, ``sent-email`` or ``download``.
    :param payload: further members, which the service does not document; they may contain ids that are part of links.
    """

    id: str
    time: float
    email: str
    user_name: str
    user_status: str
    protocol: str
    event: str
    action: str
    share_status: str
    seconds: float
    payload: Any = field(repr=False)

    @classmethod
    def from_response(cls, body: Mapping[str, Any]) -> Activity:
        """Read an entry."""
        return cls(
            id=read_text(body.get("id")),
            time=read_time(body.get("timestamp")) or 0.0,
            email=read_text(body.get("email")),
            user_name=read_text(body.get("user_name")),
            user_status=read_text(body.get("user_status")),
            protocol=read_text(body.get("protocol")),
            event=read_text(body.get("event")),
            action=read_text(body.get("action")),
            share_status=read_text(body.get("share_status")),
            seconds=float(read_number(body.get("duration")) or 0),
            payload=body.get("payload"),
        )

    def is_about(self, share_id: str) -> bool:
        """Return whether the payload names a share."""
        return _holds(self.payload, share_id)


def _holds(value: Any, text: str) -> bool:
    """Return whether a decoded JSON value is or contains a text."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if each == text:
            return True
        if isinstance(each, Mapping):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return False


def _moment(value: object) -> float | None:
    """Return a Unix time; ``None`` for 0, which the service sends if there is no such time."""
    return read_time(value) or None
