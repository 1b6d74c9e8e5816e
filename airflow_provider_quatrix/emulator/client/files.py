"""The control calls for files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from .connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class FileControls(Connection):
    """Writes, reads and changes files of an emulator. Paths start at the home of the user with the given e-mail."""

    def files(self, email: str, limit: int | None = None) -> list[dict[str, Any]]:
        """List what a user has, with the Trash and without system folders.

        :param limit: list only so many, the last changed ones; None for all, sorted by path.
        :return: with ``path`` (from the home, ``/…``), ``id``, ``type``, ``size``, ``modified``, ``unfinished``,
            ``virus_check``.
        """
        query = {"email": email} if limit is None else {"email": email, "limit": str(limit)}
        files: list[dict[str, Any]] = self._call("GET", f"files?{urlencode(query)}")["files"]
        return files

    def put_file(
        self,
        email: str,
        path: str,
        data: bytes | None = None,
        *,
        size: int | None = None,
        modified: float | None = None,
    ) -> str:
        """Make or replace a file, and make its missing parents.

        :param size: instead of data: so many bytes of a fixed pattern, which are not sent and take no space.
        :param modified: modification time; now when None.
        """
        if data is None:
            return self.put_files(email, [{"path": path, "size": size or 0, "modified": modified}])[0]
        query = {"email": email, "path": path} | ({} if modified is None else {"modified": repr(modified)})
        return str(self._call("PUT", f"files/content?{urlencode(query)}", data=data)["id"])

    def put_files(self, email: str, objects: Iterable[str | Mapping[str, Any]]) -> list[str]:
        """Make or replace many files and folders at once.

        :param objects: paths, or mappings with ``path``, ``size``, ``modified``, ``kind``; a path that ends with a
            slash is a folder.
        """
        wanted = [{"path": item} if isinstance(item, str) else dict(item) for item in objects]
        ids: list[str] = self._call("POST", "files", {"email": email, "objects": wanted})["ids"]
        return ids

    def make_folder(self, email: str, path: str) -> str:
        """Make a folder and its missing parents."""
        return self.put_files(email, [path.rstrip("/") + "/"])[0]

    def make_project_folder(self, email: str, name: str) -> str:
        """Make a project folder, of type ``S``."""
        return self.put_files(email, [{"path": name.rstrip("/") + "/", "kind": "S"}])[0]

    def put_hostile_name(self, email: str, name: str, folder: str = "", *, size: int = 0, kind: str = "F") -> str:
        """Make an object with a malicious name, such as ``../x``.

        :param folder: path of the folder; the home when empty.
        :param kind: ``F`` or ``D``.
        """
        body = {"email": email, "name": name, "folder": folder, "size": size, "kind": kind}
        return str(self._call("POST", "files/hostile-name", body)["id"])

    def read_file(self, email: str, path: str) -> bytes:
        """Read a file."""
        return b"".join(self._content(email, path))

    def file_sha256(self, email: str, path: str) -> str:
        """Read a file of any size.

        :return: the SHA-256 of its content, in hex.
        """
        digest = hashlib.sha256()
        for block in self._content(email, path):
            digest.update(block)
        return digest.hexdigest()

    def remove_file(self, email: str, path: str) -> None:
        """Remove a file or folder for good, even while it is in use."""
        self._call("POST", "files/remove", {"email": email, "path": path})

    def protect(self, email: str, path: str, *, protected: bool = True) -> None:
        """Forbid or allow to change an object and everything in it.

        :param protected: whether to forbid it.
        """
        self._call("POST", "files/protect", {"email": email, "path": path, "protected": protected})

    def set_virus_check(self, email: str, path: str, check: Literal["infected", "checking"] | None) -> None:
        """Set the result of the virus check for a file.

        :param check: None for clean; what is uploaded into the file later is clean too.
        """
        self._call("POST", "files/virus-check", {"email": email, "path": path, "check": check})

    def kill_upload_keys(self) -> int:
        """Expire all upload keys.

        :return: how many there were.
        """
        return int(self._call("POST", "uploads/kill")["killed"])

    @property
    def uploads(self) -> list[dict[str, Any]]:
        """The open uploads.

        :return: oldest first, with ``email``, ``path``, ``file_id``, ``size`` so far, ``announced``, ``began``.
        """
        uploads: list[dict[str, Any]] = self.state()["uploads"]
        return uploads

    @property
    def uploads_open(self) -> int:
        """The number of uploads that are not finalized."""
        return len(self.uploads)

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """The jobs since the last reset.

        :return: oldest first, with ``job_id``, ``call``, ``due``, ``status``: ``waiting``, ``done`` or ``failed``.
        """
        jobs: list[dict[str, Any]] = self.state()["jobs"]
        return jobs

    def _content(self, email: str, path: str) -> Iterator[bytes]:
        return self._stream(f"files/content?{urlencode({'email': email, 'path': path})}")
