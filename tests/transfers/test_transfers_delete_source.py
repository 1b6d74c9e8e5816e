"""``delete_source``: a source goes once it has arrived, as it was when it was read, and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from transfer_notes import USER, notes, write_in_place

from airflow_provider_quatrix.api.errors import QuatrixApiError, QuatrixPermissionDenied
from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.transfer import execution as carrying
from airflow_provider_quatrix.transfer import sources
from airflow_provider_quatrix.transfer.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
    from airflow_provider_quatrix.transfer.results import Transfers

pytestmark = pytest.mark.usefixtures("noted")

TREE = {"a": b"1", "deep/b": b"22", "deep/c": b"333", **{f"many/{number}": b"4" * number for number in range(7)}}
TASK: dict[str, Any] = {"resume_key": "dag task run", "delete_source": True, "create_parents": True}
AGAIN: dict[str, Any] = {**TASK, "is_retry": True}
REFUSED: dict[str, Any] = {"status": 400, "body": {"code": 10, "msg": "no"}}
MODES = ("fail", "skip", "overwrite", "rename", "update")


class Killed(BaseException):
    """Stands for what ends a worker: nothing after it is done, and no notes are written."""


def make_tree(folder: Path) -> Path:
    for name, data in TREE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def on_disk(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stored(emulator: EmulatorClient, folder: str) -> dict[str, bytes]:
    return {
        entry["path"].removeprefix(folder + "/"): emulator.read_file(USER, entry["path"])
        for entry in emulator.files(USER)
        if entry["type"] == "F" and entry["path"].startswith(folder + "/")
    }


def fill(emulator: EmulatorClient) -> None:
    for name, data in TREE.items():
        emulator.put_file(USER, f"/out/{name}", data)


def summary(results: Transfers) -> list[tuple[str, bool, bool]]:
    return sorted((result.path, result.skipped, result.source_deleted) for result in results)


def test_an_upload_deletes_what_has_arrived_and_leaves_the_folders(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    results = hook.upload(make_tree(tmp_path), "/in", **TASK)
    assert summary(results) == sorted((f"/in/{name}", False, True) for name in TREE)
    assert stored(quatrix_emulator, "/in") == TREE
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "many"]


def test_a_download_moves_what_has_arrived_to_the_trash(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    fill(quatrix_emulator)
    results = hook.download("/out", tmp_path, **TASK)
    assert summary(results) == sorted((str(tmp_path / name), False, True) for name in TREE)
    assert on_disk(tmp_path) == TREE
    assert stored(quatrix_emulator, "/out") == {}
    assert sorted(stored(quatrix_emulator, "/Trash").values()) == sorted(TREE.values())
    assert [entry["path"] for entry in quatrix_emulator.files(USER) if entry["path"].startswith("/out")] == [
        "/out",
        "/out/deep",
        "/out/many",
    ]


def test_a_source_that_has_changed_since_stays(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = make_tree(tmp_path / "source")

    def while_it_deletes(job: Any) -> Any:
        (source / "a").write_bytes(b"written meanwhile")
        (source / "deep/b").unlink()
        return job

    real_local, real_remote = sources.delete_local, sources.delete_remote
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carrying, "delete_local", lambda arrived: real_local(while_it_deletes(arrived)))
        up = hook.upload(source, "/in", **TASK)
    assert on_disk(source) == {"a": b"written meanwhile"}
    assert [result.path for result in up if not result.source_deleted] == ["/in/a"]
    assert f"{source}/a is not deleted: it has changed since it was uploaded" in caplog.text

    fill(quatrix_emulator)

    def meanwhile(arrived: Any) -> Any:
        quatrix_emulator.put_file(USER, "/out/a", b"written meanwhile")
        for name in ("deep/c", "many/3"):
            write_in_place(hook, f"/out/{name}", b"written meanwhile")
        hook.move("/out/deep/b", "/elsewhere", create_parents=True)
        return arrived

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carrying, "delete_remote", lambda files, arrived: real_remote(files, meanwhile(arrived)))
        hook.download("/out", tmp_path / "target", **TASK)
    assert on_disk(tmp_path / "target") == TREE
    assert stored(quatrix_emulator, "/out") == dict.fromkeys(("a", "deep/c", "many/3"), b"written meanwhile")
    assert quatrix_emulator.read_file(USER, "/elsewhere") == TREE["deep/b"]


def test_what_was_not_moved_stays(quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path) -> None:
    source = make_tree(tmp_path / "source")
    quatrix_emulator.put_file(USER, "/in/a", b"other")
    results = hook.upload(source, "/in", if_exists="skip", **TASK)
    assert [result.path for result in results if not result.source_deleted] == ["/in/a"]
    assert on_disk(source) == {"a": b"1"}

    fill(quatrix_emulator)
    (tmp_path / "target").mkdir()
    (tmp_path / "target/a").write_bytes(b"other")
    hook.download("/out", tmp_path / "target", if_exists="skip", **TASK)
    assert stored(quatrix_emulator, "/out") == {"a": b"1"}


def test_what_is_the_same_already_counts_as_moved_for_an_update(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    source = make_tree(tmp_path / "source")
    hook.upload(source, "/in", create_parents=True)
    sent = quatrix_emulator.counters["upload_bytes"]
    assert all(
        result.skipped and result.source_deleted for result in hook.upload(source, "/in", if_exists="update", **TASK)
    )
    assert (on_disk(source), quatrix_emulator.counters["upload_bytes"]) == ({}, sent)
    hook.download("/in", source)
    down = hook.download("/in", source, if_exists="update", **TASK)
    assert all(result.skipped and result.source_deleted for result in down)
    assert (stored(quatrix_emulator, "/in"), on_disk(source)) == ({}, TREE)


def test_if_one_fails_none_is_deleted(quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path) -> None:
    source = make_tree(tmp_path / "source")
    quatrix_emulator.fault("upload/finalize/*", after=3, **REFUSED)
    with pytest.raises(QuatrixApiError):
        hook.upload(source, "/in", transfers=1, **TASK)
    assert on_disk(source) == TREE
    quatrix_emulator.clear_faults()
    fill(quatrix_emulator)
    quatrix_emulator.put_hostile_name(USER, "..", "/out")
    with pytest.raises(InvalidPathError, match="not all that there is"):
        hook.download("/out", tmp_path / "target", **TASK)
    assert stored(quatrix_emulator, "/out").items() >= TREE.items()


Way = tuple["Callable[..., Transfers]", "Callable[[], dict[str, bytes]]", "Callable[[], dict[str, bytes]]"]


@pytest.fixture(params=["up", "down"])
def way(request: pytest.FixtureRequest, quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path) -> Way:
    """A move, what its source holds, and what its target holds."""
    if request.param == "up":
        source = make_tree(tmp_path / "source")
        return (
            lambda **how: hook.upload(source, "/in", **how),
            lambda: on_disk(source),
            lambda: stored(quatrix_emulator, "/in"),
        )
    fill(quatrix_emulator)
    target = tmp_path / "target"
    return (
        lambda **how: hook.download("/out", target, **how),
        lambda: stored(quatrix_emulator, "/out"),
        lambda: on_disk(target),
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("deletes", [0, 4, 10])
def test_a_kill_before_or_between_the_deletions_is_made_good_by_the_next_try(
    way: Way, hook: QuatrixHook, monkeypatch: pytest.MonkeyPatch, mode: str, deletes: int
) -> None:
    move, source, target = way
    real_local, real_remote = carrying.delete_local, carrying.delete_remote

    def some(arrived: Any) -> Any:
        return list(arrived)[:deletes]

    def killed_local(arrived: Any) -> Any:
        real_local(some(arrived))
        raise Killed

    def killed_remote(files: Any, arrived: Any) -> Any:
        real_remote(files, some(arrived))
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        # A kill leaves no time to write down what has been done.
        patch.setattr(Journal, "write", lambda journal: None)
        patch.setattr(carrying, "delete_local", killed_local)
        patch.setattr(carrying, "delete_remote", killed_remote)
        with pytest.raises(Killed):
            move(if_exists=mode, **TASK)
    assert len(source()) == len(TREE) - deletes
    results = move(if_exists=mode, **AGAIN)
    assert source() == {}
    assert target() == TREE
    assert len(results) == len(TREE)
    assert all(result.source_deleted for result in results)
    # What is overwritten anyway may be moved again.
    assert mode == "overwrite" or all(result.skipped for result in results)
    hook.forget_done()
    assert notes() == []


@pytest.mark.parametrize("mode", MODES)
def test_a_newcomer_of_the_same_name_is_neither_taken_for_moved_nor_put_over_what_was(
    way: Way, quatrix_emulator: EmulatorClient, tmp_path: Path, mode: str
) -> None:
    move, source, target = way
    move(if_exists=mode, **TASK)
    assert source() == {}
    if tmp_path.joinpath("source").is_dir():
        (tmp_path / "source/a").write_bytes(b"new")
    else:
        quatrix_emulator.put_file(USER, "/out/a", b"new")
    results = move(if_exists=mode, **AGAIN)
    assert target() == TREE
    assert source() == {"a": b"new"}
    assert len(results) == len(TREE)


def test_a_source_that_somebody_else_took_away_is_missed(way: Way, tmp_path: Path, hook: QuatrixHook) -> None:
    move, source, target = way

    def killed(*_: Any) -> Any:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carrying, "run_all", killed)
        with pytest.raises(Killed):
            move(**TASK)
    if tmp_path.joinpath("source").is_dir():
        (tmp_path / "source/a").unlink()
    else:
        hook.delete("/out/a")
    with pytest.raises(FileNotFoundError, match="a was there when the first try began, but is gone"):
        move(**AGAIN)
    assert (len(source()), target()) == (len(TREE) - 1, {})


def test_a_single_file(quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path) -> None:
    local = tmp_path / "a"
    local.write_bytes(b"one")
    for move, moves_to in ((hook.upload, "/a"), (hook.download, str(local))):
        source = str(local) if moves_to == "/a" else "/a"
        for how in (TASK, AGAIN):
            (result,) = move(source, moves_to, **how)
            assert (result.path, result.size, result.source_deleted) == (moves_to, 3, True)
        hook.forget_done()
        assert local.exists() == (moves_to != "/a")
    assert not hook.exists("/a")


def test_a_remote_file_that_cannot_be_deleted_is_named(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    quatrix_emulator.put_file(USER, "/out/a", b"1")
    quatrix_emulator.fault("file/delete", status=403, body={"code": 10, "msg": "no"})
    with pytest.raises(QuatrixPermissionDenied) as failure:
        hook.download("/out", tmp_path, **TASK)
    assert failure.value.__notes__ == ["Deleting the downloaded files in '/out'"]
    assert (tmp_path / "a").read_bytes() == b"1"
