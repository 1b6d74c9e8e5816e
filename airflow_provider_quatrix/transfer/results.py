"""What the hook's calls return: dicts, so that Airflow accepts them as results, with members as attributes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_quatrix.api.models import ApiKey, Quota, RemoteFile, SessionState, SessionStatus
    from airflow_provider_quatrix.api.versions import Version
    from airflow_provider_quatrix.transfer.cleanup import Cleaned


class Result(dict[str, Any]):
    """A dict whose members are attributes too. Airflow stores it in an XCom as a plain dict."""

    def __getattr__(self, name: str) -> Any:
        """Return a member."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {name!r}; it has {', '.join(self)}") from None

    @classmethod
    def _with_members_of(cls, source: object) -> Self:
        return cls((name, getattr(source, name)) for name in cls.__annotations__)


class FileResult(Result):
    """A file or folder on Quatrix.

    :ivar path: where it is, from the home folder.
    :ivar id: its id.
    :ivar kind: ``file`` or ``folder``.
    :ivar size: bytes; for a folder, the number of its entries.
    :ivar modified: ISO 8601 in UTC.
    """

    path: str
    id: str
    kind: str
    size: int
    modified: str

    @classmethod
    def of(cls, path: str, file: RemoteFile) -> Self:
        """Return the result for a file or folder."""
        return cls(path=path, **_metadata(file))


class SearchResult(Result):
    """A file or folder that a search has found; the service returns no path.

    :ivar name: its name.
    :ivar id: its id.
    :ivar parent_id: id of its folder.
    :ivar kind: ``file`` or ``folder``.
    :ivar size: bytes; for a folder, the number of its entries.
    :ivar modified: ISO 8601 in UTC.
    """

    name: str
    id: str
    parent_id: str
    kind: str
    size: int
    modified: str

    @classmethod
    def of(cls, file: RemoteFile) -> Self:
        """Return the result for a file or folder."""
        return cls(name=file.name, parent_id=file.parent_id, **_metadata(file))


def _metadata(file: RemoteFile) -> dict[str, Any]:
    return {
        "id": file.id,
        "kind": "folder" if file.kind.is_folder else "file",
        "size": file.size,
        "modified": datetime.fromtimestamp(file.modified, UTC).isoformat(),
    }


class MoveResult(Result):
    """What became of an object.

    :ivar path: where it is now.
    :ivar id: its id.
    :ivar kind: ``file`` or ``folder``.
    :ivar size: bytes; for a folder, the number of its entries.
    :ivar skipped: something was there already, and nothing was done.
    """

    path: str
    id: str
    kind: str
    size: int
    skipped: bool

    @classmethod
    def of(cls, path: str, file: RemoteFile, *, skipped: bool = False) -> Self:
        """Return a result.

        :param path: where the object is now.
        :param skipped: nothing was done.
        """
        metadata = _metadata(file)
        del metadata["modified"]
        return cls(path=path, **metadata, skipped=skipped)


@dataclass(frozen=True)
class Transferred:
    """A file that was moved.

    :param path: where it is now: a path on Quatrix after an upload, a local one after a download.
    :param id: its id on Quatrix.
    :param size: bytes.
    :param digest: of the local bytes, in hex, as the service has no checksums. Empty if the file was skipped, or
        without a checksum.
    :param seconds: time it took.
    :param skipped: something was there already, and nothing was done.
    :param source: version of the source that is at the path now; ``None`` if something else is there.
    :param source_deleted: the source was deleted.
    """

    path: str
    id: str
    size: int
    digest: str
    seconds: float
    skipped: bool = False
    source: Version | None = None
    source_deleted: bool = False


class TransferredFile(Result):
    """A file that was moved between a worker, or another store, and Quatrix.

    :ivar path: where it is now: a path on Quatrix after an upload, a local one after a download.
    :ivar id: its id on Quatrix.
    :ivar size: bytes.
    :ivar digest: of the bytes that passed through, in hex. Empty if the file was skipped, or without a checksum.
    :ivar seconds: time it took.
    :ivar skipped: something was there already, and nothing was done.
    :ivar source_deleted: the source was deleted.
    """

    path: str
    id: str
    size: int
    digest: str
    seconds: float
    skipped: bool
    source_deleted: bool

    @classmethod
    def of(cls, file: Transferred) -> Self:
        """Return the result for a file."""
        return cls._with_members_of(file)

    @classmethod
    def kept(cls, members: Mapping[str, Any]) -> Self:
        """Return the result that an earlier try has stored.

        :param members: by name.
        """
        return cls((name, members[name]) for name in cls.__annotations__)


class Transfers(list[TransferredFile]):
    """Results of an upload or download, one per file, in the order of the plan.

    :ivar single: the source was one file, and not a list, a folder or a pattern that happens to match one.
    :ivar dry_run: nothing was done; the results are what would happen.
    :ivar made: paths of the folders that a dry run would make.
    :ivar deleted: paths of what the target had and the source lacks; a folder stands for everything in it.
    :ivar deleted_sources: paths of the sources that a dry run would delete.
    :ivar moved: source and target of each file that is the same at both now, whichever try moved it.
    """

    single: bool = False
    dry_run: bool = False
    moved: Sequence[tuple[str, str]] = ()
    made: Sequence[str] = ()
    deleted: Sequence[str] = ()
    deleted_sources: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        results: Sequence[Transferred],
        *,
        single: bool,
        deleted: Sequence[str] = (),
        moved: Sequence[tuple[str, str]] = (),
    ) -> Self:
        """Return the results.

        :param results: one per file.
        :param single: the source was one file.
        :param deleted: see above.
        :param moved: see above.
        """
        made = cls(map(TransferredFile.of, results))
        made.single = single
        made.deleted = deleted
        made.moved = moved
        return made


class SessionResult(Result):
    """What is known of a connection's session, without anything secret.

    :ivar status: a :class:`~airflow_provider_quatrix.api.models.SessionStatus`, which is text: ``none``, ``open``,
        ``blocked``, ``rejected`` or ``api_key``.
    :ivar obtained: Unix time of the login, ``None`` without a session.
    :ivar last_used: Unix time of the last use that was recorded, accurate to a few minutes.
    :ivar login_attempts: attempts in the last 15 minutes.
    """

    status: SessionStatus
    obtained: float | None
    last_used: float | None
    login_attempts: int

    @classmethod
    def of(cls, state: SessionState) -> Self:
        """Return the result for a session."""
        return cls._with_members_of(state)


class QuotaResult(Result):
    """Storage in bytes.

    :ivar user_used: used by this user.
    :ivar user_limit: allowed to this user, ``None`` if only the account is limited.
    :ivar account_used: used by the whole account.
    :ivar account_limit: allowed to the account, ``None`` without a limit.
    :ivar free: how much is free; ``None`` without any limit.
    """

    user_used: int
    user_limit: int | None
    account_used: int
    account_limit: int | None
    free: int | None

    @classmethod
    def of(cls, quota: Quota) -> Self:
        """Return the result for the storage."""
        return cls._with_members_of(quota)


class CleanedResult(Result):
    """What a cleanup has removed, or would remove.

    :ivar files: how many unfinished uploads.
    :ivar bytes: their size.
    :ivar checkpoints: how many checkpoints of transfers.
    :ivar paths: where the unfinished uploads were.
    """

    files: int
    bytes: int
    checkpoints: int
    paths: list[str]

    @classmethod
    def of(cls, cleaned: Cleaned) -> Self:
        """Return the result of a cleanup."""
        paths = [part.path for part in cleaned.parts]
        return cls(files=len(paths), bytes=cleaned.size, checkpoints=cleaned.checkpoints, paths=paths)


class ApiKeyResult(Result):
    """An API key, without the key itself.

    :ivar id: of the key.
    :ivar user_id: the user whose calls it makes.
    :ivar name: its label.
    :ivar active: whether it works.
    :ivar hint: its last characters.
    """

    id: str
    user_id: str
    name: str
    active: bool
    hint: str

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """Return the result for a key."""
        return cls._with_members_of(key)


class ShareResult(Result):
    """A share or quicklink that was made, without its id or link.

    :ivar reference: encrypted; the connection that has made the share can use it.
    :ivar kind: ``share`` or ``quicklink``.
    :ivar files: ``path``, ``id``, ``kind``, ``size`` and ``modified`` of each file or folder.
    :ivar recipients: e-mail addresses.
    :ivar share_type: ``tracked``, ``restricted`` or ``public``.
    :ivar activates: ISO 8601 in UTC, ``None`` for at once.
    :ivar expires: ISO 8601 in UTC, ``None`` for never.
    :ivar pin_protected: a recipient has to enter a PIN.
    """

    reference: str
    kind: str
    files: list[FileResult]
    recipients: list[str]
    subject: str
    share_type: str
    activates: str | None
    expires: str | None
    pin_protected: bool


class ActivityResult(Result):
    """An entry of the account's activity log, without the id or link of a share.

    :ivar id: of the entry; ``None`` in the full log, which has no ids.
    :ivar time: ISO 8601 in UTC.
    :ivar event: ``share``, ``file`` or ``files-return``.
    :ivar action: such as ``create``, ``sent-email`` or ``download``.
    :ivar email: of the person who did it; empty for a stranger, as are the next two.
    :ivar user_name: of the same person.
    :ivar user_status: ``A`` active, ``D`` disabled, ``R`` removed.
    :ivar protocol: ``web`` or ``SFTP``.
    :ivar addresses: IP addresses of the person; in the full log only.
    :ivar share: identifies the share, the same in all its entries; empty for none.
    :ivar share_status: ``A`` or ``D``; empty for none, and in the full log.
    :ivar seconds: how long it took; ``None`` in the full log.
    :ivar details: ``files``, each with ``name``, ``path``, ``type`` and ``size``, ``subject`` and ``recipients``, as
    far as the service returns them.
    """

    id: str | None
    time: str
    event: str
    action: str
    email: str
    user_name: str
    user_status: str
    protocol: str
    addresses: str
    share: str
    share_status: str
    seconds: float | None
    details: dict[str, Any]


class ExportResult(Result):
    """An export of the activity log.

    :ivar path: of the file, a URL in a store; ``None`` for a table.
    :ivar table: name of the table; ``None`` for a file.
    :ivar entries: how many.
    :ivar start: of the interval, ISO 8601 in UTC.
    :ivar end: of the interval, ISO 8601 in UTC.
    """

    path: str | None
    table: str | None
    entries: int
    start: str
    end: str


class RequestResult(Result):
    """A request for files that was made, without its id or link.

    :ivar reference: encrypted; the connection that has made the request can use it.
    :ivar kind: ``request``.
    :ivar folder: path of the folder for the files.
    :ivar recipients: e-mail addresses.
    """

    reference: str
    kind: str
    folder: str
    recipients: list[str]


class DownloadResult(Result):
    """One download of a shared file.

    :ivar recipient: e-mail address; empty if only the IP address is known.
    :ivar address: IP address.
    :ivar file: its name.
    :ivar size: bytes.
    :ivar seconds: how long it took.
    :ivar time: ISO 8601 in UTC.
    """

    recipient: str
    address: str
    file: str
    size: int
    seconds: float
    time: str
