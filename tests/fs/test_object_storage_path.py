"""``ObjectStoragePath`` and ``FileTransferOperator``, in tasks of real DAG runs and outside."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath, task
from airflow.providers.common.io.operators.file_transfer import FileTransferOperator
from dag_runs import AIRFLOW_3, logged_cleanly, new_dag, run
from forked import status_of_child

# Airflow 2 warns of protocols that it has not met.
import airflow_provider_quatrix.fs.quatrix  # noqa: F401
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.transfer.temporary import is_temporary

if AIRFLOW_3:
    from airflow.sdk.io import attach
else:
    from airflow.io.store import attach

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = [
    pytest.mark.usefixtures("airflow_db", "quatrix_connection"),
    # Said by Airflow 2.11 of its own paths.
    pytest.mark.filterwarnings("ignore:in a future version of UPath:PendingDeprecationWarning"),
]

ROOT = "quatrix://quatrix_default@"

FIRST_PATH = """
import warnings
from airflow.models import import_all_models; import_all_models()
from airflow.providers.common.compat.sdk import ObjectStoragePath
for root in ("quatrix://quatrix_default@/first", "quatrix:///second"):
    path = ObjectStoragePath(root) / "file.txt"
    path.parent.mkdir()
    path.write_text("text")
    assert path.exists() and path.is_file() and path.parent.is_dir()
    assert [str(found) for found in path.parent.iterdir()] == [str(path)]
    assert [found.path for found in path.parent.rglob("*.txt")] == [path.path]
    assert path.read_text() == "text"
print("done")
"""


# What a DAG file that names a path costs when it is parsed.
PARSED_PATH = """
import sys
from upath import UPath
UPath("quatrix://quatrix_default@/first")
assert "requests" not in sys.modules and "airflow" not in sys.modules
"""


def remote_files(remote: EmulatorClient) -> dict[str, bytes]:
    paths = [entry["path"] for entry in remote.files(EMAIL) if entry["type"] == "F"]
    return {path: remote.read_file(EMAIL, path) for path in paths}


@pytest.fixture
def second(quatrix_connection: QuatrixConnection, quatrix_emulator: EmulatorClient) -> QuatrixConnection:
    """Another user's connection, which makes another store."""
    quatrix_emulator.add_user("other@example.com", "Other-Passw0rd")
    return quatrix_connection(conn_id="quatrix_other", login="other@example.com", password="Other-Passw0rd")


def test_path_looks_at_nothing_before_it_is_used(quatrix_emulator: EmulatorClient) -> None:
    path = ObjectStoragePath("quatrix://there_is_no_such_connection@/folder/file.txt")
    assert (path.path, path.name, path.parent.path) == ("/folder/file.txt", "file.txt", "/folder")
    assert str(path) == "quatrix://there_is_no_such_connection@/folder/file.txt"
    assert quatrix_emulator.requests == 0


def test_first_path_of_a_process_works_with_and_without_a_connection(quatrix_emulator: EmulatorClient) -> None:
    done = subprocess.run([sys.executable, "-c", FIRST_PATH], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip().endswith("done"), done.stderr
    if AIRFLOW_3:
        assert "Could not find default for known protocol" not in done.stderr + done.stdout
    assert remote_files(quatrix_emulator) == {"/first/file.txt": b"text", "/second/file.txt": b"text"}


def test_path_in_a_dag_file_brings_no_http_along_and_no_warning() -> None:
    program = [sys.executable, "-W", "error", "-c", PARSED_PATH]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_reading_and_writing(quatrix_emulator: EmulatorClient) -> None:
    path = ObjectStoragePath(f"{ROOT}/folder/file.txt")
    with path.open("w") as file:
        file.write("größe\n")
    with path.open("r") as file:
        assert file.read() == "größe\n"
    path.write_bytes(b"0123456789")
    assert path.read_bytes() == b"0123456789"
    assert path.read_block(2, 3) == b"234"
    assert path.size() == 10
    assert path.stat().st_size == 10
    assert path.samefile(path)
    assert path.checksum() == path.checksum()
    assert path.ukey() == path.ukey()
    assert quatrix_emulator.read_file(EMAIL, "/folder/file.txt") == b"0123456789"


def test_error_while_writing_leaves_the_old_file(quatrix_emulator: EmulatorClient) -> None:
    path = ObjectStoragePath(f"{ROOT}/folder/file.txt")
    path.write_text("old")

    def write() -> None:
        with path.open("w") as file:
            file.write("new")
            raise KeyError

    with pytest.raises(KeyError):
        write()
    assert remote_files(quatrix_emulator) == {"/folder/file.txt": b"old"}


def test_looking_around(quatrix_emulator: EmulatorClient) -> None:
    for name in ("a.csv", "sub/b.csv", "sub/c.txt"):
        quatrix_emulator.put_file(EMAIL, f"/folder/{name}", b"x", modified=1_700_000_000.5)
    folder = ObjectStoragePath(f"{ROOT}/folder")
    assert sorted(map(str, folder.iterdir())) == [f"{ROOT}/folder/a.csv", f"{ROOT}/folder/sub"]
    assert sorted(found.path for found in folder.rglob("*.csv")) == ["/folder/a.csv", "/folder/sub/b.csv"]
    assert [found.path for found in folder.glob("*/*.txt")] == ["/folder/sub/c.txt"]
    assert (folder.exists(), folder.is_dir(), folder.is_file()) == (True, True, False)
    assert ((folder / "a.csv").is_file(), (folder / "none").exists()) == (True, False)
    assert (folder / "a.csv").stat().st_mtime == 1_700_000_000.5
    if AIRFLOW_3:
        assert {found.conn_id for found in folder.iterdir()} == {"quatrix_default"}


def test_changing_what_is_there(quatrix_emulator: EmulatorClient) -> None:
    path = ObjectStoragePath(f"{ROOT}/folder/file.txt")
    path.parent.mkdir()
    with pytest.raises(FileExistsError):
        path.parent.mkdir()
    path.parent.mkdir(exist_ok=True, parents=True)
    path.touch()
    path.write_text("text")
    path.copy(ObjectStoragePath(f"{ROOT}/folder/copy.txt"))
    (path.parent / "copy.txt").move(ObjectStoragePath(f"{ROOT}/other/moved.txt"))
    path.rename(ObjectStoragePath(f"{ROOT}/folder/renamed.txt"))
    assert remote_files(quatrix_emulator) == {"/folder/renamed.txt": b"text", "/other/moved.txt": b"text"}
    assert quatrix_emulator.counters["download_bytes"] == 0
    ObjectStoragePath(f"{ROOT}/folder").move(ObjectStoragePath(f"{ROOT}/moved"))
    ObjectStoragePath(f"{ROOT}/moved").copy(ObjectStoragePath(f"{ROOT}/copied"), recursive=True)
    (ObjectStoragePath(f"{ROOT}/other/moved.txt")).unlink()
    paths = {path for path in remote_files(quatrix_emulator) if not path.startswith("/Trash")}
    assert paths == {"/moved/renamed.txt", "/copied/renamed.txt"}


def test_path_survives_serialization(quatrix_emulator: EmulatorClient) -> None:
    path = ObjectStoragePath(f"{ROOT}/folder/file.txt")
    path.write_text("text")
    other = ObjectStoragePath.deserialize(path.serialize(), 1)
    assert other == path
    assert other.read_text() == "text"
    assert PASSWORD not in str(path.serialize())


def test_path_passes_between_tasks(quatrix_emulator: EmulatorClient, capfd: pytest.CaptureFixture[str]) -> None:
    with new_dag() as dag:

        @task
        def write() -> ObjectStoragePath:
            path = ObjectStoragePath(f"{ROOT}/folder/file.txt")
            with path.open("w") as file:
                file.write("text")
            return path

        @task
        def read(path: ObjectStoragePath) -> str:
            with path.open("r") as file:
                return str(file.read())

        read(write())
    outcome = run(dag)
    assert outcome.state == "success"
    assert outcome.tasks["read"].xcom == "text"
    assert quatrix_emulator.logins == 1
    (session,) = quatrix_emulator.sessions
    log = logged_cleanly(capfd)
    assert session["id"] not in log
    assert PASSWORD not in log


def test_further_try_of_a_task_removes_what_a_killed_one_left(quatrix_emulator: EmulatorClient) -> None:
    with new_dag() as dag:

        @task
        def write(folder: str) -> list[str]:
            file: Any = ObjectStoragePath(f"{ROOT}/{folder}/file.bin").open("wb")
            pid = os.fork()
            if pid == 0:
                try:
                    file.write(os.urandom(9_000_000))
                finally:
                    os._exit(9)
            os.waitpid(pid, 0)
            left = list(remote_files(quatrix_emulator))
            file.write(b"whole")
            file.close()
            return left

        write("out")
    outcome = run(dag)
    assert outcome.state == "success"
    (left,) = outcome.tasks["write"].xcom
    assert is_temporary(left.removeprefix("/out/"))
    assert remote_files(quatrix_emulator) == {"/out/file.bin": b"whole"}


def test_mapped_tasks_keep_their_unfinished_files_apart(quatrix_emulator: EmulatorClient) -> None:
    with new_dag() as dag:

        @task
        def write(killed: bool) -> None:
            path: Any = ObjectStoragePath(f"{ROOT}/out/file.bin")
            opened = []

            def write_half() -> None:
                opened.append(path.open("wb"))
                opened[0].write(os.urandom(9_000_000))

            if killed:
                assert status_of_child(write_half) == 0
            else:
                path.write_bytes(b"whole")

        write.expand(killed=[True, False])
    assert run(dag).state == "success"
    left, whole = sorted(remote_files(quatrix_emulator).items())
    # Another try of the one that was killed removes it, and nobody else.
    assert is_temporary(left[0].removeprefix("/out/"))
    assert whole == ("/out/file.bin", b"whole")


# FileTransferOperator


def transfer(**arguments: Any) -> str:
    with new_dag() as dag:
        FileTransferOperator(task_id="transfer", **arguments)
    return run(dag).states["transfer"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("there", [False, True], ids=["new", "existing"])
@pytest.mark.parametrize(
    "direction", ["local to quatrix", "quatrix to local", "quatrix to quatrix", "quatrix to other"]
)
def test_file_is_transferred(
    quatrix_emulator: EmulatorClient,
    second: QuatrixConnection,
    tmp_path: Path,
    direction: str,
    *,
    there: bool,
    overwrite: bool,
) -> None:
    data, old = os.urandom(3_000_000), b"old"
    local_source, local_target = tmp_path / "source.bin", tmp_path / "below" / "target.bin"
    local_source.write_bytes(data)
    quatrix_emulator.put_file(EMAIL, "/in/source.bin", data)
    sources = {"local": f"file://{local_source}", "quatrix": f"{ROOT}/in/source.bin"}
    targets = {
        "local": (f"file://{local_target}", local_target.read_bytes),
        "quatrix": (f"{ROOT}/out/target.bin", partial(quatrix_emulator.read_file, EMAIL, "/out/target.bin")),
        "other": (
            f"quatrix://{second}@/out/target.bin",
            partial(quatrix_emulator.read_file, "other@example.com", "/out/target.bin"),
        ),
    }
    source, _, target = direction.split(" ")
    if there:
        local_target.parent.mkdir()
        local_target.write_bytes(old)
        quatrix_emulator.put_file(EMAIL, "/out/target.bin", old)
        quatrix_emulator.put_file("other@example.com", "/out/target.bin", old)
    url, read = targets[target]
    # Airflow 2.11's operator forgets the connection that a URL names.
    connection = {"dest_conn_id": str(second)} if target == "other" else {}
    state = transfer(src=sources[source], dst=url, overwrite=overwrite, **connection)
    refused = there and not overwrite
    assert state == ("failed" if refused else "success")
    assert read() == (old if refused else data)
    if direction == "quatrix to quatrix":
        assert quatrix_emulator.counters["download_bytes"] == 0
        assert quatrix_emulator.counters["upload_bytes"] == 0


@pytest.mark.parametrize("direction", ["local to quatrix", "quatrix to local", "quatrix to quatrix"])
def test_folder_is_refused_by_name(
    quatrix_emulator: EmulatorClient, tmp_path: Path, capfd: pytest.CaptureFixture[str], direction: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("a")
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"a")
    sources = {"local": f"file://{tmp_path}/in", "quatrix": f"{ROOT}/in"}
    targets = {"local": f"file://{tmp_path}/out", "quatrix": f"{ROOT}/out"}
    source, _, target = direction.split(" ")
    assert transfer(src=sources[source], dst=targets[target]) == "failed"
    assert "/in' is a folder" in logged_cleanly(capfd)
    assert remote_files(quatrix_emulator) == {"/in/a.csv": b"a"}
    assert not (tmp_path / "out").exists()


def test_folder_goes_to_another_connection_with_its_path(
    quatrix_emulator: EmulatorClient, second: QuatrixConnection
) -> None:
    for name in ("a.csv", "sub/b.csv"):
        quatrix_emulator.put_file(EMAIL, f"/in/{name}", name.encode())
    assert transfer(src=f"{ROOT}/in", dst=f"quatrix://{second}@/out", dest_conn_id=str(second)) == "success"
    there = [entry["path"] for entry in quatrix_emulator.files("other@example.com") if entry["type"] == "F"]
    assert there == ["/out/in/a.csv", "/out/in/sub/b.csv"]


@pytest.mark.parametrize("direction", ["local to quatrix", "quatrix to local", "quatrix to quatrix"])
def test_pattern_is_transferred_into_a_folder(quatrix_emulator: EmulatorClient, tmp_path: Path, direction: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    quatrix_emulator.make_folder(EMAIL, "/out")
    for name in ("a.csv", "b.csv", "c.txt"):
        (tmp_path / "in" / name).write_text(name)
        quatrix_emulator.put_file(EMAIL, f"/in/{name}", name.encode())
    sources = {"local": f"file://{tmp_path}/in/*.csv", "quatrix": f"{ROOT}/in/*.csv"}
    targets = {"local": f"file://{tmp_path}/out", "quatrix": f"{ROOT}/out"}
    source, _, target = direction.split(" ")
    assert transfer(src=sources[source], dst=targets[target]) == "success"
    if target == "local":
        assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {
            "a.csv": "a.csv",
            "b.csv": "b.csv",
        }
    else:
        there = {path: data for path, data in remote_files(quatrix_emulator).items() if path.startswith("/out")}
        assert there == {"/out/a.csv": b"a.csv", "/out/b.csv": b"b.csv"}


def test_file_is_transferred_to_and_from_another_kind_of_store(quatrix_emulator: EmulatorClient) -> None:
    data = os.urandom(3_000_000)
    quatrix_emulator.put_file(EMAIL, "/in/source.bin", data)
    with new_dag() as dag:

        @task
        def there_and_back() -> None:
            from fsspec.implementations.memory import MemoryFileSystem

            attach("memory", fs=MemoryFileSystem())
            for source, target in (
                (f"{ROOT}/in/source.bin", "memory:///store/file.bin"),
                ("memory:///store/file.bin", f"{ROOT}/out/new/target.bin"),
            ):
                FileTransferOperator(
                    task_id="inner", src=ObjectStoragePath(source), dst=ObjectStoragePath(target)
                ).execute({})

        there_and_back()
    assert run(dag).states == {"there_and_back": "success"}
    assert quatrix_emulator.read_file(EMAIL, "/out/new/target.bin") == data


def test_transfer_takes_the_connection_as_an_argument(
    quatrix_emulator: EmulatorClient, second: QuatrixConnection, tmp_path: Path
) -> None:
    quatrix_emulator.put_file("other@example.com", "/in/file.txt", b"theirs")
    state = transfer(src="quatrix:///in/file.txt", source_conn_id=str(second), dst=f"file://{tmp_path}/file.txt")
    assert state == "success"
    assert (tmp_path / "file.txt").read_bytes() == b"theirs"
