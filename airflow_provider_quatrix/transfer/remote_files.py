"""The files on Quatrix that paths and patterns stand for, and where a download puts them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import QuatrixNotFound
from airflow_provider_quatrix.api.models import FileKind, RemoteFile
from airflow_provider_quatrix.api.paths import InvalidPathError, join, safe_local_name, split
from airflow_provider_quatrix.transfer.filters import ALL
from airflow_provider_quatrix.transfer.patterns import escape, fixed_names, leads_to_matches, matches
from airflow_provider_quatrix.transfer.plans import DownloadJob, DownloadPlan, check_distinct
from airflow_provider_quatrix.transfer.sources import Source
from airflow_provider_quatrix.transfer.temporary import is_temporary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_quatrix.api.models import Entry
    from airflow_provider_quatrix.transfer.filters import FileFilter, Selection
    from airflow_provider_quatrix.transfer.sources import Sources
    from airflow_provider_quatrix.transfer.tree import RemoteTree

# For this many files of one folder, listing the folder is cheaper than a call for each.
LIST_FROM = 5


def plan_download(tree: RemoteTree, sources: Sources, target: str, *, selection: Selection = ALL) -> DownloadPlan:
    """Decide what a download does; see :func:`plan_upload` for the targets.

    :param sources: files or folders on Quatrix, or patterns.
    :param selection: which of the files; with a filter, no empty folders are made.
    :return: the plan.
    :raises QuatrixNotFound: a source is missing, or a pattern matches nothing.
    :raises InvalidPathError: two files would get the same path.
    """
    base = Path(target)
    into_folder = target.endswith("/") or base.is_dir() or sources.into_folder
    jobs: list[DownloadJob] = []
    folders: list[tuple[str, ...]] = []
    left_out: list[str] = []
    single = False
    lookup = Lookup(tree, sources)
    for source in sources:
        known = len(tree.left_out)
        file = None if source.is_pattern else lookup.selected(source, selection)
        if not source.is_pattern and (file is None or not file.kind.is_folder):
            single = sources.single
            names = source.parts[-1:] if into_folder else ()
            if file is not None:
                jobs.append(DownloadJob(file, _below(base, names), names or (base.name,), join(source.parts)))
            continue
        found = _places(tree, source, selection)
        left_out += [
            str(entry) for entry in tree.left_out[known:] if not source.is_pattern or matches(entry.names, source.parts)
        ]
        for entry, names in found:
            try:
                place = _below(base, names)
            except InvalidPathError as error:
                left_out.append(f"{entry.path!a}: {error}")
                continue
            if entry.file.kind.is_folder:
                folders.append(names)
            elif entry.file.kind is not FileKind.FILE:
                left_out.append(f"{entry.path!a} is neither a file nor a folder")
            elif not is_temporary(entry.file.name):
                jobs.append(DownloadJob(entry.file, place, names, entry.path))
    check_distinct([(job.remote.name, str(job.target)) for job in jobs])
    folder = base.parent if single and not into_folder else base
    return DownloadPlan(tuple(jobs), tuple(folders), single, folder, tuple(left_out))


def _places(tree: RemoteTree, source: Source, selection: Selection) -> list[tuple[Entry, tuple[str, ...]]]:
    """Return the content of a folder, or the files that match a pattern, with their names below the target."""
    if source.is_pattern:
        return placed(matching(tree, source, selection), source, selection)
    below = listed(tree, source, selection, recursive=True)
    return [(entry, entry.names[len(source.parts) :]) for entry in below]


def _below(base: Path, names: Sequence[str]) -> Path:
    return base.joinpath(*(safe_local_name(name) for name in names))


class Lookup:
    """Looks up paths; lists a folder once if many of them are in it.

    :param sources: all paths that will be looked up.
    """

    def __init__(self, tree: RemoteTree, sources: Sources) -> None:
        self._tree = tree
        self._wanted = Counter(source.parts[:-1] for source in sources if not source.is_pattern)

    def find(self, path: Source) -> tuple[str, FileKind] | None:
        """Return id and kind of what is at a path; ``None`` if nothing is."""
        if not self._is_listed(path):
            return self._tree.find(path.text)
        entry = self._listed(path)
        return None if entry is None else (entry.id, entry.kind)

    def stat(self, path: Source) -> RemoteFile:
        """Return the metadata of what is at a path.

        :raises QuatrixNotFound: nothing is there.
        """
        entry = self._listed(path) if self._is_listed(path) else None
        return self._tree.stat(path.text) if entry is None else entry

    def selected(self, path: Source, selection: Selection) -> RemoteFile | None:
        """Return the metadata of what is at a path: a folder, or a file that is wanted.

        :param selection: which files are wanted.
        :return: ``None`` if it is not wanted, or if it is missing and ``missing_ok`` is set.
        :raises QuatrixNotFound: nothing is there.
        """
        try:
            file = self.stat(path)
        except QuatrixNotFound:
            if selection.missing_ok:
                return None
            raise
        is_wanted = selection.files.takes(path.parts[-1:], file.size, file.modified, self._tree.now)
        return file if file.kind.is_folder or is_wanted else None

    def _is_listed(self, path: Source) -> bool:
        return self._wanted[path.parts[:-1]] >= LIST_FROM

    def _listed(self, path: Source) -> RemoteFile | None:
        names = split(path.text)
        folder = self._tree.find(join(names[:-1]))
        return None if folder is None or not folder[1].is_folder else self._tree.names(folder[0]).get(names[-1])


def find_matching(tree: RemoteTree, pattern: Source, selection: Selection = ALL) -> list[Entry]:
    """Return the files that match a pattern; only folders that may contain some are listed.

    :param pattern: ``**`` stands for any folders.
    :return: files, sorted by path; unfinished ones of this package are left out.
    :raises QuatrixNotFound: the folder ahead of the first wildcard is missing.
    """
    return _taken_of(tree, pattern, _matching(tree, pattern, selection), selection.files)


def matching(tree: RemoteTree, pattern: Source, selection: Selection = ALL) -> list[Entry]:
    """Return the files that match a pattern, as :func:`find_matching` does, but the pattern has to match one.

    :param pattern: ``**`` stands for any folders.
    :param selection: which of them; it may leave none.
    :raises QuatrixNotFound: the pattern matches nothing.
    """
    found = _matching(tree, pattern, selection)
    if not found and not selection.missing_ok:
        raise QuatrixNotFound(
            404,
            None,
            f"The pattern {pattern.text!r} matches no file on Quatrix; if it is the name of one, set glob=False",
        )
    return _taken_of(tree, pattern, found, selection.files)


def listed(tree: RemoteTree, source: Source, selection: Selection, *, recursive: bool) -> Iterable[Entry]:
    """Return the content of a folder, or the files that match a pattern.

    :param source: the folder or pattern.
    :param selection: which files; with a filter, folders are left out.
    :param recursive: include subfolders.
    :raises QuatrixNotFound: there is no such folder, and ``missing_ok`` is not set.
    """
    if source.is_pattern:
        return find_matching(tree, source, selection)
    if selection.missing_ok and tree.find(source.text) is None:
        return ()
    if not selection.files.is_active:
        return tree.walk(source.text, recursive=recursive)
    return files_below(tree, source, selection, recursive=recursive)


def files_below(tree: RemoteTree, folder: Source, selection: Selection, *, recursive: bool = True) -> list[Entry]:
    """Return the wanted files below a folder, sorted by path.

    :param recursive: include subfolders.
    :raises QuatrixNotFound: there is no such folder.
    """
    below = ("**", "*") if recursive else ("*",)
    return find_matching(tree, Source("/".join((*map(escape, folder.parts), *below)), is_pattern=True), selection)


def placed(found: list[Entry], pattern: Source, selection: Selection) -> list[tuple[Entry, tuple[str, ...]]]:
    """Return files that match a pattern, with their names below the target."""
    above = len(fixed_names(pattern.parts)) if selection.keep_structure else -1
    return [(entry, entry.names[above:]) for entry in found]


def _matching(tree: RemoteTree, pattern: Source, selection: Selection) -> list[Entry]:
    """Return the files that match a pattern, in folders that are not left out."""
    parts, files = pattern.parts, selection.files
    above = fixed_names(parts)
    below = parts[len(above) :]
    if selection.missing_ok and tree.find(join(above)) is None:
        return []

    def into(names: tuple[str, ...]) -> bool:
        return leads_to_matches(names[len(above) :], below) and files.may_hold(names[len(above) :])

    found = [
        entry
        for entry in tree.walk(join(above), into=into)
        if entry.file.kind is FileKind.FILE
        and not is_temporary(entry.file.name)
        and matches(entry.names[len(above) :], below)
    ]
    return sorted(found, key=lambda entry: entry.path)


def _taken_of(tree: RemoteTree, pattern: Source, found: list[Entry], files: FileFilter) -> list[Entry]:
    if not files.is_active:
        return found
    above, now = len(fixed_names(pattern.parts)), tree.now
    return [entry for entry in found if files.takes(entry.names[above:], entry.file.size, entry.file.modified, now)]
