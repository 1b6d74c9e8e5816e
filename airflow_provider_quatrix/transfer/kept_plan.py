"""Keeps the plan of a transfer that deletes its sources: a retry, which finds some of them gone, uses it again."""

from __future__ import annotations

import base64
import json
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_quatrix.api.models import FileKind, RemoteFile
from airflow_provider_quatrix.api.paths import join, split
from airflow_provider_quatrix.api.versions import Version
from airflow_provider_quatrix.transfer.plans import DownloadJob, DownloadPlan, UploadJob, UploadPlan
from airflow_provider_quatrix.transfer.remote_files import Lookup
from airflow_provider_quatrix.transfer.sources import Source, Sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from airflow_provider_quatrix.transfer.checkpoint import Checkpoint
    from airflow_provider_quatrix.transfer.mirror import Names
    from airflow_provider_quatrix.transfer.settings import TransferSettings
    from airflow_provider_quatrix.transfer.tree import RemoteTree

P = TypeVar("P", UploadPlan, DownloadPlan)


def kept_plan(
    plan: Callable[[], P],
    load: Callable[[str | None], P | None],
    dump: Callable[[P], str],
    checkpoint: Checkpoint | None,
    settings: TransferSettings,
) -> P:
    """Return the plan of an earlier try, which includes sources that are deleted by now; otherwise a new one."""
    kept = load(checkpoint.read()) if checkpoint is not None and settings.is_retry else None
    if kept is not None:
        return kept
    made = plan()
    if checkpoint is not None:
        checkpoint.write(dump(made))
    return made


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
