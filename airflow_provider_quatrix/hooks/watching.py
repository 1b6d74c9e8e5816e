"""Looks into a folder again and again, at one listing per look, and tells which files are the ones waited for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.errors import QuatrixNotFound
from airflow_provider_quatrix.api.models import FileKind, Found
from airflow_provider_quatrix.api.paths import InvalidPathError, join, split
from airflow_provider_quatrix.api.transfer import is_temporary
from airflow_provider_quatrix.hooks.planning import has_wildcards, matches

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.api.files import FilesApi, Listing

# A folder above may have been moved, which no listing tells; the path is resolved anew now and then.
_REMEMBERED_SECONDS = 600.0


@dataclass(frozen=True)
class Watched:
    """What is watched for the sake of a path or pattern.

    :param folder: path of the folder; the same for all patterns that begin alike.
    :param names: what is looked for in it, name by name; may hold wildcards.
    """

    folder: str
    names: tuple[str, ...]

    @property
    def depth(self) -> int | None:
        """How many levels of folders are listed, ``None`` for all."""
        return None if "**" in self.names else len(self.names)

    @classmethod
    def of(cls, path: str) -> Watched:
        """Take apart a path or pattern.

        :param path: such as ``/inbox/orders.csv``, ``/inbox/*.csv`` or ``/inbox/**/*.csv``.
        :raises InvalidPathError: it names no file.
        """
        names = tuple(name for name in path.split("/") if name)
        if not names or path.endswith("/"):
            raise InvalidPathError(
                f"path is {path!r}, a folder: give the path of a file, or a pattern such as /inbox/*"
            )
        fixed = next((i for i, name in enumerate(names) if has_wildcards(name)), len(names) - 1)
        split(join([name for name in names if not has_wildcards(name)]))
        return cls(join(names[:fixed]), names[fixed:])


@dataclass(frozen=True)
class Snapshot:
    """What was below a folder at a moment.

    :param files: the files, unfinished ones of this package left out.
    :param now: the server's time, Unix time.
    """

    files: tuple[Found, ...] = ()
    now: float = 0.0


@dataclass(frozen=True)
class Wanted:
    """Which files are waited for.

    :param path: path or pattern.
    :param newer_than: Unix time; ``None`` for files of any age.
    :param min_size: bytes.
    :param min_age: seconds since the file was last written to, by the server's clock.
    """

    path: str
    newer_than: float | None = None
    min_size: int = 0
    min_age: float = 0.0

    def among(self, seen: Snapshot) -> list[dict[str, Any]]:
        """Return the files that are waited for.

        :param seen: what there is.
        :return: ``path``, ``id``, ``size`` and ``modified`` (ISO 8601, UTC) of each, sorted by path.
        """
        watched = Watched.of(self.path)
        start = len(split(watched.folder))
        return [
            {
                "path": entry.path,
                "id": entry.file.id,
                "size": entry.file.size,
                "modified": datetime.fromtimestamp(entry.file.modified, UTC).isoformat(),
            }
            for entry in sorted(seen.files, key=lambda entry: entry.path)
            if _fits(entry.names[start:], watched.names) and self._is_right(entry, seen.now)
        ]

    def _is_right(self, entry: Found, now: float) -> bool:
        file = entry.file
        # A file may bring an old time with it. Its upload has then not begun before it was created here.
        written = max(file.modified, file.created)
        return (
            file.size >= self.min_size
            and (self.newer_than is None or file.modified > self.newer_than)
            and (not self.min_age or now - written >= self.min_age)
        )


def _fits(names: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return names == wanted or (any(map(has_wildcards, wanted)) and matches(names, wanted))


class FolderWatch:
    """Lists a folder again and again; remembers the folder's id between looks.

    :param files: the file calls.
    :param folder: path of the folder.
    :param depth: how many levels of folders to list, ``None`` for all.
    :param now: monotonic seconds.
    """

    def __init__(
        self, files: FilesApi, folder: str, depth: int | None = 1, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._files = files
        self._names = split(folder)
        self._depth = depth
        self._now = now
        self._known: tuple[str, str, str] | None = None
        self._forget_at = 0.0

    def look(self) -> Snapshot:
        """Return what is below the folder; nothing where the folder is missing."""
        top = self._listing()
        if top is None:
            return Snapshot()
        files: list[Found] = []
        waiting = [(self._names, top)]
        while waiting:
            names, listing = waiting.pop(0)
            for entry in listing.entries:
                below = (*names, entry.name)
                if entry.kind is FileKind.FILE and not is_temporary(entry.name):
                    files.append(Found(below, entry))
                elif entry.kind.is_folder and self._goes_into(entry.kind, len(below) - len(self._names)):
                    inner = self._list(entry.id)
                    if inner is not None:
                        waiting.append((below, inner))
        return Snapshot(tuple(files), top.now)

    def _goes_into(self, kind: FileKind, level: int) -> bool:
        return kind is not FileKind.TRASH and (self._depth is None or level < self._depth)

    def _listing(self) -> Listing | None:
        if self._known is not None and self._now() < self._forget_at:
            listing = self._list(self._known[0])
            if listing is not None and self._known == _place(listing):
                return listing
        self._known = None
        found = self._files.find("/".join(self._names))
        if found is None or not found[1].is_folder:
            return None
        listing = self._list(found[0])
        if listing is not None:
            self._known = _place(listing)
            self._forget_at = self._now() + _REMEMBERED_SECONDS
        return listing

    def _list(self, folder_id: str) -> Listing | None:
        """List a folder, ``None`` if it is gone."""
        try:
            return self._files.listing(folder_id)
        except QuatrixNotFound:
            return None


def _place(listing: Listing) -> tuple[str, str, str]:
    return listing.folder.id, listing.folder.parent_id, listing.folder.name
