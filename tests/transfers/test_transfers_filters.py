"""Filters, kept structure, and what is missing: in all that the hook does with files."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_quatrix.api.errors import QuatrixNotFound

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

USER = "robot@example.com"
OLD = datetime(2026, 1, 1, tzinfo=UTC)
FILES = {"a.csv": 1, "b.txt": 20, "deep/c.csv": 300, "deep/er/d.csv": 4000, "tmp/e.csv": 5}
ENDS = [
    ({"include": "*.csv"}, {"a.csv", "deep/c.csv", "deep/er/d.csv", "tmp/e.csv"}),
    ({"include": ["deep/**/*", "*.txt"]}, {"b.txt", "deep/c.csv", "deep/er/d.csv"}),
    ({"exclude": ["tmp/**", "*.txt"]}, {"a.csv", "deep/c.csv", "deep/er/d.csv"}),
    ({"min_size": 20, "max_size": 300}, {"b.txt", "deep/c.csv"}),
    ({"newer_than": OLD + timedelta(1)}, {"a.csv", "b.txt", "deep/c.csv", "tmp/e.csv"}),
    ({"older_than": timedelta(30)}, {"deep/er/d.csv"}),
    ({"include": "*.csv", "newer_than": "2026-01-02T00:00:00Z", "max_size": 10}, {"a.csv", "tmp/e.csv"}),
    ({"min_size": 10_000}, set()),
]


def stored(emulator: EmulatorClient, folder: str) -> set[str]:
    """Return the files below a folder, by their places in it."""
    paths = (entry["path"] for entry in emulator.files(USER) if entry["type"] == "F")
    return {path.removeprefix(folder) for path in paths if path.startswith(folder)}


def folders(emulator: EmulatorClient, folder: str) -> set[str]:
    paths = (entry["path"] for entry in emulator.files(USER) if entry["type"] == "D")
    return {path.removeprefix(folder) for path in paths if path.startswith(folder)}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A local folder with the files; the largest one is old."""
    folder = tmp_path / "in"
    for name, size in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * size)
    os.utime(folder / "deep/er/d.csv", (OLD.timestamp(), OLD.timestamp()))
    (folder / "empty").mkdir()
    return folder


@pytest.fixture
def there(quatrix_emulator: EmulatorClient, hook: QuatrixHook, here: Path) -> str:
    """The same on Quatrix."""
    hook.upload(here, "/in", create_parents=True)
    return "/in"


@pytest.mark.parametrize(("filters", "expected"), ENDS)
def test_upload(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, here: Path, filters: Any, expected: set[str]
) -> None:
    results = hook.upload(here, "/up", create_parents=True, **filters)
    assert len(results) == len(expected)
    assert stored(quatrix_emulator, "/up/") == expected
    # No folder is made for nothing.
    assert folders(quatrix_emulator, "/up/") == {
        name[:at] for name in expected for at, letter in enumerate(name) if letter == "/"
    }


@pytest.mark.parametrize(("filters", "expected"), ENDS)
def test_download(hook: QuatrixHook, there: str, tmp_path: Path, filters: Any, expected: set[str]) -> None:
    results = hook.download(there, str(tmp_path / "down"), create_parents=True, **filters)
    assert len(results) == len(expected)
    down = tmp_path / "down"
    assert {str(path.relative_to(down)) for path in down.rglob("*") if path.is_file()} == expected
    assert {str(path.relative_to(down)) for path in down.rglob("*") if path.is_dir()} == {
        name[:at] for name in expected for at, letter in enumerate(name) if letter == "/"
    }


@pytest.mark.parametrize(("filters", "expected"), ENDS)
def test_list_copy_move_delete(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, there: str, filters: Any, expected: set[str]
) -> None:
    whole = {f"/in/{name}" for name in expected}
    assert {entry.path for entry in hook.list_files("/in", recursive=True, **filters)} == whole
    assert {entry.path for entry in hook.list_files("/in/**/*", **filters)} == whole
    assert {entry.path for entry in hook.list_files("/in", **filters)} == {p for p in whole if p.count("/") == 2}
    copied = hook.copy_many("/in", "/copy", create_parents=True, **filters)
    assert {result.path for result in copied} == {f"/copy/{name}" for name in expected}
    assert stored(quatrix_emulator, "/copy/") == expected
    # Into a folder, as a folder itself would go.
    hook.make_directory("/moved")
    hook.move_many(["/in"], "/moved", **filters)
    assert stored(quatrix_emulator, "/moved/in/") == expected
    assert stored(quatrix_emulator, "/in/") == FILES.keys() - expected
    assert hook.delete("/moved/in", missing_ok=True, **filters) == len(expected)
    assert stored(quatrix_emulator, "/moved/") == set()
    assert hook.exists("/moved")


def test_a_filter_holds_for_files_that_are_named(hook: QuatrixHook, there: str, tmp_path: Path) -> None:
    assert hook.download("/in/a.csv", f"{tmp_path}/", min_size=2) == []
    assert hook.delete(["/in/a.csv", {"path": "/in/b.txt"}], min_size=2) == 1
    assert hook.exists("/in/a.csv")
    assert hook.move_many("/in/a.csv", "/in/z.csv", exclude="*.csv") == []
    assert [result.path for result in hook.move_many("/in/a.csv", "/in/z.csv", include="a*")] == ["/in/z.csv"]


def test_a_home_folder_with_a_filter(quatrix_emulator: EmulatorClient, hook: QuatrixHook, there: str) -> None:
    results = hook.copy_many("/", "/all/", create_parents=True, include="in/deep/**")
    assert {result.path for result in results} == {"/all/in/deep/c.csv", "/all/in/deep/er/d.csv"}
    assert hook.delete("/", include="in/deep/*.csv") == 1
    assert not hook.exists("/in/deep/c.csv")


def test_a_folder_that_is_left_out_is_not_listed(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, there: str
) -> None:
    def calls(**filters: Any) -> int:
        before = quatrix_emulator.requests
        hook.list_files("/in", recursive=True, **filters)
        return quatrix_emulator.requests - before

    assert calls(exclude="deep/**") == calls() - 2


def test_a_local_folder_that_is_left_out_is_not_read(hook: QuatrixHook, here: Path) -> None:
    os.mkfifo(here / "tmp/fifo")
    (here / "tmp/nowhere").symlink_to("nothing")
    (here / "fifo").symlink_to(here / "tmp/fifo")
    results = hook.upload(here, "/up", create_parents=True, exclude=["tmp/**", "fifo"])
    assert len(results) == 4


@pytest.mark.parametrize("pattern", ["/in/**/*.csv", "/in/*/**/*.csv"])
def test_patterns_keep_their_structure(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, there: str, here: Path, tmp_path: Path, pattern: str
) -> None:
    expected = {name for name in FILES if name.endswith(".csv") and ("/in/**" in pattern or "/" in name)}
    hook.make_directory("/to")
    hook.copy_many(pattern, "/to", keep_structure=True)
    assert stored(quatrix_emulator, "/to/") == expected
    down = tmp_path / "down"
    down.mkdir()
    hook.download(pattern, down, keep_structure=True)
    assert {str(path.relative_to(down)) for path in down.rglob("*") if path.is_file()} == expected
    hook.upload(f"{here.parent}{pattern}", "/up", keep_structure=True, create_parents=True)
    assert stored(quatrix_emulator, "/up/") == expected
    hook.make_directory("/moved")
    hook.move_many(pattern, "/moved", keep_structure=True)
    assert stored(quatrix_emulator, "/moved/") == expected
    with pytest.raises(QuatrixNotFound, match="'/nowhere'"):
        hook.copy_many("/moved/**/*", "/nowhere", keep_structure=True)


def test_names_are_checked_in_a_kept_structure(hook: QuatrixHook, tmp_path: Path) -> None:
    odd = tmp_path / "in" / "back\\slash"
    odd.mkdir(parents=True)
    (odd / "a.csv").touch()
    with pytest.raises(ValueError, match="backslash"):
        hook.upload(f"{tmp_path}/in/**/*", "/up", keep_structure=True, create_parents=True)


@pytest.mark.parametrize("source", ["/missing", "/missing/*.csv", "/in/*.nothing", ["/missing"]])
def test_what_is_missing_is_fine_if_that_is_said(hook: QuatrixHook, there: str, tmp_path: Path, source: Any) -> None:
    local = [f"{tmp_path}{each}" for each in source] if isinstance(source, list) else f"{tmp_path}{source}"
    target = tmp_path / "down"
    for call in (
        lambda **how: hook.upload(local, "/up.csv", create_parents=True, **how),
        lambda **how: hook.download(source, target, create_parents=True, **how),
        lambda **how: hook.move_many(source, "/to", **how),
        lambda **how: hook.copy_many(source, "/to", **how),
    ):
        with pytest.raises(FileNotFoundError):
            call()
        assert call(missing_ok=True) == []
    assert hook.list_files(source, missing_ok=True) == []
    assert hook.delete(source, missing_ok=True) == 0
    assert not target.is_file()


def test_what_is_there_is_worked_on_though_something_else_is_missing(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, there: str, here: Path, tmp_path: Path
) -> None:
    assert len(hook.download(["/in/gone.csv", "/in/a.csv"], tmp_path / "d", create_parents=True, missing_ok=True)) == 1
    assert len(hook.upload([here / "gone", here / "a.csv"], "/up", create_parents=True, missing_ok=True)) == 1
    assert len(hook.move_many(["/in/gone.csv", "/in/a.csv"], "/up/in", create_parents=True, missing_ok=True)) == 1
    assert stored(quatrix_emulator, "/up/") == {"a.csv", "in/a.csv"}


def test_a_mirror_leaves_nothing_out(hook: QuatrixHook, there: str, here: Path) -> None:
    for selection in ({"exclude": "*.txt"}, {"missing_ok": True}):
        with pytest.raises(ValueError, match="would be deleted from the target"):
            hook.upload(here, "/in", if_exists="update", delete_extra=True, **selection)
    assert len(hook.list_files("/in/**/*")) == len(FILES)


def test_a_pattern_has_to_match_something_though_filters_may_leave_nothing(hook: QuatrixHook, there: str) -> None:
    assert hook.delete("/in/*.csv", min_size=10_000) == 0
    with pytest.raises(QuatrixNotFound, match="matches no file"):
        hook.delete("/in/*.nothing", min_size=1)
