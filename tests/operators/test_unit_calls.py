"""``execute({})`` works for every operator and sensor, as in the unit tests of those who write DAGs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_quatrix.get_provider_info import get_provider_info
from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

CLASSES = {
    name: value
    for kind in ("operators", "sensors")
    for module in get_provider_info()[kind][0]["python-modules"]
    for name, value in vars(import_module(module)).items()
    if isinstance(value, type) and value.__module__ == module and not name.startswith("_")
}
MIRROR = {"if_exists": "update", "delete_extra": True, "create_parents": True}
# Stands for a quicklink that somebody has downloaded.
SHARED = "<shared>"
# The arguments of each, where {} is a local folder, and what it gives: a value, or the number of its results.
CALLS: dict[str, list[tuple[dict[str, Any], Any]]] = {
    "QuatrixLoginOperator": [({}, 4)],
    "QuatrixKeepaliveOperator": [({}, None)],
    "QuatrixLogoutOperator": [({}, None)],
    "QuatrixUnblockCaptchaOperator": [({"token": "passed"}, None)],
    "QuatrixUploadOperator": [
        ({"source": "{}/out/*.csv", "target": "/in/"}, 2),
        ({"source": "{}/out", "target": "/copy", **MIRROR}, 2),
    ],
    "QuatrixDownloadOperator": [
        ({"source": "/in/old/*.csv", "target": "{}/got/", "create_parents": True}, 1),
        ({"source": "/in/old", "target": "{}/mirror", **MIRROR}, 1),
    ],
    "QuatrixTransferOperator": [({"source": "/in/old/a.csv", "target": "file://{}/moved.csv"}, 6)],
    "QuatrixListOperator": [({"path": "/in", "recursive": True}, 2)],
    "QuatrixMoveOperator": [({"source": "/in/old/*.csv", "target": "/in/"}, 1)],
    "QuatrixCopyOperator": [({"source": "/in/old/a.csv", "target": "/in/b.csv"}, 4)],
    "QuatrixMakeDirectoryOperator": [({"path": "/in/new", "exist_ok": False}, 2)],
    "QuatrixDeleteOperator": [({"path": ["/in/old/*.csv"]}, "deleted")],
    "QuatrixCleanupOperator": [({}, 3)],
    "QuatrixShareOperator": [
        ({"paths": "/in/old/*.csv", "recipients": "anna@example.com", "create_contacts": True}, 9),
        ({"paths": "/in/old/a.csv", "quicklink": True}, 9),
    ],
    "QuatrixFileRequestOperator": [({"folder": "/in", "recipients": "anna@example.com", "create_contacts": True}, 4)],
    "QuatrixRevokeShareOperator": [({"share": SHARED}, "revoked")],
    "QuatrixAuditExportOperator": [
        (
            {
                "target": "{}/audit/",
                "create_parents": True,
                "start": "2026-01-01T00:00:00Z",
                "end": "2026-01-02T00:00:00Z",
            },
            5,
        )
    ],
    "QuatrixShareDownloadedSensor": [({"share": SHARED, "recipients": 1}, 1)],
    "QuatrixCaptchaSensor": [({}, None)],
    "QuatrixFileSensor": [({"path": "/in/old/*.csv"}, 1), ({"path": "/in/old/a.csv", "mode": "reschedule"}, 1)],
}


def filled(value: Any, folder: Path) -> Any:
    return value.replace("{}", str(folder)) if isinstance(value, str) else value


def shared(emulator: EmulatorClient) -> Any:
    result = CLASSES["QuatrixShareOperator"](task_id="share", paths="/in/old/a.csv", quicklink=True).execute({})
    emulator.download_share(emulator.shares[0]["id"])
    return result


def test_every_class_is_tried() -> None:
    assert set(CALLS) == set(CLASSES)


@pytest.mark.parametrize(
    ("name", "arguments", "result"), [(name, *call) for name, calls in CALLS.items() for call in calls]
)
def test_execute_works_without_a_context(
    name: str,
    arguments: dict[str, Any],
    result: Any,
    quatrix_emulator: EmulatorClient,
    quatrix_connection: QuatrixConnection,
    tmp_path: Path,
) -> None:
    (tmp_path / "out").mkdir()
    for file in ("a.csv", "b.csv"):
        (tmp_path / "out" / file).write_text(file)
    quatrix_emulator.put_file(EMAIL, "/in/old/a.csv", b"old")
    given = {
        key: shared(quatrix_emulator) if value == SHARED else filled(value, tmp_path)
        for key, value in arguments.items()
    }
    got = CLASSES[name](task_id="one", **given).execute({})
    if result in ("deleted", "revoked"):
        assert got == 1
    else:
        assert (got if result is None else len(got)) == result


@pytest.mark.parametrize("name", ["QuatrixCaptchaSensor", "QuatrixFileSensor", "QuatrixLoginOperator"])
def test_waiting_in_the_triggerer_is_deferred(
    name: str, quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_emulator.block_user(EMAIL)
    arguments = {"QuatrixFileSensor": {"path": "/in"}, "QuatrixLoginOperator": {"wait_for_captcha": True}}
    operator = CLASSES[name](task_id="one", deferrable=True, **arguments.get(name, {}))
    if name == "QuatrixFileSensor":
        quatrix_emulator.unblock_user(EMAIL)
    with pytest.raises(TaskDeferred):
        operator.execute({})


def test_a_rescheduled_sensor_looks_once(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    operator = CLASSES["QuatrixFileSensor"](task_id="one", path="/in/a.csv", mode="reschedule")
    with pytest.raises(Exception) as raised:  # noqa: PT011 - its class is elsewhere on each line
        operator.execute({})
    assert type(raised.value).__name__ == "AirflowRescheduleException"
    assert quatrix_emulator.calls("POST", "file/id") + quatrix_emulator.calls("GET", "file/metadata/{id}") <= 2
