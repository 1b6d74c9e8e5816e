"""The first DAG of the README runs as it stands there."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import markdown_pages as markdown
from dag_runs import run

from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection


def test_it_moves_files_with_one_login(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection, airflow_db: Path, tmp_path: Path
) -> None:
    (block,) = [
        block for block in markdown.code_blocks(markdown.ROOT / "README.md") if "my_first_quatrix_dag" in block.text
    ]
    file = tmp_path / "my_first_quatrix_dag.py"
    file.write_text(block.text)
    quatrix_emulator.put_file(EMAIL, "/partner/inbox/a.csv", b"1;2\n")
    quatrix_emulator.put_file(EMAIL, "/partner/inbox/b.csv", b"3\n")
    quatrix_emulator.put_file(EMAIL, "/partner/archive/a.csv", b"of yesterday\n")
    outcome = run(runpy.run_path(str(file))["upload"].dag)
    assert outcome.states == dict.fromkeys(["found", "download", "work", "upload", "archive"], "success")
    shutil.rmtree(Path(outcome.tasks["work"].xcom).parent)
    assert {found["path"] for found in quatrix_emulator.files(EMAIL) if found["path"].startswith("/partner/")} == {
        "/partner/inbox",
        "/partner/outbox",
        "/partner/outbox/report.txt",
        "/partner/archive",
        "/partner/archive/a.csv",
        "/partner/archive/a(1).csv",
        "/partner/archive/b.csv",
    }
    assert quatrix_emulator.read_file(EMAIL, "/partner/outbox/report.txt") == b"2 files, 6 bytes\n"
    assert quatrix_emulator.logins == 1
