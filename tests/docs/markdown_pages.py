"""Reads the README and the docs pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


class CodeBlock(NamedTuple):
    """A fenced block.

    :param language: what follows the fence.
    :param text: the lines.
    :param note: the comment right above it, empty where there is none.
    """

    language: str
    text: str
    note: str


def code_blocks(page: Path) -> list[CodeBlock]:
    """Return the fenced blocks of a page."""
    pattern = r"(?:^<!-- (.*?) -->\n)?^```(\w*)\n(.*?)^```$"
    found = re.findall(pattern, page.read_text(), re.MULTILINE | re.DOTALL)
    return [CodeBlock(language, text, note) for note, language, text in found]


def indented_blocks(page: Path) -> list[CodeBlock]:
    """Return the indented blocks of a page; lines of lists are indented by two blanks only."""
    found = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", without_code(page), re.MULTILINE)
    return [CodeBlock("", re.sub(r"^    ", "", text, flags=re.MULTILINE), "") for text in found]


def files(page: Path) -> dict[str, str]:
    """Return the files that a page shows, by their paths: blocks with a comment such as ``file: tests/test_a.py``."""
    return {block.note.removeprefix("file: "): block.text for block in code_blocks(page) if is_file(block)}


def is_file(block: CodeBlock) -> bool:
    """Tell whether a block is a whole file of the reader's, and not one of an example DAG."""
    return block.note.startswith("file: ")


def without_code(page: Path) -> str:
    """Return a page's text without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[str]:
    """Return the targets of a page's links and images."""
    return re.findall(r"\]\(([^)\s]+)\)", without_code(page))


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.+)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def tables(page: Path) -> list[list[list[str]]]:
    """Return the tables of a page: rows of cells, the title row first."""
    found = []
    for lines in re.findall(r"(?:^\|.*\|\n)+", without_code(page), re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines.splitlines()]
        found.append([row for row in rows if set("".join(row)) - set("-: ")])
    return found


def table_with(page: Path, title: str) -> list[list[str]]:
    """Return the rows of the one table whose first title is the given one, without titles."""
    (rows,) = [rows for rows in tables(page) if rows[0][0] == title]
    return rows[1:]


def names_in(cell: str) -> set[str]:
    """Return what a cell puts in code marks."""
    return set(re.findall(r"`([^`]+)`", cell))
