"""The operator that exports the activity log, in DAGs."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import task
from dag_runs import AIRFLOW_3, logged_cleanly, new_dag, run, through_serialization
from known_secrets import KnownSecrets, database_columns, log_files
from sqlite_tables import Database

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.operators.audit import QuatrixAuditExportOperator
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.transfer.exports import iso_time

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

ANNA = "anna@example.com"
PIN = "Pin-24680-of-anna"


@pytest.fixture
def times(quatrix_emulator: EmulatorClient) -> tuple[str, str]:
    """The times around a share with a PIN, its download, and a new folder."""
    start = int(quatrix_emulator.state()["clock"]["now"]) - 1
    quatrix_emulator.put_file(EMAIL, "/out/a.csv", b"12345")
    hook = QuatrixHook()
    hook.share("/out/a.csv", ANNA, pin=PIN, create_contacts=True)
    hook.make_directory("/new")
    quatrix_emulator.download_share(quatrix_emulator.shares[0]["id"], ANNA, PIN)
    quatrix_emulator.advance(5)
    return iso_time(start), iso_time(int(quatrix_emulator.state()["clock"]["now"]))


def secret_values(emulator: EmulatorClient) -> KnownSecrets:
    secrets = KnownSecrets()
    secrets.add("PIN", PIN)
    for share in emulator.shares:
        secrets.add("id of a share", share["id"])
    return secrets


def test_to_a_file_and_a_table_without_what_opens_a_share(
    quatrix_emulator: EmulatorClient,
    times: tuple[str, str],
    tmp_path: Path,
    airflow_db: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    database = Database(tmp_path / "warehouse.db", monkeypatch)
    start, end = times
    with new_dag() as dag:
        file = QuatrixAuditExportOperator(
            task_id="file",
            target=f"file://{tmp_path}/{{{{ params.name }}}}.csv",
            start=f"{{{{ '{start}' }}}}",
            end=end,
            full="{{ True }}",
            params={"name": "day"},
        )
        table = QuatrixAuditExportOperator(
            task_id="table", conn_id="{{ 'warehouse' }}", table="quatrix_activity", start=start, end=end
        )
        file >> table
    assert through_serialization(dag).get_task("file").start == f"{{{{ '{start}' }}}}"
    outcome = run(dag)
    assert outcome.state == "success"
    told = {"start": start, "end": end}
    exported = outcome.tasks["file"].xcom
    assert exported == {"path": f"file://{tmp_path}/day.csv", "table": None, "entries": exported["entries"], **told}
    with (tmp_path / "day.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == exported["entries"]
    actions = {"create", "sent-email", "download", "makedir"}
    assert {row["action"] for row in rows} >= actions
    assert {row["email"] for row in rows if row["action"] == "download"} == {ANNA}
    assert outcome.tasks["table"].xcom["entries"] == len(database.rows())
    assert {action for (action,) in database.rows("action")} >= actions
    # Each line of Airflow writes to another of them.
    log = logged_cleanly(capfd) + caplog.text
    assert f"Exported {len(rows)} activities of {start} to {end} to file://{tmp_path}/day.csv" in log
    searched = [*database_columns(airflow_db), *log_files(airflow_db.parent / "logs"), ("log", log.encode())]
    searched += [("file", (tmp_path / "day.csv").read_bytes()), ("table", repr(database.rows()).encode())]
    assert [
        hit for where, content in searched for hit in secret_values(quatrix_emulator).found_in(where, content)
    ] == []
    assert quatrix_emulator.logins == 1


def lose_first_success(context: Any, result: Any = None) -> None:
    """End the first try of a task when its work is done, before Airflow records it."""
    if context["ti"].try_number == 1:
        raise RuntimeError("the worker was lost")


def test_a_task_whose_success_was_lost_leaves_one_export(
    times: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(tmp_path / "warehouse.db", monkeypatch)
    again: dict[str, Any] = {
        "retries": 1,
        "retry_delay": timedelta(0),
        "post_execute": lose_first_success,
        "start": times[0],
        "end": times[1],
    }
    with new_dag() as dag:
        QuatrixAuditExportOperator(task_id="file", target=f"{tmp_path}/out/", create_parents=True, **again)
        QuatrixAuditExportOperator(task_id="table", conn_id="warehouse", table="quatrix_activity", full=True, **again)
    outcome = run(dag)
    assert {name: (task.state, task.tries) for name, task in outcome.tasks.items()} == {
        "file": ("success", 2),
        "table": ("success", 2),
    }
    assert [str(path) for path in (tmp_path / "out").iterdir()] == [outcome.tasks["file"].xcom["path"]]
    assert len(database.rows()) == outcome.tasks["table"].xcom["entries"]


def test_the_interval_of_the_run(quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    from airflow.timetables.interval import CronDataIntervalTimetable

    daily = CronDataIntervalTimetable("@daily", timezone="UTC")
    with new_dag(schedule=daily, start_date=datetime(2025, 1, 1, tzinfo=UTC)) as dag:
        QuatrixAuditExportOperator(task_id="export", target=f"{tmp_path}/")
    outcome = run(dag, date=datetime(2026, 1, 5, 12, tzinfo=UTC))
    assert outcome.state == "success"
    result = outcome.tasks["export"].xcom
    assert (result["start"], result["end"]) == ("2026-01-04T00:00:00+00:00", "2026-01-05T00:00:00+00:00")
    assert result["path"] == f"{tmp_path}/activity_20260104T000000_20260105T000000.csv"


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 gives every run an interval")
def test_a_run_without_an_interval_says_what_to_do(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with new_dag() as dag:
        QuatrixAuditExportOperator(task_id="export", target=f"{tmp_path}/", retries=3)
    outcome = run(dag, date=datetime(2026, 1, 5, tzinfo=UTC))
    assert (outcome.state, outcome.tasks["export"].tries) == ("failed", 1)
    assert "nothing lies between them" in logged_cleanly(capfd)
    outcome = run(dag, date=None)
    assert (outcome.state, outcome.tasks["export"].tries) == ("failed", 1)
    assert "Write {{ dag_run.run_after }}, which every run has" in logged_cleanly(capfd)


def test_a_mapped_export(times: tuple[str, str], tmp_path: Path) -> None:
    with new_dag() as dag:

        @task
        def targets() -> list[str]:
            return [f"{tmp_path}/{name}.csv" for name in ("a", "b")]

        QuatrixAuditExportOperator.partial(task_id="export", start=times[0], end=times[1]).expand(target=targets())
    assert run(dag).state == "success"
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "target is empty"),
        ({"target": "/a.csv", "conn_id": "warehouse", "table": "t"}, "target is given, and so is conn_id or table"),
        ({"table": "t"}, "conn_id is None"),
        ({"conn_id": "warehouse", "table": "a b"}, "table is 'a b'"),
        ({"target": "s3:/a.csv"}, "give a URL with two slashes"),
        ({"target": "/a.csv", "start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, "after end"),
        ({"target": "/a.csv", "full": 5}, "full is 5: give True or False"),
        ({"target": "/a.csv", "create_parents": "x"}, "create_parents is 'x'"),
    ],
)
def test_what_is_wrong_is_told_while_the_dag_is_parsed(arguments: dict[str, Any], problem: str) -> None:
    with new_dag(), pytest.raises(ValueError, match=problem):
        QuatrixAuditExportOperator(task_id="export", **arguments)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"target": "{{ '' }}"}, "target is empty"),
        ({"target": "/a.csv", "end": "{{ 'soon' }}"}, "end is 'soon'"),
        ({"conn_id": "{{ 'nowhere' }}", "table": "t"}, "Connection 'nowhere': conn_id names no connection"),
    ],
)
def test_what_turns_out_wrong_fails_at_once(
    arguments: dict[str, Any], problem: str, quatrix_emulator: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    times = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
    with new_dag() as dag:
        QuatrixAuditExportOperator(task_id="export", retries=3, **{**times, **arguments})
    outcome = run(dag)
    assert (outcome.state, outcome.tasks["export"].tries) == ("failed", 1)
    assert problem in logged_cleanly(capfd)
    assert quatrix_emulator.requests == 0


def test_only_what_is_on_quatrix_is_linked() -> None:
    linked = {
        target: QuatrixAuditExportOperator(task_id="export", target=target)._linked
        for target in ("quatrix:///audit/", "s3://bucket/a.csv", "/a.csv")
    }
    assert linked == {"quatrix:///audit/": "target", "s3://bucket/a.csv": "_nowhere", "/a.csv": "_nowhere"}
