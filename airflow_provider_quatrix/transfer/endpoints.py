"""The two ends of a transfer: what each can do, and the implementation for Quatrix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from airflow_provider_quatrix.api.errors import QuatrixConflict, QuatrixTransferError
from airflow_provider_quatrix.api.models import FileKind
from airflow_provider_quatrix.api.paths import join, split
from airflow_provider_quatrix.api.stopping import cleaning_up
from airflow_provider_quatrix.transfer.chunks import SMALLEST_CHUNK
from airflow_provider_quatrix.transfer.patterns import matches
from airflow_provider_quatrix.transfer.plans import DownloadJob
from airflow_provider_quatrix.transfer.reader import VersionChangedError, download_to
from airflow_provider_quatrix.transfer.remote_files import matching
from airflow_provider_quatrix.transfer.source_deletion import delete_remote
from airflow_provider_quatrix.transfer.stream_writer import StreamWriter
from airflow_provider_quatrix.transfer.temporary import is_temporary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_quatrix.api.files import IfExists
    from airflow_provider_quatrix.api.models import Entry, RemoteFile
    from airflow_provider_quatrix.transfer.reader import Sink
    from airflow_provider_quatrix.transfer.sources import Source
    from airflow_provider_quatrix.transfer.throttle import Throttle
    from airflow_provider_quatrix.transfer.tree import RemoteTree


@dataclass(frozen=True)
class Item:
    """A file or folder at one end.

    :param path: in the form that its end uses.
    :param names: its path below the target, as names.
    :param size: bytes of a file.
    :param version: changes when the file does.
    :param modified: modification time, Unix time; ``None`` if unknown.
    :param is_folder: whether it is a folder.
    :param remote: its metadata on Quatrix.
    """

    path: str
    names: tuple[str, ...]
    size: int
    version: str
    modified: float | None = None
    is_folder: bool = False
    remote: RemoteFile | None = None

    @property
    def id(self) -> str:
        """Its id on Quatrix, empty elsewhere."""
        return "" if self.remote is None else self.remote.id


@dataclass(frozen=True)
class Listing:
    """The files and folders of a source.

    :param items: files, and the folders they are in.
    :param is_file: the source is the path of a file.
    :param left_out: what exists but cannot be used, with the reasons.
    """

    items: tuple[Item, ...]
    is_file: bool = False
    left_out: tuple[str, ...] = ()


class Draft(Protocol):
    """A file that is being written. Nobody sees it under its final name before it is complete."""

    verified_early: bool
    """Whether it can be read back before it gets its name."""

    def write(self, data: bytes) -> None:
        """Write the next bytes."""

    def finish(self) -> None:
        """Complete the file in the store, without its name."""

    def read_back(self, sink: Sink) -> None:
        """Read the file from the store."""

    def commit(self, if_exists: IfExists) -> Item:
        """Give the file its name.

        :raises QuatrixConflict: it is taken.
        :raises FileExistsError: it is taken.
        """

    def discard(self) -> None:
        """Remove what was written."""


class Endpoint(Protocol):
    """One end of a transfer. Its paths have the form that :meth:`path` returns."""

    many: bool
    """Many files are written, so listing their folders is cheaper than a call for each."""

    def path(self, text: str) -> str:
        """Return a path in the form of this end."""

    def below(self, path: str, names: Sequence[str]) -> str:
        """Return the path of something below a folder.

        :raises InvalidPathError: this end does not accept a name.
        """

    def find(self, source: Source) -> Listing:
        """Return the files and folders of a source.

        :raises FileNotFoundError: nothing is there, or a pattern matches nothing.
        """

    def stat(self, path: str) -> Item | None:
        """Return what is at a path; ``None`` if nothing is."""

    def in_folder_of(self, path: str) -> dict[str, Item]:
        """Return the content of the folder that a path is in, by name; it is listed once and then remembered."""

    def make_folder(self, path: str, *, create: bool) -> None:
        """Make sure that there is a folder.

        :param create: make it if it is missing.
        """

    def send(self, item: Item, sink: Sink, throttle: Throttle) -> None:
        """Read a file from its first to its last byte.

        :raises QuatrixTransferError: it changed in the meantime.
        """

    def stat_now(self, path: str) -> Item | None:
        """Return what is at a path now; ``None`` if nothing is."""

    def draft(self, path: str, item: Item, resume_key: str, if_exists: IfExists) -> Draft:
        """Begin to write a file.

        :param item: the source of the copy.
        :param resume_key: who writes, the same in every try; empty if there is no retry.
        :param if_exists: what will be done if the path is taken.
        """

    def delete(self, items: Sequence[Item]) -> set[str]:
        """Delete files, except those that somebody has written to.

        :return: paths of those that are gone.
        """


class QuatrixEndpoint:
    """The files of a Quatrix account.

    :ivar many: see :class:`Endpoint`.
    """

    def __init__(self, tree: RemoteTree) -> None:
        self.tree = tree
        self.many = False

    def path(self, text: str) -> str:
        """Return a path from the home folder."""
        return join(split(text))

    def below(self, path: str, names: Sequence[str]) -> str:
        """Return the path of something below a folder."""
        return join(split(join((*split(path), *names))))

    def find(self, source: Source) -> Listing:
        """Return the files and folders of a source; unfinished files are left out."""
        known = len(self.tree.left_out)
        if source.is_pattern:
            items = [_item(entry, entry.names[-1:]) for entry in matching(self.tree, source)]
        else:
            file = self.tree.stat(source.text)
            if not file.kind.is_folder:
                return Listing((_item_of(file, join(source.parts), source.parts[-1:]),), is_file=True)
            items = [_item(entry, entry.names[len(source.parts) :]) for entry in self.tree.walk(source.text)]
        left_out = [
            str(entry)
            for entry in self.tree.left_out[known:]
            if not source.is_pattern or matches(entry.names, source.parts)
        ]
        usable = []
        for item in items:
            if item.is_folder or (item.remote is not None and item.remote.kind is FileKind.FILE):
                usable += [item] if item.is_folder or not is_temporary(item.names[-1]) else []
            else:
                left_out.append(f"{item.path!a} is neither a file nor a folder")
        return Listing(tuple(usable), left_out=tuple(left_out))

    def stat(self, path: str) -> Item | None:
        """Return what is at a path; ``None`` if nothing is."""
        if not self.many:
            return self.stat_now(path)
        names = split(path)
        file = self._files_beside(names).get(names[-1])
        return None if file is None else _item_of(file, path, names[-1:])

    def stat_now(self, path: str) -> Item | None:
        """Return what is at a path now; ``None`` if nothing is."""
        found = self.tree.find(path)
        return None if found is None else _item_of(self.tree.files.stat(found[0]), path, split(path)[-1:])

    def in_folder_of(self, path: str) -> dict[str, Item]:
        """Return the content of the folder that a path is in, by name; it is listed once and then remembered."""
        names = split(path)
        return {
            name: _item_of(file, join((*names[:-1], name)), (name,)) for name, file in self._files_beside(names).items()
        }

    def _files_beside(self, names: Sequence[str]) -> dict[str, RemoteFile]:
        folder = self.tree.find(join(names[:-1]))
        return self.tree.names(folder[0]) if folder is not None and folder[1].is_folder else {}

    def make_folder(self, path: str, *, create: bool) -> None:
        """Make sure that there is a folder."""
        self.tree.folder_id(path, create=create)

    def send(self, item: Item, sink: Sink, throttle: Throttle) -> None:
        """Read a file from its first to its last byte."""
        if item.remote is None:
            raise TypeError("not a file on Quatrix")
        try:
            download_to(self.tree.files, item.remote, sink, throttle=throttle)
        except VersionChangedError:
            raise _changed(item) from None

    def draft(self, path: str, item: Item, resume_key: str, if_exists: IfExists) -> QuatrixDraft:
        """Begin to write a file."""
        return QuatrixDraft(self, path, item, resume_key)

    def copy(self, item: Item, path: str, if_exists: IfExists) -> Item:
        """Copy a file on the server.

        :param if_exists: what to do if the path is taken; the caller handles ``skip``.
        """
        file = item.remote
        known = None if file is None else (file.id, file.kind)
        done = self.tree.copy(
            item.path, path, if_exists=if_exists, create_parents=True, known=known, modified=item.modified
        )
        if done is None:
            raise QuatrixConflict(400, None, f"{path!r} exists")
        return _item(done, done.names[-1:])

    def delete(self, items: Sequence[Item]) -> set[str]:
        """Move files to the Trash, except those that somebody has written to."""
        jobs = [(DownloadJob(item.remote, Path(), (item.path,), item.path), item) for item in items if item.remote]
        gone = delete_remote(self.tree.files, [(job, job.remote.version) for job, _ in jobs])
        return {item.path for job, item in jobs if job.names in gone}


class QuatrixDraft:
    """A file that is being written to Quatrix."""

    verified_early = True

    def __init__(self, end: QuatrixEndpoint, path: str, item: Item, resume_key: str) -> None:
        self._end = end
        self._path = path
        self._item = item
        self._writer = StreamWriter(end.tree, path, resume_key=resume_key)
        self._writer.begin(item.size)
        self._blocks: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Take the next bytes; whole blocks are sent."""
        view = memoryview(data)
        while view:
            part = view[: SMALLEST_CHUNK - self._size]
            view = view[len(part) :]
            self._blocks.append(bytes(part) if len(part) < len(data) else data)
            self._size += len(part)
            if self._size == SMALLEST_CHUNK:
                self._send()

    def _send(self) -> None:
        data = self._blocks[0] if len(self._blocks) == 1 else b"".join(self._blocks)
        self._blocks.clear()
        self._size = 0
        self._writer.send(data)

    def finish(self) -> None:
        """Complete the file in the service, and check its size."""
        if self._size:
            self._send()
        self._writer.finish(self._item.modified)

    def read_back(self, sink: Sink) -> None:
        """Read the file from the service."""
        file = self._end.tree.files.stat(self._writer.file_id)
        try:
            download_to(self._end.tree.files, file, sink)
        except VersionChangedError:
            raise QuatrixTransferError(f"Somebody else writes to {self._path!r}: try again") from None

    def commit(self, if_exists: IfExists) -> Item:
        """Give the file its name, in one step."""
        moved = self._writer.commit(if_exists, self._item.modified)
        names = split(self._path)
        path = join((*names[:-1], moved.name or names[-1]))
        return _item_of(moved, path, (path.rpartition("/")[2],))

    def discard(self) -> None:
        """Remove what was written."""
        with cleaning_up():
            self._writer.discard()


def _item(entry: Entry, names: tuple[str, ...]) -> Item:
    return _item_of(entry.file, entry.path, names)


def _item_of(file: RemoteFile, path: str, names: tuple[str, ...]) -> Item:
    is_folder = file.kind.is_folder
    return Item(
        path,
        names,
        0 if is_folder else file.size,
        f"{file.id} {file.size} {file.modified:.6f}",
        file.modified,
        is_folder=is_folder,
        remote=file,
    )


def _changed(item: Item) -> QuatrixTransferError:
    return QuatrixTransferError(
        f"{item.path!r} changed on Quatrix in the meantime: transfer it when nobody writes to it any more"
    )
