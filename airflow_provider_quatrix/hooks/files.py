"""The hook's file calls: paths in, ids inside."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.errors import QuatrixConflict, QuatrixResponseError, QuatrixTransportError
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.messages import Repeat
from airflow_provider_quatrix.api.paths import join, split
from airflow_provider_quatrix.api.retry import may_repeat
from airflow_provider_quatrix.hooks.arguments import checked_names, parameters_of
from airflow_provider_quatrix.hooks.transfer_calls import TransferCalls
from airflow_provider_quatrix.transfer.bulk import BulkCall, BulkMover, MoveResults
from airflow_provider_quatrix.transfer.cleanup import WEEK, Cleaned, old_parts
from airflow_provider_quatrix.transfer.error_context import doing
from airflow_provider_quatrix.transfer.filters import FilterArguments, Selection, SelectionArguments
from airflow_provider_quatrix.transfer.remote_files import listed
from airflow_provider_quatrix.transfer.results import ApiKeyResult, CleanedResult, FileResult, QuotaResult, SearchResult
from airflow_provider_quatrix.transfer.sources import Sources, path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Unpack

    from airflow_provider_quatrix.api.models import Entry
    from airflow_provider_quatrix.hooks.signatures import Path, Paths
    from airflow_provider_quatrix.transfer.checkpoint import DatedCheckpoint
    from airflow_provider_quatrix.transfer.tree import RemoteTree

log = logging.getLogger(__name__)


class FileCalls(TransferCalls):
    """File calls by path, from the home folder; a part of the hook."""

    @checked_names(FilterArguments)
    def list_files(
        self,
        path: Paths = "/",
        *,
        recursive: bool = False,
        glob: bool | None = None,
        missing_ok: bool = False,
        **filters: Unpack[FilterArguments],
    ) -> list[FileResult]:
        """Return the content of folders, or the files that match patterns.

        :param path: a folder, or a pattern such as ``/inbox/**/*.csv``; one or several.
        :param recursive: include subfolders, but not the Trash's content.
        :param glob: see :meth:`move_many`.
        :param missing_ok: a folder that is missing is fine.
        :param filters: which files, see :class:`FilterArguments`; with a filter, folders are left out.
        :return: files and folders, each once.
        :raises QuatrixNotFound: there is no such folder.
        """
        tree, selection = self._tree(), Selection.of(missing_ok=missing_ok, **filters)
        found: dict[str, Entry] = {}
        for source in Sources.of(path, glob=glob, name="path"):
            with doing("Listing", source.text):
                found.update((entry.file.id, entry) for entry in listed(tree, source, selection, recursive=recursive))
        return [FileResult.of(entry.path, entry.file) for entry in found.values()]

    def stat(self, path: str) -> FileResult:
        """Return the metadata of a file or folder.

        :return: its path, id, kind, size and modification time.
        :raises QuatrixNotFound: nothing is there.
        """
        with doing("Looking up", path):
            return FileResult.of(join(split(path)), self._tree().stat(path))

    def exists(self, path: str) -> bool:
        """Return whether there is a file or folder at a path."""
        return self._tree().find(path) is not None

    def make_directory(self, path: str, *, create_parents: bool = False, exist_ok: bool = True) -> str:
        """Make a folder.

        :param create_parents: make missing folders above it.
        :param exist_ok: a folder that exists is fine.
        :return: its id.
        :raises QuatrixConflict: a file is there, or a folder although ``exist_ok`` is false.
        :raises QuatrixNotFound: the folder above is missing.
        """
        tree, names = self._tree(), split(path)
        checkpoint = None if exist_ok else self._checkpoint_of("make", path)
        kept = checkpoint.read() if self.attempt.is_retry and checkpoint is not None else None
        with doing("Making the folder", path):
            found = tree.find(path)
            if found is not None and (exist_ok or kept in ("", found[0])):
                return tree.folder_id(path)
            if found is not None:
                raise self._in_the_way(path)
            above = tree.folder_id(join(names[:-1]), create=create_parents)
            if checkpoint is not None:
                checkpoint.write("")
            made = tree.folder_id(path, create=True) if exist_ok else self._made(tree, above, names)
            log.info("Made the folder %s", path)
            if checkpoint is not None:
                checkpoint.write(made)
            return made

    def _made(self, tree: RemoteTree, above: str, names: tuple[str, ...]) -> str:
        """Make a folder that was missing just before. Nobody else may make it in the meantime."""
        try:
            return tree.files.make_folder(above, names[-1], repeat=Repeat.REFUSED).id
        except QuatrixConflict:
            raise self._in_the_way(join(names)) from None
        except (QuatrixTransportError, QuatrixResponseError) as error:
            # It may have been made although the response was lost.
            found = tree.files.find(names[-1], above) if may_repeat(error, Repeat.SAFE) else None
            if found is None or not found[1].is_folder:
                raise
            return found[0]

    def _in_the_way(self, path: str) -> QuatrixConflict:
        return QuatrixConflict(400, None, f"{path!r} exists: set exist_ok=True if that is fine")

    def move(
        self, source: str, target: str, *, if_exists: str = "fail", create_parents: bool = False
    ) -> FileResult | None:
        """Move or rename a file or folder.

        :param if_exists: ``fail``, ``skip``, ``overwrite`` (files only) or ``rename``.
        :param create_parents: make missing folders of the target.
        :return: the moved object; ``None`` if it was skipped.
        """
        found = self._tree().move(source, target, if_exists=IfExists.parse(if_exists), create_parents=create_parents)
        return self._result_of(source, found)

    def copy(
        self, source: str, target: str, *, if_exists: str = "fail", create_parents: bool = False
    ) -> FileResult | None:
        """Copy a file or folder on the server; parameters as for :meth:`move`."""
        found = self._tree().copy(source, target, if_exists=IfExists.parse(if_exists), create_parents=create_parents)
        return self._result_of(source, found)

    def _result_of(self, source: str, found: Entry | None) -> FileResult | None:
        """Return and report what became of an object."""
        self._report([] if found is None else [(source, found.path)], self._naming, self._naming)
        return None if found is None else FileResult.of(found.path, found.file)

    @checked_names(SelectionArguments)
    def move_many(
        self,
        source: Paths,
        target: Path,
        *,
        if_exists: str = "fail",
        create_parents: bool = False,
        glob: bool | None = None,
        **selection: Unpack[SelectionArguments],
    ) -> MoveResults:
        """Move files and folders, or the files that match patterns.

        :param source: paths or patterns, or earlier results: mappings with ``path``, or objects with that attribute.
            One or several.
        :param target: the new path of a single object, unless it ends in a slash; otherwise the folder for the objects.
        :param if_exists: ``fail``, ``skip``, ``overwrite`` (files only) or ``rename``.
        :param create_parents: make missing folders of the target.
        :param glob: whether text is a pattern; ``None``: if it contains wildcards. Set ``False`` for paths that were
            found. Results are names in any case.
        :param selection: which files, see :class:`SelectionArguments`. With a filter, a folder stands for the files
            below it, which keep their structure; the folder itself stays.
        :return: one result per object.
        """
        return self._bulk(
            "move",
            BulkMover.move,
            source,
            target,
            if_exists=if_exists,
            create_parents=create_parents,
            glob=glob,
            **selection,
        )

    @checked_names(SelectionArguments)
    @parameters_of(move_many)
    def copy_many(self, *places: Any, **how: Any) -> MoveResults:
        """Copy files and folders on the server; parameters as for :meth:`move_many`. Files keep their times."""
        return self._bulk("copy", BulkMover.copy, *places, **how)

    def _bulk(
        self,
        what: str,
        run: Callable[[BulkMover, BulkCall], MoveResults],
        source: Paths,
        target: Path,
        *,
        if_exists: str,
        create_parents: bool,
        glob: bool | None,
        **selection: Unpack[SelectionArguments],
    ) -> MoveResults:
        """Move or copy files and folders, and report it."""
        call = BulkCall(
            Sources.of(source, glob=glob),
            path_of(target, "target"),
            IfExists.parse(if_exists),
            create_parents,
            Selection.of(**selection),
        )
        results = run(self._mover(what, call.target, *call.sources.described), call)
        self._report(results.moved, self._naming, self._naming)
        return results

    @checked_names(FilterArguments)
    def delete(
        self,
        path: Paths,
        *,
        permanently: bool = False,
        missing_ok: bool = False,
        glob: bool | None = None,
        **filters: Unpack[FilterArguments],
    ) -> int:
        """Delete files and folders with everything in them.

        :param path: paths, patterns of files, or earlier results; see :meth:`move_many`.
        :param permanently: do not keep them in the Trash.
        :param missing_ok: a path that does not exist, or a pattern that matches nothing, is fine.
        :param glob: see :meth:`move_many`.
        :param filters: which files, see :class:`FilterArguments`. With a filter, a folder stands for the files below
            it, and stays itself.
        :return: how many objects were deleted.
        """
        given = Sources.of(path, glob=glob, name="path")
        mover = self._mover("delete", *given.described)
        selection = Selection.of(missing_ok=missing_ok, **filters)
        return mover.delete(given, permanently=permanently, selection=selection)

    def _mover(self, what: str, *parts: str) -> BulkMover:
        return BulkMover(self._tree(), checkpoint=self._checkpoint_of(what, *parts), is_retry=self.attempt.is_retry)

    def cleanup(self, path: str = "/", *, older_than: float = WEEK, dry_run: bool = False) -> CleanedResult:
        """Remove unfinished uploads of this package, and checkpoints of transfers, that no task will resume.

        :param path: folder below which to look for unfinished uploads.
        :param older_than: only what nobody has written to for this time, in seconds; default 7 days. Set it longer than
            the time between two tries of a task.
        :param dry_run: remove nothing, only report what would be removed.
        :return: what was removed.
        """
        tree = self._tree()
        with doing("Cleaning up", path):
            parts = old_parts(tree, path, older_than)
            before = time.time() - older_than
            checkpoints = [each for each in self._all_checkpoints() if (each.written() or before) < before]
            if not dry_run:
                tree.files.delete([part.file.id for part in parts], permanently=True)
                for each in checkpoints:
                    each.delete()
        return CleanedResult.of(Cleaned(tuple(parts), len(checkpoints)))

    def _all_checkpoints(self) -> Sequence[DatedCheckpoint]:
        """Return the checkpoints of all transfers of the connection."""
        raise NotImplementedError

    def set_modified(self, path: str, modified: float) -> FileResult:
        """Set a file's modification time.

        :param modified: Unix time, kept to the microsecond.
        :return: the file as it is now.
        """
        with doing("Setting the time of", path):
            return FileResult.of(
                join(split(path)), self.client.files.set_modified(self._tree().stat(path).id, modified)
            )

    def search(self, name: str) -> list[SearchResult]:
        """Find files and folders by a part of their name, in all folders that the service searches.

        :return: without their paths, which the service does not report.
        """
        return [SearchResult.of(file) for file in self.client.files.search(name)]

    def quota(self) -> QuotaResult:
        """Return used and allowed storage in bytes."""
        return QuotaResult.of(self.client.profile_info())

    def api_keys(self) -> list[ApiKeyResult]:
        """Return the API keys of all users that this one manages, without the keys themselves."""
        return [ApiKeyResult.of(key) for key in self.client.api_keys()]
