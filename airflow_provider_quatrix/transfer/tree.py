"""The file tree by paths: each folder is looked up once and then remembered, for the life of the tree object."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import QuatrixConflict, QuatrixNotFound, QuatrixResponseError
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.models import Entry, FileKind, RemoteFile
from airflow_provider_quatrix.api.paths import InvalidPathError, in_short, is_counted, join, split
from airflow_provider_quatrix.transfer.prefetch import AT_ONCE, ListingPrefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_provider_quatrix.api.files import FilesApi
    from airflow_provider_quatrix.api.listing import Listing


@dataclass(frozen=True)
class LeftOut:
    """An entry of a folder that cannot be used.

    :param names: from the home folder; the last may contain anything.
    :param why: its name and the reason.
    """

    names: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        return f"in {join(self.names[:-1])!r}: {self.why}"


class RemoteTree:
    """The signed-in user's files by path from the home folder, for the length of one operation.

    Folders that were looked up are remembered, so a thousand files in one folder cost one lookup. Changes that others
    make to folders may therefore go unseen: make a new tree for each operation.

    :ivar left_out: what was listed and cannot be used. A call that moves a whole folder has to report it.
    """

    def __init__(self, files: FilesApi) -> None:
        self.files = files
        self.left_out: list[LeftOut] = []
        self._now: float | None = None
        self._folders: dict[tuple[str, ...], str] = {}
        self._names: dict[str, dict[str, RemoteFile]] = {}
        self._above: dict[str, str] = {}
        self._lock = threading.RLock()

    @property
    def now(self) -> float:
        """The server's time at the last listing; this host's own if nothing has been listed."""
        return time.time() if self._now is None else self._now

    def find(self, path: str) -> tuple[str, FileKind] | None:
        """Return id and kind of what is at a path; ``None`` if nothing is.

        :raises InvalidPathError: a name in it breaks the service's rules.
        """
        names = split(path)
        with self._lock:
            if names in self._folders:
                return self._folders[names], FileKind.FOLDER
            parent = self._folders.get(names[:-1]) if names else None
        found = self.files.find(names[-1], parent) if parent else self.files.find("/".join(names))
        if found is not None and found[1].is_folder:
            with self._lock:
                self._folders[names] = found[0]
        return found

    def stat(self, path: str) -> RemoteFile:
        """Return the metadata of what is at a path.

        :raises QuatrixNotFound: nothing is there.
        :raises QuatrixResponseError: it is a file, and the response about it is invalid.
        """
        found = self.find(path)
        if found is None:
            raise _nothing_at(path)
        file = self.files.stat(found[0])
        if file.problem and not file.kind.is_folder:
            raise QuatrixResponseError(f"Quatrix says that {path!r} {file.problem}", 200)
        return file

    def folder_id(self, path: str, *, create: bool = False) -> str:
        """Return the id of a folder.

        :param create: make it, and the folders above it, if they are missing.
        :raises QuatrixNotFound: it is missing.
        :raises QuatrixConflict: a file is in its place.
        """
        with self._lock:
            names = split(path)
            if create and names and names not in self._folders:
                above = self._folders.get(names[:-1])
                if above is not None and names[-1] not in self._names.get(above, names[-1:]):
                    # This tree has made or listed the folder above without it, so a lookup would hardly find it.
                    return self._make(above, names)
            found = self.find(path)
            if found is not None:
                return _folder(path, found)
            if not create:
                raise QuatrixNotFound(
                    404, None, f"There is no folder {path!r}: make it first, or set create_parents=True"
                )
            return self._create(names)

    def _create(self, names: tuple[str, ...]) -> str:
        """Make a folder and the missing ones above it."""
        above = len(names) - 1
        while (found := self.find(join(names[:above]))) is None:
            above -= 1
        made = _folder(join(names[:above]), found)
        for level in range(above, len(names)):
            made = self._make(made, names[: level + 1])
        return made

    def _make(self, parent: str, names: tuple[str, ...]) -> str:
        try:
            made = self.files.make_folder(parent, names[-1]).id
            self._names[made] = {}
        except QuatrixConflict:
            # Another task has made it in the meantime, or this one has and the response was lost.
            found = self.files.find(names[-1], parent)
            if found is None or not found[1].is_folder:
                raise
            made = found[0]
        self._folders[names] = made
        return made

    def children(self, path: str) -> list[RemoteFile]:
        """Return a folder's direct children; the folders among them are remembered.

        :raises QuatrixNotFound: there is no such folder.
        """
        names = split(path)
        folder_id = self.folder_id(path)
        children = self._usable(self.files.listing(folder_id), folder_id, names)
        self._know_folders(names, children)
        return children

    def _know_folders(self, names: tuple[str, ...], entries: Sequence[RemoteFile]) -> None:
        with self._lock:
            self._folders.update({(*names, entry.name): entry.id for entry in entries if entry.kind.is_folder})

    def _usable(self, listing: Listing, folder_id: str, names: tuple[str, ...]) -> list[RemoteFile]:
        """Return the usable content of a folder; the rest is recorded in ``left_out``."""
        self._now = listing.now
        self.left_out += (LeftOut((*names, entry.name), entry.described) for entry in listing.unusable)
        entries = []
        for entry in listing.entries:
            if entry.kind.is_folder and self._holds(entry.id, folder_id):
                why = f"{in_short(entry.name)} is a folder that contains itself"
                self.left_out.append(LeftOut((*names, entry.name), why))
                continue
            entries.append(entry)
            if entry.kind.is_folder:
                self._above[entry.id] = folder_id
        return entries

    def _holds(self, file_id: str, folder_id: str) -> bool:
        """Return whether something is a folder, or one of those above it."""
        at: str | None = folder_id
        while at is not None and at != file_id:
            at = self._above.get(at)
        return at is not None

    def names(self, folder_id: str) -> dict[str, RemoteFile]:
        """Return a folder's children by name, listed once and then remembered."""
        with self._lock:
            if folder_id not in self._names:
                self._names[folder_id] = {entry.name: entry for entry in self.files.children(folder_id)}
            return self._names[folder_id]

    def walk(
        self,
        path: str,
        *,
        recursive: bool = True,
        trash: bool = False,
        into: Callable[[tuple[str, ...]], bool] | None = None,
        keep: bool = False,
    ) -> Iterator[Entry]:
        """Yield everything below a folder, folders ahead of their content.

        :param recursive: include subfolders.
        :param trash: include the Trash's content.
        :param into: gets the names of a subfolder, and returns whether to list it; default: all are listed.
        :param keep: remember what is listed, for later calls.
        """
        top = self.folder_id(path)
        waiting: deque[tuple[tuple[str, ...], str]] = deque([(split(path), top)])
        with ListingPrefetch(self.files) as ahead:
            while waiting:
                names, folder_id = waiting.popleft()
                following = [each for _, each in islice(waiting, AT_ONCE - 1)]
                entries = self._usable(ahead.listing(folder_id, following), folder_id, names)
                if keep:
                    self._know_folders(names, entries)
                    with self._lock:
                        self._names[folder_id] = {entry.name: entry for entry in entries}
                for entry in entries:
                    if entry.kind is FileKind.TRASH and not trash:
                        continue
                    below = (*names, entry.name)
                    yield Entry(below, entry)
                    if recursive and entry.kind.is_folder and (into is None or into(below)):
                        waiting.append((below, entry.id))

    def move(
        self,
        source: str,
        target: str,
        *,
        if_exists: IfExists,
        create_parents: bool = False,
        known: tuple[str, FileKind] | None = None,
    ) -> Entry | None:
        """Move or rename a file or folder.

        :param if_exists: what to do if the target exists; folders are never overwritten.
        :param create_parents: make missing folders of the target.
        :param known: the source's id and kind, if they have been looked up.
        :return: the moved object; ``None`` if it was skipped.
        :raises QuatrixNotFound: the source or the target's folder is missing.
        :raises QuatrixConflict: the target exists.
        """
        old, new = split(source), split(target)

        def move(file_id: str, folder_id: str, name: str, mode: IfExists) -> RemoteFile:
            def is_moved(there: RemoteFile) -> bool:
                in_place = old[:-1] == new[:-1] and there.name == old[-1]
                right_name = is_counted(there.name, name) if mode is IfExists.RENAME else there.name == name
                return there.parent_id == folder_id and right_name and not in_place

            return self.files.move_verified(file_id, folder_id, name, if_exists=mode, is_moved=is_moved)

        return self._transplant(source, target, if_exists, move, create_parents=create_parents, known=known)

    def copy(
        self,
        source: str,
        target: str,
        *,
        if_exists: IfExists,
        create_parents: bool = False,
        known: tuple[str, FileKind] | None = None,
        modified: float | None = None,
    ) -> Entry | None:
        """Copy a file or folder on the server; parameters as in :meth:`move`.

        :param modified: modification time of the copy, Unix time; by default the service decides.
        """

        def copy(file_id: str, folder_id: str, name: str, mode: IfExists) -> RemoteFile:
            return self.files.copy(file_id, folder_id, name, if_exists=mode, modified=modified)

        return self._transplant(source, target, if_exists, copy, create_parents=create_parents, known=known)

    def _transplant(
        self,
        source: str,
        target: str,
        if_exists: IfExists,
        send: Callable[[str, str, str, IfExists], RemoteFile],
        *,
        create_parents: bool,
        known: tuple[str, FileKind] | None,
    ) -> Entry | None:
        old, new = split(source), split(target)
        if not old or not new:
            raise InvalidPathError("The home folder itself cannot be moved, copied or replaced: give a path below it")
        if new[: len(old)] == old and len(new) > len(old):
            raise InvalidPathError(f"{source!r} cannot go into itself ({target!r}): choose a target outside")
        if new == old and if_exists is not IfExists.RENAME:
            raise InvalidPathError(f"Source and target are both {source!r}: choose another target")
        found = known or self.find(source)
        if found is None:
            raise _nothing_at(source)
        if if_exists in (IfExists.SKIP, IfExists.OVERWRITE):
            there = self.find(target)
            if there is not None and if_exists is IfExists.SKIP:
                return None
            # The service would replace a folder together with its content.
            if there is not None and (there[1].is_folder or found[1].is_folder):
                raise QuatrixConflict(400, None, f"{target!r} exists, and only a file can replace a file")
        if if_exists is IfExists.OVERWRITE and found[1].is_folder:
            if_exists = IfExists.FAIL
        folder = self.folder_id(join(new[:-1]), create=create_parents)
        done = send(found[0], folder, new[-1], if_exists)
        self.forget(source)
        self.forget(target)
        return Entry((*new[:-1], done.name or new[-1]), done)

    def delete(self, paths: Sequence[str], *, permanently: bool = False, missing_ok: bool = False) -> int:
        """Delete files and folders with everything in them.

        :param paths: from the home folder; the home folder itself is refused.
        :param permanently: do not keep them in the Trash.
        :param missing_ok: a path that does not exist is fine.
        :return: how many objects were deleted.
        :raises QuatrixNotFound: nothing is at a path; then nothing was deleted.
        """
        ids = []
        for path in paths:
            if not split(path):
                raise InvalidPathError("The home folder cannot be deleted: give a path below it")
            found = self.find(path)
            if found is not None:
                ids.append(found[0])
            elif not missing_ok:
                raise _nothing_at(path)
        missing = self.files.delete(list(dict.fromkeys(ids)), permanently=permanently)
        for path in paths:
            self.forget(path)
        return len(set(ids)) - len(missing)

    def forget(self, path: str) -> None:
        """Forget a path and everything below it."""
        names = split(path)
        with self._lock:
            for known in [known for known in self._folders if known[: len(names)] == names]:
                self._names.pop(self._folders.pop(known), None)
            parent = self._folders.get(names[:-1])
            if parent is not None:
                self._names.pop(parent, None)


def _folder(path: str, found: tuple[str, FileKind]) -> str:
    if not found[1].is_folder:
        raise QuatrixConflict(400, None, f"{path!r} is a file, not a folder")
    return found[0]


def _nothing_at(path: str) -> QuatrixNotFound:
    return QuatrixNotFound(404, None, f"There is nothing at {path!r}")
