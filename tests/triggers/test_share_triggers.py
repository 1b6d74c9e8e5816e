from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.triggers.base import TaskSuccessEvent, TriggerEvent
from stopped_clock import run

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.triggers.shares import QuatrixShareDownloadedTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

ANNA, BO = "anna@example.com", "bo@example.com"
LOOK, LIST = ("GET", "tracking/files/{id}"), ("GET", "tracking")


@pytest.fixture
def shared(quatrix_emulator: EmulatorClient) -> str:
    quatrix_emulator.put_file(EMAIL, "/out/a.csv", b"12345")
    return str(QuatrixHook().share("/out/a.csv", [ANNA, BO], create_contacts=True)["reference"])


def watching(share: str, recipients: int | str = "all", **arguments: Any) -> QuatrixShareDownloadedTrigger:
    return QuatrixShareDownloadedTrigger("quatrix_default", share, recipients, **{"poll_interval": 1.0} | arguments)


def download(emulator: EmulatorClient, *people: str) -> None:
    for each in people:
        emulator.download_share(emulator.shares[0]["id"], each)


def at_looks(**then: Callable[[], Any]) -> Callable[[int], None]:
    return lambda looks: then.get(f"look{looks}", lambda: None)()


def test_200_triggers_on_one_share_cost_one_call_per_interval(quatrix_emulator: EmulatorClient, shared: str) -> None:
    triggers = [watching(shared, 1) for _ in range(100)] + [watching(shared) for _ in range(100)]
    events = run(
        *triggers,
        meanwhile=at_looks(
            look3=lambda: download(quatrix_emulator, ANNA),
            look25=lambda: download(quatrix_emulator, BO),
        ),
    )
    assert [len(event.payload["found"]) for event in events] == [1] * 100 + [2] * 100
    looks, lists = quatrix_emulator.calls(*LOOK), quatrix_emulator.calls(*LIST)
    # 26 looks, of which the 11th and the 21st ask for the state, and the first one for both.
    assert (looks, lists) == (24, 3)
    assert quatrix_emulator.calls("GET", "tracking/downloads/{id}") == 2
    assert quatrix_emulator.logins == 1


def test_what_is_watched_decides_who_shares(shared: str) -> None:
    assert watching(shared, 1, poll_interval=9.0, ends_task=True).key() == watching(shared).key()
    assert watching("another").key() != watching(shared).key()
    other = QuatrixShareDownloadedTrigger("quatrix_other", shared)
    assert other.key() != watching(shared).key()


def test_a_trigger_that_is_built_anew_waits_for_the_same(quatrix_emulator: EmulatorClient, shared: str) -> None:
    before = quatrix_emulator.requests
    trigger = watching(shared, 1, max_failures=4)
    classpath, arguments = trigger.serialize()
    assert classpath == "airflow_provider_quatrix.triggers.shares.QuatrixShareDownloadedTrigger"
    again = QuatrixShareDownloadedTrigger(**arguments)
    assert again.serialize() == trigger.serialize()
    assert quatrix_emulator.shares[0]["id"] not in json.dumps(arguments)
    assert quatrix_emulator.requests == before


def test_a_task_ends_from_here_where_nobody_wants_its_result(quatrix_emulator: EmulatorClient, shared: str) -> None:
    download(quatrix_emulator, ANNA, BO)
    wanted, unwanted = run(watching(shared), watching(shared, ends_task=True))
    assert type(wanted) is TriggerEvent
    assert [each["recipient"] for each in wanted.payload["found"]] == [ANNA, BO]
    assert type(unwanted) is TaskSuccessEvent


def test_a_share_that_ends_ends_the_wait_of_those_who_have_not_enough(
    quatrix_emulator: EmulatorClient, shared: str
) -> None:
    share_id = quatrix_emulator.shares[0]["id"]
    download(quatrix_emulator, ANNA)
    end = at_looks(look2=lambda: QuatrixHook().client.shares.revoke_share(share_id))
    events = run(watching(shared), watching(shared, 1), meanwhile=end)
    assert [event.payload["status"] for event in events] == ["failed", "success"]
    assert events[0].payload == {
        "status": "failed",
        "final": True,
        "message": "The share was revoked, and so cannot be downloaded any more. It was downloaded by 1 of 2: "
        "anna@example.com. Share the files again if somebody still needs them",
    }
    assert share_id not in json.dumps([event.payload for event in events])


@pytest.mark.parametrize(
    ("recipients", "message"), [(3, "recipients is 3, but the share has 2"), ("most", "recipients is 'most'")]
)
def test_what_cannot_be_ends_the_wait_at_once(
    quatrix_emulator: EmulatorClient, shared: str, recipients: Any, message: str
) -> None:
    (event,) = run(watching(shared, recipients))
    assert (event.payload["status"], event.payload["final"]) == ("failed", True)
    assert message in event.payload["message"]


def test_a_reference_of_another_connection_ends_the_wait_at_once(quatrix_emulator: EmulatorClient) -> None:
    (event,) = run(watching("gAAAAA-of-somebody-else"))
    assert (event.payload["status"], event.payload["final"]) == ("failed", True)
    assert "share is no reference that connection 'quatrix_default' has made" in event.payload["message"]
    assert quatrix_emulator.requests == 0


def test_a_share_that_is_gone_ends_the_wait(quatrix_emulator: EmulatorClient, shared: str) -> None:
    quatrix_emulator.fault("tracking/files/*", status=404, body={"code": 20, "msg": "Not found"})
    (event,) = run(watching(shared))
    assert "The share is gone" in event.payload["message"]
