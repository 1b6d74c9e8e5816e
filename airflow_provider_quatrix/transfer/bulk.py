"""Bulk move, copy and delete, safe to retry."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.errors import QuatrixConflict, QuatrixNotFound, QuatrixPermissionDenied
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.models import Entry, FileKind
from airflow_provider_quatrix.api.paths import InvalidPathError, is_counted, join, split, uncounted
from airflow_provider_quatrix.api.versions import Version
from airflow_provider_quatrix.transfer.error_context import FilesFailedError, doing
from airflow_provider_quatrix.transfer.failures import Failures
from airflow_provider_quatrix.transfer.filters import ALL
from airflow_provider_quatrix.transfer.remote_files import Lookup, files_below, matching, placed
from airflow_provider_quatrix.transfer.results import MoveResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_provider_quatrix.api.models import RemoteFile
    from airflow_provider_quatrix.transfer.checkpoint import Checkpoint
    from airflow_provider_quatrix.transfer.filters import Selection
    from airflow_provider_quatrix.transfer.sources import Source, Sources
    from airflow_provider_quatrix.transfer.tree import RemoteTree

log = logging.getLogger(__name__)

# A person does not read more.
_MOST_NAMED = 10


class MoveResults(list[MoveResult]):
    """Results of a move or copy, one per object.

    :ivar single: the source was one object, and not a list or pattern that happens to match one.
    :ivar moved: old and new path, or path and that of the copy, of each object that was not skipped.
    """

    single: bool = False
    moved: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class MoveJob:
    """One object to move or copy.

    :param kind: its type's letter.
    :param size: bytes of a file; of a folder the number of its entries.
    :param modified: modification time, Unix time.
    :param before: ids of what had the wanted name, or that name with a number, before the first try began.
    """

    source: str
    target: str
    id: str
    kind: str
    size: int = 0
    modified: float = 0.0
    before: tuple[str, ...] = ()

    @property
    def known(self) -> tuple[str, FileKind]:
        """Id and kind."""
        return self.id, FileKind(self.kind)

    @property
    def folder(self) -> str:
        """Path of the folder that will contain it."""
        return join(split(self.target)[:-1])

    @property
    def name(self) -> str:
        """The wanted name."""
        return split(self.target)[-1]

    def has_name(self, name: str, if_exists: IfExists) -> bool:
        """Return whether an object with this name may be the result of this job."""
        return is_counted(name, self.name) if if_exists is IfExists.RENAME else name == self.name


@dataclass(frozen=True)
class BulkCall:
    """The arguments of a bulk move or copy.

    :param sources: paths, or patterns of files.
    :param target: path on Quatrix.
    :param if_exists: what to do if a wanted name is taken.
    :param create_parents: make missing folders of the target.
    """

    sources: Sources
    target: str
    if_exists: IfExists
    create_parents: bool = False
    selection: Selection = ALL


class BulkMover:
    """Moves, copies or deletes objects of one tree.

    What is going to be done is written into the checkpoint first. The checkpoint stays when all is done, as the success
    may be lost with the worker: whoever records the success deletes it.

    :param checkpoint: keeps what is going to be done, for a retry; ``None`` if there is none.
    :param is_retry: an earlier try may have done a part.
    """

    def __init__(self, tree: RemoteTree, *, checkpoint: Checkpoint | None = None, is_retry: bool = False) -> None:
        self._tree = tree
        self._checkpoint = checkpoint
        self._is_retry = is_retry
        self._uncounted: dict[str, dict[str, list[RemoteFile]]] = {}

    def move(self, call: BulkCall) -> MoveResults:
        """Move objects; see :func:`plan_moves` for where they go.

        :return: one result per object.
        """
        jobs = self._kept_jobs()
        before = None if jobs is None else lambda job: self._moved_before(job, call.if_exists)
        if jobs is None:
            jobs = plan_moves(self._tree, call.sources, call.target, selection=call.selection)
            self._keep([asdict(job) for job in jobs])
        return self._run(call, jobs, before, self._move)

    def copy(self, call: BulkCall) -> MoveResults:
        """Copy objects on the server; see :func:`plan_moves` for where they go.

        :return: one result per object.
        """
        jobs = self._kept_jobs()
        copied = None if jobs is None else self._copied_before(jobs, call.if_exists)
        if jobs is None:
            jobs = plan_moves(self._tree, call.sources, call.target, selection=call.selection, with_times=True)
            if self._checkpoint is not None:
                jobs = self._with_what_is_there(jobs, call.if_exists)
            self._keep([asdict(job) for job in jobs])
        before = None if copied is None else lambda job: copied.get(job.target)
        return self._run(call, jobs, before, self._copy)

    def _run(
        self,
        call: BulkCall,
        jobs: list[MoveJob],
        before: Callable[[MoveJob], MoveResult | None] | None,
        work: Callable[..., MoveResult],
    ) -> MoveResults:
        """Run jobs one after the other.

        :param before: returns what an earlier try has done of a job; ``None`` in a first try.
        """
        results, moved = MoveResults(), list[tuple[str, str]]()
        results.single, results.moved = call.sources.single, moved
        with self._forgetting_refusals(results):
            create_parents = self._makes_folders(jobs, call.target, create_parents=call.create_parents)
            failures = Failures(call.selection.on_error)
            for job in jobs:
                with failures.of(job.source):
                    done = before(job) if before is not None else None
                    if before is not None and done is None:
                        self._check_in_place(job)
                    result = done or work(job, call.if_exists, create_parents=create_parents)
                    results.append(result)
                    if not result.skipped:
                        moved.append((job.source, result.path))
            failures.check(len(jobs))
        return results

    def _makes_folders(self, jobs: list[MoveJob], target: str, *, create_parents: bool) -> bool:
        """Return whether missing folders are made: those of the target if wanted, those below it in any case."""
        base = split(target)
        if create_parents or all(len(split(job.folder)) <= len(base) for job in jobs):
            return create_parents
        self._tree.folder_id(target)
        return True

    def delete(self, paths: Sources, *, permanently: bool, selection: Selection) -> int:
        """Delete objects with everything in them.

        :param paths: paths, or patterns of files.
        :param permanently: do not keep them in the Trash.
        :param selection: which files; with a filter, folders stay.
        :return: how many objects were deleted, including those of earlier tries.
        :raises QuatrixNotFound: nothing is at a path; then nothing was deleted.
        """
        kept = self._kept()
        lookup = Lookup(self._tree, paths)
        if kept is not None:
            selection = replace(selection, missing_ok=True)
        ids = [file_id for path in paths for file_id in self._ids(path, lookup, selection)]
        if kept is None:
            self._keep(ids)
        else:
            # What others have put at the same paths since then must not be deleted.
            ids = [file_id for file_id in ids if file_id in kept]
        named = ", ".join(path.text for path in paths.all[:_MOST_NAMED])
        with doing("Deleting", named):
            missing = self._tree.files.delete(list(dict.fromkeys(ids)), permanently=permanently)
        log.info("Deleted %d files and folders: %s", len(set(ids)) - len(missing), named or "none")
        return len(set(ids)) - len(missing) if kept is None else len(set(kept))

    def _ids(self, path: Source, lookup: Lookup, selection: Selection) -> list[str]:
        if not path.parts and not selection.files.is_active:
            raise InvalidPathError("The home folder cannot be deleted: give a path below it")
        try:
            if path.is_pattern:
                return [entry.file.id for entry in matching(self._tree, path, selection)]
            if selection.files.is_active:
                return [entry.file.id for entry in _selected(self._tree, lookup, path, selection)]
            found = lookup.find(path)
            if found is None:
                raise _nothing_at(path.text)
            return [found[0]]
        except QuatrixNotFound:
            if selection.missing_ok:
                return []
            raise

    def _kept_jobs(self) -> list[MoveJob] | None:
        """Return what an earlier try has begun."""
        with suppress(TypeError, KeyError):
            return [MoveJob(**{**job, "before": tuple(job["before"])}) for job in self._kept() or ()] or None
        return None

    def _kept(self) -> list[Any] | None:
        text = self._checkpoint.read() if self._checkpoint is not None and self._is_retry else None
        with suppress(ValueError):
            kept = json.loads(text or "")
            return kept if isinstance(kept, list) else None
        return None

    def _keep(self, begun: list[Any]) -> None:
        if self._checkpoint is not None:
            self._checkpoint.write(json.dumps(begun))

    @contextmanager
    def _forgetting_refusals(self, results: list[MoveResult]) -> Iterator[None]:
        """Delete the checkpoint if a refusal came before anything was done."""
        try:
            yield
        except (*_REFUSALS, FilesFailedError) as error:
            failed = error.failures if isinstance(error, FilesFailedError) else ()
            refused = all(isinstance(failure, _REFUSALS) for _, failure in failed)
            if refused and not results and self._checkpoint is not None:
                self._checkpoint.delete()
            raise

    def _with_what_is_there(self, jobs: list[MoveJob], if_exists: IfExists) -> list[MoveJob]:
        """Add to copies what has their names already, so that a retry can recognise its own copies."""
        return [replace(job, before=tuple(entry.id for entry in self._candidates(job, if_exists))) for job in jobs]

    def _candidates(self, job: MoveJob, if_exists: IfExists) -> list[RemoteFile]:
        """Return what may have the name of a job."""
        folder = self._tree.find(job.folder)
        if folder is None or not folder[1].is_folder:
            return []
        names = self._tree.names(folder[0])
        if if_exists is not IfExists.RENAME:
            return [names[job.name]] if job.name in names else []
        if folder[0] not in self._uncounted:
            by_name: dict[str, list[RemoteFile]] = {}
            for name, entry in names.items():
                for wanted in {name, uncounted(name)}:
                    by_name.setdefault(wanted, []).append(entry)
            self._uncounted[folder[0]] = by_name
        return self._uncounted[folder[0]].get(job.name, [])

    def _check_in_place(self, job: MoveJob) -> None:
        """Raise if the object of an earlier try's job is elsewhere, such as in the Trash: it is not moved back."""
        found = self._tree.find(job.source)
        if found is None or found[0] != job.id:
            raise _nothing_at(job.source)

    def _move(self, job: MoveJob, if_exists: IfExists, *, create_parents: bool) -> MoveResult:
        def move() -> Entry | None:
            return self._tree.move(
                job.source, job.target, if_exists=if_exists, create_parents=create_parents, known=job.known
            )

        return self._sent(("Moving", "Moved"), job, if_exists, move)

    def _copy(self, job: MoveJob, if_exists: IfExists, *, create_parents: bool) -> MoveResult:
        def copy() -> Entry | None:
            return self._tree.copy(
                job.source,
                job.target,
                if_exists=if_exists,
                create_parents=create_parents,
                known=job.known,
                modified=None if job.known[1].is_folder else job.modified,
            )

        return self._sent(("Copying", "Copied"), job, if_exists, copy)

    def _sent(
        self, verbs: tuple[str, str], job: MoveJob, if_exists: IfExists, send: Callable[[], Entry | None]
    ) -> MoveResult:
        with doing(verbs[0], job.source, to=job.target):
            try:
                entry = send()
            except QuatrixConflict:
                if not self._is_skipped(job, if_exists):
                    raise
                return self._skipped(job)
            if entry is None:
                return self._skipped(job)
            log.info("%s %s to %s", verbs[1], job.source, entry.path)
            return MoveResult.of(entry.path, entry.file)

    def _is_skipped(self, job: MoveJob, if_exists: IfExists) -> bool:
        """Return whether the name was taken just before. That counts as if it had been taken all along."""
        return if_exists is IfExists.SKIP and self._tree.find(job.target) is not None

    def _skipped(self, job: MoveJob) -> MoveResult:
        log.info("Kept %s instead of %s", job.target, job.source)
        return MoveResult.of(job.target, self._tree.stat(job.target), skipped=True)

    def _moved_before(self, job: MoveJob, if_exists: IfExists) -> MoveResult | None:
        """Return the object if it is where an earlier try was going to move it."""
        try:
            now, folder = self._tree.files.stat(job.id), self._tree.folder_id(job.folder)
        except QuatrixNotFound:
            return None
        path = join((*split(job.folder), now.name))
        # Within its own folder, an object may have had such a name from the beginning.
        if now.parent_id != folder or not job.has_name(now.name, if_exists) or path == job.source:
            return None
        return MoveResult.of(path, now)

    def _copied_before(self, jobs: list[MoveJob], if_exists: IfExists) -> dict[str, MoveResult]:
        """Return what an earlier try made, by target: it was not there before, and is equal to its source."""
        made: dict[str, MoveResult] = {}
        taken: set[str] = set()
        for job in jobs:
            for entry in self._candidates(job, if_exists):
                if entry.id not in taken.union(job.before, (job.id,)) and self._is_copy(entry, job):
                    made[job.target] = MoveResult.of(join((*split(job.folder), entry.name)), entry)
                    taken.add(entry.id)
                    break
        return made

    def _is_copy(self, entry: RemoteFile, job: MoveJob) -> bool:
        source_id, kind = job.known
        if entry.kind.is_folder != kind.is_folder:
            return False
        if not kind.is_folder:
            return entry.version.is_same(Version(job.size, job.modified))
        try:
            return self._tree.files.tree_size(entry.id) == self._tree.files.tree_size(source_id)
        except QuatrixNotFound:
            return False


# With one of these errors the service has done nothing.
_REFUSALS = (QuatrixConflict, QuatrixNotFound, QuatrixPermissionDenied)


def plan_moves(
    tree: RemoteTree, sources: Sources, target: str, *, selection: Selection = ALL, with_times: bool = False
) -> list[MoveJob]:
    """Decide what is moved or copied, and to where.

    A single object goes to ``target`` itself, unless that ends in a slash. Everything else goes into the folder
    ``target`` and keeps its name. With a filter, the files of a folder go to where they would be if the whole folder
    were moved.

    :param sources: paths, or patterns of files.
    :param target: path on Quatrix.
    :param with_times: sizes and modification times are needed.
    :return: one job per object.
    :raises QuatrixNotFound: a source is missing, or a pattern matches nothing.
    :raises InvalidPathError: two objects would get the same path.
    """
    base = split(target)
    into_folder = target.endswith("/") or sources.into_folder
    jobs: dict[str, MoveJob] = {}
    lookup = Lookup(tree, sources)
    for source in sources:
        try:
            objects = _objects(tree, lookup, source, selection, into_folder=into_folder, with_times=with_times)
        except QuatrixNotFound:
            if not selection.missing_ok:
                raise
            continue
        for job, names in objects:
            place = join((*base, *names))
            if place in jobs and jobs[place].id != job.id:
                raise InvalidPathError(
                    f"{jobs[place].source!r} and {job.source!r} would both become {place!r}: rename one of them"
                )
            jobs[place] = replace(job, target=place)
    return list(jobs.values())


def _objects(
    tree: RemoteTree, lookup: Lookup, source: Source, selection: Selection, *, into_folder: bool, with_times: bool
) -> list[tuple[MoveJob, tuple[str, ...]]]:
    """Return the objects of a source, without their targets, but with their names below the target."""
    if source.is_pattern:
        found = placed(matching(tree, source, selection), source, selection)
        return [(_of_file(entry.path, entry.file), names) for entry, names in found]
    kept = max(len(source.parts) - into_folder, 0)
    if selection.files.is_active:
        selected = _selected(tree, lookup, source, selection)
        return [(_of_file(entry.path, entry.file), entry.names[kept:]) for entry in selected]
    if not source.parts:
        raise InvalidPathError("The home folder itself cannot be moved or copied: give a path below it")
    path, names = join(source.parts), source.parts[kept:]
    if with_times:
        return [(_of_file(path, lookup.stat(source)), names)]
    kind = lookup.find(source)
    if kind is None:
        raise _nothing_at(source.text)
    return [(MoveJob(path, "", kind[0], kind[1].value), names)]


def _selected(tree: RemoteTree, lookup: Lookup, source: Source, selection: Selection) -> list[Entry]:
    """Return the wanted files at a path: a file, or all files below a folder."""
    file = lookup.selected(source, selection)
    if file is None:
        return []
    return files_below(tree, source, selection) if file.kind.is_folder else [Entry(source.parts, file)]


def _of_file(path: str, file: RemoteFile) -> MoveJob:
    return MoveJob(path, "", file.id, file.kind.value, file.size, file.modified)


def _nothing_at(path: str) -> QuatrixNotFound:
    return QuatrixNotFound(404, None, f"There is nothing at {path!r}")
