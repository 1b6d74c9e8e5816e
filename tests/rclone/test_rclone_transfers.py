"""What rclone moves to the emulator and back."""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import TYPE_CHECKING

import pytest
from rclone_client import EMAIL
from rclone_files import fill

if TYPE_CHECKING:
    from pathlib import Path

    from rclone_client import Rclone

SMALL_CHUNKS = (
    "--quatrix-minimal-chunk-size=100k",
    "--quatrix-maximal-summary-chunk-size=400k",
    "--quatrix-effective-upload-time=1ms",
)


def remote_paths(rclone: Rclone, below: str) -> list[str]:
    return [file["path"] for file in rclone.emulator.files(EMAIL) if file["path"].startswith(below)]


def test_a_tree_up_and_down(rclone: Rclone, source: Path, tmp_path: Path) -> None:
    fill(source, {"a.bin": 100_000, "empty": 0, "sub/deep/er/b.txt": 10, "sub/c": 1})
    (source / "hollow").mkdir()
    rclone("copy", "--create-empty-src-dirs", source, "q:data/tree")
    assert remote_paths(rclone, "/data/tree/") == [
        "/data/tree/a.bin",
        "/data/tree/empty",
        "/data/tree/hollow",
        "/data/tree/sub",
        "/data/tree/sub/c",
        "/data/tree/sub/deep",
        "/data/tree/sub/deep/er",
        "/data/tree/sub/deep/er/b.txt",
    ]
    assert rclone.emulator.read_file(EMAIL, "data/tree/a.bin") == (source / "a.bin").read_bytes()
    rclone("check", "--download", source, "q:data/tree")
    back = tmp_path / "back"
    rclone("copy", "--create-empty-src-dirs", "q:data/tree", back)
    assert sorted(path.relative_to(back) for path in back.rglob("*")) == sorted(
        path.relative_to(source) for path in source.rglob("*")
    )
    assert (back / "sub/deep/er/b.txt").read_bytes() == (source / "sub/deep/er/b.txt").read_bytes()
    assert rclone.emulator.uploads_open == 0


def test_check_finds_a_difference(rclone: Rclone, source: Path) -> None:
    fill(source, {"a": 1000, "b": 1000})
    rclone("copy", source, "q:data")
    rclone.emulator.put_file(EMAIL, "data/b", size=1000)
    done = rclone.try_("check", "--download", source, "q:data")
    assert done.returncode == 1
    assert b"1 differences found" in done.stderr


def test_times_are_kept_to_the_microsecond(rclone: Rclone, source: Path, tmp_path: Path) -> None:
    fill(source, {"a": 10})
    os.utime(source / "a", ns=(0, 1_700_000_000_123_456_789))
    rclone("copy", source, "q:data")
    (entry,) = [file for file in rclone.emulator.files(EMAIL) if file["path"] == "/data/a"]
    assert entry["modified"] == 1_700_000_000.123457
    rclone("copy", "q:data", tmp_path / "back")
    assert (tmp_path / "back" / "a").stat().st_mtime_ns // 1000 == 1_700_000_000_123_457
    chunks = rclone.emulator.calls("POST", "/upload/chunked/{key}")
    rclone("copy", source, "q:data")
    assert rclone.emulator.calls("POST", "/upload/chunked/{key}") == chunks


def test_touch(rclone: Rclone, source: Path) -> None:
    fill(source, {"a": 10})
    rclone("copy", source, "q:data")
    rclone("touch", "--timestamp", "2020-05-06T07:08:09.25", "q:data/a")
    rclone("touch", "q:data/new")
    files = {file["path"]: file for file in rclone.emulator.files(EMAIL)}
    assert files["/data/a"]["modified"] == 1_588_748_889.25
    assert files["/data/a"]["size"] == 10
    assert files["/data/new"]["size"] == 0


def test_many_small_files(rclone: Rclone, source: Path) -> None:
    fill(source, {f"{number % 10}/file{number}": number for number in range(200)})
    rclone("copy", "--inplace", "--transfers=16", source, "q:data")
    files = [file for file in rclone.emulator.files(EMAIL) if file["type"] == "F"]
    assert sum(file["size"] for file in files) == sum(range(200))
    assert len(files) == 200
    assert not any(file["unfinished"] for file in files)
    for number in (1, 99, 199):
        path = f"{number % 10}/file{number}"
        assert rclone.emulator.read_file(EMAIL, f"data/{path}") == (source / path).read_bytes()


def test_a_file_of_many_chunks(rclone: Rclone, source: Path) -> None:
    fill(source, {"big": 3_000_000})
    rclone.emulator.configure(strict_chunks=True, strict_finalize=True)
    rclone("copy", *SMALL_CHUNKS, source, "q:data")
    assert rclone.emulator.calls("POST", "/upload/chunked/{key}") > 5
    assert rclone.emulator.counters["upload_bytes"] == 3_000_000
    digest = hashlib.sha256((source / "big").read_bytes()).hexdigest()
    assert rclone.emulator.file_sha256(EMAIL, "data/big") == digest


def test_a_file_is_listed_while_it_grows(rclone: Rclone, source: Path) -> None:
    fill(source, {"big": 2_000_000})
    rclone.emulator.configure(bytes_per_second=1_000_000)
    process = rclone.start("copy", *SMALL_CHUNKS, source, "q:data")
    try:
        sizes = set()
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            sizes |= {upload["size"] for upload in rclone.emulator.uploads}
            time.sleep(0.05)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.communicate()
    assert len(sizes) > 3
    assert remote_paths(rclone, "/data/") == ["/data/big"]


def test_clients_at_the_same_time(rclone: Rclone, source: Path) -> None:
    fill(source, {f"file{number}": 20_000 for number in range(5)})
    targets = ["q:data/a", "q:data/b", "q:data/c", "q:data/d"]
    rclone("mkdir", "q:data")
    processes = [rclone.start("copy", source, target) for target in targets]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    for target in targets:
        rclone("check", "--download", source, target)


@pytest.mark.parametrize("inplace", [True, False])
def test_overwriting(rclone: Rclone, source: Path, inplace: bool) -> None:
    fill(source, {"a": 5000})
    rclone("copy", source, "q:data")
    before = {file["path"]: file["id"] for file in rclone.emulator.files(EMAIL)}["/data/a"]
    fill(source, {"a": 100})
    rclone("copy", *(["--inplace"] if inplace else []), source, "q:data")
    assert remote_paths(rclone, "/data/") == ["/data/a"]
    assert rclone.emulator.read_file(EMAIL, "data/a") == (source / "a").read_bytes()
    after = {file["path"]: file["id"] for file in rclone.emulator.files(EMAIL)}["/data/a"]
    assert (after == before) is inplace
    assert rclone.emulator.calls("POST", "file/modify") == int(inplace)


def test_what_comes_from_a_pipe(rclone: Rclone) -> None:
    rclone("rcat", "q:data/piped", stdin=b"x" * 300_000)
    assert rclone.emulator.read_file(EMAIL, "data/piped") == b"x" * 300_000


@pytest.mark.parametrize(
    ("args", "start", "end"),
    [
        (["--offset=1000", "--count=500"], 1000, 1500),
        (["--head=7"], 0, 7),
        (["--tail=9"], 999_991, 1_000_000),
        (["--offset=999990"], 999_990, 1_000_000),
    ],
)
def test_ranges(rclone: Rclone, args: list[str], start: int, end: int) -> None:
    rclone.emulator.put_file(EMAIL, "data/a", size=1_000_000)
    whole = rclone.emulator.read_file(EMAIL, "data/a")
    assert rclone("cat", *args, "q:data/a") == whole[start:end]


def test_many_streams_of_one_file(rclone: Rclone, tmp_path: Path) -> None:
    rclone.emulator.put_file(EMAIL, "data/big", size=3_000_000)
    streams = ("--multi-thread-streams=4", "--multi-thread-cutoff=1M", "--multi-thread-chunk-size=1M")
    rclone("copy", *streams, "q:data", tmp_path / "back")
    assert rclone.emulator.calls("GET", "file/download/{link}") == 3
    digest = hashlib.sha256((tmp_path / "back" / "big").read_bytes()).hexdigest()
    assert digest == rclone.emulator.file_sha256(EMAIL, "data/big")


@pytest.mark.parametrize(
    "fault",
    [
        {"path": "/upload/chunked/*", "status": 503},
        {"path": "/upload/chunked/*", "status": 504, "execute_anyway": True},
        {"path": "upload/finalize/*", "status": 429},
        {"path": "file/moveone", "status": 500},
    ],
)
def test_it_tries_again(rclone: Rclone, source: Path, fault: dict[str, object]) -> None:
    fill(source, {"a": 250_000})
    rclone.emulator.fault(**fault)
    rclone("copy", *SMALL_CHUNKS, source, "q:data")
    assert rclone.emulator.counters["faults"] == 1
    rclone("check", "--download", source, "q:data")


def test_a_download_that_breaks_off_goes_on(rclone: Rclone, tmp_path: Path) -> None:
    rclone.emulator.put_file(EMAIL, "data/a", size=2_000_000)
    rclone.emulator.fault("file/download/*", cut="body", after_bytes=500_000)
    rclone("copy", "q:data", tmp_path / "back")
    assert (tmp_path / "back" / "a").read_bytes() == rclone.emulator.read_file(EMAIL, "data/a")
    assert rclone.emulator.calls("GET", "file/download/{link}") == 2
    assert rclone.emulator.counters["download_bytes"] < 2_500_000


def test_a_quota_that_is_used_up_leaves_nothing_behind(rclone: Rclone, source: Path) -> None:
    fill(source, {"a": 50_000})
    rclone.emulator.configure(user_quota=20_000)
    done = rclone.try_("copy", "--low-level-retries=1", "--quatrix-hard-delete", source, "q:data")
    assert done.returncode != 0
    assert b"Quota exceeded" in done.stderr
    assert remote_paths(rclone, "/") == ["/data"]


def test_a_wrong_key_is_refused(rclone: Rclone) -> None:
    done = rclone.try_("lsf", "--quatrix-api-key=wrong", "q:")
    assert done.returncode != 0
    assert rclone.emulator.counters["unauthorized"] == 1


def test_about(rclone: Rclone) -> None:
    rclone.emulator.put_file(EMAIL, "data/a", size=1000)
    rclone.emulator.configure(account_quota=10_000)
    assert json.loads(rclone("about", "--json", "q:")) == {"total": 10_000, "used": 1000, "free": 9000}
    rclone.emulator.configure(user_quota=5000)
    assert json.loads(rclone("about", "--json", "q:"))["free"] == 4000
