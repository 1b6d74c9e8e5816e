"""Polls a folder with one listing per poll, and finds the files that a sensor waits for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.errors import QuatrixNotFound
from airflow_provider_quatrix.api.models import Entry, FileKind
from airflow_provider_quatrix.api.paths import InvalidPathError, all_of, join, split
from airflow_provider_quatrix.transfer.filters import ALL, FileFilter
from airflow_provider_quatrix.transfer.patterns import has_wildcards, matches
from airflow_provider_quatrix.transfer.temporary import is_temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_provider_quatrix.api.files import FilesApi
    from airflow_provider_quatrix.api.listing import Listing
    from airflow_provider_quatrix.api.models import RemoteFile
    from airflow_provider_quatrix.transfer.sources import Source, Sources

    # A folder, and how many levels of subfolders.
    Place = tuple[str, int | None]

# A folder above may have been moved, which no listing shows. So the path is looked up again after this time.
_REMEMBERED_SECONDS = 600.0


@dataclass(frozen=True)
class PathPattern:
    """What a path or pattern means for the poll.

    :param folder: path of the folder; the same for all patterns with the same beginning.
    :param names: the path or pattern below the folder, as names.
    :param is_pattern: wildcards in the names count.
    """

    folder: str
    names: tuple[str, ...]
    is_pattern: bool = True

    @property
    def depth(self) -> int | None:
        """How many levels of folders are listed; ``None`` for all."""
        return None if self.is_pattern and "**" in self.names else len(self.names)

    @classmethod
    def of(cls, path: Source) -> PathPattern:
        """Split a path or pattern.

        :param path: such as ``/inbox/orders.csv``, ``/inbox/*.csv`` or ``/inbox/**/*.csv``.
        :raises InvalidPathError: it names no file.
        """
        names = path.parts
        if not names or path.text.endswith("/"):
            raise InvalidPathError(
                f"path is {path.text!r}, a folder: give the path of a file, or a pattern such as /inbox/*"
            )
        fixed = len(names) - 1
        if path.is_pattern:
            fixed = next((i for i, name in enumerate(names) if has_wildcards(name)), fixed)
        split(join([name for name in names if not (path.is_pattern and has_wildcards(name))]))
        return cls(join(names[:fixed]), names[fixed:], path.is_pattern)

    @property
    def place(self) -> Place:
        """The listings that it needs."""
        return self.folder, self.depth

    def fits(self, names: tuple[str, ...]) -> bool:
        """Return whether a file below the folder fits."""
        return names == self.names or (self.is_pattern and matches(names, self.names))


@dataclass(frozen=True)
class Snapshot:
    """What was below a folder at one time.

    :param files: the files, without unfinished ones of this package.
    :param now: the server's time, Unix time.
    """

    files: tuple[Entry, ...] = ()
    now: float = 0.0


class FileAges:
    """Knows for how long nobody has written to files.

    The time of a file may be in the future, by a wrong clock or on purpose. Then its age counts from when the file was
    first seen in this state.

    :param kept: :attr:`kept` of an earlier process.
    """

    def __init__(self, kept: Mapping[str, Sequence[float]] | None = None) -> None:
        self._seen = {file_id: list(seen) for file_id, seen in (kept or {}).items()}

    @property
    def kept(self) -> dict[str, list[float]]:
        """What is remembered of files whose time is in the future."""
        return dict(self._seen)

    def age(self, file: RemoteFile, now: float) -> float:
        """Return for how many seconds at least nobody has written to a file.

        :param now: the server's time.
        """
        # A file may have an old time when it arrives. But its upload began no earlier than it was created here.
        written = max(file.modified, file.created)
        if written <= now and file.id not in self._seen:
            return now - written
        state = [float(file.size), file.modified, file.created]
        seen = self._seen.get(file.id)
        if seen is None or seen[:3] != state:
            seen = self._seen[file.id] = [*state, now]
        return max(now - seen[3], now - written)

    def forget_others(self, files: Iterable[RemoteFile]) -> None:
        """Forget all files but these."""
        ids = {file.id for file in files}
        self._seen = {file_id: seen for file_id, seen in self._seen.items() if file_id in ids}


@dataclass(frozen=True)
class FileCriteria:
    """Which files a sensor waits for.

    :param sources: paths and patterns; each has to find a file.
    :param files: which of the files count.
    :param min_age: seconds since the file was last written to, by the server's clock.
    """

    sources: Sources
    files: FileFilter = ALL.files
    min_age: float = 0.0

    @cached_property
    def watched(self) -> tuple[PathPattern, ...]:
        """What each of the sources needs.

        :raises InvalidPathError: one names no file.
        """
        return tuple(map(PathPattern.of, self.sources))

    def check(self) -> None:
        """Check that each of the sources names a file.

        :raises InvalidPathError: one does not.
        """
        for source in self.sources:
            PathPattern.of(source)

    @property
    def places(self) -> tuple[Place, ...]:
        """Which listings are needed, each once."""
        return tuple(dict.fromkeys(watched.place for watched in self.watched))

    @property
    def description(self) -> str:
        """The paths and patterns, for people."""
        return all_of([source.text for source in self.sources])

    def describe_found(self, seen: Mapping[Place, Snapshot], unchanged: FileAges) -> str:
        """Return what is there instead of the expected files, for people.

        :param seen: the content of each place.
        :param unchanged: knows how old files are.
        """
        missing = [each for each in self.watched if not self._found(each, seen[each.place], unchanged)]
        return all_of(list(dict.fromkeys(_describe_found(each.folder, seen[each.place]) for each in missing)))

    def matching(self, seen: Mapping[Place, Snapshot], unchanged: FileAges) -> list[dict[str, Any]]:
        """Return the files that the sensor waits for, once there are some for each path and pattern.

        :param seen: the content of each place.
        :param unchanged: knows how old files are.
        :return: ``path``, ``id``, ``size`` and ``modified`` (ISO 8601, UTC) of each, sorted by path.
        """
        unchanged.forget_others(entry.file for snapshot in seen.values() for entry in snapshot.files)
        found = [self._found(watched, seen[watched.place], unchanged) for watched in self.watched]
        if not all(found):
            return []
        by_path = {entry.path: entry for entries in found for entry in entries}
        return [report_of(entry) for _, entry in sorted(by_path.items())]

    def fitting(self, seen: Mapping[Place, Snapshot]) -> list[tuple[Entry, float]]:
        """Return the files that fit a path or pattern, of any age, with the time at which they were seen.

        :param seen: the content of each place; places that are missing are left out.
        :return: sorted by path.
        """
        by_path = {
            entry.path: (entry, seen[watched.place].now)
            for watched in self.watched
            if watched.place in seen
            for entry in self._fitting(watched, seen[watched.place])
        }
        return [each for _, each in sorted(by_path.items())]

    def is_old_enough(self, file: RemoteFile, now: float, unchanged: FileAges) -> bool:
        """Return whether nobody has written to a file for the required time.

        :param now: the server's time.
        :param unchanged: knows how old files are.
        """
        return not self.min_age or unchanged.age(file, now) >= self.min_age

    def _found(self, watched: PathPattern, seen: Snapshot, unchanged: FileAges) -> list[Entry]:
        return [entry for entry in self._fitting(watched, seen) if self.is_old_enough(entry.file, seen.now, unchanged)]

    def _fitting(self, watched: PathPattern, seen: Snapshot) -> list[Entry]:
        start = len(split(watched.folder))
        return [
            entry
            for entry in seen.files
            if watched.fits(entry.names[start:])
            and self.files.takes(entry.names[start:], entry.file.size, entry.file.modified, seen.now)
        ]


def report_of(entry: Entry) -> dict[str, Any]:
    """Return the report of a file that was found: ``path``, ``id``, ``size``, ``modified`` (ISO 8601, UTC)."""
    return {
        "path": entry.path,
        "id": entry.file.id,
        "size": entry.file.size,
        "modified": datetime.fromtimestamp(entry.file.modified, UTC).isoformat(),
    }


def _describe_found(folder: str, seen: Snapshot) -> str:
    if not seen.now:
        return f"no folder {folder}"
    files = f"{len(seen.files)} files" if len(seen.files) != 1 else "1 file"
    return f"{files} in {folder}, none that fits" if seen.files else f"no file in {folder}"


class FolderPoller:
    """Lists a folder at every poll; remembers the folder's id between polls.

    :param folder: path of the folder.
    :param depth: how many levels of folders to list; ``None`` for all.
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

    def poll(self) -> Snapshot:
        """Return what is below the folder; nothing if the folder is missing."""
        top = self._listing()
        if top is None:
            return Snapshot()
        files: list[Entry] = []
        waiting = [(self._names, top)]
        while waiting:
            names, listing = waiting.pop(0)
            for entry in listing.entries:
                below = (*names, entry.name)
                if entry.kind is FileKind.FILE and not is_temporary(entry.name):
                    files.append(Entry(below, entry))
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
        """List a folder; ``None`` if it is gone."""
        try:
            return self._files.listing(folder_id)
        except QuatrixNotFound:
            return None


def _place(listing: Listing) -> tuple[str, str, str]:
    return listing.folder.id, listing.folder.parent_id, listing.folder.name
