"""Listing, finding, making, moving, copying and deleting; what each costs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from airflow_provider_quatrix.api.errors import QuatrixTransportError
from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.fs.quatrix import QuatrixFileSystem
from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

TREE = ["/in/a.csv", "/in/b.txt", "/in/sub/c.csv", "/in/sub/deep/d.csv"]


@pytest.fixture
def remote(quatrix_emulator: EmulatorClient) -> EmulatorClient:
    for path in TREE:
        quatrix_emulator.put_file(EMAIL, path, path.encode(), modified=1_700_000_000.5)
    quatrix_emulator.make_folder(EMAIL, "/in/empty")
    return quatrix_emulator


def listings(remote: EmulatorClient) -> int:
    return remote.calls("GET", "file/metadata/{id}")


def look_ups(remote: EmulatorClient) -> int:
    return remote.calls("POST", "file/id")


def test_ls_tells_what_info_tells(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    entries = sorted(fs.ls("/in"), key=lambda entry: entry["name"])
    assert [entry["name"] for entry in entries] == ["/in/a.csv", "/in/b.txt", "/in/empty", "/in/sub"]
    assert entries == [fs.info(entry["name"]) for entry in entries]
    first = entries[0]
    assert (first["size"], first["type"], first["mtime"]) == (9, "file", 1_700_000_000.5)
    assert (entries[3]["size"], entries[3]["type"]) == (0, "directory")


def test_ls_of_a_file_is_the_file(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    assert fs.ls("/in/a.csv", detail=False) == ["/in/a.csv"]
    with pytest.raises(FileNotFoundError):
        fs.ls("/none")


def test_listings_are_never_remembered(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    before = fs.find("/in")
    remote.put_file(EMAIL, "/in/sub/new.csv", b"")
    remote.remove_file(EMAIL, "/in/a.csv")
    assert set(fs.find("/in")) ^ set(before) == {"/in/sub/new.csv", "/in/a.csv"}
    remote.remove_file(EMAIL, "/in")
    assert not fs.exists("/in/b.txt")


def test_tree_costs_one_call_per_folder(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    assert fs.find("/in") == TREE
    assert (look_ups(remote), listings(remote)) == (1, 4)


def test_walk_costs_one_call_per_folder(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    walked = sorted((path, sorted(folders), sorted(files)) for path, folders, files in fs.walk("/in"))
    assert walked == [
        ("/in", ["empty", "sub"], ["a.csv", "b.txt"]),
        ("/in/empty", [], []),
        ("/in/sub", ["deep"], ["c.csv"]),
        ("/in/sub/deep", [], ["d.csv"]),
    ]
    assert (look_ups(remote), listings(remote)) == (1, 4)


def test_patterns_and_depth(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    assert fs.glob("/in/*.csv") == ["/in/a.csv"]
    assert fs.glob("/in/**/*.csv") == ["/in/a.csv", "/in/sub/c.csv", "/in/sub/deep/d.csv"]
    assert fs.find("/in", maxdepth=2, withdirs=True) == sorted(
        ["/in", "/in/empty", "/in/sub", "/in/sub/deep", *TREE[:3]]
    )
    assert fs.du("/in") == sum(map(len, TREE))
    assert fs.du("/in", total=False, maxdepth=1) == {"/in/a.csv": 9, "/in/b.txt": 9}


def test_trash_is_left_out_of_listings_and_can_be_read(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    fs.rm("/in/a.csv")
    assert "/Trash" not in fs.ls("/", detail=False)
    assert all(path.startswith("/in/") for path in fs.find("/"))
    assert fs.cat("/Trash/a.csv") == b"/in/a.csv"


def test_project_folders_are_folders(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    remote.make_project_folder(EMAIL, "project")
    fs.pipe("/project/x", b"x")
    assert fs.isdir("/project")
    assert fs.find("/project") == ["/project/x"]


@pytest.mark.parametrize("name", ["..", ".", "../x", "a/b", ""])
def test_name_that_leads_elsewhere_is_left_out_and_told(
    fs: QuatrixFileSystem, remote: EmulatorClient, tmp_path: Path, name: str
) -> None:
    remote.put_hostile_name(EMAIL, name, "/in/sub", size=3)
    with pytest.raises(InvalidPathError, match="in '/in/sub': one that has the name"):
        fs.get("/in/sub", f"{tmp_path}/target", recursive=True)
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert found == ["target/c.csv", "target/deep/d.csv"]
    with pytest.raises(InvalidPathError, match="in '/in/sub': one that has the name"):
        fs.copy("/in/sub", "/copy", recursive=True)
    assert remote.read_file(EMAIL, "/copy/deep/d.csv") == b"/in/sub/deep/d.csv"


@pytest.mark.parametrize("name", ["a\\..\\b", "nul\0", "x" * 10_000, "ä" * 200])
def test_name_that_no_file_may_have_is_left_out_and_told(
    fs: QuatrixFileSystem, remote: EmulatorClient, tmp_path: Path, name: str
) -> None:
    remote.put_hostile_name(EMAIL, name, "/in/empty", size=3)
    remote.put_file(EMAIL, "/in/empty/z", b"z")
    with pytest.raises(InvalidPathError, match="could be used: in '/in/empty': The"):
        fs.get("/in/empty", f"{tmp_path}/target", recursive=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "target" / "z"]
    with pytest.raises(InvalidPathError):
        fs.get_file(f"/in/empty/{name}", f"{tmp_path}/target/one")


def test_tree_deeper_than_recursion(
    fs: QuatrixFileSystem, quatrix_emulator: EmulatorClient, shallow_stack: None
) -> None:
    path = "/deep" + "/d" * 250
    quatrix_emulator.put_files(EMAIL, [{"path": f"{path}/x", "size": 3}])
    assert fs.find("/deep") == [f"{path}/x"]
    assert fs.glob("/deep/**/x") == [f"{path}/x"]
    assert len(list(fs.walk("/deep", maxdepth=3))) == 3
    bottom_up = [folder for folder, _, _ in fs.walk("/deep", topdown=False)]
    assert (bottom_up[0], bottom_up[-1], len(bottom_up)) == (path, "/deep", 251)


def test_folders_that_are_taken_from_the_list_are_not_walked(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    walked = []
    for folder, folders, _ in fs.walk("/in"):
        walked.append(folder)
        folders[:] = [name for name in folders if name != "sub"]
    assert walked == ["/in", "/in/empty"]
    with pytest.raises(ValueError, match="at least 1"):
        list(fs.walk("/in", maxdepth=0))


@pytest.mark.parametrize("method", ["get", "put", "copy"])
def test_folder_that_is_explicitly_not_recursive_is_refused(
    fs: QuatrixFileSystem, remote: EmulatorClient, tmp_path: Path, method: str
) -> None:
    source, target = (
        ("/in", f"{tmp_path}/x") if method == "get" else (str(tmp_path), "/x") if method == "put" else ("/in", "/x")
    )
    with pytest.raises(IsADirectoryError, match="is a folder: give recursive=True"):
        getattr(fs, method)(source, target, recursive=False)
    getattr(fs, method)(source, target)
    assert not fs.exists("/x")
    assert list(tmp_path.iterdir()) == []


def test_kinds_are_told_apart_by_one_call_each(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    asked = [(fs.exists(path), fs.isfile(path), fs.isdir(path)) for path in ("/in", "/in/a.csv", "/none", "/")]
    assert asked == [(True, False, True), (True, True, False), (False, False, False), (True, False, True)]
    assert look_ups(remote) == 12
    assert not fs.exists("/in/bell\a")


def test_trouble_is_not_mistaken_for_absence(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    remote.fault("file/id", status=403, times=3)
    for question in (fs.exists, fs.isfile, fs.isdir):
        with pytest.raises(PermissionError):
            question("/in/a.csv")


def test_times_and_versions(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    assert fs.modified("/in/a.csv") == datetime(2023, 11, 14, 22, 13, 20, 500_000, UTC)
    assert fs.created("/in/a.csv").tzinfo is UTC
    first, same = fs.ukey("/in/a.csv"), fs.checksum("/in/a.csv")
    assert (fs.ukey("/in/a.csv"), fs.checksum("/in/a.csv")) == (first, same)
    fs.touch("/in/a.csv", truncate=False)
    assert fs.cat("/in/a.csv") == b"/in/a.csv"
    assert fs.ukey("/in/a.csv") != first
    assert fs.checksum("/in/a.csv") != same
    fs.touch("/in/a.csv")
    assert fs.cat("/in/a.csv") == b""
    with pytest.raises(NotImplementedError):
        fs.sign("/in/a.csv")


def test_touch_without_truncation_makes_what_is_missing(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    fs.touch("/in/new", truncate=False)
    assert fs.isfile("/in/new")


def test_mkdir(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    fs.mkdir("/x/y/z")
    assert fs.isdir("/x/y/z")
    with pytest.raises(FileExistsError):
        fs.mkdir("/x")
    with pytest.raises(FileNotFoundError):
        fs.mkdir("/none/y", create_parents=False)
    assert not fs.exists("/none")


def test_makedirs(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    fs.makedirs("/x/y", exist_ok=True)
    fs.makedirs("/x/y", exist_ok=True)
    fs.makedirs("/", exist_ok=True)
    for path in ("/x/y", "/"):
        with pytest.raises(FileExistsError):
            fs.makedirs(path)
    with pytest.raises(FileExistsError):
        fs.makedirs("/in/a.csv", exist_ok=True)


def test_rmdir_wants_an_empty_folder(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    with pytest.raises(OSError, match="not empty"):
        fs.rmdir("/in")
    with pytest.raises(NotADirectoryError):
        fs.rmdir("/in/a.csv")
    with pytest.raises(FileNotFoundError):
        fs.rmdir("/none")
    fs.rmdir("/in/empty")
    assert not fs.exists("/in/empty")


def test_copy_moves_no_bytes(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    fs.pipe("/out/a.csv", b"old")
    sent = remote.counters["upload_bytes"]
    fs.copy("/in/a.csv", "/out/a.csv")
    fs.copy("/in", "/copy", recursive=True)
    assert fs.cat("/out/a.csv") == b"/in/a.csv"
    assert [path.replace("/copy", "/in") for path in fs.find("/copy")] == TREE
    assert fs.isdir("/copy/empty")
    assert (remote.counters["upload_bytes"] - sent, remote.counters["download_bytes"]) == (0, 9)


def test_copy_onto_itself_changes_nothing(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    fs.cp_file("/in/a.csv", "/in/a.csv")
    assert fs.cat("/in/a.csv") == b"/in/a.csv"


def test_copy_never_replaces_a_folder(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    with pytest.raises(FileExistsError):
        fs.cp_file("/in/a.csv", "/in/sub")
    assert fs.find("/in") == TREE


def test_move_keeps_the_object_and_takes_folders_as_a_whole(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    file, folder = fs.info("/in/a.csv"), fs.info("/in/sub")
    fs.mv("/in/a.csv", "/out/renamed.csv")
    fs.mv("/in/sub", "/out/moved")
    assert fs.info("/out/renamed.csv")["id"] == file["id"]
    assert fs.info("/out/moved")["id"] == folder["id"]
    assert fs.find("/out") == ["/out/moved/c.csv", "/out/moved/deep/d.csv", "/out/renamed.csv"]
    assert fs.find("/in") == ["/in/b.txt"]
    assert remote.calls("POST", "file/moveone") == 2
    assert remote.calls("POST", "file/copyone") == 0


def test_move_into_a_folder_and_over_a_file(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    fs.mv("/in/a.csv", "/in/empty")
    fs.mv("/in/b.txt", "/new/")
    fs.mv("/in/sub/c.csv", "/in/empty/a.csv")
    fs.mv("/in/empty", "/in/empty")
    assert fs.find("/") == ["/in/empty/a.csv", "/in/sub/deep/d.csv", "/new/b.txt"]
    assert fs.cat("/in/empty/a.csv") == b"/in/sub/c.csv"


def test_move_by_pattern(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    fs.mv("/in/*.csv", "/out/")
    assert fs.find("/out") == ["/out/a.csv"]
    assert fs.find("/in") == ["/in/b.txt", *TREE[2:]]


def test_move_of_nothing_or_of_everything_is_refused(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    with pytest.raises(FileNotFoundError):
        fs.mv("/none", "/x")
    with pytest.raises(ValueError, match="home folder"):
        fs.mv("/", "/in")
    with pytest.raises(ValueError, match="into itself"):
        fs.mv("/in", "/in/sub")


def test_rm_of_a_tree_is_one_call(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    fs.rm("/in", recursive=True)
    assert fs.find("/") == []
    assert remote.calls("POST", "file/delete") == 1
    assert fs.find("/Trash") == [path.replace("/in", "/Trash/in") for path in TREE]


def test_rm_needs_to_be_told_to_take_folders(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    for path in ("/in", "/in/*"):
        with pytest.raises(IsADirectoryError):
            fs.rm(path)
    with pytest.raises(IsADirectoryError):
        fs.rm_file("/in")
    assert fs.find("/in") == TREE


def test_rm_of_files_by_pattern_and_list(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    fs.rm("/in/*.csv")
    fs.rm(["/in/b.txt", "/in/sub/c.csv"])
    fs.rm_file("/in/sub/deep/d.csv")
    assert fs.find("/in") == []
    for missing in ("/in/b.txt", "/in/*.csv", ["/in/b.txt"]):
        with pytest.raises(FileNotFoundError):
            fs.rm(missing)


def test_rm_to_a_depth_keeps_what_is_deeper(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    fs.rm("/in", recursive=True, maxdepth=2)
    assert fs.find("/in") == ["/in/sub/deep/d.csv"]
    assert not fs.exists("/in/empty")


def test_rm_may_skip_the_trash(quatrix_connection: QuatrixConnection, remote: EmulatorClient) -> None:
    fs = QuatrixFileSystem(str(quatrix_connection), delete_permanently=True, skip_instance_cache=True)
    fs.rm("/in", recursive=True)
    assert remote.files(EMAIL) == []


def test_home_folder_cannot_be_deleted(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    with pytest.raises(ValueError, match="home folder"):
        fs.rm("/", recursive=True)


def test_folder_that_may_not_be_listed_is_no_empty_folder(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    remote.fault("file/metadata/*", status=403, after=2)
    with pytest.raises(PermissionError):
        fs.find("/in")
    assert fs.find("/none") == []


def test_server_that_is_down_is_no_empty_tree(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    assert fs.exists("/in")
    remote.fault("file/*", cut="connection", times=None)
    with pytest.raises(QuatrixTransportError):
        fs.find("/in")
