"""Two sources that would get one path are refused before anything is done: one would silently replace the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from transfer_notes import USER

from airflow_provider_quatrix.api.paths import InvalidPathError

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

REMOTE = {"/x/a": b"x", "/y/a": b"y"}


@pytest.fixture
def remote(quatrix_emulator: EmulatorClient) -> EmulatorClient:
    for path, data in REMOTE.items():
        quatrix_emulator.put_file(USER, path, data)
    quatrix_emulator.make_folder(USER, "/in")
    return quatrix_emulator


def files(emulator: EmulatorClient) -> dict[str, bytes]:
    paths = [entry["path"] for entry in emulator.files(USER) if entry["type"] == "F"]
    return {path: emulator.read_file(USER, path) for path in paths}


@pytest.mark.parametrize("sources", [["/x/a", "/y/a"], ["/x/*", "/y/*"], "/*/a"])
@pytest.mark.parametrize("if_exists", ["fail", "overwrite"])
def test_two_downloads(
    remote: EmulatorClient, hook: QuatrixHook, tmp_path: Path, sources: str | list[str], if_exists: str
) -> None:
    with pytest.raises(InvalidPathError, match=r"would both become .*/in/a': rename one of them"):
        hook.download(sources, f"{tmp_path}/in/", if_exists=if_exists, create_parents=True)
    assert list(tmp_path.rglob("a")) == []
    assert remote.counters["download_bytes"] == 0


@pytest.mark.parametrize("several", ["list", "pattern"])
@pytest.mark.parametrize("call", ["upload", "transfer"])
def test_two_uploads(remote: EmulatorClient, hook: QuatrixHook, tmp_path: Path, call: str, several: str) -> None:
    for name in ("v", "w"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_bytes(name.encode())
    places = [f"{tmp_path}/v/a", f"{tmp_path}/w/a"] if several == "list" else [f"{tmp_path}/*/a"]
    if call == "transfer":
        places = [f"file://{place}" for place in places]
    with pytest.raises(InvalidPathError, match="would both become '/in/a': rename one of them"):
        getattr(hook, call)(places, "/in/", if_exists="overwrite")
    assert files(remote) == REMOTE
    assert remote.counters["upload_bytes"] == 0


@pytest.mark.parametrize("call", ["move_many", "copy_many"])
def test_two_moves_and_copies(remote: EmulatorClient, hook: QuatrixHook, call: str) -> None:
    with pytest.raises(InvalidPathError, match="would both become '/in/a': rename one of them"):
        getattr(hook, call)(["/x/a", "/y/a"], "/in/", if_exists="overwrite")
    assert files(remote) == REMOTE


def test_one_source_that_is_named_twice_is_one(remote: EmulatorClient, hook: QuatrixHook) -> None:
    assert [result.path for result in hook.copy_many(["/x/a", "/x/*"], "/in/")] == ["/in/a"]
    assert files(remote) == {**REMOTE, "/in/a": b"x"}
