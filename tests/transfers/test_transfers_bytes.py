"""How bytes are moved: hashed or not, read back, and kept to a rate."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest
from transfer_notes import USER, local_parts, remote_parts

from airflow_provider_quatrix.api.errors import QuatrixApiError, QuatrixTransferError
from airflow_provider_quatrix.transfer import digest
from airflow_provider_quatrix.transfer.chunks import SMALLEST_CHUNK
from airflow_provider_quatrix.transfer.throttle import Throttle

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

pytestmark = pytest.mark.usefixtures("noted")

DATA = os.urandom(SMALLEST_CHUNK + 12_345)
REFUSED: dict[str, Any] = {"status": 400, "body": {"code": 10, "msg": "no"}}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a"
    path.write_bytes(DATA)
    return path


@pytest.mark.parametrize("algorithm", ["sha256", "md5", "blake2b"])
def test_the_digest_is_of_the_algorithm_that_was_asked_for(
    hook: QuatrixHook, source: Path, tmp_path: Path, algorithm: str
) -> None:
    (up,) = hook.upload(str(source), "/a", checksum=algorithm)
    (down,) = hook.download("/a", tmp_path / "b", checksum=algorithm)
    assert up.digest == down.digest == hashlib.new(algorithm, DATA).hexdigest()


def test_without_a_checksum_a_download_reads_nothing_and_hashes_nothing(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quatrix_emulator.put_file(USER, "/a", DATA)
    # What follows a download can neither read nor hash.
    for module in ("os", "hashlib"):
        monkeypatch.delattr(digest, module)
    (result,) = hook.download("/a", tmp_path / "a", checksum=None)
    assert result.digest == ""
    assert (tmp_path / "a").read_bytes() == DATA


def test_without_a_checksum_no_upload_goes_on_onto_bytes_that_nobody_knows(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, source: Path
) -> None:
    quatrix_emulator.fault("/upload/chunked/*", after=1, **REFUSED)
    with pytest.raises(QuatrixApiError):
        hook.upload(str(source), "/a", checksum=None, resume_key="task")
    sent = quatrix_emulator.counters["upload_bytes"]
    (result,) = hook.upload(str(source), "/a", checksum=None, resume_key="task", is_retry=True)
    assert result.digest == ""
    assert quatrix_emulator.counters["upload_bytes"] - sent == len(DATA)
    assert quatrix_emulator.read_file(USER, "/a") == DATA
    assert remote_parts(quatrix_emulator) == []


def test_another_algorithm_does_not_know_what_was_sent(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, source: Path
) -> None:
    quatrix_emulator.fault("/upload/chunked/*", after=1, **REFUSED)
    with pytest.raises(QuatrixApiError):
        hook.upload(str(source), "/a", resume_key="task")
    hook.upload(str(source), "/a", checksum="md5", resume_key="task", is_retry=True)
    assert quatrix_emulator.read_file(USER, "/a") == DATA


@pytest.mark.parametrize("breaks", [False, True], ids=["at once", "with a break"])
def test_a_file_is_read_back_before_it_gets_its_name(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, source: Path, breaks: bool
) -> None:
    if breaks:
        quatrix_emulator.fault("file/download/*", cut="body", after_bytes=SMALLEST_CHUNK)
    hook.upload(str(source), "/a", verify=True)
    assert quatrix_emulator.read_file(USER, "/a") == DATA
    assert quatrix_emulator.calls("GET", "file/download/{link}") == 1 + breaks
    calls = [call["path"].rsplit("/", 2)[-2:] for call in reversed(quatrix_emulator.recent_calls)]
    assert calls.index(["download", "{link}"]) < calls.index(["file", "moveone"])


def test_where_other_bytes_come_back_nothing_gets_the_name(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"new")
    quatrix_emulator.put_file(USER, "/a", b"old")
    quatrix_emulator.fault("file/download/*", status=200, body="NEW")
    with pytest.raises(QuatrixTransferError, match=r"The bytes of .*/a on Quatrix differ from those that were sent"):
        hook.upload(str(tmp_path / "a"), "/a", if_exists="overwrite", verify=True)
    assert quatrix_emulator.read_file(USER, "/a") == b"old"
    assert remote_parts(quatrix_emulator) == []


def test_all_bytes_of_a_call_pass_one_throttle(
    hook: QuatrixHook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: dict[int, int] = {}

    def let_through(self: Throttle, size: int) -> None:
        assert 0 < size <= self.block == 250_000
        passed[id(self)] = passed.get(id(self), 0) + size

    monkeypatch.setattr(Throttle, "let_through", let_through)
    (tmp_path / "in").mkdir()
    for name in "abc":
        (tmp_path / "in" / name).write_bytes(bytes(1_000_001))
    hook.upload(str(tmp_path / "in"), "/in", create_parents=True, bandwidth=1_000_000, verify=True)
    assert list(passed.values()) == [2 * 3 * 1_000_001]
    passed.clear()
    hook.download("/in", tmp_path / "back", create_parents=True, bandwidth=1_000_000)
    assert list(passed.values()) == [3 * 1_000_001]
    assert local_parts(tmp_path) == []


def test_a_slow_limit_makes_small_chunks(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(bytes(150_000))
    monkeypatch.setattr(Throttle, "let_through", lambda *_: None)
    hook.upload(str(tmp_path / "a"), "/a", bandwidth=1000)
    assert quatrix_emulator.calls("POST", "/upload/chunked/{key}") == 3
    assert quatrix_emulator.read_file(USER, "/a") == bytes(150_000)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"checksum": "crc32"}, "checksum is 'crc32': give one of"),
        ({"bandwidth": -1}, "bandwidth is -1: give bytes per second"),
        ({"verify": True, "checksum": None}, "verify is True, but checksum is None"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, source: Path, how: dict[str, Any], says: str
) -> None:
    before = quatrix_emulator.requests
    with pytest.raises(ValueError, match=says):
        hook.upload(str(source), "/a", **how)
    assert quatrix_emulator.requests == before
