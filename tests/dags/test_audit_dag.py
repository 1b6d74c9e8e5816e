from __future__ import annotations

import csv
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dag_runs import AIRFLOW_3, run

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow 2
    from airflow.models.dagbag import DagBag

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

DAY = 86_400
DAG_FILE = Path(__file__).parents[2] / "dags" / "quatrix_audit.py"


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("QUATRIX_EXAMPLE_FOLDER", str(tmp_path))
    bag = DagBag(str(DAG_FILE))
    assert bag.import_errors == {}
    return bag.dags["quatrix_audit"]


def actions(path: str) -> list[str]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return [row["action"] for row in csv.DictReader(file)]


def test_a_day_of_activity(audit: Any, quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    assert quatrix_emulator.requests == 0
    # To noon, so that all is on one day.
    quatrix_emulator.advance(1.5 * DAY - quatrix_emulator.state()["clock"]["now"] % DAY)
    hook = QuatrixHook()
    for number in range(3):
        hook.make_directory(f"/folder-{number}")
    midnight = datetime.fromtimestamp(quatrix_emulator.state()["clock"]["now"] // DAY * DAY + DAY, UTC)
    for number in range(2):  # the second run replaces the file of the first
        # In Airflow 2 two runs have two dates, and by hand the interval of the day before.
        outcome = run(audit, date=midnight if AIRFLOW_3 else midnight + timedelta(hours=number))
        assert outcome.states == {"export": "success"}
    result = outcome.tasks["export"].xcom
    assert result["table"] is None
    assert [path.as_posix() for path in tmp_path.rglob("*.csv")] == [result["path"]]
    assert actions(result["path"]) == ["makedir"] * result["entries"] == ["makedir"] * 3
    start, end = (datetime.fromisoformat(result[name]) for name in ("start", "end"))
    assert (start, end) == (midnight - timedelta(days=1), midnight)
    assert quatrix_emulator.logins == 1


def test_a_run_without_a_date(audit: Any, quatrix_emulator: EmulatorClient) -> None:
    QuatrixHook().make_directory("/folder")
    made = int(time.time())
    while int(time.time()) == made:  # a run holds the seconds before the one in which it begins
        time.sleep(0.05)
    outcome = run(audit, date=None)
    assert outcome.state == "success"
    # In Airflow 2 every run has a date, and an interval: the day before.
    assert outcome.tasks["export"].xcom["entries"] in ((1,) if AIRFLOW_3 else (0, 1))
