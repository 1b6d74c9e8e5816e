"""Transfers that are stopped: all their threads end, and no further byte moves."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from transfer_notes import USER, local_parts, notes, remote_parts
from tries import TriedHook

from airflow_provider_quatrix.api.errors import QuatrixApiError, QuatrixTransportError
from airflow_provider_quatrix.api.stopping import TransferStoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("noted")

MB = 1_000_000
NAMES = [f"{number}.bin" for number in range(6)]


class Timeout(BaseException):
    """What Airflow's signal handlers raise in the main thread."""


@pytest.fixture
def slow(quatrix_emulator: EmulatorClient) -> EmulatorClient:
    quatrix_emulator.configure(bytes_per_second=2 * MB)
    return quatrix_emulator


@pytest.fixture(params=["up", "down"])
def move(
    request: pytest.FixtureRequest, slow: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> Callable[..., None]:
    """Moves six large files, in this direction or that."""
    (tmp_path / "in").mkdir()
    for name in NAMES:
        if request.param == "up":
            (tmp_path / "in" / name).write_bytes(os.urandom(20 * MB))
        else:
            slow.put_file(USER, f"/out/{name}", size=20 * MB)

    def run(**how: Any) -> None:
        if request.param == "up":
            hook.upload(str(tmp_path / "in"), "/in", create_parents=True, **how)
        else:
            hook.download("/out", tmp_path / "back", create_parents=True, **how)

    return run


def moved(emulator: EmulatorClient) -> int:
    return int(emulator.counters["upload_bytes"] + emulator.counters["download_bytes"])


@pytest.fixture
def when_moving(slow: EmulatorClient, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Does something once so many files are moving."""
    threads = []

    def sizes() -> list[int]:
        local = [path.stat().st_size for path in tmp_path.rglob(".*.quatrix-part")]
        return local + [entry["size"] for entry in slow.files(USER) if entry["path"].endswith(".quatrix-part")]

    def arm(action: Callable[[], None], files: int = 1) -> None:
        def watch() -> None:
            while len([size for size in sizes() if size > MB / 4]) < files:
                time.sleep(0.05)
            action()

        threads.append(threading.Thread(target=watch))
        threads[-1].start()

    yield arm
    for thread in threads:
        thread.join()


def nothing_moves(emulator: EmulatorClient) -> None:
    """All threads have ended, well before they were through."""
    for thread in threading.enumerate():
        if thread.name.startswith(("quatrix-transfer", "quatrix-digest", "quatrix-writeback")):
            thread.join(5)
            assert not thread.is_alive()
    assert moved(emulator) < 60 * MB
    assert [entry for entry in emulator.files(USER) if entry["path"].startswith("/in/")] == []


@pytest.mark.parametrize("transfers", [1, 4])
def test_a_signal_that_raises_ends_all_transfers(
    slow: EmulatorClient,
    move: Callable[..., None],
    when_moving: Callable[..., None],
    tmp_path: Path,
    transfers: int,
) -> None:
    def handler(*_: object) -> None:
        raise Timeout

    before = signal.signal(signal.SIGUSR1, handler)
    when_moving(lambda: os.kill(os.getpid(), signal.SIGUSR1), files=transfers)
    try:
        with pytest.raises(Timeout):
            move(transfers=transfers, resume_key="task", last_try=True)
    finally:
        signal.signal(signal.SIGUSR1, before)
    nothing_moves(slow)
    assert local_parts(tmp_path) == remote_parts(slow) == notes() == []


@pytest.mark.parametrize("transfers", [1, 4])
def test_a_killed_task_ends_all_transfers(
    slow: EmulatorClient,
    hook: QuatrixHook,
    move: Callable[..., None],
    when_moving: Callable[..., None],
    tmp_path: Path,
    transfers: int,
) -> None:
    # As the handler of Airflow 3 does it, which raises nothing.
    before = signal.signal(signal.SIGUSR1, lambda *_: hook.stop())
    when_moving(lambda: os.kill(os.getpid(), signal.SIGUSR1))
    try:
        with pytest.raises(TransferStoppedError):
            move(transfers=transfers)
    finally:
        signal.signal(signal.SIGUSR1, before)
    nothing_moves(slow)
    assert local_parts(tmp_path) == remote_parts(slow) == []


def test_the_first_failure_ends_all_transfers(slow: EmulatorClient, move: Callable[..., None], tmp_path: Path) -> None:
    refused: dict[str, Any] = {"status": 400, "body": {"code": 10, "msg": "no"}, "delay": 1.0}
    slow.fault("/upload/chunked/*", after=2, **refused)
    slow.fault("file/download/*", after=2, **refused)
    with pytest.raises(QuatrixApiError, match="no"):
        move(transfers=4)
    nothing_moves(slow)
    assert local_parts(tmp_path) == remote_parts(slow) == []


def test_a_further_try_goes_on_after_a_stop(
    slow: EmulatorClient,
    hook: QuatrixHook,
    move: Callable[..., None],
    when_moving: Callable[..., None],
    tmp_path: Path,
) -> None:
    when_moving(hook.stop, files=4)
    with pytest.raises(TransferStoppedError):
        move(resume_key="task")
    assert len(local_parts(tmp_path) + remote_parts(slow)) == 4
    assert len(notes()) == 1
    slow.configure(bytes_per_second=None)
    move(resume_key="task", is_retry=True)
    hook.forget_done()
    assert local_parts(tmp_path) == remote_parts(slow) == notes() == []


def test_a_download_that_trickles_ends(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection, tmp_path: Path
) -> None:
    quatrix_connection(extra={"read_timeout": 1})
    hook = TriedHook(quatrix_connection)
    quatrix_emulator.put_file(USER, "/a", b"A" * 10_000)
    quatrix_emulator.configure(bytes_per_second=4)
    with pytest.raises(QuatrixTransportError, match="The download of 'a' is too slow: fewer than 1024 bytes a second"):
        hook.download("/a", tmp_path / "a")
    assert quatrix_emulator.calls("GET", "file/download/{link}") == 2
    assert list(tmp_path.iterdir()) == []
