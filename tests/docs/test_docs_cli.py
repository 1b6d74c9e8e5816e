"""The page about the command line is right."""

from __future__ import annotations

import re
import shlex

import markdown_pages as markdown

from airflow_provider_quatrix.cli.assumptions import ASSUMPTIONS
from airflow_provider_quatrix.cli.commands import COMMANDS, Group
from airflow_provider_quatrix.cli.main import parser
from airflow_provider_quatrix.cli.running import Exit

PAGE = markdown.ROOT / "docs" / "cli.md"


def test_every_command_is_listed() -> None:
    listed = [re.split(r" [\[A-Z]| --", row[0].strip("`"))[0] for row in markdown.table_with(PAGE, "Command")]
    known = [
        f"{each.name} {sub.name}" if sub is not each else each.name
        for each in COMMANDS
        for sub in (each.commands if isinstance(each, Group) else (each,))
    ]
    assert [name for number, name in enumerate(listed) if name not in listed[:number]] == known


def test_the_commands_of_all_pages_are_understood() -> None:
    found = [
        line.split(maxsplit=1)[1].removeprefix("-m airflow_provider_quatrix")
        for page in markdown.PAGES
        for block in markdown.code_blocks(page)
        for line in block.text.splitlines()
        if line.startswith("python -m airflow_provider_quatrix")
    ]
    assert len(found) >= 4
    for line in found:
        assert parser().parse_args(shlex.split(line)).function


def test_every_exit_status_is_listed() -> None:
    assert [int(row[0]) for row in markdown.table_with(PAGE, "Status")] == list(Exit)


def test_every_assumption_is_listed() -> None:
    rows = [row[:3] for row in markdown.table_with(PAGE, "Assumption")]
    assert rows == [[f"`{each.name}`", each.text, each.otherwise] for each in ASSUMPTIONS.values()]
