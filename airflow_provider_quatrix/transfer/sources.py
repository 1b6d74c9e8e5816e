"""The sources that a transfer deletes: what is stored of them for a retry, and how they are deleted."""

from __future__ import annotations

import base64
import json
import logging
import os
import zlib
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.errors import QuatrixNotFound
from airflow_provider_quatrix.api.models import FileKind, RemoteFile
from airflow_provider_quatrix.api.paths import join, split
from airflow_provider_quatrix.api.stopping import check_stopped
from airflow_provider_quatrix.api.versions import Version
from airflow_provider_quatrix.transfer.error_context import doing
from airflow_provider_quatrix.transfer.patterns import Source, Sources
from airflow_provider_quatrix.transfer.planning import (
    LIST_FROM,
    DownloadJob,
    DownloadPlan,
    Lookup,
    UploadJob,
    UploadPlan,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_quatrix.api.files import FilesApi
    from airflow_provider_quatrix.transfer.mirror import Names
    from airflow_provider_quatrix.transfer.tree import RemoteTree

log = logging.getLogger(__name__)

# So many files per step. A step is not interrupted, and takes some calls for each file.
_AT_ONCE = 50


def dump_upload(plan: UploadPlan) -> str:
    """Return a plan as text, for a retry, which will find some of its sources deleted."""
    jobs = [[str(job.source), job.names, job.version.size, job.version.modified] for job in plan.jobs]
    return _packed({"base": plan.base, "folders": plan.folders, "single": plan.single, "jobs": jobs})


def load_upload(text: str | None) -> UploadPlan | None:
    """Return the plan of an earlier try.

    :param text: from :func:`dump_upload`; ``None`` if there is none.
    """
    kept = _unpacked(text)
    if kept is None:
        return None
    base = split(kept["base"])
    jobs = tuple(
        UploadJob(Path(source), join((*base, *names)), tuple(names), Version(size, modified))
        for source, names, size, modified in kept["jobs"]
    )
    gone = frozenset(job.names for job in jobs if not os.path.lexists(job.source))
    return UploadPlan(jobs, _places(kept["folders"]), kept["single"], kept["base"], gone=gone, again=True)


def dump_download(plan: DownloadPlan) -> str:
    """Return a plan as text, as :func:`dump_upload` does."""
    jobs = [
        [job.source, job.names, job.remote.id, job.remote.parent_id, job.remote.size, job.remote.modified]
        for job in plan.jobs
    ]
    return _packed(
        {
            "base": str(plan.base),
            "folders": plan.folders,
            "single": plan.single,
            "left_out": plan.left_out,
            "jobs": jobs,
        }
    )


def load_download(text: str | None, tree: RemoteTree) -> DownloadPlan | None:
    """Return the plan of an earlier try.

    :param text: from :func:`dump_download`; ``None`` if there is none.
    :param tree: knows which of the sources are there.
    """
    kept = _unpacked(text)
    if kept is None:
        return None
    base = Path(kept["base"])
    jobs = tuple(
        DownloadJob(
            RemoteFile(file_id, parent_id, split(source)[-1], FileKind.FILE, size, modified, 0.0),
            base.joinpath(*names),
            tuple(names),
            source,
        )
        for source, names, file_id, parent_id, size, modified in kept["jobs"]
    )
    lookup = Lookup(tree, Sources(tuple(Source(job.source) for job in jobs)))
    gone = frozenset(job.names for job in jobs if (lookup.find(Source(job.source)) or ("",))[0] != job.remote.id)
    left_out = tuple(kept["left_out"])
    return DownloadPlan(jobs, _places(kept["folders"]), kept["single"], base, left_out, gone=gone, again=True)


def _places(folders: Iterable[Sequence[str]]) -> tuple[Names, ...]:
    return tuple(tuple(names) for names in folders)


def _packed(kept: dict[str, Any]) -> str:
    # Paths repeat a lot.
    return base64.b85encode(zlib.compress(json.dumps(kept).encode())).decode()


def _unpacked(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(zlib.decompress(base64.b85decode(text)))


def delete_local(arrived: Iterable[tuple[UploadJob, Version]]) -> set[Names]:
    """Delete local files that have been uploaded, unless they have changed since then.

    :param arrived: with the versions that were uploaded.
    :return: the names of those that are gone.
    """
    gone = set()
    for job, version in arrived:
        check_stopped()
        with doing("Deleting the uploaded", str(job.source)):
            try:
                if not Version.of_local(job.source.stat()).is_same(version):
                    log.warning("%s is not deleted: it has changed since it was uploaded", job.source)
                    continue
                job.source.unlink()
            except FileNotFoundError:
                pass
        gone.add(job.names)
    return gone


def delete_remote(files: FilesApi, arrived: Iterable[tuple[DownloadJob, Version]]) -> set[Names]:
    """Move files that have been downloaded to the Trash, unless they have changed since then.

    :param arrived: with the versions that were downloaded.
    :return: the names of those that are gone.
    """
    by_folder: dict[str, list[tuple[DownloadJob, Version]]] = defaultdict(list)
    for job, version in arrived:
        by_folder[job.remote.parent_id].append((job, version))
    gone: set[Names] = set()
    for folder_id, jobs in by_folder.items():
        with doing("Deleting the downloaded files in", join(split(jobs[0][0].source)[:-1])):
            there = _there(files, folder_id, [job.remote.id for job, _ in jobs])
            unchanged = []
            for job, version in jobs:
                now = there.get(job.remote.id)
                if now is not None and not now.version.is_same(version):
                    log.warning("%s is not deleted: it has changed since it was downloaded", job.source)
                    continue
                gone.add(job.names)
                if now is not None:
                    unchanged.append(now.id)
            for start in range(0, len(unchanged), _AT_ONCE):
                check_stopped()
                files.delete(unchanged[start : start + _AT_ONCE])
    return gone


def _there(files: FilesApi, folder_id: str, ids: Sequence[str]) -> dict[str, RemoteFile]:
    """Return which files of a folder are still there."""
    if len(ids) >= LIST_FROM:
        return {entry.id: entry for entry in files.children(folder_id)}
    there = {}
    for file_id in ids:
        try:
            now = files.stat(file_id)
        except QuatrixNotFound:
            continue
        if now.parent_id == folder_id:
            there[file_id] = now
    return there
