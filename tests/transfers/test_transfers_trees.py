"""Whole trees, with what does not belong in one: nothing is left out in silence, nothing is waited for."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.transfer.local_files import open_local

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

USER = "robot@example.com"
NOBODY = 65534
# More than the recursion that shallow_stack allows.
DEEP = 250


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with one file."""
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "a.csv").write_text("a")
    return folder


@pytest.fixture
def tree_of_another() -> Iterator[Path]:
    """A folder that another user may read, so that rights can be tried by root too."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "a.csv").write_text("a")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def as_nobody(tree_of_another: Path) -> Iterator[None]:
    """Without root's rights to read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    yield
    os.seteuid(0)


@pytest.fixture
def deep_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The present folder, for trees that only the operating system's own command can remove."""
    folder = tmp_path / "deep"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    subprocess.run(["rm", "-rf", folder], check=True)


def remote_files(remote: EmulatorClient) -> list[str]:
    return sorted(entry["path"] for entry in remote.files(USER) if entry["type"] == "F")


def test_special_files_fail_by_name_and_nothing_is_sent(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tree: Path
) -> None:
    os.mkfifo(tree / "pipe")
    (tree / "null").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tree / "socket"))
        with pytest.raises(InvalidPathError) as caught:
            hook.upload(str(tree), "/t/", create_parents=True)
    for name, kind in (("pipe", "a FIFO"), ("null", "a device"), ("socket", "a socket")):
        assert f"{str(tree / name)!r} is {kind}" in str(caught.value)
    assert quatrix_emulator.files(USER) == []


@pytest.mark.parametrize("source", ["pipe", "p*"])
def test_a_fifo_as_the_source_itself_is_never_opened(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tree: Path, source: str
) -> None:
    os.mkfifo(tree / "pipe")
    with pytest.raises(InvalidPathError, match="is a FIFO"):
        hook.upload(str(tree / source), "/pipe")


def test_a_fifo_in_place_of_a_planned_file_is_never_opened(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with pytest.raises(InvalidPathError, match="is a FIFO: only files can be uploaded"):
        open_local(tree / "pipe")


def test_links_are_followed(quatrix_emulator: EmulatorClient, hook: QuatrixHook, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "sub").mkdir(parents=True)
    (tmp_path / "elsewhere" / "sub" / "c.csv").write_text("c")
    (tree / "folder").symlink_to(tmp_path / "elsewhere")
    (tree / "again").symlink_to(tmp_path / "elsewhere" / "sub")
    (tree / "file").symlink_to("a.csv")
    hook.upload(str(tree), "/t/", create_parents=True)
    assert remote_files(quatrix_emulator) == ["/t/a.csv", "/t/again/c.csv", "/t/file", "/t/folder/sub/c.csv"]


def test_links_that_lead_nowhere_or_round_in_circles_fail_by_name(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tree: Path
) -> None:
    (tree / "sub").mkdir()
    (tree / "sub" / "up").symlink_to(tree)
    (tree / "lost").symlink_to("nowhere")
    (tree / "itself").symlink_to("itself")
    with pytest.raises(InvalidPathError) as caught:
        hook.upload(str(tree), "/t/", create_parents=True)
    assert f"{str(tree / 'sub' / 'up')!r} is a link to a folder that contains it" in str(caught.value)
    assert f"{str(tree / 'lost')!r} is a link that leads nowhere" in str(caught.value)
    assert f"{str(tree / 'itself')!r} cannot be read" in str(caught.value)
    assert quatrix_emulator.files(USER) == []


def test_what_cannot_be_read_fails_by_name(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tree_of_another: Path, request: pytest.FixtureRequest
) -> None:
    folder, file = tree_of_another / "folder", tree_of_another / "b.csv"
    folder.mkdir(0)
    file.touch(0)
    request.getfixturevalue("as_nobody")
    with pytest.raises(InvalidPathError) as caught:
        hook.upload(str(tree_of_another), "/t/", create_parents=True)
    for path in (folder, file):
        assert f"{str(path)!r} cannot be read (Permission denied)" in str(caught.value)
    assert quatrix_emulator.files(USER) == []


def test_what_a_pattern_would_look_into_fails_by_name_too(
    hook: QuatrixHook, tree_of_another: Path, request: pytest.FixtureRequest
) -> None:
    folder = tree_of_another / "folder"
    folder.mkdir(0)
    os.mkfifo(tree_of_another / "pipe")
    request.getfixturevalue("as_nobody")
    with pytest.raises(InvalidPathError, match=r"folder' cannot be read \(Permission denied\)\."):
        hook.upload(f"{tree_of_another}/**/*.csv", "/t/", create_parents=True)
    assert [result.path for result in hook.upload(f"{tree_of_another}/*.csv", "/t/", create_parents=True)] == [
        "/t/a.csv"
    ]


def test_hidden_files_match_only_a_pattern_that_says_so(hook: QuatrixHook, tree: Path) -> None:
    for name in (".hidden.csv", ".folder/b.csv", "sub/c.csv"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text(name)
    found = {
        pattern: sorted(result.path for result in hook.upload(f"{tree}/{pattern}", f"/{number}/", create_parents=True))
        for number, pattern in enumerate(["**/*.csv", ".*.csv", "*/*.csv"])
    }
    assert found == {"**/*.csv": ["/0/a.csv", "/0/c.csv"], ".*.csv": ["/1/.hidden.csv"], "*/*.csv": ["/2/c.csv"]}


def test_of_many_problems_the_first_are_told_and_how_many_more(hook: QuatrixHook, tree: Path) -> None:
    for number in range(12):
        (tree / f"lost {number:02}").symlink_to("nowhere")
    with pytest.raises(InvalidPathError, match=r"lost 09' is a link that leads nowhere; and 2 more\. "):
        hook.upload(str(tree), "/t/", create_parents=True)


def test_a_file_that_tells_no_size_is_read_to_its_end(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tree: Path
) -> None:
    version = Path("/proc/version").read_bytes()
    (tree / "version").symlink_to("/proc/version")
    results = hook.upload(str(tree), "/t/", create_parents=True)
    assert [(result.path, result.size) for result in results] == [("/t/a.csv", 1), ("/t/version", len(version))]
    assert quatrix_emulator.read_file(USER, "/t/version") == version


@pytest.mark.usefixtures("shallow_stack")
def test_a_tree_deeper_than_recursion_there_and_back(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, deep_path: Path
) -> None:
    source, levels = Path("s"), "/".join("d" * DEEP)
    deepest = source / levels
    for level in (source, *(source / "/".join("d" * depth) for depth in range(1, DEEP + 1))):
        level.mkdir()
    (deepest / "x").write_text("deep")
    hook.upload(str(source), "/new/t/", create_parents=True)
    assert quatrix_emulator.read_file(USER, f"/new/t/{levels}/x") == b"deep"
    assert quatrix_emulator.calls("POST", "/api/1.0/file/makedir") == DEEP + 2
    assert [found.path for found in hook.list_files("/new/t/**/x")] == [f"/new/t/{levels}/x"]
    assert hook.list_files("/new/t/**/y") == []
    hook.download("/new/t", "b", create_parents=True)
    assert (Path("b") / levels / "x").read_text() == "deep"
    hook.make_directory(f"/other/{levels}", create_parents=True)
    assert hook.exists(f"/other/{levels}")


def test_a_local_path_that_gets_too_long_fails_by_name(hook: QuatrixHook, deep_path: Path) -> None:
    folder = os.open(deep_path, os.O_RDONLY)
    for _ in range(17):
        os.mkdir("x" * 250, dir_fd=folder)
        below = os.open("x" * 250, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    with pytest.raises(InvalidPathError, match=r"/deep/x+\.\.\.x+' cannot be read \(File name too long\)"):
        hook.upload(str(deep_path), "/t/", create_parents=True)


# What a server lists


def test_a_pattern_fails_for_what_it_matches_only(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path
) -> None:
    quatrix_emulator.put_file(USER, "/in/good.csv", b"good")
    quatrix_emulator.put_hostile_name(USER, "ä" * 200 + ".txt", "/in", size=3)
    quatrix_emulator.put_hostile_name(USER, "..", "/in", size=3)
    assert len(hook.download("/in/*.csv", f"{tmp_path}/")) == 1
    with pytest.raises(InvalidPathError, match="has 404 bytes"):
        hook.download("/in/*.*", f"{tmp_path}/", if_exists="overwrite")


def entry(**members: Any) -> dict[str, Any]:
    return {"id": "1", "parent_id": "2", "name": "odd.csv", "type": "F", "size": 3, "modified_ms": 1.5, **members}


@pytest.mark.parametrize(
    ("odd", "named"),
    [
        (entry(size=None), "'odd.csv' has the size None"),
        (entry(size=-1), "'odd.csv' has the size -1"),
        (entry(size="3"), "'odd.csv' has the size '3'"),
        (entry(size=1.5), "'odd.csv' has the size 1.5"),
        (entry(id=None), "'odd.csv' has the id None"),
        (entry(name=None), "one that has the name None"),
        (entry(name=5), "one that has the name 5"),
        (entry(name="a/b"), "one that has the name 'a/b'"),
        (entry(type="N"), "odd.csv' is neither a file nor a folder"),
        (entry(type=None), "odd.csv' is neither a file nor a folder"),
        (None, "one that is None, not an object"),
        ("text", "one that is 'text', not an object"),
        (entry(name="ä" * 200), "has 400 bytes: a local file takes 255"),
        (entry(name="f0000000", type="D", id="FOLDER"), "'f0000000' is a folder that contains itself"),
    ],
    ids=repr,
)
def test_an_odd_entry_spoils_neither_the_listing_nor_the_download(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, odd: Any, named: str
) -> None:
    quatrix_emulator.put_file(USER, "/in/good.csv", b"good")
    folder = hook.client.files.find("/in")
    assert folder is not None
    if isinstance(odd, dict) and odd["id"] == "FOLDER":
        odd = {**odd, "id": folder[0]}
    good = hook.client.call("GET", f"file/metadata/{folder[0]}").json()
    quatrix_emulator.fault(
        f"file/metadata/{folder[0]}", status=200, body={**good, "content": [odd, *good["content"]]}, times=None
    )

    assert "/in/good.csv" in [found.path for found in hook.list_files("/in")]
    with pytest.raises(InvalidPathError) as caught:
        hook.download("/in", str(tmp_path / "out"), create_parents=True)
    assert named in str(caught.value)
    assert (tmp_path / "out" / "good.csv").read_bytes() == b"good"
