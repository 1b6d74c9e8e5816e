"""The file tree by paths: each folder is looked up once and then remembered, as long as the tree object lives."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import QuatrixConflict, QuatrixNotFound
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.models import FileKind, Found, RemoteFile
from airflow_provider_quatrix.api.paths import InvalidPathError, join, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_provider_quatrix.api.files import FilesApi


class RemoteTree:
    """The signed-in user's files by path, for the length of one operation.

    Folders that were looked up are remembered, so that a thousand files in one folder cost one look-up. Somebody
    else's changes to folders may therefore go unseen: make a new tree for each operation.

    :param files: the calls by id.
    """

    def __init__(self, files: FilesApi) -> None:
        self.files = files
        self._folders: dict[tuple[str, ...], str] = {}
        self._names: dict[str, dict[str, RemoteFile]] = {}
        self._lock = threading.RLock()

    def find(self, path: str) -> tuple[str, FileKind] | None:
        """Return id and kind of what is at a path, ``None`` if there is nothing.

        :param path: from the home folder.
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

        :param path: from the home folder.
        :raises QuatrixNotFound: there is nothing.
        """
        found = self.find(path)
        if found is None:
            raise _nothing_at(path)
        return self.files.stat(found[0])

    def folder_id(self, path: str, *, create: bool = False) -> str:
        """Return the id of a folder.

        :param path: from the home folder.
        :param create: make it, and the folders above it, where missing.
        :raises QuatrixNotFound: there is none.
        :raises QuatrixConflict: a file is in its place.
        """
        with self._lock:
            found = self.find(path)
            if found is None:
                if not create:
                    raise QuatrixNotFound(
                        404, None, f"There is no folder {path!r}: make it first, or let missing folders be made"
                    )
                return self._create(split(path))
        if not found[1].is_folder:
            raise QuatrixConflict(400, None, f"{path!r} is a file, not a folder")
        return found[0]

    def _create(self, names: tuple[str, ...]) -> str:
        parent = self.folder_id(join(names[:-1]), create=True)
        try:
            made = self.files.make_folder(parent, names[-1]).id
        except QuatrixConflict:
            # Another task made it meanwhile, or this one did and the answer got lost.
            found = self.files.find(names[-1], parent)
            if found is None or not found[1].is_folder:
                raise
            made = found[0]
        self._folders[names] = made
        return made

    def children(self, path: str) -> tuple[RemoteFile, ...]:
        """Return a folder's direct children; the folders among them are known from then on.

        :param path: from the home folder.
        :raises QuatrixNotFound: there is no such folder.
        """
        children = self.files.children(self.folder_id(path))
        names = split(path)
        with self._lock:
            self._folders.update({(*names, entry.name): entry.id for entry in children if entry.kind.is_folder})
        return children

    def names(self, folder_id: str) -> dict[str, RemoteFile]:
        """Return a folder's children by name, listed once and then remembered."""
        with self._lock:
            if folder_id not in self._names:
                self._names[folder_id] = {entry.name: entry for entry in self.files.children(folder_id)}
            return self._names[folder_id]

    def walk(self, path: str, *, recursive: bool = True, trash: bool = False) -> Iterator[Found]:
        """Yield all that is below a folder, folders ahead of what they hold.

        :param path: from the home folder.
        :param recursive: also what is below its folders.
        :param trash: also what is in the Trash.
        """
        base = split(path)
        waiting: list[tuple[tuple[str, ...], str]] = [(base, self.folder_id(path))]
        while waiting:
            names, folder_id = waiting.pop(0)
            for entry in self.files.children(folder_id):
                if entry.kind is FileKind.TRASH and not trash:
                    continue
                below = (*names, entry.name)
                yield Found(below, entry)
                if recursive and entry.kind.is_folder:
                    waiting.append((below, entry.id))

    def move(
        self,
        source: str,
        target: str,
        *,
        if_exists: IfExists,
        create_parents: bool = False,
        known: tuple[str, FileKind] | None = None,
    ) -> Found | None:
        """Move or rename a file or folder.

        :param source: path of what to move.
        :param target: its new path.
        :param if_exists: what to do if the target exists; folders are never overwritten.
        :param create_parents: make missing folders of the target.
        :param known: the source's id and kind, where they have been looked up.
        :return: the moved object; ``None`` if it was skipped.
        :raises QuatrixNotFound: the source or the target's folder is missing.
        :raises QuatrixConflict: the target exists.
        """

        def move(file_id: str, folder_id: str, name: str, mode: IfExists) -> RemoteFile:
            return self.files.move_surely(file_id, folder_id, name, if_exists=mode)

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
    ) -> Found | None:
        """Copy a file or folder on the server; parameters as for :meth:`move`.

        :param modified: modification time of the copy, Unix time; the service decides if absent.
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
    ) -> Found | None:
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
            # The service would put one in the place of the other, with all that a folder holds.
            if there is not None and (there[1].is_folder or found[1].is_folder):
                raise QuatrixConflict(400, None, f"{target!r} exists, and only a file can replace a file")
        if if_exists is IfExists.OVERWRITE and found[1].is_folder:
            if_exists = IfExists.FAIL
        folder = self.folder_id(join(new[:-1]), create=create_parents)
        done = send(found[0], folder, new[-1], if_exists)
        self.forget(source)
        self.forget(target)
        return Found((*new[:-1], done.name or new[-1]), done)

    def delete(self, paths: Sequence[str], *, permanently: bool = False, missing_ok: bool = False) -> int:
        """Delete files and folders with all they hold.

        :param paths: from the home folder; the home folder itself is refused.
        :param permanently: do not keep them in the Trash.
        :param missing_ok: a path where nothing is, is fine.
        :return: how many objects were deleted.
        :raises QuatrixNotFound: nothing is at a path; nothing was deleted then.
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
        """Drop what is remembered of a path and of all below it."""
        names = split(path)
        with self._lock:
            for known in [known for known in self._folders if known[: len(names)] == names]:
                self._names.pop(self._folders.pop(known), None)
            parent = self._folders.get(names[:-1])
            if parent is not None:
                self._names.pop(parent, None)


def _nothing_at(path: str) -> QuatrixNotFound:
    return QuatrixNotFound(404, None, f"There is nothing at {path!r}")
