"""The virus check, ``file/csv``, ``file/diff`` and ``check/ping``."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest
import requests
from emulator_api import EMAIL
from emulator_files import NO_ID
from emulator_shares import PARTNER, ShareCalls

if TYPE_CHECKING:
    from emulator_files import FileCalls

    from airflow_provider_quatrix.emulator.client import EmulatorClient


class TestVirusCheck:
    def check(self, files: FileCalls, node: str) -> str | None:
        return files.ok("GET", f"file/info/{node}")["antivirus_check"]

    def test_what_it_says(self, files: FileCalls, emulator: EmulatorClient) -> None:
        node = emulator.put_file(EMAIL, "f/a", b"1")
        assert self.check(files, node) is None
        emulator.set_virus_check(EMAIL, "f/a", "checking")
        assert self.check(files, node) == "checking"
        emulator.set_virus_check(EMAIL, "f/a", "infected")
        assert self.check(files, node) == "infected"
        assert self.check(files, files.id_of("f")) is None
        assert [file["virus_check"] for file in emulator.files(EMAIL)] == [None, "infected"]
        emulator.configure(antivirus_infected="Eicar-Signature")
        assert self.check(files, node) == "Eicar-Signature"
        emulator.set_virus_check(EMAIL, "f/a", None)
        assert self.check(files, node) is None

    def test_copies_and_new_content(self, files: FileCalls, emulator: EmulatorClient) -> None:
        node = emulator.put_file(EMAIL, "a", b"1")
        emulator.set_virus_check(EMAIL, "a", "infected")
        body = {"file_id": node, "target_id": files.home, "name": "b"}
        assert self.check(files, files.ok("POST", "file/copyone", body)["id"]) == "infected"
        key = files.ok("POST", "file/modify", {"id": node, "truncate": 0})["upload_key"]
        files.chunk(key, b"2", "bytes 0-0/1")
        files.finalize(key)
        assert self.check(files, node) is None

    def test_it_takes_its_time(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(antivirus_seconds=60)
        node = files.upload("a", b"1")
        assert self.check(files, node) == "checking"
        emulator.advance(61)
        assert self.check(files, node) is None

    def test_locks(self, emulator: EmulatorClient) -> None:
        shares = ShareCalls(emulator)
        share_id = shares.share(share_type="P")
        file_link = shares.download_link(shares.one)
        share_link = "share/download/" + shares.ok("GET", f"share/download-link/{share_id}")["id"]
        emulator.set_virus_check(EMAIL, "out/1.csv", "infected")
        locked = [file["download_locked"] for file in shares.ok("GET", f"share/files/{share_id}")]
        assert locked == [True, False]
        assert shares.call("GET", file_link).status_code == shares.call("GET", share_link).status_code == 200
        emulator.configure(antivirus_locks=True)
        assert shares.refused("POST", "file/download-link", {"ids": [shares.folder]}) == (403, 50)
        assert shares.refused("GET", file_link) == (403, 50)
        assert shares.refused("GET", share_link) == (403, 50)
        assert shares.refused("GET", f"share/download-link/{share_id}") == (403, 50)

    def test_a_partner_returns_a_bad_file(self, emulator: EmulatorClient) -> None:
        shares = ShareCalls(emulator)
        request = shares.ok("POST", "share/request", {"ids": [shares.contact], "folder_id": shares.folder})
        (node,) = emulator.return_files(request["id"], {"bad": b"1"}, PARTNER)
        emulator.set_virus_check(EMAIL, "out/bad", "infected")
        assert self.check(shares, node) == "infected"


class TestCsv:
    def test_all_columns(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, [{"path": 'f/a,"b"', "size": 5, "modified": 86400}, "f/g/ü"])
        emulator.make_project_folder(EMAIL, "f/S")
        answer = files.call("GET", f"file/csv/{files.id_of('f')}")
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
        assert [(row["Path"], row["Size"], row["Type"]) for row in rows] == [
            ('/f/a,"b"', "5", "F"),
            ("/f/g", "1", "D"),
            ("/f/g/ü", "0", "F"),
            ("/f/S", "0", "D"),
        ]
        assert ",".join(rows[0]) == "Path,Name,Size,Type,Created,Modified,Content_modified,Created_by,Owner"
        assert (rows[0]["Name"], rows[0]["Modified"]) == ('a,"b"', "1970-01-02 00:00:00")
        assert rows[0]["Created_by"] == rows[0]["Owner"] == EMAIL

    def test_refusals(self, files: FileCalls, emulator: EmulatorClient) -> None:
        node = emulator.put_file(EMAIL, "a", b"1")
        assert files.refused("GET", f"file/csv/{node}") == (400, 10)
        assert files.refused("GET", f"file/csv/{NO_ID}") == (404, 20)
        home = files.call("GET", f"file/csv/{files.home}").text.splitlines()
        assert len(home) == 5


class TestDiff:
    def changes(self, files: FileCalls, node: str, **query: Any) -> list[tuple[str, str]]:
        answer = files.ok("GET", f"file/diff/{node}", params={"from": 0, **query})
        return [(change["action"], change["name"]) for change in answer["data"]]

    def test_what_happened(self, files: FileCalls) -> None:
        folder, other = files.make_folder("f"), files.make_folder("g")
        node = files.upload("a", b"12345", folder)
        files.ok("POST", f"file/rename/{node}", {"name": "b"})
        files.ok("POST", "file/copyone", {"file_id": node, "target_id": folder, "name": "c"})
        files.ok("POST", "file/moveone", {"file_id": node, "target_id": other})
        files.ok("POST", "file/delete", {"ids": [node]})
        assert self.changes(files, folder) == [
            ("create", "f"),
            ("create", "a"),
            ("modify", "a"),
            ("rename", "b"),
            ("create", "c"),
            ("move", "b"),
        ]
        assert self.changes(files, other) == [("create", "g"), ("move", "b"), ("delete", "b")]
        assert len(self.changes(files, files.home)) == 8
        assert self.changes(files, node)[0] == ("create", "a")

    def test_all_members(self, files: FileCalls, emulator: EmulatorClient) -> None:
        folder = files.make_folder("f")
        node = emulator.put_file(EMAIL, "f/a", size=5)
        answer = files.ok("GET", f"file/diff/{folder}?from=0&to=4000000000")
        assert (answer["from"], answer["to"]) == (0, 4_000_000_000)
        assert answer["data"][-1] | {"modified": 0} == {
            "id": node,
            "action": "create",
            "parent_id": folder,
            "name": "a",
            "type": "F",
            "size": 5,
            "modified": 0,
            "operations": 65535,
            "metadata": None,
        }

    def test_periods(self, files: FileCalls, emulator: EmulatorClient) -> None:
        files.make_folder("a")
        middle = emulator.state()["clock"]["now"] + 500
        emulator.advance(1000)
        files.make_folder("b")
        assert self.changes(files, files.home, **{"from": middle}) == [("create", "b")]
        assert self.changes(files, files.home, to=middle) == [("create", "a")]

    @pytest.mark.parametrize(
        ("query", "code", "name"), [("", 11, "from"), ("?from=x", 10, "from"), ("?from=5&to=4", 10, "to")]
    )
    def test_bad_periods(self, files: FileCalls, query: str, code: int, name: str) -> None:
        answer = files.call("GET", f"file/diff/{files.home}{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert f"'{name}'" in answer.json()["msg"]

    def test_unknown(self, files: FileCalls) -> None:
        assert files.refused("GET", f"file/diff/{NO_ID}?from=0") == (404, 20)


def test_ping_needs_no_credentials(emulator: EmulatorClient) -> None:
    answer = requests.get(f"{emulator.api_url}check/ping", params={"api_key": "x"}, timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"response": "pong"})
