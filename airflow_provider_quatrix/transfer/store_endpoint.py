"""The end of a transfer that is not on Quatrix: any store that fsspec supports."""

from __future__ import annotations

import logging
import threading
import uuid
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.errors import QuatrixError, QuatrixTransferError
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.paths import InvalidPathError, counted, safe_local_name
from airflow_provider_quatrix.api.stopping import check_stopped
from airflow_provider_quatrix.transfer.chunks import SMALLEST_CHUNK
from airflow_provider_quatrix.transfer.endpoints import Item, Listing
from airflow_provider_quatrix.transfer.error_context import doing
from airflow_provider_quatrix.transfer.patterns import fixed_names, leads_to_matches, matches
from airflow_provider_quatrix.transfer.temporary import is_temporary, temporary_name
from airflow_provider_quatrix.transfer.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_quatrix.transfer.places import Place
    from airflow_provider_quatrix.transfer.reader import Sink
    from airflow_provider_quatrix.transfer.sources import Source

log = logging.getLogger(__name__)

# In these a file exists once it is closed, and no part of it before. To rename one means to copy it.
_OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "wasb", "wasbs", "oss", "oci"}
# An object can have up to 10,000 parts.
_MOST_PARTS = 9000
# The first of these that a store returns identifies a version, together with the size.
_VERSION_KEYS = ("ETag", "etag", "generation", "md5Hash", "mtime", "LastModified", "last_modified", "modified")
_TIME_KEYS = ("mtime", "LastModified", "last_modified", "updated", "modified")


class StoreEndpoint:
    """The files of a store.

    :ivar many: see :class:`~airflow_provider_quatrix.transfer.endpoints.Endpoint`.
    :ivar fs: its file system.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self.is_object_store = place.scheme in _OBJECT_STORES
        self.many = False
        self.fs = _file_system(place)
        # Airflow keeps file systems forever, and some of them keep their listings.
        self.fs.invalidate_cache()
        self._listed: dict[str, dict[str, Item]] = {}
        self._made: set[str] = set()
        self._lock = threading.Lock()

    def path(self, text: str) -> str:
        """Return a path in the form of the file system."""
        return str(self.fs._strip_protocol(f"{self._place.scheme}://{text}"))

    def below(self, path: str, names: Sequence[str]) -> str:
        """Return the path of something below a folder."""
        return "/".join((path.rstrip("/"), *map(safe_local_name, names)))

    def find(self, source: Source) -> Listing:
        """Return the files and folders of a source; unfinished files of this package are left out."""
        left_out: list[str] = []
        if source.is_pattern:
            items = self._matching(source, left_out)
            if not items and not left_out:
                raise FileNotFoundError(
                    f"The pattern {self._place.url(source.text)!r} matches no file; if it is the name of one, set "
                    "glob=False"
                )
            return Listing(items, left_out=tuple(left_out))
        path = self.path(source.text)
        info = self._info(path)
        if info is None:
            raise FileNotFoundError(f"There is nothing at {self._place.url(source.text)!r}")
        item = _item(path, (_name(path),), info)
        if item.is_folder:
            return Listing(tuple(self._walk(path, lambda _names: True, left_out)), left_out=tuple(left_out))
        if info["type"] not in ("file", "link"):
            raise InvalidPathError(f"{self._place.url(source.text)!r} is neither a file nor a folder")
        return Listing((item,), is_file=True)

    def _matching(self, pattern: Source, left_out: list[str]) -> tuple[Item, ...]:
        above = fixed_names(pattern.parts)
        below = pattern.parts[len(above) :]
        top = self.path(("/" if pattern.text.startswith("/") else "") + "/".join(above))
        found = self._walk(top, lambda names: leads_to_matches(names, below), left_out)
        return tuple(
            replace(item, names=item.names[-1:]) for item in found if not item.is_folder and matches(item.names, below)
        )

    def _walk(self, path: str, into: Callable[[tuple[str, ...]], bool], left_out: list[str]) -> Iterator[Item]:
        waiting: list[tuple[str, tuple[str, ...]]] = [(path, ())]
        while waiting:
            folder, above = waiting.pop()
            check_stopped()
            for listed in self._list(folder):
                at = str(listed["name"]).rstrip("/")
                names = (*above, _name(at))
                info = self._followed(at) if listed["type"] == "link" else listed
                if info["type"] == "directory":
                    yield _item(at, names, info)
                    if into(names):
                        waiting.append((at, names))
                elif info["type"] != "file":
                    left_out.append(f"{self._place.url(at)!a} is neither a file nor a folder")
                elif not is_temporary(names[-1]):
                    yield _item(at, names, info)

    def _followed(self, path: str) -> Mapping[str, Any]:
        """Return what a link leads to, unless that is a folder, as it may lead in a circle."""
        info = self._info(path)
        return {"type": "link"} if info is None or info["type"] == "directory" else info

    def _list(self, folder: str) -> list[Mapping[str, Any]]:
        with self.using(folder):
            entries = self.fs.ls(folder, detail=True)
        # An object store may list its marker of the folder itself.
        found = [info for info in entries if str(info["name"]).rstrip("/") != folder.rstrip("/")]
        return sorted(found, key=lambda info: str(info["name"]))

    def stat(self, path: str) -> Item | None:
        """Return what is at a path; ``None`` if nothing is."""
        return self.in_folder_of(path).get(_name(path)) if self.many else self.stat_now(path)

    def stat_now(self, path: str) -> Item | None:
        """Return what is at a path now; ``None`` if nothing is."""
        info = self._info(path)
        return None if info is None else _item(path, (_name(path),), info)

    def _info(self, path: str) -> Mapping[str, Any] | None:
        with self.using(path):
            # A listing from before a change is out of date.
            self.fs.invalidate_cache(path)
            try:
                found: Mapping[str, Any] = self.fs.info(path)
            except FileNotFoundError:
                return None
        return found

    def in_folder_of(self, path: str) -> dict[str, Item]:
        """Return the content of the folder that a path is in, by name; it is listed once and then remembered."""
        folder = path.rpartition("/")[0] or "/"
        with self._lock:
            if folder not in self._listed:
                entries: list[Mapping[str, Any]] = []
                with suppress(FileNotFoundError):
                    entries = self._list(folder)
                paths = [str(info["name"]).rstrip("/") for info in entries]
                self._listed[folder] = {
                    _name(at): _item(at, (_name(at),), info) for at, info in zip(paths, entries, strict=True)
                }
            return self._listed[folder]

    def make_folder(self, path: str, *, create: bool) -> None:
        """Make sure that there is a folder; an object store has no folders."""
        with self._lock:
            if self.is_object_store or path in self._made:
                return
            with self.using(path):
                if not self.fs.isdir(path):
                    if not create:
                        raise FileNotFoundError(
                            f"There is no folder {self._place.url(path)!r}: make it, or set create_parents"
                        )
                    self.fs.makedirs(path, exist_ok=True)
            self._made.add(path)

    def send(self, item: Item, sink: Sink, throttle: Throttle) -> None:
        """Read a file from its first to its last byte."""
        block = min(SMALLEST_CHUNK, throttle.largest_chunk)
        options = {"block_size": block, "cache_type": "none"} if self.is_object_store else {}
        got = 0
        with self.using(item.path):
            file = self.fs.open(item.path, "rb", **options)
        try:
            while True:
                check_stopped()
                with self.using(item.path):
                    data = file.read(block)
                if not data:
                    break
                got += len(data)
                throttle.let_through(len(data))
                sink.write(data)
        finally:
            file.close()
        now = self.stat_now(item.path)
        if got != item.size or now is None or now.version != item.version:
            raise self._changed(item)

    def draft(self, path: str, item: Item, resume_key: str, if_exists: IfExists) -> StoreDraft:
        """Begin to write a file."""
        return StoreDraft(self, path, item.size, resume_key, if_exists)

    def delete(self, items: Sequence[Item]) -> set[str]:
        """Delete files, except those that somebody has written to."""
        gone = set()
        for item in items:
            check_stopped()
            url = self._place.url(item.path)
            with doing("Deleting the transferred", url):
                now = self.stat_now(item.path)
                if now is not None and now.version != item.version:
                    log.warning("%s is not deleted: it has changed since it was transferred", url)
                    continue
                if now is not None:
                    with self.using(item.path):
                        self.fs.rm_file(item.path)
            gone.add(item.path)
        return gone

    def free(self, path: str) -> str:
        """Return the first free path, numbered as Quatrix does it."""
        folder, slash, name = path.rpartition("/")
        candidate, number = path, 0
        while self.stat_now(candidate) is not None:
            number += 1
            candidate = folder + slash + counted(name, number)
        return candidate

    @contextmanager
    def using(self, path: str) -> Iterator[None]:
        """Turn a failure of the store into an ``OSError`` that names the path."""
        try:
            yield
        except (OSError, QuatrixError):
            raise
        except Exception as error:
            raise OSError(f"{self._place.url(path)}: {type(error).__name__}: {error}") from error

    def taken(self, path: str) -> OSError:
        """Return the error for a taken name."""
        return FileExistsError(
            f"{self._place.url(path)!r} exists: set if_exists to 'overwrite', 'skip' or 'rename' to continue"
        )

    def _changed(self, item: Item) -> QuatrixTransferError:
        return QuatrixTransferError(
            f"{self._place.url(item.path)!r} changed while it was transferred: transfer a file that nobody writes to "
            "any more"
        )


class StoreDraft:
    """A file that is being written into a store.

    :param size: bytes it will have.
    :param resume_key: who writes, so that a retry overwrites what this try leaves.
    :param if_exists: what to do if the path is taken.
    """

    def __init__(self, end: StoreEndpoint, path: str, size: int, resume_key: str, if_exists: IfExists) -> None:
        self.verified_early = not end.is_object_store
        self._end = end
        self._path = path
        self._size = size
        self._committed = False
        options = {}
        if end.is_object_store:
            self._at = end.free(path) if if_exists is IfExists.RENAME else path
            options["block_size"] = max(SMALLEST_CHUNK, -(-size // _MOST_PARTS))
        else:
            folder, slash, _ = path.rpartition("/")
            self._at = folder + slash + temporary_name(path, resume_key or uuid.uuid4().hex)
        with end.using(path):
            self._file = end.fs.open(self._at, "wb", **options)

    def write(self, data: bytes) -> None:
        """Write the next bytes."""
        with self._end.using(self._path):
            self._file.write(data)

    def finish(self) -> None:
        """Complete the file in the store; an object store gets the last bytes together with the name."""
        if self.verified_early:
            self._close()

    def _close(self) -> Item:
        with self._end.using(self._path):
            self._file.close()
        item = self._end.stat_now(self._at)
        if item is None or item.size != self._size:
            raise QuatrixTransferError(
                f"The store has {0 if item is None else item.size} bytes of {self._path!r}, but {self._size} were sent"
            )
        return item

    def read_back(self, sink: Sink) -> None:
        """Read the file from the store."""
        item = self._end.stat_now(self._at)
        if item is not None:
            self._end.send(item, sink, Throttle())

    def commit(self, if_exists: IfExists) -> Item:
        """Give the file its name, in one step."""
        end, path = self._end, self._path if self.verified_early else self._at
        if if_exists is IfExists.RENAME and self.verified_early:
            path = end.free(path)
        elif if_exists is not IfExists.OVERWRITE and end.stat_now(path) is not None:
            raise end.taken(path)
        if not self.verified_early:
            self._committed = True
            return self._close()
        with end.using(path):
            end.fs.mv(self._at, path)
        self._committed = True
        item = end.stat_now(path)
        if item is None or item.size != self._size:
            raise QuatrixTransferError(f"{path!r} is not there as it was written: somebody else writes to it")
        return item

    def discard(self) -> None:
        """Remove what was written."""
        # What failed before is what matters.
        with suppress(Exception):
            if self.verified_early:
                self._file.close()
            elif not self._committed:
                self._file.discard()
                # Closing it would complete the file in the store.
                self._file.closed = True
        # An object has its name before it can be read back.
        if self.verified_early != self._committed:
            with suppress(Exception):
                self._end.fs.rm_file(self._at)


def _file_system(place: Place) -> Any:
    attach = import_module("airflow.sdk.io" if find_spec("airflow.sdk") else "airflow.io.store").attach
    try:
        return attach(protocol=place.scheme, conn_id=place.conn_id).fs
    except (ValueError, ImportError) as error:
        raise InvalidPathError(
            f"There is no file system for {place.scheme}:// paths ({error}): install the Airflow provider that has one"
        ) from None


def _name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _item(path: str, names: tuple[str, ...], info: Mapping[str, Any]) -> Item:
    is_folder = info["type"] == "directory"
    size = 0 if is_folder else int(info.get("size") or 0)
    version = next((_plain(info[key]) for key in _VERSION_KEYS if info.get(key) is not None), "")
    modified = next((time for key in _TIME_KEYS if (time := _time(info.get(key))) is not None), None)
    return Item(path, names, size, f"{size} {version}", modified, is_folder=is_folder)


def _plain(value: object) -> str:
    time = _time(value)
    return str(value) if time is None else f"{time:.6f}"


def _time(value: object) -> float | None:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
