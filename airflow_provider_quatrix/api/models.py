"""The content of responses, as typed values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.paths import in_short, is_path_name, join
from airflow_provider_quatrix.api.versions import Version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class SessionStatus(StrEnum):
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
    :param last_used: Unix time of the last recorded use, accurate to a few minutes.
    :param login_attempts: attempts in the last 15 minutes.
    """

    status: SessionStatus
    obtained: float | None = None
    last_used: float | None = None
    login_attempts: int = 0


@dataclass(frozen=True)
class Profile:
    """The signed-in user, from ``GET profile``.

    :param email: e-mail address, which is the login.
    :param home_id: id of the home folder.
    :param is_contact: a recipient only, who may not use the account's files.
    """

    id: str
    email: str
    name: str
    home_id: str
    is_contact: bool
    raw: Mapping[str, Any]

    @classmethod
    def from_response(cls, body: Mapping[str, Any]) -> Profile:
        """Read a response; absent members become empty."""
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
    :param user_limit: allowed to this user; ``None`` if only the account is limited.
    :param account_used: used by the whole account.
    :param account_limit: allowed to the account; ``None`` without a limit.
    """

    user_used: int
    user_limit: int | None
    account_used: int
    account_limit: int | None

    @property
    def free(self) -> int | None:
        """Free bytes; ``None`` without a limit."""
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
    def from_response(cls, body: Mapping[str, Any]) -> Quota:
        """Read a response; a limit of -1 means none."""

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
        """Whether it can contain other objects."""
        return self in (FileKind.FOLDER, FileKind.SHARED, FileKind.TRASH)


# A date can have the years 1 to 9999.
_FIRST_TIME, _LAST_TIME = -62135596800.0, 253402300799.0


def read_text(value: object) -> str:
    """Return a text; empty if the value is not a text."""
    return value if isinstance(value, str) else ""


def read_number(value: object) -> float | None:
    """Return a finite number; ``None`` if the value is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def read_time(value: object) -> float | None:
    """Return a Unix time; ``None`` if the value is not one."""
    number = read_number(value)
    return None if number is None or not _FIRST_TIME <= number <= _LAST_TIME else float(number)


def byte_count(value: object) -> int | None:
    """Return a number of bytes; ``None`` if the value is not one."""
    number = read_number(value)
    return None if number is None or number < 0 or number != int(number) else int(number)


def _problem(body: Mapping[str, Any], kind: FileKind) -> str:
    if not read_text(body.get("id")):
        return f"has the id {in_short(body.get('id'))}"
    if not is_path_name(read_text(body.get("name"))):
        return f"has the name {in_short(body.get('name'))}"
    if kind is FileKind.FILE and byte_count(body.get("size")) is None:
        return f"has the size {in_short(body.get('size'))}"
    return ""


def _odd_time(times: Sequence[object], kind: FileKind) -> str:
    if times:
        return in_short(times[0])
    return "None" if kind is FileKind.FILE else ""


@dataclass(frozen=True)
class RemoteFile:
    """A file or folder, from the metadata calls.

    :param id: stays the same when the object is moved.
    :param kind: file, folder, project folder or Trash.
    :param size: bytes of a file; number of entries of a folder.
    :param modified: Unix time, to the microsecond for files; 0 if the response has no time of the years 1 to 9999.
    :param created: Unix time, in the same way.
    :param problem: why it cannot be used, such as ``has the size None``; empty if it can.
    :param odd_time: the modification time as text, if it is not a time; also of a file that has none.
    """

    id: str
    parent_id: str
    name: str
    kind: FileKind
    size: int
    modified: float
    created: float
    problem: str = ""
    odd_time: str = ""

    @classmethod
    def from_response(cls, body: Mapping[str, Any]) -> RemoteFile:
        """Read a response; members that are absent or wrong become empty."""
        kind = FileKind(body.get("type"))
        times = [body[member] for member in ("modified_ms", "modified") if body.get(member) is not None]
        modified = next((time for time in map(read_time, times) if time is not None), None)
        return cls(
            id=read_text(body.get("id")),
            parent_id=read_text(body.get("parent_id")),
            name=read_text(body.get("name")),
            kind=kind,
            size=byte_count(body.get("size")) or 0,
            modified=modified or 0.0,
            created=read_time(body.get("created")) or 0.0,
            problem=_problem(body, kind),
            odd_time=_odd_time(times, kind) if modified is None else "",
        )

    @property
    def version(self) -> Version:
        """Its size and modification time, by which versions differ."""
        return Version(self.size, self.modified, self.kind.is_folder)

    @property
    def described(self) -> str:
        """Its name and why it cannot be used, for a message."""
        return f"{in_short(self.name)} {self.problem}" if is_path_name(self.name) else f"one that {self.problem}"

    @classmethod
    def from_entry(cls, entry: object) -> RemoteFile:
        """Read an entry of a listing, which may contain anything."""
        if isinstance(entry, dict):
            return cls.from_response(entry)
        return cls("", "", "", FileKind.UNKNOWN, 0, 0.0, 0.0, problem=f"is {in_short(entry)}, not an object")


@dataclass(frozen=True)
class FileOrigin:
    """What the service knows of a file's content, from ``GET file/info/{id}``.

    :param infected: the result of its virus scanner; empty if there is none.
    :param uploader: e-mail address of the person who uploaded it, else their name; empty if the response has neither.
    """

    infected: str
    uploader: str

    @classmethod
    def from_response(cls, body: Mapping[str, Any]) -> FileOrigin:
        """Read a response. How it describes a person is not published."""
        found = body.get("antivirus_check")
        person = body.get("action_role")
        names = [read_text(person.get(member)) for member in ("email", "name")] if isinstance(person, dict) else []
        return cls("" if found in (None, False) else str(found), next(filter(None, names), ""))


@dataclass(frozen=True)
class Entry:
    """A file or folder, and its path.

    :param names: from the home folder, as the server sent them; unchecked.
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

    :param key: upload key; anybody who has it can write.
    :param name: the actual name, which may differ from the wanted one.
    """

    key: str = field(repr=False)
    file_id: str
    parent_id: str
    name: str


@dataclass(frozen=True)
class ApiKey:
    """An API key, from ``api-key...``.

    :param user_id: the user for whom calls with this key act.
    :param active: whether it works.
    :param hint: its last characters.
    """

    id: str
    user_id: str
    name: str
    active: bool
    hint: str

    @classmethod
    def from_response(cls, body: Mapping[str, Any]) -> ApiKey:
        """Read a response."""
        return cls(
            id=str(body.get("id") or ""),
            user_id=str(body.get("role_id") or ""),
            name=str(body.get("name") or ""),
            active=body.get("status") == "A",
            hint=str(body.get("hint") or ""),
        )
