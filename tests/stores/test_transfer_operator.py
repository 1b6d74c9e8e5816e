"""The transfer operator in real DAG runs, and what it refuses when a DAG is parsed."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath, task
from dag_runs import logged_cleanly, new_dag, run

from airflow_provider_quatrix.operators.files import QuatrixListOperator
from airflow_provider_quatrix.operators.transfer import QuatrixTransferOperator
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD

if TYPE_CHECKING:
    from store_servers import Store

    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = [
    pytest.mark.usefixtures("airflow_db", "quatrix_connection"),
    # Said by Airflow 2.11 of its own paths.
    pytest.mark.filterwarnings("ignore:in a future version of UPath:PendingDeprecationWarning"),
]

DAG_FILE = Path(__file__).parents[2] / "dags" / "quatrix_exchange.py"


def transfer(**arguments: Any) -> QuatrixTransferOperator:
    return QuatrixTransferOperator(task_id="transfer", **arguments)


def test_a_bucket_and_back(quatrix_emulator: EmulatorClient, s3: Store, capfd: pytest.CaptureFixture[str]) -> None:
    s3.put("in/a.csv", b"1")
    s3.put("in/b[1].csv", b"22")
    with new_dag() as dag:
        up = QuatrixTransferOperator(task_id="up", source=f"{s3.url}/in/*.csv", target="/in/", create_parents=True)
        # Results are names, whatever is in them.
        back = QuatrixTransferOperator(task_id="back", source=up.output, target=f"{s3.url}/back/", verify=True)
        listed = QuatrixListOperator(task_id="listed", path="/in")
        one = QuatrixTransferOperator.partial(task_id="one", target=f"{s3.url}/mapped/", checksum="md5").expand(
            source=listed.output
        )
        up >> [back, listed]
    outcome = run(dag)
    assert set(outcome.states.values()) == {"success"}, outcome
    first, second = outcome.tasks["back"].xcom
    assert first == {
        "path": f"{s3.url}/back/a.csv",
        "id": first["id"],
        "size": 1,
        "sha256": hashlib.sha256(b"1").hexdigest(),
        "seconds": first["seconds"],
        "skipped": False,
    }
    assert (second["path"], second["id"]) == (f"{s3.url}/back/b[1].csv", outcome.tasks["up"].xcom[1]["id"])
    assert outcome.tasks["one[1]"].xcom["md5"] == hashlib.md5(b"22", usedforsecurity=False).hexdigest()
    files = {"a.csv": b"1", "b[1].csv": b"22"}
    assert s3.files() == {
        f"{folder}/{name}": data for folder in ("in", "back", "mapped") for name, data in files.items()
    }
    assert quatrix_emulator.logins == 1
    log = logged_cleanly(capfd)
    assert PASSWORD not in log
    assert one is not None


def test_paths_of_airflow_are_taken(quatrix_emulator: EmulatorClient, sftp: Store, s3: Store) -> None:
    sftp.put("*.csv", b"1")
    s3.put("a.csv", b"22")
    with new_dag() as dag:

        @task
        def found() -> list[ObjectStoragePath]:
            return [ObjectStoragePath(f"{s3.url}/a.csv")]

        transfer(source=found(), target="/in/", create_parents=True)
        QuatrixTransferOperator(
            task_id="pattern", source=f"{sftp.url}/*", target="/pattern/{{ task.task_id }}/", create_parents=True
        )
    assert set(run(dag).states.values()) == {"success"}
    assert quatrix_emulator.read_file(EMAIL, "/in/a.csv") == b"22"
    assert quatrix_emulator.read_file(EMAIL, "/pattern/pattern/*.csv") == b"1"


def test_a_retry_goes_on_where_the_last_try_stopped(
    quatrix_emulator: EmulatorClient, s3: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        s3.put(f"in/{number}.bin", bytes([number]) * 50_000)
    quatrix_emulator.fault("upload/link", after=2, status=400)
    with new_dag(default_args={"retries": 1, "retry_delay": timedelta(0)}) as dag:
        transfer(source=f"{s3.url}/in", target="/in", create_parents=True, transfers=1, delete_source=True)
    outcome = run(dag)
    assert (outcome.states, outcome.tasks["transfer"].tries) == ({"transfer": "success"}, 2)
    assert [result["path"] for result in outcome.tasks["transfer"].xcom] == [f"/in/{number}.bin" for number in range(4)]
    assert quatrix_emulator.counters["upload_bytes"] == 200_000
    assert s3.files() == {}
    logged_cleanly(capfd)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "s3://b/a", "target": "gs://b/a"}, "Neither source .s3://. nor target .gs://. is on Quatrix"),
        ({"source": ["s3://b/a", "gs://b/a"], "target": "/in/"}, "source names 2 stores .gs://, s3://.: give each"),
        ({"source": "s3:/b/a", "target": "/in/"}, "source is 's3:/b/a': give a URL with two slashes"),
        ({"source": "file://b/a", "target": "/in/"}, "write three slashes, file:///b/a"),
        ({"source": "/a", "target": "s3://"}, "target is 's3://': give the path of a file or folder"),
        ({"source": "", "target": "/in/"}, "source is empty: give a path"),
        ({"source": "s3://b/a", "target": "/in", "if_exists": "update"}, "if_exists is 'update': give one of 'fail'"),
        ({"source": "s3://b/a", "target": "/in", "transfers": 0}, "transfers is 0: give a whole number from 1 to 64"),
        ({"source": "s3://b/a", "target": "/in", "checksum": "crc"}, "checksum is 'crc': give one of"),
        ({"source": "s3://b/a", "target": "/in", "bandwidth": -1}, "bandwidth is -1: give bytes per second"),
        ({"source": "s3://b/a", "target": "/in", "delete_source": "yes"}, "delete_source is 'yes': give True or False"),
        ({"source": "s3://b/a", "target": "/in", "verify": "yes"}, "verify is 'yes': give True or False"),
        (
            {"source": "s3://b/a", "target": "/in", "delete_source": True, "checksum": None},
            "delete_source is True, but checksum is None: give an algorithm",
        ),
    ],
)
def test_bad_input_is_refused_when_the_dag_is_parsed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        transfer(**arguments)


@pytest.mark.parametrize("kind", ["s3", "local"])
def test_example_dag(
    quatrix_emulator: EmulatorClient, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:
        from airflow.models.dagbag import DagBag
    store: Store = request.getfixturevalue(kind)
    monkeypatch.setenv("QUATRIX_EXAMPLE_STORE", store.url)
    store.put("reports/july.csv", b"july")
    store.put("received/a.csv", b"old")
    for name in ("a.csv", "deep/b.csv", "c.txt"):
        quatrix_emulator.put_file(EMAIL, f"/exchange/in/{name}", name.encode())
    bag = DagBag(str(DAG_FILE))
    assert not bag.import_errors
    outcome = run(bag.dags["quatrix_exchange"])
    assert set(outcome.states.values()) == {"success"}, outcome
    assert store.files() == {
        "reports/july.csv": b"july",
        "received/a.csv": b"old",
        "received/a(1).csv": b"a.csv",
        "received/b.csv": b"deep/b.csv",
    }
    left = {entry["path"] for entry in quatrix_emulator.files(EMAIL) if entry["type"] == "F"}
    published = next(path for path in left if path.startswith("/exchange/out/"))
    assert published.endswith("/july.csv")
    assert {path for path in left if path.startswith("/exchange/in/")} == {"/exchange/in/c.txt"}
