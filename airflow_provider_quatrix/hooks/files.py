"""The hook's file calls: paths in, ids inside."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.download import Downloader
from airflow_provider_quatrix.api.errors import QuatrixConflict
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.paths import join, split
from airflow_provider_quatrix.api.tree import RemoteTree
from airflow_provider_quatrix.api.upload import Uploader
from airflow_provider_quatrix.hooks.planning import (
    DownloadJob,
    UploadJob,
    find_matching,
    has_wildcards,
    plan_download,
    plan_upload,
)
from airflow_provider_quatrix.hooks.relocation import Relocated, Relocator
from airflow_provider_quatrix.hooks.transfers import TransferLog, Transfers, run_all
from airflow_provider_quatrix.hooks.watching import FolderWatch, Watched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_quatrix.api.client import QuatrixClient
    from airflow_provider_quatrix.api.models import ApiKey, Found, Quota, RemoteFile
    from airflow_provider_quatrix.api.transfer import Notes, Transferred

DEFAULT_TRANSFERS = 4


class FileCalls:
    """File calls by path; a part of the hook."""

    client: QuatrixClient

    def notes(self, name: str) -> Notes:
        """Return the place for notes of an unfinished transfer.

        :param name: tells transfers apart.
        """
        raise NotImplementedError

    def tree(self) -> RemoteTree:
        """Return the file tree, for one operation: it remembers the folders it has seen."""
        return RemoteTree(self.client.files)

    def list_files(self, path: str = "/", *, recursive: bool = False) -> list[Found]:
        """Return what a folder holds, or the files that match a pattern.

        :param path: path of a folder, or a pattern such as ``/inbox/**/*.csv``.
        :param recursive: also what is in its folders; the Trash is left out.
        :return: files and folders with their paths.
        :raises QuatrixNotFound: there is no such folder.
        """
        tree = self.tree()
        if has_wildcards(path):
            return find_matching(tree, path)
        return list(tree.walk(path, recursive=recursive))

    def stat(self, path: str) -> RemoteFile:
        """Return the metadata of a file or folder.

        :param path: from the home folder.
        :raises QuatrixNotFound: there is nothing.
        """
        return self.tree().stat(path)

    def exists(self, path: str) -> bool:
        """Tell whether there is a file or folder at a path."""
        return self.tree().find(path) is not None

    def make_directory(
        self, path: str, *, parents: bool = False, exist_ok: bool = True, owner: str = "", further_try: bool = False
    ) -> str:
        """Make a folder.

        :param path: from the home folder.
        :param parents: make missing folders above it.
        :param exist_ok: an existing folder is fine.
        :param owner: who makes it, the same in every try; a folder that an earlier try made is fine.
        :param further_try: an earlier try may have made it.
        :return: its id.
        :raises QuatrixConflict: a file is there, or a folder and that is not fine.
        :raises QuatrixNotFound: the folder above is missing.
        """
        tree, names = self.tree(), split(path)
        notes = None if exist_ok or not owner else self.notes(f"make\0{owner}\0{path}")
        begun = further_try and notes is not None and notes.read() is not None
        found = tree.find(path)
        if found is not None and not exist_ok and not begun:
            raise QuatrixConflict(400, None, f"{join(names)!r} exists")
        if found is None:
            tree.folder_id(join(names[:-1]), create=parents)
            if notes is not None:
                notes.write("begun")
        made = tree.folder_id(path, create=True)
        if notes is not None:
            notes.delete()
        return made

    def move(self, source: str, target: str, *, if_exists: str = "fail", create_parents: bool = False) -> Found | None:
        """Move or rename a file or folder.

        :param source: path of what to move.
        :param target: its new path.
        :param if_exists: ``fail``, ``skip``, ``overwrite`` (files only) or ``rename``.
        :param create_parents: make missing folders of the target.
        :return: the moved object; ``None`` if it was skipped.
        """
        return self.tree().move(source, target, if_exists=IfExists.parse(if_exists), create_parents=create_parents)

    def copy(self, source: str, target: str, *, if_exists: str = "fail", create_parents: bool = False) -> Found | None:
        """Copy a file or folder on the server; parameters as for :meth:`move`."""
        return self.tree().copy(source, target, if_exists=IfExists.parse(if_exists), create_parents=create_parents)

    def move_many(
        self,
        sources: str | Sequence[str],
        target: str,
        *,
        if_exists: str = "fail",
        create_parents: bool = False,
        owner: str = "",
        further_try: bool = False,
    ) -> list[Relocated]:
        """Move files and folders, or the files that match patterns.

        :param sources: paths or patterns.
        :param target: path of the object itself for a single one given as text, unless it ends in a slash; else of
            the folder that gets them.
        :param if_exists: ``fail``, ``skip``, ``overwrite`` (files only) or ``rename``.
        :param create_parents: make missing folders of the target.
        :param owner: who moves, the same in every try; what a try has done is not done again.
        :param further_try: an earlier try may have done a part.
        :return: one result per object.
        """
        relocator = self._relocator("move", [owner, target, *_listed(sources)], further_try=further_try)
        return relocator.move(
            _listed(sources), _place(sources, target), IfExists.parse(if_exists), create_parents=create_parents
        )

    def copy_many(
        self,
        sources: str | Sequence[str],
        target: str,
        *,
        if_exists: str = "fail",
        create_parents: bool = False,
        owner: str = "",
        further_try: bool = False,
    ) -> list[Relocated]:
        """Copy files and folders on the server; parameters as for :meth:`move_many`. Files keep their times."""
        relocator = self._relocator("copy", [owner, target, *_listed(sources)], further_try=further_try)
        return relocator.copy(
            _listed(sources), _place(sources, target), IfExists.parse(if_exists), create_parents=create_parents
        )

    def delete(
        self,
        paths: str | Sequence[str],
        *,
        permanently: bool = False,
        missing_ok: bool = False,
        owner: str = "",
        further_try: bool = False,
    ) -> int:
        """Delete files and folders with all they hold.

        :param paths: paths, or patterns of files.
        :param permanently: do not keep them in the Trash.
        :param missing_ok: a path where nothing is, or a pattern that matches nothing, is fine.
        :param owner: who deletes, the same in every try; what a try has deleted is fine for the next.
        :param further_try: an earlier try may have deleted a part.
        :return: how many objects were deleted.
        """
        relocator = self._relocator("delete", [owner, *_listed(paths)], further_try=further_try)
        return relocator.delete(_listed(paths), permanently=permanently, missing_ok=missing_ok)

    def _relocator(self, what: str, parts: Sequence[str], *, further_try: bool) -> Relocator:
        notes = self.notes("\0".join((what, *parts))) if parts[0] else None
        return Relocator(self.tree(), notes=notes, further_try=further_try)

    def watch(self, path: str) -> FolderWatch:
        """Return what looks for files at a path or pattern, again and again, at one listing per look and folder.

        :param path: path of a file, or a pattern such as ``/inbox/*.csv`` or ``/inbox/**/*.csv``.
        """
        watched = Watched.of(path)
        return FolderWatch(self.client.files, watched.folder, watched.depth)

    def set_modified(self, path: str, modified: float) -> RemoteFile:
        """Set a file's modification time.

        :param path: from the home folder.
        :param modified: Unix time, kept to the microsecond.
        """
        return self.client.files.set_modified(self.stat(path).id, modified)

    def search(self, name: str) -> tuple[RemoteFile, ...]:
        """Find files and folders by a part of their name, wherever the service looks."""
        return self.client.files.search(name)

    def quota(self) -> Quota:
        """Return used and allowed storage in bytes."""
        return self.client.profile_info()

    def api_keys(self) -> tuple[ApiKey, ...]:
        """Return the API keys of all users that this one manages, without the keys themselves."""
        return self.client.files.api_keys()

    def upload(
        self,
        sources: str | Sequence[str],
        target: str,
        *,
        if_exists: str = "fail",
        create_parents: bool = False,
        transfers: int = DEFAULT_TRANSFERS,
        owner: str = "",
        further_try: bool = False,
    ) -> Transfers:
        """Upload files, folders or what matches patterns.

        :param sources: local paths or patterns.
        :param target: path on Quatrix: of the file itself for a single file given as text, unless it ends in a slash;
            else of the folder that gets them.
        :param if_exists: ``fail``, ``skip``, ``overwrite`` or ``rename``.
        :param create_parents: make missing folders on Quatrix. Those below ``target`` are always made.
        :param transfers: files at a time.
        :param owner: who uploads, the same in every try; a further try goes on where the last one stopped.
        :param further_try: files that an earlier try finished are taken for done.
        :return: one result per file, in the order of the plan.
        """
        mode = IfExists.parse(if_exists)
        target = _place(sources, target)
        plan = plan_upload(_listed(sources), target)
        tree = self.tree()
        if not plan.single:
            tree.folder_id(target, create=create_parents)
        for folder in plan.folders:
            tree.folder_id(folder, create=True)
        progress = TransferLog(sum(job.source.stat().st_size for job in plan.jobs))
        uploader = Uploader(
            tree, owner=owner, further_try=further_try, many=len(plan.jobs) > 1, progress=progress.moved
        )

        def run(job: UploadJob) -> Transferred:
            return uploader.upload(
                job.source,
                job.target,
                if_exists=mode,
                create_parents=create_parents or not plan.single,
                notes=self.notes(f"{owner}\0{job.target}") if owner else None,
            )

        return Transfers.of(run_all(plan.jobs, run, transfers), single=plan.single)

    def download(
        self,
        sources: str | Sequence[str],
        target: str | os.PathLike[str],
        *,
        if_exists: str = "fail",
        create_parents: bool = False,
        transfers: int = DEFAULT_TRANSFERS,
        further_try: bool = False,
    ) -> Transfers:
        """Download files, folders or what matches patterns.

        :param sources: paths on Quatrix or patterns.
        :param target: local path: of the file itself for a single file given as text, unless it ends in a slash or
            is a folder; else of the folder that gets them.
        :param if_exists: ``fail``, ``skip``, ``overwrite`` or ``rename``.
        :param create_parents: make missing local folders. Those below ``target`` are always made.
        :param transfers: files at a time.
        :param further_try: files that an earlier try finished are taken for done.
        :return: one result per file, in the order of the plan.
        """
        mode = IfExists.parse(if_exists)
        place = _place(sources, target)
        plan = plan_download(self.tree(), _listed(sources), place)
        base = Path(place).parent if plan.single and not place.endswith("/") else Path(place)
        if create_parents:
            base.mkdir(parents=True, exist_ok=True)
        elif not base.is_dir():
            raise FileNotFoundError(f"There is no local folder {str(base)!r}: make it, or set create_parents")
        for folder in dict.fromkeys((*plan.folders, *(job.target.parent for job in plan.jobs))):
            folder.mkdir(parents=True, exist_ok=True)
        progress = TransferLog(sum(job.remote.size for job in plan.jobs))
        downloader = Downloader(self.client.files, further_try=further_try, progress=progress.moved)

        def run(job: DownloadJob) -> Transferred:
            return downloader.download(job.remote, job.target, if_exists=mode)

        return Transfers.of(run_all(plan.jobs, run, transfers), single=plan.single)


def note_name(*parts: str) -> str:
    """Return a short name for the notes of a transfer; the parts may be long and hold anything."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _place(sources: Any, target: str | os.PathLike[str]) -> str:
    """Return the target; a list goes into a folder, however many it holds."""
    place = os.fspath(target)
    return place if isinstance(sources, str | os.PathLike) or place.endswith("/") else f"{place}/"


def _listed(paths: Any) -> list[str]:
    if isinstance(paths, str | os.PathLike):
        return [os.fspath(paths)]
    return [os.fspath(path) for path in paths]
