"""The operators that share, ask for files and end both, in DAGs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import task
from dag_runs import logged_cleanly, new_dag, run, through_serialization
from known_secrets import KnownSecrets, database_columns, log_files

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.hooks.share_arguments import InvalidShareError
from airflow_provider_quatrix.operators.shares import (
    QuatrixFileRequestOperator,
    QuatrixRevokeShareOperator,
    QuatrixShareOperator,
)
from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

ANNA = "anna@example.com"
PIN = "Pin-24680-of-anna"


@pytest.fixture(autouse=True)
def files(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/out/a.csv", b"12345")
    quatrix_emulator.add_contact(EMAIL, ANNA, "Anna")


def lose_first_success() -> Callable[..., None]:
    """Return what ends the first try of a task when its work is done, before Airflow records it."""

    def lose(context: Any, result: Any = None) -> None:
        if context["ti"].try_number == 1:
            raise RuntimeError("the worker was lost")

    return lose


def secret_values(emulator: EmulatorClient) -> KnownSecrets:
    secrets = KnownSecrets()
    secrets.add("PIN", PIN)
    for share in emulator.shares:
        secrets.add("id of a share", share["id"])
    return secrets


def test_share_and_revoke(quatrix_emulator: EmulatorClient) -> None:
    with new_dag() as dag:
        share = QuatrixShareOperator(
            task_id="share",
            paths="/out/*.csv",
            recipients=["{{ params.partner }}"],
            subject="For {{ params.partner }}",
            expires="{{ '2099-01-01T00:00:00Z' }}",
            share_type="{{ 'restricted' }}",
            notify="{{ True }}",
            params={"partner": ANNA},
        )
        ask = QuatrixFileRequestOperator(task_id="ask", folder="/in", recipients=ANNA, create_parents=True)
        ends = [QuatrixRevokeShareOperator(task_id=f"end_{each.task_id}", share=each.output) for each in (share, ask)]
        share >> ask >> ends[0] >> ends[1]
    outcome = run(dag)
    assert outcome.state == "success"
    shared, asked = quatrix_emulator.shares
    assert (shared["recipients"], shared["subject"], shared["type"]) == ([ANNA], f"For {ANNA}", "C")
    assert (asked["kind"], asked["folder"]) == ("request", "/in")
    assert (shared["status"], asked["status"]) == ("D", "D")
    result = outcome.tasks["share"].xcom
    assert (result["expires"], result["kind"]) == ("2099-01-01T00:00:00+00:00", "share")
    assert [file["path"] for file in result["files"]] == ["/out/a.csv"]
    assert outcome.tasks["ask"].xcom["folder"] == "/in"
    assert [outcome.tasks[f"end_{name}"].xcom for name in ("share", "ask")] == [True, True]
    assert quatrix_emulator.logins == 1


def test_a_task_shares_once_when_its_success_was_lost(quatrix_emulator: EmulatorClient) -> None:
    again: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(0), "post_execute": lose_first_success()}
    with new_dag() as dag:
        QuatrixShareOperator(task_id="share", paths="/out/a.csv", recipients=ANNA, pin="{{ 'Pin' ~ 24680 }}", **again)
        QuatrixFileRequestOperator(task_id="ask", folder="/out", recipients=ANNA, **again)
    outcome = run(dag)
    assert {name: (task.state, task.tries) for name, task in outcome.tasks.items()} == {
        "share": ("success", 2),
        "ask": ("success", 2),
    }
    assert sorted(share["kind"] for share in quatrix_emulator.shares) == ["request", "share"]
    # A job tells those who are asked for files.
    quatrix_emulator.advance(60)
    assert len(quatrix_emulator.mails) == 2
    # The next run shares anew.
    assert run(dag).state == "success"
    assert len(quatrix_emulator.shares) == 4


@pytest.mark.parametrize("pin", [PIN, "{{ dag_run.conf.get('pin', '') or var.value.partner_pin }}"])
def test_a_pin_is_written_down_nowhere(
    quatrix_emulator: EmulatorClient,
    airflow_db: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    pin: str,
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_PARTNER_PIN", PIN)
    with new_dag() as dag:
        share = QuatrixShareOperator(
            task_id="share",
            paths="/out/a.csv",
            recipients=ANNA,
            pin=pin,
            retries=1,
            retry_delay=timedelta(0),
            pre_execute=fail_first,
        )
    assert PIN not in repr(share)
    assert through_serialization(dag).get_task("share").pin == (pin if "{" in pin else "***")
    outcome = run(dag)
    assert (outcome.state, outcome.tasks["share"].tries) == ("success", 2)
    (stored,) = quatrix_emulator.shares
    assert stored["has_pin"]
    assert quatrix_emulator.download_share(stored["id"], ANNA, PIN) == ["a.csv"]
    searched = [*database_columns(airflow_db), *log_files(airflow_db.parent / "logs")]
    searched.append(("standard output", logged_cleanly(capfd).encode()))
    assert [
        hit for where, content in searched for hit in secret_values(quatrix_emulator).found_in(where, content)
    ] == []


def fail_first(context: Any) -> None:
    if context["ti"].try_number == 1:
        raise RuntimeError("not yet")


def test_a_short_pin_is_not_in_the_rendered_fields(quatrix_emulator: EmulatorClient, airflow_db: Path) -> None:
    # Airflow's own masking leaves texts of four characters as they are.
    with new_dag() as dag:
        QuatrixShareOperator(task_id="share", paths="/out/a.csv", recipients=ANNA, pin="{{ 9 * 9 * 98 }}")
    assert run(dag).state == "success"
    assert quatrix_emulator.download_share(quatrix_emulator.shares[0]["id"], ANNA, "7938") == ["a.csv"]
    rendered = dict(database_columns(airflow_db))["rendered_task_instance_fields.rendered_fields"]
    assert b'"pin": "***"' in rendered
    assert b"7938" not in rendered


def test_a_mapped_share(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.add_contact(EMAIL, "bo@example.com", "Bo")

    @task
    def partners() -> list[str]:
        return [ANNA, "bo@example.com"]

    with new_dag() as dag:
        QuatrixShareOperator.partial(task_id="share", paths="/out/a.csv", pin="{{ 'Pin' ~ 24680 }}").expand(
            recipients=partners()
        )
    assert run(dag).state == "success"
    assert sorted(share["recipients"] for share in quatrix_emulator.shares) == [[ANNA], ["bo@example.com"]]
    assert all(share["has_pin"] for share in quatrix_emulator.shares)


PARSED: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    (QuatrixShareOperator, {"paths": "/a"}, "recipients is empty"),
    (QuatrixShareOperator, {"paths": "", "recipients": ANNA}, "paths is empty: give a path"),
    (QuatrixShareOperator, {"paths": "s3://b/k", "recipients": ANNA}, "paths is 's3://b/k'"),
    (QuatrixShareOperator, {"paths": "/a", "recipients": "anna"}, "recipients has 'anna'"),
    (QuatrixShareOperator, {"paths": "/a", "recipients": ANNA, "quicklink": True}, "both given"),
    (QuatrixShareOperator, {"paths": "/a", "recipients": ANNA, "pin": ""}, "pin is empty"),
    (QuatrixShareOperator, {"paths": "/a", "recipients": ANNA, "expires": "soon"}, "expires is 'soon'"),
    (QuatrixShareOperator, {"paths": "/a", "recipients": ANNA, "share_type": "secret"}, "share_type is 'secret'"),
    (QuatrixShareOperator, {"paths": "/a", "recipients": ANNA, "subject": "x" * 501}, "subject has 501 characters"),
    (QuatrixShareOperator, {"paths": "/a", "recipients": ANNA, "notify": "perhaps"}, "notify is 'perhaps'"),
    (QuatrixFileRequestOperator, {"folder": "/a", "recipients": []}, "recipients is empty"),
    (QuatrixFileRequestOperator, {"folder": "", "recipients": ANNA}, "folder is empty"),
    (QuatrixRevokeShareOperator, {"share": ""}, "share is empty"),
    (QuatrixRevokeShareOperator, {"share": {"path": "/a"}}, "without a reference"),
]


@pytest.mark.parametrize(("operator", "arguments", "message"), PARSED)
def test_bad_input_is_refused_while_the_dag_is_parsed(
    operator: Callable[..., Any], arguments: dict[str, Any], message: str, quatrix_emulator: EmulatorClient
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        operator(task_id="task", **arguments)
    assert isinstance(caught.value, InvalidShareError | ValueError)
    assert quatrix_emulator.requests == 0


RENDERED: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    (QuatrixShareOperator, {"paths": "/out/a.csv", "recipients": "{{ 'anna' }}"}, "recipients has 'anna'"),
    (QuatrixShareOperator, {"paths": "/out/a.csv", "recipients": "{{ '' }}"}, "recipients is empty"),
    (QuatrixShareOperator, {"paths": "/out/a.csv", "recipients": ANNA, "pin": "{{ '' }}"}, "pin is empty"),
    (
        QuatrixShareOperator,
        {"paths": "/out/a.csv", "recipients": ANNA, "expires": "{{ '2020-01-01T00:00:00Z' }}"},
        "expires is 2020-01-01T00:00:00Z, in the past",
    ),
    (QuatrixShareOperator, {"paths": "/out/a.csv", "recipients": "bo@example.com"}, "set create_contacts=True"),
    (QuatrixFileRequestOperator, {"folder": "/gone", "recipients": ANNA}, "There is no folder '/gone'"),
    (QuatrixRevokeShareOperator, {"share": "{{ '5e0d' }}"}, "share is no reference that connection 'quatrix_default'"),
]


@pytest.mark.parametrize(("operator", "arguments", "message"), RENDERED)
def test_bad_input_that_a_template_gives_fails_once_with_one_line(
    operator: Callable[..., Any],
    arguments: dict[str, Any],
    message: str,
    quatrix_emulator: EmulatorClient,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with new_dag() as dag:
        operator(task_id="task", retries=0, **arguments)
    assert run(dag).states == {"task": "failed"}
    assert message in logged_cleanly(capfd)
    assert quatrix_emulator.shares == []


def test_a_changed_password_voids_references(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection, capfd: pytest.CaptureFixture[str]
) -> None:
    shared = QuatrixHook().share("/out/a.csv", ANNA)
    quatrix_emulator.add_user(EMAIL, "another-Passw0rd")
    quatrix_connection(password="another-Passw0rd")
    with new_dag() as dag:
        QuatrixRevokeShareOperator(task_id="end", share=shared["reference"])
    assert run(dag).states == {"end": "failed"}
    assert "A change of its host, login, password or API key voids earlier ones" in logged_cleanly(capfd)
