from __future__ import annotations

import io
import logging
import threading
import zipfile
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests
from emulator_api import EMAIL, raw

from airflow_provider_quatrix.emulator.service.storage import PATTERN_PERIOD, Storage, Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator_api import Api
    from emulator_files import FileCalls

    from airflow_provider_quatrix.emulator.client import EmulatorClient


@pytest.fixture(autouse=True)
def _no_server_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


class TestOneFile:
    def test_what_it_answers(self, files: FileCalls, emulator: EmulatorClient) -> None:
        answer = files.download(emulator.put_file(EMAIL, "naïve; name.txt", b"12345"))
        assert (answer.status_code, answer.content) == (200, b"12345")
        assert answer.headers["Content-Length"] == "5"
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''na%C3%AFve%3B%20name.txt"
        assert emulator.counters["download_bytes"] == 5

    def test_a_large_one(self, files: FileCalls, emulator: EmulatorClient) -> None:
        node_id = emulator.put_file(EMAIL, "a", size=5_000_000)
        content = files.download(node_id).content
        assert len(content) == 5_000_000
        assert content == emulator.read_file(EMAIL, "a")
        period = PATTERN_PERIOD
        assert content[:1000] == content[period : period + 1000]
        assert content[:1000] != content[1 << 20 : (1 << 20) + 1000]

    @pytest.mark.parametrize(
        ("wanted", "first", "end"),
        [
            ("bytes=0-0", 0, 1),
            ("bytes=2-4", 2, 5),
            ("bytes=7-", 7, 10),
            ("bytes=-3", 7, 10),
            ("bytes=-30", 0, 10),
            ("bytes=5-99", 5, 10),
            ("Bytes = 5 - 6 ", 5, 7),
        ],
    )
    def test_a_range(self, files: FileCalls, emulator: EmulatorClient, wanted: str, first: int, end: int) -> None:
        answer = files.download(emulator.put_file(EMAIL, "a", b"0123456789"), Range=wanted)
        assert (answer.status_code, answer.content) == (206, b"0123456789"[first:end])
        assert answer.headers["Content-Range"] == f"bytes {first}-{end - 1}/10"
        assert answer.headers["Content-Length"] == str(end - first)

    @pytest.mark.parametrize("wanted", ["bytes=1-2,4-5", "bytes=-", "bytes=5-2", "items=1-2", "bytes=a-b", "1-2"])
    def test_a_range_that_is_none(self, files: FileCalls, emulator: EmulatorClient, wanted: str) -> None:
        answer = files.download(emulator.put_file(EMAIL, "a", b"0123456789"), Range=wanted)
        assert (answer.status_code, answer.content) == (200, b"0123456789")

    @pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=99-100", "bytes=-0"])
    def test_a_range_behind_the_end(self, files: FileCalls, emulator: EmulatorClient, wanted: str) -> None:
        answer = files.download(emulator.put_file(EMAIL, "a", b"0123456789"), Range=wanted)
        assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */10")

    def test_ranges_can_be_ignored(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(ignore_range=True)
        answer = files.download(emulator.put_file(EMAIL, "a", b"0123456789"), Range="bytes=2-4")
        assert (answer.status_code, answer.content) == (200, b"0123456789")


class TestLinks:
    def test_their_life(self, files: FileCalls, emulator: EmulatorClient) -> None:
        link = files.download_link(emulator.put_file(EMAIL, "a", b"1"))
        for _ in range(2):
            emulator.advance(440)
            assert files.call("GET", link).status_code == 200
        emulator.advance(30)
        for _ in range(2):
            assert files.refused("GET", link) == (404, 20)

    def test_one_use(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(download_link_once=True)
        link = files.download_link(emulator.put_file(EMAIL, "a", b"1"))
        assert [files.call("GET", link).status_code for _ in range(2)] == [200, 404]

    def test_whose_they_are(self, files: FileCalls, api: Api, emulator: EmulatorClient) -> None:
        link = files.download_link(emulator.put_file(EMAIL, "a", b"1"))
        emulator.add_user("other@example.com", "pw")
        assert api.call("GET", link).status_code == 401
        assert api.call("GET", link, api.session("other@example.com", "pw")).status_code == 404
        assert api.call("GET", link, api.session()).content == b"1"
        assert files.refused("GET", "file/download/unknown") == (404, 20)

    def test_of_what_is_gone(self, files: FileCalls, emulator: EmulatorClient) -> None:
        link = files.download_link(emulator.put_file(EMAIL, "a", b"1"))
        files.ok("POST", "file/delete", {"ids": [files.id_of("a")]})
        assert files.call("GET", link).content == b"1"
        files.ok("POST", "file/empty-trash")
        assert files.refused("GET", link) == (404, 20)

    def test_a_session_is_kept_alive(self, files: FileCalls, api: Api, emulator: EmulatorClient) -> None:
        token = api.session()
        node_id = emulator.put_file(EMAIL, "a", b"1")
        emulator.advance(600)
        api.call("GET", files.download_link(node_id), token)
        emulator.advance(600)
        assert api.keepalive(token).status_code == 200


class TestZip:
    def members(self, answer: requests.Response) -> dict[str, bytes]:
        assert "Content-Length" not in answer.headers
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}

    def test_a_folder(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_file(EMAIL, "above/f/g/a", b"1", modified=1_700_000_000)
        emulator.put_file(EMAIL, "above/f/b", size=2_500_000, modified=-5)
        emulator.make_folder(EMAIL, "above/f/empty")
        answer = files.download(files.id_of("above/f"), Range="bytes=0-1")
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''f.zip"
        assert self.members(answer) == {
            "f/": b"",
            "f/g/": b"",
            "f/g/a": b"1",
            "f/b": emulator.read_file(EMAIL, "above/f/b"),
            "f/empty/": b"",
        }

    def test_several_objects(self, files: FileCalls, emulator: EmulatorClient) -> None:
        ids = [emulator.put_file(EMAIL, path, path.encode()) for path in ("ü", "f/a.txt", "g/a.txt")]
        answer = files.download(*ids, emulator.make_folder(EMAIL, "h"))
        assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''files.zip"
        assert self.members(answer) == {"ü": "ü".encode(), "a.txt": b"f/a.txt", "a(1).txt": b"g/a.txt", "h/": b""}

    def test_what_goes_meanwhile_is_left_out(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.put_files(EMAIL, [{"path": "f/a", "size": 3_000_000}, {"path": "f/b", "size": 10}])
        link = files.download_link(files.id_of("f"))
        emulator.configure(bytes_per_second=30_000_000)
        with files.http.get(f"{emulator.api_url}{link}", stream=True, timeout=20) as answer:
            start = answer.raw.read(1000)
            emulator.remove_file(EMAIL, "f/b")
            content = start + answer.raw.read()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.namelist() == ["f/", "f/a"]


class TestWhatChangesMeanwhile:
    def test_a_replaced_file_is_read_to_its_end(self, files: FileCalls, emulator: EmulatorClient) -> None:
        node_id = files.upload("a", b"x" * 30_000_000)
        with files.http.get(f"{emulator.api_url}{files.download_link(node_id)}", stream=True, timeout=20) as answer:
            start = answer.raw.read(1000)
            other = requests.post(
                f"{emulator.api_url}file/modify",
                json={"id": node_id, "truncate": 0},
                headers=files.http.headers,
                timeout=10,
            )
            assert other.status_code == 200
            assert len(start + answer.raw.read()) == 30_000_000

    def test_a_file_that_gets_shorter_is_cut_off(self, files: FileCalls, emulator: EmulatorClient) -> None:
        node_id = files.upload("a", b"x" * 30_000_000)
        with files.http.get(f"{emulator.api_url}{files.download_link(node_id)}", stream=True, timeout=20) as answer:
            answer.raw.read(1000)
            other = requests.post(
                f"{emulator.api_url}file/modify",
                json={"id": node_id, "truncate": 1000},
                headers=files.http.headers,
                timeout=10,
            )
            assert other.status_code == 200
            with pytest.raises(requests.exceptions.ChunkedEncodingError):
                for _ in answer.iter_content(1 << 20):
                    pass

    def test_a_client_that_leaves(self, files: FileCalls, emulator: EmulatorClient) -> None:
        link = files.download_link(emulator.put_file(EMAIL, "a", size=10_000_000_000))
        with requests.get(f"{emulator.api_url}{link}", headers=files.http.headers, stream=True, timeout=20) as answer:
            answer.raw.read(1000)
        assert files.call("GET", "file/metadata").status_code == 200
        assert emulator.counters["download_bytes"] < 1_000_000_000


class TestSpeed:
    def test_it_can_be_limited(self, files: FileCalls, emulator: EmulatorClient) -> None:
        link = files.download_link(emulator.put_file(EMAIL, "a", size=1_000_000))
        emulator.configure(bytes_per_second=1_000_000)
        with files.http.get(f"{emulator.api_url}{link}", stream=True, timeout=20) as answer:
            answer.raw.read(1)
            assert emulator.counters["download_bytes"] < 1_000_000
            answer.raw.read()
        assert emulator.counters["download_bytes"] == 1_000_000

    def test_others_get_their_turn(self, files: FileCalls, emulator: EmulatorClient) -> None:
        link = files.download_link(emulator.put_file(EMAIL, "a", size=1_000_000_000))
        done = threading.Event()

        def read() -> None:
            with requests.get(
                f"{emulator.api_url}{link}", headers=files.http.headers, stream=True, timeout=20
            ) as answer:
                while answer.raw.read(1 << 20):
                    pass
            done.set()

        thread = threading.Thread(target=read)
        thread.start()
        calls = 0
        while not done.is_set():
            files.ok("GET", "file/metadata")
            calls += 1
        thread.join()
        assert calls > 1


class TestCuts:
    @pytest.mark.parametrize(("after_bytes", "got"), [(None, 1_500_000), (0, 0), (1_234_567, 1_234_567)])
    def test_a_file_can_be_cut(
        self, files: FileCalls, emulator: EmulatorClient, after_bytes: int | None, got: int
    ) -> None:
        link = files.download_link(emulator.put_file(EMAIL, "a", size=3_000_000))
        emulator.fault("file/download/*", cut="body", after_bytes=after_bytes)
        request = f"GET /api/1.0/{link} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer files-key\r\n\r\n"
        head, _, body = raw(emulator.url, request.encode()).partition(b"\r\n\r\n")
        assert b"content-length: 3000000" in head
        assert body == emulator.read_file(EMAIL, "a")[:got]

    @pytest.mark.parametrize("after_bytes", [None, 1000])
    def test_an_archive_can_be_cut(self, files: FileCalls, emulator: EmulatorClient, after_bytes: int | None) -> None:
        emulator.put_file(EMAIL, "f/a", size=3_000_000)
        link = files.download_link(files.id_of("f"))
        emulator.fault("file/download/*", cut="body", after_bytes=after_bytes)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            files.call("GET", link)


class TestHostile:
    def test_an_endless_body(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(hostile_endless_download=True)
        link = files.download_link(emulator.put_file(EMAIL, "a", b"12345"))
        with requests.get(f"{emulator.api_url}{link}", headers=files.http.headers, stream=True, timeout=20) as answer:
            assert "Content-Length" not in answer.headers
            assert answer.raw.read(10_000_000).startswith(b"12345\0")
        assert files.call("GET", "file/metadata").status_code == 200

    def test_a_redirect(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(hostile_download_redirect="http://127.0.0.1:1")
        link = files.download_link(emulator.put_file(EMAIL, "a", b"12345"))
        answer = files.call("GET", link, allow_redirects=False)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"http://127.0.0.1:1/api/1.0/{link}")
        assert urlsplit(answer.url).netloc == emulator.host

    def test_wrong_sizes(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(hostile_size_offset=100, hostile_finalize_offset=-1)
        link = files.link("a")
        files.chunk(link["upload_key"], b"12345", "bytes 0-4/5")
        assert files.finalize(link["upload_key"]).json()["size"] == 4
        assert files.stat(link["file_id"])["size"] == 105
        assert files.download(link["file_id"]).headers["Content-Length"] == "5"

    @pytest.mark.parametrize("name", ["..", "../../x", "/etc/x", "C:\\x", "a\0b", "x" * 10_000, "", "a\n"])
    def test_names(self, files: FileCalls, emulator: EmulatorClient, name: str) -> None:
        emulator.make_folder(EMAIL, "f")
        node_id = emulator.put_hostile_name(EMAIL, name, "f", size=3)
        assert files.names("f") == [name]
        assert len(files.download(node_id).content) == 3
        assert emulator.put_hostile_name(EMAIL, name, kind="D")


class TestStorage:
    def test_only_what_is_on_disk_can_be_written(self) -> None:
        with pytest.raises(ValueError, match="not on disk"):
            Writer(Storage().pattern(5))
