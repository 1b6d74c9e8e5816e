"""Which files a transfer moves, and to where: decided in full before the first byte moves."""

from __future__ import annotations

import fnmatch
import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import QuatrixNotFound
from airflow_provider_quatrix.api.models import FileKind, RemoteFile
from airflow_provider_quatrix.api.paths import InvalidPathError, join, safe_local_name, split
from airflow_provider_quatrix.api.transfer import is_temporary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_quatrix.api.models import Found
    from airflow_provider_quatrix.api.tree import RemoteTree

_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True)
class UploadJob:
    """One file to upload.

    :param source: local file.
    :param target: path on Quatrix.
    """

    source: Path
    target: str


@dataclass(frozen=True)
class DownloadJob:
    """One file to download.

    :param remote: file on Quatrix.
    :param target: local path.
    """

    remote: RemoteFile
    target: Path


@dataclass(frozen=True)
class UploadPlan:
    """What an upload does.

    :param jobs: files.
    :param folders: folders on Quatrix that the tree holds, empty ones included.
    :param single: one file was named, so the result is one file and no list.
    """

    jobs: tuple[UploadJob, ...]
    folders: tuple[str, ...]
    single: bool


@dataclass(frozen=True)
class DownloadPlan:
    """What a download does.

    :param jobs: files.
    :param folders: local folders that the tree holds, empty ones included.
    :param single: one file was named, so the result is one file and no list.
    """

    jobs: tuple[DownloadJob, ...]
    folders: tuple[Path, ...]
    single: bool


def has_wildcards(path: str) -> bool:
    """Tell whether a path is a pattern."""
    return any(character in _WILDCARDS for character in path)


def is_pattern(tree: RemoteTree, path: str) -> bool:
    """Tell whether a path is a pattern, and not the name of something: names may hold all wildcards.

    :param tree: the remote files.
    :param path: path or pattern.
    """
    return has_wildcards(path) and tree.find(path) is None


def matches(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Tell whether a path matches a pattern, name by name.

    :param names: of the path.
    :param pattern: of the pattern; ``*``, ``?`` and ``[...]`` stay within a name, ``**`` stands for any names.
    :return: ``True`` if all of it matches.
    """
    if not pattern:
        return not names
    if pattern[0] == "**":
        return matches(names, pattern[1:]) or (bool(names) and matches(names[1:], pattern))
    return bool(names) and fnmatch.fnmatchcase(names[0], pattern[0]) and matches(names[1:], pattern[1:])


def plan_upload(sources: Sequence[str], target: str) -> UploadPlan:
    """Decide what an upload does.

    A single file goes to ``target`` itself, unless that ends in a slash; everything else goes into the folder
    ``target``: files by their names, a folder's content by its place below the folder.

    :param sources: local files, folders or glob patterns.
    :param target: path on Quatrix.
    :return: the plan.
    :raises FileNotFoundError: a source is missing, or a pattern matches nothing.
    :raises InvalidPathError: a name breaks Quatrix's rules, or two files would get the same path.
    """
    base = split(target)
    if len(sources) == 1 and not target.endswith("/") and Path(sources[0]).is_file():
        return UploadPlan((UploadJob(Path(sources[0]), join(base)),), (), single=True)
    jobs: list[UploadJob] = []
    folders: list[str] = []
    for path, names in _local(sources):
        place = join(split(join((*base, *names))))
        if path.is_dir():
            folders.append(place)
        elif not is_temporary(path.name):
            jobs.append(UploadJob(path, place))
    _check_distinct([(str(job.source), job.target) for job in jobs])
    single = len(sources) == 1 and not has_wildcards(sources[0]) and Path(sources[0]).is_file()
    return UploadPlan(tuple(jobs), tuple(folders), single)


def _local(sources: Sequence[str]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Yield each file and folder with its names below the target."""
    for source in sources:
        path = Path(source)
        if path.is_dir():
            for below in sorted(path.rglob("*")):
                yield below, below.relative_to(path).parts
        elif path.exists():
            yield path, (path.name,)
        elif has_wildcards(source):
            found = sorted(Path(name) for name in glob.glob(source, recursive=True))  # noqa: PTH207 - takes absolute patterns
            if not found:
                raise FileNotFoundError(f"The pattern {source!r} matches no local file")
            yield from ((entry, (entry.name,)) for entry in found if entry.is_file())
        else:
            raise FileNotFoundError(f"There is no local file {source!r}: correct the path or make the file first")


def _check_distinct(pairs: Sequence[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for source, target in pairs:
        if target in seen:
            raise InvalidPathError(f"{seen[target]!r} and {source!r} would both become {target!r}: rename one of them")
        seen[target] = source


def plan_download(tree: RemoteTree, sources: Sequence[str], target: str) -> DownloadPlan:
    """Decide what a download does; see :func:`plan_upload` for where things go.

    :param tree: the remote files.
    :param sources: paths of files or folders on Quatrix, or patterns.
    :param target: local path.
    :return: the plan.
    :raises QuatrixNotFound: a source is missing, or a pattern matches nothing.
    :raises InvalidPathError: the server sent a name that no local file may get, or two files would get the same path.
    """
    base = Path(target)
    into_folder = target.endswith("/") or base.is_dir() or len(sources) > 1
    jobs: list[DownloadJob] = []
    folders: list[Path] = []
    single = False
    for source in sources:
        found: list[tuple[RemoteFile, tuple[str, ...]]]
        if is_pattern(tree, source):
            found = [(entry.file, (entry.file.name,)) for entry in find_matching(tree, source)]
            if not found:
                raise QuatrixNotFound(404, None, f"The pattern {source!r} matches no file on Quatrix")
        else:
            remote = tree.stat(source)
            if not remote.kind.is_folder:
                single = len(sources) == 1
                jobs.append(DownloadJob(remote, _below(base, split(source)[-1:] if into_folder else ())))
                continue
            found = [(entry.file, entry.names[len(split(source)) :]) for entry in tree.walk(source)]
        for remote, names in found:
            if remote.kind.is_folder:
                folders.append(_below(base, names))
            elif remote.kind is FileKind.FILE and not is_temporary(remote.name):
                jobs.append(DownloadJob(remote, _below(base, names)))
    _check_distinct([(job.remote.name, str(job.target)) for job in jobs])
    return DownloadPlan(tuple(jobs), tuple(folders), single)


def _below(base: Path, names: Sequence[str]) -> Path:
    return base.joinpath(*(safe_local_name(name) for name in names))


def find_matching(tree: RemoteTree, pattern: str) -> list[Found]:
    """Return the files that match a pattern.

    :param tree: the remote files.
    :param pattern: path with wildcards; ``**`` stands for any folders.
    :return: files, sorted by path; unfinished ones of this package are left out.
    :raises QuatrixNotFound: the folder ahead of the first wildcard is missing.
    """
    names = tuple(name for name in pattern.split("/") if name)
    fixed = next((i for i, name in enumerate(names) if has_wildcards(name)), len(names) - 1)
    below = names[fixed:]
    recursive = len(below) > 1 or "**" in below
    found = [
        entry
        for entry in tree.walk(join(split(join(names[:fixed]))), recursive=recursive)
        if entry.file.kind is FileKind.FILE
        and not is_temporary(entry.file.name)
        and matches(entry.names[fixed:], below)
    ]
    return sorted(found, key=lambda entry: entry.path)
