"""Tests what is assumed about files, in a folder that is made for this and removed."""

from __future__ import annotations

import secrets
import uuid
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import QuatrixConflict, QuatrixNotFound, QuatrixTransferError
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.models import FileKind
from airflow_provider_quatrix.api.paths import counted, join, split

if TYPE_CHECKING:
    from airflow_provider_quatrix.api.files import FilesApi
    from airflow_provider_quatrix.api.models import RemoteFile
    from airflow_provider_quatrix.cli.findings import Findings
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

_HALF = 1024
_DATA = bytes(range(256)) * (2 * _HALF // 256)
# In the past, so that the service would not choose it itself. Binary fractions keep it exact.
_MODIFIED = 1_500_000_000.140625
_SMALLEST_DIFFERENCE = 1e-6


class _Part(BytesIO):
    """Bytes to send."""

    def __len__(self) -> int:
        return len(self.getbuffer())


def try_files(live: Findings, hook: QuatrixHook, folder: str) -> None:
    """Test what is assumed about files.

    :param live: takes the findings.
    :param hook: makes the calls.
    :param folder: path of the folder in which to make another.
    :raises QuatrixError: the folder that was made cannot be removed.
    """
    files, name = hook.client.files, f"quatrix-check-{secrets.token_hex(4)}"
    with live.trying("path"):
        above = hook._tree().folder_id(folder)
        made = files.make_folder(above, name)
        try:
            _try_names(live, files, above, made)
            _try_objects(live, files, made)
        finally:
            files.delete([made.id], permanently=True)
        if files.find(name, above) is not None:
            raise QuatrixTransferError(f"{join((*split(folder), name))} could not be removed: remove it by hand")


def _try_names(live: Findings, files: FilesApi, above: str, made: RemoteFile) -> None:
    with live.trying("listing"):
        odd = [entry for entry in files.children(above) if entry.problem or entry.odd_time]
        live.found("listing", not odd, f"{len(odd)} without" if odd else "")
    there, nothing = files.find(made.name, above), files.find("nothing.bin", made.id)
    live.found("path", there == (made.id, FileKind.FOLDER) and nothing is None)
    with live.trying("not-found"):
        live.found("not-found", not _exists(files, str(uuid.uuid4())))
    with live.trying("conflict"):
        try:
            files.make_folder(above, made.name)
            live.found("conflict", holds=False, seen="a second folder got the same name")
        except QuatrixConflict as refusal:
            live.found("conflict", holds=True, seen=str(refusal))


def _try_objects(live: Findings, files: FilesApi, folder: RemoteFile) -> None:
    file_id = _try_upload(live, files, folder)
    if file_id is None:
        return
    _try_download(live, files, file_id)
    copy_id = _try_moves(live, files, folder, file_id)
    if copy_id is not None:
        _try_deletion(live, files, folder, copy_id)


def _try_upload(live: Findings, files: FilesApi, folder: RemoteFile) -> str | None:
    """Upload a file in two chunks, and return its id."""
    with live.trying("finalize-size"):
        link = files.upload_link(folder.id, "one.bin", len(_DATA))

        def send(offset: int) -> None:
            part = _DATA[offset : offset + _HALF]
            files.upload_chunk(link.key, offset, len(part), len(_DATA), partial(_Part, part))

        send(0)
        with live.trying("unfinished-visible"):
            names = [entry.name for entry in files.children(folder.id)]
            live.found("unfinished-visible", "one.bin" in names)
        send(_HALF)
        with live.trying("chunk-again"):
            send(_HALF)
            live.found("chunk-again", holds=True)
        file_id, size = files.finalize(link.key, _MODIFIED)
        live.found("finalize-size", size == len(_DATA), f"{size} of {len(_DATA)} bytes")
        with live.trying("finalize-once"):
            try:
                files.finalize(link.key, _MODIFIED)
                live.found("finalize-once", holds=False, seen="accepted")
            except QuatrixNotFound as refusal:
                live.found("finalize-once", holds=True, seen=str(refusal))
        with live.trying("modified-exact"):
            kept = files.stat(file_id).modified
            live.found(
                "modified-exact", abs(kept - _MODIFIED) <= _SMALLEST_DIFFERENCE, f"{kept:.6f} for {_MODIFIED:.6f}"
            )
        return file_id
    return None


def _try_download(live: Findings, files: FilesApi, file_id: str) -> None:
    with live.trying("range"):
        link = files.download_link([file_id])
        with files.open_download(link, _HALF, _HALF + 10) as part:
            # Never more than the file has, whatever the service sends.
            data = part.raw.read(len(_DATA))
            live.found(
                "range",
                part.status_code == 206 and data == _DATA[_HALF : _HALF + 10],
                f"HTTP {part.status_code}, {len(data)} bytes",
            )
        with live.trying("link-again"), files.open_download(link) as whole:
            live.found("link-again", whole.raw.read(len(_DATA)) == _DATA, f"HTTP {whole.status_code}")


def _try_moves(live: Findings, files: FilesApi, folder: RemoteFile, file_id: str) -> str | None:
    """Move and copy the file, and return the id of the last copy."""
    with live.trying("move"):
        moved = files.move(file_id, folder.id, "two.bin", if_exists=IfExists.FAIL)
        live.found("move", (moved.id, moved.name) == (file_id, "two.bin"))
    with live.trying("copy"):
        copy = files.copy(file_id, folder.id, "three.bin", if_exists=IfExists.FAIL)
        live.found("copy", copy.id != file_id and copy.size == len(_DATA))
        with live.trying("counted-name"):
            another = files.copy(file_id, folder.id, "three.bin", if_exists=IfExists.RENAME)
            live.found("counted-name", another.name == counted("three.bin", 1), another.name)
        with live.trying("overwrite"):
            files.move(copy.id, folder.id, "two.bin", if_exists=IfExists.OVERWRITE)
            named = [entry.id for entry in files.children(folder.id) if entry.name == "two.bin"]
            live.found("overwrite", named == [copy.id])
            with live.trying("overwrite-final"):
                left = _exists(files, file_id)
                live.found("overwrite-final", not left, "in the Trash" if left else "")
                if left:
                    files.delete([file_id], permanently=True)
        return copy.id
    return None


def _try_deletion(live: Findings, files: FilesApi, folder: RemoteFile, file_id: str) -> None:
    with live.trying("delete-unknown"):
        spare, unknown = files.make_folder(folder.id, "spare"), str(uuid.uuid4())
        missing = files.delete([spare.id, unknown], permanently=True)
        live.found("delete-unknown", missing == (unknown,) and not _exists(files, spare.id))
    with live.trying("trash"):
        files.delete([file_id])
        if not _exists(files, file_id):
            live.found("trash", holds=False, seen="gone at once")
            return
        in_trash = files.stat(files.stat(file_id).parent_id).kind is FileKind.TRASH
        files.delete([file_id], permanently=True)
        gone = not _exists(files, file_id)
        live.found("trash", in_trash and gone, "" if gone else "still there")


def _exists(files: FilesApi, file_id: str) -> bool:
    try:
        files.stat(file_id)
    except QuatrixNotFound:
        return False
    return True
