from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from dag_runs import AIRFLOW_3, once, run

from airflow_provider_quatrix.pytest_plugin import EMAIL

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow 2
    from airflow.models.dagbag import DagBag

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

DAGS = Path(__file__).parents[2] / "dags"
ANNA, BO = "anna@example.com", "bo@example.com"


needs_people = pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 asks nobody")


def load(dag_id: str) -> Any:
    """Read a DAG file as Airflow does, and return its DAG."""
    bag = DagBag(str(DAGS / f"{dag_id}.py"))
    assert bag.import_errors == {}
    return bag.dags[dag_id]


def test_share_receipt_and_end(quatrix_emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUATRIX_EXAMPLE_RECIPIENTS", f"{ANNA}, {BO}")
    dag = load("quatrix_share")
    assert quatrix_emulator.requests == 0
    quatrix_emulator.put_file(EMAIL, "/reports/report.csv", b"1,2,3\n")

    def download() -> None:
        for mail in quatrix_emulator.mails:
            quatrix_emulator.download_share(mail["share_id"], mail["to"])

    with once(lambda: quatrix_emulator.calls("GET", "tracking/files/{id}") >= 3, download):
        outcome = run(dag)
    assert outcome.states == {"share": "success", "receipt": "success", "revoke": "success"}
    downloads = outcome.tasks["receipt"].xcom
    assert [(each["recipient"], each["file"], each["size"]) for each in downloads] == [
        (ANNA, "report.csv", 6),
        (BO, "report.csv", 6),
    ]
    (share,) = quatrix_emulator.shares
    assert (share["type"], share["status"], share["recipients"]) == ("C", "D", [ANNA, BO])
    assert len(quatrix_emulator.mails) == 2
    assert quatrix_emulator.logins == 1


@pytest.fixture
def collect(quatrix_emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("QUATRIX_EXAMPLE_RECIPIENTS", ANNA)
    monkeypatch.setenv("QUATRIX_EXAMPLE_PATIENCE", "3")
    dag = load("quatrix_collect")
    assert quatrix_emulator.requests == 0
    return dag


def hand_in(emulator: EmulatorClient) -> None:
    emulator.put_file(EMAIL, f"{emulator.shares[-1]['folder']}/orders.csv", b"1")


def test_what_is_asked_for_arrives(collect: Any, quatrix_emulator: EmulatorClient) -> None:
    with once(lambda: bool(quatrix_emulator.shares), lambda: hand_in(quatrix_emulator)):
        outcome = run(collect)
    assert outcome.states == {
        "ask": "success",
        "arrived": "success",
        "remind": "skipped",
        "arrived_late": "skipped",
        "end": "success",
        "end_reminder": "skipped",
    }
    assert [(share["kind"], share["status"]) for share in quatrix_emulator.shares] == [("request", "D")]
    assert outcome.tasks["arrived"].xcom[0]["path"].endswith("/orders.csv")


def test_a_reminder_is_sent_when_nothing_has_come(collect: Any, quatrix_emulator: EmulatorClient) -> None:
    # Only a scheduler ends a wait in the triggerer.
    collect.task_dict["arrived"].deferrable = False
    with once(lambda: len(quatrix_emulator.shares) == 2, lambda: hand_in(quatrix_emulator)):
        outcome = run(collect)
    assert outcome.states == {
        "ask": "success",
        "arrived": "skipped",
        "remind": "success",
        "arrived_late": "success",
        "end": "success",
        "end_reminder": "success",
    }
    assert [(share["kind"], share["status"]) for share in quatrix_emulator.shares] == [("request", "D")] * 2


@pytest.fixture
def approved_share(quatrix_emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("QUATRIX_EXAMPLE_RECIPIENTS", ANNA)
    quatrix_emulator.put_file(EMAIL, "/reports/report.csv", b"1,2,3\n")
    return load("quatrix_approved_share")


class Question:
    """What a task of a DAG asks a person, and the person's answer, as Airflow's REST API takes it."""

    def __init__(self, dag_id: str, task_id: str) -> None:
        self._dag_id, self._task_id = dag_id, task_id
        self._run_id = self.subject = self.body = ""

    def is_asked(self) -> bool:
        """Return whether the task waits for the answer; learn what it asks."""
        from airflow.models.hitl import HITLDetail
        from airflow.utils.session import create_session

        with create_session() as session:
            for asked in session.query(HITLDetail):
                task = asked.task_instance
                if (task.dag_id, task.task_id, task.state) == (self._dag_id, self._task_id, "awaiting_input"):
                    self._run_id, self.subject, self.body = task.run_id, asked.subject, asked.body
        return bool(self._run_id)

    def answer(self, option: str) -> None:
        from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
        from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
        from airflow.utils.session import create_session

        user: Any = SimpleNamespace(get_id=lambda: "someone", get_name=lambda: "Someone")
        with create_session() as session:
            update_hitl_detail(
                dag_id=self._dag_id,
                dag_run_id=self._run_id,
                task_id=self._task_id,
                update_hitl_detail_payload=UpdateHITLDetailPayload(chosen_options=[option]),
                user=user,
                session=session,
            )


@needs_people
def test_what_is_approved_is_shared(approved_share: Any, quatrix_emulator: EmulatorClient) -> None:
    question = Question("quatrix_approved_share", "approve")
    with once(question.is_asked, lambda: question.answer("Approve")):
        outcome = run(approved_share)
    assert ANNA in question.subject
    assert "`/reports/report.csv`, 6 bytes" in question.body
    assert outcome.states == {"found": "success", "approve": "success", "share": "success"}
    (share,) = quatrix_emulator.shares
    assert (share["type"], share["recipients"]) == ("C", [ANNA])
    assert [file["name"] for file in share["files"]] == ["report.csv"]


@needs_people
def test_what_is_rejected_is_not_shared_and_the_run_says_so(
    approved_share: Any, quatrix_emulator: EmulatorClient
) -> None:
    question = Question("quatrix_approved_share", "approve")
    with once(question.is_asked, lambda: question.answer("Reject")):
        outcome = run(approved_share)
    assert outcome.state == "failed"
    assert outcome.states == {"found": "success", "approve": "failed", "share": "upstream_failed"}
    assert outcome.tasks["approve"].tries == 1
    assert quatrix_emulator.shares == []
    assert quatrix_emulator.mails == []
