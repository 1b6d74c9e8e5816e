"""``delete_source``: a source goes once it has arrived, as it was when it was read, and not before."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from forked import status_of_child
from killed_tries import KILLED, die, kill_at
from meanwhile import AsSoonAs, ahead_of
from transfer_notes import USER, is_note, write_in_place

from airflow_provider_quatrix.api.errors import QuatrixApiError, QuatrixPermissionDenied
from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.transfer.temporary import is_temporary

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

    def once_all_is_sent() -> None:
        (source / "a").write_bytes(b"written meanwhile")
        (source / "deep/b").unlink()

    hook.client.observe(AsSoonAs("moved upload", once_all_is_sent, after=len(TREE) - 1))
    up = hook.upload(source, "/in", **TASK)
    assert on_disk(source) == {"a": b"written meanwhile"}
    assert [result.path for result in up if not result.source_deleted] == ["/in/a"]
    assert f"{source}/a is not deleted: it has changed since it was uploaded" in caplog.text

    fill(quatrix_emulator)

    def once_all_is_fetched() -> None:
        quatrix_emulator.put_file(USER, "/out/a", b"written meanwhile")
        for name in ("deep/c", "many/3"):
            write_in_place(hook, f"/out/{name}", b"written meanwhile")
        hook.move("/out/deep/b", "/elsewhere", create_parents=True)

    hook.client.observe(AsSoonAs("moved download", once_all_is_fetched, after=len(TREE) - 1))
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
    with pytest.raises(InvalidPathError, match="not all could be"):
        hook.download("/out", tmp_path / "target", **TASK)
    assert stored(quatrix_emulator, "/out").items() >= TREE.items()


@dataclass(frozen=True)
class Way:
    """One direction.

    :param move: moves the tree.
    :param source: tells what the source holds.
    :param target: tells what the target holds.
    :param is_up: from here to Quatrix.
    """

    move: Callable[..., Transfers]
    source: Callable[[], dict[str, bytes]]
    target: Callable[[], dict[str, bytes]]
    is_up: bool


@pytest.fixture(params=["up", "down"])
def way(request: pytest.FixtureRequest, quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path) -> Way:
    """One direction after the other, with a source that is full and a target that is empty."""
    here = tmp_path / "here"
    if request.param == "up":
        make_tree(here)
        return Way(
            lambda **how: hook.upload(here, "/in", **how),
            lambda: on_disk(here),
            lambda: stored(quatrix_emulator, "/in"),
            is_up=True,
        )
    fill(quatrix_emulator)
    return Way(
        lambda **how: hook.download("/out", here, **how),
        lambda: stored(quatrix_emulator, "/out"),
        lambda: on_disk(here),
        is_up=False,
    )


@pytest.fixture
def notes(noted: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], list[Path]]:
    """Notes that a killed process leaves behind; returns what tells them."""
    folder = tmp_path / "notes"
    folder.mkdir()
    monkeypatch.setenv("AIRFLOW__QUATRIX__SESSION_STORE", "killed_tries.FileStore")
    monkeypatch.setenv("QUATRIX_TEST_STORE", str(folder))
    return lambda: [path for path in folder.iterdir() if is_note(path.stem)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("deletions", [0, 2, None])
def test_a_kill_before_or_between_the_deletions_is_made_good_by_the_next_try(
    notes: Callable[[], list[Path]], way: Way, hook: QuatrixHook, mode: str, deletions: int | None
) -> None:
    def first() -> None:
        if deletions is not None and way.is_up:
            kill_at(deletions + 1, {"os.remove"})
        elif deletions is not None:
            hook.client.observe(AsSoonAs("file/delete", die, after=deletions - 1))
        with ahead_of("POST /api/1.0/file/delete", die) if deletions == 0 and not way.is_up else nullcontext():
            way.move(if_exists=mode, **TASK)

    # The last one's success is lost.
    assert status_of_child(first) == (0 if deletions is None else KILLED)
    # On Quatrix the files of a folder go at once.
    assert len(TREE) - len(way.source()) == {0: 0, 2: 2 if way.is_up else 3, None: len(TREE)}[deletions]
    assert notes()
    results = way.move(if_exists=mode, **AGAIN)
    assert way.source() == {}
    assert way.target() == TREE
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
    way.move(if_exists=mode, **TASK)
    assert way.source() == {}
    if way.is_up:
        (tmp_path / "here/a").write_bytes(b"new")
    else:
        quatrix_emulator.put_file(USER, "/out/a", b"new")
    results = way.move(if_exists=mode, **AGAIN)
    assert way.target() == TREE
    assert way.source() == {"a": b"new"}
    assert len(results) == len(TREE)


@pytest.mark.usefixtures("notes")
def test_a_source_that_somebody_else_took_away_is_missed(way: Way, tmp_path: Path, hook: QuatrixHook) -> None:
    def first() -> None:
        with ahead_of(f"POST /api/1.0/{'upload/link' if way.is_up else 'file/download-link'}", die):
            way.move(**TASK)

    assert status_of_child(first) == KILLED
    if way.is_up:
        (tmp_path / "here/a").unlink()
    else:
        hook.delete("/out/a")
    with pytest.raises(FileNotFoundError, match="a was there when the first try began, but is gone"):
        way.move(**AGAIN)
    assert len(way.source()) == len(TREE) - 1
    assert [name for name in way.target() if not is_temporary(name.rpartition("/")[2])] == []


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
