"""The file calls of the API, by id: look up, list, make, rename, move, copy, delete, search."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.errors import (
    Answer,
    QuatrixApiError,
    QuatrixNotFound,
    QuatrixResponseError,
    QuatrixTransportError,
    malformed,
)
from airflow_provider_quatrix.api.models import ApiKey, FileKind, RemoteFile, UploadLink
from airflow_provider_quatrix.api.retry import Repeat, may_repeat
from airflow_provider_quatrix.api.transport import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import requests

    from airflow_provider_quatrix.api.client import QuatrixClient
    from airflow_provider_quatrix.api.transport import SizedReader

# Up to this many ids the service deletes and moves at once; more become a job that nothing reports on.
_IDS_AT_ONCE = 10
# A job is known by its effect only. Jobs of the service take seconds; one that takes this long is stuck.
_JOB_DEADLINE = 300.0
_JOB_PAUSE = 1.0
# A move whose answer gets lost is sent again this often, once it is known not to have happened.
_MOST_MOVES = 4


class IfExists(Enum):
    """What to do when an object of the wanted name exists."""

    FAIL = "fail"
    SKIP = "skip"
    OVERWRITE = "overwrite"
    RENAME = "rename"

    @classmethod
    def parse(cls, value: str | IfExists) -> IfExists:
        """Return the member for its name.

        :param value: ``fail``, ``skip``, ``overwrite`` or ``rename``.
        :return: the member.
        :raises ValueError: there is none of that name.
        """
        try:
            return cls(value)
        except ValueError:
            names = ", ".join(repr(member.value) for member in cls)
            raise ValueError(f"if_exists is {value!r}: give one of {names}") from None

    def members(self) -> dict[str, Any]:
        """Return the members of a request that say so to the service."""
        if self is IfExists.OVERWRITE:
            return {"resolve": True, "resolve_mode": "overwrite"}
        return {"resolve": self is IfExists.RENAME, "resolve_mode": ""}


@dataclass(frozen=True)
class Listing:
    """What a folder held at a moment.

    :param folder: the folder itself.
    :param entries: direct children.
    :param now: the server's time, Unix time; this host's own where the answer did not tell it.
    """

    folder: RemoteFile
    entries: tuple[RemoteFile, ...]
    now: float


def _server_time(answer: Answer) -> float:
    try:
        return parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
    except (ValueError, OverflowError):
        return time.time()


class FilesApi:
    """File calls on behalf of a client's user.

    :param client: sends the calls.
    :param sleep: waits for jobs.
    """

    def __init__(self, client: QuatrixClient, sleep: Callable[[float], None] = time.sleep) -> None:
        self.client = client
        self._sleep = sleep

    def find(self, path: str, parent_id: str | None = None) -> tuple[str, FileKind] | None:
        """Resolve a path on the server, by ``POST file/id`` (known from a client of the service, not published).

        :param path: names with slashes between, relative to the parent; empty for the parent itself.
        :param parent_id: a folder; the home folder if absent.
        :return: id and kind, ``None`` if there is nothing.
        """
        body: dict[str, Any] = {"path": path}
        if parent_id is not None:
            body["parent_id"] = parent_id
        try:
            answer = self._object("POST", "file/id", json=body)
        except QuatrixNotFound:
            return None
        file_id = answer.get("file_id")
        return (str(file_id), FileKind(answer.get("type"))) if file_id else None

    def stat(self, file_id: str) -> RemoteFile:
        """Return an object's metadata, by ``GET file/metadata/{id}``.

        :param file_id: its id; empty for the home folder.
        :raises QuatrixNotFound: there is none.
        """
        return RemoteFile.from_answer(self._metadata(file_id, content=False))

    def children(self, folder_id: str) -> tuple[RemoteFile, ...]:
        """Return a folder's direct children, all of them: the call has no paging.

        :param folder_id: its id; empty for the home folder.
        :raises QuatrixNotFound: there is none.
        """
        return self.listing(folder_id).entries

    def listing(self, folder_id: str) -> Listing:
        """Return a folder's direct children, and the server's time, against which their age is told.

        :param folder_id: its id; empty for the home folder.
        :raises QuatrixNotFound: there is none.
        """
        answer = self._metadata_answer(folder_id, content=True)
        members = self._members(answer)
        entries = tuple(RemoteFile.from_answer(entry) for entry in members.get("content") or ())
        return Listing(RemoteFile.from_answer(members), entries, _server_time(answer))

    def _metadata(self, file_id: str, *, content: bool) -> Mapping[str, Any]:
        return self._members(self._metadata_answer(file_id, content=content))

    def _metadata_answer(self, file_id: str, *, content: bool) -> Answer:
        path = f"file/metadata/{file_id}" if file_id else "file/metadata"
        return self.client.call("GET", path, params={"content": "1" if content else "0"})

    def tree_size(self, folder_id: str) -> int:
        """Return the bytes of a file or of a whole folder, by ``GET file/size/{id}``."""
        return int(self._object("GET", f"file/size/{folder_id}").get("size") or 0)

    def make_folder(self, parent_id: str, name: str) -> RemoteFile:
        """Make a folder, by ``POST file/makedir``.

        :param parent_id: where.
        :param name: its name.
        :return: the new folder.
        :raises QuatrixConflict: the name is taken, perhaps by a folder that this very call has made while its first
            answer got lost.
        """
        body = {"target": parent_id, "name": name, "resolve": False}
        return self._file("POST", "file/makedir", json=body)

    def rename(self, file_id: str, name: str, if_exists: IfExists = IfExists.FAIL) -> RemoteFile:
        """Rename an object within its folder, by ``POST file/rename/{id}``."""
        body = {"name": name, "resolve": if_exists is IfExists.RENAME}
        return self._file("POST", f"file/rename/{file_id}", json=body, repeat=Repeat.SAFE)

    def set_modified(self, file_id: str, modified: float) -> RemoteFile:
        """Set the modification time, by ``POST file/metadata``.

        :param file_id: the object.
        :param modified: Unix time, kept to the microsecond.
        """
        return self._file("POST", "file/metadata", json={"id": file_id, "mtime": round(modified, 6)})

    def move(
        self, file_id: str, folder_id: str, name: str, *, if_exists: IfExists, modified: float | None = None
    ) -> RemoteFile:
        """Move one object, at once, by ``POST file/moveone`` (known from a client of the service).

        :param file_id: what.
        :param folder_id: where to.
        :param name: its name there.
        :param if_exists: ``skip`` is the caller's to decide.
        :param modified: modification time to give it.
        :return: the moved object, with the name it really got.
        """
        return self._one("moveone", file_id, folder_id, name, if_exists=if_exists, modified=modified)

    def move_surely(
        self,
        file_id: str,
        folder_id: str,
        name: str,
        *,
        if_exists: IfExists,
        modified: float | None = None,
        is_moved: Callable[[RemoteFile], bool] | None = None,
    ) -> RemoteFile:
        """Move one object as :meth:`move` does; where the answer gets lost, look at the effect.

        A move must not be sent again if it has happened, as it would meet its own result.

        :param file_id: what.
        :param folder_id: where to.
        :param name: its name there.
        :param if_exists: ``skip`` is the caller's to decide.
        :param modified: modification time to give it.
        :param is_moved: tells by the object whether it has happened; default: it has the wanted folder and name.
        :return: the moved object, with the name it really got.
        """
        moves = 0
        while True:
            moves += 1
            try:
                return self.move(file_id, folder_id, name, if_exists=if_exists, modified=modified)
            except (QuatrixTransportError, QuatrixResponseError, QuatrixApiError) as error:
                if not may_repeat(error, Repeat.SAFE):
                    raise
                there = self.stat(file_id)
                happened = (there.parent_id, there.name) == (folder_id, name) if is_moved is None else is_moved(there)
                if happened:
                    return there
                if moves >= _MOST_MOVES:
                    raise

    def copy(
        self, file_id: str, folder_id: str, name: str, *, if_exists: IfExists, modified: float | None = None
    ) -> RemoteFile:
        """Copy one object, at once, by ``POST file/copyone`` (known from a client of the service).

        :param file_id: what.
        :param folder_id: where to.
        :param name: its name there.
        :param if_exists: ``skip`` is the caller's to decide.
        :param modified: modification time to give it.
        :return: the new object, with the name it really got.
        """
        return self._one("copyone", file_id, folder_id, name, if_exists=if_exists, modified=modified)

    def _one(
        self, call: str, file_id: str, folder_id: str, name: str, *, if_exists: IfExists, modified: float | None
    ) -> RemoteFile:
        body: dict[str, Any] = {"file_id": file_id, "target_id": folder_id, "name": name, **if_exists.members()}
        if modified is not None:
            body["mtime"] = round(modified, 6)
        # A repeated move or copy meets its own first result; the caller looks at the effect instead.
        return self._file("POST", f"file/{call}", json=body, repeat=Repeat.REFUSED)

    def delete(self, ids: Sequence[str], *, permanently: bool = False) -> tuple[str, ...]:
        """Delete objects, by ``POST file/delete``, ten at a time, so that the service answers at once.

        What becomes a job all the same is waited for: it is done when the objects are gone.

        :param ids: what; folders take along what they hold.
        :param permanently: do not keep them in the Trash.
        :return: ids that were not there any more.
        """
        missing: list[str] = []
        for start in range(0, len(ids), _IDS_AT_ONCE):
            missing += self._delete_some(ids[start : start + _IDS_AT_ONCE], permanently=permanently)
        return tuple(missing)

    def _delete_some(self, ids: Sequence[str], *, permanently: bool) -> list[str]:
        body = {"ids": list(ids), "delete_permanently": permanently}
        try:
            # What is in the Trash already is gone for good when it is deleted again.
            answer = self.client.call("POST", "file/delete", json=body, repeat=Repeat.REFUSED)
        except QuatrixNotFound:
            return list(ids)
        except (QuatrixTransportError, QuatrixResponseError):
            # It may have worked although its answer got lost.
            if all(self._is_deleted(file_id) for file_id in ids):
                return []
            raise
        members = self._members(answer)
        if "job_id" in members:
            self._await_deleted(ids)
            return []
        deleted = set(members.get("ids") or ())
        left = [file_id for file_id in ids if file_id not in deleted]
        kept = [file_id for file_id in left if not self._is_deleted(file_id)]
        if kept:
            raise QuatrixResponseError(f"Quatrix did not delete {len(kept)} of {len(ids)} objects", answer.status)
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

        Where the service looks, and how it compares, is not published.

        :param name: part of the name.
        :return: what was found.
        """
        answer = self.client.call("POST", "file/search", json={"_and": [{"name": {"_and": [name]}}]})
        found = answer.json()
        if not isinstance(found, list):
            raise malformed(answer, "an answer that is not a list", self.client.transport.redactor)
        return tuple(RemoteFile.from_answer(entry) for entry in found)

    def upload_link(
        self, folder_id: str, name: str, size: int | None, *, repeat: Repeat = Repeat.REFUSED
    ) -> UploadLink:
        """Get permission to write a new file, by ``POST upload/link``.

        :param folder_id: where.
        :param name: its name.
        :param size: bytes it will have, ``None`` if unknown.
        :param repeat: when the call may be sent again; a second one meets what the first has made as a conflict.
        :return: the key, and the name the file really got.
        :raises QuatrixConflict: the name is taken.
        :raises QuatrixQuotaExceeded: it does not fit.
        """
        body: dict[str, Any] = {"name": name, "parent_id": folder_id, "resolve": False}
        if size is not None:
            body["file_size"] = size
        answer = self.client.call("POST", "upload/link", json=body, repeat=repeat)
        members = self._members(answer)
        key, file_id = members.get("upload_key"), members.get("file_id")
        if not key or not file_id:
            raise malformed(answer, "an upload link without a key", self.client.transport.redactor)
        self.client.transport.redactor.add(str(key), announce=False)
        return UploadLink(str(key), str(file_id), str(members.get("parent_id") or ""), str(members.get("name") or ""))

    def upload_chunk(self, key: str, offset: int, size: int, total: int, body: Callable[[], SizedReader]) -> None:
        """Send a part of a file, by ``POST /upload/chunked/{key}``.

        A part that is sent again with the same range does no harm.

        :param key: upload key.
        :param offset: where the part begins.
        :param size: its bytes.
        :param total: bytes of the whole file, as far as known.
        :param body: opens the part, anew for every try.
        :raises QuatrixNotFound: the key has died.
        """
        self.client.transport.redactor.add(key, announce=False)
        self.client.send(
            Call(
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
        """End an upload, by ``GET upload/finalize/{key}``.

        :param key: upload key.
        :param modified: modification time to give the file, Unix time; the server's own if absent.
        :return: the file's id, and the bytes that the server has of it.
        :raises QuatrixNotFound: the key has died, or the upload was ended before.
        """
        params = None if modified is None else {"mtime": f"{modified:.6f}"}
        answer = self.client.call("GET", f"upload/finalize/{key}", params=params)
        members = self._members(answer)
        if "size" not in members:
            raise malformed(answer, "the end of an upload without its size", self.client.transport.redactor)
        return str(members.get("id") or ""), int(members["size"])

    def download_link(self, ids: Sequence[str]) -> str:
        """Get a link to read objects, by ``POST file/download-link``; several, or a folder, come as one ZIP."""
        answer = self.client.call("POST", "file/download-link", json={"ids": list(ids)})
        link = self._members(answer).get("id")
        if not link:
            raise malformed(answer, "a download link without an id", self.client.transport.redactor)
        self.client.transport.redactor.add(str(link), announce=False)
        return str(link)

    def open_download(self, link: str, start: int = 0, end: int | None = None) -> requests.Response:
        """Begin to read, by ``GET file/download/{link id}``.

        :param link: from :meth:`download_link`.
        :param start: first byte wanted.
        :param end: byte after the last one wanted, ``None`` for all.
        :return: an answer whose body is unread: 206 for the range, 200 where the server ignores ranges.
        """
        headers = {"Accept": "application/octet-stream", "Accept-Encoding": "identity"}
        if start or end is not None:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        return self.client.open(Call("GET", f"file/download/{link}", headers=headers))

    def api_keys(self) -> tuple[ApiKey, ...]:
        """Return the API keys of all users that this one manages, by ``GET api-key``."""
        answer = self.client.call("GET", "api-key")
        keys = answer.json()
        if not isinstance(keys, list):
            raise malformed(answer, "an answer that is not a list", self.client.transport.redactor)
        return tuple(self._api_key(entry) for entry in keys)

    def create_api_key(self, name: str) -> ApiKey:
        """Make an API key, by ``POST api-key/create``; the answer is the only one that holds the key itself."""
        return self._api_key(self._object("POST", "api-key/create", json={"name": name}, repeat=Repeat.REFUSED))

    def set_api_key_active(self, key_id: str, *, active: bool) -> ApiKey:
        """Switch an API key on or off, by ``POST api-key/update/{id}``."""
        body = {"status": "A" if active else "D"}
        return self._api_key(self._object("POST", f"api-key/update/{key_id}", json=body))

    def delete_api_key(self, key_id: str) -> None:
        """Delete an API key, by ``GET api-key/delete/{id}``."""
        self.client.call("GET", f"api-key/delete/{key_id}", repeat=Repeat.REFUSED)

    def _api_key(self, body: Mapping[str, Any]) -> ApiKey:
        key = ApiKey.from_answer(body)
        self.client.transport.redactor.add(key.key)
        return key

    def _file(self, method: str, path: str, *, json: Any, repeat: Repeat = Repeat.SAFE) -> RemoteFile:
        return RemoteFile.from_answer(self._object(method, path, json=json, repeat=repeat))

    def _object(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        json: Any = None,
        repeat: Repeat = Repeat.SAFE,
    ) -> Mapping[str, Any]:
        return self._members(self.client.call(method, path, params=params, json=json, repeat=repeat))

    def _members(self, answer: Answer) -> Mapping[str, Any]:
        members = answer.json()
        if not isinstance(members, dict):
            raise malformed(answer, "an answer that is not an object", self.client.transport.redactor)
        return members
