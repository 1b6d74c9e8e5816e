from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from emulator_api import EMAIL
from emulator_files import NO_ID, FileCalls

if TYPE_CHECKING:
    from emulator_api import Api

    from airflow_provider_quatrix.emulator.client import EmulatorClient

ENTRY = {
    "id": str,
    "parent_id": str,
    "name": str,
    "type": str,
    "size": int,
    "created": int,
    "modified": int,
    "modified_ms": float,
    "metadata": type(None),
    "operations": int,
    "sub_type": str,
}
UNIX_IDS = {"uid": int, "gid": int}


def types(value: dict[str, Any]) -> dict[str, type]:
    return {name: type(member) for name, member in value.items()}


class TestShapes:
    def test_an_entry(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_file(EMAIL, "folder/a.txt", b"12345", modified=1_700_000_000.1234567)
        (entry,) = files.ok("GET", f"file/metadata/{files.id_of('folder')}")["content"]
        assert types(entry) == ENTRY
        assert (entry["name"], entry["type"], entry["size"]) == ("a.txt", "F", 5)
        assert (entry["modified"], entry["modified_ms"]) == (1_700_000_000, 1_700_000_000.123457)
        assert entry["operations"] == 65535
        assert entry["parent_id"] == files.id_of("folder")

    def test_an_object_by_itself(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_file(EMAIL, "folder/a.txt", b"12345")
        file = files.ok("GET", f"file/metadata/{files.id_of('folder/a.txt')}")
        assert types(file) == {**ENTRY, **UNIX_IDS, "content": list}
        assert file["content"] == []
        folder = files.ok("GET", f"file/metadata/{files.id_of('folder')}/")
        assert [entry["name"] for entry in folder["content"]] == ["a.txt"]
        for value in ("0", "false"):
            answer = files.ok("GET", f"file/metadata/{files.id_of('folder')}", params={"content": value})
            assert answer == {**folder, "content": []}

    def test_what_makedir_rename_and_the_time_answer(self, files: FileCalls) -> None:
        made = files.ok("POST", "file/makedir", {"name": "a"}, 201)
        assert types(made) == {**ENTRY, **UNIX_IDS}
        renamed = files.ok("POST", f"file/rename/{made['id']}", {"name": "b"})
        left_out = ("modified_ms", "sub_type")
        wanted = {name: kind for name, kind in ENTRY.items() if name not in left_out}
        assert types(renamed) == {**wanted, **UNIX_IDS, "old_name": str}
        assert (renamed["name"], renamed["old_name"], renamed["id"]) == ("b", "a", made["id"])
        timed = files.ok("POST", "file/metadata", {"id": made["id"], "mtime": 1_600_000_000})
        assert types(timed) == {**ENTRY, **UNIX_IDS, "content": list}
        assert timed["modified_ms"] == 1_600_000_000.0

    def test_the_home_and_its_system_folders(self, files: FileCalls, api: Api, emulator: EmulatorClient) -> None:
        home = files.ok("GET", "file/metadata")
        profile = api.profile(api.session()).json()
        assert home["parent_id"] is None
        assert home["id"] == profile["home_id"]
        system = {entry["name"]: entry for entry in home["content"]}
        assert {name: entry["type"] for name, entry in system.items()} == {"Inbox": "D", "Outbox": "D", "Trash": "T"}
        assert (system["Inbox"]["id"], system["Outbox"]["id"]) == (profile["incoming_id"], profile["outgoing_id"])
        assert system["Inbox"]["metadata"] == {"subtype": "incoming", "is_system": True}
        emulator.reset(settings={"system_folders": False, "operations": 3})
        emulator.add_api_key("files-key", EMAIL)
        home = files.ok("GET", "file/metadata")
        assert [entry["name"] for entry in home["content"]] == ["Trash"]
        assert home["operations"] == 3

    def test_a_project_folder(self, files: FileCalls, emulator: EmulatorClient) -> None:
        node_id = emulator.make_project_folder(EMAIL, "project")
        assert emulator.make_project_folder(EMAIL, "project") == node_id
        assert files.stat(node_id)["type"] == "S"
        assert files.make_folder("inside", node_id)
        assert files.names("project") == ["inside"]

    def test_sizes(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, [{"path": "f/a", "size": 10}, {"path": "f/g/b", "size": 20}, "f/g/c", "f/empty/"])
        assert files.stat(files.id_of("f"))["size"] == 3
        assert files.stat(files.id_of("f/g"))["size"] == 2
        assert files.stat(files.id_of("f/empty"))["size"] == 0
        assert files.ok("GET", f"file/size/{files.id_of('f')}") == {"size": 30}
        assert files.ok("GET", f"file/size/{files.id_of('f/g/b')}") == {"size": 20}

    def test_info(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_file(EMAIL, "f/a", b"1", modified=1_600_000_000.5)
        info = files.ok("GET", f"file/info/{files.id_of('f/a')}")
        assert (info["name"], info["size"], info["type"], info["content_modified"]) == ("a", 1, "F", 1_600_000_000)
        assert info["file_owner"]["email"] == EMAIL
        assert info["paths"] == {info["id"]: "/f/a"}
        assert info["antivirus_check"] is None

    def test_tags(self, files: FileCalls) -> None:
        node_id = files.make_folder("f")
        assert files.ok("GET", f"file/tags/{node_id}") == []
        tag = files.ok("POST", f"file/add-tag/{node_id}", {"type": "text", "value": "blue"})
        assert (tag["file_id"], tag["type"], tag["value"]) == (node_id, "text", "blue")
        assert files.ok("GET", f"file/tags/{node_id}") == [tag]


class TestPaths:
    def test_relative_to_home_or_parent(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, ["f/g/a"])
        folder, file = files.id_of("f/g"), files.id_of("f/g/a")
        answer = files.ok("POST", "file/id", {"path": "a", "parent_id": folder})
        assert answer == {"file_id": file, "parent_id": folder, "src": "/f/g/a", "type": "F"}
        home = files.ok("POST", "file/id", {"path": ""})
        assert home == {"file_id": files.home, "parent_id": "", "src": "/", "type": "D"}
        assert files.ok("POST", "file/id", {"path": "", "parent_id": folder})["file_id"] == folder
        assert files.id_of("/f//g/a") == file

    @pytest.mark.parametrize("path", ["x", "f/x", "F", "f/..", "f/g/a/x", "../f"])
    def test_nothing_there(self, files: FileCalls, emulator: EmulatorClient, path: str) -> None:
        emulator.put_files(EMAIL, ["f/g/a"])
        assert files.refused("POST", "file/id", {"path": path}) == (404, 20)

    def test_a_file_holds_nothing(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, ["a"])
        assert files.refused("POST", "file/id", {"path": "b", "parent_id": files.id_of("a")}) == (404, 20)

    def test_slashes_too_many_in_a_url(self, files: FileCalls, emulator: EmulatorClient) -> None:
        assert files.ok("GET", "/api/1.0//file//metadata/")["id"] == files.home
        assert emulator.calls("GET", "file/metadata") == 2


class TestRefusals:
    @pytest.mark.parametrize("node_id", ["123", NO_ID, "x" * 300, "%00"])
    @pytest.mark.parametrize("call", ["metadata", "info", "size", "tags"])
    def test_unknown_ids(self, files: FileCalls, call: str, node_id: str) -> None:
        assert files.refused("GET", f"file/{call}/{node_id}") == (404, 20)

    @pytest.mark.parametrize(
        ("path", "body", "code"),
        [
            ("id", {}, 11),
            ("id", {"path": 5}, 10),
            ("id", {"path": "x", "parent_id": 5}, 10),
            ("id", [], 10),
            ("metadata", {}, 11),
            ("makedir", {}, 11),
            ("makedir", {"name": None}, 11),
            ("makedir", {"name": "x", "resolve": "yes"}, 10),
            ("copyone", {"target_id": NO_ID}, 11),
            ("moveone", {"file_id": NO_ID}, 404),
            ("move", {"ids": [NO_ID]}, 11),
            ("move", {"target": NO_ID}, 11),
            ("copy", {"ids": [NO_ID], "target": NO_ID}, 404),
            ("delete", {}, 11),
            ("delete", {"ids": []}, 10),
            ("delete", {"ids": "x"}, 10),
            ("delete", {"ids": [1]}, 10),
            ("delete", {"ids": [NO_ID]}, 404),
            ("download-link", {}, 11),
            ("download-link", {"ids": [NO_ID]}, 404),
        ],
    )
    def test_parameters(self, files: FileCalls, path: str, body: Any, code: int) -> None:
        assert files.refused("POST", f"file/{path}", body) == ((404, 20) if code == 404 else (400, code))

    @pytest.mark.parametrize("time", ["x", True, 1e12, [], math.inf, math.nan])
    def test_times(self, files: FileCalls, time: Any) -> None:
        node_id = files.make_folder("f")
        data = f'{{"id": "{node_id}", "mtime": {str(time).lower() if time is True else repr(time)}}}'
        data = data.replace("inf", "Infinity").replace("nan", "NaN").replace("'", '"')
        assert files.refused("POST", "file/metadata", data=data) == (400, 10)

    def test_without_a_time_nothing_changes(self, files: FileCalls) -> None:
        node_id = files.make_folder("f")
        before = files.stat(node_id)
        assert files.ok("POST", "file/metadata", {"id": node_id}) == before

    def test_without_credentials(self, api: Api) -> None:
        for method, path in (("GET", "file/metadata"), ("POST", "file/delete"), ("GET", "file/download/x")):
            assert api.call(method, path).status_code == 401

    def test_of_another_user(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.add_user("other@example.com", "pw")
        other = FileCalls(emulator, "other@example.com", "other-key")
        node_id = files.make_folder("f")
        assert other.refused("GET", f"file/metadata/{node_id}") == (403, 50)
        assert other.refused("POST", "file/makedir", {"name": "x", "target": node_id}) == (403, 50)
        emulator.configure(permission_status=404)
        assert other.refused("GET", f"file/metadata/{node_id}") == (404, 50)
        assert "f" not in other.names()

    def test_too_many_calls(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(file_call_limit=3, file_call_window_seconds=60)
        for _ in range(3):
            assert files.call("GET", "file/metadata").status_code == 200
        answer = files.call("GET", "file/metadata")
        assert (answer.status_code, answer.json()["code"]) == (429, 50)
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        emulator.advance(61)
        assert files.call("GET", "file/metadata").status_code == 200


class TestProfile:
    def test_space(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.add_user("other@example.com", "pw")
        emulator.put_file("other@example.com", "a", size=7)
        emulator.put_file(EMAIL, "a", size=5)
        info = {"user_used": 5, "user_limit": -1, "acc_used": 12, "acc_limit": 1 << 40}
        assert files.ok("GET", "profile/info") == info
        emulator.configure(user_quota=100, account_quota=1000, max_file_size=50)
        assert files.ok("GET", "profile/info") == {**info, "user_limit": 100, "acc_limit": 1000}
        profile = files.ok("GET", "profile")
        assert (profile["quota"], profile["max_file_size"]) == (100, 50)

    def test_the_trash_takes_space_too(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_file(EMAIL, "f/a", size=5)
        files.ok("POST", "file/copyone", {"file_id": files.id_of("f"), "target_id": files.home, "name": "g"})
        assert files.ok("GET", "profile/info")["user_used"] == 10
        files.ok("POST", "file/delete", {"ids": [files.id_of("f")]})
        assert files.ok("GET", "profile/info")["user_used"] == 10
        files.ok("POST", "file/delete", {"ids": [files.id_of("g")], "delete_permanently": True})
        assert files.ok("GET", "profile/info")["user_used"] == 5
        files.ok("POST", "file/empty-trash")
        assert files.ok("GET", "profile/info")["user_used"] == 0


class TestSearch:
    @pytest.fixture(autouse=True)
    def _some_files(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(
            EMAIL,
            [
                {"path": "Report-1.csv", "modified": 1_600_000_000},
                {"path": "deep/report-2.csv", "modified": 1_600_000_500.7},
                {"path": "deep/other.txt", "modified": 1_700_000_000},
            ],
        )
        files.ok("POST", f"file/add-tag/{files.id_of('deep/other.txt')}", {"type": "text", "value": "blue"})

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"_and": [{"name": {"_and": ["REPORT"]}}]}, ["Report-1.csv", "report-2.csv"]),
            ({"_and": [{"name": {"_and": ["report", "2"]}}]}, ["report-2.csv"]),
            ({"_and": [{"name": {"_or": ["-1", "oth"]}}]}, ["Report-1.csv", "other.txt"]),
            ({"_or": [{"name": {"_and": ["-1"]}}, {"name": {"_and": ["-2"]}}]}, ["Report-1.csv", "report-2.csv"]),
            ({"_and": [{"modified": {"_and": [1_600_000_000, 1_600_000_600]}}]}, ["Report-1.csv", "report-2.csv"]),
            ({"_and": [{"modified": {"_or": [1_600_000_500, 1]}}]}, ["report-2.csv"]),
            ({"_and": [{"tag": {"_and": [{"type": "text", "value": "blue"}]}}]}, ["other.txt"]),
            ({"_and": [{"tag": {"_and": [{"type": "from", "value": "blue"}]}}]}, []),
            ({"_and": [{"created": {"_and": [0, 1]}}]}, []),
            ({"_and": [{"name": {"_and": ["report"]}, "modified": {"_or": [1_600_000_000]}}]}, ["Report-1.csv"]),
        ],
    )
    def test_it_finds(self, files: FileCalls, query: Any, found: list[str]) -> None:
        assert sorted(entry["name"] for entry in files.ok("POST", "file/search", query)) == sorted(found)

    def test_everything(self, files: FileCalls) -> None:
        found = {entry["name"] for entry in files.ok("POST", "file/search", {})}
        assert found == {"Inbox", "Outbox", "Trash", "deep", "Report-1.csv", "report-2.csv", "other.txt"}

    @pytest.mark.parametrize(
        "query",
        [
            [],
            {"_and": 1},
            {"_and": [1]},
            {"_and": [{"owner": {}}]},
            {"_and": [{"name": "x"}]},
            {"_and": [{"name": {"_and": [1]}}]},
            {"_and": [{"modified": {"_or": ["x"]}}]},
            {"_and": [{"modified": {"_and": ["x", "y"]}}]},
            {"_and": [{"tag": {"_and": ["x"]}}]},
            {"_and": [{"tag": {"_and": [{"type": "text"}]}}]},
        ],
    )
    def test_bad_queries(self, files: FileCalls, query: Any) -> None:
        assert files.refused("POST", "file/search", query) == (400, 10)
