"""A worker that is killed at any byte: the next try ends with the right bytes, and nobody ever saw wrong ones."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from forking import Workers
from killed_tries import KILLED

from airflow_provider_quatrix.transfer.chunks import LARGEST_CHUNK, SMALLEST_CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_quatrix.emulator.client import EmulatorClient

USER = "robot@example.com"
CHILD = Path(__file__).with_name("transfer_child.py")
SIZE = 40 * 1024 * 1024 + 12_345
OLD = b"what was there before"
# A seed of its own for every point, so that a failure can be run again alone.
POINTS = [pytest.param(random.Random(seed).randrange(SIZE), id=f"seed{seed}") for seed in range(20)]  # noqa: S311


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("killed") / "big.bin"
    path.write_bytes(random.Random(1).randbytes(SIZE))  # noqa: S311
    return path


@pytest.fixture
def order(quatrix_emulator: EmulatorClient, tmp_path: Path) -> dict[str, Any]:
    quatrix_emulator.add_api_key("transfer-key-1", USER)
    return {
        "url": quatrix_emulator.url,
        "api_key": "transfer-key-1",
        "remote": "/big.bin",
        "notes": str(tmp_path),
        "answer": str(tmp_path / "answer"),
        "kill_at": -1,
        "is_retry": False,
    }


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(CHILD) as workers:
        yield workers


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Reader:
    """Looks at a file over and over, as somebody would who waits for it, and keeps what it saw."""

    def __init__(self, look: Any) -> None:
        self._look = look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.seen: set[Any] = set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.seen.add(self._look())
            time.sleep(0.01)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.parametrize("kill_at", POINTS)
def test_an_upload_goes_on_after_a_kill(
    quatrix_emulator: EmulatorClient, workers: Workers, order: dict[str, Any], source: Path, kill_at: int
) -> None:
    quatrix_emulator.put_file(USER, "/big.bin", OLD)
    order |= {"direction": "up", "local": str(source)}

    def look() -> int:
        return next(file["size"] for file in quatrix_emulator.files(USER) if file["path"] == "/big.bin")

    with Reader(look) as reader:
        assert workers.run(order | {"kill_at": kill_at}) is None
        digest = workers.run(order | {"is_retry": True})

    assert digest == sha256(source) == quatrix_emulator.file_sha256(USER, "/big.bin")
    assert reader.seen <= {len(OLD), SIZE}
    assert [file["path"] for file in quatrix_emulator.files(USER)] == ["/big.bin"]
    assert quatrix_emulator.counters["upload_bytes"] <= SIZE + LARGEST_CHUNK
    assert quatrix_emulator.calls("POST", "upload/link") == 1


@pytest.mark.parametrize("kill_at", POINTS)
def test_a_download_goes_on_after_a_kill(
    quatrix_emulator: EmulatorClient,
    workers: Workers,
    order: dict[str, Any],
    source: Path,
    tmp_path: Path,
    kill_at: int,
) -> None:
    quatrix_emulator.put_file(USER, "/big.bin", source.read_bytes())
    target = tmp_path / "in" / "big.bin"
    target.parent.mkdir()
    target.write_bytes(OLD)
    order |= {"direction": "down", "local": str(target)}

    with Reader(lambda: target.stat().st_size) as reader:
        assert workers.run(order | {"kill_at": kill_at}) is None
        digest = workers.run(order | {"is_retry": True})

    assert digest == sha256(target) == sha256(source)
    assert reader.seen <= {len(OLD), SIZE}
    assert [path.name for path in target.parent.iterdir()] == ["big.bin"]


@pytest.fixture(params=["upload/link", "/upload/chunked/*", "upload/finalize/*", "file/moveone"])
def held_call(request: pytest.FixtureRequest, quatrix_emulator: EmulatorClient) -> Iterator[str]:
    """A call that takes effect, but whose answer does not come."""
    path: str = request.param
    quatrix_emulator.fault(path, delay=20, execute_anyway=True)
    yield path
    quatrix_emulator.clear_faults()


@pytest.mark.parametrize("size", [1_000, SIZE], ids=["one chunk", "many chunks"])
def test_an_upload_killed_while_it_waits_for_an_answer_is_finished_by_the_next_try(
    quatrix_emulator: EmulatorClient,
    workers: Workers,
    order: dict[str, Any],
    source: Path,
    tmp_path: Path,
    held_call: str,
    size: int,
) -> None:
    local = tmp_path / "local.bin"
    local.write_bytes(source.read_bytes()[:size])
    order |= {"direction": "up", "local": str(local)}

    child = workers.start(order)
    deadline = time.monotonic() + 30
    while quatrix_emulator.counters["faults"] == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    assert workers.end() == KILLED
    quatrix_emulator.clear_faults()
    assert workers.run(order | {"is_retry": True}) is not None

    assert quatrix_emulator.file_sha256(USER, "/big.bin") == sha256(local)
    assert [file["path"] for file in quatrix_emulator.files(USER)] == ["/big.bin"]
    assert quatrix_emulator.counters["upload_bytes"] <= size + max(size, SMALLEST_CHUNK)
