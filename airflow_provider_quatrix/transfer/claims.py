"""Files that one run takes out of a folder, so that no other run takes them too."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import QuatrixConflict, QuatrixNotFound
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.messages import Repeat
from airflow_provider_quatrix.api.models import Entry, FileKind
from airflow_provider_quatrix.api.paths import is_counted, join, split
from airflow_provider_quatrix.transfer.arrivals import arrival_of
from airflow_provider_quatrix.transfer.error_context import doing
from airflow_provider_quatrix.transfer.folder_poller import FileAges, FolderPoller

if TYPE_CHECKING:
    from airflow_provider_quatrix.api.files import FilesApi
    from airflow_provider_quatrix.api.models import FileOrigin, RemoteFile
    from airflow_provider_quatrix.transfer.folder_poller import FileCriteria
    from airflow_provider_quatrix.transfer.tree import RemoteTree


@dataclass(frozen=True)
class Arrival:
    """A file that was reported, or is there to be claimed.

    :param path: where it was.
    :param id: its id.
    :param key: identifies this version of it.
    """

    path: str
    id: str
    key: str

    @classmethod
    def of(cls, entry: Entry) -> Arrival:
        """Return the arrival of a file that was listed."""
        file = arrival_of(entry)
        return cls(file["path"], file["id"], file["key"])


def waiting(files: FilesApi, wanted: FileCriteria) -> list[Arrival]:
    """Return the files that fit and are there now, whether they were reported or not; one listing per folder."""
    ages, seen = FileAges(), {place: FolderPoller(files, *place).poll() for place in wanted.places}
    fitting = wanted.fitting(seen)
    return [Arrival.of(entry) for entry, now in fitting if wanted.is_old_enough(entry.file, now, ages)]


@dataclass(frozen=True)
class Claimed:
    """A file that this run has taken.

    :param entry: the file and where it is now.
    :param key: of the event.
    :param origin: who uploaded it, and whether it is infected; ``None`` if that was not requested.
    """

    entry: Entry
    key: str
    origin: FileOrigin | None = None


class Claims:
    """Takes files for one owner.

    A move cannot decide who gets a file: it uses the file's id, which stays the same, so a second run's move succeeds
    too. A name decides. A folder named after the version is made elsewhere, with the owner's folder in it, and then
    moved into place; the service refuses the second folder of that name. The owner of the name checks whether the file
    is still where it was reported, and moves it into its own folder. A retry of an owner that died finds what is done.

    :param folder: where claimed files go.
    :param owner: who claims, the same in all tries; a part of names.
    """

    def __init__(self, tree: RemoteTree, folder: str, owner: str) -> None:
        self._tree = tree
        self._files = tree.files
        self._names = split(folder)
        self._owner = owner

    def claimed_before(self) -> list[Arrival]:
        """Return what earlier tries of this owner have claimed; two listings for each file that anybody has claimed."""
        depth = len(self._names)
        entries = FolderPoller(self._files, join(self._names), 3).poll().files
        return [Arrival.of(entry) for entry in entries if entry.names[depth + 1 : -1] == (self._owner,)]

    def claim(self, arrival: Arrival, *, origin: bool = False) -> Claimed | None:
        """Take a file.

        :param origin: ask who uploaded it, and whether it is infected.
        :return: ``None`` if another owner has it, or it has changed or moved since the report.
        """
        with doing("Claiming", arrival.path):
            name = _digest(arrival.key)
            folder_id = self._tree.folder_id(join(self._names), create=True)
            place_id = self._take_name(folder_id, name)
            if place_id is None:
                return None
            file = self._file(arrival, place_id)
            if file is None:
                self._remove(folder_id, name, place_id)
                return None
            if file.parent_id != place_id:
                file = self._files.move_verified(file.id, place_id, file.name, if_exists=IfExists.FAIL)
            entry = Entry((*self._names, name, self._owner, file.name), file)
            return Claimed(entry, arrival.key, self._files.origin(file.id) if origin else None)

    def _take_name(self, folder_id: str, name: str) -> str | None:
        """Return the id of this owner's folder in the one named after the file; ``None`` if another owner has it."""
        aside = self._make(folder_id, f"{name}.{self._owner}")
        own = self._make(aside, self._owner)
        try:
            self._files.move_verified(aside, folder_id, name, if_exists=IfExists.FAIL)
        except QuatrixConflict:
            self._files.delete([aside], permanently=True)
            found = self._files.find(f"{name}/{self._owner}", folder_id)
            return None if found is None else found[0]
        return own

    def _make(self, parent_id: str, name: str) -> str:
        """Make a folder that belongs to this owner, or find what an earlier try has made."""
        try:
            return self._files.make_folder(parent_id, name, repeat=Repeat.SAFE).id
        except QuatrixConflict:
            return self._found(parent_id, name)

    def _found(self, parent_id: str, name: str) -> str:
        found = self._files.find(name, parent_id)
        if found is None:
            raise QuatrixNotFound(404, None, f"{name!r} was removed while it was in use")
        return found[0]

    def _file(self, arrival: Arrival, place_id: str) -> RemoteFile | None:
        """Return the file, if it is this version, at its reported place or where an earlier try has moved it."""
        try:
            file = self._files.stat(arrival.id)
            if file.parent_id == place_id:
                return file
            came_from = self._tree.folder_id(join(split(arrival.path)[:-1]))
        except QuatrixNotFound:
            return None
        is_there = file.kind is FileKind.FILE and file.parent_id == came_from
        return file if is_there and arrival_of(Entry((file.name,), file))["key"] == arrival.key else None

    def _remove(self, folder_id: str, name: str, place_id: str) -> None:
        """Remove the folders of a claim; they go to the Trash if somebody has put something there."""
        is_empty = not self._files.children(place_id)
        self._files.delete([self._found(folder_id, name)], permanently=is_empty)

    def finish(self, path: str, file_id: str, target: str | None) -> Entry | None:
        """Release a claimed file: remove the folders of the claim.

        :param path: where the claim has put it.
        :param target: folder to move it to; made if it is missing. ``None`` if the file is no longer there.
        :return: where it is now; ``None`` without a target, or if it does not exist any more.
        :raises QuatrixConflict: it is still there, and there is no target.
        """
        with doing("Finishing", path):
            *above, name, owner, _ = split(path)
            folder_id = self._tree.folder_id(join(above))
            place = self._files.find(f"{name}/{owner}", folder_id)
            entry = self._moved(path, file_id, None if place is None else place[0], target)
            if place is not None:
                self._remove(folder_id, name, place[0])
            return entry

    def _moved(self, path: str, file_id: str, place_id: str | None, target: str | None) -> Entry | None:
        try:
            file = self._files.stat(file_id)
        except QuatrixNotFound:
            return None
        if target is None:
            if file.parent_id == place_id:
                raise QuatrixConflict(400, None, f"{path!r} is still there: move or delete it first, or give a target")
            return None
        target_id = self._tree.folder_id(target, create=True)
        if file.parent_id == place_id:
            wanted = file.name

            def is_moved(there: RemoteFile) -> bool:
                return there.parent_id == target_id and is_counted(there.name, wanted)

            file = self._files.move_verified(file_id, target_id, wanted, if_exists=IfExists.RENAME, is_moved=is_moved)
        return Entry((*split(target), file.name), file) if file.parent_id == target_id else None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:24]
