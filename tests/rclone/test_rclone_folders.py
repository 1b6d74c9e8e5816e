"""What rclone lists, moves, renames and deletes on the emulator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from rclone_client import API_KEY, EMAIL
from rclone_files import LOCAL_NAMES, NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from rclone_client import Rclone


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")


def ids(rclone: Rclone) -> dict[str, str]:
    return {file["path"]: file["id"] for file in rclone.emulator.files(EMAIL)}


def test_names_both_ways(rclone: Rclone, source: Path, tmp_path: Path) -> None:
    write(source, *LOCAL_NAMES)
    rclone("copy", source, "q:data")
    assert {path.removeprefix("/data/") for path in ids(rclone) if path != "/data"} == set(LOCAL_NAMES)
    rclone("copy", "q:data", tmp_path / "back")
    assert {path.name: path.read_text() for path in (tmp_path / "back").iterdir()} == {
        name: f"content of {name}" for name in LOCAL_NAMES
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_name_as_a_path(rclone: Rclone, name: str) -> None:
    rclone("rcat", f"q:data/{name}", stdin=b"1")
    assert rclone("cat", f"q:data/{name}") == b"1"
    assert [item["Name"] for item in json.loads(rclone("lsjson", "q:data"))] == [name]
    assert f"/data/{name}" in ids(rclone)


@pytest.mark.parametrize("name", ["back\\slash", "control\x01\x1f", "delete\x7f"])
def test_names_that_the_service_does_not_have_are_encoded(
    rclone: Rclone, source: Path, tmp_path: Path, name: str
) -> None:
    write(source, name)
    # Without this, rclone moves a temporary file onto its final name, and forgets to encode that one.
    rclone("copy", "--inplace", source, "q:data")
    (path,) = [path for path in ids(rclone) if path != "/data"]
    assert path != f"/data/{name}"
    rclone("check", "--download", source, "q:data")
    rclone("copy", "q:data", tmp_path / "back")
    assert [path.name for path in (tmp_path / "back").iterdir()] == [name]


def test_copying_again_makes_no_numbered_names(rclone: Rclone, source: Path) -> None:
    write(source, "a.txt", "sub/b.txt")
    for _ in range(2):
        rclone("copy", "--ignore-times", source, "q:data")
        rclone("mkdir", "q:data/sub")
    assert sorted(ids(rclone)) == ["/data", "/data/a.txt", "/data/sub", "/data/sub/b.txt"]


def test_there_are_no_two_objects_of_one_name(rclone: Rclone) -> None:
    rclone.emulator.put_files(EMAIL, ["data/a.txt", "data/a(1).txt"])
    before = ids(rclone)
    rclone("dedupe", "--dedupe-mode=newest", "q:data")
    assert ids(rclone) == before


def test_numbered_names_of_others_are_files_like_any(rclone: Rclone, source: Path) -> None:
    write(source, "a.txt")
    rclone.emulator.put_files(EMAIL, ["data/a(1).txt"])
    rclone("copy", source, "q:data")
    assert rclone.names("q:data") == ["a(1).txt", "a.txt"]
    rclone("sync", source, "q:data")
    assert rclone.names("q:data") == ["a.txt"]


def test_sync(rclone: Rclone, source: Path) -> None:
    write(source, "a", "b", "sub/c")
    rclone("sync", source, "q:data")
    (source / "a").write_text("changed")
    (source / "b").unlink()
    write(source, "sub/d")
    rclone("sync", source, "q:data")
    assert rclone.names("-R", "q:data") == ["a", "sub/", "sub/c", "sub/d"]
    assert rclone.emulator.read_file(EMAIL, "data/a") == b"changed"
    assert "/Trash/b" in ids(rclone)


def test_sync_to_the_server_with_a_backup(rclone: Rclone, source: Path) -> None:
    write(source, "a", "b")
    rclone("copy", source, "q:data")
    before = ids(rclone)
    (source / "a").write_text("changed")
    rclone("sync", "--backup-dir=q:old", source, "q:data")
    assert ids(rclone)["/old/a"] == before["/data/a"]
    assert rclone.emulator.read_file(EMAIL, "old/a") == b"content of a"


def test_deleting_goes_to_the_trash(rclone: Rclone) -> None:
    rclone.emulator.put_files(EMAIL, ["data/a", "data/sub/b", "data/sub/c"])
    before = ids(rclone)
    rclone("deletefile", "q:data/a")
    rclone("purge", "q:data/sub")
    after = ids(rclone)
    assert after["/Trash/a"] == before["/data/a"]
    assert after["/Trash/sub/b"] == before["/data/sub/b"]
    rclone("moveto", "q:Trash/a", "q:data/a")
    rclone("purge", "q:Trash/sub")
    assert ids(rclone) == {"/data": before["/data"], "/data/a": before["/data/a"]}


def test_deleting_for_good(rclone: Rclone) -> None:
    rclone.emulator.put_files(EMAIL, ["data/a", "data/sub/b"])
    rclone("delete", "--quatrix-hard-delete", "q:data/sub")
    rclone("purge", "--quatrix-hard-delete", "q:data")
    assert ids(rclone) == {}


def test_only_empty_folders_are_removed(rclone: Rclone) -> None:
    rclone.emulator.put_files(EMAIL, ["data/full/a", "data/empty/"])
    done = rclone.try_("rmdir", "q:data/full")
    assert done.returncode != 0
    assert b"directory not empty" in done.stderr
    rclone("rmdirs", "q:data")
    assert [path for path in ids(rclone) if path.startswith("/data")] == ["/data", "/data/full", "/data/full/a"]


def test_moving_into_the_service(rclone: Rclone, source: Path) -> None:
    write(source, "a", "sub/b")
    rclone("move", source, "q:data", "--delete-empty-src-dirs")
    assert list(source.iterdir()) == []
    assert rclone.names("-R", "q:data") == ["a", "sub/", "sub/b"]


def test_moving_within_the_service_keeps_ids(rclone: Rclone) -> None:
    rclone.emulator.put_files(EMAIL, ["data/a", "data/sub/b", "data/sub/deep/c", "other/"])
    before = ids(rclone)
    rclone("moveto", "q:data/a", "q:other/renamed")
    rclone("moveto", "q:data/sub", "q:other/folder")
    after = ids(rclone)
    assert after["/other/renamed"] == before["/data/a"]
    assert after["/other/folder/deep/c"] == before["/data/sub/deep/c"]
    assert rclone.emulator.counters["upload_bytes"] == rclone.emulator.counters["download_bytes"] == 0


def test_moving_onto_a_file_replaces_it(rclone: Rclone) -> None:
    rclone.emulator.put_file(EMAIL, "data/a", b"new")
    rclone.emulator.put_file(EMAIL, "data/b", b"old")
    rclone("moveto", "q:data/a", "q:data/b")
    assert rclone.names("q:data") == ["b"]
    assert rclone.emulator.read_file(EMAIL, "data/b") == b"new"


def test_copying_within_the_service_moves_no_bytes(rclone: Rclone) -> None:
    rclone.emulator.put_file(EMAIL, "data/a", b"new", modified=1_600_000_000.5)
    rclone.emulator.put_file(EMAIL, "other/a", b"older")
    rclone("copy", "q:data", "q:other")
    rclone("copyto", "q:data/a", "q:data/b")
    for path in ("other/a", "data/b"):
        assert rclone.emulator.read_file(EMAIL, path) == b"new"
    assert {file["modified"] for file in rclone.emulator.files(EMAIL) if file["type"] == "F"} == {1_600_000_000.5}
    assert rclone.emulator.counters["upload_bytes"] == rclone.emulator.counters["download_bytes"] == 0
    rclone("check", "--download", "q:data/a", "q:other")


def test_project_folders_can_be_skipped(rclone: Rclone) -> None:
    rclone.emulator.make_project_folder(EMAIL, "project")
    rclone.emulator.put_files(EMAIL, ["project/a", "plain/b"])
    assert "project/a" in rclone.names("-R", "q:")
    names = rclone.names("-R", "--quatrix-skip-project-folders", "q:")
    assert [name for name in names if not name.startswith(("Inbox", "Outbox", "Trash"))] == ["plain/", "plain/b"]
    rclone("copyto", "q:project/a", "q:project/sub/c")
    assert rclone.names("q:project/sub") == ["c"]


def test_the_home_shows_what_the_service_put_there(rclone: Rclone) -> None:
    assert rclone.names("q:") == ["Inbox/", "Outbox/", "Trash/"]
    rclone.emulator.reset(settings={"system_folders": False})
    rclone.emulator.add_api_key(API_KEY, EMAIL)
    assert rclone.names("q:") == ["Trash/"]


def test_sizes_and_counts(rclone: Rclone) -> None:
    rclone.emulator.put_files(EMAIL, [{"path": "data/a", "size": 10}, {"path": "data/sub/b", "size": 20}, "data/sub/"])
    assert json.loads(rclone("size", "--json", "q:data")) == {"count": 2, "bytes": 30, "sizeless": 0}
    (folder,) = json.loads(rclone("lsjson", "--dirs-only", "q:data"))
    assert folder["Size"] in (-1, 1)
    assert folder["IsDir"]
