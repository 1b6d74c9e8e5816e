"""The project that the page about testing shows can be tested as it stands."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import markdown_pages as markdown

if TYPE_CHECKING:
    from pathlib import Path


def test_the_project_of_the_page_passes_its_tests(tmp_path: Path) -> None:
    files = markdown.files(markdown.ROOT / "docs" / "testing.md")
    assert {"conftest.py", "pytest.ini", "dags/orders.py", "tests/test_calls.py", "tests/test_orders.py"} == set(files)
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    # None of what the tests of this package set up for themselves.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW", "PYTEST"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout
