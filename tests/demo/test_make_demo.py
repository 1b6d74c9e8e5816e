from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.__main__ import summary, table
from demo.scenes import SCENES, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Program


def test_the_table_is_aligned() -> None:
    outcomes = [Outcome("short", "success", 8, 6.25, 1, 10), Outcome("much_longer", "failed", 12, 100.0, 0, 7)]
    assert table(outcomes).splitlines() == [
        "DAG          state    tasks  seconds  logins  API calls",
        "short        success      8      6.2       1         10",
        "much_longer  failed      12    100.0       0          7",
    ]


def test_failures_are_named_with_the_place_of_the_logs(tmp_path: Path) -> None:
    good = Outcome("first", "success", 8, 6.25, 1, 10)
    bad = Outcome("second", "failed", 3, 9.0, 0, 7, ("work failed: ValueError: no", "after upstream_failed"))
    assert summary([good], tmp_path) == (f"\n{table([good])}", 0)
    text, status = summary([good, bad], tmp_path)
    assert status == 1
    assert text == (
        f"\n{table([good, bad])}\n\nThe demo failed:\n"
        f"second: work failed: ValueError: no\nsecond: after upstream_failed\nLogs: {tmp_path}"
    )


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
