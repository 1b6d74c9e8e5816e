from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.__main__ import table
from demo.scenes import SCENES, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Program

FAILING_DAG = """
from airflow.sdk import dag, task

@dag(schedule=None)
def {dag_id}():
    @task
    def work():
        raise ValueError("the reason of the failure")

    work()

{dag_id}()
"""


def test_the_table_is_aligned() -> None:
    outcomes = [Outcome("short", "success", 8, 6.25, 1, 10), Outcome("much_longer", "failed", 12, 100.0, 0, 7)]
    assert table(outcomes).splitlines() == [
        "DAG          state    tasks  seconds  logins  API calls",
        "short        success      8      6.2       1         10",
        "much_longer  failed      12    100.0       0          7",
    ]


@pytest.mark.system
@pytest.mark.timeout(400)
def test_all_dags_succeed_with_one_login_per_session(start: Callable[..., Program]) -> None:
    program = start("demo")
    printed = program.finish(timeout=300)
    assert program.process.returncode == 0, printed
    rows = {line.split()[0]: line.split()[1:] for line in printed.splitlines() if line.startswith("quatrix_")}
    assert list(rows) == [scene.dag_id for scene in SCENES]
    assert {state for state, *_ in rows.values()} == {"success"}
    # The first DAG logs out, the second passes a CAPTCHA, and the session that it gets serves the others.
    counts = [(int(tasks), int(logins)) for _, tasks, _, logins, _ in rows.values()]
    assert counts == [(8, 1), (2, 1), (3, 0), (3, 0), (10, 0)]
    assert (program.home / "files").is_dir()
    assert (program.home / "orders.db").is_file()
    assert program.left_over() == []


@pytest.mark.system
def test_a_failure_is_named_with_the_place_of_the_logs(start: Callable[..., Program], tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    for scene in SCENES:
        (dags / f"{scene.dag_id}.py").write_text(FAILING_DAG.format(dag_id=scene.dag_id))
    program = start("demo", "--dags", str(dags))
    printed = program.finish(timeout=200)
    assert program.process.returncode == 1, printed
    for scene in SCENES:
        assert f"{scene.dag_id}: work failed: ValueError: the reason of the failure" in printed
    assert printed.rstrip().endswith(f"Logs: {program.home / 'logs'}")
    assert program.left_over() == []
