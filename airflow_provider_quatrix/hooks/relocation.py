"""Moves, copies and deletes many objects, such that another try of the same task does none of it twice."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.errors import QuatrixConflict, QuatrixNotFound, QuatrixPermissionDenied
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.models import FileKind
from airflow_provider_quatrix.api.paths import InvalidPathError, is_counted, join, split
from airflow_provider_quatrix.hooks.planning import find_matching, is_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_quatrix.api.models import Found, RemoteFile
    from airflow_provider_quatrix.api.transfer import Notes
    from airflow_provider_quatrix.api.tree import RemoteTree

# Modification times are kept to the microsecond, and pass through a float on the way.
_SAME_TIME = 2e-6


@dataclass(frozen=True)
class Relocated:
    """What became of an object that was to be moved or copied.

    :param path: where it is now.
    :param file: its metadata.
    :param skipped: something was there already, and nothing was done.
    """

    path: str
    file: RemoteFile
    skipped: bool = False


@dataclass(frozen=True)
class Relocation:
    """One object to move or copy.

    :param source: its path.
    :param target: its new path.
    :param id: its id.
    :param kind: its type's letter.
    """

    source: str
    target: str
    id: str
    kind: str

    @property
    def known(self) -> tuple[str, FileKind]:
        """Id and kind."""
        return self.id, FileKind(self.kind)


class Relocator:
    """Moves or copies objects of one tree.

    :param tree: the objects.
    :param notes: where to write down what is about to be done, for a further try; ``None`` if there will be none.
    :param further_try: an earlier try may have done a part.
    """

    def __init__(self, tree: RemoteTree, *, notes: Notes | None = None, further_try: bool = False) -> None:
        self._tree = tree
        self._notes = notes
        self._further_try = further_try

    def move(
        self, sources: Sequence[str], target: str, if_exists: IfExists, *, create_parents: bool
    ) -> list[Relocated]:
        """Move objects; see :func:`plan_relocation` for where they go.

        :return: one result per object.
        """
        jobs, begun = self._jobs(sources, target)
        results: list[Relocated] = []
        with self._clearing(results):
            for job in jobs:
                done = self._moved_before(job, if_exists) if begun else None
                if begun and done is None:
                    self._check_in_place(job)
                results.append(done or self._move(job, if_exists, create_parents=create_parents))
        return results

    def copy(
        self, sources: Sequence[str], target: str, if_exists: IfExists, *, create_parents: bool
    ) -> list[Relocated]:
        """Copy objects on the server; see :func:`plan_relocation` for where they go.

        :return: one result per object.
        """
        jobs, begun = self._jobs(sources, target)
        results: list[Relocated] = []
        with self._clearing(results):
            for job in jobs:
                if begun:
                    self._check_in_place(job)
                source = self._tree.files.stat(job.id)
                done = self._copied_before(job, source, if_exists) if begun else None
                results.append(done or self._copy(job, source, if_exists, create_parents=create_parents))
        return results

    def delete(self, paths: Sequence[str], *, permanently: bool, missing_ok: bool) -> int:
        """Delete objects with all they hold.

        :param paths: paths, or patterns of files.
        :param permanently: do not keep them in the Trash.
        :param missing_ok: a path where nothing is, or a pattern that matches nothing, is fine.
        :return: how many objects were deleted, by earlier tries too.
        :raises QuatrixNotFound: nothing is at a path; nothing was deleted then.
        """
        noted = self._noted()
        ids = [file_id for path in paths for file_id in self._ids(path, missing_ok=missing_ok or noted is not None)]
        if noted is None:
            self._note(ids)
        else:
            # What has come to the same paths since is not what was to be deleted.
            ids = [file_id for file_id in ids if file_id in noted]
        missing = self._tree.files.delete(list(dict.fromkeys(ids)), permanently=permanently)
        self._forget()
        return len(set(ids)) - len(missing) if noted is None else len(set(noted))

    def _ids(self, path: str, *, missing_ok: bool) -> list[str]:
        if not split(path):
            raise InvalidPathError("The home folder cannot be deleted: give a path below it")
        if not is_pattern(self._tree, path):
            found = self._tree.find(path)
            if found is None and not missing_ok:
                raise _nothing_at(path)
            return [] if found is None else [found[0]]
        try:
            return [entry.file.id for entry in matching(self._tree, path)]
        except QuatrixNotFound:
            if missing_ok:
                return []
            raise

    def _jobs(self, sources: Sequence[str], target: str) -> tuple[list[Relocation], bool]:
        """Return what to do, and whether an earlier try has begun with it."""
        noted = self._noted()
        if noted is not None:
            return [Relocation(*job) for job in noted], True
        jobs = plan_relocation(self._tree, sources, target)
        self._note([astuple(job) for job in jobs])
        return jobs, False

    def _noted(self) -> list[Any] | None:
        text = self._notes.read() if self._notes is not None and self._further_try else None
        with suppress(ValueError):
            noted = json.loads(text or "")
            return noted if isinstance(noted, list) else None
        return None

    def _note(self, begun: list[Any]) -> None:
        if self._notes is not None:
            self._notes.write(json.dumps(begun))

    def _forget(self) -> None:
        if self._notes is not None:
            self._notes.delete()

    @contextmanager
    def _clearing(self, results: list[Relocated]) -> Iterator[None]:
        """Forget the notes once all is done, and where a refusal came before anything was."""
        try:
            yield
        except _REFUSALS:
            if not results:
                self._forget()
            raise
        self._forget()

    def _check_in_place(self, job: Relocation) -> None:
        """Raise if a job of an earlier try has lost its object: it is not fetched back from the Trash or elsewhere."""
        found = self._tree.find(job.source)
        if found is None or found[0] != job.id:
            raise _nothing_at(job.source)

    def _move(self, job: Relocation, if_exists: IfExists, *, create_parents: bool) -> Relocated:
        moved = self._tree.move(
            job.source, job.target, if_exists=if_exists, create_parents=create_parents, known=job.known
        )
        return self._skipped(job) if moved is None else Relocated(moved.path, moved.file)

    def _copy(self, job: Relocation, source: RemoteFile, if_exists: IfExists, *, create_parents: bool) -> Relocated:
        made = self._tree.copy(
            job.source,
            job.target,
            if_exists=if_exists,
            create_parents=create_parents,
            known=job.known,
            modified=None if source.kind.is_folder else source.modified,
        )
        return self._skipped(job) if made is None else Relocated(made.path, made.file)

    def _skipped(self, job: Relocation) -> Relocated:
        return Relocated(job.target, self._tree.stat(job.target), skipped=True)

    def _moved_before(self, job: Relocation, if_exists: IfExists) -> Relocated | None:
        """Return the object if it is where an earlier try was to move it."""
        names = split(job.target)
        try:
            now, folder = self._tree.files.stat(job.id), self._tree.folder_id(join(names[:-1]))
        except QuatrixNotFound:
            return None
        right_name = is_counted(now.name, names[-1]) if if_exists is IfExists.RENAME else now.name == names[-1]
        if now.parent_id != folder or not right_name:
            return None
        return Relocated(join((*names[:-1], now.name)), now)

    def _copied_before(self, job: Relocation, source: RemoteFile, if_exists: IfExists) -> Relocated | None:
        """Return what an earlier try made, recognised by its size and time as nothing else can tell."""
        names = split(job.target)
        try:
            there = self._tree.names(self._tree.folder_id(join(names[:-1])))
        except QuatrixNotFound:
            return None
        for name, entry in there.items():
            right_name = is_counted(name, names[-1]) if if_exists is IfExists.RENAME else name == names[-1]
            if right_name and entry.id != source.id and self._is_copy(entry, source):
                return Relocated(join((*names[:-1], name)), entry)
        return None

    def _is_copy(self, entry: RemoteFile, source: RemoteFile) -> bool:
        if entry.kind.is_folder != source.kind.is_folder:
            return False
        if source.kind.is_folder:
            return self._tree.files.tree_size(entry.id) == self._tree.files.tree_size(source.id)
        return entry.size == source.size and abs(entry.modified - source.modified) < _SAME_TIME


# With one of these the service has done nothing.
_REFUSALS = (QuatrixConflict, QuatrixNotFound, QuatrixPermissionDenied)


def plan_relocation(tree: RemoteTree, sources: Sequence[str], target: str) -> list[Relocation]:
    """Decide what is moved or copied, and to where.

    A single object that is named goes to ``target`` itself, unless that ends in a slash; everything else goes into
    the folder ``target``, by its name.

    :param tree: the objects.
    :param sources: paths, or patterns of files.
    :param target: path on Quatrix.
    :return: one job per object.
    :raises QuatrixNotFound: a source is missing, or a pattern matches nothing.
    :raises InvalidPathError: two objects would get the same path.
    """
    base = split(target)
    into_folder = target.endswith("/") or len(sources) > 1 or is_pattern(tree, sources[0])
    jobs: dict[str, Relocation] = {}
    for source in sources:
        for names, file_id, kind in _objects(tree, source):
            place = join((*base, names[-1]) if into_folder else base)
            if place in jobs:
                raise InvalidPathError(
                    f"{jobs[place].source!r} and {join(names)!r} would both become {place!r}: rename one of them"
                )
            jobs[place] = Relocation(join(names), place, file_id, kind.value)
    return list(jobs.values())


def _objects(tree: RemoteTree, source: str) -> list[tuple[tuple[str, ...], str, FileKind]]:
    if is_pattern(tree, source):
        return [(entry.names, entry.file.id, entry.file.kind) for entry in matching(tree, source)]
    names, found = split(source), tree.find(source)
    if not names:
        raise InvalidPathError("The home folder itself cannot be moved or copied: give a path below it")
    if found is None:
        raise _nothing_at(source)
    return [(names, *found)]


def _nothing_at(path: str) -> QuatrixNotFound:
    return QuatrixNotFound(404, None, f"There is nothing at {path!r}")


def matching(tree: RemoteTree, pattern: str) -> list[Found]:
    """Return the files that match a pattern.

    :param tree: the remote files.
    :param pattern: path with wildcards.
    :raises QuatrixNotFound: there are none.
    """
    found = find_matching(tree, pattern)
    if not found:
        raise QuatrixNotFound(404, None, f"The pattern {pattern!r} matches no file on Quatrix")
    return found
