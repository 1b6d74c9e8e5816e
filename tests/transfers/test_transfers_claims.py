from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from forking import Workers

from airflow_provider_quatrix.api import ApiKeyAuthorizer, QuatrixClient, QuatrixConflict, Transport
from airflow_provider_quatrix.transfer.arrivals import arrival_of
from airflow_provider_quatrix.transfer.claims import Arrival, Claims
from airflow_provider_quatrix.transfer.folder_poller import FolderPoller
from airflow_provider_quatrix.transfer.tree import RemoteTree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_quatrix.api.files import FilesApi
    from airflow_provider_quatrix.emulator.client import EmulatorClient

USER = "robot@example.com"
KEY = "claim-key-1"
CHILD = Path(__file__).with_name("claim_child.py")
# Home folder's look-up aside: two folders made, the name taken, the file looked at, its folder found, the file moved.
ANSWERS = range(1, 9)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(CHILD) as workers:
        yield workers


@pytest.fixture
def files(quatrix_emulator: EmulatorClient) -> FilesApi:
    quatrix_emulator.add_api_key(KEY, USER)
    return QuatrixClient(Transport(quatrix_emulator.url), ApiKeyAuthorizer(KEY)).files


def arrivals(files: FilesApi, folder: str = "/in") -> list[Arrival]:
    told = [arrival_of(entry) for entry in FolderPoller(files, folder).poll().files]
    return [Arrival(each["path"], each["id"], each["key"]) for each in told]


def claims(files: FilesApi, owner: str) -> Claims:
    return Claims(RemoteTree(files), "/taken", owner)


def paths(emulator: EmulatorClient) -> list[str]:
    return [entry["path"] for entry in emulator.files(USER) if entry["type"] == "F"]


def order(emulator: EmulatorClient, told: list[Arrival], answer: Path, owner: str, **how: Any) -> dict[str, Any]:
    return {
        "url": emulator.url,
        "api_key": KEY,
        "folder": "/taken",
        "owner": owner,
        "kill_after": -1,
        "arrivals": [{"path": each.path, "id": each.id, "key": each.key} for each in told],
        "answer": str(answer),
    } | how


def test_a_file_is_taken_by_one(quatrix_emulator: EmulatorClient, files: FilesApi) -> None:
    quatrix_emulator.put_file(USER, "/in/a.csv", b"1")
    (told,) = arrivals(files)
    first = claims(files, "one").claim(told)
    assert first is not None
    assert (first.key, first.entry.file.id, first.entry.names[-1]) == (told.key, told.id, "a.csv")
    assert claims(files, "other").claim(told) is None
    # All tries of the first get it.
    again = claims(files, "one").claim(told)
    assert again is not None
    assert again.entry.path == first.entry.path
    assert paths(quatrix_emulator) == [first.entry.path]
    # Nothing is left of those who came too late.
    assert [entry["path"] for entry in quatrix_emulator.files(USER) if "other" in entry["path"]] == []


def test_a_move_by_id_alone_would_let_two_have_it(quatrix_emulator: EmulatorClient, files: FilesApi) -> None:
    from airflow_provider_quatrix.api.files import IfExists

    quatrix_emulator.put_file(USER, "/in/a.csv", b"1")
    (told,) = arrivals(files)
    work = files.make_folder("", "work").id
    for _ in range(2):
        assert files.move(told.id, work, "a.csv", if_exists=IfExists.FAIL).parent_id == work


def test_an_event_that_comes_late_finds_nothing_to_do(quatrix_emulator: EmulatorClient, files: FilesApi) -> None:
    quatrix_emulator.put_file(USER, "/in/a.csv", b"1")
    (told,) = arrivals(files)
    first = claims(files, "one").claim(told)
    assert first is not None
    moved = claims(files, "").finish(first.entry.path, told.id, "/archive")
    assert moved is not None
    assert moved.path == "/archive/a.csv"
    assert claims(files, "late").claim(told) is None
    assert claims(files, "one").claim(told) is None
    folders = [entry["path"] for entry in quatrix_emulator.files(USER) if entry["type"] == "D"]
    assert [path for path in folders if path.startswith(("/taken/", "/Trash/"))] == []
    assert paths(quatrix_emulator) == ["/archive/a.csv"]


def test_an_older_version_is_left_to_the_event_of_the_newer(quatrix_emulator: EmulatorClient, files: FilesApi) -> None:
    quatrix_emulator.put_file(USER, "/in/a.csv", b"1")
    (older,) = arrivals(files)
    files.set_modified(older.id, 1_900_000_000.0)
    (newer,) = arrivals(files)
    assert newer.key != older.key
    assert claims(files, "one").claim(older) is None
    assert claims(files, "two").claim(newer) is not None


def test_what_somebody_has_put_beside_a_file_is_not_lost(quatrix_emulator: EmulatorClient, files: FilesApi) -> None:
    quatrix_emulator.put_file(USER, "/in/a.csv", b"1")
    (told,) = arrivals(files)
    first = claims(files, "one").claim(told)
    assert first is not None
    folder = first.entry.path.rpartition("/")[0]
    quatrix_emulator.put_file(USER, f"{folder}/notes.txt", b"2")
    claims(files, "").finish(first.entry.path, told.id, "/archive")
    assert sorted(path.rpartition("/")[2] for path in paths(quatrix_emulator)) == ["a.csv", "notes.txt"]


def test_a_file_that_is_still_there_is_not_let_go_without_a_target(
    quatrix_emulator: EmulatorClient, files: FilesApi
) -> None:
    quatrix_emulator.put_file(USER, "/in/a.csv", b"1")
    (told,) = arrivals(files)
    first = claims(files, "one").claim(told)
    assert first is not None
    with pytest.raises(QuatrixConflict, match="is still there: move or delete it first, or give a target"):
        claims(files, "").finish(first.entry.path, told.id, None)
    files.delete([told.id])
    assert claims(files, "").finish(first.entry.path, told.id, None) is None
    assert claims(files, "").finish(first.entry.path, told.id, "/archive") is None


@pytest.mark.parametrize("killed_after", ANSWERS)
def test_whoever_is_killed_finds_it_done_or_another_has_it(
    quatrix_emulator: EmulatorClient, files: FilesApi, workers: Workers, tmp_path: Path, killed_after: int
) -> None:
    quatrix_emulator.put_file(USER, "/in/a.csv", b"1")
    told = arrivals(files)
    answer = tmp_path / "answer"
    assert workers.run(order(quatrix_emulator, told, answer, "one", kill_after=killed_after)) is None
    # Another run gets the same event before the first one is tried again.
    rival = json.loads(workers.run(order(quatrix_emulator, told, answer, "rival")) or "")
    retried = json.loads(workers.run(order(quatrix_emulator, told, answer, "one")) or "")
    assert sorted([*rival, *retried]) == [told[0].key]
    assert paths(quatrix_emulator) == list((rival | retried).values())


@pytest.mark.parametrize("killed_after", range(9, 18))
def test_whoever_is_killed_while_finishing_ends_it_at_the_next_try(
    quatrix_emulator: EmulatorClient, files: FilesApi, workers: Workers, tmp_path: Path, killed_after: int
) -> None:
    quatrix_emulator.put_file(USER, "/in/a.csv", b"1")
    told = arrivals(files)
    (first,) = [claims(files, "one").claim(each) for each in told]
    assert first is not None
    how = {"target": "/archive"}
    workers.run(order(quatrix_emulator, told, tmp_path / "answer", "one", kill_after=killed_after, **how))
    claims(files, "").finish(first.entry.path, told[0].id, "/archive")
    assert paths(quatrix_emulator) == ["/archive/a.csv"]
    assert [entry["path"] for entry in quatrix_emulator.files(USER) if entry["path"].startswith("/taken/")] == []


def test_of_many_who_claim_at_once_each_file_has_one(quatrix_emulator: EmulatorClient, files: FilesApi) -> None:
    quatrix_emulator.put_files(USER, [{"path": f"/in/{number}", "size": 1} for number in range(20)])
    told = arrivals(files)
    files.make_folder("", "work")
    start = threading.Barrier(6)
    taken: dict[str, list[str]] = {}

    def take(owner: str) -> None:
        own = QuatrixClient(Transport(quatrix_emulator.url), ApiKeyAuthorizer(KEY)).files
        mine = claims(own, owner)
        start.wait()
        taken[owner] = [each.key for arrival in told if (each := mine.claim(arrival)) is not None]

    threads = [threading.Thread(target=take, args=(f"owner{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(key for keys in taken.values() for key in keys) == sorted(each.key for each in told)
    assert len(paths(quatrix_emulator)) == 20
    assert [path for path in paths(quatrix_emulator) if not path.startswith("/taken/")] == []
