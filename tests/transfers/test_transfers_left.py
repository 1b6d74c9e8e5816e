"""What is left when a try ends for good, a retry has nothing to do, or its source is gone: nothing."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from transfer_notes import USER, local_parts, notes, remote_parts

from airflow_provider_quatrix.api.errors import QuatrixApiError, QuatrixError
from airflow_provider_quatrix.transfer.chunks import SMALLEST_CHUNK

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

pytestmark = pytest.mark.usefixtures("noted")

TASK: dict[str, Any] = {"resume_key": "dag task run"}
AGAIN: dict[str, Any] = {**TASK, "is_retry": True}
REFUSED: dict[str, Any] = {"status": 400, "body": {"code": 10, "msg": "no"}}
# One whose first chunk is through, and one that is a single chunk.
SIZES = [2 * SMALLEST_CHUNK, 1000]


@pytest.fixture(params=SIZES, ids=["large", "small"])
def source(request: pytest.FixtureRequest, quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path) -> Path:
    """A file whose upload an earlier try has begun."""
    path = tmp_path / "a.bin"
    path.write_bytes(os.urandom(request.param))
    quatrix_emulator.fault("/upload/chunked/*", after=int(request.param > SMALLEST_CHUNK), **REFUSED)
    with pytest.raises(QuatrixApiError):
        hook.upload(str(path), "/in/a.bin", create_parents=True, **TASK)
    assert len(remote_parts(quatrix_emulator)) == len(notes()) == 1
    return path


@pytest.mark.parametrize("if_exists", ["skip", "fail"])
def test_an_unfinished_upload_goes_when_somebody_else_has_made_the_file(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, source: Path, if_exists: str
) -> None:
    quatrix_emulator.put_file(USER, "/in/a.bin", b"of somebody else")
    with pytest.raises(FileExistsError) if if_exists == "fail" else nullcontext():
        hook.upload(str(source), "/in/a.bin", if_exists=if_exists, **AGAIN)
    hook.forget_done()
    assert quatrix_emulator.read_file(USER, "/in/a.bin") == b"of somebody else"
    assert remote_parts(quatrix_emulator) == notes() == []


def test_an_unfinished_upload_goes_when_its_source_is_gone(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, source: Path
) -> None:
    source.unlink()
    with pytest.raises(FileNotFoundError):
        hook.upload(str(source), "/in/a.bin", last_try=True, **AGAIN)
    assert remote_parts(quatrix_emulator) == notes() == []


def test_an_unfinished_upload_goes_with_a_failure_that_no_try_can_mend(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, source: Path
) -> None:
    quatrix_emulator.fault("/upload/chunked/*", status=403, body={"code": 50, "msg": "no"})
    with pytest.raises(PermissionError):
        hook.upload(str(source), "/in/a.bin", **AGAIN)
    assert remote_parts(quatrix_emulator) == notes() == []


@pytest.mark.parametrize("tries", [{}, {**AGAIN, "last_try": True}], ids=["no resume key", "last try"])
def test_an_unfinished_upload_goes_with_the_last_try(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, source: Path, tries: dict[str, Any]
) -> None:
    quatrix_emulator.fault("upload/finalize/*", times=None, **REFUSED)
    with pytest.raises(QuatrixError):
        hook.upload(str(source), "/in/a.bin" if tries else "/in/b.bin", **tries)
    assert len(remote_parts(quatrix_emulator)) == (0 if tries else 1)


@pytest.fixture
def part(quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path) -> Path:
    """The folder of a file whose download an earlier try has begun."""
    quatrix_emulator.put_file(USER, "/out/a.bin", size=2 * SMALLEST_CHUNK)
    quatrix_emulator.fault("file/download/*", cut="body", after_bytes=SMALLEST_CHUNK)
    quatrix_emulator.fault("file/download/*", **REFUSED)
    with pytest.raises(QuatrixApiError):
        hook.download("/out/a.bin", tmp_path / "a.bin", **TASK)
    assert len(local_parts(tmp_path)) == len(notes()) == 1
    return tmp_path


@pytest.mark.parametrize("if_exists", ["skip", "fail"])
def test_an_unfinished_download_goes_when_somebody_else_has_made_the_file(
    hook: QuatrixHook, part: Path, if_exists: str
) -> None:
    (part / "a.bin").write_bytes(b"of somebody else")
    with pytest.raises(FileExistsError) if if_exists == "fail" else nullcontext():
        hook.download("/out/a.bin", part / "a.bin", if_exists=if_exists, **AGAIN)
    hook.forget_done()
    assert (part / "a.bin").read_bytes() == b"of somebody else"
    assert local_parts(part) == notes() == []


def test_an_unfinished_download_goes_when_its_source_is_gone(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, part: Path
) -> None:
    quatrix_emulator.remove_file(USER, "/out/a.bin")
    with pytest.raises(FileNotFoundError):
        hook.download("/out/a.bin", part / "a.bin", last_try=True, **AGAIN)
    assert local_parts(part) == notes() == []


@pytest.mark.parametrize("tries", [{}, {**AGAIN, "last_try": True}], ids=["no resume key", "last try"])
def test_an_unfinished_download_goes_with_the_last_try(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, part: Path, tries: dict[str, Any]
) -> None:
    quatrix_emulator.fault("file/download/*", times=None, **REFUSED)
    with pytest.raises(QuatrixApiError):
        hook.download("/out/a.bin", part / "a.bin", **tries)
    assert local_parts(part) == []


def test_a_file_that_may_be_in_its_place_is_not_removed(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"new")
    quatrix_emulator.put_file(USER, "/a", b"old")
    quatrix_emulator.fault("file/moveone", execute_anyway=True, **REFUSED)
    with pytest.raises(QuatrixApiError):
        hook.upload(str(tmp_path / "a"), "/a", if_exists="overwrite")
    assert quatrix_emulator.read_file(USER, "/a") == b"new"


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("tries", [{}, TASK], ids=["no resume key", "resume key"])
def test_a_file_that_may_be_in_its_place_is_not_removed_where_nobody_may_look(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, tries: dict[str, Any], status: int
) -> None:
    (tmp_path / "a").write_bytes(b"new")
    quatrix_emulator.fault("file/moveone", execute_anyway=True, cut="connection")
    quatrix_emulator.fault("file/metadata/*", times=None, status=status, body={"code": 50, "msg": "no"})
    with pytest.raises(QuatrixError):
        hook.upload(str(tmp_path / "a"), "/a", **tries)
    assert quatrix_emulator.counters["faults"] >= 2
    assert quatrix_emulator.read_file(USER, "/a") == b"new"


def test_a_note_of_a_file_that_is_in_its_place_removes_nothing(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"new")
    quatrix_emulator.fault("file/moveone", execute_anyway=True, **REFUSED)
    with pytest.raises(QuatrixApiError):
        hook.upload(str(tmp_path / "a"), "/a", if_exists="overwrite", **TASK)
    (tmp_path / "a").unlink()
    with pytest.raises(FileNotFoundError):
        hook.upload(str(tmp_path / "a"), "/a", if_exists="overwrite", last_try=True, **AGAIN)
    assert quatrix_emulator.read_file(USER, "/a") == b"new"
    assert notes() == []


def test_a_note_of_a_file_that_is_in_its_place_removes_nothing_when_the_source_has_changed(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"new")
    quatrix_emulator.fault("file/moveone", execute_anyway=True, **REFUSED)
    with pytest.raises(QuatrixApiError):
        hook.upload(str(tmp_path / "a"), "/a", **TASK)
    (tmp_path / "a").write_bytes(b"newer")
    quatrix_emulator.fault("upload/link", **REFUSED)
    with pytest.raises(QuatrixApiError):
        hook.upload(str(tmp_path / "a"), "/a", **AGAIN)
    # Nothing has come in its place yet.
    assert quatrix_emulator.read_file(USER, "/a") == b"new"


def test_nothing_is_removed_whose_move_may_still_arrive(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"new")
    quatrix_emulator.fault("file/moveone", times=None, cut="connection")
    with pytest.raises(QuatrixError):
        hook.upload(str(tmp_path / "a"), "/a")
    assert quatrix_emulator.calls("POST", "file/moveone") > 1
    assert quatrix_emulator.calls("POST", "file/delete") == 0
