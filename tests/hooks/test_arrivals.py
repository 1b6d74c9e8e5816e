from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, task
from dag_runs import new_dag, run

from airflow_provider_quatrix.hooks.arrivals import claim_arrivals, finish_arrivals
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.pytest_plugin import EMAIL
from testing.airflow_settings import AIRFLOW_3

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")


def payloads(*paths: str) -> list[dict[str, Any]]:
    """Return what a watcher would tell of files."""
    stats = [QuatrixHook().stat(path) for path in paths]
    return [
        {name: stat[name] for name in ("path", "id", "size", "modified")} | {"key": f"{stat.id}@{stat.modified}"}
        for stat in stats
    ]


def watching(path: str, **arguments: Any) -> Any:
    from airflow_provider_quatrix.triggers.files import QuatrixFileEventTrigger

    return QuatrixFileEventTrigger(path, **arguments)


def files(emulator: EmulatorClient) -> list[str]:
    return [entry["path"] for entry in emulator.files(EMAIL) if entry["type"] == "F"]


def test_events_in_all_their_shapes_are_claimed_once(quatrix_emulator: EmulatorClient) -> None:
    for name in "abc":
        quatrix_emulator.put_file(EMAIL, f"/in/{name}.csv", name.encode())
    one, two, three = payloads("/in/a.csv", "/in/b.csv", "/in/c.csv")
    event = SimpleNamespace(extra={"from_trigger": True, "payload": two})
    claimed = claim_arrivals([one, one, event, {"extra": {"payload": three}}], "/taken/")
    assert [file["key"] for file in claimed.files] == [one["key"], two["key"], three["key"]]
    assert [file["path"].rpartition("/")[2] for file in claimed.files] == ["a.csv", "b.csv", "c.csv"]
    assert claimed.refused == []
    assert claimed.files[0] == one | {"path": claimed.files[0]["path"], "uploader": EMAIL, "infected": ""}
    assert QuatrixHook().stat(claimed.files[1]["path"]).id == two["id"]
    assert claim_arrivals(event, "/taken") == {"files": [], "refused": []}
    moved = finish_arrivals(claimed.files, "/archive/")
    assert [file["path"] for file in moved] == ["/archive/a.csv", "/archive/b.csv", "/archive/c.csv"]
    assert files(quatrix_emulator) == ["/archive/a.csv", "/archive/b.csv", "/archive/c.csv"]
    assert finish_arrivals(claimed.files, "/archive/") == moved


def test_an_infected_file_is_refused_and_its_uploader_named(
    quatrix_emulator: EmulatorClient, caplog: pytest.LogCaptureFixture
) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    quatrix_emulator.put_file(EMAIL, "/in/b.csv", b"1")
    body = {"antivirus_check": "Eicar-Test-Signature", "action_role": {"email": "partner@example.com"}}
    quatrix_emulator.fault("file/info/*", status=200, body=body)
    claimed = claim_arrivals(payloads("/in/a.csv", "/in/b.csv"), "/taken")
    (refused,) = claimed.refused
    assert (refused["infected"], refused["uploader"]) == ("Eicar-Test-Signature", "partner@example.com")
    assert len(claimed.files) == 1
    assert "uploaded by partner@example.com: Quatrix reports Eicar-Test-Signature" in caplog.text
    finish_arrivals(claimed.refused, "/quarantine")
    assert len([path for path in files(quatrix_emulator) if path.startswith("/quarantine/")]) == 1


def test_a_file_costs_seven_calls_to_claim_and_seven_to_finish(quatrix_emulator: EmulatorClient) -> None:
    for number in range(10):
        quatrix_emulator.put_file(EMAIL, f"/in/{number}", b"1")
    quatrix_emulator.make_folder(EMAIL, "/taken")
    quatrix_emulator.make_folder(EMAIL, "/done")
    told = payloads(*(f"/in/{number}" for number in range(10)))
    before = quatrix_emulator.requests
    claimed = claim_arrivals(told, "/taken")
    # Each of the two folders is looked up once more.
    assert quatrix_emulator.requests - before <= 7 * 10 + 2
    before = quatrix_emulator.requests
    finish_arrivals(claimed.files, "/done")
    assert quatrix_emulator.requests - before <= 7 * 10 + 2


def test_nobody_asks_for_viruses_where_that_is_not_wanted(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    claimed = claim_arrivals(payloads("/in/a.csv"), "/taken", refuse_infected=False)
    assert (claimed.files[0]["uploader"], claimed.files[0]["infected"]) == ("", "")
    assert quatrix_emulator.calls("GET", "file/info/{id}") == 0


def test_all_tries_of_a_task_get_the_same_files(quatrix_emulator: EmulatorClient) -> None:
    for number in range(5):
        quatrix_emulator.put_file(EMAIL, f"/in/{number}.csv", b"1")
    told = payloads(*(f"/in/{number}.csv" for number in range(5)))
    with new_dag(default_args={"retries": 1, "retry_delay": 0.1}) as dag:

        @task
        def claim(ti: Any = None) -> Any:
            claimed = claim_arrivals(told, "/taken")
            if ti.try_number == 1:
                raise AirflowException("the answer gets lost")
            return claimed

        @task
        def of_another_task() -> Any:
            return claim_arrivals(told, "/taken")

        claim() >> of_another_task()
    outcome = run(dag)
    assert outcome.tasks["claim"].tries == 2
    assert [file["key"] for file in outcome.tasks["claim"].xcom["files"]] == [each["key"] for each in told]
    assert outcome.tasks["of_another_task"].xcom == {"files": [], "refused": []}


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no asset watchers")
def test_files_whose_events_airflow_has_left_to_another_run_are_claimed_too(quatrix_emulator: EmulatorClient) -> None:
    for name in ("a.csv", "b.csv", "c.txt"):
        quatrix_emulator.put_file(EMAIL, f"/in/{name}", b"1")
    quatrix_emulator.advance(60)
    quatrix_emulator.put_file(EMAIL, "/in/young.csv", b"1")
    quatrix_emulator.put_file(EMAIL, "/other/d.csv", b"1")
    quatrix_emulator.advance(1)
    told = payloads("/in/a.csv")
    watchers = [watching("/in/*.csv", min_age=30), watching("/other/*")]
    claimed = claim_arrivals(told, "/taken", watcher=watchers)
    assert sorted(file["path"].rpartition("/")[2] for file in claimed.files) == ["a.csv", "b.csv", "d.csv"]
    assert files(quatrix_emulator)[:2] == ["/in/c.txt", "/in/young.csv"]
    # Its event comes all the same, and leads to nothing.
    assert claim_arrivals(payloads(claimed.files[1]["path"]), "/taken", watcher=watchers) == {
        "files": [],
        "refused": [],
    }


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no asset watchers")
def test_all_tries_of_a_task_get_what_was_claimed_without_an_event(quatrix_emulator: EmulatorClient) -> None:
    for number in range(3):
        quatrix_emulator.put_file(EMAIL, f"/in/{number}.csv", b"1")
    claim_arrivals(payloads("/in/2.csv"), "/taken")
    told = payloads("/in/0.csv")
    with new_dag(default_args={"retries": 1, "retry_delay": 0.1}) as dag:

        @task
        def claim(ti: Any = None) -> Any:
            claimed = claim_arrivals(told, "/taken", watcher=watching("/in/*"))
            if ti.try_number == 1:
                raise AirflowException("the answer gets lost")
            return claimed

        claim()
    outcome = run(dag)
    assert outcome.tasks["claim"].tries == 2
    names = [file["path"].rpartition("/")[2] for file in outcome.tasks["claim"].xcom["files"]]
    assert sorted(names) == ["0.csv", "1.csv"]


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no asset watchers")
def test_a_watcher_of_another_connection_and_what_is_none_are_refused(quatrix_emulator: EmulatorClient) -> None:
    with pytest.raises(ValueError, match="quatrix_conn_id is 'quatrix_default', but the watcher has 'another'"):
        claim_arrivals([], "/taken", watcher=watching("/in/*", quatrix_conn_id="another"))
    with pytest.raises(ValueError, match="watcher is None: give the QuatrixFileEventTrigger"):
        claim_arrivals([], "/taken", watcher=None)  # type: ignore[arg-type]
    assert quatrix_emulator.requests == 0


def test_a_failure_is_one_clear_line(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    told = payloads("/in/a.csv")
    quatrix_emulator.fault("file/makedir", status=403, body={"code": 50, "msg": "Restricted operation"}, times=None)
    with pytest.raises(AirflowException, match=r"Claiming '/in/a\.csv': .*Restricted operation.*administrator"):
        claim_arrivals(told, "/taken")


@pytest.mark.parametrize(
    ("events", "folder", "message"),
    [
        ([7], "/taken", "events contains 7: give events that QuatrixFileEventTrigger has made"),
        ("a.csv", "/taken", "events contains 'a.csv': give events"),
        ([{"path": "/in/a.csv", "id": "1"}], "/taken", "which have path, id and key"),
        ([{"path": "/in/a.csv", "id": "1", "key": ""}], "/taken", "which have path, id and key"),
        ([], "/", "folder is '/': give the path of a folder below the home folder"),
        ([], None, "folder is None: give the path of a folder"),
        ([], "/a/../b", "'..'"),
    ],
)
def test_bad_input_is_refused_by_name(quatrix_emulator: EmulatorClient, events: Any, folder: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is below
        claim_arrivals(events, folder)
    assert message in str(caught.value)
    assert quatrix_emulator.requests == 0


@pytest.mark.parametrize(
    ("claimed", "target", "message"),
    [
        (
            [{"path": "/in/a.csv", "id": "1"}],
            "/archive",
            "claimed contains {'path': '/in/a.csv', 'id': '1'}: give what",
        ),
        (
            ["/taken/x/y/a.csv"],
            "/archive",
            "claimed contains '/taken/x/y/a.csv': give what claim_arrivals() has returned",
        ),
        ([], "", "target is '': give the path of a folder"),
    ],
)
def test_bad_input_of_the_end_is_refused_by_name(
    quatrix_emulator: EmulatorClient, claimed: Any, target: str, message: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is below
        finish_arrivals(claimed, target)
    assert message in str(caught.value)
    assert quatrix_emulator.requests == 0
