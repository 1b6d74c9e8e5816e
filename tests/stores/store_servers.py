"""A folder in a store, and a real SFTP server."""

from __future__ import annotations

from typing import Any, ClassVar

import asyncssh

from airflow_provider_quatrix.transfer.places import Place
from airflow_provider_quatrix.transfer.store_endpoint import StoreEndpoint

USER, PASSWORD = "robot", "Sftp-Passw0rd"


class Store:
    """A place in a store.

    :param url: of a folder.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        place = Place.of(url, "url")
        end = StoreEndpoint(place)
        self._fs = end.fs
        self._top = end.path(place.path)

    def put(self, name: str, data: bytes) -> None:
        """Write a file."""
        if not self.url.startswith("s3"):
            self._fs.makedirs(f"{self._top}/{name}".rpartition("/")[0], exist_ok=True)
        self._fs.pipe_file(f"{self._top}/{name}", data)

    def files(self) -> dict[str, bytes]:
        """Return all files by name, whatever they are."""
        self._fs.invalidate_cache()
        found = self._fs.find(self._top)
        return {path.removeprefix(self._top).lstrip("/"): self._fs.cat_file(path) for path in found}


class SftpFiles(asyncssh.SFTPServer):
    """Serves a folder.

    :cvar spoils: what is written gets wrong bytes.
    """

    root = ""
    spoils = False

    def __init__(self, channel: Any) -> None:
        super().__init__(channel, chroot=self.root.encode())

    def write(self, file_obj: Any, offset: int, data: bytes) -> int:
        """Write, perhaps something else."""
        return int(super().write(file_obj, offset, bytes(len(data)) if SftpFiles.spoils else data))  # type: ignore[arg-type]


class Login(asyncssh.SSHServer):
    connections: ClassVar[list[asyncssh.SSHServerConnection]] = []

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)
