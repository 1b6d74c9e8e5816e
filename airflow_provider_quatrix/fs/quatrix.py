"""The fsspec file system of ``quatrix://`` paths."""

from __future__ import annotations

import errno
import fnmatch
import functools
import hashlib
import os
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from fsspec import register_implementation
from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.spec import AbstractFileSystem
from fsspec.utils import isfilelike, stringify_path
from upath import UPath

from airflow_provider_quatrix.api.errors import QuatrixConflict
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.models import FileKind
from airflow_provider_quatrix.api.paths import InvalidPathError, all_of, join, safe_local_name, split
from airflow_provider_quatrix.fs.file import CompressedWriter, QuatrixFile, TextWriter
from airflow_provider_quatrix.hooks.arguments import DEFAULT_CONN_ID
from airflow_provider_quatrix.transfer.local_files import LocalFiles, open_local
from airflow_provider_quatrix.transfer.temporary import is_temporary
from airflow_provider_quatrix.transfer.tree import LeftOut, RemoteTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_provider_quatrix.api.client import QuatrixClient
    from airflow_provider_quatrix.api.models import RemoteFile
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
    from airflow_provider_quatrix.transfer.reader import RangeReader

schemes = ["quatrix"]

# A long-lived process uses a changed connection after so many seconds. Airflow logs each lookup of a connection.
_CONNECTION_SECONDS = 60.0
# Options that fsspec itself gives to any file system.
_FSSPEC_OPTIONS = {
    "asynchronous",
    "listings_expiry_time",
    "loop",
    "max_paths",
    "skip_instance_cache",
    "use_listings_cache",
}


def get_fs(conn_id: str | None, storage_options: Mapping[str, Any] | None = None) -> QuatrixFileSystem:
    """Return the file system of a connection, for ``ObjectStoragePath``; reads the connection when it is used.

    :param conn_id: connection of type ``quatrix``; the default one if absent.
    :param storage_options: options of :class:`QuatrixFileSystem`.
    :return: the file system.
    """
    return QuatrixFileSystem(**{"quatrix_conn_id": conn_id or DEFAULT_CONN_ID, **(storage_options or {})})


def _at_once(name: str) -> Callable[..., Any]:
    """Wrap a method of fsspec so that it is one operation, which looks up each folder once."""
    method = getattr(AbstractFileSystem, name)

    @functools.wraps(method)
    def run(self: QuatrixFileSystem, *arguments: Any, **options: Any) -> Any:
        with self._operation():
            return method(self, *arguments, **options)

    return run


class QuatrixFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """The files of a Quatrix account. All paths are from the home folder.

    Nothing is kept between two operations: listings are never cached, so changes by others are seen. Listings do not
    contain the Trash, or files that are still being written.

    :param quatrix_conn_id: connection of type ``quatrix``.
    :param client: a signed-in client instead of a connection, for use without Airflow. Such a file system cannot be
        pickled or turned into JSON.
    :param auto_mkdir: make the missing folders of a path that is written, as object stores seem to do; otherwise a
        missing folder is an error.
    :param delete_permanently: do not keep deleted files in the Trash.
    :param resume_key: who writes, the same in every try: what a killed try left is resumed or removed by the next one.
        Default: that of the running task.
    """

    protocol = "quatrix"
    root_marker = "/"

    def __init__(
        self,
        quatrix_conn_id: str = DEFAULT_CONN_ID,
        *,
        client: QuatrixClient | None = None,
        auto_mkdir: bool = True,
        delete_permanently: bool = False,
        resume_key: str = "",
        **storage_options: Any,
    ) -> None:
        unknown = sorted(set(storage_options) - _FSSPEC_OPTIONS)
        if unknown:
            raise TypeError(
                f"QuatrixFileSystem does not know the options {', '.join(unknown)}: credentials and the like belong "
                "into the connection"
            )
        super().__init__(**storage_options)
        self.quatrix_conn_id = quatrix_conn_id
        self.auto_mkdir = auto_mkdir
        self.delete_permanently = delete_permanently
        self._given_client = client
        self._given_resume_key = resume_key
        self._local = threading.local()
        self._known_hook: tuple[QuatrixHook, float, tuple[int, int]] | None = None

    def __repr__(self) -> str:
        source = "a client" if self._given_client is not None else self.quatrix_conn_id
        return f"<{type(self).__name__} of {source}>"

    def __reduce__(self) -> Any:
        self._check_portable()
        return super().__reduce__()

    def to_dict(self, **options: Any) -> dict[str, Any]:
        """Return what this file system can be created from again; it contains no secrets.

        :return: class, connection id and options.
        """
        self._check_portable()
        return cast("dict[str, Any]", super().to_dict(**options))

    def _check_portable(self) -> None:
        if self._given_client is not None:
            raise TypeError("A file system made with a client stays in its process: make it with a connection id")

    @property
    def fsid(self) -> str:
        """Identifies the account's file system permanently."""
        if self._given_client is not None:
            return f"quatrix-{urlsplit(self._given_client.base_url).netloc}"
        return f"quatrix-{self.quatrix_conn_id}"

    @property
    def client(self) -> QuatrixClient:
        """The client, which signs in when it is first used."""
        return self._given_client if self._given_client is not None else self._hook().client

    def _hook(self) -> QuatrixHook:
        # A changed connection in the environment takes effect at once, and a forked process has connections of its own.
        text = os.environ.get(f"AIRFLOW_CONN_{self.quatrix_conn_id.upper()}", "")
        process = (os.getpid(), hash(text))
        known = self._known_hook
        if known is not None and known[2] == process and time.monotonic() - known[1] < _CONNECTION_SECONDS:
            return known[0]
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        hook = QuatrixHook(self.quatrix_conn_id)
        if known is not None and known[2] == process and known[0].settings == hook.settings:
            hook = known[0]
        self._known_hook = (hook, time.monotonic(), process)
        return hook

    def invalidate_cache(self, path: str | None = None) -> None:
        """Read the connection again; there is no cache of listings.

        :param path: ignored.
        """
        if path is None:
            self._known_hook = None
        super().invalidate_cache(path)

    def tree(self) -> RemoteTree:
        """Return the file tree, for one operation: it remembers the folders it has seen."""
        return RemoteTree(self.client.files)

    def resume_key(self) -> str:
        """Return who writes; empty if nobody would resume what is left unfinished."""
        from airflow_provider_quatrix.hooks.attempt import Attempt

        return self._given_resume_key or (Attempt.running().resume_key if self._given_client is None else "")

    @contextmanager
    def _operation(self, tree: RemoteTree | None = None) -> Iterator[RemoteTree]:
        """Share one tree among all calls inside, in this thread."""
        outer: RemoteTree | None = getattr(self._local, "tree", None)
        if outer is not None and tree is None:
            yield outer
            return
        self._local.tree = tree or self.tree()
        try:
            yield self._local.tree
        finally:
            self._local.tree = outer

    # Paths

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        """Return the path from the home folder, for a URL or a path."""
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        text = str(stringify_path(path))
        for prefix in ("quatrix://", "quatrix::"):
            if text.startswith(prefix):
                text = text.removeprefix(prefix)
                first, slash, rest = text.partition("/")
                if "@" not in first and DEFAULT_CONN_ID in first:
                    raise InvalidPathError(
                        f"The URL is quatrix://{text}: did you mean quatrix://{first}@/{rest}? For such a folder "
                        f"write three slashes, quatrix:///{text}"
                    )
                text = first.rpartition("@")[2] + slash + rest
                break
        return "/" + "/".join(name for name in text.split("/") if name)

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, Any]:
        """Return the connection id in a URL: ``quatrix://conn_id@/folder/file``."""
        if not path.startswith("quatrix://"):
            return {}
        conn_id, at, _ = path.removeprefix("quatrix://").partition("/")[0].rpartition("@")
        return {"quatrix_conn_id": conn_id} if at and conn_id else {}

    def unstrip_protocol(self, name: str) -> str:
        """Return the URL of a path, with its connection."""
        path = self._strip_protocol(name)
        if self._given_client is not None or self.quatrix_conn_id == DEFAULT_CONN_ID:
            return f"quatrix://{path}"
        return f"quatrix://{self.quatrix_conn_id}@{path}"

    # Looking

    def _find(self, path: str) -> FileKind | None:
        names = self._strip_protocol(path)
        with self._operation() as tree:
            try:
                found = tree.find(names)
            except ValueError:
                # A name that Quatrix does not accept cannot exist.
                return None
        return None if found is None else found[1]

    def exists(self, path: str, **kwargs: Any) -> bool:
        """Return whether there is a file or folder.

        :return: ``False`` only if Quatrix says so; a failed call is an error.
        """
        return self._find(path) is not None

    def isfile(self, path: str) -> bool:
        """Return whether there is a file; errors as for :meth:`exists`."""
        return self._find(path) is FileKind.FILE

    def isdir(self, path: str) -> bool:
        """Return whether there is a folder; errors as for :meth:`exists`."""
        kind = self._find(path)
        return kind is not None and kind.is_folder

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """Return the metadata of a file or folder.

        :return: ``name``, ``size`` in bytes (0 for a folder), ``type``, ``created`` and ``mtime`` (Unix time), ``id``,
            and ``ino``, a number made from the id.
        :raises FileNotFoundError: nothing is there.
        """
        path = self._strip_protocol(path)
        with self._operation() as tree:
            return _info(path, tree.stat(path))

    def ls(
        self,
        path: str,
        detail: bool = True,
        *,
        tree: RemoteTree | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        """Return the content of a folder, or the file itself.

        :param detail: dictionaries as from :meth:`info` instead of paths.
        :param tree: to share its lookups.
        :return: in the server's order.
        :raises FileNotFoundError: nothing is there.
        """
        path = self._strip_protocol(path)
        with self._operation(tree) as shared:
            try:
                children = shared.children(path)
            except QuatrixConflict:
                entries = [self.info(path)]
            else:
                entries = [_info(f"{path.rstrip('/')}/{entry.name}", entry) for entry in children if _is_shown(entry)]
        return entries if detail else [entry["name"] for entry in entries]

    def walk(
        self, path: str, maxdepth: int | None = None, topdown: bool = True, on_error: Any = "omit", **kwargs: Any
    ) -> Iterator[Any]:
        """Yield folders with their content, as fsspec does, at any depth; each folder costs one call.

        :param topdown: folders ahead of their content.
        :param on_error: ``omit`` leaves out what does not exist (any more); a folder that cannot be listed is an error.
        """
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")
        if on_error == "omit":
            on_error = _omit_what_is_absent
        if kwargs.get("tree") is None:
            kwargs["tree"] = getattr(self._local, "tree", None) or self.tree()
        waiting: list[tuple[str, int, Any]] = [(path, 1, None)]
        while waiting:
            at, level, known = waiting.pop()
            # One level, by fsspec's own method.
            found = known or next(super().walk(at, 1, on_error=on_error, **kwargs), None)
            if found is None:
                continue
            if topdown or known is not None:
                yield found
            else:
                waiting.append((at, level, found))
            if known is None and (maxdepth is None or level < maxdepth):
                folder, names, _ = found
                below = [(f"{folder.rstrip('/')}/{name}", level + 1, None) for name in names]
                waiting += reversed(below)

    def du(
        self,
        path: str,
        total: bool = True,
        maxdepth: int | None = None,
        withdirs: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return the bytes of all files below a folder.

        :param total: one number instead of one per file.
        :param withdirs: also list folders, with 0 bytes.
        :return: bytes, or bytes by path.
        """
        found = self.find(path, maxdepth=maxdepth, withdirs=withdirs, detail=True, **kwargs)
        sizes = {name: entry["size"] for name, entry in found.items()}
        return sum(sizes.values()) if total else sizes

    def checksum(self, path: str) -> int:
        """Return a number that changes when the file does. Quatrix has no checksums, so it is made from id and time."""
        return int(self.ukey(path)[:16], 16)

    def ukey(self, path: str) -> str:
        """Return a text that changes when the file does."""
        entry = self.info(path)
        version = f"{entry['id']} {entry['size']} {entry['mtime']:.6f}"
        return hashlib.sha256(version.encode()).hexdigest()

    def created(self, path: str) -> datetime:
        """Return when a file or folder was made, in UTC."""
        return datetime.fromtimestamp(self.info(path)["created"], UTC)

    def modified(self, path: str) -> datetime:
        """Return when a file or folder was last changed, in UTC."""
        return datetime.fromtimestamp(self.info(path)["mtime"], UTC)

    find = _at_once("find")
    glob = _at_once("glob")
    expand_path = _at_once("expand_path")

    # Reading

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> QuatrixFile:
        return QuatrixFile(self, path, mode, block_size, autocommit, cache_options=cache_options, **kwargs)

    def open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: dict[str, Any] | None = None,
        compression: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Open a file, see :class:`~airflow_provider_quatrix.fs.file.QuatrixFile`.

        :param mode: read (``r``), write (``w``), write a new file (``x``) or append (``a``); with ``b`` bytes.
        :param block_size: bytes read or sent at a time.
        :param cache_options: of fsspec's read-ahead.
        :param compression: name of a compression, or ``infer``.
        :param kwargs: ``encoding``, ``errors``, ``newline`` for text; others of fsspec.
        :return: the open file.
        """
        options: dict[str, Any] = {"block_size": block_size, "cache_options": cache_options}
        if "r" in mode:
            return super().open(path, mode, compression=compression, **options, **kwargs)
        text = {name: kwargs.pop(name) for name in ("encoding", "errors", "newline") if name in kwargs}
        file: QuatrixFile = super().open(path, mode.replace("t", "").rstrip("b") + "b", **options, **kwargs)
        target: Any = file
        if compression is not None:
            target = CompressedWriter(_packer(file, self._strip_protocol(path), compression), file)
        return target if "b" in mode else TextWriter(target, file, **text)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """Return a file's bytes.

        :param start: first byte; counted from the end if negative.
        :param end: byte after the last one; counted from the end if negative.
        :return: the bytes.
        """
        path = self._strip_protocol(path)
        with self._operation() as tree:
            reader, size = self._reader(tree, path)
        return reader.read(*slice(start, end).indices(size)[:2])

    def _reader(self, tree: RemoteTree, path: str) -> tuple[RangeReader, int]:
        from airflow_provider_quatrix.transfer.reader import RangeReader

        file = tree.stat(path)
        if file.kind.is_folder:
            raise IsADirectoryError(f"{path!r} is a folder")
        return RangeReader(tree.files, file.id, path, size=file.size, modified=file.modified), file.size

    def cat_ranges(
        self,
        paths: list[str],
        starts: Any,
        ends: Any,
        max_gap: int | None = None,
        on_error: str = "return",
        **kwargs: Any,
    ) -> list[Any]:
        """Return ranges of files; each file is looked up once.

        :param paths: one for each range.
        :param starts: first bytes, or one for all.
        :param ends: bytes after the last ones, or one for all.
        :param max_gap: not supported.
        :param on_error: ``return`` returns an error instead of the bytes; anything else raises it.
        :return: the bytes of each range.
        """
        if max_gap is not None:
            raise NotImplementedError("max_gap is not supported")
        if not isinstance(paths, list):
            raise TypeError("paths must be a list")
        starts = starts if isinstance(starts, list) else [starts] * len(paths)
        ends = ends if isinstance(ends, list) else [ends] * len(paths)
        readers: dict[str, tuple[RangeReader, int]] = {}
        out: list[Any] = []
        with self._operation() as tree:
            for path, start, end in zip(map(self._strip_protocol, paths), starts, ends, strict=True):
                try:
                    if path not in readers:
                        readers[path] = self._reader(tree, path)
                    reader, size = readers[path]
                    out.append(reader.read(*slice(start, end).indices(size)[:2]))
                except Exception as error:
                    if on_error != "return":
                        raise
                    out.append(error)
        return out

    def head(self, path: str, size: int = 1024) -> bytes:
        """Return a file's first bytes."""
        return self.cat_file(path, 0, size)

    def tail(self, path: str, size: int = 1024) -> bytes:
        """Return a file's last bytes."""
        return self.cat_file(path, -size) if size else b""

    cat = _at_once("cat")

    # Moving bytes

    def get_file(
        self, rpath: str, lpath: Any = None, callback: Any = DEFAULT_CALLBACK, outfile: Any = None, **kwargs: Any
    ) -> None:
        """Download a file: as a whole or not at all, and resumed by a retry. A folder is only made.

        :param rpath: from the home folder.
        :param outfile: an open file to write to instead.
        """
        from airflow_provider_quatrix.transfer.download import Downloader

        try:
            for name in split(self._strip_protocol(rpath)):
                safe_local_name(name)
        except InvalidPathError as error:
            outer: RemoteTree | None = getattr(self._local, "tree", None)
            if outer is None:
                raise
            # One of many; the others continue without it.
            outer.left_out.append(LeftOut(tuple(rpath.split("/")[1:]), str(error)))
            return
        target = outfile if outfile is not None else lpath
        if isfilelike(target) or (Path(target).exists() and not Path(target).is_file() and not Path(target).is_dir()):
            super().get_file(rpath, lpath, callback=callback, outfile=outfile)
            return
        rpath, place = self._strip_protocol(rpath), Path(target)
        with self._operation() as tree:
            remote = tree.stat(rpath)
            if remote.kind.is_folder:
                place.mkdir(parents=True, exist_ok=True)
                return
            place.parent.mkdir(parents=True, exist_ok=True)
            callback.set_size(remote.size)
            downloader = Downloader(tree.files, progress=callback.relative_update)
            downloader.download(remote, place, if_exists=IfExists.OVERWRITE)

    def put_file(
        self, lpath: Any, rpath: str, callback: Any = DEFAULT_CALLBACK, mode: str = "overwrite", **kwargs: Any
    ) -> None:
        """Upload a file: as a whole or not at all, and resumed by a retry. A folder is only made.

        :param rpath: from the home folder.
        :param mode: ``create`` if the file must not exist.
        """
        from airflow_provider_quatrix.transfer.journal import Journal
        from airflow_provider_quatrix.transfer.upload import Uploader

        source, rpath = Path(lpath), self._strip_protocol(rpath)
        if source.is_dir():
            self.makedirs(rpath, exist_ok=True)
            return
        if self._intrans:
            # It is committed or discarded at the end of the transaction.
            with os.fdopen(open_local(source), "rb") as file:
                self._put_stream(file, rpath, mode)
            return
        resume_key = self.resume_key()
        resumable = resume_key and self._given_client is None
        checkpoint = self._hook()._checkpoint(f"{resume_key}\0{rpath}") if resumable else None
        journal = Journal(checkpoint, is_retry=True)
        callback.set_size(source.stat().st_size)
        with self._operation() as tree:
            uploader = Uploader(
                tree,
                resume_key=resume_key,
                journal=journal,
                keep_unfinished=checkpoint is not None,
                progress=callback.relative_update,
            )
            uploader.upload(
                source,
                rpath,
                if_exists=IfExists.FAIL if mode == "create" else IfExists.OVERWRITE,
                create_parents=self.auto_mkdir,
            )
            journal.delete()

    def _put_stream(self, source: Any, rpath: str, mode: str) -> None:
        with self.open(rpath, "xb" if mode == "create" else "wb") as target:
            while data := source.read(target.blocksize):
                target.write(data)

    def pipe_file(self, path: str, value: Any, mode: str = "overwrite", **kwargs: Any) -> None:
        """Write bytes into a file.

        :param mode: ``create`` if the file must not exist.
        """
        with self.open(path, "xb" if mode == "create" else "wb", **kwargs) as file:
            file.write(value)

    def touch(self, path: str, truncate: bool = True, **kwargs: Any) -> None:
        """Make an empty file, or set a file's time to now."""
        with self._operation() as tree:
            found = None if truncate else tree.find(self._strip_protocol(path))
            if found is not None:
                tree.files.set_modified(found[0], time.time())
                return
            self.pipe_file(path, b"", **kwargs)

    def get(
        self,
        rpath: Any,
        lpath: Any,
        recursive: bool | None = None,
        callback: Any = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Download files, and folders with everything in them.

        :param rpath: a path, a pattern, or several.
        :param lpath: local path, or the folder for the files.
        :param recursive: include folders. ``None`` leaves them out, as fsspec does; ``False`` makes a given folder an
            error.
        :raises IsADirectoryError: a folder, and not recursive.
        :raises InvalidPathError: some could not be downloaded; all others were.
        """
        with self._operation() as tree:
            self._refuse_folder(rpath, recursive)
            super().get(rpath, lpath, recursive=bool(recursive), callback=callback, maxdepth=maxdepth, **kwargs)
            _check_complete(tree, rpath)

    def put(
        self,
        lpath: Any,
        rpath: Any,
        recursive: bool | None = None,
        callback: Any = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Upload files, and folders with everything in them.

        :param lpath: a local path, a pattern, or several.
        :param rpath: path from the home folder, or the folder for the files.
        :param recursive: include folders. ``None`` leaves them out, as fsspec does; ``False`` makes a given folder an
            error.
        :raises IsADirectoryError: a folder, and not recursive.
        :raises InvalidPathError: not all of a folder can be uploaded; nothing was.
        """
        with self._operation():
            folder = isinstance(lpath, str | os.PathLike) and Path(lpath).is_dir()
            if folder and recursive is False:
                raise _not_recursive(str(lpath))
            if folder and recursive and maxdepth is None:
                lpath, rpath = self._local_tree(os.fspath(lpath), rpath)
            super().put(lpath, rpath, recursive=bool(recursive), callback=callback, maxdepth=maxdepth, **kwargs)

    def _local_tree(self, folder: str, rpath: str) -> tuple[list[str], list[str]]:
        """Return everything in a local folder, and the target of each."""
        base, into = self._strip_protocol(rpath), str(rpath).endswith("/")
        if not folder.endswith("/") and (into or self.isdir(base)):
            base = f"{base.rstrip('/')}/{Path(folder).absolute().name}"
        files = LocalFiles()
        entries = list(files.below(Path(folder)))
        files.check()
        return (
            [folder, *(str(entry.path) for entry in entries)],
            [base, *(f"{base.rstrip('/')}{join(entry.names)}" for entry in entries)],
        )

    def _refuse_folder(self, path: Any, recursive: bool | None) -> None:
        """Raise for a folder if the caller has excluded folders, instead of silently doing nothing."""
        if recursive is False and isinstance(path, str | os.PathLike) and self.isdir(str(path)):
            raise _not_recursive(str(path))

    # On the server

    def mkdir(self, path: str, create_parents: bool = True, **kwargs: Any) -> None:
        """Make a folder.

        :param create_parents: make missing folders above it.
        :raises FileExistsError: something is there.
        :raises FileNotFoundError: the folder above is missing.
        """
        path = self._strip_protocol(path)
        with self._operation() as tree:
            if tree.find(path) is not None:
                raise FileExistsError(f"{path!r} exists")
            tree.folder_id(join(split(path)[:-1]), create=create_parents)
            tree.folder_id(path, create=True)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a folder, and all missing folders above it.

        :param exist_ok: a folder that exists is fine.
        :raises FileExistsError: something is there.
        """
        if not exist_ok:
            self.mkdir(path)
            return
        with self._operation() as tree:
            tree.folder_id(self._strip_protocol(path), create=True)

    def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        """Copy a file on the server; an existing file is replaced. A folder is only made."""
        path1, path2 = self._strip_protocol(path1), self._strip_protocol(path2)
        with self._operation() as tree:
            found = tree.find(path1)
            if found is not None and found[1].is_folder:
                tree.folder_id(path2, create=True)
                return
            self._transplant(tree.copy, path1, path2, known=found)

    def mv_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        """Move a file or folder on the server; a file may replace another one."""
        with self._operation() as tree:
            self._transplant(tree.move, self._strip_protocol(path1), self._strip_protocol(path2))

    def _transplant(self, action: Callable[..., Any], path1: str, path2: str, **known: Any) -> None:
        if path1 != path2:
            action(path1, path2, if_exists=IfExists.OVERWRITE, create_parents=self.auto_mkdir, **known)

    def mv(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Move files and folders on the server; a folder goes as a whole.

        :param path1: a path, a pattern, or paths.
        :param path2: the new path, or the folder for it.
        :param recursive: with a pattern: also what is below the folders that match.
        :param maxdepth: with a pattern: levels.
        """
        with self._operation():
            if not isinstance(path1, str | os.PathLike) or has_magic(str(path1)) or maxdepth is not None:
                super().mv(path1, path2, recursive=recursive, maxdepth=maxdepth, **kwargs)
                return
            source, into = self._strip_protocol(path1), str(path2).endswith("/")
            target = self._strip_protocol(path2)
            if source != target and (into or self.isdir(target)):
                target = f"{target.rstrip('/')}/{source.rpartition('/')[2]}"
            self.mv_file(source, target)

    def rm_file(self, path: str) -> None:
        """Delete a file.

        :raises FileNotFoundError: there is none.
        :raises IsADirectoryError: it is a folder.
        """
        path = self._strip_protocol(path)
        with self._operation() as tree:
            if self.isdir(path):
                raise IsADirectoryError(f"{path!r} is a folder: delete it with recursive=True")
            tree.delete([path], permanently=self.delete_permanently)

    _rm = rm_file

    def rmdir(self, path: str) -> None:
        """Delete an empty folder.

        :raises OSError: it is not empty.
        """
        path = self._strip_protocol(path)
        with self._operation() as tree:
            kind = self._find(path)
            if kind is not None and not kind.is_folder:
                raise NotADirectoryError(f"{path!r} is a file")
            if tree.children(path):
                raise OSError(errno.ENOTEMPTY, "The folder is not empty", path)
            tree.delete([path], permanently=self.delete_permanently)

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Delete files, and folders with everything in them.

        :param path: a path, a pattern, or several.
        :param recursive: include folders.
        :param maxdepth: only what is at most so many levels deep; folders with more in them stay.
        :raises FileNotFoundError: nothing is at a path; then nothing was deleted.
        """
        with self._operation() as tree:
            paths = self.expand_path(path, recursive=recursive and maxdepth is not None, maxdepth=maxdepth)
            folders = [one for one in paths if self.isdir(one)]
            if folders and not recursive:
                raise IsADirectoryError(f"{folders[0]!r} is a folder: delete it with recursive=True")
            if maxdepth is None:
                tree.delete(paths, permanently=self.delete_permanently)
                return
            files = [one for one in paths if one not in set(folders)]
            tree.delete(files, permanently=self.delete_permanently)
            for folder in sorted(folders, key=len, reverse=True):
                if not tree.children(folder):
                    tree.delete([folder], permanently=self.delete_permanently)

    def copy(
        self,
        path1: Any,
        path2: Any,
        recursive: bool | None = None,
        maxdepth: int | None = None,
        on_error: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Copy files, and folders with everything in them, on the server.

        :param path1: a path, a pattern, or several.
        :param path2: the copy, or the folder for it.
        :param recursive: include folders. ``None`` leaves them out, as fsspec does; ``False`` makes a given folder an
            error.
        :param on_error: ``ignore`` leaves out what was deleted in the meantime; by default that is an error.
        :raises IsADirectoryError: a folder, and not recursive.
        :raises InvalidPathError: some could not be copied; all others were.
        """
        with self._operation() as tree:
            self._refuse_folder(path1, recursive)
            super().copy(path1, path2, bool(recursive), maxdepth, on_error or "raise", **kwargs)
            _check_complete(tree, path1)


# The paths of Airflow 2 need the class itself; the entry point gives them only its name.
register_implementation("quatrix", QuatrixFileSystem, clobber=True)


def _omit_what_is_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _not_recursive(path: str) -> IsADirectoryError:
    return IsADirectoryError(
        f"{path!r} is a folder: give recursive=True, or move it with QuatrixTransferOperator or QuatrixCopyOperator"
    )


def _check_complete(tree: RemoteTree, path: Any) -> None:
    """Raise if a path or pattern included something that cannot be used."""
    left_out: list[LeftOut] = tree.left_out
    if isinstance(path, str | os.PathLike) and has_magic(str(path)):
        left_out = [entry for entry in left_out if fnmatch.fnmatchcase(join(entry.names), str(path))]
    if left_out:
        raise InvalidPathError(f"Not everything could be used: {all_of(left_out)}. The rest was")


def _is_shown(entry: RemoteFile) -> bool:
    return entry.kind is not FileKind.TRASH and not is_temporary(entry.name)


def _info(path: str, file: RemoteFile) -> dict[str, Any]:
    folder = file.kind.is_folder
    return {
        "name": path,
        "size": 0 if folder else file.size,
        "type": "directory" if folder else "file" if file.kind is FileKind.FILE else "other",
        "created": file.created,
        "mtime": file.modified,
        "id": file.id,
        "ino": int.from_bytes(hashlib.sha256(file.id.encode()).digest()[:8]),
    }


def _packer(file: QuatrixFile, path: str, compression: str) -> Any:
    from fsspec.compression import compr
    from fsspec.core import get_compression

    return compr[get_compression(path, compression)](file, mode=file.mode[0])


class QuatrixPath(UPath):
    """A path on Quatrix for universal-pathlib, on which ``ObjectStoragePath`` is built.

    The library warns of a protocol without a path class, as it cannot find the file system either.
    """

    __slots__ = ()
