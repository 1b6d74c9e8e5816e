"""The arguments of the file operators: checked while the DAG is parsed, or once they are rendered."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import task
from dag_runs import new_dag, run, through_serialization

from airflow_provider_quatrix.operators.files import (
    QuatrixCopyOperator,
    QuatrixDeleteOperator,
    QuatrixDownloadOperator,
    QuatrixListOperator,
    QuatrixMakeDirectoryOperator,
    QuatrixMoveOperator,
    QuatrixUploadOperator,
)
from airflow_provider_quatrix.operators.transfer import QuatrixTransferOperator
from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

MOVING: dict[Any, dict[str, Any]] = {
    QuatrixUploadOperator: {"source": "/a", "target": "/b"},
    QuatrixDownloadOperator: {"source": "/a", "target": "/b"},
}
MIRROR: dict[Any, dict[str, Any]] = {
    operator: {"source": "/a", "target": "/b", "if_exists": "update", "delete_extra": True} for operator in MOVING
}
PLACING: dict[Any, dict[str, Any]] = {
    **MOVING,
    QuatrixMoveOperator: {"source": "/a", "target": "/b"},
    QuatrixCopyOperator: {"source": "/a", "target": "/b"},
}
SELECTING: dict[Any, dict[str, Any]] = {
    **PLACING,
    QuatrixListOperator: {"path": "/a"},
    QuatrixDeleteOperator: {"path": "/a"},
}


@pytest.mark.parametrize(
    ("operators", "arguments", "message"),
    [
        (SELECTING, {"include": []}, "include is empty"),
        (SELECTING, {"include": ["{{ ds }}", ""]}, None),
        (SELECTING, {"exclude": 5}, "exclude contains 5"),
        (SELECTING, {"min_size": 2, "max_size": 1}, "no file has both"),
        (SELECTING, {"min_size": "2"}, "min_size is '2'"),
        (SELECTING, {"min_size": "{{ 2 }}", "max_size": 1}, None),
        (SELECTING, {"newer_than": timedelta(1), "older_than": timedelta(2)}, "no file is both"),
        (SELECTING, {"newer_than": "today"}, "newer_than is 'today'"),
        (SELECTING, {"missing_ok": "maybe"}, "missing_ok is 'maybe': give True or False"),
        (MIRROR, {"include": "*.csv"}, "delete_extra is True, but include is .*would be deleted"),
        (MIRROR, {"max_size": 0}, "delete_extra is True, but max_size is 0"),
        (MIRROR, {"missing_ok": "{{ params.yes }}"}, "delete_extra is True, but missing_ok is"),
        (MIRROR, {"min_size": 0, "keep_structure": True}, None),
        (PLACING, {"keep_structure": 2}, "keep_structure is 2: give True or False"),
        (PLACING, {"create_parents": "yes"}, "create_parents is 'yes': give True or False"),
        (PLACING, {"on_error": "ignore"}, "on_error is 'ignore': give 'fail' or 'continue'"),
        (PLACING, {"if_exists": "{{ params.mode }}"}, None),
        (MOVING, {"transfers": "{{ 65 }}"}, None),
        (MOVING, {"transfers": "4"}, "transfers is '4'"),
    ],
)
def test_what_is_known_is_checked_while_the_dag_is_parsed(
    operators: dict[Any, dict[str, Any]], arguments: dict[str, Any], message: str | None
) -> None:
    for operator, needed in operators.items():
        if message is None:
            operator(task_id="task", **needed, **arguments)
        else:
            with pytest.raises(ValueError, match=message):
                operator(task_id="task", **needed, **arguments)


def test_every_argument_of_the_files_is_templated() -> None:
    for operator in (*SELECTING, QuatrixMakeDirectoryOperator, QuatrixTransferOperator):
        arguments = {
            name
            for each in operator.__mro__
            if each.__module__.startswith("airflow_provider_quatrix") and "__init__" in vars(each)
            for name, parameter in inspect.signature(vars(each)["__init__"]).parameters.items()
            if parameter.kind is parameter.KEYWORD_ONLY
        }
        # Whether text is a pattern decides about templates, and what deletes is known beforehand.
        assert arguments - {"glob", "delete_extra", "dry_run"} == set(operator.template_fields), operator


def test_templates_say_how(quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    for name, size in (("a.csv", 10), ("b.csv", 2000), ("c.txt", 10), ("deep/d.csv", 10)):
        quatrix_emulator.put_file(EMAIL, f"/in/{name}", b"x" * size)
    quatrix_emulator.advance(60)
    params = {"mode": "skip", "limit": 1000, "many": 2, "yes": True, "names": "*.csv", "none": None}
    how: dict[str, Any] = {
        "if_exists": "{{ params.mode }}",
        "create_parents": "{{ params.yes }}",
        "include": "{{ params.names }}",
        "exclude": ["{{ params.names[:-4] }}.bak"],
        "max_size": "{{ params.limit }}",
        "newer_than": "{{ params.none }}",
        "older_than": "{{ ti.start_date }}",
        "missing_ok": "{{ params.yes }}",
        "results": "{{ 'summary' }}",
    }
    with new_dag(params=params) as dag:

        @task
        def names() -> list[str]:
            return ["d.csv"]

        found = names()
        copied = QuatrixCopyOperator(
            task_id="copied", source="/in/**/*", target="/out", keep_structure="{{ params.yes }}", **how
        )
        down = QuatrixDownloadOperator(
            task_id="down",
            source=["/in/a.csv", "/gone"],
            target=str(tmp_path / "down"),
            transfers="{{ params.many }}",
            checksum="{{ params.none }}",
            bandwidth="{{ params.limit * 1000 }}",
            **how,
        )
        deleted = QuatrixDeleteOperator(
            task_id="deleted", path="/in", include=found, permanently="{{ params.yes }}", missing_ok=True
        )
        listed = QuatrixListOperator(task_id="listed", path="/in", recursive="{{ params.yes }}", min_size="{{ 11 }}")
        found >> copied >> down >> deleted >> listed
    # The scheduler's view is the same in every parse.
    assert through_serialization(dag).task_dict.keys() == dag.task_dict.keys()
    outcome = run(dag)
    assert outcome.state == "success"
    assert outcome.tasks["copied"].xcom == {"summary": True, "files": 2, "folders": 0, "bytes": 20, "skipped": 0}
    assert outcome.tasks["down"].xcom["files"] == 1
    assert (tmp_path / "down/a.csv").exists()
    assert outcome.tasks["deleted"].xcom == 1
    assert [entry["path"] for entry in outcome.tasks["listed"].xcom] == ["/in/b.csv"]
    there = {entry["path"] for entry in quatrix_emulator.files(EMAIL) if entry["type"] == "F"}
    assert there == {"/in/a.csv", "/in/b.csv", "/in/c.txt", "/out/a.csv", "/out/deep/d.csv"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"if_exists": "{{ 'perhaps' }}"}, "if_exists is 'perhaps': give one of 'fail', 'skip'"),
        ({"missing_ok": "{{ 'maybe' }}"}, "missing_ok is 'maybe': give True or False"),
        ({"min_size": "{{ 2 }}", "max_size": 1}, "min_size is 2 and max_size is 1: no file has both"),
    ],
)
def test_what_templates_give_is_checked_before_anything_is_done(
    quatrix_emulator: EmulatorClient, capfd: pytest.CaptureFixture[str], arguments: dict[str, Any], message: str
) -> None:
    with new_dag(default_args={"retries": 1, "retry_delay": timedelta(0)}) as dag:
        QuatrixMoveOperator(task_id="move", source="/a", target="/b", **arguments)
    outcome = run(dag)
    assert (outcome.tasks["move"].state, outcome.tasks["move"].tries) == ("failed", 1)
    assert message in "".join(capfd.readouterr())
    assert quatrix_emulator.requests == 0
