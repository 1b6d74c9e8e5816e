from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dag_runs import AIRFLOW_3, logged_cleanly, once, run

from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

FOLDER = Path(__file__).parents[2] / "dags"
FILES = sorted(path.name for path in FOLDER.glob("*.py"))
needs_people = pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 asks nobody")
needs_watchers = pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no asset watchers")

# Reads files, in a process that can reach no host and knows no connection. Says which DAGs and heavy modules it found.
READ = """
import socket, sys, warnings

def refuse(*_):
    raise AssertionError("a DAG file reaches for the network")

import airflow
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
from airflow.providers.common.compat.sdk import BaseHook
import airflow.triggers.base  # Airflow's own, and it warns of itself

socket.socket.connect = socket.getaddrinfo = BaseHook.get_connection = refuse
before = set(sys.modules)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    bag = DagBag(collect_dags=False)
    for path in sys.argv[1:]:
        bag.process_file(path)
ours = [str(w.message) for w in caught if "airflow_provider_quatrix" in w.filename or w.filename in sys.argv]
assert not bag.import_errors, bag.import_errors
assert not ours, ours
heavy = {"cryptography", "filelock", "pyotp", "requests", "tenacity"}
print(sorted(bag.dags), sorted((set(sys.modules) - before) & heavy), sep="\\n")
"""


@cache
def example(dag_id: str) -> Any:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:
        from airflow.models.dagbag import DagBag
    bag = DagBag(str(FOLDER / f"{dag_id}.py"))
    assert not bag.import_errors
    return bag.dags[dag_id]


def read(names: list[str]) -> tuple[set[str], list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", READ, *(str(FOLDER / name) for name in names)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR", "AIRFLOW_CONN_QUATRIX_DEFAULT": ""},
    )
    assert done.returncode == 0, done.stderr
    dags, heavy = done.stdout.splitlines()[-2:]
    return set(ast.literal_eval(dags)), ast.literal_eval(heavy)


def test_all_files_are_read_without_network_connection_or_warning() -> None:
    expected = {Path(name).stem for name in FILES}
    if not AIRFLOW_3:
        expected -= {"quatrix_approved_share", "quatrix_arrivals", "quatrix_person_in_the_loop"}
    assert read(FILES)[0] == expected


def test_reading_the_session_examples_imports_nothing_slow() -> None:
    names = ["session_lifecycle", "captcha_gate", "keepalive", "canary", "person_in_the_loop"]
    assert read([f"quatrix_{name}.py" for name in names])[1] == []


@pytest.mark.parametrize("name", FILES)
def test_every_file_says_what_it_shows_and_marks_what_the_documentation_quotes(name: str) -> None:
    text = (FOLDER / name).read_text()
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring is not None
    assert len(docstring.splitlines()) >= 3
    starts = [line.split()[2] for line in text.splitlines() if "[START howto_" in line]
    ends = [line.split()[2] for line in text.splitlines() if "[END howto_" in line]
    assert starts
    assert starts == ends


def test_the_lifecycle_signs_in_once_and_out_once(quatrix_emulator: EmulatorClient) -> None:
    outcome = run(example("quatrix_session_lifecycle"))
    assert outcome.state == "success"
    assert set(outcome.states.values()) == {"success"}
    assert {name for name in outcome.states if name.startswith("work[")} == {f"work[{index}]" for index in range(5)}
    assert (quatrix_emulator.logins, quatrix_emulator.counters["logouts"]) == (1, 1)
    assert quatrix_emulator.calls("GET", "profile") == 5
    assert quatrix_emulator.sessions == []


def test_the_lifecycle_signs_out_after_a_failure_in_the_middle(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.fault("profile", status=403, body={"code": 50, "msg": "Forbidden"}, after=2)
    outcome = run(example("quatrix_session_lifecycle"))
    assert outcome.state == "failed"
    assert sorted(state for name, state in outcome.states.items() if name.startswith("work[")) == [
        "failed",
        *["success"] * 4,
    ]
    assert (outcome.states["keepalive"], outcome.states["logout"]) == ("upstream_failed", "success")
    assert (quatrix_emulator.logins, quatrix_emulator.counters["logouts"]) == (1, 1)


def test_the_lifecycle_renews_a_session_that_ends_in_the_middle(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.fault("profile", status=401, body={"code": 70, "msg": "Not authorized"}, after=2)
    assert run(example("quatrix_session_lifecycle")).state == "success"
    assert (quatrix_emulator.logins, quatrix_emulator.counters["logouts"]) == (2, 1)


def test_the_gate_waits_for_a_person_without_any_login(
    quatrix_emulator: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

    QuatrixHook().get_conn()
    quatrix_emulator.block_user(EMAIL)
    assert QuatrixHook().captcha_blocked()
    before = quatrix_emulator.logins
    with once(lambda: quatrix_emulator.counters["captcha_refusals"] >= 3, lambda: quatrix_emulator.unblock_user(EMAIL)):
        outcome = run(example("quatrix_captcha_gate"))
    assert outcome.states == {"gate": "success", "work": "success"}
    assert quatrix_emulator.logins == before
    logged_cleanly(capfd)


def test_the_gate_is_open_where_nothing_is_blocked(quatrix_emulator: EmulatorClient) -> None:
    assert run(example("quatrix_captcha_gate")).states == {"gate": "success", "work": "success"}
    assert quatrix_emulator.logins == 1


def test_keepalive_keeps_what_there_is(quatrix_emulator: EmulatorClient) -> None:
    dag = example("quatrix_keepalive")
    for _ in range(2):
        assert run(dag).states == {"keepalive": "success"}
    assert (quatrix_emulator.logins, quatrix_emulator.calls("GET", "session/keepalive")) == (1, 2)


def test_the_canary_leaves_nothing_behind(quatrix_emulator: EmulatorClient) -> None:
    before = quatrix_emulator.files(EMAIL)
    outcome = run(example("quatrix_canary"))
    assert outcome.states == {"there_and_back": "success"}
    assert quatrix_emulator.counters["upload_bytes"] == quatrix_emulator.counters["download_bytes"] > 0
    assert quatrix_emulator.files(EMAIL) == before


def test_the_canary_fails_with_the_service(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.fault("upload/link", status=400, body={"code": 122, "msg": "Quota exceeded"})
    assert run(example("quatrix_canary")).states == {"there_and_back": "failed"}


@needs_people
def test_nobody_is_asked_where_nothing_is_blocked(quatrix_emulator: EmulatorClient) -> None:
    outcome = run(example("quatrix_person_in_the_loop"))
    assert outcome.states == {
        "is_anything_blocked": "success",
        "ask": "skipped",
        "gate": "skipped",
        "unblock": "skipped",
        "end_waiting": "skipped",
        "work": "success",
    }
    assert quatrix_emulator.logins == 1


@needs_people
def test_a_captcha_that_is_passed_in_the_browser_withdraws_the_question(quatrix_emulator: EmulatorClient) -> None:
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

    QuatrixHook().get_conn()
    quatrix_emulator.block_user(EMAIL)
    with once(lambda: quatrix_emulator.counters["captcha_refusals"] >= 4, lambda: quatrix_emulator.unblock_user(EMAIL)):
        outcome = run(example("quatrix_person_in_the_loop"))
    assert outcome.state == "success"
    assert outcome.states == {
        "is_anything_blocked": "success",
        "ask": "skipped",
        "gate": "success",
        "unblock": "skipped",
        "end_waiting": "success",
        "work": "success",
    }
    assert quatrix_emulator.logins == 1


@needs_watchers
def test_an_asset_is_watched_for_and_a_run_without_events_has_nothing_to_do(quatrix_emulator: EmulatorClient) -> None:
    dag = example("quatrix_arrivals")
    (asset,) = dag.timetable.asset_condition.objects
    (watcher,) = asset.watchers
    assert watcher.trigger.serialize()[1]["path"] == ["/partner/drop/*.csv"]
    quatrix_emulator.put_file(EMAIL, "/partner/drop/a.csv", b"1")
    outcome = run(dag)
    assert outcome.states == {"claim": "success", "handle": "success", "finish": "success"}
    assert [entry["path"] for entry in quatrix_emulator.files(EMAIL) if entry["type"] == "F"] == ["/partner/drop/a.csv"]
