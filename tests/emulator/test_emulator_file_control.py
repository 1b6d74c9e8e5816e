from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest
import requests
from emulator_api import EMAIL
from emulator_files import FileCalls

from airflow_provider_quatrix.emulator.client import EmulatorClient, EmulatorControlError
from airflow_provider_quatrix.emulator.server import EmulatorServer
from airflow_provider_quatrix.emulator.service.accounts import UserSpec

if TYPE_CHECKING:
    from pathlib import Path


class TestFiles:
    def test_put_and_read(self, emulator: EmulatorClient) -> None:
        data = os.urandom(3_000_000)
        node_id = emulator.put_file(EMAIL, "f/g/a", data, modified=1_600_000_000.5)
        assert emulator.read_file(EMAIL, "/f/g/a") == data
        assert emulator.file_sha256(EMAIL, "f/g/a") == hashlib.sha256(data).hexdigest()
        listed = {file["path"]: file for file in emulator.files(EMAIL)}
        assert list(listed) == ["/f", "/f/g", "/f/g/a"]
        assert listed["/f/g/a"] == {
            "email": EMAIL,
            "path": "/f/g/a",
            "id": node_id,
            "type": "F",
            "size": 3_000_000,
            "modified": 1_600_000_000.5,
            "unfinished": False,
            "virus_check": None,
        }
        assert emulator.counters["upload_bytes"] == emulator.counters["download_bytes"] == emulator.requests == 0

    def test_a_file_is_replaced(self, emulator: EmulatorClient) -> None:
        first = emulator.put_file(EMAIL, "a", size=5)
        assert emulator.put_file(EMAIL, "a", b"123") != first
        assert emulator.read_file(EMAIL, "a") == b"123"
        assert emulator.state()["files"][EMAIL] == {"files": 1, "folders": 0, "bytes": 3}

    def test_many(self, emulator: EmulatorClient) -> None:
        ids = emulator.put_files(EMAIL, [*(f"f/{number}" for number in range(500)), "f/", "e/e/"])
        assert len(set(ids)) == 502
        assert len(emulator.files(EMAIL)) == 503
        assert emulator.make_folder(EMAIL, "f") == ids[500]

    def test_the_newest(self, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, [{"path": f"{number}", "modified": number} for number in range(5)])
        assert [file["path"] for file in emulator.files(EMAIL, limit=2)] == ["/4", "/3"]

    def test_size_without_bytes(self, emulator: EmulatorClient) -> None:
        emulator.put_file(EMAIL, "huge", size=10**15)
        assert emulator.files(EMAIL)[0]["size"] == 10**15
        assert emulator.put_file(EMAIL, "empty")
        assert emulator.read_file(EMAIL, "empty") == b""

    def test_remove(self, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, ["f/a", "f/b"])
        emulator.remove_file(EMAIL, "f/a")
        assert [file["path"] for file in emulator.files(EMAIL)] == ["/f", "/f/b"]

    @pytest.mark.parametrize(
        ("act", "words"),
        [
            (lambda client: client.files("nobody@example.com"), "404 No user nobody"),
            (lambda client: client.put_file("nobody@example.com", "a", b"1"), "404 No user"),
            (lambda client: client.put_file(EMAIL, "", b"1"), "400"),
            (lambda client: client.put_file(EMAIL, "a/", b"1"), "400 path"),
            (lambda client: client.put_file(EMAIL, "a\\b", b"1"), "400"),
            (lambda client: client.put_file(EMAIL, "a", size=-1), "400 objects.0.size"),
            (lambda client: client.put_files(EMAIL, ["file", "file/x"]), "400 /file is a file"),
            (lambda client: client.read_file(EMAIL, "none"), "404 No object none"),
            (lambda client: client.read_file(EMAIL, "Trash"), "400 path: not a file"),
            (lambda client: client.remove_file(EMAIL, "Trash"), "400 path: a system folder"),
            (lambda client: client.put_hostile_name(EMAIL, "Trash"), "400 name"),
            (lambda client: client.set_virus_check(EMAIL, "Trash", "infected"), "400 path: not a file"),
            (lambda client: client.set_virus_check(EMAIL, "Trash", "ill"), "400 check"),
            (lambda client: client.put_hostile_name(EMAIL, "x", "none"), "404 No object"),
        ],
    )
    def test_mistakes(self, emulator: EmulatorClient, act: object, words: str) -> None:
        with pytest.raises(EmulatorControlError, match=words):
            act(emulator)  # type: ignore[operator]

    def test_a_limit_must_be_a_number(self, emulator: EmulatorClient) -> None:
        answer = requests.get(f"{emulator.url}/_emulator/files?limit=x", timeout=10)
        assert answer.status_code == 400
        assert list(answer.json()) == ["error"]


class TestDisk:
    def test_contents_are_on_disk_until_a_reset(self, tmp_path: Path) -> None:
        with (
            EmulatorServer(users=[UserSpec(EMAIL, "pw")], data_dir=tmp_path) as server,
            EmulatorClient(server.url) as emulator,
        ):
            assert list(tmp_path.iterdir()) == []
            files = FileCalls(emulator)
            files.upload("a", b"12345")
            (folder,) = tmp_path.iterdir()
            assert [path.read_bytes() for path in folder.iterdir()] == [b"12345"]
            files.ok("POST", "file/copyone", {"file_id": files.id_of("a"), "target_id": files.home})
            assert len(list(folder.iterdir())) == 1
            files.ok("POST", "file/delete", {"ids": [files.id_of("a")], "delete_permanently": True})
            assert len(list(folder.iterdir())) == 1
            files.ok("POST", "file/delete", {"ids": [files.id_of("a(1)")], "delete_permanently": True})
            assert list(folder.iterdir()) == []
            files.upload("a", b"12345")
            emulator.reset()
            assert list(tmp_path.iterdir()) == []
            assert emulator.files(EMAIL) == []

    def test_nothing_stays_after_the_end(self, tmp_path: Path) -> None:
        server = EmulatorServer(users=[UserSpec(EMAIL, "pw")], data_dir=tmp_path)
        with server, EmulatorClient(server.url) as emulator:
            emulator.put_file(EMAIL, "a", b"12345")
            assert len(list(tmp_path.iterdir())) == 1
        assert list(tmp_path.iterdir()) == []
        with server, EmulatorClient(server.url) as emulator:
            assert emulator.files(EMAIL) == []

    def test_a_slow_transfer_does_not_hold_up_the_end(self) -> None:
        with EmulatorServer(users=[UserSpec(EMAIL, "pw")]) as server, EmulatorClient(server.url) as emulator:
            files = FileCalls(emulator)
            emulator.configure(bytes_per_second=1)
            link = files.download_link(emulator.put_file(EMAIL, "a", size=1000))
            with files.http.get(f"{emulator.api_url}{link}", stream=True, timeout=20) as answer:
                answer.raw.read(1)
                server.stop()
        assert server.ca_file is None
