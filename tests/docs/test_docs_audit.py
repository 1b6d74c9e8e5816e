"""The page about the activity log names the columns, and its table takes what its sample exports."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import markdown_pages as markdown
from sqlite_tables import Database

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.transfer.activity import COLUMNS
from airflow_provider_quatrix.transfer.exports import iso_time

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

PAGE = markdown.ROOT / "docs" / "audit.md"


def test_the_page_names_the_columns() -> None:
    cells = [row[0] for row in markdown.table_with(PAGE, "Column")]
    assert [name for cell in cells for name in re.findall(r"`(\w+)`", cell)] == list(COLUMNS)


def test_the_sample_fills_the_table_of_the_page(
    quatrix_emulator: EmulatorClient,
    quatrix_connection: QuatrixConnection,
    airflow_db: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks = {block.language: block.text for block in markdown.code_blocks(PAGE) if not block.note}
    database = Database(tmp_path / "warehouse.db", monkeypatch, blocks["sql"])
    start = quatrix_emulator.state()["clock"]["now"] - 1
    QuatrixHook().make_directory("/new")
    quatrix_emulator.advance(2)
    made: dict[str, Any] = {}
    exec(compile(blocks["python"], str(PAGE), "exec"), made)  # noqa: S102 - the page's own text
    export = made["rows"]
    # In place of the interval of a run.
    export.start, export.end = iso_time(start), iso_time(quatrix_emulator.state()["clock"]["now"])
    for _ in range(2):
        assert export.execute({})["entries"] == 1
        assert database.rows("action, seconds >= 0") == [("makedir", 1)]
    assert [row[1] for row in database.run("PRAGMA table_info(quatrix_activity)")] == list(COLUMNS)
