"""What a long transfer does beside moving bytes: it keeps the session, and brings files to the disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from transfer_notes import USER

from airflow_provider_quatrix.api.errors import QuatrixTransferError
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.transfer import reader, sinks, writer
from airflow_provider_quatrix.transfer.chunks import MIB, SMALLEST_CHUNK
from airflow_provider_quatrix.transfer.stream_writer import StreamWriter

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, quatrix_emulator: EmulatorClient) -> EmulatorClient:
    """A service that does not take moving bytes for a use of the session, which is to be kept at every chance."""
    quatrix_emulator.configure(transfers_refresh=False)
    for module in (reader, writer):
        monkeypatch.setattr(module, "KEEPALIVE_SECONDS", 0.0)
    return quatrix_emulator


def test_a_long_upload_keeps_the_session(impatient: EmulatorClient, hook: QuatrixHook, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(2 * SMALLEST_CHUNK))
    hook.upload(str(tmp_path / "a"), "/a")
    assert impatient.calls("GET", "session/keepalive") >= 2


def test_a_long_download_keeps_the_session(impatient: EmulatorClient, hook: QuatrixHook, tmp_path: Path) -> None:
    impatient.put_file(USER, "/a", bytes(2 * SMALLEST_CHUNK))
    hook.download("/a", tmp_path / "a")
    assert impatient.calls("GET", "session/keepalive") >= 2


def test_a_file_that_is_long_in_writing_keeps_the_session(impatient: EmulatorClient, hook: QuatrixHook) -> None:
    file = StreamWriter(hook._tree(), "/a")
    file.begin(2)
    for data in (b"1", b"2"):
        file.send(data)
    file.finish()
    file.commit(IfExists.FAIL)
    assert impatient.calls("GET", "session/keepalive") >= 2
    assert impatient.read_file(USER, "/a") == b"12"


@pytest.mark.parametrize("if_exists", ["fail", "overwrite"])
def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_too_before_the_end(
    quatrix_emulator: EmulatorClient,
    hook: QuatrixHook,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    if_exists: str,
) -> None:
    quatrix_emulator.put_file(USER, "/a", b"1" * 1000)
    synced: list[tuple[str, list[str]]] = []
    fsync = os.fsync

    def recording(fd: int) -> None:
        name = Path(f"/proc/self/fd/{fd}").readlink().name
        synced.append((name, [path.name for path in tmp_path.iterdir()]))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", recording)
    hook.download("/a", tmp_path / "a", if_exists=if_exists)
    (part, then), (folder, at_last) = synced
    assert part.endswith(".quatrix-part")
    assert then == [part]
    assert (folder, at_last) == (tmp_path.name, ["a"])


@pytest.mark.parametrize("size", [1000, 2 * MIB], ids=["short", "with steps"])
def test_a_file_that_does_not_reach_the_disk_does_not_get_its_name(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    quatrix_emulator.put_file(USER, "/a", bytes(size))
    monkeypatch.setattr(sinks, "_FLUSH_STEP", MIB)

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(QuatrixTransferError, match=r"/a cannot be written: Input/output error"):
        hook.download("/a", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
