"""Files that change while they are moved, or between two tries: what arrives is one version, whole."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest
from transfer_notes import USER, local_parts, notes, remote_parts, write_in_place

from airflow_provider_quatrix.api.errors import QuatrixApiError, QuatrixTransferError
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.transfer.chunks import SMALLEST_CHUNK
from airflow_provider_quatrix.transfer.digest import FileDigest
from airflow_provider_quatrix.transfer.download import Downloader
from airflow_provider_quatrix.transfer.temporary import part_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

pytestmark = pytest.mark.usefixtures("noted")

SIZE = 3 * SMALLEST_CHUNK
ONE, OTHER = b"1" * SIZE, b"2" * SIZE
TASK: dict[str, Any] = {"resume_key": "dag task run"}
AGAIN: dict[str, Any] = {**TASK, "is_retry": True}
# What no layer below the task repeats.
REFUSED: dict[str, Any] = {"status": 400, "body": {"code": 10, "msg": "no"}}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(path: Path, data: bytes, modified: int = 1_700_000_000) -> None:
    path.write_bytes(data)
    os.utime(path, (modified, modified))


class Changing:
    """Waits by giving a file other bytes; as often as it is told to."""

    def __init__(self, hook: QuatrixHook, times: int) -> None:
        self._hook = hook
        self._times = times
        self.waits = 0

    def __call__(self, seconds: float) -> None:
        self.waits += 1
        if self.waits <= self._times:
            write_in_place(self._hook, "/a.bin", OTHER if self.waits % 2 else ONE)


def downloaded(hook: QuatrixHook, target: Path, wait: Callable[[float], None]) -> None:
    Downloader(hook.client.files, wait=wait, keep_unfinished=False).download(hook._tree().stat("/a.bin"), target)


def test_a_download_that_breaks_takes_no_bytes_of_another_version(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    quatrix_emulator.put_file(USER, "/a.bin", ONE)
    quatrix_emulator.fault("file/download/*", cut="body", after_bytes=SIZE // 2)
    wait = Changing(hook, 1)
    downloaded(hook, tmp_path / "a.bin", wait)
    assert wait.waits == 1
    assert (tmp_path / "a.bin").read_bytes() == OTHER
    # What is left of the first version is not even asked for.
    assert quatrix_emulator.calls("GET", "file/download/{link}") == 2
    assert abs((tmp_path / "a.bin").stat().st_mtime - hook._tree().stat("/a.bin").modified) < 2e-6
    assert local_parts(tmp_path) == []


def test_a_file_that_was_empty_when_it_was_listed_is_asked_about(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    quatrix_emulator.put_file(USER, "/a.bin", b"")
    listed = hook._tree().stat("/a.bin")
    write_in_place(hook, "/a.bin", OTHER)
    Downloader(hook.client.files).download(listed, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == OTHER


def test_a_download_of_a_file_that_changes_again_and_again_says_so(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    quatrix_emulator.put_file(USER, "/a.bin", ONE)
    quatrix_emulator.fault("file/download/*", cut="body", after_bytes=SIZE // 2, times=None)
    with pytest.raises(QuatrixTransferError, match=r"'a\.bin' kept changing on Quatrix while it was downloaded"):
        downloaded(hook, tmp_path / "a.bin", Changing(hook, 99))
    assert list(tmp_path.iterdir()) == []


def test_a_long_download_whose_file_changes_at_its_end_is_begun_anew(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    quatrix_emulator.put_file(USER, "/a.bin", ONE)
    seen = 0

    def progress(size: int) -> None:
        nonlocal seen
        seen += size
        if seen == SIZE:
            write_in_place(hook, "/a.bin", OTHER)

    Downloader(hook.client.files, progress=progress).download(hook._tree().stat("/a.bin"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == OTHER


def test_a_part_of_another_version_is_not_gone_on_with(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    quatrix_emulator.put_file(USER, "/a.bin", ONE)
    quatrix_emulator.fault("file/download/*", cut="body", after_bytes=SIZE // 2)
    quatrix_emulator.fault("file/download/*", **REFUSED)
    with pytest.raises(QuatrixApiError):
        hook.download("/a.bin", tmp_path / "a.bin", **TASK)
    assert len(local_parts(tmp_path)) == 1
    write_in_place(hook, "/a.bin", OTHER)
    hook.download("/a.bin", tmp_path / "a.bin", **AGAIN)
    assert (tmp_path / "a.bin").read_bytes() == OTHER
    assert names(tmp_path) == ["a.bin"]


def test_what_is_missing_in_a_part_is_not_fetched_once_the_file_has_changed(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    quatrix_emulator.put_file(USER, "/a.bin", ONE)
    quatrix_emulator.fault("file/download/*", cut="body", after_bytes=SIZE // 2)
    quatrix_emulator.fault("file/download/*", **REFUSED)
    listed = hook._tree().stat("/a.bin")
    downloader = Downloader(hook.client.files)
    with pytest.raises(QuatrixApiError):
        downloader.download(listed, tmp_path / "a.bin")
    assert len(local_parts(tmp_path)) == 1
    # After the next try has listed the file, and before it comes to it.
    write_in_place(hook, "/a.bin", OTHER)
    before = quatrix_emulator.counters["download_bytes"]
    downloader.download(listed, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == OTHER
    assert quatrix_emulator.counters["download_bytes"] - before == SIZE
    assert names(tmp_path) == ["a.bin"]


def stopped_upload(emulator: EmulatorClient, hook: QuatrixHook, source: Path, **how: Any) -> None:
    """Upload one chunk of a file, and fail."""
    emulator.fault("/upload/chunked/*", after=1, **REFUSED)
    with pytest.raises(QuatrixApiError):
        hook.upload(str(source), "/a.bin", **TASK, **how)
    emulator.clear_faults()
    assert len(remote_parts(emulator)) == len(notes()) == 1


@pytest.mark.parametrize("changed", ["content", "size", "time", "to a short file", "nothing"])
def test_an_upload_goes_on_only_where_the_source_begins_with_what_was_sent(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, changed: str
) -> None:
    source = tmp_path / "a.bin"
    write(source, ONE)
    stopped_upload(quatrix_emulator, hook, source)
    sent = quatrix_emulator.counters["upload_bytes"]
    data = {"content": OTHER, "size": OTHER + b"2", "to a short file": b"short"}.get(changed, ONE)
    write(source, data, 1_700_000_001 if changed == "time" else 1_700_000_000)
    (result,) = hook.upload(str(source), "/a.bin", **AGAIN)
    assert quatrix_emulator.read_file(USER, "/a.bin") == data
    assert result.digest == hashlib.sha256(data).hexdigest()
    assert quatrix_emulator.counters["upload_bytes"] - sent == len(data) - (
        SMALLEST_CHUNK if changed == "nothing" else 0
    )
    assert remote_parts(quatrix_emulator) == []


# Keys that die


def test_an_upload_whose_key_dies_goes_on_with_another(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    write(tmp_path / "a.bin", ONE)
    quatrix_emulator.fault("/upload/chunked/*", after=1, status=404, body={"code": 20, "msg": "no"})
    hook.upload(str(tmp_path / "a.bin"), "/a.bin")
    assert quatrix_emulator.read_file(USER, "/a.bin") == ONE
    assert quatrix_emulator.calls("POST", "file/modify") == 1
    assert quatrix_emulator.counters["upload_bytes"] <= SIZE + SMALLEST_CHUNK
    assert remote_parts(quatrix_emulator) == []


def test_another_try_goes_on_although_the_key_has_died(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    write(tmp_path / "a.bin", ONE)
    stopped_upload(quatrix_emulator, hook, tmp_path / "a.bin")
    sent = quatrix_emulator.counters["upload_bytes"]
    assert quatrix_emulator.kill_upload_keys() == 1
    hook.upload(str(tmp_path / "a.bin"), "/a.bin", **AGAIN)
    assert quatrix_emulator.read_file(USER, "/a.bin") == ONE
    assert quatrix_emulator.counters["upload_bytes"] - sent == SIZE - SMALLEST_CHUNK


def test_a_sixteenth_of_a_large_file_is_the_most_that_another_try_sends_again(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    size = 20 * SMALLEST_CHUNK
    with (tmp_path / "a.bin").open("wb") as file:
        file.truncate(size)
    # Killed after a chunk has arrived, and before that is noted.
    quatrix_emulator.fault("/upload/chunked/*", after=3, execute_anyway=True, **REFUSED)
    with pytest.raises(QuatrixApiError):
        hook.upload(str(tmp_path / "a.bin"), "/a.bin", **TASK)
    hook.upload(str(tmp_path / "a.bin"), "/a.bin", **AGAIN)
    assert size < quatrix_emulator.counters["upload_bytes"] <= size * 17 / 16
    assert quatrix_emulator.file_sha256(USER, "/a.bin") == hashlib.sha256(bytes(size)).hexdigest()


def test_another_try_begins_anew_where_no_other_key_goes_on(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    write(tmp_path / "a.bin", ONE)
    stopped_upload(quatrix_emulator, hook, tmp_path / "a.bin")
    quatrix_emulator.kill_upload_keys()
    quatrix_emulator.fault("file/modify", status=405, body={"code": 21, "msg": "no"}, times=None)
    hook.upload(str(tmp_path / "a.bin"), "/a.bin", **AGAIN)
    assert quatrix_emulator.read_file(USER, "/a.bin") == ONE
    assert remote_parts(quatrix_emulator) == []


def test_keys_that_live_too_short_for_a_megabyte_are_named(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    write(tmp_path / "a.bin", ONE)
    quatrix_emulator.fault("/upload/chunked/*", status=404, body={"code": 20, "msg": "no"}, times=None)
    with pytest.raises(QuatrixTransferError, match=r"The upload key for '/a\.bin' expires before 1048576 byte"):
        hook.upload(str(tmp_path / "a.bin"), "/a.bin")
    assert remote_parts(quatrix_emulator) == []


def test_a_file_that_lost_bytes_gets_no_other_key(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    write(tmp_path / "a.bin", ONE)
    stopped_upload(quatrix_emulator, hook, tmp_path / "a.bin")
    (part,) = remote_parts(quatrix_emulator)
    files = hook.client.files
    files._caller.call("POST", "file/modify", json={"id": hook._tree().stat(part).id, "truncate": 5})
    quatrix_emulator.kill_upload_keys()
    hook.upload(str(tmp_path / "a.bin"), "/a.bin", **AGAIN)
    assert quatrix_emulator.read_file(USER, "/a.bin") == ONE


# What an earlier try has done


@pytest.mark.parametrize("if_exists", ["fail", "rename", "overwrite"])
@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_a_file_of_yesterday_is_not_what_an_earlier_try_has_sent(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, if_exists: str, many: bool
) -> None:
    sources = []
    for name in ("a", "b")[: 1 + many]:
        write(tmp_path / name, name.encode())
        sources.append(str(tmp_path / name))
    hook.upload(str(tmp_path / "a"), "/in/a", create_parents=True)
    quatrix_emulator.fault("upload/link", times=None, **REFUSED)
    how: dict[str, Any] = {"if_exists": if_exists, "transfers": 1}
    what = (sources, "/in") if many else (sources[0], "/in/a")
    with pytest.raises((QuatrixApiError, FileExistsError)):
        hook.upload(*what, **TASK, **how)
    quatrix_emulator.clear_faults()
    links = quatrix_emulator.calls("POST", "upload/link")
    if if_exists == "fail":
        with pytest.raises(FileExistsError):
            hook.upload(*what, **AGAIN, **how)
        assert quatrix_emulator.calls("POST", "upload/link") == links
        return
    results = hook.upload(*what, **AGAIN, **how)
    assert [result.skipped for result in results] == [False] * len(sources)
    there = {entry["path"] for entry in quatrix_emulator.files(USER) if entry["type"] == "F"}
    assert there == {"/in/a", *(["/in/a(1)"] if if_exists == "rename" else []), *(["/in/b"] if many else [])}


@pytest.mark.parametrize("if_exists", ["fail", "rename", "overwrite"])
def test_a_local_file_of_yesterday_is_not_what_an_earlier_try_has_fetched(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, if_exists: str
) -> None:
    quatrix_emulator.put_file(USER, "/in/a", b"a")
    hook.download("/in/a", tmp_path / "a")
    quatrix_emulator.fault("file/download-link", times=None, **REFUSED)
    with pytest.raises((QuatrixApiError, FileExistsError)):
        hook.download("/in", tmp_path, if_exists=if_exists, **TASK)
    quatrix_emulator.clear_faults()
    if if_exists == "fail":
        with pytest.raises(FileExistsError):
            hook.download("/in", tmp_path, if_exists=if_exists, **AGAIN)
        return
    (result,) = hook.download("/in", tmp_path, if_exists=if_exists, **AGAIN)
    assert not result.skipped
    assert names(tmp_path) == (["a", "a(1)"] if if_exists == "rename" else ["a"])


@pytest.mark.parametrize("if_exists", ["fail", "rename"])
def test_what_an_earlier_try_has_sent_is_replaced_where_its_source_has_changed_since(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, if_exists: str
) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, name.encode())
    if if_exists == "rename":
        quatrix_emulator.put_file(USER, "/in/a", b"of somebody else")
    quatrix_emulator.fault("/upload/chunked/*", after=1, **REFUSED)
    how: dict[str, Any] = {"if_exists": if_exists, "transfers": 1, "create_parents": True}
    with pytest.raises(QuatrixApiError):
        hook.upload(str(tmp_path), "/in", **TASK, **how)
    write(tmp_path / "a", b"new")
    results = hook.upload(str(tmp_path), "/in", **AGAIN, **how)
    assert [result.skipped for result in results] == [False, False]
    name = "/in/a(1)" if if_exists == "rename" else "/in/a"
    there = {entry["path"] for entry in quatrix_emulator.files(USER) if entry["type"] == "F"}
    assert there == {"/in/a", name, "/in/b"}
    assert quatrix_emulator.read_file(USER, name) == b"new"


@pytest.mark.parametrize("if_exists", ["fail", "rename"])
def test_what_an_earlier_try_has_fetched_is_replaced_where_the_file_has_changed_since(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, if_exists: str
) -> None:
    for name in ("a", "b"):
        quatrix_emulator.put_file(USER, f"/in/{name}", name.encode())
    if if_exists == "rename":
        write(tmp_path / "a", b"of somebody else")
    quatrix_emulator.fault("file/download/*", after=1, **REFUSED)
    how: dict[str, Any] = {"if_exists": if_exists, "transfers": 1}
    with pytest.raises(QuatrixApiError):
        hook.download("/in", tmp_path, **TASK, **how)
    quatrix_emulator.put_file(USER, "/in/a", b"new")
    hook.download("/in", tmp_path, **AGAIN, **how)
    name = "a(1)" if if_exists == "rename" else "a"
    assert names(tmp_path) == sorted({"a", name, "b"})
    assert (tmp_path / name).read_bytes() == b"new"


@pytest.mark.parametrize("if_exists", list(IfExists))
def test_a_success_that_nobody_learnt_of_is_found_done(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, if_exists: IfExists
) -> None:
    how: dict[str, Any] = {"if_exists": if_exists.value}
    write(tmp_path / "a", b"a")
    for direction in (
        lambda **tries: hook.upload(str(tmp_path / "a"), "/in/a", create_parents=True, **tries, **how),
        lambda **tries: hook.download("/in/a", tmp_path / "back", **tries, **how),
    ):
        (first,), (again,) = direction(**TASK), direction(**AGAIN)
        assert (first.skipped, again.skipped) == (False, True)
        assert (first.path, first.id) == (again.path, again.id)
    assert [entry["path"] for entry in quatrix_emulator.files(USER) if entry["type"] == "F"] == ["/in/a"]
    assert names(tmp_path) == ["a", "back"]


def test_the_notes_of_a_success_go_when_it_is_recorded(hook: QuatrixHook, tmp_path: Path) -> None:
    write(tmp_path / "a", b"a")
    hook.upload(str(tmp_path / "a"), "/a", **TASK)
    hook.download("/a", tmp_path / "b", **TASK)
    assert len(notes()) == 2
    hook.forget_done()
    assert notes() == []


def test_a_part_that_is_longer_than_the_file_is_not_gone_on_with(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    quatrix_emulator.put_file(USER, "/a", b"1234")
    remote = hook._tree().stat("/a")
    part = tmp_path / part_name("a", f"{remote.id} {remote.size} {remote.modified:.6f}")
    part.write_bytes(b"longer than it")
    hook.download("/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"1234"
    assert names(tmp_path) == ["a"]


def test_a_source_that_changes_while_it_is_hashed_is_not_uploaded(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "a"
    write(source, b"1234")
    hashed = []
    up_to = FileDigest.up_to

    def changing(digest: FileDigest, offset: int) -> str:
        hashed.append(offset)
        # First after the last chunk, then for the whole file.
        if hashed.count(4) == 2:
            write(source, b"4321", modified=1_700_000_001)
        return up_to(digest, offset)

    monkeypatch.setattr(FileDigest, "up_to", changing)
    with pytest.raises(QuatrixTransferError, match="changed while it was uploaded"):
        hook.upload(str(source), "/a")
    assert hashed.count(4) == 2
    assert quatrix_emulator.files(USER) == []
