"""Operators that move files between workers and Quatrix, and within Quatrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.hooks.arguments import is_rendered_later
from airflow_provider_quatrix.operators.base import (
    QuatrixFileOperator,
    QuatrixPathOperator,
    QuatrixResultsOperator,
    QuatrixTargetOperator,
)
from airflow_provider_quatrix.operators.mirroring import QuatrixMirroringOperator
from airflow_provider_quatrix.operators.selecting import (
    PLACING,
    SELECTION,
    QuatrixPlacingOperator,
    QuatrixSelectingOperator,
)
from airflow_provider_quatrix.transfer.options import checked_verify

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
    from airflow_provider_quatrix.hooks.signatures import (
        BulkMoveArguments,
        DeletingArguments,
        ListingArguments,
        MirroringArguments,
        Path,
        Paths,
        QuatrixArguments,
    )
    from airflow_provider_quatrix.transfer.bulk import MoveResults


class QuatrixUploadOperator(QuatrixMirroringOperator):
    """Uploads files, folders with everything in them, or what matches patterns.

    Nobody sees a file under its final name before it is complete. A retry sends only what is missing, and resumes in
    the middle of a large file.

    :param source: local path of a file or folder, or a pattern such as ``/data/**/*.csv``; one or several, also as
        earlier results (templated).
    :param target: path on Quatrix. For a single file, it is the new path itself, unless it ends in a slash. Otherwise,
        it is the folder for the files, which keep their names; the content of a folder keeps its structure (templated).
    :param if_exists: what to do if the file's name is taken: ``fail`` (default), ``skip``, ``overwrite``, ``rename``,
        which stores the new one as ``name(1).csv``, or ``update``, which skips what has the same size and modification
        time and overwrites the rest.
    :param create_parents: make missing folders of the target. Those below it are always made.
    :param transfers: files at a time, from 1 to 64; default 4.
    :param checksum: digest of the local bytes in the result: an algorithm of hashlib, or ``None`` for none; default
        ``sha256``.
    :param bandwidth: the most bytes per second, for all files of the task together; default no limit.
    :param delete_source: once all files have arrived, delete the local ones that have not changed since they were read.
    :param delete_extra: make the target a mirror of the folder ``source``: once all files have arrived, move what the
        source lacks to the Trash. Only with ``if_exists`` ``update`` or ``overwrite``.
    :param dry_run: send and delete nothing, only report what would happen.
    :param verify: read each file back before it gets its name, and compare its digest; default ``False``.
    :param include: only files that match this pattern, or one of these (templated). A pattern without a slash is
        matched against the file's name. One with a slash is matched against the path below the source folder; if the
        source is a pattern, below the last folder ahead of its first wildcard.
    :param exclude: no files that match this pattern, or one of these (templated).
    :param newer_than: only files modified after this: a datetime with a time zone, text in ISO 8601, or a timedelta
        before now (templated).
    :param older_than: only files modified before this, in the same forms (templated).
    :param min_size: only files of at least so many bytes (templated).
    :param max_size: only files of at most so many bytes (templated).
    :param missing_ok: a source that is missing, or a pattern that matches nothing, is fine (templated).
    :param keep_structure: files that match a pattern keep their folders, below the last one ahead of its first wildcard
        (templated).
    :param on_error: when a file fails: ``fail`` at once (default), or ``continue`` with the others and fail at the end
        (templated).
    :param glob: whether text is a pattern; default: if the DAG's author wrote wildcards into it.
    :param results: ``all``, ``summary``, or ``auto`` (default): a summary of more than 1,000 files.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :return: ``{"path", "id", "size", "sha256", "seconds", "skipped"}`` for a single file; a list of these for a folder,
        a pattern or a list. ``sha256``, or what ``checksum`` names, is computed from the bytes read here, and empty for
        a skipped file. With ``delete_source`` also ``source_deleted``. A summary is ``{"summary": True, "files",
        "folders", "bytes", "skipped"}``; a dry run gives ``{"dry_run": True, "sent", "skipped", "made", "deleted",
        "deleted_sources", "bytes"}``. The XCom ``deleted`` lists what ``delete_extra`` has deleted.
    """

    template_fields: Sequence[str] = (*QuatrixMirroringOperator.template_fields, "verify")

    def __init__(self, *, verify: bool | str = False, **kwargs: Unpack[MirroringArguments]) -> None:
        super().__init__(**kwargs)
        self.verify = self._flag("verify", verify)
        if not is_rendered_later(self.verify):
            checked_verify(self.verify, self.checksum)

    def _check_rendered(self) -> None:
        super()._check_rendered()
        checked_verify(self.verify, self.checksum)

    def _run(self, hook: QuatrixHook, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        results = hook.upload(
            self._sources(context),
            self.target,
            if_exists=self.if_exists,
            create_parents=self.create_parents,
            glob=self._globs,
            verify=self.verify,
            **self._selection(),
            **self._how(),
        )
        return self._xcom_of(results, context)


class QuatrixDownloadOperator(QuatrixMirroringOperator):
    """Downloads files, folders with everything in them, or what matches patterns.

    Nobody sees a file under its final name before it is complete. A retry fetches only what is missing, and resumes
    in the middle of a file.

    :param source: path on Quatrix of a file or folder, or a pattern such as ``/inbox/**/*.csv``; one or several, also
        as earlier results (templated).
    :param target: local path. For a single file, it is the new path itself, unless it ends in a slash or is a folder.
        Otherwise, it is the folder for the files, which keep their names; the content of a folder keeps its structure
        (templated).
    :param if_exists: what to do if the file's name is taken: ``fail`` (default), ``skip``, ``overwrite``, ``rename``,
        which stores the new one as ``name(1).csv``, or ``update``, which skips what has the same size and modification
        time and overwrites the rest.
    :param create_parents: make missing folders of the target. Those below it are always made.
    :param transfers: files at a time, from 1 to 64; default 4.
    :param checksum: digest of the local bytes in the result: an algorithm of hashlib, or ``None`` for none, so that
        nothing is read twice; default ``sha256``.
    :param bandwidth: the most bytes per second, for all files of the task together; default no limit.
    :param delete_source: once all files have arrived, move those on Quatrix to the Trash that have not changed since
        they were read.
    :param delete_extra: make the target a mirror of the folder ``source``: once all files have arrived, delete what the
        source lacks. Only with ``if_exists`` ``update`` or ``overwrite``.
    :param dry_run: fetch and delete nothing, only report what would happen.
    :param include: and ``exclude``, ``newer_than``, ``older_than``, ``min_size``, ``max_size``: which files, as in
        :class:`QuatrixUploadOperator` (templated).
    :param missing_ok: and ``keep_structure``, ``on_error``, ``glob``, ``results``, ``quatrix_conn_id``: as in
        :class:`QuatrixUploadOperator`.
    :return: as in :class:`QuatrixUploadOperator`; ``path`` is local, ``id`` the file's on Quatrix.
    """

    _linked = "source"

    def __init__(self, **kwargs: Unpack[MirroringArguments]) -> None:
        super().__init__(**kwargs)

    def _run(self, hook: QuatrixHook, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        results = hook.download(
            self._sources(context),
            self.target,
            if_exists=self.if_exists,
            create_parents=self.create_parents,
            glob=self._globs,
            **self._selection(),
            **self._how(),
        )
        return self._xcom_of(results, context)


class _BulkMoveOperator(QuatrixTargetOperator, QuatrixPlacingOperator):
    """Base of the operators that move or copy on Quatrix."""

    template_fields: Sequence[str] = (*QuatrixTargetOperator.template_fields, *PLACING)
    # The hook's method.
    _call = ""

    def _run(self, hook: QuatrixHook, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        results = getattr(hook, self._call)(
            self._sources(context),
            self.target,
            if_exists=self.if_exists,
            create_parents=self.create_parents,
            glob=self._globs,
            **self._selection(),
        )
        return self._shown(_plain(results), single=results.single)


class QuatrixMoveOperator(_BulkMoveOperator):
    """Moves or renames files and folders on Quatrix, or the files that match patterns.

    :param source: path of a file or folder, or a pattern of files; one or several, also as earlier results (templated).
    :param target: the new path of a single object, unless it ends in a slash; otherwise the folder for the objects,
        which keep their names (templated).
    :param if_exists: what to do if the object's name is taken: ``fail`` (default), ``skip``, ``overwrite`` (files
        only), or ``rename``, which makes it ``name(1).csv``.
    :param create_parents: make missing folders of the target.
    :param include: and ``exclude``, ``newer_than``, ``older_than``, ``min_size``, ``max_size``: which files, as in
        :class:`QuatrixUploadOperator`. With a filter, a folder stands for the files below it, which keep their
        structure; the folder itself stays (templated).
    :param missing_ok: and ``keep_structure``, ``on_error``, ``glob``, ``results``, ``quatrix_conn_id``: as in
        :class:`QuatrixUploadOperator`.
    :return: ``{"path", "id", "size", "skipped"}`` for a single object, where ``path`` is the new one; a list of these
        for a pattern or a list; a summary as in :class:`QuatrixUploadOperator`.
    """

    _call = "move_many"

    def __init__(self, **kwargs: Unpack[BulkMoveArguments]) -> None:
        super().__init__(**kwargs)


class QuatrixCopyOperator(_BulkMoveOperator):
    """Copies files and folders on Quatrix, or the files that match patterns; no byte passes through the worker.

    Its parameters and its result are those of :class:`QuatrixMoveOperator`. Files keep their modification times.
    """

    _call = "copy_many"

    def __init__(self, **kwargs: Unpack[BulkMoveArguments]) -> None:
        super().__init__(**kwargs)


class QuatrixListOperator(QuatrixPathOperator, QuatrixResultsOperator, QuatrixSelectingOperator):
    """Lists folders, or the files that match patterns. Unfinished uploads of this package are left out.

    :param path: path of a folder, or a pattern such as ``/inbox/**/*.csv``; one or several, also as earlier results;
        default the home folder (templated).
    :param recursive: include subfolders, but not the Trash's content; a pattern does the same with ``**``.
    :param include: and ``exclude``, ``newer_than``, ``older_than``, ``min_size``, ``max_size``: which files, as in
        :class:`QuatrixUploadOperator`. With a filter, folders are left out (templated).
    :param missing_ok: a folder that is missing is fine (templated).
    :param glob: whether text is a pattern; default: if the DAG's author wrote wildcards into it.
    :param results: ``all``, ``summary``, or ``auto`` (default): a summary of more than 1,000 files.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :return: ``[{"path", "id", "kind", "size", "modified"}]``, sorted by path. ``kind`` is ``file`` or ``folder``;
        ``size`` is in bytes, or for a folder the number of its entries; ``modified`` is ISO 8601 in UTC. A summary is
        as in :class:`QuatrixUploadOperator`.
    """

    template_fields: Sequence[str] = (*QuatrixPathOperator.template_fields, "recursive", "results", *SELECTION)

    def __init__(self, *, path: Paths = "/", recursive: bool | str = False, **kwargs: Unpack[ListingArguments]) -> None:
        super().__init__(path=path, **kwargs)
        self.recursive = self._flag("recursive", recursive)

    def _run(self, hook: QuatrixHook, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        from airflow_provider_quatrix.transfer.temporary import is_temporary

        found = hook.list_files(self._sources(context), recursive=self.recursive, glob=self._globs, **self._selection())
        shown = [
            dict(entry)
            for entry in sorted(found, key=lambda entry: entry.path)
            if not is_temporary(entry.path.rpartition("/")[2])
        ]
        return self._shown(shown, single=False)


class QuatrixMakeDirectoryOperator(QuatrixFileOperator):
    """Makes a folder.

    :param path: its path, also as an earlier result (templated).
    :param create_parents: make missing folders above it.
    :param exist_ok: a folder that exists is fine; default ``True``.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :return: ``{"path", "id"}``.
    """

    template_fields: Sequence[str] = ("quatrix_conn_id", "path", "create_parents", "exist_ok")

    def __init__(
        self,
        *,
        path: Path,
        create_parents: bool | str = False,
        exist_ok: bool | str = True,
        **kwargs: Unpack[QuatrixArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self._check_paths(path=path)
        self.create_parents = self._flag("create_parents", create_parents)
        self.exist_ok = self._flag("exist_ok", exist_ok)

    def _run(self, hook: QuatrixHook, context: Context) -> dict[str, Any]:
        from airflow_provider_quatrix.api.paths import join, split
        from airflow_provider_quatrix.transfer.sources import path_of

        path = join(split(path_of(self.path, "path")))
        folder_id = hook.make_directory(path, create_parents=self.create_parents, exist_ok=self.exist_ok)
        return {"path": path, "id": folder_id}


class QuatrixDeleteOperator(QuatrixPathOperator, QuatrixSelectingOperator):
    """Deletes files, folders with everything in them, or the files that match patterns.

    :param path: path of a file or folder, or a pattern of files; one or several, also as earlier results (templated).
    :param permanently: do not keep them in the Trash.
    :param missing_ok: a path that does not exist, or a pattern that matches nothing, is fine. Without it, nothing is
        deleted if one of several paths is missing.
    :param include: and ``exclude``, ``newer_than``, ``older_than``, ``min_size``, ``max_size``: which files, as in
        :class:`QuatrixUploadOperator`. With a filter, a folder stands for the files below it, and stays itself
        (templated).
    :param glob: whether text is a pattern; default: if the DAG's author wrote wildcards into it.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :return: how many objects were deleted; a folder counts as one.
    """

    template_fields: Sequence[str] = (*QuatrixPathOperator.template_fields, "permanently", *SELECTION)

    def __init__(self, *, permanently: bool | str = False, **kwargs: Unpack[DeletingArguments]) -> None:
        super().__init__(**kwargs)
        self.permanently = self._flag("permanently", permanently)

    def _run(self, hook: QuatrixHook, context: Context) -> int:
        return hook.delete(
            self._sources(context),
            permanently=self.permanently,
            glob=self._globs,
            **self._selection(),
        )


def _plain(results: MoveResults) -> list[dict[str, Any]]:
    return [
        {"path": result.path, "id": result.id, "size": result.size, "skipped": result.skipped} for result in results
    ]
