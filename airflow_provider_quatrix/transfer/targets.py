"""The target folder of a transfer: its content, and how it is prepared."""

from __future__ import annotations

import logging
import os
import shutil
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from airflow_provider_quatrix.api.models import FileKind
from airflow_provider_quatrix.api.paths import join, split
from airflow_provider_quatrix.api.stopping import check_stopped
from airflow_provider_quatrix.api.versions import Version
from airflow_provider_quatrix.transfer.error_context import doing
from airflow_provider_quatrix.transfer.parts import remove_left
from airflow_provider_quatrix.transfer.temporary import is_temporary

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from airflow_provider_quatrix.api.models import RemoteFile
    from airflow_provider_quatrix.transfer.mirror import Names
    from airflow_provider_quatrix.transfer.tree import RemoteTree

log = logging.getLogger(__name__)


class Target(Protocol):
    """A folder, here or on Quatrix."""

    def there(self, folders: Container[Names]) -> Mapping[Names, Version]:
        """Return the content of the folder and of some folders below it, by name; unfinished files are left out.

        :param folders: those below.
        """

    def prepare(self, folders: Iterable[Names], *, create_parents: bool) -> None:
        """Make the folder and folders below it, if they are missing.

        :param folders: those below.
        :param create_parents: make the folder itself.
        """

    def path_of(self, names: Names) -> str:
        """Return a path from the names below the folder."""

    def is_removable(self, names: Names) -> bool:
        """Return whether a transfer may remove what :meth:`there` has found."""

    def remove(self, places: Iterable[Names]) -> list[str]:
        """Remove what :meth:`there` has found, folders with everything in them, and nothing outside the folder.

        :param places: what to remove; none is below another.
        :return: paths of what has been removed.
        """

    def clear(self) -> None:
        """Remove unfinished files that :meth:`there` has seen, if it is certain that nobody writes to them."""


class RemoteTarget:
    """A folder on Quatrix."""

    def __init__(self, tree: RemoteTree, path: str) -> None:
        self._tree = tree
        self._names = split(path)
        self._found: dict[Names, RemoteFile] = {}

    def there(self, folders: Container[Names]) -> dict[Names, Version]:
        """Return the content of the folder and of some folders below it, with one listing per folder."""
        path, base = join(self._names), len(self._names)
        found = self._tree.find(path)
        if found is not None and found[1].is_folder:
            entries = self._tree.walk(path, into=lambda names: names[base:] in folders, keep=True)
            self._found = {entry.names[base:]: entry.file for entry in entries if not is_temporary(entry.file.name)}
        return {names: file.version for names, file in self._found.items()}

    def path_of(self, names: Names) -> str:
        """Return a path from the names below the folder."""
        return join((*self._names, *names))

    def is_removable(self, names: Names) -> bool:
        """Return whether it is a file or folder, and not a project folder, Trash or link."""
        if self._found[names].kind in (FileKind.FILE, FileKind.FOLDER):
            return True
        log.warning("%s is left alone, as it is neither a file nor a folder of one's own", self.path_of(names))
        return False

    def remove(self, places: Iterable[Names]) -> list[str]:
        """Move objects to the Trash, if they are still where they were found."""
        by_folder: dict[Names, list[Names]] = defaultdict(list)
        for names in places:
            by_folder[names[:-1]].append(names)
        removed = []
        for folder, inside in by_folder.items():
            check_stopped()
            with doing("Deleting what the source lacks in", self.path_of(folder)):
                there = {entry.id for entry in self._tree.files.children(self._found[inside[0]].parent_id)}
                still = [names for names in inside if self._found[names].id in there]
                self._tree.files.delete([self._found[names].id for names in still])
            for names in still:
                self._tree.forget(self.path_of(names))
                removed.append(self.path_of(names))
                log.info("Deleted %s", removed[-1])
        return removed

    def clear(self) -> None:
        """Keep unfinished files, as it is not known who writes to them."""

    def file(self, names: Names) -> RemoteFile:
        """Return the metadata of what :meth:`there` has found."""
        return self._found[names]

    def prepare(self, folders: Iterable[Names], *, create_parents: bool) -> None:
        """Make the folder and folders below it, if they are missing."""
        self._tree.folder_id(join(self._names), create=create_parents)
        for names in folders:
            self._tree.folder_id(join((*self._names, *names)), create=True)


class LocalTarget:
    """A local folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left: list[Path] = []

    def there(self, folders: Container[Names]) -> dict[Names, Version]:
        """Return the content of the folder and of some folders below it; links to folders are not followed."""
        there: dict[Names, Version] = {}
        waiting: list[tuple[str | Path, Names]] = [(self._path, ())]
        while waiting:
            folder, names = waiting.pop()
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
                for entry in entries:
                    if is_temporary(entry.name):
                        self._left.append(Path(entry.path))
                        continue
                    below = (*names, entry.name)
                    there[below] = _version(entry)
                    if below in folders and entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, below))
        return there

    def prepare(self, folders: Iterable[Names], *, create_parents: bool) -> None:
        """Make the folder and folders below it, if they are missing.

        :raises FileNotFoundError: the folder is missing, and ``create_parents`` is false.
        :raises NotADirectoryError: a file is in its place.
        """
        for place in (self._path, *self._path.parents):
            if place.exists() and not place.is_dir():
                raise NotADirectoryError(f"{str(place)!r} is a local file, and no folder: correct the target")
        if create_parents:
            self._path.mkdir(parents=True, exist_ok=True)
        elif not self._path.is_dir():
            raise FileNotFoundError(f"There is no local folder {str(self._path)!r}: make it, or set create_parents")
        for names in folders:
            self._path.joinpath(*names).mkdir(parents=True, exist_ok=True)

    def path_of(self, names: Names) -> str:
        """Return a path from the names below the folder."""
        return str(self._path.joinpath(*names))

    def is_removable(self, names: Names) -> bool:
        """Return ``True``: a transfer may remove any local file."""
        return True

    def remove(self, places: Iterable[Names]) -> list[str]:
        """Remove files and folders. If one is a link, only the link is removed."""
        removed = []
        for names in places:
            check_stopped()
            path = self._path.joinpath(*names)
            if not path.parent.resolve().is_relative_to(self._path.resolve()):
                log.warning("%s is left alone, as a link leads out of %s by now", path, self._path)
                continue
            with doing("Deleting", str(path)):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            removed.append(str(path))
            log.info("Deleted %s", path)
        return removed

    def clear(self) -> None:
        """Remove unfinished files that nobody has locked."""
        for left in self._left:
            remove_left(left)


def _version(entry: os.DirEntry[str]) -> Version:
    try:
        stat = entry.stat()
    except OSError:
        # A link that leads nowhere counts as no file.
        return Version(-1, 0.0)
    return Version(0, 0.0, is_folder=True) if entry.is_dir() else Version.of_local(stat)
