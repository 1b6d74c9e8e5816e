"""The hook's calls that move bytes between a worker and Quatrix."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.stopping import Stop
from airflow_provider_quatrix.hooks.arguments import checked_names
from airflow_provider_quatrix.hooks.lineage import Lineage, on_quatrix, on_this_host, reported
from airflow_provider_quatrix.transfer.execution import run_download, run_upload
from airflow_provider_quatrix.transfer.filters import Selection, SelectionArguments
from airflow_provider_quatrix.transfer.journal import Journal
from airflow_provider_quatrix.transfer.local_files import plan_upload
from airflow_provider_quatrix.transfer.mirror import check_mirror
from airflow_provider_quatrix.transfer.plans import DownloadPlan, UploadPlan
from airflow_provider_quatrix.transfer.remote_files import plan_download
from airflow_provider_quatrix.transfer.results import Transfers
from airflow_provider_quatrix.transfer.settings import DEFAULT_TRANSFERS, TransferSettings
from airflow_provider_quatrix.transfer.sources import Sources, path_of
from airflow_provider_quatrix.transfer.tree import RemoteTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Unpack

    from airflow_provider_quatrix.api.client import QuatrixClient
    from airflow_provider_quatrix.hooks.attempt import Attempt
    from airflow_provider_quatrix.hooks.lineage import Naming
    from airflow_provider_quatrix.hooks.signatures import LocalPath, LocalPaths, Path, Paths
    from airflow_provider_quatrix.transfer.checkpoint import Checkpoint


P = TypeVar("P", UploadPlan, DownloadPlan)


class Run(Protocol[P]):  # type: ignore[misc]  # a plan is both returned and taken
    """Runs the plan of an upload or download."""

    def __call__(
        self,
        tree: RemoteTree,
        plan: Callable[[], P],
        settings: TransferSettings,
        *,
        stop: Stop,
        journal: Journal,
        checkpoint: Checkpoint | None,
    ) -> Transfers:
        """Run the plan."""


class TransferCalls:
    """Uploads and downloads by path; a part of the hook."""

    client: QuatrixClient
    attempt: Attempt
    """Which try of which task the calls belong to; set by the operators."""
    lineage = Lineage()
    """What the last call that moved or copied files has read and written."""

    def _checkpoint(self, name: str) -> Checkpoint:
        """Return the checkpoint of an unfinished transfer.

        :param name: unique among transfers.
        """
        raise NotImplementedError

    def _tree(self) -> RemoteTree:
        """Return the file tree, for one operation: it remembers the folders it has seen."""
        return RemoteTree(self.client.files)

    def _checkpoint_of(self, what: str, *parts: str) -> Checkpoint | None:
        """Return the checkpoint of a call; ``None`` if there is no retry.

        :param what: the kind of call.
        :param parts: distinguish the calls of a task.
        """
        if not self.attempt.resume_key:
            return None
        checkpoint = self._checkpoint("\0".join((what, self.attempt.resume_key, *parts)))
        self.attempt.kept.append(checkpoint)
        return checkpoint

    @checked_names(SelectionArguments)
    def upload(
        self,
        source: LocalPaths,
        target: Path,
        *,
        if_exists: str = "fail",
        create_parents: bool = False,
        transfers: int = DEFAULT_TRANSFERS,
        glob: bool | None = None,
        checksum: str | None = "sha256",
        verify: bool = False,
        bandwidth: float | None = None,
        delete_source: bool = False,
        delete_extra: bool = False,
        dry_run: bool = False,
        **selection: Unpack[SelectionArguments],
    ) -> Transfers:
        """Upload files, folders or what matches patterns.

        :param source: local paths or patterns, or earlier results; see :meth:`move_many`.
        :param target: path on Quatrix. For a single file, it is the new path itself, unless it ends in a slash.
            Otherwise, it is the folder for the files.
        :param if_exists: ``fail``, ``skip``, ``overwrite``, ``rename`` or ``update``, which skips what has the same
            size and modification time, and overwrites the rest.
        :param create_parents: make missing folders on Quatrix. Those below ``target`` are always made.
        :param transfers: files at a time.
        :param glob: see :meth:`move_many`.
        :param checksum: digest of the local bytes in the results: an algorithm of hashlib, or ``None`` for none. With
            ``None`` a retry does not resume in the middle of a file.
        :param verify: read each file back before it gets its name, and compare its digest.
        :param bandwidth: the most bytes per second, for all files together.
        :param delete_source: delete the local files that have arrived, unless they have changed since they were read.
        :param delete_extra: once all files have arrived, move what the folder ``target`` has and the folder ``source``
            lacks to the Trash. Only with ``update`` or ``overwrite``.
        :param dry_run: move and delete nothing, only report what would happen.
        :param selection: which files, see :class:`SelectionArguments`. With a filter, no empty folders are made.
        :return: one result per file, in the order of the plan.
        """
        sources, place = Sources.of(source, glob=glob), path_of(target, "target")
        settings = self._settings(
            if_exists,
            selection,
            create_parents=create_parents,
            verify=verify,
            transfers=transfers,
            checksum=checksum,
            bandwidth=bandwidth,
            delete_source=delete_source,
            delete_extra=delete_extra,
            dry_run=dry_run,
        )

        def plan(tree: RemoteTree, chosen: Selection) -> UploadPlan:
            return plan_upload(sources, place, selection=chosen)

        results = self._transfer("upload", sources, place, settings, selection, plan=plan, run=run_upload)
        self._report(results.moved, on_this_host, self._naming)
        return results

    def _settings(self, if_exists: str, selection: SelectionArguments, **how: Any) -> TransferSettings:
        """Return the settings of a transfer of this try."""
        attempt = self.attempt
        return TransferSettings(
            if_exists=IfExists.parse(if_exists, update=True),
            resume_key=attempt.resume_key,
            is_retry=attempt.is_retry,
            last_try=attempt.last_try,
            on_error=selection.get("on_error", "fail"),
            **how,
        )

    def _transfer(
        self,
        what: str,
        sources: Sources,
        place: str,
        settings: TransferSettings,
        selection: SelectionArguments,
        *,
        plan: Callable[[RemoteTree, Selection], P],
        run: Run[P],
    ) -> Transfers:
        """Plan an upload or download, and run the plan."""
        chosen = Selection.of(**selection)
        if settings.delete_extra:
            check_mirror(sources, place, selection)
        if not sources.all:
            return Transfers()
        parts = (place, *(each.text for each in sources))
        with self._running() as stop:
            tree, journal = self._tree(), Journal(self._checkpoint_of(what, *parts), is_retry=settings.is_retry)
            # A retry finds some sources deleted, and so cannot make the plan again.
            keeps_plan = settings.delete_source and not settings.dry_run
            checkpoint = self._checkpoint_of(f"plan of {what}", *parts) if keeps_plan else None
            return run(
                tree,
                lambda: plan(tree, chosen),
                settings,
                stop=stop,
                journal=journal,
                checkpoint=checkpoint,
            )

    def stop(self) -> None:
        """Stop the uploads and downloads that run now; a signal handler may call this."""
        for stop in list(self._stops):
            stop.set()

    @cached_property
    def _stops(self) -> list[Stop]:
        return []

    @contextmanager
    def _running(self) -> Iterator[Stop]:
        stop = Stop()
        self._stops.append(stop)
        try:
            yield stop
        finally:
            self._stops.remove(stop)

    @checked_names(SelectionArguments)
    def download(
        self,
        source: Paths,
        target: LocalPath,
        *,
        if_exists: str = "fail",
        create_parents: bool = False,
        transfers: int = DEFAULT_TRANSFERS,
        glob: bool | None = None,
        checksum: str | None = "sha256",
        bandwidth: float | None = None,
        delete_source: bool = False,
        delete_extra: bool = False,
        dry_run: bool = False,
        **selection: Unpack[SelectionArguments],
    ) -> Transfers:
        """Download files, folders or what matches patterns.

        :param source: paths on Quatrix or patterns, or earlier results; see :meth:`move_many`.
        :param target: local path. For a single file, it is the new path itself, unless it ends in a slash or is a
            folder. Otherwise, it is the folder for the files.
        :param if_exists: ``fail``, ``skip``, ``overwrite``, ``rename`` or ``update``, which skips what has the same
            size and modification time, and overwrites the rest.
        :param create_parents: make missing local folders. Those below ``target`` are always made.
        :param transfers: files at a time.
        :param glob: see :meth:`move_many`.
        :param checksum: digest of the local bytes in the results: an algorithm of hashlib, or ``None`` for none, so
            that nothing is read twice.
        :param bandwidth: the most bytes per second, for all files together.
        :param delete_source: move the files that have arrived to the Trash, unless they have changed since they were
            read.
        :param delete_extra: once all files have arrived, delete what the folder ``target`` has and the folder
            ``source`` lacks. Only with ``update`` or ``overwrite``.
        :param dry_run: move and delete nothing, only report what would happen.
        :param selection: see :meth:`upload`.
        :return: one result per file, in the order of the plan.
        """
        sources, place = Sources.of(source, glob=glob), path_of(target, "target")
        settings = self._settings(
            if_exists,
            selection,
            create_parents=create_parents,
            transfers=transfers,
            checksum=checksum,
            bandwidth=bandwidth,
            delete_source=delete_source,
            delete_extra=delete_extra,
            dry_run=dry_run,
        )

        def plan(tree: RemoteTree, chosen: Selection) -> DownloadPlan:
            return plan_download(tree, sources, place, selection=chosen)

        results = self._transfer("download", sources, place, settings, selection, plan=plan, run=run_download)
        self._report(results.moved, self._naming, on_this_host)
        return results

    @property
    def _naming(self) -> Naming:
        """How lineage names the account's files."""
        return on_quatrix(self.client.base_url)

    def _report(self, moved: Sequence[tuple[str, str]], source: Naming, target: Naming) -> None:
        """Report what a call has read and written.

        :param moved: source and target of each file.
        :param source: how the sources are named.
        :param target: how the targets are named.
        """
        self.lineage = reported(self, moved, source, target)
