"""What file operators take: patterns of the DAG's author, and whatever earlier tasks found, as it is."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import task
from dag_runs import logged_cleanly, new_dag, run

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.operators import base
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
from airflow_provider_quatrix.sensors.files import QuatrixFileSensor

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

OTHERS = ("/in/1.csv", "/in/2.csv")


def remote(emulator: EmulatorClient) -> set[str]:
    return {
        entry["path"]
        for entry in emulator.files(EMAIL)
        if entry["type"] == "F" and not entry["path"].startswith("/Trash/")
    }


def swap(emulator: EmulatorClient) -> Any:
    """A task that takes the file with the odd name away, as another consumer may, while others arrive."""

    @task
    def swapped() -> None:
        emulator.remove_file(EMAIL, "/in/*")
        for path in OTHERS:
            emulator.put_file(EMAIL, path, path.encode())

    return swapped()


@pytest.mark.parametrize("how", ["as it is", "paths", "one by one", "text", "native", "part of a list"])
def test_a_name_that_was_found_never_becomes_a_pattern(
    how: str, quatrix_emulator: EmulatorClient, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/*", b"a file of this very name")
    with new_dag(render_template_as_native_obj=how == "native") as dag:
        wait = QuatrixFileSensor(task_id="wait", path="/in/*")
        gone = swap(quatrix_emulator)
        wait >> gone

        @task
        def paths(files: list[dict[str, Any]]) -> list[str]:
            return [file["path"] for file in files]

        found = {
            "as it is": wait.output,
            "paths": paths(wait.output),
            "text": "{{ ti.xcom_pull('wait') }}",
            "native": "{{ ti.xcom_pull('wait') }}",
            "part of a list": ["/nowhere", wait.output],
        }.get(how)
        for name, operator, arguments in (
            ("delete", QuatrixDeleteOperator, {}),
            ("move", QuatrixMoveOperator, {"target": "/archive/", "create_parents": True}),
            ("copy", QuatrixCopyOperator, {"target": "/copies/", "create_parents": True}),
            ("download", QuatrixDownloadOperator, {"target": f"{tmp_path}/"}),
        ):
            argument = "path" if name == "delete" else "source"
            if how == "one by one":
                gone >> operator.partial(task_id=name, **arguments).expand(**{argument: wait.output})
            else:
                gone >> operator(task_id=name, **{argument: found}, **arguments)
    outcome = run(dag)
    ended = {name.partition("[")[0]: state for name, state in outcome.states.items()}
    assert {ended[name] for name in ("delete", "move", "copy", "download")} == {"failed"}
    assert remote(quatrix_emulator) == set(OTHERS)
    assert list(tmp_path.iterdir()) == []
    assert f"There is nothing at '{'/nowhere' if how == 'part of a list' else '/in/*'}'" in logged_cleanly(capfd)


def test_results_are_taken_by_every_operator_as_they_are(quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    local = tmp_path / "local"
    local.mkdir()
    for name in ("*", "[a].csv"):
        (local / name).write_text(name)
    with new_dag() as dag:
        make = QuatrixMakeDirectoryOperator(task_id="make", path="/up")
        upload = QuatrixUploadOperator(task_id="upload", source=str(local), target=make.output)
        listed = QuatrixListOperator(task_id="listed", path=make.output)
        copy = QuatrixCopyOperator(task_id="copy", source=upload.output, target="/copies", create_parents=True)
        move = QuatrixMoveOperator(task_id="move", source=copy.output, target="/moved/", create_parents=True)
        down = QuatrixDownloadOperator(
            task_id="down", source=move.output, target=f"{tmp_path}/down", create_parents=True
        )
        again = QuatrixUploadOperator(task_id="again", source=down.output, target="/again/", create_parents=True)
        one = QuatrixMoveOperator.partial(task_id="one", target="/one/", create_parents=True).expand(
            source=again.output
        )
        delete = QuatrixDeleteOperator(task_id="delete", path=[move.output, listed.output])
        upload >> listed
        [one, down] >> delete
    outcome = run(dag)
    assert outcome.state == "success"
    assert [entry["path"] for entry in outcome.tasks["listed"].xcom] == ["/up/*", "/up/[a].csv"]
    assert remote(quatrix_emulator) == {"/one/*", "/one/[a].csv"}
    assert outcome.tasks["delete"].xcom == 4
    # One result in place of a path gives one result.
    assert {outcome.tasks[f"one[{index}]"].xcom["path"] for index in range(2)} == {"/one/*", "/one/[a].csv"}


def test_patterns_of_the_author_work_wherever_he_writes_them(quatrix_emulator: EmulatorClient) -> None:
    for path in ("/in/x/1.csv", "/in/x/2.txt", "/in/*/3.csv", "/in/y/4.csv", "/in/z/5.csv", "/in/c[1].csv"):
        quatrix_emulator.put_file(EMAIL, path, path.encode())
    with new_dag(params={"folder": "*", "pattern": "/in/z/*"}) as dag:
        steps = [
            QuatrixListOperator(task_id="within", path="/in/{{ params.folder }}/*.csv"),
            QuatrixListOperator(task_id="given", path="{{ params.pattern }}", glob=True),
            QuatrixListOperator(task_id="both", path=["/in/x/*.csv", "/in/y/{{ '4' }}.*"]),
            QuatrixListOperator(task_id="looks_like_one", path="/in/c[1].csv"),
            QuatrixMoveOperator(
                task_id="name", source="/in/c[1].csv", target="/moved.csv", glob=False, if_exists="overwrite"
            ),
            QuatrixMoveOperator.partial(task_id="mapped", target="/out/", create_parents=True).expand(
                source=["/in/x/*.csv", "/in/[yz]/*"]
            ),
        ]
        for first, second in itertools.pairwise(steps):
            first >> second
    outcome = run(dag)
    assert outcome.state == "success"
    listed = {
        name: [entry["path"] for entry in outcome.tasks[name].xcom]
        for name in ("within", "given", "both", "looks_like_one")
    }
    assert listed == {
        "within": ["/in/*/3.csv"],
        "given": ["/in/z/5.csv"],
        "both": ["/in/x/1.csv", "/in/y/4.csv"],
        "looks_like_one": ["/in/c[1].csv"],
    }
    assert remote(quatrix_emulator) == {
        "/in/x/2.txt",
        "/in/*/3.csv",
        "/moved.csv",
        "/out/1.csv",
        "/out/4.csv",
        "/out/5.csv",
    }


def test_nothing_to_do_is_fine(quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    with new_dag() as dag:

        @task
        def nothing() -> list[str]:
            return []

        @task
        def nothing_for_each() -> list[list[str]]:
            return [[]]

        found = nothing()
        QuatrixDeleteOperator(task_id="delete", path=found)
        QuatrixListOperator(task_id="list", path=found)
        QuatrixMoveOperator(task_id="move", source=found, target="/missing/")
        QuatrixCopyOperator(task_id="copy", source="{{ ti.xcom_pull('nothing') }}", target="/missing/")
        QuatrixUploadOperator(task_id="upload", source=found, target="/missing/")
        QuatrixDownloadOperator(task_id="download", source=found, target=f"{tmp_path}/missing/")
        QuatrixDeleteOperator.partial(task_id="mapped").expand(path=nothing_for_each())
        found >> dag.task_dict["copy"]
    outcome = run(dag)
    assert outcome.state == "success"
    got = {name: done.xcom for name, done in outcome.tasks.items() if not name.startswith("nothing")}
    assert got == {
        "delete": 0,
        "list": [],
        "move": [],
        "copy": [],
        "upload": [],
        "download": [],
        "mapped[0]": 0,
    }
    assert quatrix_emulator.requests == 0


def test_very_many_results_become_a_summary(
    quatrix_emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(base, "MOST_RESULTS", 3)
    for number in range(4):
        quatrix_emulator.put_file(EMAIL, f"/in/{number}", b"12345")
    quatrix_emulator.put_file(EMAIL, "/copies/0", b"old")
    with new_dag() as dag:
        few = QuatrixListOperator(task_id="few", path="/in/[0-2]")
        listed = QuatrixListOperator(task_id="listed", path="/", recursive=True)
        every = QuatrixListOperator(task_id="every", path="/in", results="all")
        copied = QuatrixCopyOperator(task_id="copied", source=every.output, target="/copies/", if_exists="skip")
        short = QuatrixMoveOperator(task_id="short", source="/in/0", target="/out", results="summary")
        useless = QuatrixDeleteOperator(task_id="useless", path=copied.output)
        few >> listed >> every
        copied >> short >> useless
    outcome = run(dag)
    got = {name: done.xcom for name, done in outcome.tasks.items()}
    assert [entry["path"] for entry in got["few"]] == ["/in/0", "/in/1", "/in/2"]
    assert len(got["every"]) == 4
    # Inbox and Outbox come with the account; the Trash is left out.
    assert got["listed"] == {"summary": True, "files": 5, "folders": 4, "bytes": 23, "skipped": 0}
    assert got["copied"] == {"summary": True, "files": 4, "folders": 0, "bytes": 18, "skipped": 1}
    assert got["short"] == {"summary": True, "files": 1, "folders": 0, "bytes": 5, "skipped": 0}
    assert outcome.states["useless"] == "failed"
    assert "the summary of 4 files, without their paths: set results='all' in the task" in logged_cleanly(capfd)


def test_a_limit_that_nobody_reaches_by_hand() -> None:
    assert base.MOST_RESULTS == 1000


# Calls


def test_patterns_list_only_folders_that_may_hold_matches(quatrix_emulator: EmulatorClient) -> None:
    objects: list[Any] = [{"path": f"/p/{i}/deep/{j}/x", "size": 1} for i in range(5) for j in range(4)]
    quatrix_emulator.put_files(EMAIL, [*objects, *({"path": f"/p/{i}/report.csv", "size": 1} for i in range(5))])
    hook = QuatrixHook()
    quatrix_emulator.make_folder(EMAIL, "/t")
    hook.get_conn()
    before = quatrix_emulator.requests
    assert len(hook.list_files("/p/*/report.csv")) == 5
    # The folder is found and listed, and so is each folder in it.
    assert quatrix_emulator.requests - before == 2 + 5
    before = quatrix_emulator.requests
    assert len(hook.list_files("/p/*/deep/[01]/*")) == 10
    assert quatrix_emulator.requests - before == 2 + 5 + 5 + 10


def test_many_paths_in_one_folder_are_looked_up_at_once(quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    names = [f"{number}.csv" for number in range(20)]
    quatrix_emulator.put_files(EMAIL, [{"path": f"/in/{name}", "size": 1} for name in names])
    quatrix_emulator.make_folder(EMAIL, "/t")
    hook = QuatrixHook()
    found = [{"path": f"/in/{name}"} for name in names]
    hook.get_conn()
    for look_ups, action in (
        # The folder is found and listed, and the target's folder is found.
        (3 + 20, lambda: hook.copy_many(found, "/t/")),
        (2 + 2, lambda: hook.delete([{"path": f"/t/{name}"} for name in names])),
        (3 + 20, lambda: hook.move_many(found, "/t/")),
        # A link and the bytes of each.
        (2 + 2 * 20, lambda: hook.download([{"path": f"/t/{name}"} for name in names], tmp_path)),
    ):
        before = quatrix_emulator.requests
        action()
        assert quatrix_emulator.requests - before == look_ups
