from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dag_runs import TaskOutcome, logged_cleanly, run

from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.handle import EmulatorHandle

pytestmark = [
    pytest.mark.usefixtures("airflow_db", "quatrix_connection"),
    # Said by Airflow 2.11 of its own paths.
    pytest.mark.filterwarnings("ignore:in a future version of UPath:PendingDeprecationWarning"),
]

FILE = Path(__file__).parents[2] / "dags" / "quatrix_mirror.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUATRIX_EXAMPLE_FOLDER", str(tmp_path))
    return tmp_path / "quatrix-mirror"


def mirror() -> TaskOutcome:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:
        from airflow.models.dagbag import DagBag
    bag = DagBag(str(FILE))
    assert not bag.import_errors
    dag = bag.dags["quatrix_mirror"]
    dag.get_task("mirror").retries = 0
    outcome = run(dag)
    assert set(outcome.states) == {"mirror"}
    return outcome.tasks["mirror"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_mirror_follows_the_tree_and_copies_only_what_has_changed(
    quatrix_emulator: EmulatorHandle, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    quatrix_emulator.put_file(EMAIL, "/published/a.csv", b"one")
    quatrix_emulator.put_file(EMAIL, "/published/2026/ü b.csv", b"two")
    quatrix_emulator.put_file(EMAIL, "/private/c.csv", b"three")
    assert mirror().xcom == {"copied": 2, "deleted": 0}
    assert contents(folder) == {"a.csv": b"one", "2026/ü b.csv": b"two"}

    brought = quatrix_emulator.counters["download_bytes"]
    assert mirror().xcom == {"copied": 0, "deleted": 0}
    assert quatrix_emulator.counters["download_bytes"] == brought

    quatrix_emulator.put_file(EMAIL, "/published/a.csv", b"ONE")
    quatrix_emulator.remove_file(EMAIL, "/published/2026")
    quatrix_emulator.put_file(EMAIL, "/published/new/d.csv", b"four")
    assert mirror().xcom == {"copied": 2, "deleted": 1}
    assert contents(folder) == {"a.csv": b"ONE", "new/d.csv": b"four"}
    assert quatrix_emulator.logins == 1
    logged_cleanly(capfd)


def test_a_tree_that_is_not_there_is_no_reason_to_delete_the_mirror(
    quatrix_emulator: EmulatorHandle, folder: Path
) -> None:
    quatrix_emulator.put_file(EMAIL, "/published/a.csv", b"one")
    mirror()
    quatrix_emulator.remove_file(EMAIL, "/published")
    assert mirror().state == "failed"
    assert contents(folder) == {"a.csv": b"one"}
