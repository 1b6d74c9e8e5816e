"""What the API answers, as typed values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.paths import join

if TYPE_CHECKING:
    from collections.abc import Mapping


class SessionStatus(Enum):
    """What is known of a connection's session."""

    NONE = "none"
    """No session is kept; the next call signs in."""
    OPEN = "open"
    """Signed in."""
    BLOCKED = "blocked"
    """A person has to pass a CAPTCHA first."""
    REJECTED = "rejected"
    """The credentials were refused; nobody signs in until the connection changes."""
    API_KEY = "api_key"
    """The connection has an API key, so there is no session."""


@dataclass(frozen=True)
class SessionState:
    """A connection's session, without anything secret.

    :param status: what is known of it.
    :param obtained: Unix time of the login, ``None`` without a session.
    :param last_used: Unix time of the last use that was written down, accurate to a few minutes.
    :param login_attempts: attempts in the last 15 minutes.
    """

    status: SessionStatus
    obtained: float | None = None
    last_used: float | None = None
    login_attempts: int = 0


@dataclass(frozen=True)
class Profile:
    """The signed-in user, from ``GET profile``.

    :param id: user id.
    :param email: e-mail address, which is the login.
    :param name: display name.
    :param home_id: id of the home folder.
    :param is_contact: a mere recipient, who may not use the account's files.
    :param raw: the whole answer.
    """

    id: str
    email: str
    name: str
    home_id: str
    is_contact: bool
    raw: dict[str, Any]

    @classmethod
    def from_answer(cls, body: dict[str, Any]) -> Profile:
        """Read the answer; absent members become empty."""
        return cls(
            id=str(body.get("id") or ""),
            email=str(body.get("email") or ""),
            name=str(body.get("name") or ""),
            home_id=str(body.get("home_id") or ""),
            is_contact=bool(body.get("is_contact")),
            raw=body,
        )


@dataclass(frozen=True)
class Quota:
    """Storage in bytes, from ``GET profile/info``.

    :param user_used: used by this user.
    :param user_limit: allowed to this user, ``None`` where only the account is limited.
    :param account_used: used by the whole account.
    :param account_limit: allowed to the account, ``None`` without a limit.
    """

    user_used: int
    user_limit: int | None
    account_used: int
    account_limit: int | None

    @property
    def free(self) -> int | None:
        """Bytes that still fit, ``None`` without any limit."""
        left = [
            limit - used
            for limit, used in (
                (self.user_limit, self.user_used),
                (self.account_limit, self.account_used),
            )
            if limit is not None
        ]
        return max(0, min(left)) if left else None

    @classmethod
    def from_answer(cls, body: dict[str, Any]) -> Quota:
        """Read the answer; a limit of -1 means none."""

        def limit(name: str) -> int | None:
            value = body.get(name)
            return None if value is None or value < 0 else int(value)

        return cls(
            user_used=int(body.get("user_used") or 0),
            user_limit=limit("user_limit"),
            account_used=int(body.get("acc_used") or 0),
            account_limit=limit("acc_limit"),
        )


class FileKind(Enum):
    """What an object of the file tree is."""

    FILE = "F"
    FOLDER = "D"
    SHARED = "S"
    """A project folder; works like any folder."""
    TRASH = "T"
    """The Trash; works like a folder."""
    LINK = "N"
    UNKNOWN = "?"

    @classmethod
    def _missing_(cls, value: object) -> FileKind:
        return cls.UNKNOWN

    @property
    def is_folder(self) -> bool:
        """Whether it holds other objects."""
        return self in (FileKind.FOLDER, FileKind.SHARED, FileKind.TRASH)


@dataclass(frozen=True)
class RemoteFile:
    """A file or folder, from the metadata calls.

    :param id: stable handle.
    :param parent_id: its folder.
    :param name: its name.
    :param kind: file, folder, project folder or Trash.
    :param size: bytes of a file; number of entries of a folder.
    :param modified: Unix time, to the microsecond for files.
    :param created: Unix time.
    """

    id: str
    parent_id: str
    name: str
    kind: FileKind
    size: int
    modified: float
    created: float

    @classmethod
    def from_answer(cls, body: Mapping[str, Any]) -> RemoteFile:
        """Read an answer; absent members become empty."""
        modified = body.get("modified_ms")
        return cls(
            id=str(body.get("id") or ""),
            parent_id=str(body.get("parent_id") or ""),
            name=str(body.get("name") or ""),
            kind=FileKind(body.get("type")),
            size=int(body.get("size") or 0),
            modified=float(modified if modified is not None else body.get("modified") or 0),
            created=float(body.get("created") or 0),
        )


@dataclass(frozen=True)
class Found:
    """A file or folder and where it is.

    :param names: from the home folder; as the server sent them, so one may hold anything.
    :param file: its metadata.
    """

    names: tuple[str, ...]
    file: RemoteFile

    @property
    def path(self) -> str:
        """The path, with a leading slash."""
        return join(self.names)


@dataclass(frozen=True)
class UploadLink:
    """Permission to write one file, from ``POST upload/link``.

    :param key: upload key; whoever has it can write.
    :param file_id: the file that will be.
    :param parent_id: its folder.
    :param name: the name it got, which need not be the one asked for.
    """

    key: str = field(repr=False)
    file_id: str
    parent_id: str
    name: str


@dataclass(frozen=True)
class ApiKey:
    """An API key, from ``api-key...``.

    :param id: handle.
    :param user_id: whose calls it makes.
    :param name: label.
    :param active: whether it works.
    :param hint: its last characters.
    :param key: the key itself, in the answer to its creation only.
    """

    id: str
    user_id: str
    name: str
    active: bool
    hint: str
    key: str | None = field(default=None, repr=False)

    @classmethod
    def from_answer(cls, body: Mapping[str, Any]) -> ApiKey:
        """Read an answer."""
        return cls(
            id=str(body.get("id") or ""),
            user_id=str(body.get("role_id") or ""),
            name=str(body.get("name") or ""),
            active=body.get("status") == "A",
            hint=str(body.get("hint") or ""),
            key=str(body["key"]) if body.get("key") else None,
        )
