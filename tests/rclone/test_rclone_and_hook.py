"""What rclone wrote the hook reads, and the other way round."""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

import pytest
from dag_runs import new_dag, once, run
from rclone_client import API_KEY, EMAIL
from rclone_files import LOCAL_NAMES, fill

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.sensors.files import QuatrixFileSensor
from testing.airflow_settings import free_ports

if TYPE_CHECKING:
    from pathlib import Path

    from rclone_client import Rclone

    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db")


@pytest.fixture
def hook(rclone: Rclone, quatrix_connection: QuatrixConnection) -> QuatrixHook:
    """The hook, at the same emulator and with the same API key as rclone."""
    extra = {"api_key": API_KEY, "verify": rclone.emulator.ca_file}
    return QuatrixHook(quatrix_connection(host=rclone.emulator.url, login=None, password=None, extra=extra))


def fill_with_all_names(folder: Path) -> dict[str, tuple[int, str]]:
    """Make a tree with all names and some sizes, and return what :func:`facts` says of it."""
    sizes = {name: number for number, name in enumerate(LOCAL_NAMES)} | {"empty": 0, "large": 20_000_000}
    fill(folder, sizes | {f"deep/er ü/{name}": size for name, size in sizes.items()})
    for number, name in enumerate(sizes):
        for path in (folder / name, folder / "deep" / "er ü" / name):
            os.utime(path, ns=(0, 1_700_000_000_123_456_000 + number * 1_000))
    return facts(folder)


def facts(folder: Path) -> dict[str, tuple[int, str]]:
    """Return time in microseconds and SHA-256 of each file below a folder."""
    return {
        str(path.relative_to(folder)): (
            round(path.stat().st_mtime_ns / 1000),
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_hook_reads_what_rclone_wrote(rclone: Rclone, hook: QuatrixHook, source: Path, tmp_path: Path) -> None:
    there = fill_with_all_names(source)
    rclone("copy", source, "q:data")
    assert {found.path.removeprefix("/data/") for found in hook.list_files("/data", recursive=True)} - set(there) == {
        "deep",
        "deep/er ü",
    }
    results = hook.download("/data/", tmp_path / "back", create_parents=True)
    assert facts(tmp_path / "back") == there
    assert {result.path: result.digest for result in results} == {
        str(tmp_path / "back" / name): digest for name, (_, digest) in there.items()
    }


def test_rclone_reads_what_the_hook_wrote(rclone: Rclone, hook: QuatrixHook, source: Path, tmp_path: Path) -> None:
    there = fill_with_all_names(source)
    hook.upload(source, "/data/", create_parents=True)
    rclone("check", "--download", source, "q:data")
    rclone("copy", "q:data", tmp_path / "back")
    assert facts(tmp_path / "back") == there
    # Size and time are as rclone would have set them, so it sees nothing to do.
    writes = rclone.emulator.calls("POST", "upload/link")
    rclone("sync", source, "q:data")
    assert rclone.emulator.calls("POST", "upload/link") == writes > 0


def test_each_goes_on_with_what_the_other_moved(rclone: Rclone, hook: QuatrixHook, source: Path) -> None:
    fill_with_all_names(source)
    rclone("copy", source, "q:data")
    hook.move("/data/deep", "/moved")
    hook.copy("/moved/er ü", "/copied")
    hook.delete("/moved/er ü/large")
    rclone("moveto", "q:copied/large", "q:moved/er ü/large")
    rclone("check", "--download", source / "deep", "q:moved")
    rclone("purge", "q:moved")
    assert not hook.exists("/moved")
    assert not hook.exists("/copied/large")
    assert hook.exists("/copied/empty")


def test_a_file_that_rclone_is_still_writing_is_never_found(rclone: Rclone, hook: QuatrixHook, source: Path) -> None:
    fill(source, {"big.csv": 24_000_000})
    rclone.emulator.make_folder(EMAIL, "/in")
    looks: dict[int, int] = {}
    control = f"127.0.0.1:{free_ports(1)[0]}"
    slowly = ("--bwlimit=1M", "--quatrix-minimal-chunk-size=100k", "--quatrix-effective-upload-time=500ms")

    def listings() -> int:
        return rclone.emulator.calls("GET", "file/metadata/{id}")

    def write() -> None:
        process = rclone.start("copy", "--rc", f"--rc-addr={control}", "--rc-no-auth", *slowly, source, "q:in")
        limited = True
        try:
            while process.poll() is None:
                for upload in rclone.emulator.uploads:
                    looks[upload["size"]] = listings()
                if limited and len(looks) > 10 and max(looks.values()) - min(looks.values()) >= 3:
                    rclone("rc", f"--url=http://{control}/", "core/bwlimit", "rate=off")
                    limited = False
                time.sleep(0.1)
            assert process.returncode == 0
        finally:
            process.kill()
            process.communicate()

    with new_dag() as dag:
        QuatrixFileSensor(task_id="wait", path="/in/*.csv", min_age=3, poke_interval=1)
    with once(lambda: listings() > 0, write):
        wait = run(dag).tasks["wait"]
    # It grew, and the sensor looked, all the while.
    assert len(looks) > 10
    assert max(looks.values()) - min(looks.values()) >= 3
    assert [(entry["path"], entry["size"]) for entry in wait.xcom] == [("/in/big.csv", 24_000_000)]
