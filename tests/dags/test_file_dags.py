from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dag_runs import run

from airflow_provider_quatrix.pytest_plugin import EMAIL

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow 2
    from airflow.models.dagbag import DagBag

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.handle import EmulatorHandle

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

DAGS = Path(__file__).parents[2] / "dags"


def load(dag_id: str) -> Any:
    """Read a DAG file as Airflow does, and return its DAG."""
    bag = DagBag(str(DAGS / f"{dag_id}.py"))
    assert bag.import_errors == {}
    return bag.dags[dag_id]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUATRIX_EXAMPLE_FOLDER", str(tmp_path))
    return tmp_path


def test_nightly_report(quatrix_emulator: EmulatorHandle, folder: Path) -> None:
    dag = load("quatrix_nightly_report")
    assert quatrix_emulator.requests == 0
    for _ in range(2):  # the second run replaces what the first has stored
        outcome = run(dag)
        assert outcome.state == "success"
    (report,) = (folder / "quatrix-reports").iterdir()
    (listed,) = outcome.tasks["reports"].xcom
    assert listed["path"] == outcome.tasks["upload"].xcom["path"] == f"/reports/{report.name}"
    assert quatrix_emulator.read_file(EMAIL, listed["path"]) == report.read_bytes()
    assert report.read_text().count("\n") == 1001
    assert quatrix_emulator.logins == 1


def test_inbound(quatrix_emulator: EmulatorHandle, folder: Path) -> None:
    dag = load("quatrix_inbound")
    assert quatrix_emulator.requests == 0
    for name in ("orders.csv", "returns.csv", "notes.txt"):
        quatrix_emulator.put_file(EMAIL, f"/partner/inbox/{name}", name.encode())
    quatrix_emulator.put_file(EMAIL, "/partner/archive/orders.csv", b"of yesterday")
    quatrix_emulator.advance(60)
    outcome = run(dag)
    assert outcome.state == "success"
    assert outcome.tasks["arrived"].xcom == ["/partner/inbox/orders.csv", "/partner/inbox/returns.csv"]
    got = {path.name: path.read_bytes() for path in folder.rglob("*.csv")}
    assert got == {"orders.csv": b"orders.csv", "returns.csv": b"returns.csv"}
    there = {entry["path"] for entry in quatrix_emulator.files(EMAIL) if entry["type"] == "F"}
    assert there == {
        "/partner/inbox/notes.txt",
        "/partner/archive/orders.csv",
        "/partner/archive/orders(1).csv",
        "/partner/archive/returns.csv",
    }
    assert quatrix_emulator.logins == 1


def test_housekeeping(quatrix_emulator: EmulatorHandle) -> None:
    dag = load("quatrix_housekeeping")
    for name in ("a.csv", "b.csv", "c.tmp", "notes.txt", "drafts/d.txt"):
        quatrix_emulator.put_file(EMAIL, f"/reports/{name}", name.encode())
    quatrix_emulator.advance(120)
    outcome = run(dag)
    assert outcome.state == "success"
    month = outcome.tasks["month"].xcom["path"]
    there = {entry["path"] for entry in quatrix_emulator.files(EMAIL) if entry["type"] == "F"}
    assert {path for path in there if not path.startswith("/Trash/")} == {
        "/reports/a.csv",
        "/reports/b.csv",
        "/reports/notes.txt",
        f"{month}/a.csv",
        f"{month}/b.csv",
    }
    assert outcome.tasks["clean"].xcom == 2
