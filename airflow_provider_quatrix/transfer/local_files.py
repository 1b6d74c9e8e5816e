"""The local files of an upload: which they are, where they go, and how they are opened."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import QuatrixTransferError
from airflow_provider_quatrix.api.paths import InvalidPathError, all_of, check_name, join, split
from airflow_provider_quatrix.api.versions import Version
from airflow_provider_quatrix.transfer.filters import ALL
from airflow_provider_quatrix.transfer.patterns import fixed_names, leads_to_matches, matches
from airflow_provider_quatrix.transfer.plans import UploadJob, UploadPlan, check_distinct
from airflow_provider_quatrix.transfer.temporary import is_temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_quatrix.transfer.filters import FileFilter, Selection
    from airflow_provider_quatrix.transfer.sources import Source, Sources

_LONGEST_SHOWN = 500
_BLOCK = 1024 * 1024


def plan_upload(
    sources: Sources, target: str, *, selection: Selection = ALL, special_files: str = "fail"
) -> UploadPlan:
    """Decide what an upload does.

    A single file goes to ``target`` itself, unless that ends in a slash. Everything else goes into the folder
    ``target``: files keep their names, and the content of a folder keeps its structure.

    :param sources: local files, folders or patterns.
    :param target: path on Quatrix.
    :param selection: which of the files; with a filter, no empty folders are made.
    :param special_files: what to do about FIFOs, sockets and devices: ``fail`` or ``skip``.
    :return: the plan.
    :raises FileNotFoundError: a source is missing, or a pattern matches nothing.
    :raises InvalidPathError: something cannot be read, is not a file, or has a name that Quatrix does not accept; or
        two files would get the same path.
    """
    base = split(target)
    single = sources.single and not Path(sources.all[0].text).is_dir()
    local = LocalFiles(special_files)
    if single and not target.endswith("/"):
        found = tuple(_local(sources.all[0], local, selection))
        local.check()
        jobs = [UploadJob(entry.path, join(base), base[-1:], _version(entry)) for entry in found]
        return UploadPlan(tuple(jobs), (), single=True, base=join(base[:-1]))
    jobs = []
    folders: list[tuple[str, ...]] = []
    for source in sources:
        for entry in _local(source, local, selection):
            for name in entry.names:
                check_name(name)
            if entry.is_folder:
                folders.append(entry.names)
            elif not is_temporary(entry.path.name):
                jobs.append(UploadJob(entry.path, join((*base, *entry.names)), entry.names, _version(entry)))
    local.check()
    check_distinct([(str(job.source), job.target) for job in jobs])
    return UploadPlan(tuple(jobs), tuple(folders), single, join(base))


def _version(entry: LocalEntry) -> Version:
    return Version.of_local(entry.path.stat())


def _local(source: Source, local: LocalFiles, selection: Selection) -> Iterator[LocalEntry]:
    """Yield each file and folder with its names below the target."""
    path = Path(source.text)
    if source.is_pattern:
        yield from _matching_local(source, local, selection)
    elif path.is_dir():
        yield from _below_local(path, local, selection.files)
    elif not path.exists() and selection.missing_ok:
        return
    elif not path.exists():
        raise FileNotFoundError(
            f"There is no local file {source.text!r} on host {socket.gethostname()}, in {str(Path.cwd())!r}: "
            "correct the path, or set missing_ok=True"
        )
    elif selection.files.takes_name((path.name,)) and local.is_wanted(path):
        yield from _taken((LocalEntry(path, (path.name,), is_folder=False),), selection.files)


def _below_local(folder: Path, local: LocalFiles, files: FileFilter) -> Iterator[LocalEntry]:
    """Yield what is below a folder; with a filter, only files."""
    if not files.is_active:
        return local.below(folder)

    def among(names: tuple[str, ...], is_folder: bool) -> bool:
        return files.may_hold(names) if is_folder else files.takes_name(names)

    return _taken((entry for entry in local.below(folder, among) if not entry.is_folder), files)


def _matching_local(pattern: Source, local: LocalFiles, selection: Selection) -> Iterator[LocalEntry]:
    """Yield the files that match a pattern; as in a shell, hidden ones only if the pattern says so."""
    above = fixed_names(pattern.parts)
    below = pattern.parts[len(above) :]
    hidden = any(part.startswith(".") for part in below)
    files, found = selection.files, False

    def among(names: tuple[str, ...], is_folder: bool) -> bool:
        nonlocal found
        if names[-1].startswith(".") and not hidden:
            return False
        if is_folder:
            return leads_to_matches(names, below) and files.may_hold(names)
        if not matches(names, below):
            return False
        found = True
        return files.takes_name(names)

    folder = Path("/" if pattern.text.startswith("/") else "").joinpath(*above)
    if folder.is_dir():
        matching_files = (entry for entry in local.below(folder, among) if not entry.is_folder)
        for entry in _taken(matching_files, files):
            names = entry.names if selection.keep_structure else (entry.path.name,)
            yield LocalEntry(entry.path, names, is_folder=False)
    if not (found or local.problems or selection.missing_ok):
        raise FileNotFoundError(f"The pattern {pattern.text!r} matches no local file (missing_ok=True allows it)")


def _taken(entries: Iterable[LocalEntry], files: FileFilter) -> Iterator[LocalEntry]:
    """Yield the files that are wanted."""
    now = time.time()
    for entry in entries:
        if files.needs_metadata:
            found = entry.path.stat()
            if not files.takes(entry.names, found.st_size, found.st_mtime, now):
                continue
        yield entry


@dataclass(frozen=True)
class LocalEntry:
    """A local file or folder.

    :param names: its path below the folder that was walked, as names.
    :param is_folder: a folder, or a link to one.
    """

    path: Path
    names: tuple[str, ...]
    is_folder: bool


@dataclass(frozen=True)
class _Folder:
    """A folder that is being walked, with what identifies it and those above it."""

    path: str
    names: tuple[str, ...]
    identity: tuple[int, int]
    above: _Folder | None


@dataclass(frozen=True)
class LocalSource:
    """A local file at the moment its upload begins.

    :param size: bytes.
    :param modified_ns: modification time.
    """

    path: Path
    fd: int
    size: int
    modified_ns: int

    @property
    def modified(self) -> float:
        """Modification time as Unix time."""
        return self.modified_ns / 1e9

    @property
    def version(self) -> Version:
        """What distinguishes it from other versions of itself."""
        return Version(self.size, self.modified)

    def check_unchanged(self) -> None:
        """Raise if the file was written to since then.

        :raises QuatrixTransferError: it was.
        """
        now = os.fstat(self.fd)
        if (now.st_size, now.st_mtime_ns) != (self.size, self.modified_ns):
            raise QuatrixTransferError(
                f"{self.path} changed while it was uploaded ({self.size} bytes at first, {now.st_size} now): upload a "
                "file that nobody writes to any more"
            )


class LocalFiles:
    """Finds the local files of an upload, and records what cannot be uploaded.

    Symbolic links are followed: one to a file counts as that file, one to a folder as that folder. A link that leads
    nowhere, or to a folder that contains it, cannot be uploaded.

    :param special_files: what to do about FIFOs, sockets and devices, which are never opened: ``fail``, or ``skip`` to
        leave them out.
    """

    def __init__(self, special_files: str = "fail") -> None:
        self._skips = special_files == "skip"
        self.problems: list[str] = []

    def is_wanted(self, path: Path) -> bool:
        """Return whether a path is a file to upload. If it should be one and is not, that is recorded.

        :param path: of anything but a folder.
        """
        try:
            mode = path.stat().st_mode
        except OSError as error:
            self._cannot_be_read(path, error)
            return False
        if not stat.S_ISREG(mode):
            if not self._skips:
                self.problems.append(f"{_shown(path)} is {_kind(mode)}")
            return False
        if not os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
            self.problems.append(f"{_shown(path)} cannot be read (Permission denied)")
            return False
        return True

    def below(self, folder: Path, among: Callable[[tuple[str, ...], bool], bool] | None = None) -> Iterator[LocalEntry]:
        """Yield everything below a folder, sorted, folders ahead of their content.

        :param among: gets the names below the folder, and whether it is a folder; returns whether it is wanted, or may
            contain what is wanted. Default: everything is.
        """
        waiting: list[tuple[LocalEntry, _Folder] | _Folder] = [_Folder(str(folder), (), _identity(folder), None)]
        while waiting:
            item = waiting.pop()
            if isinstance(item, _Folder):
                waiting += reversed([(entry, item) for entry in self._listed(item)])
                continue
            entry, above = item
            if among is not None and not among(entry.names, entry.is_folder):
                continue
            if not entry.is_folder:
                if self.is_wanted(entry.path):
                    yield entry
                continue
            try:
                inner = _Folder(str(entry.path), entry.names, _identity(entry.path), above)
            except OSError as error:
                self._cannot_be_read(entry.path, error)
                continue
            if _holds_itself(inner):
                self.problems.append(f"{_shown(entry.path)} is a link to a folder that contains it")
                continue
            yield entry
            waiting.append(inner)

    def _listed(self, folder: _Folder) -> list[LocalEntry]:
        try:
            with os.scandir(folder.path) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._cannot_be_read(folder.path, error)
            return []
        return [LocalEntry(Path(entry.path), (*folder.names, entry.name), _is_folder(entry)) for entry in found]

    def _cannot_be_read(self, path: str | Path, error: OSError) -> None:
        if isinstance(error, FileNotFoundError) and os.path.islink(path):  # noqa: PTH114 - False if it cannot be read
            self.problems.append(f"{_shown(path)} is a link that leads nowhere")
        else:
            self.problems.append(f"{_shown(path)} cannot be read ({error.strerror})")

    def check(self) -> None:
        """Raise if anything cannot be uploaded.

        :raises InvalidPathError: names the first of them.
        """
        if not self.problems:
            return
        raise InvalidPathError(
            f"Nothing was uploaded, as not everything can be: {all_of(self.problems)}. Fix or remove these"
        )


def open_local(path: Path) -> int:
    """Open a local file for reading. A file without a known size, such as those of ``/proc``, is first read to its end.

    :return: a descriptor of a file with a known size.
    :raises InvalidPathError: it is a FIFO, a socket or a device, which is not opened.
    :raises OSError: it cannot be read.
    """
    _check_regular(path, path.stat().st_mode)
    # If something else has taken the file's place, opening it must not wait either.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found = os.fstat(fd)
        _check_regular(path, found.st_mode)
        if found.st_size or not os.pread(fd, 1, 0):
            return fd
        with tempfile.TemporaryFile() as copy:
            while block := os.read(fd, _BLOCK):
                copy.write(block)
            if os.fstat(fd).st_size:
                # Somebody has just begun to write it; it does have a size.
                os.lseek(fd, 0, os.SEEK_SET)
                return fd
            copy.flush()
            os.utime(copy.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))
            whole = os.dup(copy.fileno())
            os.lseek(whole, 0, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return whole


def _check_regular(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{path} is a folder")
    if not stat.S_ISREG(mode):
        raise InvalidPathError(f"{path} is {_kind(mode)}: only files can be uploaded")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # Reported, with its name, when it is handled as a file.
        return False


def _shown(path: str | Path) -> str:
    text = repr(str(path))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:100]}...{text[-100:]}"


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    return next((kind for matches, kind in kinds if matches(mode)), "no file")


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _holds_itself(folder: _Folder) -> bool:
    above = folder.above
    while above is not None and above.identity != folder.identity:
        above = above.above
    return above is not None
