from __future__ import annotations

import logging
import os
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
from emulator_api import EMAIL, raw
from emulator_files import NO_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from emulator_api import Api
    from emulator_files import FileCalls

    from airflow_provider_quatrix.emulator.client import EmulatorClient


@pytest.fixture(autouse=True)
def _no_server_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


NO_FILE = b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--b--\r\n"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def begun_chunk(emulator: EmulatorClient, key: str, size: int) -> Iterator[socket.socket]:
    """Send the head of a chunk and its first 1,000 bytes, and wait until they have arrived."""
    parts = urlsplit(emulator.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        head = f"POST /upload/chunked/{key} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n"
        content_range = f"Content-Range: bytes 0-{size - 1}/{size}\r\n\r\n"
        connection.sendall(f"{head}{content_range}".encode() + b"x" * 1000)
        until(lambda: emulator.uploads[0]["size"] == 1000)
        yield connection


class TestLink:
    def test_what_it_answers(self, files: FileCalls) -> None:
        link = files.link("a.txt", file_size=5)
        assert {name: type(value) for name, value in link.items()} == dict.fromkeys(
            ("name", "file_id", "parent_id", "upload_key"), str
        )
        assert (link["name"], link["parent_id"]) == ("a.txt", files.home)

    @pytest.mark.parametrize(
        ("members", "code"),
        [
            ({"name": None}, 11),
            ({"parent_id": None}, 11),
            ({"name": 5}, 10),
            ({"file_size": -1}, 10),
            ({"file_size": 1.5}, 10),
            ({"file_size": "5"}, 10),
            ({"file_size": True}, 10),
            ({"resolve": 1}, 10),
        ],
    )
    def test_bad_parameters(self, files: FileCalls, members: dict[str, Any], code: int) -> None:
        body = {"name": "a", "parent_id": files.home, **members}
        assert files.refused("POST", "upload/link", body) == (400, code)

    def test_a_taken_name(self, files: FileCalls) -> None:
        files.link("a.txt")
        body = {"name": "a.txt", "parent_id": files.home, "resolve": False}
        assert files.refused("POST", "upload/link", body) == (400, 30)

    def test_what_does_not_fit(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(user_quota=100, max_file_size=80)
        body = {"name": "a", "parent_id": files.home}
        assert files.refused("POST", "upload/link", {**body, "file_size": 81}) == (400, 50)
        emulator.put_file(EMAIL, "b", size=50)
        assert files.refused("POST", "upload/link", {**body, "file_size": 51}) == (400, 122)
        emulator.configure(user_quota=None, account_quota=60)
        assert files.refused("POST", "upload/link", {**body, "file_size": 11}) == (400, 122)
        files.ok("POST", "upload/link", {**body, "file_size": 10})


class TestChunks:
    def test_in_order(self, files: FileCalls, emulator: EmulatorClient) -> None:
        link = files.link("report.csv", file_size=12)
        answer = files.chunk(link["upload_key"], b"12345678", "bytes 0-7/12")
        assert (answer.status_code, answer.json()) == (200, link["file_id"])
        assert answer.headers["Content-Type"] == "application/json"
        files.chunk(link["upload_key"], b"9abc", "bytes 8-11/12")
        done = files.finalize(link["upload_key"], mtime="1700000000.250000")
        assert done.json() == {
            "id": link["file_id"],
            "parent_id": files.home,
            "size": 12,
            "modified": 1_700_000_000,
        }
        assert emulator.read_file(EMAIL, "report.csv") == b"123456789abc"
        assert files.stat(link["file_id"])["modified_ms"] == 1_700_000_000.25
        assert emulator.counters["upload_bytes"] == 12
        assert emulator.calls("POST", "/upload/chunked/{key}") == 2

    def test_in_any_order_and_again(self, files: FileCalls, emulator: EmulatorClient) -> None:
        key = files.link("a")["upload_key"]
        for data, content_range in (
            (b"56", "bytes 4-5/6"),
            (b"12", "bytes 0-1/6"),
            (b"12", "bytes 0-1/6"),
            (b"2345", "bytes 1-4/6"),
        ):
            assert files.chunk(key, data, content_range).status_code == 200
        assert files.finalize(key).json()["size"] == 6
        assert emulator.read_file(EMAIL, "a") == b"123456"

    @pytest.mark.parametrize(
        "content_range", ["bytes 0-4/5", "bytes 0-5/5", "bytes 0-5/*", "BYTES  0 - 4 / 5", "bytes 0-99/3"]
    )
    def test_the_length_of_the_body_decides(
        self, files: FileCalls, emulator: EmulatorClient, content_range: str
    ) -> None:
        key = files.link("a")["upload_key"]
        assert files.chunk(key, b"12345", content_range).status_code == 200
        assert files.finalize(key).json()["size"] == 5

    @pytest.mark.parametrize(
        ("content_range", "code"), [(None, 11), ("", 10), ("bytes 1/2", 10), ("bytes a-b/c", 10), ("items 0-4/5", 10)]
    )
    def test_an_unreadable_range(self, files: FileCalls, content_range: str | None, code: int) -> None:
        answer = files.chunk(files.link("a")["upload_key"], b"12345", content_range)
        assert (answer.status_code, answer.json()["code"]) == (400, code)

    def test_gaps_are_zeros(self, files: FileCalls, emulator: EmulatorClient) -> None:
        key = files.link("a", file_size=10)["upload_key"]
        files.chunk(key, b"9", "bytes 8-8/10")
        assert files.finalize(key).json()["size"] == 9
        assert emulator.read_file(EMAIL, "a") == bytes(8) + b"9"

    def test_an_empty_file(self, files: FileCalls, emulator: EmulatorClient) -> None:
        key = files.link("a", file_size=0)["upload_key"]
        assert files.finalize(key).json()["size"] == 0
        assert emulator.read_file(EMAIL, "a") == b""
        assert files.download(files.id_of("a")).content == b""

    def test_the_key_is_enough(self, files: FileCalls, api: Api) -> None:
        key = files.link("a")["upload_key"]
        headers = {"Content-Range": "bytes 0-1/2"}
        for extra in ({}, {"X-Auth-Token": "dead"}, {"Authorization": "Bearer wrong"}):
            answer = api.call("POST", f"//upload/chunked/{key}", headers=headers | extra, data=b"12")
            assert answer.status_code == 200

    def test_a_session_is_kept_alive(self, files: FileCalls, api: Api, emulator: EmulatorClient) -> None:
        token = api.session()
        key = files.link("a")["upload_key"]
        headers = {"Content-Range": "bytes 0-1/2"}
        emulator.advance(600)
        api.call("POST", f"/upload/chunked/{key}", token, headers=headers, data=b"12")
        emulator.advance(600)
        assert api.keepalive(token).status_code == 200
        emulator.configure(transfers_refresh=False)
        api.call("POST", f"/upload/chunked/{key}", token, headers=headers, data=b"12")
        emulator.advance(600)
        api.call("POST", f"/upload/chunked/{key}", token, headers=headers, data=b"12")
        emulator.advance(600)
        assert api.keepalive(token).status_code == 401

    def test_a_blocked_session_is_no_matter(self, files: FileCalls, api: Api, emulator: EmulatorClient) -> None:
        token = api.session()
        key = files.link("a")["upload_key"]
        emulator.block_session(token)
        answer = api.call("POST", f"/upload/chunked/{key}", token, headers={"Content-Range": "bytes 0-1/2"}, data=b"12")
        assert answer.status_code == 200

    def test_without_a_length(self, files: FileCalls, emulator: EmulatorClient) -> None:
        key = files.link("a")["upload_key"]
        url = f"{emulator.url}/upload/chunked/{key}"
        headers = {"Content-Range": "bytes 0-5/6"}
        assert requests.post(url, data=iter([b"123", b"456"]), headers=headers, timeout=10).status_code == 200
        assert emulator.read_file(EMAIL, "a") == b"123456"

    def test_a_large_one(self, files: FileCalls, emulator: EmulatorClient) -> None:
        data = os.urandom(5_000_000)
        files.upload("a", data)
        assert emulator.read_file(EMAIL, "a") == data


class TestStrictMode:
    @pytest.fixture(autouse=True)
    def _strict(self, emulator: EmulatorClient) -> None:
        emulator.configure(strict_chunks=True, strict_finalize=True)

    def test_a_careful_client(self, files: FileCalls) -> None:
        key = files.link("a", file_size=6)["upload_key"]
        assert files.chunk(key, b"123", "bytes 0-2/6").status_code == 200
        assert files.chunk(key, b"456", "bytes 3-5/6").status_code == 200
        assert files.finalize(key).status_code == 200

    @pytest.mark.parametrize(
        ("data", "content_range"),
        [
            (b"3", "bytes 2-2/6"),
            (b"123", "bytes 0-3/6"),
            (b"123", "bytes 0-2/7"),
            (b"123", "bytes 0-2/*"),
            (b"1234567", "bytes 0-6/6"),
        ],
    )
    def test_a_careless_one(self, files: FileCalls, data: bytes, content_range: str) -> None:
        key = files.link("a", file_size=6)["upload_key"]
        answer = files.chunk(key, data, content_range)
        assert (answer.status_code, answer.json()["code"]) == (400, 10)

    def test_one_without_a_length(self, files: FileCalls, emulator: EmulatorClient) -> None:
        key = files.link("a", file_size=3)["upload_key"]
        headers = {"Content-Range": "bytes 0-2/3", **files.http.headers}
        url = f"{emulator.url}/upload/chunked/{key}"
        assert requests.post(url, data=iter([b"123"]), headers=headers, timeout=10).status_code == 400

    def test_one_without_credentials(self, files: FileCalls, api: Api) -> None:
        key = files.link("a", file_size=3)["upload_key"]
        answer = api.call("POST", f"/upload/chunked/{key}", headers={"Content-Range": "bytes 0-2/3"}, data=b"123")
        assert answer.status_code == 401

    def test_missing_bytes(self, files: FileCalls) -> None:
        key = files.link("a", file_size=6)["upload_key"]
        files.chunk(key, b"123", "bytes 0-2/6")
        answer = files.finalize(key)
        assert (answer.status_code, answer.json()["code"]) == (400, 10)
        files.chunk(key, b"456", "bytes 3-5/6")
        assert files.finalize(key).status_code == 200


class TestKeys:
    def test_unknown_ones(self, files: FileCalls) -> None:
        answer = files.chunk("unknown", b"x" * 300_000, "bytes 0-299999/300000")
        assert (answer.status_code, answer.json()["code"]) == (404, 20)
        assert files.finalize("unknown").status_code == 404
        assert files.call("POST", "/upload/multipart/unknown", files={"file": b"1"}).status_code == 404

    def test_they_live_on_while_they_are_used(self, files: FileCalls, emulator: EmulatorClient) -> None:
        key = files.link("a")["upload_key"]
        for offset in range(3):
            emulator.advance(800)
            assert files.chunk(key, b"x", f"bytes {offset}-{offset}/9").status_code == 200
        emulator.advance(901)
        assert files.chunk(key, b"x", "bytes 3-3/9").status_code == 404
        assert files.finalize(key).status_code == 404
        assert emulator.read_file(EMAIL, "a") == b"xxx"

    def test_or_not(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(upload_key_sliding=False, upload_key_seconds=60)
        key = files.link("a")["upload_key"]
        emulator.advance(50)
        assert files.chunk(key, b"x", "bytes 0-0/9").status_code == 200
        emulator.advance(11)
        assert files.chunk(key, b"x", "bytes 1-1/9").status_code == 404

    def test_killed(self, files: FileCalls, emulator: EmulatorClient) -> None:
        keys = [files.link(name)["upload_key"] for name in ("a", "b")]
        assert emulator.kill_upload_keys() == 2
        assert [files.finalize(key).status_code for key in keys] == [404, 404]
        assert emulator.kill_upload_keys() == 0

    def test_finalized(self, files: FileCalls) -> None:
        key = files.link("a")["upload_key"]
        assert [files.finalize(key).status_code for _ in range(2)] == [200, 404]
        assert files.chunk(key, b"x", "bytes 0-0/1").status_code == 404

    @pytest.mark.parametrize("permanently", [True, False])
    def test_of_a_file_that_was_deleted(self, files: FileCalls, permanently: bool) -> None:
        folder = files.make_folder("f")
        link = files.link("a", folder)
        files.ok("POST", "file/delete", {"ids": [link["file_id"]], "delete_permanently": permanently})
        assert files.chunk(link["upload_key"], b"x", "bytes 0-0/1").status_code == 404
        assert files.finalize(link["upload_key"]).status_code == 404

    def test_of_another_user(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.add_user("other@example.com", "pw")
        emulator.add_api_key("other-key", "other@example.com")
        key = files.link("a")["upload_key"]
        headers = {"Authorization": "Bearer other-key"}
        assert files.call("GET", f"upload/finalize/{key}", headers=headers).status_code == 403

    def test_a_bad_time(self, files: FileCalls) -> None:
        key = files.link("a")["upload_key"]
        assert files.finalize(key, mtime="soon").status_code == 400
        assert files.finalize(key, mtime="1e20").status_code == 400
        assert files.finalize(key, mtime="-5.5").json()["modified"] == -5


class TestPartialFiles:
    def test_they_are_listed_at_once(self, files: FileCalls, emulator: EmulatorClient) -> None:
        link = files.link("a", file_size=100)
        assert files.names() == ["Inbox", "Outbox", "Trash", "a"]
        files.chunk(link["upload_key"], b"12345", "bytes 0-4/100")
        assert files.stat(files.id_of("a"))["size"] == 5
        assert emulator.uploads_open == 1
        (upload,) = emulator.uploads
        assert upload["path"] == "/a"
        assert (upload["size"], upload["announced"], upload["file_id"]) == (5, 100, link["file_id"])
        assert link["upload_key"] not in str(emulator.state())
        emulator.advance(2000)
        assert emulator.uploads_open == 0
        assert [file["unfinished"] for file in emulator.files(EMAIL)] == [True]
        assert files.download(link["file_id"]).content == b"12345"

    def test_or_hidden(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(hide_partial_files=True)
        folder = files.make_folder("f")
        link = files.link("a", folder)
        assert files.names("f") == []
        assert files.stat(folder)["size"] == 0
        assert files.refused("POST", "file/id", {"path": "f/a"}) == (404, 20)
        assert files.stat(link["file_id"])["name"] == "a"
        assert files.link("a", folder)["name"] == "a(1)"
        files.finalize(link["upload_key"])
        assert files.names("f") == ["a"]

    def test_what_came_before_the_client_left_is_there(self, files: FileCalls, emulator: EmulatorClient) -> None:
        key = files.link("a")["upload_key"]
        with begun_chunk(emulator, key, 9999):
            pass
        until(lambda: emulator.recent_calls[0]["path"] == "/upload/chunked/{key}")
        assert emulator.counters["upload_bytes"] == 1000
        assert files.chunk(key, b"y" * 9999, "bytes 0-9998/9999").status_code == 200
        assert files.finalize(key).json()["size"] == 9999

    def test_what_was_begun_before_a_reset_is_not_counted_after_it(
        self, files: FileCalls, emulator: EmulatorClient
    ) -> None:
        with begun_chunk(emulator, files.link("a")["upload_key"], 2000) as connection:
            emulator.reset()
            connection.sendall(b"x" * 1000)
            connection.recv(1)
        assert emulator.counters["upload_bytes"] == 0

    def test_a_fault_in_the_middle(self, files: FileCalls, emulator: EmulatorClient) -> None:
        key = files.link("a")["upload_key"]
        emulator.fault("/upload/chunked/*", cut="request", after_bytes=150_000)
        with pytest.raises(requests.ConnectionError):
            files.chunk(key, b"x" * 5_000_000, "bytes 0-4999999/5000000")
        assert emulator.uploads[0]["size"] == emulator.counters["upload_bytes"] == 150_000
        assert emulator.state()["faults"] == []
        assert files.chunk(key, b"y" * 5_000_000, "bytes 0-4999999/5000000").status_code == 200
        assert emulator.file_sha256(EMAIL, "a") != ""
        assert emulator.read_file(EMAIL, "a") == b"y" * 5_000_000

    @pytest.mark.parametrize("after_bytes", [None, 0, 10])
    def test_a_fault_before_the_end(self, files: FileCalls, emulator: EmulatorClient, after_bytes: int | None) -> None:
        key = files.link("a")["upload_key"]
        emulator.fault("/upload/chunked/*", cut="request", after_bytes=after_bytes)
        head = f"POST /upload/chunked/{key} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"
        assert raw(emulator.url, head.encode() + b"Content-Range: bytes 0-9/10\r\n\r\n0123456789") == b""
        assert emulator.uploads[0]["size"] == (after_bytes or 0)

    def test_gone_in_the_middle_of_a_chunk(self, files: FileCalls, emulator: EmulatorClient) -> None:
        key = files.link("a")["upload_key"]
        emulator.configure(bytes_per_second=1_000_000)
        statuses = []

        def send() -> None:
            headers = {"Content-Range": "bytes 0-499999/500000"}
            url = f"{emulator.url}/upload/chunked/{key}"
            statuses.append(requests.post(url, data=b"x" * 500_000, headers=headers, timeout=10).status_code)

        thread = threading.Thread(target=send)
        thread.start()
        until(lambda: bool(emulator.uploads and emulator.uploads[0]["size"]))
        emulator.remove_file(EMAIL, "a")
        thread.join()
        assert statuses == [404]
        assert files.ok("GET", "profile/info")["user_used"] == 0

    def test_a_reset_in_the_middle_of_a_chunk(self, files: FileCalls, emulator: EmulatorClient) -> None:
        key = files.link("a")["upload_key"]
        emulator.configure(bytes_per_second=1_000_000)
        thread = threading.Thread(
            target=requests.post,
            args=(f"{emulator.url}/upload/chunked/{key}",),
            kwargs={"data": b"x" * 500_000, "headers": {"Content-Range": "bytes 0-499999/500000"}, "timeout": 10},
        )
        thread.start()
        until(lambda: bool(emulator.uploads and emulator.uploads[0]["size"]))
        emulator.reset()
        thread.join()
        assert emulator.files(EMAIL) == []


class TestSpace:
    def test_at_a_chunk(self, files: FileCalls, emulator: EmulatorClient) -> None:
        key = files.link("a")["upload_key"]
        emulator.configure(user_quota=10, max_file_size=20)
        assert files.chunk(key, b"1234567890", "bytes 0-9/20").status_code == 200
        assert files.chunk(key, b"1234567890", "bytes 0-9/20").status_code == 200
        answer = files.chunk(key, b"x", "bytes 10-10/20")
        assert (answer.status_code, answer.json()["code"]) == (400, 122)
        emulator.configure(user_quota=None)
        answer = files.chunk(key, b"x" * 11, "bytes 10-20/21")
        assert (answer.status_code, answer.json()["code"]) == (400, 50)

    def test_in_the_middle_of_a_chunk_without_a_length(self, files: FileCalls, emulator: EmulatorClient) -> None:
        key = files.link("a")["upload_key"]
        emulator.configure(user_quota=100_000)
        url = f"{emulator.url}/upload/chunked/{key}"
        pieces = iter([b"x" * 90_000] * 20)
        answer = requests.post(url, data=pieces, headers={"Content-Range": "bytes 0-0/*"}, timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (400, 122)
        assert emulator.uploads[0]["size"] <= 100_000
        assert emulator.counters["upload_bytes"] == 1_800_000


class TestModify:
    @pytest.fixture
    def file_id(self, emulator: EmulatorClient) -> str:
        return emulator.put_file(EMAIL, "a", b"1234567890")

    def modify(self, files: FileCalls, file_id: str, data: bytes, first: int, **members: Any) -> None:
        link = files.ok("POST", "file/modify", {"id": file_id, **members})
        assert (link["file_id"], link["name"], link["parent_id"]) == (file_id, "a", files.home)
        assert files.chunk(link["upload_key"], data, f"bytes {first}-{first + len(data) - 1}/*").status_code == 200
        assert files.finalize(link["upload_key"]).json()["id"] == file_id

    @pytest.mark.parametrize(
        ("truncate", "first", "result"),
        [
            (None, 2, b"12abc67890"),
            (None, 9, b"123456789abc"),
            (0, 0, b"abc"),
            (0, 2, b"\0\0abc"),
            (5, 0, b"abc45"),
            (12, 0, b"abc4567890\0\0"),
        ],
    )
    def test_what_becomes_of_the_old_content(
        self, files: FileCalls, truncate: int | None, first: int, result: bytes
    ) -> None:
        emulator = files.emulator
        file_id = emulator.put_file(EMAIL, "a", b"1234567890")
        self.modify(files, file_id, b"abc", first, **({} if truncate is None else {"truncate": truncate}))
        assert emulator.read_file(EMAIL, "a") == result
        assert files.ok("GET", "profile/info")["user_used"] == len(result)

    def test_it_is_cut_at_the_moment_of_the_call(
        self, files: FileCalls, emulator: EmulatorClient, file_id: str
    ) -> None:
        files.ok("POST", "file/modify", {"id": file_id, "truncate": 3})
        assert emulator.read_file(EMAIL, "a") == b"123"

    def test_a_file_that_was_never_written(self, files: FileCalls, emulator: EmulatorClient) -> None:
        file_id = emulator.put_file(EMAIL, "a", size=2_500_000)
        before = emulator.read_file(EMAIL, "a")
        self.modify(files, file_id, b"abc", 1_500_000)
        assert emulator.read_file(EMAIL, "a") == before[:1_500_000] + b"abc" + before[1_500_003:]

    def test_refusals(self, files: FileCalls, emulator: EmulatorClient, file_id: str) -> None:
        assert files.refused("POST", "file/modify", {}) == (400, 11)
        assert files.refused("POST", "file/modify", {"id": NO_ID}) == (404, 20)
        assert files.refused("POST", "file/modify", {"id": files.home}) == (400, 10)
        assert files.refused("POST", "file/modify", {"id": file_id, "truncate": -1}) == (400, 10)
        emulator.configure(user_quota=20)
        assert files.refused("POST", "file/modify", {"id": file_id, "truncate": 21}) == (400, 122)


class TestMultipart:
    def test_the_whole_file_at_once(self, files: FileCalls, emulator: EmulatorClient) -> None:
        data = os.urandom(300_000)
        link = files.link("a")
        form = {"other": (None, b"no file"), "file": ("x.bin", data), "more": ("y.bin", b"second")}
        answer = files.call("POST", f"/upload/multipart/{link['upload_key']}", files=form)
        assert (answer.status_code, answer.json()) == (200, link["file_id"])
        assert emulator.read_file(EMAIL, "a") == data
        assert [file["unfinished"] for file in emulator.files(EMAIL)] == [False]
        assert files.finalize(link["upload_key"]).status_code == 404

    @pytest.mark.parametrize(
        ("content_type", "body", "code"),
        [
            ("text/plain", b"hello", 10),
            ("multipart/form-data; boundary=b", b"hello", 10),
            ("multipart/form-data; boundary=b", NO_FILE, 11),
        ],
    )
    def test_what_is_no_file(self, files: FileCalls, content_type: str, body: bytes, code: int) -> None:
        key = files.link("a")["upload_key"]
        answer = files.call("POST", f"/upload/multipart/{key}", data=body, headers={"Content-Type": content_type})
        assert (answer.status_code, answer.json()["code"]) == (400, code)
