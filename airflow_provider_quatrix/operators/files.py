"""Operators that move files between workers and Quatrix, and about on Quatrix."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_quatrix.api.models import RemoteFile
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
    from airflow_provider_quatrix.hooks.relocation import Relocated
    from airflow_provider_quatrix.hooks.transfers import Transfers

DEFAULT_CONN_ID = "quatrix_default"
MODES = ("fail", "skip", "overwrite", "rename")


class _QuatrixFileOperator(BaseOperator):
    """Base of the file operators.

    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    """

    template_fields: Sequence[str] = ("quatrix_conn_id",)
    ui_color = "#dbe9f4"

    def __init__(self, *, quatrix_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.quatrix_conn_id = quatrix_conn_id

    @property
    def hook(self) -> QuatrixHook:
        """A hook for the connection."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        return QuatrixHook(self.quatrix_conn_id)

    def execute(self, context: Context) -> Any:
        """Do the work; a failure becomes one line, and final where another try cannot help."""
        from airflow_provider_quatrix.hooks.failures import told_to_airflow

        with told_to_airflow(self.quatrix_conn_id):
            return self._run(context)

    def _run(self, context: Context) -> Any:
        raise NotImplementedError


class _QuatrixTransferOperator(_QuatrixFileOperator):
    """Base of the operators with a source and a target.

    :param source: one path or pattern, or several (templated).
    :param target: where to (templated).
    :param if_exists: what to do if the wanted name is taken: ``fail``, ``skip``, ``overwrite`` or ``rename``.
    :param create_parents: make missing folders of the target.
    """

    template_fields: Sequence[str] = ("quatrix_conn_id", "source", "target")

    def __init__(
        self,
        *,
        source: str | PathLike[str] | Sequence[str | PathLike[str]],
        target: str | PathLike[str],
        if_exists: str = "fail",
        create_parents: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if if_exists not in MODES:
            raise ValueError(f"if_exists is {if_exists!r}: give one of {', '.join(map(repr, MODES))}")
        self.source = source
        self.target = target
        self.if_exists = if_exists
        self.create_parents = create_parents
        _check_now(source=source, target=target)

    def _places(self) -> tuple[str | list[str], str]:
        return _paths("source", self.source), _path("target", self.target)


class QuatrixUploadOperator(_QuatrixTransferOperator):
    """Uploads files, folders with all they hold, or what matches patterns.

    Nobody sees a file under its final name before it is whole. Another try of the task sends only what is missing, and
    goes on in the middle of a large file.

    :param source: local path of a file or folder, or a pattern such as ``/data/**/*.csv``; one or several (templated).
    :param target: path on Quatrix: of the file itself for a single file given as text, unless it ends in a slash; else
        of the folder that gets the files by their names, and a folder's content by its place in it (templated).
    :param if_exists: what to do if a file of the wanted name exists: ``fail`` (default), ``skip``, ``overwrite``, or
        ``rename``, which stores the new one as ``name(1).csv``.
    :param create_parents: make missing folders of the target. Those below it are always made.
    :param transfers: files at a time, from 1 to 64; default 4.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :return: ``{"path", "id", "size", "sha256", "seconds", "skipped"}`` of a single file; a list of these of a folder, a
        pattern or a list. ``sha256`` is of the bytes read here, empty for what was skipped.
    """

    def __init__(self, *, transfers: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.transfers = _transfers(transfers)

    def _run(self, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        source, target = self._places()
        results = self.hook.upload(
            source,
            target,
            if_exists=self.if_exists,
            create_parents=self.create_parents,
            transfers=self.transfers,
            **_who(context),
        )
        return _transferred(results, self.source)


class QuatrixDownloadOperator(_QuatrixTransferOperator):
    """Downloads files, folders with all they hold, or what matches patterns.

    Nobody sees a file under its final name before it is whole. Another try of the task fetches only what is missing,
    and goes on in the middle of a file.

    :param source: path on Quatrix of a file or folder, or a pattern such as ``/inbox/**/*.csv``; one or several
        (templated).
    :param target: local path: of the file itself for a single file given as text, unless it ends in a slash or is a
        folder; else of the folder that gets the files by their names, and a folder's content by its place in it
        (templated).
    :param if_exists: what to do if a file of the wanted name exists: ``fail`` (default), ``skip``, ``overwrite``, or
        ``rename``, which stores the new one as ``name(1).csv``.
    :param create_parents: make missing folders of the target. Those below it are always made.
    :param transfers: files at a time, from 1 to 64; default 4.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :return: as of :class:`QuatrixUploadOperator`; ``path`` is local, ``id`` the file's on Quatrix.
    """

    def __init__(self, *, transfers: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.transfers = _transfers(transfers)

    def _run(self, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        source, target = self._places()
        results = self.hook.download(
            source,
            target,
            if_exists=self.if_exists,
            create_parents=self.create_parents,
            transfers=self.transfers,
            further_try=_who(context)["further_try"],
        )
        return _transferred(results, self.source)


class QuatrixMoveOperator(_QuatrixTransferOperator):
    """Moves or renames files and folders on Quatrix, or the files that match patterns.

    :param source: path of a file or folder, or a pattern of files; one or several (templated).
    :param target: path of the object itself for a single one given as text, unless it ends in a slash; else of the
        folder that gets the objects by their names (templated).
    :param if_exists: what to do if an object of the wanted name exists: ``fail`` (default), ``skip``, ``overwrite``
        (files only), or ``rename``, which makes it ``name(1).csv``.
    :param create_parents: make missing folders of the target.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :return: ``{"path", "id", "size", "skipped"}`` of a single object, with the path that it has now; a list of these of
        a pattern or a list.
    """

    def _run(self, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        source, target = self._places()
        results = self.hook.move_many(
            source, target, if_exists=self.if_exists, create_parents=self.create_parents, **_who(context)
        )
        return _relocated(results, self.source)


class QuatrixCopyOperator(_QuatrixTransferOperator):
    """Copies files and folders on Quatrix, or the files that match patterns; no byte passes through the worker.

    :param source: path of a file or folder, or a pattern of files; one or several (templated).
    :param target: path of the copy itself for a single object given as text, unless it ends in a slash; else of the
        folder that gets the copies by their names (templated).
    :param if_exists: what to do if an object of the wanted name exists: ``fail`` (default), ``skip``, ``overwrite``
        (files only), or ``rename``, which makes the copy ``name(1).csv``.
    :param create_parents: make missing folders of the target.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :return: as of :class:`QuatrixMoveOperator`.
    """

    def _run(self, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        source, target = self._places()
        results = self.hook.copy_many(
            source, target, if_exists=self.if_exists, create_parents=self.create_parents, **_who(context)
        )
        return _relocated(results, self.source)


class _QuatrixPathOperator(_QuatrixFileOperator):
    """Base of the operators with one place.

    :param path: path on Quatrix (templated).
    """

    template_fields: Sequence[str] = ("quatrix_conn_id", "path")

    def __init__(self, *, path: str | Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path = path
        _check_now(path=path)


class QuatrixListOperator(_QuatrixPathOperator):
    """Lists a folder, or the files that match a pattern. Unfinished uploads of this package are left out.

    :param path: path of a folder, or a pattern such as ``/inbox/**/*.csv``; default the home folder (templated).
    :param recursive: also what is in the folder's folders, the Trash left out; a pattern says it by ``**``.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :return: ``[{"path", "id", "kind", "size", "modified"}]``, sorted by path. ``kind`` is ``file`` or ``folder``;
        ``size`` is in bytes, of a folder the number of its entries; ``modified`` is ISO 8601 in UTC.
    """

    def __init__(self, *, path: str = "/", recursive: bool = False, **kwargs: Any) -> None:
        super().__init__(path=path, **kwargs)
        self.recursive = recursive

    def _run(self, context: Context) -> list[dict[str, Any]]:
        from airflow_provider_quatrix.api.transfer import is_temporary

        found = self.hook.list_files(_path("path", self.path), recursive=self.recursive)
        return [
            {"path": entry.path, "kind": "folder" if entry.file.kind.is_folder else "file", **_described(entry.file)}
            for entry in sorted(found, key=lambda entry: entry.path)
            if not is_temporary(entry.file.name)
        ]


class QuatrixMakeDirectoryOperator(_QuatrixPathOperator):
    """Makes a folder.

    :param path: its path (templated).
    :param create_parents: make missing folders above it.
    :param exist_ok: a folder that exists is fine; default ``True``.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :return: ``{"path", "id"}``.
    """

    def __init__(self, *, create_parents: bool = False, exist_ok: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.create_parents = create_parents
        self.exist_ok = exist_ok

    def _run(self, context: Context) -> dict[str, Any]:
        from airflow_provider_quatrix.api.paths import join, split

        path = join(split(_path("path", self.path)))
        folder_id = self.hook.make_directory(path, parents=self.create_parents, exist_ok=self.exist_ok, **_who(context))
        return {"path": path, "id": folder_id}


class QuatrixDeleteOperator(_QuatrixPathOperator):
    """Deletes files and folders with all they hold, or the files that match patterns.

    :param path: path of a file or folder, or a pattern of files; one or several (templated).
    :param permanently: do not keep them in the Trash.
    :param missing_ok: a path where nothing is, or a pattern that matches nothing, is fine. Otherwise nothing is
        deleted if one of several is missing.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :return: how many objects were deleted; a folder counts as one.
    """

    def __init__(self, *, permanently: bool = False, missing_ok: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.permanently = permanently
        self.missing_ok = missing_ok

    def _run(self, context: Context) -> int:
        return self.hook.delete(
            _paths("path", self.path), permanently=self.permanently, missing_ok=self.missing_ok, **_who(context)
        )


def _who(context: Context) -> dict[str, Any]:
    """Return who works, the same in every try of a task instance, and whether this is a further try."""
    ti = context["ti"]
    return {
        "owner": "\0".join((ti.dag_id, ti.task_id, ti.run_id, str(ti.map_index))),
        "further_try": ti.try_number > 1,
    }


def _transferred(results: Transfers, source: object) -> dict[str, Any] | list[dict[str, Any]]:
    shown = [
        {
            "path": result.path,
            "id": result.id,
            "size": result.size,
            "sha256": result.sha256,
            "seconds": round(result.seconds, 3),
            "skipped": result.skipped,
        }
        for result in results
    ]
    return shown[0] if results.single and not _is_list(source) else shown


def _relocated(results: Iterable[Relocated], source: object) -> dict[str, Any] | list[dict[str, Any]]:
    from airflow_provider_quatrix.hooks.planning import has_wildcards

    shown = [
        {"path": result.path, "id": result.file.id, "size": result.file.size, "skipped": result.skipped}
        for result in results
    ]
    return shown if _is_list(source) or has_wildcards(str(source)) else shown[0]


def _described(file: RemoteFile) -> dict[str, Any]:
    return {"id": file.id, "size": file.size, "modified": datetime.fromtimestamp(file.modified, UTC).isoformat()}


def _check_now(**values: object) -> None:
    """Check arguments while the DAG is parsed, as far as they are known then.

    :raises ValueError: one is empty.
    """
    for name, value in values.items():
        if value is None or value in ("", [], ()):
            raise ValueError(_nothing(name))


def _is_list(value: object) -> bool:
    return not isinstance(value, str | PathLike)


def _paths(name: str, value: object) -> str | list[str]:
    """Return a rendered argument as a path or a list of paths.

    :raises AirflowFailException: it holds none.
    """
    if not isinstance(value, Iterable) or not _is_list(value):
        return _path(name, value)
    paths = [_path(name, path) for path in value]
    if not paths:
        raise AirflowFailException(_nothing(name))
    return paths


def _path(name: str, value: object) -> str:
    """Return a rendered argument as a path.

    :raises AirflowFailException: it is none.
    """
    if not isinstance(value, str | PathLike):
        raise AirflowFailException(f"{name} is {value!r}: give a path as text")
    path: str = fspath(value)
    if not path:
        raise AirflowFailException(_nothing(name))
    return path


def _nothing(name: str) -> str:
    return f"{name} is empty: give a path"


def _transfers(value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 64:
        raise ValueError(f"transfers is {value!r}: give a whole number from 1 to 64")
    return value
