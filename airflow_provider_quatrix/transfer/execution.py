"""Runs the plan of an upload or download, or reports what it would do."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.transfer.download import Downloader
from airflow_provider_quatrix.transfer.error_context import doing
from airflow_provider_quatrix.transfer.failures import Failures
from airflow_provider_quatrix.transfer.journal import leaving_nothing
from airflow_provider_quatrix.transfer.kept_plan import (
    dump_download,
    dump_upload,
    kept_plan,
    load_download,
    load_upload,
)
from airflow_provider_quatrix.transfer.mirror import Changes, compare, wanted_of
from airflow_provider_quatrix.transfer.parallel import run_all
from airflow_provider_quatrix.transfer.plans import DownloadJob, DownloadPlan, UploadJob, UploadPlan
from airflow_provider_quatrix.transfer.progress import TransferLog
from airflow_provider_quatrix.transfer.results import Transferred, Transfers
from airflow_provider_quatrix.transfer.source_deletion import delete_local, delete_remote
from airflow_provider_quatrix.transfer.targets import LocalTarget, RemoteTarget
from airflow_provider_quatrix.transfer.throttle import Handling, Throttle
from airflow_provider_quatrix.transfer.upload import Uploader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_provider_quatrix.api.stopping import Stop
    from airflow_provider_quatrix.api.versions import Version
    from airflow_provider_quatrix.transfer.checkpoint import Checkpoint
    from airflow_provider_quatrix.transfer.journal import Journal
    from airflow_provider_quatrix.transfer.mirror import Names
    from airflow_provider_quatrix.transfer.plans import Plan
    from airflow_provider_quatrix.transfer.settings import TransferSettings
    from airflow_provider_quatrix.transfer.targets import Target
    from airflow_provider_quatrix.transfer.tree import RemoteTree

log = logging.getLogger(__name__)

J = TypeVar("J", UploadJob, DownloadJob)


def run_upload(
    tree: RemoteTree,
    plan: Callable[[], UploadPlan],
    settings: TransferSettings,
    *,
    stop: Stop,
    journal: Journal,
    checkpoint: Checkpoint | None = None,
) -> Transfers:
    """Upload the files of a plan.

    :param plan: what goes where.
    :param journal: what earlier tries have done.
    :param checkpoint: keeps the plan for retries, if sources are deleted.
    :return: one result per file, in the order of the plan.
    """
    uploader = Uploader(
        tree,
        resume_key=settings.resume_key,
        journal=journal,
        keep_unfinished=settings.keeps_unfinished,
        handling=Handling(settings.checksum, settings.verify, Throttle(settings.bandwidth)),
    )
    with leaving_nothing(settings, stop, journal, uploader.clear_all, checkpoint):
        made = kept_plan(plan, load_upload, dump_upload, checkpoint, settings)
        uploader.many = len(made.jobs) > 1
        target = RemoteTarget(tree, made.base)

        def begin(jobs: Sequence[UploadJob], size: int) -> None:
            uploader.progress = TransferLog(size).moved
            uploader.begin([job.target for job in jobs], settings.if_exists, refuse=not settings.goes_on)

        def move(job: UploadJob) -> Transferred:
            with doing("Uploading", str(job.source), to=job.target, remote=job.target):
                sent = uploader.upload(job.source, job.target, if_exists=settings.if_exists)
            return _logged("Uploaded", str(job.source), sent, settings.checksum)

        def leave(job: UploadJob) -> Transferred:
            there = target.file(job.names)
            return Transferred(job.target, there.id, there.size, "", 0.0, skipped=True, source=job.version)

        def moved_before(job: UploadJob) -> Transferred | None:
            gone = job.names in made.gone
            return uploader.sent_before(job.target, job.version, if_exists=settings.if_exists, gone=gone)

        steps = _Steps(
            begin=begin,
            move=move,
            leave=leave,
            moved_before=moved_before,
            newer=lambda job: None,
            check_complete=lambda: None,
            delete=delete_local,
            clear_all=uploader.clear_all,
        )
        return _execute(made, target, settings, steps, stop=stop, journal=journal)


def run_download(
    tree: RemoteTree,
    plan: Callable[[], DownloadPlan],
    settings: TransferSettings,
    *,
    stop: Stop,
    journal: Journal,
    checkpoint: Checkpoint | None = None,
) -> Transfers:
    """Download the files of a plan.

    :param plan: what goes where.
    :param journal: what earlier tries have done.
    :param checkpoint: keeps the plan for retries, if sources are deleted.
    :return: one result per file, in the order of the plan.
    """
    downloader = Downloader(
        tree.files,
        journal=journal,
        keep_unfinished=settings.keeps_unfinished,
        checksum=settings.checksum,
        throttle=Throttle(settings.bandwidth),
    )
    with leaving_nothing(settings, stop, journal, downloader.clear_all, checkpoint):
        made = kept_plan(plan, lambda text: load_download(text, tree), dump_download, checkpoint, settings)

        def begin(jobs: Sequence[DownloadJob], size: int) -> None:
            downloader.progress = TransferLog(size).moved
            downloader.begin([job.target for job in jobs], settings.if_exists, refuse=not settings.goes_on)

        def move(job: DownloadJob) -> Transferred:
            with doing("Downloading", job.source, to=str(job.target), remote=job.source):
                fetched = downloader.download(job.remote, job.target, if_exists=settings.if_exists)
            return _logged("Downloaded", job.source, fetched, settings.checksum)

        def leave(job: DownloadJob) -> Transferred:
            size = job.remote.size
            return Transferred(str(job.target), job.remote.id, size, "", 0.0, skipped=True, source=job.version)

        def moved_before(job: DownloadJob) -> Transferred | None:
            gone = job.names in made.gone
            return downloader.fetched_before(job.remote, job.target, if_exists=settings.if_exists, gone=gone)

        def newer(job: DownloadJob) -> DownloadJob | None:
            return None if tree.find(job.source) is None else replace(job, remote=tree.stat(job.source))

        def delete(arrived: Iterable[tuple[DownloadJob, Version]]) -> set[Names]:
            return delete_remote(tree.files, arrived)

        steps = _Steps(
            begin=begin,
            move=move,
            leave=leave,
            moved_before=moved_before,
            newer=newer,
            check_complete=made.check_complete,
            delete=delete,
            clear_all=downloader.clear_all,
        )
        return _execute(made, LocalTarget(made.base), settings, steps, stop=stop, journal=journal)


def _logged(what: str, source: str, result: Transferred, checksum: str | None) -> Transferred:
    """Log what became of one file."""
    if result.skipped:
        log.info("Kept %s instead of %s", result.path, source)
    else:
        digest = f", {checksum} {result.digest}" if result.digest else ""
        log.info("%s %s (%d bytes, %.1f s%s) to %s", what, source, result.size, result.seconds, digest, result.path)
    return result


@dataclass(frozen=True)
class _Steps(Generic[J]):
    """What differs between uploads and downloads.

    :param begin: called before the first file, with the files that may be moved and their bytes.
    :param move: moves a file, if that has not been done.
    :param leave: returns the result of a file that is not moved.
    :param moved_before: returns the result of a file that an earlier try has moved.
    :param newer: returns what has taken the place of a source that is gone.
    :param check_complete: raises if something could not even be planned.
    :param delete: deletes sources that have arrived; returns the names of those that are gone.
    :param clear_all: removes what earlier tries have left of files that are not wanted any more.
    """

    begin: Callable[[Sequence[J], int], None]
    move: Callable[[J], Transferred]
    leave: Callable[[J], Transferred]
    moved_before: Callable[[J], Transferred | None]
    newer: Callable[[J], J | None]
    check_complete: Callable[[], None]
    delete: Callable[[Iterable[tuple[J, Version]]], set[Names]]
    clear_all: Callable[[], None]


def _execute(
    plan: Plan[J], target: Target, settings: TransferSettings, steps: _Steps[J], *, stop: Stop, journal: Journal
) -> Transfers:
    """Do what a plan says, or report what that would be."""
    wanted = wanted_of(plan.folders, {job.names: job.version for job in plan.jobs})
    folders = [names for names, version in wanted.items() if version.is_folder]
    changes = _changes(plan, target, settings, wanted)
    if settings.dry_run:
        if not settings.create_parents:
            target.prepare((), create_parents=False)
        return _dry_run(plan, target, settings, steps, changes)
    deleted = target.remove(changes.in_the_way)
    target.prepare(folders, create_parents=settings.create_parents)
    done, jobs = _done_before(plan, steps) if plan.again else ({}, plan.jobs)
    # If an earlier try has left a part of a skipped file, the file is handled again, which removes the part.
    left = set(changes.skip).difference(job.names for job in jobs if journal.opened(str(job.target)) is not None)
    due = [job for job in jobs if job.names not in left and job.names not in done]
    steps.begin(due, sum(job.version.size for job in due))
    failures = Failures(settings.on_error)

    def move(job: J) -> Transferred | None:
        with failures.of(str(job.source)):
            return steps.move(job)
        return None

    moved = run_all(due, move, settings.transfers, stop)
    done.update({job.names: result for job, result in zip(due, moved, strict=True) if result is not None})
    failures.check(len(jobs))
    results = [done.get(job.names) or steps.leave(job) for job in jobs]
    steps.check_complete()
    steps.clear_all()
    deleted += target.remove(changes.extra)
    if settings.delete_extra:
        target.clear()
    if settings.delete_source:
        # From here on only the journal can distinguish what has arrived from what is new under the same name.
        journal.write()
        arrived = [(job, result.source) for job, result in zip(jobs, results, strict=True) if result.source is not None]
        gone = steps.delete(arrived)
        results = [replace(result, source_deleted=job.names in gone) for job, result in zip(jobs, results, strict=True)]
        log.info("Deleted the sources of %d files", len(gone))
    moved_files = [
        (str(job.source), result.path) for job, result in zip(jobs, results, strict=True) if result.source is not None
    ]
    return Transfers.of(results, single=plan.single, deleted=deleted, moved=moved_files)


def _changes(plan: Plan[J], target: Target, settings: TransferSettings, wanted: Mapping[Names, Version]) -> Changes:
    """Compare both sides, if anything depends on it."""
    if settings.delete_extra and plan.single:
        raise InvalidPathError(f"source is the file {plan.jobs[0].source}: give a folder, or set delete_extra=False")
    if not (settings.dry_run or settings.delete_extra or (settings.if_exists is IfExists.UPDATE and not plan.single)):
        return Changes()
    there = target.there({names for names, version in wanted.items() if version.is_folder})
    changes = compare(wanted, there, settings.if_exists, delete_extra=settings.delete_extra)
    return replace(changes, extra=tuple(names for names in changes.extra if target.is_removable(names)))


def _dry_run(
    plan: Plan[J], target: Target, settings: TransferSettings, steps: _Steps[J], changes: Changes
) -> Transfers:
    """Report what a transfer would do.

    :raises FileExistsError: it would fail.
    """
    if changes.refused:
        path = target.path_of(changes.refused[0])
        raise FileExistsError(f"{path} exists: set if_exists to 'update', 'overwrite', 'skip' or 'rename' to continue")
    steps.check_complete()
    send, skip = set(changes.send), set(changes.skip)
    results = Transfers.of(
        [
            steps.leave(job) if job.names in skip else Transferred(str(job.target), "", job.version.size, "", 0.0)
            for job in plan.jobs
        ],
        single=plan.single,
        deleted=[target.path_of(names) for names in (*changes.in_the_way, *changes.extra)],
    )
    results.dry_run = True
    results.made = [target.path_of(names) for names in changes.make]
    if settings.delete_source:
        is_same = settings.if_exists is IfExists.UPDATE
        results.deleted_sources = [str(job.source) for job in plan.jobs if is_same or job.names in send]
    for what, paths in (
        ("make the folder", results.made),
        ("send", [result.path for result in results if not result.skipped]),
        ("delete", results.deleted),
        ("delete the source", results.deleted_sources),
    ):
        for path in paths:
            log.info("Would %s %s", what, path)
    log.info("Would send %d files, skip %d and delete %d", len(send), len(skip), len(results.deleted))
    return results


def _done_before(plan: Plan[J], steps: _Steps[J]) -> tuple[dict[Names, Transferred], list[J]]:
    """Return what an earlier try has moved, and the files of its plan in their present state.

    :raises FileNotFoundError: a source is gone, and has not arrived.
    """
    done, jobs = {}, []
    for job in plan.jobs:
        before = steps.moved_before(job)
        if before is not None:
            done[job.names] = before
        now = job if before is not None or job.names not in plan.gone else steps.newer(job)
        if now is None:
            raise FileNotFoundError(f"{job.source} was there when the first try began, but is gone and has not arrived")
        jobs.append(now)
    return done, jobs
