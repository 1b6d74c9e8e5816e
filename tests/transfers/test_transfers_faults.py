"""A service that fails now and then: every byte arrives all the same, once."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_quatrix.api.errors import QuatrixApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

USER = "robot@example.com"


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def unreliable(quatrix_emulator: EmulatorClient) -> EmulatorClient:
    """One call in fifty fails: by status, by a cut connection, by a cut body, by a delay."""
    for share, fault in (
        (0.005, {"status": 503}),
        (0.005, {"cut": "connection"}),
        (0.005, {"cut": "connection", "execute_anyway": True}),
        (0.0025, {"cut": "body", "execute_anyway": True}),
        (0.0025, {"delay": 0.5}),
    ):
        quatrix_emulator.fault("/*", times=None, probability=share, **fault)
    return quatrix_emulator


def test_500_files_arrive_both_ways_over_a_service_that_fails(
    unreliable: EmulatorClient, hook: QuatrixHook, many_files: Callable[[int], Path], tmp_path: Path
) -> None:
    source = many_files(500)
    descriptors = len(list(Path("/proc/self/fd").iterdir()))

    sent = hook.upload(str(source), "/faulty", create_parents=True, transfers=16, resume_key="faulty")
    back = hook.download("/faulty", str(tmp_path / "back"), create_parents=True, transfers=16)

    # Connections that are kept for later are few.
    assert len(list(Path("/proc/self/fd").iterdir())) - descriptors < 50
    assert unreliable.counters["faults"] > 20
    expected = digests(source)
    assert {result.path.removeprefix("/faulty/"): result.digest for result in sent} == expected
    assert digests(tmp_path / "back") == expected
    assert {result.digest for result in back} == set(expected.values())
    there = {
        file["path"].removeprefix("/faulty/"): unreliable.file_sha256(USER, file["path"])
        for file in unreliable.files(USER)
        if file["type"] == "F"
    }
    assert there == expected
    assert [path.name for path in (tmp_path / "back").rglob(".*")] == []


@pytest.mark.parametrize("executed", [False, True])
def test_two_answers_about_one_temporary_file_get_lost(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, *, executed: bool
) -> None:
    """The file that was made under the temporary name is in the way, and it is not known whether it was deleted."""
    quatrix_emulator.fault("upload/link", cut="connection", execute_anyway=True)
    quatrix_emulator.fault("file/delete", cut="connection", execute_anyway=executed)
    (tmp_path / "a").write_bytes(b"abc")
    hook.upload(str(tmp_path / "a"), "/a")
    assert quatrix_emulator.counters["faults"] == 2
    there = [file["path"] for file in quatrix_emulator.files(USER) if file["type"] == "F"]
    assert [path for path in there if not path.startswith("/Trash")] == ["/a"]
    assert quatrix_emulator.read_file(USER, "/a") == b"abc"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"status": 500}, id="500"),
        pytest.param({"status": 429, "headers": {"Retry-After": "1"}}, id="429"),
        pytest.param({"cut": "connection"}, id="cut"),
        pytest.param({"cut": "connection", "execute_anyway": True}, id="cut after the effect"),
        pytest.param({"cut": "body", "execute_anyway": True}, id="answer cut short"),
    ],
)
@pytest.mark.parametrize(
    "path", ["file/id", "upload/link", "/upload/chunked/*", "upload/finalize/*", "file/moveone", "file/makedir"]
)
def test_every_call_of_an_upload_may_fail_once(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, path: str, fault: dict[str, object]
) -> None:
    file = tmp_path / "one.csv"
    file.write_bytes(b"a,b\n1,2\n" * 1000)
    quatrix_emulator.fault(path, **fault)  # type: ignore[arg-type]

    (result,) = hook.upload(str(file), "/new/one.csv", create_parents=True)

    assert quatrix_emulator.counters["faults"] == 1
    assert result.digest == quatrix_emulator.file_sha256(USER, "/new/one.csv")
    assert [entry["path"] for entry in quatrix_emulator.files(USER)] == ["/new", "/new/one.csv"]


@pytest.mark.parametrize("transfers", [1, 16])
def test_a_new_tree_costs_these_calls_and_no_more(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, tmp_path: Path, transfers: int
) -> None:
    folders, files = 50, 100
    for number in range(folders):
        (tmp_path / f"tree/{number}").mkdir(parents=True)
        for name in ("a", "b"):
            (tmp_path / f"tree/{number}/{name}").write_bytes(b"x" * 5000)
    hook.get_conn()

    def cost(move: Callable[[], object]) -> Counter[str]:
        before = Counter(quatrix_emulator.counters["by_call"])
        move()
        return Counter(quatrix_emulator.counters["by_call"]) - before

    up = cost(lambda: hook.upload(f"{tmp_path}/tree", "/new", create_parents=True, transfers=transfers))
    assert up == {
        # Of the target, which is missing, and of the folder above it.
        "POST /api/1.0/file/id": 2,
        "POST /api/1.0/file/makedir": folders + 1,
        "POST /api/1.0/upload/link": files,
        "POST /upload/chunked/{key}": files,
        "GET /api/1.0/upload/finalize/{key}": files,
        "POST /api/1.0/file/moveone": files,
    }

    down = cost(lambda: hook.download("/new", f"{tmp_path}/back", create_parents=True, transfers=transfers))
    assert down == {
        "POST /api/1.0/file/id": 1,
        # Of the source, and what is in it and in each folder.
        "GET /api/1.0/file/metadata/{id}": 1 + 1 + folders,
        "POST /api/1.0/file/download-link": files,
        "GET /api/1.0/file/download/{link}": files,
    }


def test_files_that_an_earlier_try_finished_are_not_sent_again(
    quatrix_emulator: EmulatorClient, hook: QuatrixHook, many_files: Callable[[int], Path]
) -> None:
    source = many_files(30)
    quatrix_emulator.fault("upload/link", status=400, after=20, times=None)
    with pytest.raises(QuatrixApiError):
        hook.upload(str(source), "/again", create_parents=True, resume_key="task", transfers=1)
    quatrix_emulator.clear_faults()
    links = quatrix_emulator.calls("POST", "upload/link")

    results = hook.upload(str(source), "/again", create_parents=True, resume_key="task", is_retry=True)

    assert sum(result.skipped for result in results) == 20
    assert quatrix_emulator.calls("POST", "upload/link") - links == 10
    assert len([file for file in quatrix_emulator.files(USER) if file["type"] == "F"]) == 30
