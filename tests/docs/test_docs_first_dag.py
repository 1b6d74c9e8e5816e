"""The first DAG of the README runs as it stands there."""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING

import markdown_pages as markdown
from dag_runs import run

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.handle import EmulatorHandle
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection


def test_it_runs_with_one_login(
    quatrix_emulator: EmulatorHandle, quatrix_connection: QuatrixConnection, airflow_db: Path, tmp_path: Path
) -> None:
    (block,) = [
        block for block in markdown.code_blocks(markdown.ROOT / "README.md") if "my_first_quatrix_dag" in block.text
    ]
    assert f'"{quatrix_connection}"' in block.text
    file = tmp_path / "my_first_quatrix_dag.py"
    file.write_text(block.text)
    outcome = run(runpy.run_path(str(file))["login"].dag)
    assert outcome.states == dict.fromkeys(["login", "work[0]", "work[1]", "work[2]", "logout"], "success")
    assert outcome.tasks["work[2]"].xcom == "Batch 3 was done as robot@example.com"
    assert quatrix_emulator.logins == 1
    assert quatrix_emulator.calls("GET", "session/logout") == 1
    assert quatrix_emulator.sessions == []
