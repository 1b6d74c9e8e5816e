"""Reading: by ranges, ahead, over one link per open file."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import fsspec
import pytest
from fsspec.callbacks import Callback
from packaging.version import Version

from airflow_provider_quatrix.api.errors import QuatrixTransferError, QuatrixTransportError
from airflow_provider_quatrix.fs.file import READ_BLOCK
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.transfer.chunks import MIB
from airflow_provider_quatrix.transfer.reader import RangeReader
from airflow_provider_quatrix.transfer.writer import Block

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.fs.quatrix import QuatrixFileSystem

DATA = os.urandom(MIB) * 9 + b"the end"


@pytest.fixture
def remote(quatrix_emulator: EmulatorClient) -> EmulatorClient:
    quatrix_emulator.put_file(EMAIL, "/in/big.bin", DATA)
    return quatrix_emulator


def downloads(remote: EmulatorClient) -> int:
    return remote.calls("GET", "file/download/{link}")


def links(remote: EmulatorClient) -> int:
    return remote.calls("POST", "file/download-link")


def looks(remote: EmulatorClient) -> int:
    return remote.calls("GET", "file/metadata/{id}")


def reader_of(fs: QuatrixFileSystem, path: str, **options: Any) -> RangeReader:
    info = fs.info(path)
    return RangeReader(fs.client.files, info["id"], path, size=info["size"], modified=info["mtime"], **options)


def test_file_is_read_block_by_block_over_one_link(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    with fs.open("/in/big.bin", "rb", cache_type="none") as file:
        while file.read(READ_BLOCK):
            pass
    assert links(remote) == 1
    assert downloads(remote) == -(-len(DATA) // READ_BLOCK)
    assert remote.counters["download_bytes"] == len(DATA)


def test_small_reads_are_served_from_what_was_read_ahead(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    with fs.open("/in/big.bin", "rb") as file:
        parts = [file.read(1000) for _ in range(1000)]
    assert b"".join(parts) == DATA[:1_000_000]
    assert downloads(remote) == 1
    assert remote.counters["download_bytes"] == 1000 + READ_BLOCK


def test_block_size_decides_how_much_is_read_ahead(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    with fs.open("/in/big.bin", "rb", block_size=5000) as file:
        assert file.read(10) == DATA[:10]
    assert remote.counters["download_bytes"] == 5010


def test_whole_file_read_at_once_comes_in_one_request(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    with fs.open("/in/big.bin", "rb") as file:
        assert file.read() == DATA
    assert downloads(remote) == 1


def test_seek_reads_only_what_is_wanted(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    with fs.open("/in/big.bin", "rb") as file:
        assert file.seek(-7, 2) == len(DATA) - 7
        assert file.read() == b"the end"
        assert file.read() == b""
    assert remote.counters["download_bytes"] == 7


@pytest.mark.parametrize(
    ("start", "end"),
    [(None, None), (0, 10), (100, 300), (-7, None), (5, -7), (None, 12), (50, 50), (60, 50), (len(DATA) + 5, None)],
)
def test_cat_file_brings_exactly_a_slice(
    fs: QuatrixFileSystem, remote: EmulatorClient, start: int | None, end: int | None
) -> None:
    wanted = DATA[start:end]
    assert fs.cat_file("/in/big.bin", start, end) == wanted
    assert remote.counters["download_bytes"] == len(wanted)


def test_cat_file_ends_where_the_file_ends(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    assert fs.cat_file("/in/big.bin", len(DATA) - 7, len(DATA) + 100) == b"the end"


def test_head_and_tail_bring_no_more_than_they_are_asked_for(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    assert fs.head("/in/big.bin", 16) == DATA[:16]
    assert fs.tail("/in/big.bin", 7) == b"the end"
    assert fs.tail("/in/big.bin", 0) == b""
    assert remote.counters["download_bytes"] == 23


def test_ranges_of_one_file_share_look_up_and_link(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    remote.put_file(EMAIL, "/in/small.txt", b"0123456789")
    paths = ["/in/big.bin", "/in/big.bin", "/in/small.txt", "/in/none.txt"]
    first, second, third, missing = fs.cat_ranges(paths, [0, 100, 2, 0], [10, 200, 5, 1])
    assert (first, second, third) == (DATA[:10], DATA[100:200], b"234")
    assert isinstance(missing, FileNotFoundError)
    assert links(remote) == 2
    assert downloads(remote) == 3


def test_cat_ranges_raises_where_that_is_wanted(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    with pytest.raises(FileNotFoundError):
        fs.cat_ranges(["/in/none.txt"], 0, 1, on_error="raise")
    with pytest.raises(NotImplementedError):
        fs.cat_ranges(["/in/big.bin"], 0, 1, max_gap=10)
    with pytest.raises(TypeError):
        fs.cat_ranges("/in/big.bin", 0, 1)
    with pytest.raises(ValueError, match="argument"):
        fs.cat_ranges(["/in/big.bin"], [0, 1], 1)


def test_text_is_decoded_and_read_by_lines(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    remote.put_file(EMAIL, "/in/lines.txt", "größe\r\nß\n".encode("latin-1"))
    with fs.open("/in/lines.txt", "r", encoding="latin-1", newline="") as file:
        assert list(file) == ["größe\r\n", "ß\n"]
    assert fs.read_text("/in/lines.txt", encoding="latin-1") == "größe\nß\n"


def test_dead_link_is_renewed(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    with fs.open("/in/big.bin", "rb", block_size=1000) as file:
        assert file.read(10) == DATA[:10]
        remote.advance(14 * 60)
        fs.client.keepalive()
        remote.advance(14 * 60)
        file.seek(5000)
        assert file.read(10) == DATA[5000:5010]
    assert links(remote) == 2


def test_ended_session_is_renewed(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    with fs.open("/in/big.bin", "rb", block_size=1000) as file:
        file.read(10)
        remote.expire_sessions()
        file.seek(5000)
        assert file.read(10) == DATA[5000:5010]
    assert remote.logins == 2


def test_broken_stream_is_taken_up_where_it_broke(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    remote.fault("file/download/*", cut="body", times=2)
    with fs.open("/in/big.bin", "rb") as file:
        assert file.read() == DATA
    assert downloads(remote) == 3
    assert remote.counters["download_bytes"] < 2 * len(DATA)


def test_stream_that_breaks_for_ever_is_an_error(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    pauses: list[float] = []
    reader = reader_of(fs, "/in/big.bin", sleep=pauses.append)
    remote.fault("file/download/*", times=None, status=206, headers={"Content-Range": "bytes 0-9/*"}, body="")
    with pytest.raises(QuatrixTransportError, match="6 times in a row at byte 0"):
        reader.read(0, 10)
    assert pauses == sorted(pauses)
    assert len(pauses) == 5


def test_server_that_ignores_ranges_is_understood(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    remote.configure(ignore_range=True)
    assert fs.cat_file("/in/big.bin", 100, 200) == DATA[100:200]
    assert fs.tail("/in/big.bin", 7) == b"the end"


def write_in_place(fs: QuatrixFileSystem, path: str, data: bytes) -> None:
    files = fs.client.files
    body = {"id": fs.info(path)["id"], "truncate": 0}
    key = fs.client.call("POST", "file/modify", json=body).json()["upload_key"]
    files.upload_chunk(key, 0, len(data), len(data), lambda: Block(data))
    files.finalize(key, None)


@pytest.mark.parametrize("ignore_range", [False, True])
@pytest.mark.parametrize("data", [DATA + b"more", b"less", b"x" * len(DATA)], ids=["longer", "shorter", "as long"])
def test_file_that_changes_while_it_is_open_is_never_mixed(
    fs: QuatrixFileSystem, remote: EmulatorClient, data: bytes, *, ignore_range: bool
) -> None:
    remote.configure(ignore_range=ignore_range)
    with fs.open("/in/big.bin", "rb", block_size=1000) as file:
        file.read(10)
        write_in_place(fs, "/in/big.bin", data)
        file.seek(5000)
        with pytest.raises(QuatrixTransferError, match="not the file of 9437191 bytes any more"):
            file.read(10)


def test_stream_that_breaks_is_not_taken_up_with_another_version(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    remote.fault("file/download/*", cut="body", after_bytes=100_000)
    reader = reader_of(fs, "/in/big.bin", sleep=lambda _: write_in_place(fs, "/in/big.bin", b"x" * len(DATA)))
    with pytest.raises(QuatrixTransferError, match="somebody has written to it"):
        reader.read(0, len(DATA))


def test_only_what_follows_the_first_range_needs_another_look(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    reader = reader_of(fs, "/in/big.bin")
    before = looks(remote)
    reader.read(0, 1000)
    assert looks(remote) == before
    reader.read(1000, 2000)
    assert looks(remote) == before + 1


def test_file_that_is_replaced_while_it_is_open_is_not_found(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    with fs.open("/in/big.bin", "rb", block_size=1000) as file:
        file.read(10)
        fs.pipe("/in/big.bin", b"another file")
        file.seek(5000)
        with pytest.raises(FileNotFoundError):
            file.read(10)


def test_file_that_is_deleted_while_it_is_open_is_not_found(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    with fs.open("/in/big.bin", "rb", block_size=1000) as file:
        file.read(10)
        remote.remove_file(EMAIL, "/in/big.bin")
        file.seek(5000)
        with pytest.raises(FileNotFoundError):
            file.read(10)


def test_what_cannot_be_read_says_so_when_it_is_opened(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    with pytest.raises(FileNotFoundError):
        fs.open("/in/none.bin", "rb")
    with pytest.raises(IsADirectoryError):
        fs.open("/in", "rb")
    with pytest.raises(IsADirectoryError):
        fs.cat_file("/in")


def test_many_threads_read_one_file_system(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    def read(number: int) -> bytes:
        return fs.cat_file("/in/big.bin", number * 1000, number * 1000 + 500)

    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(read, range(40)))
    assert parts == [DATA[number * 1000 : number * 1000 + 500] for number in range(40)]
    assert remote.logins == 1


def test_many_threads_read_one_reader_over_one_link(fs: QuatrixFileSystem, remote: EmulatorClient) -> None:
    reader = reader_of(fs, "/in/big.bin")
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda number: reader.read(number * 9, number * 9 + 9), range(40)))
    assert b"".join(parts) == DATA[:360]
    assert links(remote) == 1


def test_get_file_is_whole_and_keeps_the_time(fs: QuatrixFileSystem, remote: EmulatorClient, tmp_path: Path) -> None:
    remote.put_file(EMAIL, "/in/dated.bin", DATA, modified=1_700_000_000.25)
    target = tmp_path / "below" / "dated.bin"
    fs.get_file("/in/dated.bin", str(target))
    assert target.read_bytes() == DATA
    assert target.stat().st_mtime == 1_700_000_000.25
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.skipif(Version(fsspec.__version__) < Version("2026.9"), reason="fsspec itself takes no open file before")
def test_get_file_writes_into_an_open_file_too(fs: QuatrixFileSystem, remote: EmulatorClient, tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file:
        fs.get_file("/in/big.bin", file)
    assert (tmp_path / "x").read_bytes() == DATA


def test_get_file_tells_its_progress(fs: QuatrixFileSystem, remote: EmulatorClient, tmp_path: Path) -> None:
    callback = Callback()
    fs.get_file("/in/big.bin", f"{tmp_path}/x", callback=callback)
    assert (callback.size, callback.value) == (len(DATA), len(DATA))
