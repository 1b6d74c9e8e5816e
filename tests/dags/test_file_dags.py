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
    from airflow_provider_quatrix.emulator.client import EmulatorClient

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


def test_nightly_report(quatrix_emulator: EmulatorClient, folder: Path) -> None:
    dag = load("quatrix_nightly_report")
    assert quatrix_emulator.requests == 0
    for _ in range(2):  # the second run replaces what the first has stored
        outcome = run(dag)
        assert outcome.state == "success"
    assert list((folder / "quatrix-reports").iterdir()) == []
    (listed,) = outcome.tasks["reports"].xcom
    assert listed["path"] == outcome.tasks["upload"].xcom["path"]
    assert outcome.tasks["upload"].xcom["source_deleted"]
    assert quatrix_emulator.read_file(EMAIL, listed["path"]).count(b"\n") == 1001
    assert quatrix_emulator.logins == 1


def test_inbound(quatrix_emulator: EmulatorClient, folder: Path) -> None:
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


def test_housekeeping(quatrix_emulator: EmulatorClient) -> None:
    dag = load("quatrix_housekeeping")
    for name in ("a.csv", "b.csv", "c.tmp", "notes.txt", "drafts/d.txt"):
        quatrix_emulator.put_file(EMAIL, f"/reports/{name}", name.encode())
    quatrix_emulator.put_file(EMAIL, "/reports/.0123456789abcdef01234567.quatrix-part", b"half")
    quatrix_emulator.advance(8 * 24 * 60 * 60)
    for name in ("draft-b.csv", "empty.csv", "new.tmp", "drafts/new.txt"):
        quatrix_emulator.put_file(EMAIL, f"/reports/{name}", b"" if name == "empty.csv" else b"new")
    quatrix_emulator.advance(60)
    outcome = run(dag)
    assert outcome.state == "success"
    month = outcome.tasks["month"].xcom["path"]
    there = {entry["path"] for entry in quatrix_emulator.files(EMAIL) if entry["type"] == "F"}
    assert {path for path in there if not path.startswith("/Trash/")} == {
        "/reports/a.csv",
        "/reports/b.csv",
        "/reports/notes.txt",
        "/reports/draft-b.csv",
        "/reports/empty.csv",
        "/reports/new.tmp",
        "/reports/drafts/new.txt",
        f"{month}/a.csv",
        f"{month}/b.csv",
    }
    assert outcome.tasks["clean"].xcom == 2
    assert outcome.tasks["clean_up"].xcom == {"files": 1, "bytes": 4, "checkpoints": 0}


def test_housekeeping_on_a_day_when_nothing_is_old(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/reports/a.csv", b"new")
    quatrix_emulator.put_file(EMAIL, "/reports/new.tmp", b"new")
    quatrix_emulator.advance(60)
    outcome = run(load("quatrix_housekeeping"))
    assert outcome.state == "success"
    there = {entry["path"] for entry in quatrix_emulator.files(EMAIL) if entry["type"] == "F"}
    assert there == {"/reports/a.csv", "/reports/new.tmp", f"{outcome.tasks['month'].xcom['path']}/a.csv"}
    assert outcome.tasks["clean"].xcom == 0
    assert outcome.tasks["clean_up"].xcom == {"files": 0, "bytes": 0, "checkpoints": 0}
