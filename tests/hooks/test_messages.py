"""What a person is told who has made a common mistake."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowNotFoundException, task
from dag_runs import AIRFLOW_3, new_dag

from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.fs.quatrix import QuatrixFileSystem
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook, UnknownConnectionError
from airflow_provider_quatrix.operators.files import QuatrixDownloadOperator, QuatrixListOperator, QuatrixUploadOperator
from airflow_provider_quatrix.operators.session import QuatrixLoginOperator
from airflow_provider_quatrix.operators.transfer import QuatrixTransferOperator
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.sensors.files import QuatrixFileSensor
from airflow_provider_quatrix.sessions.explanations import short_reason
from airflow_provider_quatrix.transfer.places import Place

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

NO_CONNECTION = "There is no connection 'quatrix_defualt': correct quatrix_conn_id, or make the connection"


def test_a_mistyped_connection_id_fails_at_once() -> None:
    arguments: dict[str, Any] = {"task_id": "task", "quatrix_conn_id": "quatrix_defualt"}
    with new_dag():
        operators = [
            QuatrixListOperator(**arguments),
            QuatrixLoginOperator(**{**arguments, "task_id": "login"}),
            QuatrixFileSensor(**{**arguments, "task_id": "wait"}, path="/in/*"),
        ]
    for operator in operators:
        with pytest.raises(AirflowFailException, match=NO_CONNECTION):
            operator.execute({})
    with pytest.raises(AirflowNotFoundException) as caught:
        QuatrixHook("quatrix_defualt").get_conn()
    assert isinstance(caught.value, UnknownConnectionError)
    assert QuatrixHook("quatrix_defualt").test_connection() == (False, f"Connection: {NO_CONNECTION}")


def test_a_url_as_a_path_gets_a_hint_before_anything_is_sent(quatrix_emulator: EmulatorClient) -> None:
    with new_dag():
        with pytest.raises(ValueError, match=r"path is .*: give the path alone, '/in', and .* quatrix_conn_id='acme'"):
            QuatrixListOperator(task_id="list", path="quatrix://acme@/in")
        with pytest.raises(ValueError, match=r"target is .*: give the path alone, '/in/a'$"):
            QuatrixUploadOperator(task_id="up", source="/a", target="quatrix:///in/a")
        with pytest.raises(ValueError, match=r"target is 's3://b/k': .*QuatrixTransferOperator, which takes URLs"):
            QuatrixDownloadOperator(task_id="down", source="/a", target="s3://b/k")
        QuatrixTransferOperator(task_id="both", source="s3://b/k", target="quatrix://acme@/in/")
    with pytest.raises(InvalidPathError, match="path is 'quatrix://acme@/in': give the path alone"):
        QuatrixHook().list_files("quatrix://acme@/in")
    assert quatrix_emulator.requests == 0


def test_a_connection_without_its_sign_is_recognised() -> None:
    meant = r"did you mean quatrix://quatrix_default@/x\?.* write three slashes, quatrix:///quatrix_default/x"
    with pytest.raises(InvalidPathError, match=meant):
        Place.of("quatrix://quatrix_default/x", "source")
    with pytest.raises(InvalidPathError, match=meant):
        QuatrixFileSystem("quatrix_default").exists("quatrix://quatrix_default/x")


@pytest.mark.parametrize("create_parents", [False, True])
def test_a_local_file_in_place_of_a_folder_is_no_missing_folder(
    create_parents: bool, quatrix_emulator: EmulatorClient, tmp_path: Path
) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a", b"a")
    (tmp_path / "file").write_text("mine")
    for target in (tmp_path / "file" / "a", f"{tmp_path}/file/"):
        with pytest.raises(NotADirectoryError, match="/file' is a local file, and no folder: correct the target"):
            QuatrixHook().download("/in/a", target, create_parents=create_parents)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_missing_local_file_names_host_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        QuatrixHook().upload("report.csv", "/in/")
    assert f"'report.csv' on host {socket.gethostname()}, in '{tmp_path}': correct the path" in str(caught.value)


def test_a_missing_folder_names_what_makes_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    with pytest.raises(FileNotFoundError, match="no folder '/new': make it first, or set create_parents=True"):
        QuatrixHook().upload(tmp_path / "a", "/new/")


@pytest.mark.parametrize("template", ["{{ data_interval_start }}", "{{ ds }}/x"])
def test_a_date_that_the_run_has_not_is_told_with_what_it_has(template: str) -> None:
    with new_dag():
        sensor = QuatrixFileSensor(task_id="wait", path="/in/*", newer_than=template)
        upload = QuatrixUploadOperator(task_id="up", source=template, target="/in/")
        login = QuatrixLoginOperator(task_id="login", mfa_code=template)
    for each in (sensor, upload, login):
        with pytest.raises(AirflowFailException, match=r"has no logical date.*Write {{ dag_run.run_after }}"):
            each.render_template_fields({})


def test_what_every_run_has_is_a_moment() -> None:
    with new_dag():
        sensor = QuatrixFileSensor(task_id="wait", path="/in/*", newer_than="{{ dag_run.run_after }}")
    sensor.render_template_fields({"dag_run": type("Run", (), {"run_after": "2026-11-25 01:02:03.4+00:00"})()})
    assert sensor.poll() is False


def test_other_names_that_a_template_lacks_are_left_to_airflow() -> None:
    with new_dag():
        sensor = QuatrixFileSensor(task_id="wait", path="{{ no_such_name }}")
    with pytest.raises(Exception, match="'no_such_name' is undefined") as caught:
        sensor.render_template_fields({})
    assert "logical date" not in str(caught.value)


def test_a_function_for_the_files_needs_an_argument() -> None:
    with new_dag():

        @task.quatrix_file_sensor(path="/in/*")
        def arrived() -> None: ...

        with pytest.raises(TypeError, match=r"passes the files to arrived, .* write def arrived\(files\)"):
            arrived()


def test_out_of_reach_is_told_without_names_of_exceptions() -> None:
    assert short_reason(ImportError("cannot import name 'SUPERVISOR_COMMS'")) == "outside of a task"
    assert short_reason(TimeoutError()) == "TimeoutError"


def test_a_call_at_the_top_of_a_dag_file_is_told(
    quatrix_emulator: EmulatorClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if AIRFLOW_3:
        from airflow.dag_processing.dagbag import DagBag
    else:
        from airflow.models.dagbag import DagBag
    hook = "from airflow_provider_quatrix.hooks.quatrix import QuatrixHook\n"
    (tmp_path / "top_dag.py").write_text(
        "from airflow.providers.common.compat.sdk import DAG\n"
        f"{hook}"
        "with DAG('top', schedule=None):\n"
        "    QuatrixHook().exists('/a')\n"
    )
    (tmp_path / "good_dag.py").write_text(
        "from airflow.providers.common.compat.sdk import DAG\n"
        f"{hook}"
        "with DAG('good', schedule=None):\n"
        "    QuatrixHook()\n"
    )
    with caplog.at_level(logging.WARNING):
        bag = DagBag(str(tmp_path), **({} if AIRFLOW_3 else {"include_examples": False}))
    assert bag.import_errors == {}
    told = [record.getMessage() for record in caplog.records if "Quatrix" in record.getMessage()]
    assert len(told) == 1
    assert told[0].startswith(f"{tmp_path}/top_dag.py, line 4 calls Quatrix as connection 'quatrix_default' outside")
    assert "signs in at every parse" in told[0]
    assert quatrix_emulator.logins == 1
    caplog.clear()
    QuatrixHook().exists("/a")
    assert not [record for record in caplog.records if "parse" in record.getMessage()]
