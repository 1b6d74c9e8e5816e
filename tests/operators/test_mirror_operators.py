"""Uploads and downloads that bring only what has changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import task
from dag_runs import logged_cleanly, new_dag, run

from airflow_provider_quatrix.operators.files import QuatrixDownloadOperator, QuatrixUploadOperator
from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")


def make_tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_an_update_says_what_it_has_skipped(
    quatrix_emulator: EmulatorClient, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, target = make_tree(tmp_path / "source", {"a": b"1", "deep/b": b"22"}), tmp_path / "target"
    with new_dag() as dag:
        up = QuatrixUploadOperator(
            task_id="up", source=source, target="/in", if_exists="update", create_parents=True, checksum=None
        )
        down = QuatrixDownloadOperator(
            task_id="down", source="/in", target=target, if_exists="update", create_parents=True, checksum=None
        )
        up >> down
    assert [file["skipped"] for file in run(dag).tasks["down"].xcom] == [False, False]
    os.utime(source / "a", (1, 1))
    outcome = run(dag)
    for name, first in (("up", "/in/a"), ("down", str(target / "a"))):
        assert {file["path"]: file["skipped"] for file in outcome.tasks[name].xcom} == {
            first: False,
            first.removesuffix("a") + "deep/b": True,
        }
    assert (target / "a").stat().st_mtime == 1
    assert quatrix_emulator.read_file(EMAIL, "/in/deep/b") == b"22"
    logged_cleanly(capfd)


def test_sources_are_deleted_where_that_is_wanted(quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    source, target = make_tree(tmp_path / "source", {"a": b"1", "deep/b": b"22"}), tmp_path / "target"
    with new_dag() as dag:
        up = QuatrixUploadOperator(task_id="up", source=source, target="/in", create_parents=True, delete_source=True)
        down = QuatrixDownloadOperator(
            task_id="down", source="/in", target=target, create_parents=True, delete_source=True
        )
        up >> down
    outcome = run(dag)
    for name in ("up", "down"):
        assert [file["source_deleted"] for file in outcome.tasks[name].xcom] == [True, True]
    assert [path for path in source.rglob("*") if path.is_file()] == []
    assert (target / "deep/b").read_bytes() == b"22"
    there = {entry["path"] for entry in quatrix_emulator.files(EMAIL) if entry["type"] == "F"}
    assert there == {"/Trash/a", "/Trash/b"}


def test_a_mirror_tells_what_it_has_deleted_and_a_dry_run_what_would_be(
    quatrix_emulator: EmulatorClient,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    source, target = make_tree(tmp_path / "source", {"a": b"1", "deep/b": b"22"}), tmp_path / "target"
    make_tree(target, {"a": b"old", "gone/c": b"x"})
    for name in ("gone/c", "deep/d"):
        quatrix_emulator.put_file(EMAIL, f"/in/{name}", b"x")
    up: dict[str, Any] = {"source": source, "target": "/in"}
    down: dict[str, Any] = {"source": "/in", "target": target}
    how: dict[str, Any] = {"if_exists": "update", "delete_extra": True}
    with new_dag() as dag:
        dry_up = QuatrixUploadOperator(task_id="dry_up", dry_run=True, **up, **how)
        real_up = QuatrixUploadOperator(task_id="up", **up, **how)
        dry_down = QuatrixDownloadOperator(task_id="dry_down", dry_run=True, results="summary", **down, **how)
        real_down = QuatrixDownloadOperator(task_id="down", results="summary", **down, **how)
        dry_up >> real_up >> dry_down >> real_down >> deleted(["up", "down"])
    tasks = run(dag).tasks
    assert tasks["dry_up"].xcom == {
        "dry_run": True,
        "sent": ["/in/a", "/in/deep/b"],
        "skipped": [],
        "made": [],
        "deleted": ["/in/gone", "/in/deep/d"],
        "deleted_sources": [],
        "bytes": 3,
    }
    assert tasks["dry_down"].xcom == {
        "dry_run": True,
        "summary": True,
        "sent": 2,
        "skipped": 0,
        "made": 1,
        "deleted": 1,
        "deleted_sources": 0,
        "bytes": 3,
    }
    assert tasks["deleted"].xcom == [["/in/gone", "/in/deep/d"], {"summary": True, "deleted": 1}]
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*")) == ["a", "deep", "deep/b"]
    log = logged_cleanly(capfd) + caplog.text
    assert "Would delete /in/gone" in log
    assert f"Deleted {target}/gone" in log


@task
def deleted(task_ids: list[str], ti: Any = None) -> list[Any]:
    return [ti.xcom_pull(task_ids=task_id, key="deleted") for task_id in task_ids]


@pytest.mark.parametrize("operator", [QuatrixUploadOperator, QuatrixDownloadOperator])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"delete_source": "yes"}, "delete_source is 'yes': give True or False"),
        ({"dry_run": 3}, "dry_run is 3: give True or False"),
        ({"delete_extra": None}, "delete_extra is None: give True or False"),
        ({"delete_extra": True}, "delete_extra is True, but if_exists is 'fail': set if_exists to 'update'"),
        (
            {"delete_extra": True, "if_exists": "update", "delete_source": True},
            "delete_extra and delete_source are both True: choose one",
        ),
        (
            {"delete_extra": True, "if_exists": "update", "source": ["/a"]},
            "source is a list or pattern: give one folder",
        ),
        ({"delete_extra": True, "if_exists": "update", "source": "/a/*"}, "source is a list or pattern"),
        ({"delete_extra": True, "if_exists": "update", "glob": True}, "source is a list or pattern"),
        ({"delete_extra": True, "if_exists": "update", "target": "/"}, "target is '/': give a folder of its own"),
    ],
)
def test_what_makes_no_sense_is_refused_while_the_dag_is_parsed(
    operator: Any, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        operator(task_id="task", **{"source": "/a", "target": "/b", **arguments})


@pytest.mark.parametrize("source", ["{{ params.path }}/*", {"path": "/a/*"}, Path("/a")])
def test_what_is_known_only_at_run_time_is_checked_then(source: Any) -> None:
    QuatrixUploadOperator(task_id="task", source=source, target="{{ '/' }}", if_exists="update", delete_extra=True)
