"""Two that move into one place at the same time: both end as their mode says, and no file is lost or mixed."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from transfer_notes import USER, local_parts, remote_parts

from airflow_provider_quatrix.api.errors import QuatrixTransferError
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.transfer.chunks import SMALLEST_CHUNK
from airflow_provider_quatrix.transfer.download import Downloader
from airflow_provider_quatrix.transfer.temporary import temporary_name
from airflow_provider_quatrix.transfer.tree import RemoteTree
from airflow_provider_quatrix.transfer.upload import Uploader

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

SIZE = 3_000_000


class Once:
    """Does something when the first bytes have moved."""

    def __init__(self, action: Callable[[], Any]) -> None:
        self._action = action
        self.done = False

    def __call__(self, size: int) -> None:
        if size and not self.done:
            self.done = True
            self._action()


def fails(if_exists: IfExists) -> AbstractContextManager[object]:
    if if_exists is not IfExists.FAIL:
        return nullcontext()
    return pytest.raises(FileExistsError, match=r"a'? exists: set if_exists to")


@pytest.mark.parametrize("if_exists", list(IfExists))
@pytest.mark.parametrize("version", ["same", "other"])
def test_two_downloads_into_one_place(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, if_exists: IfExists, version: str
) -> None:
    first, second = os.urandom(SIZE), os.urandom(SIZE)
    quatrix_emulator.put_file(USER, "/a", first)
    target = tmp_path / "a"
    results = []

    def another() -> None:
        if version == "other":
            quatrix_emulator.put_file(USER, "/b", second)
        remote = hook._tree().stat("/b" if version == "other" else "/a")
        results.append(Downloader(hook.client.files).download(remote, target, if_exists=if_exists))

    during = Once(another)
    downloader = Downloader(hook.client.files, progress=during)
    with fails(if_exists):
        results.append(downloader.download(hook._tree().stat("/a"), target, if_exists=if_exists))
    assert during.done
    in_between = second if version == "other" else first
    there = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert (
        there
        == {
            IfExists.FAIL: {"a": in_between},
            IfExists.SKIP: {"a": in_between},
            IfExists.OVERWRITE: {"a": first},
            IfExists.UPDATE: {"a": first},
            IfExists.RENAME: {"a": in_between, "a(1)": first},
        }[if_exists]
    )
    assert [result.skipped for result in results] == {
        IfExists.FAIL: [False],
        IfExists.SKIP: [False, True],
    }.get(if_exists, [False, False])


def test_a_part_that_is_written_to_is_not_cleared_away(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    quatrix_emulator.put_file(USER, "/a", bytes(SIZE))
    quatrix_emulator.put_file(USER, "/b", b"other")

    def another() -> None:
        before = local_parts(tmp_path)
        Downloader(hook.client.files).clear(tmp_path / "a")
        assert len(before) == 1
        assert local_parts(tmp_path) == before

    Downloader(hook.client.files, progress=Once(another)).download(hook._tree().stat("/a"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == bytes(SIZE)


@pytest.mark.parametrize("if_exists", list(IfExists))
def test_two_uploads_into_one_place(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, if_exists: IfExists
) -> None:
    for name in ("first", "second"):
        (tmp_path / name).write_bytes(name.encode() * 100)
    results = []

    def another() -> None:
        other = Uploader(RemoteTree(hook.client.files))
        results.append(other.upload(tmp_path / "second", "/a", if_exists=if_exists))

    during = Once(another)
    uploader = Uploader(RemoteTree(hook.client.files), progress=during)
    with fails(if_exists):
        results.append(uploader.upload(tmp_path / "first", "/a", if_exists=if_exists))
    assert during.done
    there = {entry["path"]: quatrix_emulator.read_file(USER, entry["path"]) for entry in quatrix_emulator.files(USER)}
    first, second = b"first" * 100, b"second" * 100
    assert (
        there
        == {
            IfExists.FAIL: {"/a": second},
            IfExists.SKIP: {"/a": second},
            IfExists.OVERWRITE: {"/a": first},
            IfExists.UPDATE: {"/a": first},
            IfExists.RENAME: {"/a": second, "/a(1)": first},
        }[if_exists]
    )
    assert [result.skipped for result in results] == {
        IfExists.FAIL: [False],
        IfExists.SKIP: [False, True],
    }.get(if_exists, [False, False])


def test_an_unfinished_download_is_not_uploaded(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    for name in ("a", temporary_name("a")):
        (tmp_path / name).write_bytes(b"1")
    hook.upload(str(tmp_path), "/in", create_parents=True)
    assert [entry["path"] for entry in quatrix_emulator.files(USER)] == ["/in", "/in/a"]
    assert remote_parts(quatrix_emulator) == []


@pytest.mark.parametrize("if_exists", list(IfExists))
def test_a_link_that_leads_nowhere_takes_a_name(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, if_exists: IfExists
) -> None:
    quatrix_emulator.put_file(USER, "/a", b"new")
    link = tmp_path / "a"
    link.symlink_to("nowhere")
    with fails(if_exists):
        (result,) = hook.download("/a", link, if_exists=if_exists)
        replaced = if_exists in (IfExists.OVERWRITE, IfExists.UPDATE)
        assert result.skipped is (if_exists is IfExists.SKIP)
        assert link.is_symlink() is not replaced
        assert {entry.name for entry in tmp_path.iterdir()} == {
            "a",
            *(["a(1)"] if if_exists is IfExists.RENAME else []),
        }
        if if_exists is not IfExists.SKIP:
            assert Path(result.path).read_bytes() == b"new"


def test_a_folder_that_is_moved_during_a_long_upload_is_named(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(bytes(2 * SMALLEST_CHUNK))
    quatrix_emulator.make_folder(USER, "/t")
    moving = Once(lambda: hook.move("/t", "/u"))
    uploader = Uploader(RemoteTree(hook.client.files), progress=moving)
    with pytest.raises(QuatrixTransferError, match=r"The folder '/t' was moved while .*/a was written into it"):
        uploader.upload(tmp_path / "a", "/t/a")
    assert moving.done
    assert [entry["path"] for entry in quatrix_emulator.files(USER)] == ["/u"]
