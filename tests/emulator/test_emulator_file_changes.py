from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from emulator_api import EMAIL
from emulator_files import NO_ID

if TYPE_CHECKING:
    from emulator_files import FileCalls

    from airflow_provider_quatrix.emulator.client import EmulatorClient

DAY = 86400


def paths(emulator: EmulatorClient) -> list[str]:
    return [file["path"] for file in emulator.files(EMAIL)]


class TestNames:
    @pytest.mark.parametrize(
        "name",
        ["a", " a", "a  b", "...", ".a", "ü" * 255, "x" * 255, "😀", "e\u0301", "CON", "a:b", 'a"b', "~", "a\u0085b"],
    )
    def test_that_are_kept(self, files: FileCalls, name: str) -> None:
        assert files.ok("POST", "file/makedir", {"name": name}, 201)["name"] == name
        assert files.id_of(name)

    @pytest.mark.parametrize(
        "name", ["", ".", "..", "a/b", "a\\b", "a\nb", "\x00", "a\x7f", "x" * 256, "ü" * 256, "a ", " ", "\ud83d", 5]
    )
    def test_that_are_refused(self, files: FileCalls, emulator: EmulatorClient, name: Any) -> None:
        emulator.put_files(EMAIL, ["a"])
        node_id = files.id_of("a")
        assert files.refused("POST", "file/makedir", {"name": name}) == (400, 10)
        assert files.refused("POST", f"file/rename/{node_id}", {"name": name}) == (400, 10)
        assert files.refused("POST", "upload/link", {"name": name, "parent_id": files.home}) == (400, 10)
        if name:
            body = {"file_id": node_id, "target_id": files.home, "name": name}
            assert files.refused("POST", "file/moveone", body) == (400, 10)
            assert files.refused("POST", "file/copyone", body) == (400, 10)
        assert paths(emulator) == ["/a"]

    def test_a_limit_in_bytes(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(name_limit_in="bytes")
        assert files.ok("POST", "file/makedir", {"name": "ü" * 127}, 201)
        assert files.refused("POST", "file/makedir", {"name": "ü" * 128}) == (400, 10)

    @pytest.mark.parametrize(("what", "kept"), [("strip", "a"), ("keep", "a  ")])
    def test_spaces_at_the_end(self, files: FileCalls, emulator: EmulatorClient, what: str, kept: str) -> None:
        emulator.configure(trailing_space=what)
        assert files.ok("POST", "file/makedir", {"name": "a  "}, 201)["name"] == kept

    @pytest.mark.parametrize(
        ("name", "second", "third"),
        [
            ("test.pgp", "test(1).pgp", "test(2).pgp"),
            ("a.tar.gz", "a.tar(1).gz", "a.tar(2).gz"),
            ("README", "README(1)", "README(2)"),
            (".bashrc", ".bashrc(1)", ".bashrc(2)"),
            ("a(1).txt", "a(1)(1).txt", "a(1)(2).txt"),
            ("x" * 255, "x" * 252 + "(1)", "x" * 252 + "(2)"),
            ("x" * 251 + ".txt", "x" * 248 + "(1).txt", "x" * 248 + "(2).txt"),
        ],
    )
    def test_a_free_name_is_found_by_counting(self, files: FileCalls, name: str, second: str, third: str) -> None:
        assert [files.link(name)["name"] for _ in range(3)] == [name, second, third]

    def test_a_folder_has_no_extension(self, files: FileCalls) -> None:
        for wanted in ("a.d", "a.d(1)"):
            assert files.ok("POST", "file/makedir", {"name": "a.d"}, 201)["name"] == wanted

    def test_a_taken_name_is_refused_on_request(self, files: FileCalls, emulator: EmulatorClient) -> None:
        files.make_folder("a")
        answer = files.call("POST", "file/makedir", {"name": "a", "resolve": False})
        assert (answer.status_code, answer.json()) == (
            400,
            {"code": 30, "msg": "File exists", "details": {"name": "a"}},
        )
        emulator.configure(conflict_status=409)
        assert files.refused("POST", "file/makedir", {"name": "a", "resolve": False}) == (409, 30)
        assert files.ok("POST", "file/makedir", {"name": "A", "resolve": False}, 201)["name"] == "A"


class TestMakingAndRenaming:
    def test_where(self, files: FileCalls, emulator: EmulatorClient) -> None:
        folder = files.make_folder("f")
        files.make_folder("g", folder)
        assert paths(emulator) == ["/f", "/f/g"]
        emulator.put_files(EMAIL, ["a"])
        assert files.refused("POST", "file/makedir", {"name": "x", "target": files.id_of("a")}) == (400, 10)
        assert files.refused("POST", "file/makedir", {"name": "x", "target": NO_ID}) == (404, 20)
        assert files.refused("POST", "file/makedir", {"name": "x", "target": files.id_of("Trash")}) == (400, 10)

    def test_a_new_object_changes_its_folder(self, files: FileCalls, emulator: EmulatorClient) -> None:
        folder = files.make_folder("f")
        emulator.advance(100)
        before = files.stat(folder)["modified_ms"]
        files.make_folder("g", folder)
        assert files.stat(folder)["modified_ms"] >= before + 100

    def test_rename(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, ["a.txt", "b.txt"])
        node_id = files.id_of("a.txt")
        assert files.ok("POST", f"file/rename/{node_id}", {"name": "b.txt"})["name"] == "b(1).txt"
        assert files.refused("POST", f"file/rename/{node_id}", {"name": "b.txt", "resolve": False}) == (400, 30)
        same = files.ok("POST", f"file/rename/{node_id}", {"name": "b(1).txt", "resolve": False})
        assert (same["name"], same["old_name"]) == ("b(1).txt", "b(1).txt")
        assert files.id_of("b(1).txt") == node_id

    @pytest.mark.parametrize("path", ["", "Inbox", "Trash"])
    def test_system_folders_stay(self, files: FileCalls, emulator: EmulatorClient, path: str) -> None:
        node_id, folder = files.id_of(path), files.make_folder("f")
        assert files.refused("POST", f"file/rename/{node_id}", {"name": "x"}) == (403, 50)
        assert files.refused("POST", "file/delete", {"ids": [folder, node_id]}) == (403, 50)
        assert files.refused("POST", "file/moveone", {"file_id": node_id, "target_id": folder}) == (403, 50)
        assert paths(emulator) == ["/f"]

    def test_what_is_protected_cannot_be_changed(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, ["f/g/a", "b"])
        emulator.protect(EMAIL, "f")
        folder, file, other = files.id_of("f/g"), files.id_of("f/g/a"), files.id_of("b")
        for path, body in (
            ("file/makedir", {"name": "x", "target": folder}),
            ("upload/link", {"name": "x", "parent_id": folder}),
            ("file/modify", {"id": file}),
            ("file/metadata", {"id": file, "mtime": 1}),
            ("file/delete", {"ids": [file]}),
            ("file/moveone", {"file_id": file, "target_id": files.home}),
            ("file/moveone", {"file_id": other, "target_id": folder}),
            (f"file/rename/{file}", {"name": "x"}),
        ):
            assert files.refused("POST", path, body) == (403, 50), path
        files.ok("POST", "file/copyone", {"file_id": file, "target_id": files.home})
        emulator.protect(EMAIL, "f", protected=False)
        files.ok("POST", "file/delete", {"ids": [file]})
        assert paths(emulator) == ["/Trash/a", "/a", "/b", "/f", "/f/g"]


class TestOne:
    @pytest.mark.parametrize("call", ["copyone", "moveone"])
    def test_conflicts(self, files: FileCalls, emulator: EmulatorClient, call: str) -> None:
        emulator.put_file(EMAIL, "a.txt", b"new")
        emulator.put_file(EMAIL, "f/a.txt", b"old")
        body = {"file_id": files.id_of("a.txt"), "target_id": files.id_of("f")}
        assert files.refused("POST", f"file/{call}", {**body, "resolve": False, "resolve_mode": ""}) == (400, 30)
        overwrite = {"resolve": False, "resolve_mode": "overwrite"}
        assert files.refused("POST", f"file/{call}", {**body, **overwrite}) == (400, 30)
        assert files.ok("POST", f"file/{call}", {**body, "name": "A.txt", "resolve": False})["name"] == "A.txt"
        body["file_id"] = files.id_of("f/A.txt")
        result = files.ok("POST", f"file/{call}", {**body, "name": "a.txt"})
        assert result["name"] == "a(1).txt"
        body = {**body, "file_id": result["id"], "name": "a.txt", "resolve": True, "resolve_mode": "overwrite"}
        result = files.ok("POST", f"file/{call}", {**body, "mtime": 1_600_000_000.25})
        assert (result["name"], result["modified_ms"]) == ("a.txt", 1_600_000_000.25)
        assert emulator.read_file(EMAIL, "f/a.txt") == b"new"
        assert "/Trash/a.txt" not in paths(emulator)
        assert files.stat(files.id_of("f/a.txt")) == result

    def test_a_move_keeps_the_id_and_the_time(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, [{"path": "f/a", "modified": 5.5}, "g/"])
        node_id = files.id_of("f/a")
        moved = files.ok("POST", "file/moveone", {"file_id": node_id, "target_id": files.id_of("g")})
        assert (moved["id"], moved["modified_ms"], moved["parent_id"]) == (node_id, 5.5, files.id_of("g"))
        assert paths(emulator) == ["/f", "/g", "/g/a"]

    def test_a_copy_is_its_own(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_file(EMAIL, "f/g/a", b"12345", modified=5.5)
        emulator.make_folder(EMAIL, "f/empty")
        body = {"file_id": files.id_of("f"), "target_id": files.home, "name": "copy"}
        copy = files.ok("POST", "file/copyone", body)
        assert copy["id"] != files.id_of("f")
        assert paths(emulator)[:4] == ["/copy", "/copy/empty", "/copy/g", "/copy/g/a"]
        assert files.stat(files.id_of("copy/g/a"))["modified_ms"] == 5.5
        key = files.ok("POST", "file/modify", {"id": files.id_of("f/g/a")})["upload_key"]
        files.chunk(key, b"X", "bytes 0-0/5")
        assert emulator.read_file(EMAIL, "f/g/a") == b"X2345"
        assert emulator.read_file(EMAIL, "copy/g/a") == b"12345"
        emulator.remove_file(EMAIL, "f")
        assert emulator.read_file(EMAIL, "copy/g/a") == b"12345"

    def test_a_copy_of_what_is_being_written(self, files: FileCalls, emulator: EmulatorClient) -> None:
        link = files.link("a")
        files.chunk(link["upload_key"], b"123", "bytes 0-2/6")
        files.ok("POST", "file/copyone", {"file_id": link["file_id"], "target_id": files.home, "name": "b"})
        files.chunk(link["upload_key"], b"456", "bytes 3-5/6")
        assert emulator.read_file(EMAIL, "a") == b"123456"
        assert emulator.read_file(EMAIL, "b") == b"123"

    def test_onto_itself(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_file(EMAIL, "a.txt", b"1")
        node_id = files.id_of("a.txt")
        body = {"file_id": node_id, "target_id": files.home, "resolve": True}
        overwrite = {**body, "resolve_mode": "overwrite"}
        assert files.ok("POST", "file/moveone", body)["name"] == "a.txt"
        assert files.ok("POST", "file/moveone", {**overwrite, "mtime": 7})["modified"] == 7
        same = files.ok("POST", "file/copyone", overwrite)
        assert (same["id"], same["modified"]) == (node_id, 7)
        assert files.ok("POST", "file/copyone", {**overwrite, "mtime": 8})["modified"] == 8
        assert files.ok("POST", "file/copyone", body)["name"] == "a(1).txt"

    def test_a_folder_cannot_go_into_itself(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, ["f/g/"])
        for target in ("f", "f/g"):
            for call in ("moveone", "copyone"):
                body = {"file_id": files.id_of("f"), "target_id": files.id_of(target)}
                assert files.refused("POST", f"file/{call}", body) == (400, 10)

    def test_what_overwriting_does_not_do(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, ["a", "f/a/", "g/g/g/x"])
        overwrite = {"resolve": True, "resolve_mode": "overwrite"}
        body = {"file_id": files.id_of("a"), "target_id": files.id_of("f")}
        assert files.refused("POST", "file/moveone", {**body, **overwrite}) == (400, 30)
        body = {"file_id": files.id_of("g/g/g"), "target_id": files.home}
        assert files.refused("POST", "file/moveone", {**body, **overwrite}) == (400, 30)

    def test_what_is_replaced_may_go_to_the_trash(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(replaced_to_trash=True)
        emulator.put_files(EMAIL, ["a", "f/a"])
        body = {"file_id": files.id_of("a"), "target_id": files.id_of("f")}
        files.ok("POST", "file/moveone", {**body, "resolve": True, "resolve_mode": "overwrite"})
        assert paths(emulator) == ["/Trash/a", "/f", "/f/a"]

    def test_a_copy_must_fit(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_file(EMAIL, "f/a", size=60)
        emulator.configure(user_quota=100)
        body = {"file_id": files.id_of("f"), "target_id": files.home, "name": "g"}
        assert files.refused("POST", "file/copyone", body) == (400, 122)
        emulator.configure(quota_code=71)
        assert files.refused("POST", "file/copyone", body) == (400, 71)
        assert paths(emulator) == ["/f", "/f/a"]


class TestMany:
    def test_ten_are_moved_at_once(self, files: FileCalls, emulator: EmulatorClient) -> None:
        ids = emulator.put_files(EMAIL, [f"a{number}" for number in range(10)])
        target = files.make_folder("f")
        assert files.ok("POST", "file/move", {"ids": ids, "target": target}) == {"ids": ids}
        assert len(files.names("f")) == 10

    def test_eleven_are_moved_later(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(job_seconds=60)
        ids = emulator.put_files(EMAIL, [f"a{number}" for number in range(11)])
        target = files.make_folder("f")
        job = files.ok("POST", "file/move", {"ids": ids, "target": target}, 202)
        assert list(job) == ["job_id"]
        assert files.names("f") == []
        assert [item["status"] for item in emulator.jobs] == ["waiting"]
        emulator.advance(61)
        assert len(files.names("f")) == 11
        (done,) = emulator.jobs
        assert (done["job_id"], done["call"], done["status"]) == (job["job_id"], "file/move", "done")
        assert files.call("GET", "job/status").status_code == 404

    def test_a_copy_is_always_a_job(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(job_seconds=0)
        ids = emulator.put_files(EMAIL, ["a", "f/"])
        files.ok("POST", "file/copy", {"ids": [ids[0]], "target": ids[1]}, 202)
        assert files.names("f") == ["a"]
        files.ok("POST", "file/copy", {"ids": [ids[0]], "target": ids[1]}, 202)
        assert files.names("f") == ["a", "a(1)"]

    def test_nobody_is_told_that_a_job_failed(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(job_seconds=0)
        ids = emulator.put_files(EMAIL, ["a", "f/a"])
        body = {"ids": [ids[0]], "target": files.id_of("f"), "resolve": False}
        files.ok("POST", "file/copy", body, 202)
        assert files.names("f") == ["a"]
        emulator.configure(job_fails=True)
        files.ok("POST", "file/copy", {**body, "resolve": True}, 202)
        assert files.names("f") == ["a"]
        assert [job["status"] for job in emulator.jobs] == ["failed", "failed"]

    def test_the_limit_is_a_setting(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(job_above=1, job_seconds=0)
        ids = emulator.put_files(EMAIL, ["a", "b", "c"])
        files.ok("POST", "file/delete", {"ids": ids[:1]})
        files.ok("POST", "file/delete", {"ids": ids[1:]}, 202)
        assert sorted(files.names("Trash")) == ["a", "b", "c"]

    def test_a_taken_name(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, ["a", "f/a"])
        body = {"ids": [files.id_of("a")], "target": files.id_of("f")}
        assert files.refused("POST", "file/move", {**body, "resolve": False}) == (400, 30)
        files.ok("POST", "file/move", body)
        assert files.names("f") == ["a", "a(1)"]


class TestTrash:
    def test_there_and_back(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, ["f/a.txt", "f/g/b"])
        node_id = files.id_of("f")
        assert files.ok("POST", "file/delete", {"ids": [node_id]}) == {"ids": [node_id]}
        assert files.stat(node_id)["parent_id"] == files.id_of("Trash")
        assert paths(emulator) == ["/Trash/f", "/Trash/f/a.txt", "/Trash/f/g", "/Trash/f/g/b"]
        files.ok("POST", "file/move", {"ids": [node_id], "target": files.home})
        assert paths(emulator) == ["/f", "/f/a.txt", "/f/g", "/f/g/b"]
        emulator.advance(31 * DAY)
        assert files.names("f") == ["a.txt", "g"]

    def test_names_are_counted(self, files: FileCalls, emulator: EmulatorClient) -> None:
        for _ in range(2):
            emulator.put_files(EMAIL, ["a.txt"])
            files.ok("POST", "file/delete", {"ids": [files.id_of("a.txt")]})
        assert files.names("Trash") == ["a.txt", "a(1).txt"]

    def test_twice_is_final(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, ["f/a", "f/b"])
        folder, file = files.id_of("f"), files.id_of("f/a")
        files.ok("POST", "file/delete", {"ids": [folder]})
        files.ok("POST", "file/delete", {"ids": [file]})
        assert paths(emulator) == ["/Trash/f", "/Trash/f/b"]
        files.ok("POST", "file/delete", {"ids": [folder]})
        assert paths(emulator) == []
        assert files.refused("GET", f"file/metadata/{folder}") == (404, 20)

    def test_for_good(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, ["f/a"])
        files.ok("POST", "file/delete", {"ids": [files.id_of("f")], "delete_permanently": True})
        assert paths(emulator) == []

    def test_a_folder_and_what_is_in_it(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, ["f/a"])
        ids = [files.id_of("f"), files.id_of("f/a")]
        assert files.ok("POST", "file/delete", {"ids": ids}) == {"ids": ids}
        assert paths(emulator) == ["/Trash/f", "/Trash/f/a"]

    def test_unknown_ids_are_left_out(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, ["a"])
        node_id = files.id_of("a")
        emulator.configure(strict_delete=True)
        assert files.refused("POST", "file/delete", {"ids": [NO_ID, node_id]}) == (404, 20)
        emulator.configure(strict_delete=False)
        assert files.ok("POST", "file/delete", {"ids": [NO_ID, node_id]}) == {"ids": [node_id]}

    def test_time_empties_it(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, ["a", "b"])
        files.ok("POST", "file/delete", {"ids": [files.id_of("a")]})
        emulator.advance(29 * DAY)
        files.ok("POST", "file/delete", {"ids": [files.id_of("b")]})
        emulator.advance(2 * DAY)
        assert files.names("Trash") == ["b"]
        emulator.configure(trash_days=None)
        emulator.advance(365 * DAY)
        assert files.names("Trash") == ["b"]

    def test_emptying(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, ["a", "f/b"])
        ids = [files.id_of("a"), files.id_of("f")]
        files.ok("POST", "file/delete", {"ids": ids})
        assert files.refused("POST", f"file/empty-trash/{files.home}") == (400, 10)
        trash = files.id_of("Trash")
        gone = files.ok("POST", f"file/empty-trash/{trash}")
        assert gone == [{"id": node_id, "source_id": trash, "dest_id": ""} for node_id in ids]
        assert files.ok("POST", "file/empty-trash") == []
        assert paths(emulator) == []
