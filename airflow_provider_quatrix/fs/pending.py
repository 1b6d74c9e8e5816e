"""A remote file that is being written: under a temporary name until it is whole."""

from __future__ import annotations

import io
import threading
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import (
    QuatrixError,
    QuatrixNotFound,
    QuatrixTransferError,
)
from airflow_provider_quatrix.api.paths import join, split
from airflow_provider_quatrix.api.transfer import KEEPALIVE_SECONDS, temporary_name
from airflow_provider_quatrix.api.upload import temporary_link

if TYPE_CHECKING:
    from airflow_provider_quatrix.api.files import IfExists
    from airflow_provider_quatrix.api.models import UploadLink
    from airflow_provider_quatrix.api.tree import RemoteTree


class Block(io.BytesIO):
    """Bytes in memory as a body to send."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._size = len(data)

    def __len__(self) -> int:
        return self._size


class _Names:
    """Temporary names that this process writes to now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: set[str] = set()

    def take(self, path: str, owner: str) -> str:
        """Return a name: the owner's for this path, so that another try finds it, unless that is being written to."""
        with self._lock:
            name = temporary_name(path, owner) if owner else ""
            if not name or name in self._taken:
                name = temporary_name(path, uuid.uuid4().hex)
            self._taken.add(name)
            return name

    def give_back(self, name: str) -> None:
        """Allow a name again."""
        with self._lock:
            self._taken.discard(name)


_names = _Names()


class PendingFile:
    """A file from its first byte until it stands under its final name, or is gone.

    :param tree: where it will be.
    :param path: its final path.
    :param owner: who writes, the same in every try, so that a further try removes what a killed one left; empty if
        there is no further try.
    :param create_parents: make missing folders above it.
    """

    def __init__(self, tree: RemoteTree, path: str, *, owner: str = "", create_parents: bool = True) -> None:
        self._tree = tree
        self._files = tree.files
        self._path = path
        self._names = split(path)
        self._owner = owner
        self._create_parents = create_parents
        self._temporary = ""
        self._folder_id = ""
        self._link: UploadLink | None = None
        self._sent = 0
        self._used_api = time.monotonic()

    @property
    def begun(self) -> bool:
        """Whether the service knows of it."""
        return self._link is not None

    def begin(self, size: int | None) -> None:
        """Get permission to write.

        :param size: bytes it will have, ``None`` if unknown.
        :raises QuatrixNotFound: the folder is missing.
        :raises QuatrixQuotaExceeded: it does not fit.
        """
        self._folder_id = self._tree.folder_id(join(self._names[:-1]), create=self._create_parents)
        self._temporary = _names.take(self._path, self._owner)
        try:
            self._link = temporary_link(self._files, self._folder_id, self._temporary, size)
        except BaseException:
            _names.give_back(self._temporary)
            raise

    def send(self, data: bytes) -> None:
        """Send the next bytes.

        :param data: them; nothing is fine.
        :raises QuatrixTransferError: the unfinished file is gone.
        """
        if not data:
            return
        link = self._known()
        try:
            # The whole size is not known yet; what is known is how much there is at least.
            self._files.upload_chunk(link.key, self._sent, len(data), self._sent + len(data), lambda: Block(data))
        except QuatrixNotFound:
            raise self._lost() from None
        self._sent += len(data)
        if time.monotonic() - self._used_api > KEEPALIVE_SECONDS:
            self._used_api = time.monotonic()
            self._files.client.hold()

    def finish(self) -> None:
        """End the writing, and check that the service has all bytes.

        :raises QuatrixTransferError: it has not.
        """
        link = self._known()
        try:
            _, size = self._files.finalize(link.key, None)
        except QuatrixNotFound:
            # Ended by a request whose answer got lost; else the key has died.
            try:
                size = self._files.stat(link.file_id).size
            except QuatrixNotFound:
                raise self._lost() from None
        if size != self._sent:
            raise QuatrixTransferError(f"Quatrix has {size} bytes of {self._path!r}, but {self._sent} were sent")

    def commit(self, if_exists: IfExists) -> None:
        """Give the finished file its final name, at once and on the server.

        :param if_exists: what to do if somebody has made a file of that name.
        :raises QuatrixConflict: somebody has, or a folder.
        """
        link = self._known()
        try:
            self._files.move_surely(link.file_id, self._folder_id, self._names[-1], if_exists=if_exists)
        except QuatrixNotFound:
            raise self._lost() from None
        self._forget()

    def discard(self) -> None:
        """Remove what was written; if that fails, another try of the same owner removes it."""
        if self._link is not None:
            with suppress(QuatrixError):
                self._files.delete([self._link.file_id], permanently=True)
            self._forget()

    def _forget(self) -> None:
        self._link = None
        _names.give_back(self._temporary)

    def _known(self) -> UploadLink:
        if self._link is None:
            raise ValueError(f"{self._path!r} is not being written")
        return self._link

    def _lost(self) -> QuatrixTransferError:
        return QuatrixTransferError(
            f"Quatrix does not know the unfinished {self._path!r} any more: its folder or the file was deleted, or "
            "nothing was written for so long that the permission to write has died. Write it again."
        )
