"""``if_exists="update"``: only what differs moves, and what does not costs one listing per folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from airflow_provider_quatrix.api.errors import QuatrixConflict

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
    from airflow_provider_quatrix.transfer.results import Transfers

USER = "robot@example.com"
TREE = {"a": b"1", "deep/b": b"22", "deep/er/c": b"333", "other/d": b""}
TIME = 1_760_000_000_123_456_789


def make_tree(folder: Path) -> Path:
    for number, (name, data) in enumerate(TREE.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        os.utime(folder / name, ns=(TIME, TIME + number))
    return folder


def stored(emulator: EmulatorClient) -> dict[str, bytes]:
    return {
        entry["path"]: emulator.read_file(USER, entry["path"]) for entry in emulator.files(USER) if entry["type"] == "F"
    }


def on_disk(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def moved(results: Transfers) -> list[str]:
    return [result.path for result in results if not result.skipped]


def up(hook: QuatrixHook, folder: Path) -> Transfers:
    return hook.upload(str(folder), "/in", if_exists="update", create_parents=True)


def down(hook: QuatrixHook, folder: Path) -> Transfers:
    return hook.download("/in", folder, if_exists="update", create_parents=True)


def test_an_upload_sends_only_what_differs(quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path) -> None:
    first = up(hook, make_tree(tmp_path))
    assert len(moved(first)) == 4
    before, sent = quatrix_emulator.requests, quatrix_emulator.counters["upload_bytes"]
    again = up(hook, tmp_path)
    assert [(result.path, result.id, result.size) for result in again] == [
        (result.path, result.id, result.size) for result in first
    ]
    assert moved(again) == []
    # The folder by its path, then itself and the three below it.
    assert quatrix_emulator.requests - before <= 5 + 1

    (tmp_path / "a").write_bytes(b"longer")
    os.utime(tmp_path / "deep/b", ns=(TIME, TIME - 1_000_000))
    (tmp_path / "deep/er/new").write_bytes(b"4")
    assert moved(up(hook, tmp_path)) == ["/in/a", "/in/deep/b", "/in/deep/er/new"]
    assert quatrix_emulator.counters["upload_bytes"] == sent + 6 + 2 + 1
    assert stored(quatrix_emulator) == {f"/in/{name}": data for name, data in on_disk(tmp_path).items()}
    assert moved(up(hook, tmp_path)) == []


def test_a_download_fetches_only_what_differs(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    source, target = make_tree(tmp_path / "source"), tmp_path / "target"
    up(hook, source)
    first = down(hook, target)
    assert len(moved(first)) == 4
    before = quatrix_emulator.counters["download_bytes"]
    requests = quatrix_emulator.requests
    again = down(hook, target)
    assert [(result.path, result.id, result.size) for result in again] == [
        (result.path, result.id, result.size) for result in first
    ]
    assert moved(again) == []
    assert quatrix_emulator.requests - requests <= 6 + 1

    quatrix_emulator.put_file(USER, "/in/a", b"longer")
    (target / "deep/b").write_bytes(b"xx")
    (target / "other/d").unlink()
    assert moved(down(hook, target)) == [str(target / name) for name in ("a", "deep/b", "other/d")]
    assert quatrix_emulator.counters["download_bytes"] == before + 6 + 2
    assert on_disk(target) == {**TREE, "a": b"longer"}
    assert moved(down(hook, target)) == []


def test_what_came_up_is_not_fetched_back_and_what_came_down_is_not_sent_back(
    hook: QuatrixHook, tmp_path: Path
) -> None:
    source = make_tree(tmp_path / "source")
    up(hook, source)
    assert moved(down(hook, source)) == []
    down(hook, tmp_path / "copy")
    assert moved(up(hook, tmp_path / "copy")) == []


def test_a_single_file(quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path) -> None:
    local, back = tmp_path / "a", tmp_path / "back"
    local.write_bytes(b"one")
    skipped = []
    for _ in range(2):
        skipped.append(hook.upload(local, "/a", if_exists="update")[0].skipped)
        skipped.append(hook.download("/a", back, if_exists="update")[0].skipped)
    assert skipped == [False, False, True, True]
    local.write_bytes(b"two!")
    for moves in (hook.upload(local, "/a", if_exists="update"), hook.download("/a", back, if_exists="update")):
        assert not moves[0].skipped
    assert back.read_bytes() == b"two!" == quatrix_emulator.read_file(USER, "/a")


def test_a_folder_of_the_name_is_left_alone(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    source, target = make_tree(tmp_path / "source"), tmp_path / "target"
    quatrix_emulator.put_file(USER, "/in/a/kept", b"kept")
    with pytest.raises(QuatrixConflict, match="'/in/a' is a folder"):
        up(hook, source)
    assert stored(quatrix_emulator)["/in/a/kept"] == b"kept"
    quatrix_emulator.put_file(USER, "/in/a/deep", b"a file")
    make_tree(target / "a")
    with pytest.raises(IsADirectoryError, match="deep is a folder"):
        down(hook, target)
    assert on_disk(target / "a") == TREE


def test_moves_and_copies_do_not_know_it(hook: QuatrixHook) -> None:
    for call in (hook.move, hook.copy, hook.move_many, hook.copy_many):
        with pytest.raises(ValueError, match="if_exists is 'update': give one of 'fail', 'skip'"):
            call("/a", "/b", if_exists="update")
