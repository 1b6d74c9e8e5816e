"""Transfers between Quatrix and real stores: bytes, names, modes, and what is left when something goes wrong."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest
from dag_runs import once
from meanwhile import ahead_of
from store_servers import SftpFiles, Store

from airflow_provider_quatrix.api.errors import QuatrixError, QuatrixTransferError
from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.api.stopping import TransferStoppedError
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.transfer.temporary import is_temporary

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

TREE = {"a.csv": b"1", "empty": b"", "deep/b.txt": b"22", "deep/er/c.csv": b"333"}
OTHER = "other@example.com"
RETRY: dict[str, Any] = {"resume_key": "task"}


def on_quatrix(remote: EmulatorClient, folder: str = "", user: str = EMAIL) -> dict[str, bytes]:
    """Return the files by path, unfinished ones too; the Trash left out."""
    paths = [entry["path"] for entry in remote.files(user) if entry["type"] == "F"]
    return {
        path: remote.read_file(user, path)
        for path in paths
        if path.startswith(folder) and not path.startswith("/Trash/")
    }


def put_tree(remote: EmulatorClient, folder: str, files: dict[str, bytes] = TREE) -> None:
    for name, data in files.items():
        remote.put_file(EMAIL, f"{folder}/{name}", data)


def test_folder_goes_to_quatrix_and_back(quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store) -> None:
    files = {**TREE, "large.bin": os.urandom(20_000_001), "ü [1]*?#%41 b.csv": b"odd"}
    for name, data in files.items():
        store.put(f"in/{name}", data)
    sent = hook.transfer(f"{store.url}/in", "/in", create_parents=True)
    assert on_quatrix(quatrix_emulator) == {f"/in/{name}": data for name, data in files.items()}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    assert {result.path.removeprefix("/in/"): result.digest for result in sent} == digests

    back = hook.transfer("quatrix://quatrix_default@/in/", f"{store.url}/out", create_parents=True)
    assert store.files() == {f"{folder}/{name}": data for folder in ("in", "out") for name, data in files.items()}
    assert {result.path.removeprefix(f"{store.url}/out/"): result.digest for result in back} == digests
    assert {result.size for result in back} == {len(data) for data in files.values()}


def test_patterns_and_single_files(quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store) -> None:
    for name, data in TREE.items():
        store.put(name, data)
    hook.transfer(f"{store.url}/**/*.csv", "/flat", create_parents=True)
    (single,) = hook.transfer(f"{store.url}/deep/b.txt", "/named.txt")
    (below,) = hook.transfer({"path": f"{store.url}/deep/b.txt"}, "/flat/")
    assert (single.path, below.path) == ("/named.txt", "/flat/b.txt")
    expected = {"/flat/a.csv": b"1", "/flat/c.csv": b"333", "/flat/b.txt": b"22", "/named.txt": b"22"}
    assert on_quatrix(quatrix_emulator) == expected

    back = hook.transfer("/flat/*.csv", f"{store.url}/back/", create_parents=True)
    assert sorted(result.path for result in back) == [f"{store.url}/back/a.csv", f"{store.url}/back/c.csv"]
    hook.transfer(["/named.txt", "/flat/b.txt"], f"{store.url}/list/", create_parents=True)
    hook.transfer("/named.txt", f"{store.url}/list/one.txt")
    there = {name: data for name, data in store.files().items() if name not in TREE}
    assert there == {
        "back/a.csv": b"1",
        "back/c.csv": b"333",
        "list/named.txt": b"22",
        "list/b.txt": b"22",
        "list/one.txt": b"22",
    }


def test_a_file_is_taken_by_its_name_only(quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store) -> None:
    for name in ("*", "a", "b"):
        store.put(name, name.encode())
    hook.transfer([{"path": f"{store.url}/*"}], "/in/", create_parents=True)
    assert on_quatrix(quatrix_emulator) == {"/in/*": b"*"}
    with pytest.raises(FileNotFoundError, match=r"matches no file"):
        hook.transfer(f"{store.url}/*.none", "/in/")
    with pytest.raises(FileNotFoundError, match=r"There is nothing at '.*/none'"):
        hook.transfer(f"{store.url}/none", "/in/")


@pytest.mark.parametrize("mode", ["fail", "skip", "overwrite", "rename"])
def test_what_is_in_the_way_on_quatrix(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store, mode: str
) -> None:
    for name in ("a.csv", "b.csv"):
        store.put(name, b"new")
    quatrix_emulator.put_file(EMAIL, "/in/b.csv", b"old")
    if mode == "fail":
        with pytest.raises(FileExistsError, match=r"/in/b\.csv' exists"):
            hook.transfer(f"{store.url}/", "/in", if_exists=mode)
        assert on_quatrix(quatrix_emulator) == {"/in/b.csv": b"old"}
        return
    results = hook.transfer(f"{store.url}/", "/in", if_exists=mode)
    assert {result.path: result.skipped for result in results} == {
        "/in/a.csv": False,
        **({"/in/b(1).csv": False} if mode == "rename" else {"/in/b.csv": mode == "skip"}),
    }
    expected = {"skip": {"/in/b.csv": b"old"}, "overwrite": {"/in/b.csv": b"new"}}
    renamed = {"/in/b.csv": b"old", "/in/b(1).csv": b"new"}
    assert on_quatrix(quatrix_emulator) == {"/in/a.csv": b"new", **expected.get(mode, renamed)}


@pytest.mark.parametrize("mode", ["fail", "skip", "overwrite", "rename"])
def test_what_is_in_the_way_in_a_store(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store, mode: str
) -> None:
    put_tree(quatrix_emulator, "/out", {"a.csv": b"new", "b.csv": b"new"})
    store.put("b.csv", b"old")
    if mode == "fail":
        with pytest.raises(FileExistsError, match=r"/b\.csv' exists"):
            hook.transfer("/out", store.url, if_exists=mode)
        assert store.files() == {"b.csv": b"old"}
        return
    results = hook.transfer("/out", store.url, if_exists=mode)
    assert {result.path.removeprefix(f"{store.url}/"): result.skipped for result in results} == {
        "a.csv": False,
        **({"b(1).csv": False} if mode == "rename" else {"b.csv": mode == "skip"}),
    }
    expected = {"skip": {"b.csv": b"old"}, "overwrite": {"b.csv": b"new"}}
    assert store.files() == {"a.csv": b"new", **expected.get(mode, {"b.csv": b"old", "b(1).csv": b"new"})}


def test_a_folder_in_the_way_is_never_replaced(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store
) -> None:
    store.put("a/b.csv", b"1")
    quatrix_emulator.put_file(EMAIL, "/a/b.csv", b"2")
    with pytest.raises(InvalidPathError, match="is a folder: end the target in a slash"):
        hook.transfer(f"{store.url}/a/b.csv", "/a", if_exists="overwrite")
    with pytest.raises(InvalidPathError, match="is a folder: end the target in a slash"):
        hook.transfer("/a/b.csv", f"{store.url}/a", if_exists="overwrite")
    assert (on_quatrix(quatrix_emulator), store.files()) == ({"/a/b.csv": b"2"}, {"a/b.csv": b"1"})


def test_sources_are_deleted_once_they_have_arrived(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store
) -> None:
    for name in ("a.csv", "b.csv", "c.txt"):
        store.put(name, name.encode())
    quatrix_emulator.put_file(EMAIL, "/in/b.csv", b"old")
    hook.transfer(f"{store.url}/*.csv", "/in", if_exists="skip", delete_source=True)
    # What was skipped is not what is there, and stays.
    assert store.files() == {"b.csv": b"b.csv", "c.txt": b"c.txt"}
    # Each is read back ahead of it.
    assert quatrix_emulator.counters["download_bytes"] == len("a.csv")

    hook.transfer("/in", f"{store.url}/back", create_parents=True, delete_source=True)
    assert on_quatrix(quatrix_emulator) == {}
    back = {name: data for name, data in store.files().items() if name.startswith("back/")}
    assert back == {"back/a.csv": b"a.csv", "back/b.csv": b"old"}
    assert {entry["path"] for entry in quatrix_emulator.files(EMAIL) if entry["path"].startswith("/Trash/")} == {
        "/Trash/a.csv",
        "/Trash/b.csv",
    }


def test_a_source_that_changes_is_not_deleted(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store
) -> None:
    store.put("a.csv", b"first")
    with ahead_of("POST /api/1.0/file/moveone", lambda: store.put("a.csv", b"second and longer")):
        (result,) = hook.transfer(f"{store.url}/a.csv", "/in/", create_parents=True, delete_source=True)
    assert not result.source_deleted
    assert store.files() == {"a.csv": b"second and longer"}
    assert on_quatrix(quatrix_emulator) == {"/in/a.csv": b"first"}


def test_failure_leaves_nothing_behind(quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store) -> None:
    data = os.urandom(17_000_000)
    store.put("large.bin", data)
    quatrix_emulator.fault("/upload/chunked/*", after=1, status=403, times=None)
    with pytest.raises(QuatrixError):
        hook.transfer(f"{store.url}/large.bin", "/in/", create_parents=True, **RETRY)
    assert on_quatrix(quatrix_emulator) == {}
    quatrix_emulator.clear_faults()

    quatrix_emulator.put_file(EMAIL, "/out/large.bin", data)
    quatrix_emulator.fault("file/download/*", cut="body", after_bytes=9_000_000)
    quatrix_emulator.fault("file/download/*", status=403, times=None)
    with pytest.raises(QuatrixError):
        hook.transfer("/out/large.bin", f"{store.url}/out/", create_parents=True, **RETRY)
    assert list(store.files()) == ["large.bin"]


def test_broken_streams_are_taken_up_again(quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store) -> None:
    data = os.urandom(17_000_000)
    quatrix_emulator.put_file(EMAIL, "/out/large.bin", data)
    quatrix_emulator.fault("file/download/*", cut="body", after_bytes=9_000_000)
    hook.transfer("/out/large.bin", f"{store.url}/out/", create_parents=True)
    assert store.files() == {"out/large.bin": data}
    assert quatrix_emulator.counters["download_bytes"] < 2 * len(data)


def test_another_try_transfers_only_what_is_missing(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store
) -> None:
    for number in range(6):
        store.put(f"in/{number}.bin", bytes([number]) * 100_000)
    quatrix_emulator.fault("upload/link", after=3, status=400, times=None)
    with pytest.raises(QuatrixError):
        hook.transfer(f"{store.url}/in", "/in", create_parents=True, transfers=1, delete_source=True, **RETRY)
    assert len(on_quatrix(quatrix_emulator)) == 3
    assert len(store.files()) == 6
    quatrix_emulator.clear_faults()

    # Neither what others have put there meanwhile nor what has changed is taken for done.
    quatrix_emulator.put_file(EMAIL, "/in/5.bin", b"\5" * 99_999 + b"x")
    with pytest.raises(FileExistsError, match=r"5\.bin' exists"):
        hook.transfer(f"{store.url}/in", "/in", transfers=1, delete_source=True, is_retry=True, **RETRY)
    assert len(store.files()) == 6


def test_another_try_after_a_lost_worker(quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store) -> None:
    for number in range(6):
        store.put(f"in/{number}.bin", bytes([number]) * 100_000)
    quatrix_emulator.fault("upload/link", after=3, status=400, times=None)
    with pytest.raises(QuatrixError):
        hook.transfer(f"{store.url}/in", "/in", create_parents=True, transfers=1, delete_source=True, **RETRY)
    quatrix_emulator.clear_faults()
    sent = quatrix_emulator.counters["upload_bytes"]
    results = hook.transfer(f"{store.url}/in", "/in", create_parents=True, delete_source=True, is_retry=True, **RETRY)
    assert quatrix_emulator.counters["upload_bytes"] - sent == 300_000
    assert sorted(result.path for result in results) == [f"/in/{number}.bin" for number in range(6)]
    assert on_quatrix(quatrix_emulator) == {f"/in/{number}.bin": bytes([number]) * 100_000 for number in range(6)}
    assert store.files() == {}

    # Its success was lost: a further try finds all done, and tells the same.
    again = hook.transfer(f"{store.url}/in", "/in", delete_source=True, is_retry=True, **RETRY)
    assert again == results


def test_another_try_misses_a_source_that_has_never_arrived(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook
) -> None:
    for name in ("a", "b"):
        quatrix_emulator.put_file(EMAIL, f"/out/{name}", name.encode())
    sources: Any = {"source": ["/out/a", "/out/b"], "target": "quatrix://quatrix_default@/in/", "delete_source": True}
    quatrix_emulator.fault("file/copyone", after=1, status=400)
    with pytest.raises(QuatrixError):
        hook.transfer(**sources, create_parents=True, transfers=1, **RETRY)
    quatrix_emulator.remove_file(EMAIL, "/out/b")
    with pytest.raises(FileNotFoundError, match=r"There is nothing at '.*/out/b'"):
        hook.transfer(**sources, is_retry=True, **RETRY)
    assert on_quatrix(quatrix_emulator) == {"/in/a": b"a", "/out/a": b"a"}


def test_another_try_of_one_renamed_file_makes_no_second_copy(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store
) -> None:
    quatrix_emulator.put_file(EMAIL, "/out/a.csv", b"new")
    store.put("a.csv", b"old")
    first = hook.transfer("/out/a.csv", f"{store.url}/", if_exists="rename", **RETRY)
    again = hook.transfer("/out/a.csv", f"{store.url}/", if_exists="rename", is_retry=True, **RETRY)
    assert [result.path for result in again] == [result.path for result in first] == [f"{store.url}/a(1).csv"]
    assert store.files() == {"a.csv": b"old", "a(1).csv": b"new"}
    # Without a note of it, what looks alike is read.
    back = hook.transfer(f"{store.url}/a.csv", "/out/", if_exists="rename", **RETRY)
    hook.forget_done()
    assert [result.path for result in back] == ["/out/a(1).csv"]


def test_wrong_bytes_are_found_when_they_are_read_back(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, sftp: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    quatrix_emulator.put_file(EMAIL, "/out/a.csv", b"right")
    monkeypatch.setattr(SftpFiles, "spoils", True)
    with pytest.raises(QuatrixTransferError, match="differ from those that were sent"):
        hook.transfer("/out/a.csv", f"{sftp.url}/", create_parents=True, delete_source=True)
    assert (sftp.files(), on_quatrix(quatrix_emulator)) == ({}, {"/out/a.csv": b"right"})
    hook.transfer("/out/a.csv", f"{sftp.url}/", verify=False)
    assert sftp.files() == {"a.csv": bytes(5)}


def test_one_account_copies_on_the_server(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_connection(conn_id="quatrix_twin")
    put_tree(quatrix_emulator, "/in")
    hook.transfer("/in", "quatrix://quatrix_twin@/out", create_parents=True)
    hook.transfer("/in/**/*.csv", "/flat", create_parents=True, delete_source=True)
    assert on_quatrix(quatrix_emulator) == {
        "/in/empty": b"",
        "/in/deep/b.txt": b"22",
        **{f"/out/{name}": data for name, data in TREE.items()},
        "/flat/a.csv": b"1",
        "/flat/c.csv": b"333",
    }
    assert (quatrix_emulator.counters["download_bytes"], quatrix_emulator.counters["upload_bytes"]) == (0, 0)
    with pytest.raises(InvalidPathError, match="Source and target are both"):
        hook.transfer("/flat/a.csv", "/flat/a.csv", if_exists="overwrite", delete_source=True)
    assert "/flat/a.csv" in on_quatrix(quatrix_emulator)


def test_another_account_gets_the_bytes(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_emulator.add_user(OTHER, "Other-Passw0rd")
    quatrix_connection(conn_id="quatrix_other", login=OTHER, password="Other-Passw0rd")
    files = {**TREE, "large.bin": os.urandom(17_000_000)}
    put_tree(quatrix_emulator, "/in", files)
    hook.transfer("/in", "quatrix://quatrix_other@/in", create_parents=True, verify=True)
    assert on_quatrix(quatrix_emulator, user=OTHER) == {f"/in/{name}": data for name, data in files.items()}
    with pytest.raises(FileExistsError, match="exists"):
        hook.transfer("/in/a.csv", "quatrix://quatrix_other@/in/")


def test_what_cannot_be_transferred_is_named_and_the_rest_is(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store
) -> None:
    for name in ("good.csv", "ends in a space "):
        store.put(f"in/{name}", b"1")
    with pytest.raises(InvalidPathError, match=r"1 files were transferred, but not all.*ends in a space"):
        hook.transfer(f"{store.url}/in", "/in", create_parents=True, delete_source=True)
    assert on_quatrix(quatrix_emulator) == {"/in/good.csv": b"1"}
    assert len(store.files()) == 2

    put_tree(quatrix_emulator, "/out", {"good.csv": b"1"})
    quatrix_emulator.put_hostile_name(EMAIL, "../evil.csv", "/out", size=3)
    with pytest.raises(InvalidPathError, match="evil"):
        hook.transfer("/out", f"{store.url}/out", create_parents=True)
    assert set(store.files()) == {"in/good.csv", "in/ends in a space ", "out/good.csv"}


def test_unfinished_files_are_left_alone(quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store) -> None:
    part = f".{'0' * 24}.quatrix-part"
    assert is_temporary(part)
    for name in (part, "a.csv"):
        store.put(f"in/{name}", b"1")
        quatrix_emulator.put_file(EMAIL, f"/out/{name}", b"1")
    hook.transfer(f"{store.url}/in", "/in", create_parents=True)
    hook.transfer("/out", f"{store.url}/out", create_parents=True)
    assert list(on_quatrix(quatrix_emulator, "/in")) == ["/in/a.csv"]
    assert set(store.files()) == {f"in/{part}", "in/a.csv", "out/a.csv"}


def test_missing_folders_of_the_target_are_made_when_asked_for(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, sftp: Store
) -> None:
    quatrix_emulator.put_file(EMAIL, "/out/a.csv", b"1")
    with pytest.raises(FileNotFoundError, match="set create_parents"):
        hook.transfer("/out/a.csv", f"{sftp.url}/new/a.csv")
    hook.transfer("/out/a.csv", f"{sftp.url}/new/a.csv", create_parents=True)
    assert sftp.files() == {"new/a.csv": b"1"}


def test_a_special_file_is_never_opened(hook: QuatrixHook, local: Store) -> None:
    local.put("a.csv", b"1")
    os.mkfifo(f"{local.url.removeprefix('file://')}/pipe")
    with pytest.raises(InvalidPathError, match="neither a file nor a folder"):
        hook.transfer(f"{local.url}/pipe", "/in/", create_parents=True)
    with pytest.raises(InvalidPathError, match=r"1 files were transferred.*pipe' is neither"):
        hook.transfer(local.url, "/in", create_parents=True)


def test_failures_of_a_store_name_the_file(hook: QuatrixHook, quatrix_emulator: EmulatorClient, s3: Store) -> None:
    quatrix_emulator.put_file(EMAIL, "/out/a.csv", b"1")
    with pytest.raises(OSError, match="bucket") as failure:
        hook.transfer("/out/a.csv", "s3://s3_store@no-such-bucket/a.csv")
    assert "'/out/a.csv' to 's3://s3_store@no-such-bucket/a.csv'" in "".join(failure.value.__notes__)
    with pytest.raises(InvalidPathError, match="no file system for nfs:// paths"):
        hook.transfer("/out/a.csv", "nfs://server/a.csv")


def test_many_sources_are_deleted_with_few_calls(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, local: Store
) -> None:
    put_tree(quatrix_emulator, "/in", {f"{number:02}.csv": b"1" for number in range(30)})
    results = hook.transfer("/in", f"{local.url}/", create_parents=True, verify=False, delete_source=True)
    assert all(result.source_deleted for result in results)
    assert (len(local.files()), on_quatrix(quatrix_emulator)) == (30, {})
    assert quatrix_emulator.calls("POST", "file/delete") == 3
    # Each file costs a link and its bytes; all else is for the folder.
    assert quatrix_emulator.requests < 2 * 30 + 15


def test_a_stop_ends_a_transfer_at_once_and_leaves_nothing(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, store: Store
) -> None:
    def is_downloading() -> bool:
        return any("file/download/" in call["path"] for call in quatrix_emulator.recent_calls)

    store.put("large.bin", bytes(3_000_000))
    quatrix_emulator.put_file(EMAIL, "/large.bin", bytes(3_000_000))
    for source, target, is_moving in (
        (f"{store.url}/large.bin", "/in/", lambda: quatrix_emulator.uploads_open > 0),
        ("/large.bin", f"{store.url}/out/", is_downloading),
    ):
        # That fast it takes half an hour.
        with once(is_moving, hook.stop), pytest.raises(TransferStoppedError):
            hook.transfer(source, target, create_parents=True, bandwidth=1600)
    assert list(on_quatrix(quatrix_emulator)) == ["/large.bin"]
    assert list(store.files()) == ["large.bin"]
