"""The file calls of the API, by id: look up, list, make, rename, move, copy, delete, search."""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.errors import (
    QuatrixApiError,
    QuatrixNotFound,
    QuatrixPermissionDenied,
    QuatrixResponseError,
    QuatrixTransportError,
)
from airflow_provider_quatrix.api.listing import read_listing
from airflow_provider_quatrix.api.messages import Repeat, Request
from airflow_provider_quatrix.api.models import FileKind, FileOrigin, RemoteFile, UploadLink, byte_count
from airflow_provider_quatrix.api.retry import may_repeat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import requests

    from airflow_provider_quatrix.api.caller import ApiCaller
    from airflow_provider_quatrix.api.listing import Listing
    from airflow_provider_quatrix.api.messages import Response, SizedReader

# The service deletes so many ids at once. More become a job, whose progress no call reports.
_IDS_AT_ONCE = 10
# Seconds. A job can only be seen by its effect. A job takes seconds; one that takes this long is stuck.
_JOB_DEADLINE = 300.0
_JOB_PAUSE = 1.0
# A move whose response was lost is sent this often, if it is known not to have happened.
_MOST_MOVES = 4


class IfExists(Enum):
    """What to do if an object's name is taken."""

    FAIL = "fail"
    SKIP = "skip"
    OVERWRITE = "overwrite"
    RENAME = "rename"
    UPDATE = "update"
    """Overwrite what differs, skip what is the same. For transfers only: the service does not have it."""

    @classmethod
    def parse(cls, value: str | IfExists, *, update: bool = False) -> IfExists:
        """Return the member with a name.

        :param value: ``fail``, ``skip``, ``overwrite``, ``rename`` or ``update``.
        :param update: whether ``update`` is allowed.
        :raises ValueError: there is no such member.
        """
        choices = [member.value for member in cls if update or member is not cls.UPDATE]
        if (value.value if isinstance(value, cls) else value) not in choices:
            raise ValueError(f"if_exists is {value!r}: give one of {', '.join(map(repr, choices))}")
        return cls(value)

    def members(self) -> dict[str, Any]:
        """Return the members of a request's body for this mode."""
        if self is IfExists.OVERWRITE:
            return {"resolve": True, "resolve_mode": "overwrite"}
        return {"resolve": self is IfExists.RENAME, "resolve_mode": ""}


class FilesApi:
    """File calls on behalf of one user.

    :param sleep: waits for jobs.
    """

    def __init__(self, caller: ApiCaller, sleep: Callable[[float], None] = time.sleep) -> None:
        self._caller = caller
        self._sleep = sleep

    def find(self, path: str, parent_id: str | None = None) -> tuple[str, FileKind] | None:
        """Resolve a path on the server, by ``POST file/id`` (known from a client of the service, not published).

        :param path: relative to the parent; empty for the parent itself.
        :param parent_id: a folder; default: the home folder.
        :return: id and kind; ``None`` if nothing is there.
        """
        body: dict[str, Any] = {"path": path}
        if parent_id is not None:
            body["parent_id"] = parent_id
        try:
            found = self._object("POST", "file/id", json=body)
        except QuatrixNotFound:
            return None
        file_id = found.get("file_id")
        return (str(file_id), FileKind(found.get("type"))) if file_id else None

    def stat(self, file_id: str) -> RemoteFile:
        """Return an object's metadata, by ``GET file/metadata/{id}``.

        :param file_id: empty for the home folder.
        :raises QuatrixNotFound: it does not exist.
        """
        return RemoteFile.from_response(self._metadata(file_id, content=False))

    def origin(self, file_id: str) -> FileOrigin:
        """Return what the virus scanner has found in a file, and who uploaded it, by ``GET file/info/{id}``.

        :raises QuatrixNotFound: it does not exist.
        """
        return FileOrigin.from_response(self._object("GET", f"file/info/{file_id}"))

    def children(self, folder_id: str) -> tuple[RemoteFile, ...]:
        """Return all direct children of a folder; the call has no paging.

        :param folder_id: empty for the home folder.
        :raises QuatrixNotFound: it does not exist.
        """
        return self.listing(folder_id).entries

    def listing(self, folder_id: str) -> Listing:
        """Return a folder's direct children, and the server's time, from which their age is computed.

        :param folder_id: empty for the home folder.
        :raises QuatrixNotFound: it does not exist.
        """
        response = self._metadata_response(folder_id, content=True)
        return read_listing(response, self._caller.members(response), self._caller.redact)

    def _metadata(self, file_id: str, *, content: bool) -> Mapping[str, Any]:
        return self._caller.members(self._metadata_response(file_id, content=content))

    def _metadata_response(self, file_id: str, *, content: bool) -> Response:
        path = f"file/metadata/{file_id}" if file_id else "file/metadata"
        return self._caller.call("GET", path, params={"content": "1" if content else "0"})

    def tree_size(self, folder_id: str) -> int:
        """Return the bytes of a file or of a whole folder, by ``GET file/size/{id}``."""
        return byte_count(self._object("GET", f"file/size/{folder_id}").get("size")) or 0

    def make_folder(self, parent_id: str, name: str, *, repeat: Repeat = Repeat.SAFE) -> RemoteFile:
        """Make a folder, by ``POST file/makedir``.

        :param repeat: when the call may be sent again.
        :raises QuatrixConflict: the name is taken, perhaps by this very call if its first response was lost.
        """
        body = {"target": parent_id, "name": name, "resolve": False}
        return self._file("POST", "file/makedir", json=body, repeat=repeat)

    def set_modified(self, file_id: str, modified: float) -> RemoteFile:
        """Set the modification time, by ``POST file/metadata``.

        :param modified: Unix time, kept to the microsecond.
        """
        return self._file("POST", "file/metadata", json={"id": file_id, "mtime": round(modified, 6)})

    def move(
        self, file_id: str, folder_id: str, name: str, *, if_exists: IfExists, modified: float | None = None
    ) -> RemoteFile:
        """Move one object in one call, by ``POST file/moveone`` (known from a client of the service).

        :param folder_id: the target folder.
        :param if_exists: not ``skip``, which the caller must handle.
        :param modified: modification time to set, Unix time.
        :return: the moved object, with its actual name.
        """
        return self._one("moveone", file_id, folder_id, name, if_exists=if_exists, modified=modified)

    def move_verified(
        self,
        file_id: str,
        folder_id: str,
        name: str,
        *,
        if_exists: IfExists,
        modified: float | None = None,
        is_moved: Callable[[RemoteFile], bool] | None = None,
    ) -> RemoteFile:
        """Move one object as :meth:`move` does; if the response was lost, check the effect.

        A move that has happened must not be sent again, as it would conflict with its own result.

        :param is_moved: gets the object and returns whether it was moved; default: it has the target folder and name.
        """
        moves = 0
        while True:
            moves += 1
            try:
                return self.move(file_id, folder_id, name, if_exists=if_exists, modified=modified)
            except (QuatrixTransportError, QuatrixResponseError, QuatrixApiError) as error:
                if not may_repeat(error, Repeat.SAFE):
                    raise
                try:
                    there = self.stat(file_id)
                except (QuatrixNotFound, QuatrixPermissionDenied):
                    # It is unknown whether it happened, so the first error is raised.
                    raise error from None
                happened = (there.parent_id, there.name) == (folder_id, name) if is_moved is None else is_moved(there)
                if happened:
                    return there
                if moves >= _MOST_MOVES:
                    raise

    def copy(
        self, file_id: str, folder_id: str, name: str, *, if_exists: IfExists, modified: float | None = None
    ) -> RemoteFile:
        """Copy one object in one call, by ``POST file/copyone`` (known from a client of the service).

        :param if_exists: not ``skip``, which the caller must handle.
        :param modified: modification time to set, Unix time.
        :return: the new object, with its actual name.
        """
        return self._one("copyone", file_id, folder_id, name, if_exists=if_exists, modified=modified)

    def _one(
        self, call: str, file_id: str, folder_id: str, name: str, *, if_exists: IfExists, modified: float | None
    ) -> RemoteFile:
        body: dict[str, Any] = {"file_id": file_id, "target_id": folder_id, "name": name, **if_exists.members()}
        if modified is not None:
            body["mtime"] = round(modified, 6)
        # A repeated move or copy would conflict with its own result. The caller checks the effect instead.
        return self._file("POST", f"file/{call}", json=body, repeat=Repeat.REFUSED)

    def delete(self, ids: Sequence[str], *, permanently: bool = False) -> tuple[str, ...]:
        """Delete objects, by ``POST file/delete``, ten at a time, so that the service responds at once.

        If a deletion becomes a job nevertheless, wait until the objects are gone.

        :param ids: files, and folders with their content.
        :param permanently: do not keep them in the Trash.
        :return: ids of objects that were already gone.
        """
        missing: list[str] = []
        for start in range(0, len(ids), _IDS_AT_ONCE):
            missing += self._delete_some(ids[start : start + _IDS_AT_ONCE], permanently=permanently)
        return tuple(missing)

    def _delete_some(self, ids: Sequence[str], *, permanently: bool) -> list[str]:
        body = {"ids": list(ids), "delete_permanently": permanently}
        try:
            # To delete what is in the Trash removes it for good.
            response = self._caller.call("POST", "file/delete", json=body, repeat=Repeat.REFUSED)
        except QuatrixNotFound:
            return list(ids)
        except (QuatrixTransportError, QuatrixResponseError):
            # It may have worked although the response was lost.
            if all(self._is_deleted(file_id) for file_id in ids):
                return []
            raise
        members = self._caller.members(response)
        if "job_id" in members:
            self._await_deleted(ids)
            return []
        deleted = set(members.get("ids") or ())
        left = [file_id for file_id in ids if file_id not in deleted]
        kept = [file_id for file_id in left if not self._is_deleted(file_id)]
        if kept:
            raise QuatrixResponseError(f"Quatrix did not delete {len(kept)} of {len(ids)} objects", response.status)
        return left

    def _await_deleted(self, ids: Sequence[str]) -> None:
        ends = time.monotonic() + _JOB_DEADLINE
        waiting = list(ids)
        while waiting := [file_id for file_id in waiting if not self._is_deleted(file_id)]:
            if time.monotonic() > ends:
                raise QuatrixResponseError(
                    f"Quatrix accepted a deletion, but after {_JOB_DEADLINE:g} s {len(waiting)} are still there",
                    202,
                )
            self._sleep(_JOB_PAUSE)

    def _is_deleted(self, file_id: str) -> bool:
        try:
            parent_id = self.stat(file_id).parent_id
            return bool(parent_id) and self.stat(parent_id).kind is FileKind.TRASH
        except QuatrixNotFound:
            return True

    def search(self, name: str) -> tuple[RemoteFile, ...]:
        """Find objects by a part of their name, by ``POST file/search``.

        Where and how the service searches is not published.
        """
        response = self._caller.call("POST", "file/search", json={"_and": [{"name": {"_and": [name]}}]})
        return tuple(file for file in map(RemoteFile.from_entry, self._caller.entries(response)) if not file.problem)

    def upload_link(
        self, folder_id: str, name: str, size: int | None, *, repeat: Repeat = Repeat.REFUSED
    ) -> UploadLink:
        """Get permission to write a new file, by ``POST upload/link``.

        :param size: bytes that it will have; ``None`` if unknown.
        :param repeat: when the call may be sent again; a second one may conflict with the result of the first.
        :return: the key, and the actual name of the file.
        :raises QuatrixConflict: the name is taken.
        :raises QuatrixQuotaExceeded: it does not fit.
        """
        body: dict[str, Any] = {"name": name, "parent_id": folder_id, "resolve": False}
        if size is not None:
            body["file_size"] = size
        return self._upload_link(self._caller.call("POST", "upload/link", json=body, repeat=repeat))

    def modify(self, file_id: str) -> UploadLink:
        """Get permission to write to an existing file, by ``POST file/modify``; its bytes stay until then."""
        return self._upload_link(self._caller.call("POST", "file/modify", json={"id": file_id}))

    def _upload_link(self, response: Response) -> UploadLink:
        members = self._caller.members(response)
        key, file_id = members.get("upload_key"), members.get("file_id")
        if not key or not file_id:
            raise self._caller.malformed(response, "an upload link without a key")
        self._caller.hide(str(key))
        return UploadLink(str(key), str(file_id), str(members.get("parent_id") or ""), str(members.get("name") or ""))

    def upload_chunk(self, key: str, offset: int, size: int, total: int, body: Callable[[], SizedReader]) -> None:
        """Send a part of a file, by ``POST /upload/chunked/{key}``.

        The same part may be sent again.

        :param offset: position of the part's first byte.
        :param size: bytes of the part.
        :param total: bytes of the whole file, as far as known.
        :param body: opens the part; called for every try.
        :raises QuatrixNotFound: the key is no longer valid.
        """
        self._caller.hide(key)
        self._caller.send(
            Request(
                "POST",
                f"/upload/chunked/{key}",
                headers={
                    "Content-Range": f"bytes {offset}-{offset + size - 1}/{total}",
                    "Content-Type": "application/octet-stream",
                },
                body=body,
                body_size=size,
            )
        )

    def finalize(self, key: str, modified: float | None) -> tuple[str, int]:
        """Finish an upload, by ``GET upload/finalize/{key}``.

        :param modified: modification time to set, Unix time; default: the server's present time.
        :return: the file's id, and how many bytes the server has.
        :raises QuatrixNotFound: the key is no longer valid, or the upload was already finished.
        """
        params = None if modified is None else {"mtime": f"{modified:.6f}"}
        response = self._caller.call("GET", f"upload/finalize/{key}", params=params)
        members = self._caller.members(response)
        size = byte_count(members.get("size"))
        if size is None:
            raise self._caller.malformed(response, "the end of an upload without its size")
        return str(members.get("id") or ""), size

    def download_link(self, ids: Sequence[str]) -> str:
        """Get a link to read objects, by ``POST file/download-link``; several objects or a folder come as one ZIP."""
        response = self._caller.call("POST", "file/download-link", json={"ids": list(ids)})
        link = self._caller.members(response).get("id")
        if not link:
            raise self._caller.malformed(response, "a download link without an id")
        self._caller.hide(str(link))
        return str(link)

    def open_download(self, link: str, start: int = 0, end: int | None = None) -> requests.Response:
        """Begin to read, by ``GET file/download/{link id}``.

        :param link: from :meth:`download_link`.
        :param start: position of the first byte.
        :param end: position after the last byte; ``None`` for the end of the file.
        :return: a response with an unread body: 206 for the range, 200 if the server ignores ranges.
        """
        headers = {"Accept": "application/octet-stream", "Accept-Encoding": "identity"}
        if start or end is not None:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        return self._caller.open(Request("GET", f"file/download/{link}", headers=headers))

    def keep_session(self) -> None:
        """Refresh the session while bytes are moved; does nothing with an API key."""
        self._caller.keep_session()

    def report_moved(self, direction: str, size: int) -> None:
        """Report to the observers that a file has arrived.

        :param direction: ``upload`` or ``download``.
        :param size: its bytes.
        """
        self._caller.report_moved(direction, size)

    def _file(self, method: str, path: str, *, json: Any, repeat: Repeat = Repeat.SAFE) -> RemoteFile:
        return RemoteFile.from_response(self._object(method, path, json=json, repeat=repeat))

    def _object(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        json: Any = None,
        repeat: Repeat = Repeat.SAFE,
    ) -> Mapping[str, Any]:
        return self._caller.members(self._caller.call(method, path, params=params, json=json, repeat=repeat))
