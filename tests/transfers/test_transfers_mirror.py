"""``delete_extra`` makes a mirror, and deletes nothing else; ``dry_run`` tells beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from meanwhile import AsSoonAs, ahead_of
from transfer_notes import USER

from airflow_provider_quatrix.api.errors import QuatrixApiError, QuatrixNotFound
from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.transfer.temporary import part_name, temporary_name

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

MIRROR: dict[str, Any] = {"if_exists": "update", "delete_extra": True, "create_parents": True}
TREE = {"a": b"1", "deep/b": b"22", "deep/er/c": b"333", "other/d": b""}
REFUSED: dict[str, Any] = {"status": 400, "body": {"code": 10, "msg": "no"}}


def make_tree(folder: Path, files: dict[str, bytes] = TREE) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def fill(emulator: EmulatorClient, folder: str, files: dict[str, bytes] = TREE) -> None:
    for name, data in files.items():
        emulator.put_file(USER, f"{folder}/{name}", data)


def on_disk(folder: Path) -> dict[str, bytes | None]:
    """Return files with their bytes, and folders."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if not path.is_symlink()
    }


def stored(emulator: EmulatorClient, folder: str) -> dict[str, bytes | None]:
    return {
        entry["path"].removeprefix(folder + "/"): emulator.read_file(USER, entry["path"])
        if entry["type"] == "F"
        else None
        for entry in emulator.files(USER)
        if entry["path"].startswith(folder + "/")
    }


def test_an_upload_makes_a_mirror_and_its_dry_run_has_foretold_it(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    source = make_tree(tmp_path / "source")
    hook.upload(source, "/in", create_parents=True)
    fill(quatrix_emulator, "/in", {"a": b"older", "extra": b"x", "deep/extra": b"x", "gone/deep/f": b"x"})
    fill(quatrix_emulator, "/in/deep/er/c2/d", {"e": b"x"})
    fill(quatrix_emulator, "/neighbour")
    (source / "empty").mkdir()
    (source / "swapped").write_bytes(b"a file now")
    fill(quatrix_emulator, "/in/swapped", {"f": b"x"})
    before = quatrix_emulator.files(USER)
    dry = hook.upload(source, "/in", dry_run=True, **MIRROR)
    assert quatrix_emulator.files(USER) == before
    assert dry.dry_run
    assert [result.path for result in dry if not result.skipped] == ["/in/a", "/in/swapped"]
    assert list(dry.made) == ["/in/empty"]
    deleted = ["/in/swapped", "/in/deep/er/c2", "/in/deep/extra", "/in/extra", "/in/gone"]
    assert sorted(dry.deleted) == sorted(deleted)

    real = hook.upload(source, "/in", **MIRROR)
    assert [(result.path, result.skipped) for result in real] == [(result.path, result.skipped) for result in dry]
    assert sorted(real.deleted) == sorted(deleted)
    assert stored(quatrix_emulator, "/in") == on_disk(source)
    assert {name: data for name, data in stored(quatrix_emulator, "/neighbour").items() if data is not None} == TREE
    # What was deleted is in the Trash.
    assert {"/Trash/extra", "/Trash/gone", "/Trash/gone/deep/f"} <= {e["path"] for e in quatrix_emulator.files(USER)}
    assert hook.upload(source, "/in", **MIRROR).deleted == []


def test_a_download_makes_a_mirror_and_its_dry_run_has_foretold_it(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    fill(quatrix_emulator, "/out")
    target, neighbour = tmp_path / "target", make_tree(tmp_path / "neighbour")
    hook.download("/out", target, create_parents=True)
    make_tree(target, {"a": b"older", "extra": b"x", "deep/extra": b"x", "gone/deep/f": b"x", "swapped/f": b"x"})
    (target / "link").symlink_to(neighbour)
    (target / "nowhere").symlink_to("/nowhere")
    quatrix_emulator.put_file(USER, "/out/swapped", b"a file now")
    quatrix_emulator.make_folder(USER, "/out/empty")
    before = on_disk(target)
    dry = hook.download("/out", target, dry_run=True, **MIRROR)
    assert on_disk(target) == before
    assert sorted(result.path for result in dry if not result.skipped) == [str(target / "a"), str(target / "swapped")]
    assert list(dry.made) == [str(target / "empty")]
    deleted = [str(target / name) for name in ("deep/extra", "extra", "gone", "link", "nowhere", "swapped")]
    assert sorted(dry.deleted) == deleted

    real = hook.download("/out", target, **MIRROR)
    assert [(result.path, result.skipped) for result in real] == [(result.path, result.skipped) for result in dry]
    assert sorted(real.deleted) == deleted
    assert on_disk(target) == stored(quatrix_emulator, "/out")
    assert not (target / "link").is_symlink()
    assert on_disk(neighbour).items() >= TREE.items()
    assert hook.download("/out", target, **MIRROR).deleted == []


def test_a_mirror_that_overwrites_sends_all(hook: QuatrixHook, tmp_path: Path) -> None:
    source = make_tree(tmp_path / "source")
    how = {**MIRROR, "if_exists": "overwrite"}
    hook.upload(source, "/in", **how)
    (source / "a").unlink()
    results = hook.upload(source, "/in", **how)
    assert [result.skipped for result in results] == [False] * 3
    assert results.deleted == ["/in/a"]


def test_nothing_is_deleted_if_the_source_is_missing_or_cannot_be_listed(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    fill(quatrix_emulator, "/in")
    target = make_tree(tmp_path / "target")
    with pytest.raises(FileNotFoundError, match="There is no local file"):
        hook.upload(tmp_path / "missing", "/in", **MIRROR)
    with pytest.raises(QuatrixNotFound):
        hook.download("/missing", target, **MIRROR)
    source = make_tree(tmp_path / "source", {"a": b"1"})
    (source / "link").symlink_to("nowhere")
    with pytest.raises(InvalidPathError, match="leads nowhere"):
        hook.upload(source, "/in", **MIRROR)
    quatrix_emulator.put_file(USER, "/out/a", b"1")
    quatrix_emulator.put_hostile_name(USER, "..", "/out")
    with pytest.raises(InvalidPathError, match="not all could be"):
        hook.download("/out", target, **MIRROR)
    with pytest.raises(InvalidPathError, match="not all could be"):
        hook.download("/out", target, dry_run=True, **MIRROR)
    assert {name: data for name, data in on_disk(target).items() if data is not None} == TREE
    assert {name: data for name, data in stored(quatrix_emulator, "/in").items() if data is not None} == TREE


def test_nothing_is_deleted_if_something_does_not_arrive(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    fill(quatrix_emulator, "/in", {"extra": b"x"})
    quatrix_emulator.fault("upload/finalize/*", after=1, **REFUSED)
    with pytest.raises(QuatrixApiError):
        hook.upload(make_tree(tmp_path / "source"), "/in", transfers=1, **MIRROR)
    quatrix_emulator.clear_faults()
    assert quatrix_emulator.read_file(USER, "/in/extra") == b"x"
    target = make_tree(tmp_path / "target", {"extra": b"x"})
    quatrix_emulator.fault("file/download/*", **REFUSED)
    with pytest.raises(QuatrixApiError):
        hook.download("/in", target, **{**MIRROR, "delete_extra": True})
    assert (target / "extra").read_bytes() == b"x"


def test_what_has_been_moved_away_meanwhile_is_not_deleted(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    fill(quatrix_emulator, "/in", {"extra": b"x", "other": b"y"})
    source = make_tree(tmp_path / "source", {"a": b"1"})

    def meanwhile() -> None:
        hook.move("/in/extra", "/elsewhere/extra", create_parents=True)

    with ahead_of("POST /api/1.0/upload/link", meanwhile):
        assert hook.upload(source, "/in", **MIRROR).deleted == ["/in/other"]
    assert quatrix_emulator.read_file(USER, "/elsewhere/extra") == b"x"


def test_a_folder_that_a_link_has_taken_the_place_of_meanwhile_keeps_what_it_holds(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    quatrix_emulator.put_file(USER, "/out/deep/a", b"1")
    target, other = make_tree(tmp_path / "target", {"deep/extra": b"x"}), make_tree(tmp_path / "other", {"extra": b"y"})

    def meanwhile() -> None:
        (target / "deep").rename(tmp_path / "away")
        (target / "deep").symlink_to(other)

    hook.client.observe(AsSoonAs("moved download", meanwhile))
    assert hook.download("/out", target, **MIRROR).deleted == []
    assert target.joinpath("deep").is_symlink()
    assert (other / "extra").read_bytes() == b"y"


def test_a_linked_folder_in_the_target_is_filled_but_nothing_is_deleted_there(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    fill(quatrix_emulator, "/out", {"deep/a": b"1"})
    target, other = tmp_path / "target", make_tree(tmp_path / "other", {"extra": b"y"})
    target.mkdir()
    (target / "deep").symlink_to(other)
    for skipped in (False, True):
        results = hook.download("/out", target, **MIRROR)
        assert ([result.skipped for result in results], results.deleted) == ([skipped], [])
    assert on_disk(other) == {"a": b"1", "extra": b"y"}


def test_project_folders_and_unfinished_uploads_stay(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    source = make_tree(tmp_path / "source", {"a": b"1"})
    part = temporary_name("somebody's")
    fill(quatrix_emulator, "/in", {part: b"half", "extra": b"x"})
    target = make_tree(tmp_path / "target", {part_name("gone", "old"): b"half"})
    assert hook.upload(source, "/in", **MIRROR).deleted == ["/in/extra"]
    assert set(stored(quatrix_emulator, "/in")) == {"a", part}
    # Of local ones it can be told that nobody writes to them.
    assert hook.download("/in", target, **MIRROR).deleted == []
    assert on_disk(target) == {"a": b"1"}


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"if_exists": "fail"}, "if_exists is 'fail': set if_exists to 'update' or 'overwrite'"),
        ({"if_exists": "skip"}, "if_exists is 'skip'"),
        ({"if_exists": "rename"}, "if_exists is 'rename'"),
        ({"if_exists": "update", "delete_source": True}, "delete_extra and delete_source are both True: choose one"),
        ({"if_exists": "update", "target": "/"}, "target is '/': give a folder of its own"),
        ({"if_exists": "update", "target": "./"}, "target is './'"),
        ({"if_exists": "update", "source": ["/a", "/b"]}, "source is a list or pattern: give one folder"),
        ({"if_exists": "update", "source": []}, "source is a list or pattern"),
        ({"if_exists": "update", "source": "/a/*"}, "source is a list or pattern"),
    ],
)
def test_a_mirror_that_makes_no_sense_is_refused(hook: QuatrixHook, how: dict[str, Any], says: str) -> None:
    arguments: dict[str, Any] = {"source": "/a", "target": "/b", "delete_extra": True, **how}
    for call in (hook.upload, hook.download):
        with pytest.raises(ValueError, match=says):
            call(**arguments)


def test_a_mirror_of_a_file_is_refused(quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    fill(quatrix_emulator, "/in", {"a": b"1", "b": b"2"})
    with pytest.raises(InvalidPathError, match=r"source is the file .*/a: give a folder, or set delete_extra=False"):
        hook.upload(tmp_path / "a", "/in/", **MIRROR)
    with pytest.raises(InvalidPathError, match="source is the file /in/a: give a folder"):
        hook.download("/in/a", tmp_path, **MIRROR)
    assert len(stored(quatrix_emulator, "/in")) == 2


@pytest.mark.parametrize("if_exists", ["fail", "skip", "overwrite", "rename", "update"])
def test_a_dry_run_of_any_mode_tells_and_does_nothing(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, if_exists: str
) -> None:
    source, target = make_tree(tmp_path / "source"), tmp_path / "target"
    fill(quatrix_emulator, "/in", {"a": b"other"})
    make_tree(target, {"a": b"other"})
    fill(quatrix_emulator, "/out")
    before, disk = quatrix_emulator.files(USER), on_disk(tmp_path)
    for call, there in (
        (lambda: hook.upload(source, "/in", if_exists=if_exists, dry_run=True, delete_source=True), "/in"),
        (lambda: hook.download("/out", target, if_exists=if_exists, dry_run=True, delete_source=True), str(target)),
    ):
        if if_exists == "fail":
            with pytest.raises(FileExistsError, match=f"{there}/a exists: set if_exists"):
                call()
            continue
        results = call()
        skipped = [result.path for result in results if result.skipped]
        assert skipped == ([f"{there}/a"] if if_exists == "skip" else [])
        assert len(results) == 4
        assert len(results.deleted_sources) == (3 if if_exists == "skip" else 4)
        assert sorted(results.made) == [f"{there}/{name}" for name in ("deep", "deep/er", "other")]
    assert (quatrix_emulator.files(USER), on_disk(tmp_path)) == (before, disk)
    assert quatrix_emulator.counters["upload_bytes"] == quatrix_emulator.counters["download_bytes"] == 0


def test_a_dry_run_fails_where_the_target_is_missing(hook: QuatrixHook, tmp_path: Path) -> None:
    source = make_tree(tmp_path / "source")
    with pytest.raises(QuatrixNotFound, match="There is no folder '/missing'"):
        hook.upload(source, "/missing", dry_run=True)
    assert len(hook.upload(source, "/missing", dry_run=True, create_parents=True)) == 4
    assert not hook.exists("/missing")
