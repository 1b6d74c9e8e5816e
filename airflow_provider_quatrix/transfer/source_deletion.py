"""Deletes the sources of a transfer that have arrived."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import QuatrixNotFound
from airflow_provider_quatrix.api.paths import join, split
from airflow_provider_quatrix.api.stopping import check_stopped
from airflow_provider_quatrix.api.versions import Version
from airflow_provider_quatrix.transfer.error_context import doing
from airflow_provider_quatrix.transfer.remote_files import LIST_FROM

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_quatrix.api.files import FilesApi
    from airflow_provider_quatrix.api.models import RemoteFile
    from airflow_provider_quatrix.transfer.mirror import Names
    from airflow_provider_quatrix.transfer.plans import DownloadJob, UploadJob

log = logging.getLogger(__name__)
# So many files per step. A step is not interrupted, and takes some calls for each file.
_AT_ONCE = 50


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
