"""Writing: in chunks, committed on close, discarded on error; nobody sees half a file."""

from __future__ import annotations

import bz2
import gc
import gzip
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import pytest
from forked import status_of_child
from fsspec.callbacks import Callback

from airflow_provider_quatrix.api.errors import (
    QuatrixApiError,
    QuatrixError,
    QuatrixQuotaExceeded,
    QuatrixTransferError,
    QuatrixTransportError,
)
from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.fs.quatrix import QuatrixFileSystem
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.transfer.chunks import MIB
from airflow_provider_quatrix.transfer.temporary import is_temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

DATA = os.urandom(MIB) * 20 + b"the end"


class TroubleError(Exception):
    pass


def write_and(then: Callable[[], Any], file: Any, *data: Any) -> None:
    file.write(data[0])
    then()
    for more in data[1:]:
        file.write(more)


def trouble() -> None:
    raise TroubleError


def paths(remote: EmulatorClient) -> list[str]:
    """The files there really are, temporary and deleted ones too."""
    return [entry["path"] for entry in remote.files(EMAIL) if entry["type"] == "F"]


def chunks(remote: EmulatorClient) -> int:
    return remote.calls("POST", "/upload/chunked/{key}")


@pytest.fixture
def tidy(quatrix_emulator: EmulatorClient) -> Iterator[EmulatorClient]:
    """The emulator; fails if an unfinished file is left."""
    yield quatrix_emulator
    assert [path for path in paths(quatrix_emulator) if is_temporary(path.rpartition("/")[2])] == []
    assert quatrix_emulator.uploads_open == 0


def test_file_is_sent_in_blocks_and_appears_when_it_is_closed(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    with fs.open("/out/big.bin", "wb") as file:
        file.write(DATA)
        assert chunks(tidy) == 2
        assert not fs.exists("/out/big.bin")
        assert fs.ls("/out") == []
        assert fs.glob("/out/*") == []
        assert len(paths(tidy)) == 1
    assert tidy.read_file(EMAIL, "/out/big.bin") == DATA
    assert fs.ls("/out", detail=False) == ["/out/big.bin"]
    assert chunks(tidy) == 3
    assert tidy.counters["upload_bytes"] == len(DATA)


def test_old_file_stays_until_the_new_one_is_whole(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    fs.pipe("/out/file.txt", b"old")
    with fs.open("/out/file.txt", "wb") as file:
        file.write(DATA)
        assert fs.cat("/out/file.txt") == b"old"
    assert fs.cat("/out/file.txt") == DATA


def test_block_size_decides_on_the_chunks(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    with fs.open("/out/file.bin", "wb", block_size=1000) as file:
        for _ in range(10):
            file.write(b"x" * 450)
    assert tidy.read_file(EMAIL, "/out/file.bin") == b"x" * 4500
    assert chunks(tidy) == 4


@pytest.mark.parametrize(
    "settings", [{}, {"strict_finalize": True, "strict_chunks": True}, {"hide_partial_files": True}], ids=str
)
def test_small_and_empty_files_take_few_calls(
    fs: QuatrixFileSystem, tidy: EmulatorClient, settings: dict[str, Any]
) -> None:
    tidy.configure(**settings)
    fs.mkdir("/out")
    fs.client.profile()
    before = tidy.requests
    fs.pipe("/out/small.txt", b"small")
    assert tidy.requests - before == 6
    fs.touch("/out/empty.txt")
    assert tidy.requests - before == 6 + 5
    assert (tidy.read_file(EMAIL, "/out/small.txt"), tidy.read_file(EMAIL, "/out/empty.txt")) == (b"small", b"")


def test_error_in_the_block_leaves_no_file(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    with pytest.raises(TroubleError), fs.open("/out/file.bin", "wb") as file:
        write_and(trouble, file, DATA)
    assert paths(tidy) == []


def test_error_in_the_block_leaves_the_old_file(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    fs.pipe("/out/file.txt", b"old")
    with pytest.raises(TroubleError), fs.open("/out/file.txt", "w") as file:
        write_and(trouble, file, "new")
    assert fs.cat("/out/file.txt") == b"old"


@pytest.mark.parametrize(
    "options", [{"mode": "w"}, {"mode": "wb", "compression": "gzip"}, {"mode": "w", "compression": "infer"}]
)
def test_error_reaches_the_file_through_all_layers(
    fs: QuatrixFileSystem, tidy: EmulatorClient, options: dict[str, str]
) -> None:
    with pytest.raises(TroubleError), fs.open("/out/file.txt.gz", block_size=10, **options) as file:
        write_and(trouble, file, "text" * 100 if options["mode"] == "w" else os.urandom(100))
    assert paths(tidy) == []


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_error_below_fsspec_open_leaves_no_file(
    quatrix_connection: QuatrixConnection, tidy: EmulatorClient, mode: str
) -> None:
    with pytest.raises(TroubleError), fsspec.open("quatrix:///out/file.txt", mode) as file:
        write_and(trouble, file, "text" if mode == "w" else b"text")
    assert paths(tidy) == []
    with fsspec.open("quatrix:///out/file.txt", mode) as file:
        file.write("text" if mode == "w" else b"text")
    assert tidy.read_file(EMAIL, "/out/file.txt") == b"text"


def test_file_that_an_error_handler_writes_is_committed(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    try:
        trouble()
    except TroubleError:
        file = fs.open("/out/report.txt", "w")
        file.write("trouble")
        file.close()
    assert tidy.read_file(EMAIL, "/out/report.txt") == b"trouble"


def test_file_closed_while_an_error_is_handled_is_committed(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    file, text = fs.open("/out/report.txt", "wb"), fs.open("/out/summary.txt", "w")
    file.write(b"header\n")
    try:
        trouble()
    except TroubleError:
        file.write(b"trouble\n")
        file.close()
        text.write("trouble")
        text.close()
    assert tidy.read_file(EMAIL, "/out/report.txt") == b"header\ntrouble\n"
    assert tidy.read_file(EMAIL, "/out/summary.txt") == b"trouble"


def test_block_of_fsspec_that_ends_while_an_error_is_handled_is_committed(
    quatrix_connection: QuatrixConnection, tidy: EmulatorClient
) -> None:
    try:
        trouble()
    except TroubleError:
        with fsspec.open("quatrix:///out/report.txt", "w") as file:
            file.write("trouble")
    assert tidy.read_file(EMAIL, "/out/report.txt") == b"trouble"


def test_file_committed_at_once_stays_when_its_block_is_left_by_an_error(
    fs: QuatrixFileSystem, tidy: EmulatorClient
) -> None:
    def write() -> None:
        with fs.open("/out/file.txt", "wb") as file:
            file.write(b"whole")
            file.close()
            trouble()

    with pytest.raises(TroubleError):
        write()
    assert tidy.read_file(EMAIL, "/out/file.txt") == b"whole"


STRICT = {"strict_chunks": True, "strict_finalize": True}


@pytest.mark.parametrize("size", [0, 5, 1000, 1001, 5000], ids=str)
def test_strict_service_gets_a_size_that_is_unknown_at_first(
    fs: QuatrixFileSystem, tidy: EmulatorClient, size: int
) -> None:
    tidy.configure(**STRICT)
    data = os.urandom(size)
    with fs.open("/out/file.bin", "wb", block_size=1000) as file:
        for start in range(0, size, 300):
            file.write(data[start : start + 300])
    assert tidy.read_file(EMAIL, "/out/file.bin") == data
    assert paths(tidy) == ["/out/file.bin"]


def test_strict_service_gets_what_is_appended(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    tidy.configure(**STRICT)
    fs.pipe("/out/log.txt", b"old\n" * 1000)
    with fs.open("/out/log.txt", "ab", block_size=1000) as file:
        file.write(b"new\n" * 500)
    assert tidy.read_file(EMAIL, "/out/log.txt") == b"old\n" * 1000 + b"new\n" * 500


def test_strict_service_keeps_nothing_of_what_is_discarded(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    tidy.configure(**STRICT)
    with pytest.raises(TroubleError), fs.open("/out/file.bin", "wb", block_size=1000) as file:
        write_and(trouble, file, b"x" * 5000)
    assert paths(tidy) == []


def test_refusal_that_is_not_about_the_size_is_an_error(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    tidy.configure(user_quota=1500)
    with pytest.raises(QuatrixQuotaExceeded), fs.open("/out/file.bin", "wb", block_size=1000) as file:
        file.write(b"x" * 5000)
    assert paths(tidy) == []


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_file_that_nobody_closed_is_not_written(
    fs: QuatrixFileSystem, tidy: EmulatorClient, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    file = fs.open("/out/file.bin", mode, block_size=10)
    file.write("x" * 100 if mode == "w" else b"x" * 100)
    del file
    gc.collect()
    assert paths(tidy) == []
    assert "/out/file.bin was not written" in caplog.text


def test_text_and_compression_end_with_what_they_hold_back(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    with fs.open("/out/a.txt.gz", "w", compression="infer", encoding="latin-1", newline="\r\n") as file:
        file.write("ä\n")
    with fs.open("/out/b.bz2", "wb", compression="bz2") as file:
        assert file.writable()
        file.write(b"data")
    assert gzip.decompress(tidy.read_file(EMAIL, "/out/a.txt.gz")).decode("latin-1") == "ä\r\n"
    assert bz2.decompress(tidy.read_file(EMAIL, "/out/b.bz2")) == b"data"
    with fs.open("/out/a.txt.gz", "r", compression="infer", encoding="latin-1") as file:
        assert file.read() == "ä\n"


def test_exclusive_file_meets_one_that_came_meanwhile(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    file = fs.open("/out/file.txt", "xb")
    file.write(b"mine")
    tidy.put_file(EMAIL, "/out/file.txt", b"theirs")
    with pytest.raises(FileExistsError):
        file.close()
    assert tidy.read_file(EMAIL, "/out/file.txt") == b"theirs"
    with pytest.raises(FileExistsError):
        fs.open("/out/file.txt", "x")


@pytest.mark.parametrize("block_size", [None, 1000])
def test_append_keeps_what_is_there(fs: QuatrixFileSystem, tidy: EmulatorClient, block_size: int | None) -> None:
    fs.pipe("/out/log.txt", b"old\n" * 1000)
    with fs.open("/out/log.txt", "ab", block_size=block_size) as file:
        assert file.tell() == 4000
        file.write(b"new\n" * 500)
        assert fs.cat("/out/log.txt") == b"old\n" * 1000
    assert tidy.read_file(EMAIL, "/out/log.txt") == b"old\n" * 1000 + b"new\n" * 500
    with fs.open("/out/other.txt", "a") as file:
        file.write("first\n")
    assert tidy.read_file(EMAIL, "/out/other.txt") == b"first\n"


def test_failed_append_leaves_the_old_file(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    fs.pipe("/out/log.txt", b"old\n")
    tidy.fault("file/download/*", status=403, times=None)
    with pytest.raises(PermissionError), fs.open("/out/log.txt", "ab") as file:
        file.write(b"new\n")
    assert tidy.read_file(EMAIL, "/out/log.txt") == b"old\n"


def test_what_cannot_be_written_says_so_when_it_is_opened(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    fs.pipe("/out/file.txt", b"x")
    for folder in ("/", "/out"):
        with pytest.raises(IsADirectoryError):
            fs.open(folder, "wb")
    with pytest.raises(NotADirectoryError):
        fs.open("/out/file.txt/below", "wb")
    with pytest.raises(NotImplementedError):
        fs.open("/out/file.txt", "r+b")
    with pytest.raises(ValueError, match="control character"):
        fs.open("/out/bell\a", "wb")


def test_missing_folder_is_an_error_where_that_is_wanted(quatrix_connection: QuatrixConnection) -> None:
    strict = QuatrixFileSystem(str(quatrix_connection), auto_mkdir=False, skip_instance_cache=True)
    with pytest.raises(FileNotFoundError, match="no folder '/missing'"):
        strict.open("/missing/file.txt", "wb")
    strict.mkdir("/there")
    strict.pipe("/there/file.txt", b"x")
    assert strict.cat("/there/file.txt") == b"x"


def test_closed_file_takes_nothing_more(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    file = fs.open("/out/file.txt", "wb")
    file.write(b"x")
    file.close()
    file.close()
    file.discard()
    with pytest.raises(ValueError, match="write mode"):
        file.write(b"y")
    assert fs.cat("/out/file.txt") == b"x"


def test_chunk_whose_answer_is_lost_is_sent_again(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    tidy.fault("/upload/chunked/*", cut="connection", execute_anyway=True)
    tidy.fault("upload/finalize/*", cut="connection", execute_anyway=True)
    tidy.fault("file/moveone", cut="connection", execute_anyway=True)
    with fs.open("/out/file.bin", "wb") as file:
        file.write(DATA)
    assert tidy.read_file(EMAIL, "/out/file.bin") == DATA


def test_refused_move_leaves_nothing(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    tidy.fault("file/moveone", status=403)
    with pytest.raises(PermissionError):
        fs.pipe("/out/file.bin", b"data")
    assert paths(tidy) == []


def test_lost_move_is_sent_again(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    tidy.fault("file/moveone", cut="connection")
    fs.pipe("/out/file.bin", b"data")
    assert tidy.counters["faults"] == 1
    assert tidy.read_file(EMAIL, "/out/file.bin") == b"data"


def test_move_that_is_always_lost_leaves_nothing(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    tidy.fault("file/moveone", cut="connection", times=None)
    with pytest.raises(QuatrixTransportError):
        fs.pipe("/out/file.bin", b"data")
    assert paths(tidy) == []


def test_move_whose_answer_is_always_lost_takes_nothing_away(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    fs.pipe("/out/file.bin", b"old")
    tidy.fault("file/moveone", cut="connection", execute_anyway=True)
    tidy.fault("file/metadata/*", status=400, body={"code": 11, "msg": "no"})
    with pytest.raises(QuatrixApiError):
        fs.pipe("/out/file.bin", b"new")
    assert tidy.counters["faults"] == 2
    assert paths(tidy) == ["/out/file.bin"]
    assert tidy.read_file(EMAIL, "/out/file.bin") == b"new"


def test_dead_key_is_renewed(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    with fs.open("/out/file.bin", "wb") as file:
        write_and(tidy.kill_upload_keys, file, DATA, DATA)
    assert tidy.read_file(EMAIL, "/out/file.bin") == DATA + DATA
    assert tidy.calls("POST", "file/modify") == 1


def test_dead_key_is_told_and_leaves_nothing(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    tidy.fault("file/modify", status=405, body={"code": 21, "msg": "no"}, times=None)
    with (
        pytest.raises(QuatrixTransferError, match=r"does not know the upload of '/out/file\.bin' any more"),
        fs.open("/out/file.bin", "wb") as file,
    ):
        write_and(tidy.kill_upload_keys, file, DATA, DATA)
    assert paths(tidy) == []


def test_folder_that_vanishes_is_told(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    with (
        pytest.raises(QuatrixTransferError, match="folder '/out' was deleted while '/out/f' was written"),
        fs.open("/out/f", "wb") as file,
    ):
        write_and(lambda: tidy.remove_file(EMAIL, "/out"), file, DATA)
    assert paths(tidy) == []


def test_wrong_size_at_the_end_is_no_success(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    tidy.configure(hostile_finalize_offset=-1)
    with pytest.raises(QuatrixTransferError, match=r"has 3 bytes of .*, but 4 were sent"):
        fs.pipe("/out/file.bin", b"data")
    assert paths(tidy) == []


def test_quota_is_an_error_of_the_disk(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    tidy.fault("upload/link", status=400, body={"code": 122, "msg": "Quota exceeded"})
    with pytest.raises(QuatrixQuotaExceeded) as caught:
        fs.pipe("/out/file.bin", b"data")
    assert isinstance(caught.value, OSError)
    assert paths(tidy) == []


def test_threads_that_write_one_path_do_not_disturb_each_other(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    barrier = threading.Barrier(4)

    def write(number: int) -> None:
        with fs.open("/out/file.bin", "wb", block_size=1000) as file:
            file.write(bytes([number]) * 5000)
            barrier.wait(20)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert paths(tidy) == ["/out/file.bin"]
    assert len(set(tidy.read_file(EMAIL, "/out/file.bin"))) == 1


# Whoever names a resume key finds what a killed try left.


def test_further_try_removes_what_a_killed_one_left(
    quatrix_connection: QuatrixConnection, quatrix_emulator: EmulatorClient
) -> None:
    fs = QuatrixFileSystem(str(quatrix_connection), resume_key="dag task run", skip_instance_cache=True)
    opened: list[Any] = []

    def write() -> None:
        opened.append(fs.open("/out/file.bin", "wb"))
        opened[0].write(DATA)

    assert status_of_child(write) == 0
    assert len(paths(quatrix_emulator)) == 1
    fs.pipe("/out/file.bin", b"whole")
    assert paths(quatrix_emulator) == ["/out/file.bin"]
    assert quatrix_emulator.read_file(EMAIL, "/out/file.bin") == b"whole"


def test_further_try_of_put_file_goes_on_where_the_last_one_stopped(
    quatrix_connection: QuatrixConnection, tidy: EmulatorClient, tmp_path: Path
) -> None:
    fs = QuatrixFileSystem(str(quatrix_connection), resume_key="dag task run", skip_instance_cache=True)
    (tmp_path / "big.bin").write_bytes(DATA)
    tidy.fault("/upload/chunked/*", status=400, body={"code": 10, "msg": "no"}, after=1)
    with pytest.raises(QuatrixError):
        fs.put_file(tmp_path / "big.bin", "/out/big.bin")
    first = tidy.counters["upload_bytes"]
    assert not fs.exists("/out/big.bin")
    fs.put_file(tmp_path / "big.bin", "/out/big.bin")
    assert tidy.read_file(EMAIL, "/out/big.bin") == DATA
    assert tidy.counters["upload_bytes"] - first == len(DATA) - 8 * MIB


# Transactions


def test_transaction_shows_all_files_at_its_end(fs: QuatrixFileSystem, tidy: EmulatorClient, tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"three")
    with fs.transaction:
        fs.pipe("/out/a", b"one")
        with fs.open("/out/b", "w") as file:
            file.write("two")
        fs.put(str(tmp_path / "c"), "/out/c")
        assert fs.find("/out") == []
    assert {path: fs.cat(path) for path in fs.find("/out")} == {"/out/a": b"one", "/out/b": b"two", "/out/c": b"three"}
    fs.pipe("/out/d", b"four")
    assert fs.cat("/out/d") == b"four"


def test_failed_transaction_leaves_nothing(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    fs.pipe("/out/a", b"old")
    with pytest.raises(TroubleError), fs.transaction:  # noqa: PT012 - the transaction is what is tried
        fs.pipe({"/out/a": b"new", "/out/b": b"new"})
        trouble()
    assert paths(tidy) == ["/out/a"]
    assert fs.cat("/out/a") == b"old"


def test_transaction_leaves_out_what_failed_inside(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    with fs.transaction:
        fs.pipe("/out/a", b"one")
        with pytest.raises(TroubleError), fs.open("/out/b", "wb") as file:
            write_and(trouble, file, b"two")
    assert paths(tidy) == ["/out/a"]


def test_transaction_closes_what_is_open(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    with fs.transaction:
        file = fs.open("/out/a", "wb")
        file.write(b"one")
    assert fs.cat("/out/a") == b"one"


def test_uncommitted_file_waits_for_its_commit(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    fs.start_transaction()
    fs.pipe("/out/a", b"one")
    assert not fs.exists("/out/a")
    fs.end_transaction()
    assert fs.cat("/out/a") == b"one"


# put_file


def test_put_file_is_whole_and_keeps_the_time(fs: QuatrixFileSystem, tidy: EmulatorClient, tmp_path: Path) -> None:
    source = tmp_path / "big.bin"
    source.write_bytes(DATA)
    os.utime(source, (1_700_000_000.25, 1_700_000_000.25))
    callback = Callback()
    fs.put_file(source, "/out/below/big.bin", callback=callback)
    assert tidy.read_file(EMAIL, "/out/below/big.bin") == DATA
    assert fs.modified("/out/below/big.bin").timestamp() == 1_700_000_000.25
    assert (callback.size, callback.value) == (len(DATA), len(DATA))


def test_put_file_obeys_create_and_never_replaces_a_folder(
    fs: QuatrixFileSystem, tidy: EmulatorClient, tmp_path: Path
) -> None:
    source = tmp_path / "file"
    source.write_bytes(b"data")
    fs.put_file(source, "/out/file", mode="create")
    with pytest.raises(FileExistsError):
        fs.put_file(source, "/out/file", mode="create")
    with pytest.raises(OSError, match="is a folder"):
        fs.put_file(source, "/out")
    assert paths(tidy) == ["/out/file"]


def test_put_takes_what_tells_no_size(fs: QuatrixFileSystem, tidy: EmulatorClient) -> None:
    fs.put_file("/proc/version", "/out/version")
    with fs.transaction:
        fs.put_file("/proc/version", "/out/again")
    version = Path("/proc/version").read_bytes()
    assert [tidy.read_file(EMAIL, f"/out/{name}") for name in ("version", "again")] == [version, version]


def test_put_names_what_it_cannot_take_and_sends_nothing(
    fs: QuatrixFileSystem, tidy: EmulatorClient, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("file")
    with pytest.raises(InvalidPathError, match="pipe' is a FIFO"):
        fs.put(str(tmp_path), "/out", recursive=True)
    with pytest.raises(InvalidPathError, match="is a FIFO"):
        fs.put_file(tmp_path / "pipe", "/out")
    assert paths(tidy) == []


def test_put_and_get_trees(fs: QuatrixFileSystem, tidy: EmulatorClient, tmp_path: Path) -> None:
    names = ["a.txt", "sub/b.txt", "sub/deeper/ü c.txt"]
    for name in names:
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / name).write_text(name)
    fs.put(f"{tmp_path}/src", "/tree", recursive=True)
    assert [path.removeprefix("/tree/") for path in fs.find("/tree")] == sorted(names)
    fs.get("/tree", f"{tmp_path}/back", recursive=True)
    assert {name: (tmp_path / "back" / name).read_text() for name in names} == {name: name for name in names}
