"""Transfers between Quatrix and other stores: plans a transfer and moves its files."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import QuatrixConflict, QuatrixTransferError
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.paths import InvalidPathError, all_of, by_wanted_name
from airflow_provider_quatrix.transfer.endpoints import Item, QuatrixEndpoint
from airflow_provider_quatrix.transfer.error_context import doing
from airflow_provider_quatrix.transfer.journal import Journal, mark
from airflow_provider_quatrix.transfer.parallel import run_all
from airflow_provider_quatrix.transfer.pipe import Pipe
from airflow_provider_quatrix.transfer.progress import TransferLog
from airflow_provider_quatrix.transfer.results import Transferred, TransferredFile, Transfers
from airflow_provider_quatrix.transfer.sinks import StreamSink
from airflow_provider_quatrix.transfer.throttle import Throttle
from airflow_provider_quatrix.transfer.whole_file import discarding

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.api.stopping import Stop
    from airflow_provider_quatrix.transfer.endpoints import Draft, Endpoint
    from airflow_provider_quatrix.transfer.places import Place
    from airflow_provider_quatrix.transfer.settings import TransferSettings
    from airflow_provider_quatrix.transfer.sources import Source, Sources

# A longer text may not fit into a database.
_LONGEST_TEXT = 30_000
_DONE = "done"


@dataclass(frozen=True)
class Job:
    """One file to transfer.

    :param item: the file at its source.
    :param target: its final path at the other end.
    """

    item: Item
    target: str


@dataclass(frozen=True)
class Plan:
    """What a transfer does.

    :param folders: folders to make at the target, empty ones included.
    :param single: the source was one file, so the result is one file and no list.
    :param left_out: what cannot be transferred, with the reasons.
    """

    jobs: tuple[Job, ...]
    folders: tuple[str, ...]
    single: bool
    left_out: tuple[str, ...]


class Exchange:
    """One transfer from one end to the other.

    :param places: source and target, for the URLs in messages and results.
    :param journal: the record of all tries of the task.
    :param same_account: both ends are in one account, so the service copies.
    :param on_arrival: called with the size of each file that has arrived.
    """

    def __init__(
        self,
        source: Endpoint,
        target: Endpoint,
        places: tuple[Place, Place],
        settings: TransferSettings,
        *,
        stop: Stop,
        journal: Journal,
        same_account: bool,
        on_arrival: Callable[[int], None],
    ) -> None:
        self._source = source
        self._target = target
        self._places = places
        self._settings = settings
        self._stop = stop
        self._journal = journal
        self._same_account = same_account
        self._on_arrival = on_arrival
        self._throttle = Throttle(settings.bandwidth)
        self._progress: Callable[[int], None] = lambda _size: None
        self._arrived: set[str] = set()
        self._groups: dict[str, dict[str, list[str]]] = {}
        self._grouping = threading.Lock()

    def run(self, sources: Sources) -> Transfers:
        """Transfer files and folders.

        :param sources: paths and patterns of the source.
        :return: one result per file, in the order of the plan.
        """
        done = self._done_before()
        if done is not None:
            return done
        plan = self._plan(sources)
        settings, place = self._settings, self._places[1]
        top = self._target.path(place.path)
        into_folder = place.is_folder or not plan.single
        self._target.make_folder(top if into_folder else _above(top), create=settings.create_parents)
        for folder in dict.fromkeys((*plan.folders, *(_above(job.target) for job in plan.jobs))):
            self._target.make_folder(folder, create=True)
        self._target.many = len(plan.jobs) > 1
        self._begin(plan.jobs)
        self._progress = TransferLog(sum(job.item.size for job in plan.jobs)).moved
        results = Transfers.of(
            run_all(plan.jobs, self._transferred, settings.transfers, self._stop), single=plan.single
        )
        results.moved = [
            (self._places[0].url(job.item.path), result.path)
            for job, result in zip(plan.jobs, results, strict=True)
            if job.item.path in self._arrived
        ]
        if plan.left_out:
            raise InvalidPathError(
                f"{len(plan.jobs)} files were transferred, but not all could be: {all_of(plan.left_out)}. Rename "
                "or remove these"
            )
        if self._settings.delete_source:
            return self._without_sources(plan, results)
        return results

    def _plan(self, sources: Sources) -> Plan:
        place = self._places[1]
        top = self._target.path(place.path)
        jobs: dict[str, Job] = {}
        folders: list[str] = []
        left_out: list[str] = []
        single = False
        for source in sources:
            try:
                found = self._source.find(source)
            except FileNotFoundError:
                if self._may_be_deleted(source):
                    continue
                raise
            single = sources.single and found.is_file
            left_out += found.left_out
            for item in found.items:
                try:
                    names = () if single and not place.is_folder else item.names
                    at = self._target.below(top, names) if names else top
                except InvalidPathError as error:
                    left_out.append(f"{item.path!a}: {error}")
                    continue
                if item.is_folder:
                    folders.append(at)
                elif at in jobs and jobs[at].item != item:
                    raise InvalidPathError(
                        f"{jobs[at].item.path!r} and {item.path!r} would both become {at!r}: rename one of them"
                    )
                else:
                    jobs[at] = Job(item, at)
        return Plan(tuple(jobs.values()), tuple(folders), single, tuple(left_out))

    def _may_be_deleted(self, source: Source) -> bool:
        """Return whether an earlier try may have transferred and deleted everything of a source."""
        if not self._settings.delete_source or not self._journal.begun:
            return False
        return source.is_pattern or self._journal.is_own(_mark_of_deleted(self._source.path(source.text)))

    def _begin(self, jobs: tuple[Job, ...]) -> None:
        """Record which target names are taken, before the first byte is moved."""
        mode = self._settings.if_exists
        if self._journal.begun or mode not in (IfExists.FAIL, IfExists.RENAME):
            return
        before: list[str] = []
        for job in jobs:
            there = self._in_the_way(job)
            if there and mode is IfExists.FAIL:
                raise self._taken(there[0])
            before += [_mark_of(item) for item in there]
        self._journal.begin(before)
        # At once: otherwise a try that is killed after its first file would look like one that never began.
        self._journal.write()

    def _in_the_way(self, job: Job) -> list[Item]:
        """Return what has the wanted name. With ``rename``, also what has that name with a number."""
        if self._settings.if_exists is not IfExists.RENAME:
            there = self._target.stat(job.target)
            return [] if there is None else [there]
        names, folder = self._target.in_folder_of(job.target), _above(job.target)
        with self._grouping:
            if folder not in self._groups:
                self._groups[folder] = by_wanted_name(names)
            return [names[name] for name in self._groups[folder].get(job.target.rpartition("/")[2], ())]

    def _transferred(self, job: Job) -> Transferred:
        source, target = self._places
        with doing("Transferring", source.url(job.item.path), to=target.url(job.target)):
            return self._transfer(job)

    def _transfer(self, job: Job) -> Transferred:
        started = time.monotonic()
        mode, renames = self._settings.if_exists, self._settings.if_exists is IfExists.RENAME
        if self._journal.begun or not renames:
            for there in self._in_the_way(job):
                if self._arrived_before(job, there):
                    self._arrived.add(job.item.path)
                    return self._skipped(job, there)
                if self._journal.is_own(_mark_of(there)):
                    # The source has changed since an earlier try transferred it.
                    job, mode = Job(job.item, there.path), IfExists.OVERWRITE
                elif not renames and (there.is_folder or mode is IfExists.FAIL):
                    raise self._taken(there)
                elif mode is IfExists.SKIP:
                    return self._skipped(job, there)
        try:
            item, digest = self._copy(job, mode) if self._same_account else self._stream(job, mode)
        except (QuatrixConflict, FileExistsError):
            made = self._target.stat_now(job.target) if mode is IfExists.SKIP else None
            if made is None or made.is_folder:
                raise
            return self._skipped(job, made)
        self._arrived.add(job.item.path)
        self._journal.add(_mark_of(item))
        self._journal.add(_mark_of(item, job.item))
        self._on_arrival(item.size)
        return self._result(job, item, digest, time.monotonic() - started)

    def _stream(self, job: Job, mode: IfExists) -> tuple[Item, str]:
        settings = self._settings
        draft = self._target.draft(job.target, job.item, settings.resume_key, mode)
        with discarding(draft):
            pipe = Pipe(draft.write, self._stop)

            def write(data: bytes) -> None:
                pipe.write(data)
                self._progress(len(data))

            sink = StreamSink(settings.checksum, write)
            try:
                self._source.send(job.item, sink, self._throttle)
                pipe.drain()
            finally:
                pipe.close()
            if sink.held != job.item.size:
                raise QuatrixTransferError(
                    f"{sink.held} bytes of {job.item.path!r} arrived, but it has {job.item.size}"
                )
            draft.finish()
            digest = sink.finish()
            if settings.verify and draft.verified_early:
                self._compare(draft, digest, job)
            item = draft.commit(IfExists.FAIL if mode is IfExists.SKIP else mode)
            if settings.verify and not draft.verified_early:
                self._compare(draft, digest, job)
        return item, digest

    def _compare(self, draft: Draft, digest: str, job: Job) -> None:
        sink = StreamSink(self._settings.checksum)
        draft.read_back(sink)
        if sink.finish() != digest:
            raise QuatrixTransferError(
                f"The bytes of {job.item.path!r} at the target differ from those that were sent: try again"
            )

    def _copy(self, job: Job, mode: IfExists) -> tuple[Item, str]:
        if not isinstance(self._target, QuatrixEndpoint):
            raise TypeError("not a Quatrix account")
        item = self._target.copy(job.item, job.target, IfExists.FAIL if mode is IfExists.SKIP else mode)
        if item.size != job.item.size:
            raise QuatrixTransferError(f"The copy of {job.item.path!r} has {item.size} bytes, not {job.item.size}")
        return item, ""

    def _arrived_before(self, job: Job, there: Item) -> bool:
        """Return whether an earlier try has transferred this version of a file."""
        if not self._journal.begun or there.is_folder or there.size != job.item.size:
            return False
        if self._journal.is_own(_mark_of(there, job.item)):
            return True
        # That try may have been killed before it recorded the file.
        return self._journal.appeared(_mark_of(there)) and self._digest(self._source, job.item) == self._digest(
            self._target, there
        )

    def _digest(self, end: Endpoint, item: Item) -> str:
        sink = StreamSink("sha256")
        end.send(item, sink, self._throttle)
        return sink.finish()

    def _skipped(self, job: Job, there: Item) -> Transferred:
        return self._result(job, there, "", 0.0, skipped=True)

    def _result(self, job: Job, item: Item, digest: str, seconds: float, *, skipped: bool = False) -> Transferred:
        path = self._places[1].url(item.path)
        return Transferred(path, item.id or job.item.id, item.size, digest, seconds, skipped=skipped)

    def _taken(self, there: Item) -> Exception:
        text = repr(self._places[1].url(there.path))
        if there.is_folder:
            return InvalidPathError(f"{text} is a folder: end the target in a slash to transfer into it")
        return FileExistsError(f"{text} exists: set if_exists to 'overwrite', 'skip' or 'rename' to continue")

    def _without_sources(self, plan: Plan, results: Transfers) -> Transfers:
        """Delete the sources that this or an earlier try has transferred; those that were only skipped stay."""
        mine = [(number, job.item) for number, job in enumerate(plan.jobs) if job.item.path in self._arrived]
        text = json.dumps(
            {
                "single": plan.single,
                "results": results,
                "sources": [[number, item.path, item.version] for number, item in mine],
            }
        )
        if len(text) <= _LONGEST_TEXT:
            self._journal.open(_DONE, text, at_once=True)
        else:
            for _, item in mine:
                self._journal.add(_mark_of_deleted(item.path))
            self._journal.write()
        gone = self._source.delete([item for _, item in mine])
        for number, item in mine:
            results[number]["source_deleted"] = item.path in gone
        return results

    def _done_before(self) -> Transfers | None:
        """Return the results of an earlier try that had begun to delete its sources; delete the rest of them."""
        kept = self._journal.opened(_DONE)
        if kept is None:
            return None
        done = json.loads(kept)
        results = Transfers(map(TransferredFile.kept, done["results"]))
        results.single = done["single"]
        there = {path: item for _, path, _ in done["sources"] if (item := self._source.stat_now(path)) is not None}
        same = [there[path] for _, path, version in done["sources"] if path in there and there[path].version == version]
        gone = self._source.delete(same)
        for number, path, _ in done["sources"]:
            results[number]["source_deleted"] = path not in there or path in gone
        results.moved = [(self._places[0].url(path), results[number].path) for number, path, _ in done["sources"]]
        return results


def _above(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _mark_of(there: Item, source: Item | None = None) -> str:
    """Return the mark of a file at the target, which contains its own version or that of its source."""
    return mark("at", there.path, there.version) if source is None else mark("of", there.path, source.version)


def _mark_of_deleted(path: str) -> str:
    return mark("deleted", path)
