"""What the hook returns passes through an XCom to the next task."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import task
from dag_runs import new_dag, run

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.transfer.results import FileResult

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection


def test_tasks_hand_all_results_on(quatrix_connection: QuatrixConnection, airflow_db: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("abc")
    with new_dag() as dag:

        @task
        def work(folder: str) -> dict[str, Any]:
            hook = QuatrixHook()
            return {
                "login": hook.login(),
                "upload": hook.upload(f"{folder}/a.csv", "/in/", create_parents=True),
                "copies": hook.copy_many("/in/a.csv", "/in/b.csv"),
                "move": hook.move("/in/b.csv", "/in/c.csv"),
                "list": hook.list_files("/in"),
                "stat": hook.stat("/in/a.csv"),
                "time": hook.set_modified("/in/a.csv", 0.0),
                "search": hook.search("a.csv"),
                "quota": hook.quota(),
                "cleanup": hook.cleanup(),
                "keys": hook.api_keys(),
                "state": hook.session_state(),
            }

        @task
        def read(done: dict[str, Any]) -> list[str]:
            QuatrixHook().move_many(done["list"], "/moved/", create_parents=True)
            return [done["login"]["status"], *sorted(entry["path"] for entry in done["list"])]

        read(work(str(tmp_path)))
    outcome = run(dag)
    assert outcome.tasks["read"].xcom == ["open", "/in/a.csv", "/in/c.csv"]
    work_xcom = outcome.tasks["work"].xcom
    assert work_xcom["upload"][0]["digest"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert work_xcom["time"]["modified"] == "1970-01-01T00:00:00+00:00"
    assert sorted(entry.path for entry in QuatrixHook().list_files("/moved")) == ["/moved/a.csv", "/moved/c.csv"]


def test_members_are_attributes() -> None:
    result = FileResult(path="/a", size=3)
    assert (result.path, result.size) == ("/a", 3)
    with pytest.raises(AttributeError, match="FileResult has no 'digest'; it has path, size"):
        _ = result.digest
    assert copy.deepcopy(result) == pickle.loads(pickle.dumps(result)) == {"path": "/a", "size": 3}  # noqa: S301
