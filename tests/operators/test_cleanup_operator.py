from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import task
from dag_runs import new_dag, run

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.operators.cleanup import QuatrixCleanupOperator
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.sessions.stores import MemoryStore

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

DAY = 24 * 60 * 60
PART, YOUNG = ".0123456789abcdef01234567.quatrix-part", ".0123456789abcdef01234568.quatrix-part"
NAME = f"{7:032x}"


def sealed(hook: QuatrixHook, age: float) -> str:
    """Return the text of a note of some age."""
    return hook._cipher._fernet.encrypt_at_time(b"note", int(time.time() - age)).decode()


def there(emulator: EmulatorClient) -> list[str]:
    return [entry["path"] for entry in emulator.files(EMAIL) if entry["type"] == "F"]


@pytest.mark.parametrize("dry_run", [False, True])
def test_only_old_parts_below_the_folder_are_removed(quatrix_emulator: EmulatorClient, dry_run: bool) -> None:
    others = [f"/else/{PART}", f"/in/{PART}.csv", "/in/a.csv", f"/Trash/{PART}"]
    old = [f"/in/{PART}", f"/in/deep/er/{PART}"]
    for path in (*others, *old):
        quatrix_emulator.put_file(EMAIL, path, b"half", modified=1_000_000_000)
    quatrix_emulator.advance(2 * DAY)
    # As one that is finished, and about to be moved, has its source's time.
    quatrix_emulator.put_file(EMAIL, f"/in/{YOUNG}", b"whole", modified=1_000_000_000)
    cleaned = QuatrixHook().cleanup("/in", older_than=DAY, dry_run=dry_run)
    assert sorted(cleaned.paths) == old
    assert (cleaned.bytes, cleaned.checkpoints) == (8, 0)
    assert there(quatrix_emulator) == sorted([*others, f"/in/{YOUNG}", *(old if dry_run else [])])


@pytest.mark.parametrize("dry_run", [False, True])
def test_only_old_notes_of_the_connection_are_deleted(
    quatrix_connection: QuatrixConnection, monkeypatch: pytest.MonkeyPatch, dry_run: bool
) -> None:
    monkeypatch.setenv("AIRFLOW__QUATRIX__SESSION_STORE", "memory")
    hook = QuatrixHook(quatrix_connection)
    kept = {
        f"quatrix_default__{8:032x}": sealed(hook, 0),
        f"quatrix_default__no_note_{NAME}": sealed(hook, 2 * DAY),
        f"quatrix_default__other__{NAME}": sealed(hook, 2 * DAY),
        f"other__{NAME}": sealed(hook, 2 * DAY),
        f"quatrix_default__{9:032x}": "not sealed",
    }
    old = {f"quatrix_default__{NAME}": sealed(hook, 2 * DAY)}
    MemoryStore._texts.update(kept | old)
    assert hook.cleanup(older_than=DAY, dry_run=dry_run).checkpoints == 1
    left = {name: text for name, text in MemoryStore._texts.items() if name in {*kept, *old}}
    assert left == (kept | old if dry_run else kept)


def test_notes_are_found_among_airflows_variables(quatrix_connection: QuatrixConnection) -> None:
    name, other = f"quatrix_upload__quatrix_default__{NAME}", f"quatrix_upload__other__{NAME}"
    text = sealed(QuatrixHook(quatrix_connection), 8 * DAY)
    with new_dag() as dag:

        @task
        def notes_of_another_week() -> None:
            from airflow.providers.common.compat.sdk import Variable

            for each in (name, other):
                Variable.set(each, text)

        @task
        def left() -> list[bool]:
            from airflow.providers.common.compat.sdk import Variable

            return [Variable.get(each, None) is None for each in (name, other)]

        clean_up = QuatrixCleanupOperator(task_id="clean_up", path="{{ '/' }}")
        notes_of_another_week() >> clean_up >> left()
    outcome = run(dag)
    assert outcome.state == "success"
    assert outcome.tasks["clean_up"].xcom == {"files": 0, "bytes": 0, "checkpoints": 1}
    assert outcome.tasks["left"].xcom == [True, False]


def test_a_store_that_tells_no_names_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__QUATRIX__SESSION_STORE", "airflow_provider_quatrix.sessions.stores.MemoryStore")
    assert QuatrixHook().cleanup().checkpoints == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"older_than": -1}, "older_than is -1: give a number of seconds, 0 or more"),
        ({"older_than": "1 day"}, "older_than is '1 day'"),
        ({"path": ""}, "path is empty: give a path"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_read(arguments: dict[str, Any], says: str) -> None:
    with new_dag(), pytest.raises(ValueError, match=says):
        QuatrixCleanupOperator(task_id="task", **arguments)
