from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, task
from dag_runs import MODES, logged_cleanly, new_dag, once, run, through_serialization

from airflow_provider_quatrix.decorators.files import quatrix_file_sensor_task
from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")


@pytest.mark.parametrize("mode", MODES)
def test_the_function_gets_the_files_and_its_answer_is_the_result(mode: str, quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.make_folder(EMAIL, "/in")
    with new_dag(params={"folder": "/in"}) as dag:

        @task.quatrix_file_sensor(path="{{ params.folder }}/*.csv", poke_interval=1, **MODES[mode])
        def arrived(
            files: list[dict[str, Any]], unit: str, *, factor: int = 1, run_id: str | None = None
        ) -> dict[str, Any]:
            """Sum up."""
            total = factor * sum(file["size"] for file in files)
            return {"names": [file["path"] for file in files], "total": f"{total} {unit}", "run": run_id}

        @task
        def shown(result: dict[str, Any]) -> str:
            return f"{result['total']} of {result['names']}"

        shown(arrived("{{ 'bytes' }}", factor=2))

    def arrive() -> None:
        quatrix_emulator.put_files(EMAIL, [{"path": "/in/a.csv", "size": 3}, {"path": "/in/b.csv", "size": 4}])

    with once(lambda: quatrix_emulator.calls("GET", "file/metadata/{id}") >= 2, arrive):
        outcome = run(dag)
    assert outcome.state == "success"
    assert outcome.tasks["arrived"].xcom["run"].startswith("manual__")
    assert outcome.tasks["shown"].xcom == "14 bytes of ['/in/a.csv', '/in/b.csv']"


@pytest.mark.parametrize("mode", MODES)
def test_what_the_function_raises_is_its_own_failure(
    mode: str, quatrix_emulator: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    with new_dag() as dag:

        @task.quatrix_file_sensor(path="/in/*", soft_fail=True, poke_interval=1, **MODES[mode])
        def arrived(files: list[dict[str, Any]]) -> None:
            raise AirflowException(f"{len(files)} file is not enough")

        arrived()
    # Only waiting in vain is skipped by soft_fail.
    assert run(dag).states == {"arrived": "failed"}
    assert "1 file is not enough" in logged_cleanly(capfd)


@pytest.mark.parametrize("mode", MODES)
def test_waiting_in_vain_never_calls_the_function(mode: str, quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.fault("file/*", status=403, body={"code": 50, "msg": "Restricted operation"}, times=None)
    with new_dag() as dag:

        @task.quatrix_file_sensor(path="/in/*", poke_interval=1, retries=2, retry_delay=timedelta(0), **MODES[mode])
        def arrived(files: list[dict[str, Any]]) -> None:
            raise AssertionError(files)

        arrived()
    arrived_ = run(dag).tasks["arrived"]
    assert (arrived_.state, arrived_.tries) == ("failed", 1)


@pytest.mark.parametrize("mode", MODES)
def test_the_function_may_be_mapped(mode: str, quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"12")
    with new_dag() as dag:

        @task.quatrix_file_sensor(path="/in/*", poke_interval=1, **MODES[mode])
        def arrived(files: list[dict[str, Any]], factor: int) -> int:
            return factor * sum(file["size"] for file in files)

        arrived.expand(factor=[1, 10])
    tasks = run(dag).tasks
    assert {name: done.xcom for name, done in tasks.items()} == {"arrived[0]": 2, "arrived[1]": 20}


def test_a_dictionary_may_become_several_results(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"12")
    with new_dag() as dag:

        @task.quatrix_file_sensor(path="/in/a.csv", multiple_outputs=True)
        def arrived(files: list[dict[str, Any]]) -> dict[str, Any]:
            return {"size": files[0]["size"]}

        @task
        def shown(size: int) -> int:
            return size

        shown(arrived()["size"])
    assert run(dag).tasks["shown"].xcom == 2


def test_the_function_needs_a_worker_and_a_place_for_the_files() -> None:
    with new_dag() as dag:

        @task.quatrix_file_sensor(path="/in/*", deferrable=True)
        def arrived(files: list[dict[str, Any]]) -> None: ...

        result = arrived()

        @task.quatrix_file_sensor(path="/in/*")
        def nothing() -> None: ...

        with pytest.raises(TypeError, match="write def nothing"):
            nothing()
    assert not result.operator.start_from_trigger
    assert through_serialization(dag).get_task("arrived").task_type == "QuatrixFileSensorDecoratedOperator"


def test_the_decorator_may_be_imported_by_its_name(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"12")
    with new_dag() as dag:

        @quatrix_file_sensor_task(path="/in/*")
        def arrived(files: list[dict[str, Any]]) -> int:
            return len(files)

        arrived()
    assert run(dag).tasks["arrived"].xcom == 1
