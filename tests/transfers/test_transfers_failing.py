"""Files that fail: with ``on_error="continue"`` the others are worked on, and the failure names each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_quatrix.api.errors import QuatrixCaptchaRequired, QuatrixTransportError
from airflow_provider_quatrix.hooks.failures import is_final
from airflow_provider_quatrix.transfer.error_context import FilesFailedError
from airflow_provider_quatrix.transfer.failures import Failures

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

USER = "robot@example.com"
NAMES = [f"{number}.csv" for number in range(6)]
TAKEN = ("1.csv", "4.csv")


def stored(emulator: EmulatorClient, folder: str) -> set[str]:
    paths = (entry["path"] for entry in emulator.files(USER) if entry["type"] == "F")
    return {path.removeprefix(folder) for path in paths if path.startswith(folder)}


@pytest.fixture
def taken(quatrix_emulator: EmulatorClient) -> None:
    """Files on Quatrix, and a target that has two of their names."""
    for name in NAMES:
        quatrix_emulator.put_file(USER, f"/in/{name}", b"new")
    for name in TAKEN:
        quatrix_emulator.put_file(USER, f"/out/{name}", b"old")


def check(error: FilesFailedError, prefix: str) -> None:
    assert {path for path, _ in error.failures} == {f"{prefix}/{name}" for name in TAKEN}
    assert str(error).startswith("2 of 6 files failed: ")
    for name in TAKEN:
        assert f"'{prefix}/{name}': " in str(error)
    assert is_final(error)


@pytest.mark.parametrize("transfers", [1, 4])
@pytest.mark.usefixtures("taken")
def test_upload(quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, transfers: int) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes(b"new")
    with pytest.raises(FilesFailedError) as caught:
        hook.upload(f"{tmp_path}/*", "/out", on_error="continue", transfers=transfers)
    check(caught.value, str(tmp_path))
    assert stored(quatrix_emulator, "/out/") == set(NAMES)
    assert all(quatrix_emulator.read_file(USER, f"/out/{name}") == b"old" for name in TAKEN)


@pytest.mark.usefixtures("taken")
def test_download(hook: QuatrixHook, tmp_path: Path) -> None:
    for name in TAKEN:
        (tmp_path / name).write_bytes(b"old")
    with pytest.raises(FilesFailedError) as caught:
        hook.download("/in/*", tmp_path, on_error="continue", delete_source=True)
    check(caught.value, "/in")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        name: b"old" if name in TAKEN else b"new" for name in NAMES
    }
    # Nothing is deleted before all have arrived.
    assert len(hook.list_files("/in")) == len(NAMES)


@pytest.mark.usefixtures("taken", "noted")
@pytest.mark.parametrize("what", ["move_many", "copy_many"])
def test_another_try_does_the_rest(quatrix_emulator: EmulatorClient, hook: QuatrixHook, what: str) -> None:
    call: Any = getattr(hook, what)
    with pytest.raises(FilesFailedError) as caught:
        call("/in/*", "/out", on_error="continue", resume_key="task")
    check(caught.value, "/in")
    assert stored(quatrix_emulator, "/out/") == set(NAMES)
    for name in TAKEN:
        quatrix_emulator.remove_file(USER, f"/out/{name}")
    again = call("/in/*", "/out", on_error="continue", resume_key="task", is_retry=True)
    assert {result.path for result in again} == {f"/out/{name}" for name in NAMES}
    assert stored(quatrix_emulator, "/out/") == set(NAMES)
    assert stored(quatrix_emulator, "/in/") == (set() if what == "move_many" else set(NAMES))


@pytest.mark.usefixtures("taken")
def test_without_it_the_first_failure_ends_all(quatrix_emulator: EmulatorClient, hook: QuatrixHook) -> None:
    with pytest.raises(FileExistsError):
        hook.move_many("/in/*", "/out")
    assert stored(quatrix_emulator, "/in/") == set(NAMES) - {"0.csv"}


def test_the_message_is_bounded() -> None:
    failed = [(f"/in/{number}", OSError("x" * 10_000)) for number in range(1000)]
    error = FilesFailedError(failed, 2000)
    assert len(str(error)) < 5000
    assert str(error).endswith("; and 990 more")
    assert len(error.failures) == 1000
    assert not is_final(error)


def test_what_concerns_all_files_ends_all() -> None:
    failures = Failures("continue")
    with pytest.raises(QuatrixCaptchaRequired), failures.of("/a"):
        raise QuatrixCaptchaRequired(401, None, "captcha")
    for path in ("/a", "/b"):
        with failures.of(path):
            raise QuatrixTransportError("down")
    with failures.of("/c"):
        """The service is up again."""
    for path in ("/d", "/e"):
        with failures.of(path):
            raise QuatrixTransportError("down")
    with pytest.raises(QuatrixTransportError), failures.of("/f"):
        raise QuatrixTransportError("down")
