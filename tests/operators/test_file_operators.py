from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, task
from dag_runs import logged_cleanly, new_dag, run

from airflow_provider_quatrix.api.errors import QuatrixTransferError
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.operators.files import (
    QuatrixCopyOperator,
    QuatrixDeleteOperator,
    QuatrixDownloadOperator,
    QuatrixListOperator,
    QuatrixMakeDirectoryOperator,
    QuatrixMoveOperator,
    QuatrixUploadOperator,
)
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.transfer.download import Downloader
from airflow_provider_quatrix.transfer.temporary import part_name, temporary_name

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

OLD, NEW = b"what was there", b"what is new, and longer"
OLD_TIME = 1_700_000_000.25
# A retry costs no time here; a failure that is final shows by the one try that it gets all the same.
RETRIED: dict[str, Any] = {"default_args": {"retries": 1, "retry_delay": timedelta(0)}}
SYSTEM_FOLDERS = {"/Inbox", "/Outbox", "/Trash"}


def stored(emulator: EmulatorClient, folder: str = "/") -> dict[str, bytes]:
    """Return the files below a folder, the Trash left out."""
    return {
        entry["path"]: emulator.read_file(EMAIL, entry["path"])
        for entry in emulator.files(EMAIL)
        if entry["type"] == "F" and entry["path"].startswith(folder) and not entry["path"].startswith("/Trash/")
    }


def trashed(emulator: EmulatorClient) -> set[str]:
    return {entry["path"] for entry in emulator.files(EMAIL) if entry["path"].startswith("/Trash/")}


def on_disk(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def make_tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


TREE = {"a.csv": b"1", "b.txt": b"22", "deep/c.csv": b"333", "deep/er/d.csv": b"4444"}


# One of each


def test_one_of_each(quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    source, copy = tmp_path / "report.csv", tmp_path / "back.csv"
    source.write_bytes(NEW)
    with new_dag() as dag:
        steps = [
            QuatrixMakeDirectoryOperator(task_id="make", path="/reports/2026/", create_parents=True),
            QuatrixUploadOperator(task_id="upload", source=source, target="/reports/2026/july.csv"),
            QuatrixCopyOperator(task_id="copy", source="/reports/2026/july.csv", target="/reports/copy.csv"),
            QuatrixMoveOperator(task_id="rename", source="/reports/copy.csv", target="/reports/renamed.csv"),
            QuatrixListOperator(task_id="list", path="/reports", recursive=True),
            QuatrixDownloadOperator(task_id="download", source="/reports/renamed.csv", target=copy),
            QuatrixDeleteOperator(task_id="delete", path="/reports/renamed.csv"),
            QuatrixDeleteOperator(task_id="delete_for_good", path="/reports", permanently=True),
        ]
        for first, second in itertools.pairwise(steps):
            first >> second
    outcome = run(dag)
    assert outcome.state == "success"
    results = {name: done.xcom for name, done in outcome.tasks.items()}
    digest = hashlib.sha256(NEW).hexdigest()
    assert results["make"]["path"] == "/reports/2026"
    upload, copied, renamed, back = (results[name] for name in ("upload", "copy", "rename", "download"))
    assert {**upload, "seconds": 0} == {
        "path": "/reports/2026/july.csv",
        "id": upload["id"],
        "size": len(NEW),
        "sha256": digest,
        "seconds": 0,
        "skipped": False,
    }
    assert upload["seconds"] >= 0
    assert copied == {"path": "/reports/copy.csv", "id": copied["id"], "size": len(NEW), "skipped": False}
    assert renamed == {**copied, "path": "/reports/renamed.csv"}
    assert copied["id"] != upload["id"]
    assert {**back, "seconds": 0} == {**upload, "path": str(copy), "id": copied["id"], "seconds": 0}
    listed = results["list"]
    assert [(entry["path"], entry["kind"], entry["size"]) for entry in listed] == [
        ("/reports/2026", "folder", 1),
        ("/reports/2026/july.csv", "file", len(NEW)),
        ("/reports/renamed.csv", "file", len(NEW)),
    ]
    assert all(entry["modified"].endswith("+00:00") for entry in listed)
    # Times are kept from file to upload to copy to download.
    assert abs(copy.stat().st_mtime - source.stat().st_mtime) < 2e-6
    assert copy.read_bytes() == NEW
    assert (results["delete"], results["delete_for_good"]) == (1, 1)
    assert trashed(quatrix_emulator) == {"/Trash/renamed.csv"}
    assert stored(quatrix_emulator) == {}
    assert quatrix_emulator.logins == 1


@pytest.mark.parametrize("checksum", ["md5", None])
def test_a_result_names_its_checksum(quatrix_emulator: EmulatorClient, tmp_path: Path, checksum: str | None) -> None:
    (tmp_path / "a.csv").write_bytes(NEW)
    how: dict[str, Any] = {"checksum": checksum, "bandwidth": 10_000_000}
    with new_dag() as dag:
        up = QuatrixUploadOperator(
            task_id="up", source=f"{tmp_path}/a.csv", target="/a.csv", verify=bool(checksum), **how
        )
        up >> QuatrixDownloadOperator(task_id="down", source="/a.csv", target=f"{tmp_path}/b.csv", **how)
    outcome = run(dag)
    for task_id in ("up", "down"):
        result = outcome.tasks[task_id].xcom
        digests = {name: value for name, value in result.items() if name not in ("path", "id", "size", "seconds")}
        assert digests == {"skipped": False, **({"md5": hashlib.md5(NEW).hexdigest()} if checksum else {})}  # noqa: S324


# What to do if the target exists

WITH_A_TARGET = {
    "upload": QuatrixUploadOperator,
    "download": QuatrixDownloadOperator,
    "move": QuatrixMoveOperator,
    "copy": QuatrixCopyOperator,
}


@pytest.mark.parametrize("what", WITH_A_TARGET)
def test_what_to_do_if_the_target_exists(
    what: str, quatrix_emulator: EmulatorClient, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    modes = ("fail", "skip", "overwrite", "rename")
    for mode in modes:
        (tmp_path / f"{mode}-new.csv").write_bytes(NEW)
        (tmp_path / f"{mode}.csv").write_bytes(OLD)
        quatrix_emulator.put_file(EMAIL, f"/new/{mode}-new.csv", NEW)
        quatrix_emulator.put_file(EMAIL, f"/old/{mode}.csv", OLD, modified=OLD_TIME)
    source_folder = str(tmp_path) if what == "upload" else "/new"
    target_folder = str(tmp_path) if what == "download" else "/old"
    with new_dag(**RETRIED) as dag:
        for mode in modes:
            WITH_A_TARGET[what](
                task_id=mode,
                source=f"{source_folder}/{mode}-new.csv",
                target=f"{target_folder}/{mode}.csv",
                if_exists=mode,
            )
    outcome = run(dag)
    assert outcome.states == {"fail": "failed", "skip": "success", "overwrite": "success", "rename": "success"}
    assert outcome.tasks["fail"].tries == 1
    assert "exists" in logged_cleanly(capfd)
    results = {mode: outcome.tasks[mode].xcom for mode in modes[1:]}
    assert {mode: result["skipped"] for mode, result in results.items()} == {
        "skip": True,
        "overwrite": False,
        "rename": False,
    }
    assert {mode: result["path"] for mode, result in results.items()} == {
        "skip": f"{target_folder}/skip.csv",
        "overwrite": f"{target_folder}/overwrite.csv",
        "rename": f"{target_folder}/rename(1).csv",
    }
    there = (
        {name: data for name, data in on_disk(tmp_path).items() if "-new" not in name}
        if what == "download"
        else {path.removeprefix("/old/"): data for path, data in stored(quatrix_emulator, "/old").items()}
    )
    assert there == {
        "fail.csv": OLD,
        "skip.csv": OLD,
        "overwrite.csv": NEW,
        "rename.csv": OLD,
        "rename(1).csv": NEW,
    }


@pytest.mark.parametrize("what", ["upload", "move", "copy"])
def test_a_file_never_takes_the_place_of_a_folder(
    what: str, quatrix_emulator: EmulatorClient, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    quatrix_emulator.put_file(EMAIL, "/folder/precious.csv", OLD)
    quatrix_emulator.put_file(EMAIL, "/new.csv", NEW)
    (tmp_path / "new.csv").write_bytes(NEW)
    source = str(tmp_path / "new.csv") if what == "upload" else "/new.csv"
    with new_dag(**RETRIED) as dag:
        WITH_A_TARGET[what](task_id="task", source=source, target="/folder", if_exists="overwrite")
    outcome = run(dag)
    assert (outcome.tasks["task"].state, outcome.tasks["task"].tries) == ("failed", 1)
    assert "folder" in logged_cleanly(capfd)
    assert stored(quatrix_emulator) == {"/folder/precious.csv": OLD, "/new.csv": NEW}


# Trees, patterns, lists


def test_trees_patterns_and_lists_in_both_directions(quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    local = make_tree(tmp_path / "local", TREE)
    (local / "empty").mkdir()
    with new_dag() as dag:
        tree = QuatrixUploadOperator(task_id="tree", source=local, target="/up/tree", create_parents=True)
        pattern = QuatrixUploadOperator(task_id="pattern", source=f"{local}/**/*.csv", target="/up/csv")
        several = QuatrixUploadOperator(
            task_id="several", source=[local / "a.csv", f"{local}/deep/*.csv"], target="/up/some", transfers=1
        )
        one = QuatrixUploadOperator(task_id="one", source=[f"{local}/a.csv"], target="/up/one")
        down_tree = QuatrixDownloadOperator(
            task_id="down_tree", source="/up/tree", target=tmp_path / "tree", create_parents=True
        )
        down_pattern = QuatrixDownloadOperator(
            task_id="down_pattern", source="/up/tree/**/*.csv", target=tmp_path / "csv", create_parents=True
        )
        down_several = QuatrixDownloadOperator(
            task_id="down_several",
            source=["/up/tree/b.txt", "/up/tree/deep"],
            target=tmp_path / "some",
            create_parents=True,
        )
        down_one = QuatrixDownloadOperator(
            task_id="down_one", source=["/up/tree/b.txt"], target=tmp_path / "one", create_parents=True
        )
        for name in ("csv", "some", "one"):
            make = QuatrixMakeDirectoryOperator(task_id=f"make_{name}", path=f"/up/{name}", create_parents=True)
            make >> {"csv": pattern, "some": several, "one": one}[name]
        tree >> [down_tree, down_pattern, down_several, down_one]
    outcome = run(dag)
    assert outcome.state == "success"
    flat = {name.rsplit("/", 1)[-1]: data for name, data in TREE.items()}
    csv = {name: data for name, data in flat.items() if name.endswith(".csv")}
    assert stored(quatrix_emulator, "/up/tree/") == {f"/up/tree/{name}": data for name, data in TREE.items()}
    assert "/up/tree/empty" in {entry["path"] for entry in quatrix_emulator.files(EMAIL)}
    assert stored(quatrix_emulator, "/up/csv/") == {f"/up/csv/{name}": data for name, data in csv.items()}
    assert stored(quatrix_emulator, "/up/some/") == {"/up/some/a.csv": b"1", "/up/some/c.csv": b"333"}
    assert stored(quatrix_emulator, "/up/one") == {"/up/one/a.csv": b"1"}
    assert on_disk(tmp_path / "tree") == TREE
    assert (tmp_path / "tree" / "empty").is_dir()
    assert on_disk(tmp_path / "csv") == csv
    assert on_disk(tmp_path / "some") == {"b.txt": b"22", "c.csv": b"333", "er/d.csv": b"4444"}
    assert on_disk(tmp_path / "one") == {"b.txt": b"22"}
    # A list gives a list, whatever it holds.
    assert all(isinstance(outcome.tasks[name].xcom, list) for name in ("tree", "pattern", "several", "one", "down_one"))
    assert [result["path"] for result in outcome.tasks["one"].xcom] == ["/up/one/a.csv"]


# Tells which folders were listed while it downloads.
WATCHED_DOWNLOAD = """
import json, sys
listed = []
def hear(event, arguments):
    if event in ("os.listdir", "os.scandir"):
        listed.append(str(arguments[0]))
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
sys.addaudithook(hear)
QuatrixHook().download("/in/", sys.argv[1])
print(json.dumps(sorted(folder for folder in listed if folder.startswith(sys.argv[1]))))
"""


def test_what_earlier_downloads_left_is_removed_with_one_listing_for_all(
    quatrix_emulator: EmulatorClient, tmp_path: Path
) -> None:
    for name, data in TREE.items():
        quatrix_emulator.put_file(EMAIL, f"/in/{name}", data)
    of_an_older_version = tmp_path / part_name("a.csv", "as it was before")
    of_another_file = tmp_path / part_name("other.csv", "1")
    no_part = tmp_path / temporary_name("a.csv")
    for path in (of_an_older_version, of_another_file, no_part):
        path.touch()
    command = [sys.executable, "-c", WATCHED_DOWNLOAD, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    folders = [tmp_path, tmp_path / "deep", tmp_path / "deep" / "er"]
    assert json.loads(done.stdout.splitlines()[-1]) == [str(folder) for folder in folders]
    assert on_disk(tmp_path) == TREE | {of_another_file.name: b"", no_part.name: b""}


def test_a_local_folder_that_vanishes_is_named(quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", OLD)
    hook = QuatrixHook()
    with pytest.raises(QuatrixTransferError, match=r"gone/a\.csv cannot be written: No such file or directory"):
        Downloader(hook.client.files).download(hook._tree().stat("/in/a.csv"), tmp_path / "gone" / "a.csv")


def test_moves_copies_and_deletions_of_many(quatrix_emulator: EmulatorClient) -> None:
    for name in ("a.csv", "b.csv", "c[1].csv", "d.txt", "deep/e.csv", "folder/f.csv"):
        quatrix_emulator.put_file(EMAIL, f"/in/{name}", name.encode())
    with new_dag() as dag:
        copy = QuatrixCopyOperator(
            task_id="copy", source=["/in/a.csv", "/in/folder"], target="/copies", create_parents=True
        )
        # A name that looks like a pattern is a name first.
        named = QuatrixMoveOperator(task_id="named", source="/in/c[1].csv", target="/odd/", create_parents=True)
        move = QuatrixMoveOperator(task_id="move", source="/in/*.csv", target="/archive", create_parents=True)
        delete = QuatrixDeleteOperator(task_id="delete", path=["/in/**/*.csv", "/in/d.txt"])
        nothing = QuatrixDeleteOperator(task_id="nothing", path=["/in/*.csv", "/gone"], missing_ok=True)
        copy >> named >> move >> delete >> nothing
    outcome = run(dag)
    assert outcome.state == "success"
    assert stored(quatrix_emulator) == {
        "/copies/a.csv": b"a.csv",
        "/copies/folder/f.csv": b"folder/f.csv",
        "/odd/c[1].csv": b"c[1].csv",
        "/archive/a.csv": b"a.csv",
        "/archive/b.csv": b"b.csv",
    }
    assert [result["path"] for result in outcome.tasks["move"].xcom] == ["/archive/a.csv", "/archive/b.csv"]
    assert (outcome.tasks["delete"].xcom, outcome.tasks["nothing"].xcom) == (3, 0)


def test_a_listing_leaves_out_the_trash_and_unfinished_uploads(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/Trash/old.csv", OLD)
    quatrix_emulator.put_file(EMAIL, "/in/.0123456789abcdef01234567.quatrix-part", OLD)
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", NEW, modified=OLD_TIME)
    with new_dag() as dag:
        QuatrixListOperator(task_id="home")
        QuatrixListOperator(task_id="all", recursive=True)
        QuatrixListOperator(task_id="pattern", path="/**/*")
    outcome = run(dag)
    listed = {name: {entry["path"] for entry in done.xcom} - SYSTEM_FOLDERS for name, done in outcome.tasks.items()}
    assert listed == {"home": {"/in"}, "all": {"/in", "/in/a.csv"}, "pattern": {"/in/a.csv"}}
    assert outcome.tasks["pattern"].xcom[0]["modified"] == "2023-11-14T22:13:20.250000+00:00"


# Another try


def fail_once(emulator: EmulatorClient, path: str, *, after: int = 0, execute_anyway: bool = False) -> None:
    """Let a call fail such that no layer below the task repeats it; carried out, only its answer is lost."""
    emulator.fault(path, status=400, body={"code": 10, "msg": "broken"}, after=after, execute_anyway=execute_anyway)


@pytest.mark.parametrize("mode", ["fail", "skip", "overwrite", "rename"])
def test_another_try_uploads_only_what_is_missing(mode: str, quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    names = [f"{number}.csv" for number in range(1, 6)]
    make_tree(tmp_path, {name: name.encode() * 100 for name in names})
    if mode in ("overwrite", "rename"):
        for name in names:
            quatrix_emulator.put_file(EMAIL, f"/in/{name}", OLD, modified=OLD_TIME)
    fail_once(quatrix_emulator, "upload/link", after=2)
    with new_dag(**RETRIED) as dag:
        QuatrixUploadOperator(
            task_id="up", source=f"{tmp_path}/*.csv", target="/in", if_exists=mode, create_parents=True, transfers=1
        )
    up = run(dag).tasks["up"]
    assert (up.state, up.tries) == ("success", 2)
    # Two were sent in the first try, the third was refused, and the second try has sent three.
    assert quatrix_emulator.calls("POST", "upload/link") == 6
    assert quatrix_emulator.calls("GET", "upload/finalize/{key}") == 5
    assert [result["skipped"] for result in up.xcom] == [True, True, False, False, False]
    got = "/in/{}(1).csv" if mode == "rename" else "/in/{}.csv"
    assert [result["path"] for result in up.xcom] == [got.format(number) for number in range(1, 6)]
    there = {f"/in/{name}": OLD for name in names} if mode == "rename" else {}
    there |= {got.format(number): name.encode() * 100 for number, name in enumerate(names, 1)}
    assert stored(quatrix_emulator, "/in/") == there


@pytest.mark.parametrize("mode", ["fail", "skip", "overwrite", "rename"])
def test_another_try_downloads_only_what_is_missing(
    mode: str, quatrix_emulator: EmulatorClient, tmp_path: Path
) -> None:
    names = [f"{number}.csv" for number in range(1, 6)]
    for name in names:
        quatrix_emulator.put_file(EMAIL, f"/out/{name}", name.encode() * 100, modified=OLD_TIME + 5)
        if mode in ("overwrite", "rename"):
            (tmp_path / name).write_bytes(OLD)
    fail_once(quatrix_emulator, "file/download-link", after=2)
    with new_dag(**RETRIED) as dag:
        QuatrixDownloadOperator(task_id="down", source="/out", target=tmp_path, if_exists=mode, transfers=1)
    down = run(dag).tasks["down"]
    assert (down.state, down.tries) == ("success", 2)
    assert quatrix_emulator.calls("POST", "file/download-link") == 6
    assert [result["skipped"] for result in down.xcom] == [True, True, False, False, False]
    got = "{}(1).csv" if mode == "rename" else "{}.csv"
    there = dict.fromkeys(names, OLD) if mode == "rename" else {}
    there |= {got.format(number): name.encode() * 100 for number, name in enumerate(names, 1)}
    assert on_disk(tmp_path) == there


@pytest.mark.parametrize("mode", ["fail", "skip", "overwrite", "rename"])
@pytest.mark.parametrize("answer_lost", [False, True], ids=["failed", "answer lost"])
def test_another_try_moves_only_what_is_left(mode: str, answer_lost: bool, quatrix_emulator: EmulatorClient) -> None:
    names = ("a.csv", "b.csv", "c.csv")
    for name in names:
        quatrix_emulator.put_file(EMAIL, f"/in/{name}", name.encode())
        if mode in ("overwrite", "rename"):
            quatrix_emulator.put_file(EMAIL, f"/archive/{name}", OLD)
    fail_once(quatrix_emulator, "file/moveone", after=1, execute_anyway=answer_lost)
    with new_dag(**RETRIED) as dag:
        QuatrixMoveOperator(task_id="move", source="/in/*.csv", target="/archive", if_exists=mode, create_parents=True)
    move = run(dag).tasks["move"]
    assert (move.state, move.tries) == ("success", 2)
    assert quatrix_emulator.calls("POST", "file/moveone") == (3 if answer_lost else 4)
    got = "/archive/{}(1).csv" if mode == "rename" else "/archive/{}.csv"
    moved = {got.format(name[0]): name.encode() for name in names}
    assert [result["path"] for result in move.xcom] == list(moved)
    old = {f"/archive/{name}": OLD for name in names} if mode == "rename" else {}
    assert stored(quatrix_emulator) == old | moved


@pytest.mark.parametrize("mode", ["fail", "overwrite", "rename"])
def test_another_try_does_not_copy_twice(mode: str, quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", NEW, modified=OLD_TIME)
    quatrix_emulator.put_file(EMAIL, "/in/folder/b.csv", NEW)
    if mode != "fail":
        quatrix_emulator.put_file(EMAIL, "/copies/a.csv", OLD)
    fail_once(quatrix_emulator, "file/copyone", after=1, execute_anyway=True)
    with new_dag(**RETRIED) as dag:
        QuatrixCopyOperator(
            task_id="copy", source=["/in/a.csv", "/in/folder"], target="/copies", if_exists=mode, create_parents=True
        )
    copy = run(dag).tasks["copy"]
    assert (copy.state, copy.tries) == ("success", 2)
    assert quatrix_emulator.calls("POST", "file/copyone") == 2
    wanted = {"/copies/a.csv": NEW, "/copies/folder/b.csv": NEW}
    if mode == "rename":
        wanted |= {"/copies/a.csv": OLD, "/copies/a(1).csv": NEW}
    assert stored(quatrix_emulator, "/copies") == wanted


@pytest.mark.parametrize("permanently", [False, True])
@pytest.mark.parametrize("answer_lost", [False, True], ids=["failed", "answer lost"])
def test_another_try_deletes_only_what_is_left(
    permanently: bool, answer_lost: bool, quatrix_emulator: EmulatorClient
) -> None:
    names = [f"{number:02}.csv" for number in range(12)]
    for name in names:
        quatrix_emulator.put_file(EMAIL, f"/in/{name}", OLD)
    # Ten go with the first call, two with the second.
    fail_once(quatrix_emulator, "file/delete", after=1, execute_anyway=answer_lost)
    with new_dag(**RETRIED) as dag:
        QuatrixDeleteOperator(
            task_id="delete", path=["/in/*.csv", *(f"/in/{name}" for name in names)], permanently=permanently
        )
    delete = run(dag).tasks["delete"]
    assert (delete.state, delete.tries, delete.xcom) == ("success", 2, 12)
    assert stored(quatrix_emulator) == {}
    assert trashed(quatrix_emulator) == (set() if permanently else {f"/Trash/{name}" for name in names})


def test_another_try_makes_no_folder_twice(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.make_folder(EMAIL, "/there")
    fail_once(quatrix_emulator, "file/makedir", execute_anyway=True)
    with new_dag(**RETRIED) as dag:
        QuatrixMakeDirectoryOperator(task_id="new", path="/new", exist_ok=False)
        QuatrixMakeDirectoryOperator(task_id="there", path="/there", exist_ok=False)
        QuatrixMakeDirectoryOperator(task_id="below", path="/missing/below")
    outcome = run(dag)
    assert outcome.states == {"new": "success", "there": "failed", "below": "failed"}
    # What is in the way stays in the way; a folder that is missing may be made by somebody.
    assert {name: done.tries for name, done in outcome.tasks.items()} == {"new": 2, "there": 1, "below": 2}


def test_another_try_hides_no_failure_of_the_first(quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    quatrix_emulator.put_file(EMAIL, "/archive/a.csv", OLD)
    with new_dag(**RETRIED) as dag:
        QuatrixMoveOperator(task_id="move", source="/in/a.csv", target="/archive/a.csv")
        QuatrixCopyOperator(task_id="copy", source="/in/a.csv", target="/archive/a.csv")
        QuatrixDeleteOperator(task_id="delete", path="/in/a.csv")
        QuatrixDeleteOperator(task_id="delete_all", path=["/archive/a.csv", "/in/*.csv"])
        QuatrixUploadOperator(task_id="upload", source=tmp_path / "a.csv", target="/archive/a.csv")
        QuatrixDownloadOperator(task_id="download", source="/in/a.csv", target=tmp_path / "a.csv")
    outcome = run(dag)
    assert set(outcome.states.values()) == {"failed"}
    assert {done.tries for done in outcome.tasks.values()} == {2}
    assert stored(quatrix_emulator) == {"/archive/a.csv": OLD}


def test_nothing_is_left_behind_in_variables(quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(NEW)
    fail_once(quatrix_emulator, "file/moveone", after=1, execute_anyway=True)
    with new_dag(**RETRIED) as dag:

        @task
        def notes() -> list[str]:
            from airflow.models import Variable
            from airflow.utils.session import create_session

            with create_session() as session:
                return [name for (name,) in session.query(Variable.key) if "session" not in name]

        upload = QuatrixUploadOperator(task_id="upload", source=tmp_path / "a.csv", target="/a.csv")
        move = QuatrixMoveOperator(task_id="move", source="/a.csv", target="/b.csv")
        copy = QuatrixCopyOperator(task_id="copy", source="/b.csv", target="/c.csv")
        delete = QuatrixDeleteOperator(task_id="delete", path="/*.csv")
        missing = QuatrixMoveOperator(task_id="missing", source="/b.csv", target="/d.csv", retries=0)
        upload >> move >> copy >> delete >> missing
        missing >> task(trigger_rule="all_done")(notes.function)()
    outcome = run(dag)
    assert outcome.states == {
        "upload": "success",
        "move": "success",
        "copy": "success",
        "delete": "success",
        "missing": "failed",
        "notes": "success",
    }
    assert outcome.tasks["move"].tries == 2
    assert outcome.tasks["notes"].xcom == []


# Arguments


def test_all_paths_and_the_connection_are_templates_and_may_be_mapped(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection, tmp_path: Path
) -> None:
    quatrix_connection(conn_id="quatrix_other")
    make_tree(tmp_path, TREE)
    with new_dag(params={"conn": "quatrix_other", "folder": "/in"}) as dag:
        arguments = {"quatrix_conn_id": "{{ params.conn }}"}

        @task
        def sources() -> list[str]:
            return [f"{tmp_path}/a.csv", f"{tmp_path}/b.txt"]

        make = QuatrixMakeDirectoryOperator(task_id="make", path="{{ params.folder }}", **arguments)
        upload = QuatrixUploadOperator.partial(task_id="upload", target="{{ params.folder }}/", **arguments).expand(
            source=sources()
        )
        move = QuatrixMoveOperator(
            task_id="move", source=["{{ params.folder }}/a.csv"], target="{{ params.folder }}/x/", create_parents=True
        )
        copy = QuatrixCopyOperator(
            task_id="copy", source="{{ params.folder }}/b.txt", target="{{ params.folder }}/c.txt", **arguments
        )
        listed = QuatrixListOperator(task_id="list", path="{{ params.folder }}/**/*", **arguments)
        download = QuatrixDownloadOperator(
            task_id="download", source="{{ params.folder }}/c.txt", target=f"{tmp_path}/{{{{ task.task_id }}}}"
        )
        delete = QuatrixDeleteOperator(task_id="delete", path=["{{ params.folder }}/c.txt"], **arguments)
        make >> upload >> move >> copy >> listed >> download >> delete
    outcome = run(dag)
    assert outcome.state == "success"
    assert [entry["path"] for entry in outcome.tasks["list"].xcom] == ["/in/b.txt", "/in/c.txt", "/in/x/a.csv"]
    assert (tmp_path / "download").read_bytes() == b"22"
    assert stored(quatrix_emulator) == {"/in/b.txt": b"22", "/in/x/a.csv": b"1"}


@pytest.mark.parametrize(
    ("operator", "arguments", "says"),
    [
        (QuatrixUploadOperator, {"source": "", "target": "/a"}, "source is empty: give a path"),
        (QuatrixUploadOperator, {"source": [], "target": "/a"}, "source is empty"),
        (QuatrixUploadOperator, {"source": "a", "target": ""}, "target is empty"),
        (QuatrixUploadOperator, {"source": "a", "target": "/a", "if_exists": "ask"}, "if_exists is 'ask': give one of"),
        (QuatrixUploadOperator, {"source": "a", "target": "/a", "transfers": 0}, "transfers is 0: give a whole number"),
        (QuatrixDownloadOperator, {"source": "/a", "target": "a", "transfers": 2.5}, "transfers is 2.5"),
        (QuatrixDownloadOperator, {"source": "/a", "target": "a", "transfers": True}, "transfers is True"),
        (QuatrixDownloadOperator, {"source": "/a", "target": None}, "target is empty"),
        (QuatrixUploadOperator, {"source": "a", "target": "/a", "checksum": "crc32"}, "checksum is 'crc32': give one"),
        (
            QuatrixUploadOperator,
            {"source": "a", "target": "/a", "verify": True, "checksum": None},
            "verify is True, but",
        ),
        (QuatrixDownloadOperator, {"source": "/a", "target": "a", "bandwidth": 0}, "bandwidth is 0: give bytes per"),
        (QuatrixDownloadOperator, {"source": "/a", "target": "a", "bandwidth": -1.5}, "bandwidth is -1.5"),
        (QuatrixMoveOperator, {"source": "/a", "target": "/b", "if_exists": None}, "if_exists is None"),
        (
            QuatrixCopyOperator,
            {"source": "/a", "target": "/b", "if_exists": "update"},
            "if_exists is 'update': give one",
        ),
        (QuatrixCopyOperator, {"source": (), "target": "/b"}, "source is empty"),
        (QuatrixDeleteOperator, {"path": []}, "path is empty"),
        (QuatrixListOperator, {"path": ""}, "path is empty"),
        (QuatrixMakeDirectoryOperator, {"path": ""}, "path is empty"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_read(operator: Any, arguments: dict[str, Any], says: str) -> None:
    with new_dag(), pytest.raises(ValueError, match=says):
        operator(task_id="task", **arguments)


def test_bad_rendered_arguments_fail_for_good_before_anything_is_sent(
    quatrix_emulator: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    with new_dag(**RETRIED, params={"none": ""}, render_template_as_native_obj=True) as dag:
        QuatrixMoveOperator(task_id="empty", source="{{ params.none }}", target="/a")
        QuatrixListOperator(task_id="a_number", path="{{ 7 }}")
        QuatrixMakeDirectoryOperator(task_id="a_bad_name", path="/in/{{ '..' }}/a")
        QuatrixDeleteOperator(task_id="home", path="{{ '/' }}")
    outcome = run(dag)
    assert set(outcome.states.values()) == {"failed"}
    assert {done.tries for done in outcome.tasks.values()} == {1}
    log = logged_cleanly(capfd)
    for says in (
        "source is empty: give a path",
        "path is 7: give a path as text",
        "has a meaning of its own",
        "The home folder cannot be deleted",
    ):
        assert says in log
    assert quatrix_emulator.requests == quatrix_emulator.logins == 0


def test_a_refused_password_fails_at_once(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection, capfd: pytest.CaptureFixture[str]
) -> None:
    quatrix_connection(password="wrong-Passw0rd")
    with new_dag(**RETRIED) as dag:
        QuatrixListOperator(task_id="list")
    outcome = run(dag)
    assert (outcome.tasks["list"].state, outcome.tasks["list"].tries) == ("failed", 1)
    assert "Correct the credentials" in logged_cleanly(capfd)
    assert quatrix_emulator.logins == 1


def test_upload_keys_and_links_are_nowhere_to_be_seen(
    quatrix_emulator: EmulatorClient, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_bytes(NEW)
    with new_dag() as dag:
        upload = QuatrixUploadOperator(task_id="upload", source=tmp_path / "a.csv", target="/a.csv")
        upload >> QuatrixDownloadOperator(task_id="download", source="/a.csv", target=tmp_path / "b.csv")
    outcome = run(dag)
    seen = "".join(capfd.readouterr()) + repr(outcome)
    assert outcome.state == "success"
    assert "/a.csv" in seen
    # The client knows by heart what it must not show: password, session id, upload key and link.
    secrets = QuatrixHook().client._transport.redactor._secrets
    assert len(secrets) >= 4
    assert not [secret for secret in secrets if secret in seen]


def test_a_path_is_checked_where_no_dag_checks_it() -> None:
    with new_dag():
        operator = QuatrixListOperator(task_id="list")
    operator.path = None
    with pytest.raises(AirflowFailException, match="path is None: give a path as text"):
        operator.execute({})


def test_operators_work_without_a_task_instance(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection, airflow_db: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("a")
    with new_dag():
        upload = QuatrixUploadOperator(task_id="up", source=str(tmp_path / "a"), target="/in/", create_parents=True)
        move = QuatrixMoveOperator(task_id="move", source="/in/*", target="/out/", create_parents=True)
    assert upload.execute({})["path"] == "/in/a"
    assert [result["path"] for result in move.execute({})] == ["/out/a"]
