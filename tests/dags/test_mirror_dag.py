from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dag_runs import Outcome, logged_cleanly, run

from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = [
    pytest.mark.usefixtures("airflow_db", "quatrix_connection"),
    # Said by Airflow 2.11 of its own paths.
    pytest.mark.filterwarnings("ignore:in a future version of UPath:PendingDeprecationWarning"),
]

FILE = Path(__file__).parents[2] / "dags" / "quatrix_mirror.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUATRIX_EXAMPLE_FOLDER", str(tmp_path))
    return tmp_path


def mirror() -> Outcome:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:
        from airflow.models.dagbag import DagBag
    bag = DagBag(str(FILE))
    assert not bag.import_errors
    dag = bag.dags["quatrix_mirror"]
    for task in dag.tasks:
        task.retries = 0
    return run(dag)


def contents(folder: Path) -> dict[str, bytes]:
    """Return what both mirrors hold."""
    one, other = (
        {str(path.relative_to(mirror)): path.read_bytes() for path in mirror.rglob("*") if path.is_file()}
        for mirror in (folder / "quatrix-mirror", folder / "quatrix-published")
    )
    assert one == other
    return one


def foretold(outcome: Outcome, folder: Path) -> tuple[list[str], list[str]]:
    """Return what was to be fetched and deleted; it is what was."""
    told, done = outcome.tasks["foretell"].xcom, outcome.tasks["download"].xcom
    assert told["sent"] == [file["path"] for file in done if not file["skipped"]]
    assert told["skipped"] == [file["path"] for file in done if file["skipped"]]
    sent, deleted = (
        sorted(path.removeprefix(f"{folder}/quatrix-published/") for path in told[what]) for what in ("sent", "deleted")
    )
    return sent, deleted


def test_the_mirror_follows_the_tree_and_copies_only_what_has_changed(
    quatrix_emulator: EmulatorClient, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    quatrix_emulator.put_file(EMAIL, "/published/a.csv", b"one")
    quatrix_emulator.put_file(EMAIL, "/published/2026/ü b.csv", b"two")
    quatrix_emulator.put_file(EMAIL, "/private/c.csv", b"three")
    outcome = mirror()
    assert outcome.tasks["mirror"].xcom == {"copied": 2, "deleted": 0}
    assert foretold(outcome, folder) == (["2026/ü b.csv", "a.csv"], [])
    assert contents(folder) == {"a.csv": b"one", "2026/ü b.csv": b"two"}

    brought = quatrix_emulator.counters["download_bytes"]
    outcome = mirror()
    assert outcome.tasks["mirror"].xcom == {"copied": 0, "deleted": 0}
    assert foretold(outcome, folder) == ([], [])
    assert quatrix_emulator.counters["download_bytes"] == brought

    quatrix_emulator.put_file(EMAIL, "/published/a.csv", b"ONE")
    quatrix_emulator.remove_file(EMAIL, "/published/2026")
    quatrix_emulator.put_file(EMAIL, "/published/new/d.csv", b"four")
    outcome = mirror()
    assert outcome.tasks["mirror"].xcom == {"copied": 2, "deleted": 1}
    assert foretold(outcome, folder) == (["a.csv", "new/d.csv"], ["2026"])
    assert contents(folder) == {"a.csv": b"ONE", "new/d.csv": b"four"}
    assert quatrix_emulator.logins == 1
    logged_cleanly(capfd)


def test_a_tree_that_is_not_there_is_no_reason_to_delete_the_mirror(
    quatrix_emulator: EmulatorClient, folder: Path
) -> None:
    quatrix_emulator.put_file(EMAIL, "/published/a.csv", b"one")
    mirror()
    quatrix_emulator.remove_file(EMAIL, "/published")
    states = mirror().states
    assert states == {"mirror": "failed", "foretell": "failed", "download": "upstream_failed"}
    assert contents(folder) == {"a.csv": b"one"}
