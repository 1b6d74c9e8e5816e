"""Tasks lead to Quatrix by a button."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from dag_runs import new_dag, run, through_serialization

from airflow_provider_quatrix.get_provider_info import get_provider_info
from airflow_provider_quatrix.links.quatrix import CAPTCHA, FILES, address_of
from airflow_provider_quatrix.operators.files import QuatrixDownloadOperator, QuatrixListOperator, QuatrixUploadOperator
from airflow_provider_quatrix.operators.session import QuatrixLoginOperator
from airflow_provider_quatrix.operators.transfer import QuatrixTransferOperator
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.sensors.captcha import QuatrixCaptchaSensor
from airflow_provider_quatrix.sensors.files import QuatrixFileSensor

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")


class Kept:
    """A task instance that keeps what is pushed."""

    dag_id, task_id, run_id, map_index, try_number, max_tries = "dag", "task", "run", -1, 1, 0

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("/in/a.csv", "in/a.csv"),
        ("in/a b#/", "in/a%20b%23"),
        (PurePosixPath("/in"), "in"),
        ("/in/**/*.csv", "in"),
        ([{"path": "/in/ü"}, "/other"], "in/%C3%BC"),
        ("quatrix://acme@/in/x", "in/x"),
        ("quatrix:///in/x", "in/x"),
        ([], ""),
        (None, ""),
    ],
)
def test_the_address_tells_the_path(value: Any, path: str) -> None:
    assert address_of("https://acme.example", value) == f"https://acme.example/#/{path}"


def test_every_task_has_its_buttons(quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    with new_dag() as dag:
        up = QuatrixUploadOperator(task_id="up", source=str(tmp_path / "a"), target="/in/b", create_parents=True)
        wait = QuatrixFileSensor(task_id="wait", path="/in/*", poke_interval=1)
        down = QuatrixDownloadOperator(
            task_id="down", source=["/in/b"], target=str(tmp_path / "c/"), create_parents=True
        )
        both = QuatrixTransferOperator(task_id="both", source="/in/b", target=f"file://{tmp_path}/d")
        gone = QuatrixListOperator(task_id="gone", path="/gone")
        up >> wait >> down >> both >> gone
    outcome = run(dag)
    assert outcome.states == {**dict.fromkeys(["up", "wait", "down", "both"], "success"), "gone": "failed"}
    seen = {
        task.task_id: shown(dag, task.task_id, FILES.name) for task in through_serialization(dag).task_dict.values()
    }
    url = quatrix_emulator.url
    assert seen == {
        "up": f"{url}/#/in/b",
        "wait": f"{url}/#/in",
        "down": f"{url}/#/in/b",
        "both": f"{url}/#/in/b",
        "gone": f"{url}/#/gone",
    }
    assert not any(shown(dag, task_id, CAPTCHA.name) for task_id in seen)


def shown(dag: Any, task_id: str, name: str) -> Any:
    """What the interface shows, which knows the DAG as it is stored."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    task = through_serialization(dag).get_task(task_id)
    with create_session() as session:
        ti = session.query(TaskInstance).filter_by(dag_id=dag.dag_id, task_id=task_id).one()
        return task.get_extra_links(ti, name)


def test_a_block_shows_the_page_to_pass_it_at_once(quatrix_emulator: EmulatorClient) -> None:
    with new_dag():
        listing = QuatrixListOperator(task_id="list")
        login = QuatrixLoginOperator(task_id="login")
        gate = QuatrixCaptchaSensor(task_id="gate", poke_interval=1, timeout=0)
        wait = QuatrixFileSensor(task_id="wait", path="/in/*", poke_interval=1)
    quatrix_emulator.block_user(EMAIL)
    for task in (listing, login, gate, wait):
        ti = Kept()
        with pytest.raises(Exception, match="CAPTCHA"):
            task.execute({"ti": ti})
        assert ti.pushed[CAPTCHA.xcom_key] == f"{quatrix_emulator.url}/", task
    quatrix_emulator.unblock_user(EMAIL)
    ti = Kept()
    gate.execute({"ti": ti})
    assert not ti.pushed.get(CAPTCHA.xcom_key)
    assert CAPTCHA.get_link(gate, ti_key=None) == ""


def test_no_task_fails_for_a_button(quatrix_emulator: EmulatorClient) -> None:
    class Broken(Kept):
        def xcom_push(self, key: str, value: Any) -> None:
            raise ConnectionError

    with new_dag():
        gate = QuatrixCaptchaSensor(task_id="gate")
    CAPTCHA.write(gate, {"ti": Broken()}, "https://acme.example/", at_once=True)
    assert CAPTCHA.get_link(gate, ti_key=None) == "https://acme.example/"


def test_airflow_knows_the_links() -> None:
    paths = {f"{type(link).__module__}.{type(link).__qualname__}" for link in (FILES, CAPTCHA)}
    assert set(get_provider_info()["extra-links"]) == paths
