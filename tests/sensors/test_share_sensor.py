"""Waiting until a share was downloaded: three ways to wait, one outcome."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from dag_runs import MODES, logged_cleanly, new_dag, once, run

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.sensors.shares import QuatrixShareDownloadedSensor

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

ANNA, BO = "anna@example.com", "bo@example.com"
LOOK = ("GET", "tracking/files/{id}")
LIST = ("GET", "tracking")


@pytest.fixture(autouse=True)
def files(quatrix_emulator: EmulatorClient) -> None:
    for name in ("a.csv", "b.csv"):
        quatrix_emulator.put_file(EMAIL, f"/out/{name}", b"12345")


def share(**how: Any) -> Any:
    how = {"recipients": [ANNA, BO]} | how
    return QuatrixHook().share("/out/*.csv", create_contacts=True, **how)


def downloaded(*people: str | None, files: tuple[str, ...] = ()) -> Callable[[EmulatorClient], Any]:
    def download(emulator: EmulatorClient) -> None:
        for each in people:
            emulator.download_share(emulator.shares[0]["id"], each, files=files)

    return download


def revoked(emulator: EmulatorClient) -> None:
    QuatrixHook().client.shares.revoke_share(emulator.shares[0]["id"])


def nothing(_emulator: EmulatorClient) -> None:
    """Nobody has done anything."""


def down(times: int | None) -> Callable[[EmulatorClient], None]:
    # A 400 that is no JSON: the transport does not repeat it, so that one look is one call.
    def arm(emulator: EmulatorClient) -> None:
        downloaded(ANNA, BO)(emulator)
        emulator.fault("tracking/files/*", status=400, body="<html>down for maintenance</html>", times=times)

    return arm


@dataclass(frozen=True)
class Case:
    """A situation, and what must come of it however the sensor waits."""

    given: Callable[[EmulatorClient], Any] = nothing
    state: str = "success"
    found: int = 4
    says: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    share: dict[str, Any] = field(default_factory=dict)
    later: Callable[[EmulatorClient], Any] | None = None


CASES = {
    "all there": Case(downloaded(ANNA, BO)),
    "the last comes": Case(downloaded(ANNA), later=downloaded(BO), says="1 of 2: anna@example.com"),
    "one is enough": Case(downloaded(ANNA), found=2, arguments={"recipients": 1}),
    "a rendered number": Case(downloaded(ANNA), found=2, arguments={"recipients": "{{ 1 }}"}),
    "each file counts": Case(downloaded(ANNA, BO, files=("a.csv",)), later=downloaded(ANNA, BO, files=("b.csv",))),
    "the sender does not count": Case(downloaded(EMAIL), found=4, later=downloaded(ANNA), arguments={"recipients": 1}),
    "an address of a quicklink": Case(
        downloaded(None), found=2, arguments={"recipients": 1}, share={"recipients": None, "quicklink": True}
    ),
    "all of a public share": Case(
        state="failed",
        found=0,
        says="the share is public, and the service does not know",
        share={"share_type": "public"},
    ),
    "more than there are": Case(
        state="failed", found=0, says="recipients is 3, but the share has 2", arguments={"recipients": 3}
    ),
    "revoked before": Case(
        revoked,
        "failed",
        0,
        "The share was revoked, and so cannot be downloaded any more. It was downloaded by 0 of 2.",
    ),
    "revoked meanwhile": Case(
        downloaded(ANNA), "failed", 0, "The share was revoked.*1 of 2: anna@example.com", later=revoked
    ),
    "revoked, soft_fail": Case(revoked, "skipped", 0, arguments={"soft_fail": True}),
    "revoked when all had it": Case(lambda emulator: (downloaded(ANNA, BO)(emulator), revoked(emulator)), "success", 4),
    "expired": Case(
        lambda emulator: emulator.advance(7200),
        "failed",
        0,
        "The share has expired",
        share={"expires": timedelta(hours=1)},
    ),
    "expires meanwhile": Case(
        downloaded(BO),
        "failed",
        0,
        "The share has expired",
        share={"expires": timedelta(hours=1)},
        later=lambda emulator: emulator.advance(7200),
    ),
    "down then up": Case(down(2)),
    "down for too long": Case(down(None), "failed", 0, "not JSON", arguments={"max_failures": 2, "retries": 0}),
    "no reference": Case(state="failed", found=0, says="share is no reference", arguments={"share": "5e0d"}),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CASES)
def test_all_ways_to_wait_have_the_same_outcome(
    name: str,
    mode: str,
    quatrix_emulator: EmulatorClient,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "airflow_provider_quatrix.hooks.wait_log")
    case = CASES[name]
    shared = share(**case.share)
    case.given(quatrix_emulator)
    arguments = {"share": dict(shared), "retries": 3, "retry_delay": timedelta(0), **case.arguments}
    with new_dag() as dag:
        QuatrixShareDownloadedSensor(task_id="wait", poke_interval=1, **MODES[mode], **arguments)
    coming: AbstractContextManager[None] = nullcontext()
    before = quatrix_emulator.calls(*LOOK)
    if case.later is not None:
        later = case.later
        coming = once(lambda: quatrix_emulator.calls(*LOOK) >= before + 3, lambda: later(quatrix_emulator))
    with coming:
        wait = run(dag).tasks["wait"]
    # Not all of what was logged: the emulator's access log is there too.
    told = [
        record.getMessage() for record in caplog.records if record.name.startswith("airflow_provider_quatrix.hooks")
    ]
    log = "\n".join((logged_cleanly(capfd), *told))
    assert (wait.state, wait.tries, len(wait.xcom or [])) == (case.state, 1, case.found), log
    assert re.search(case.says, log), log
    assert quatrix_emulator.shares[0]["id"] not in log
    # Two hours end the session too.
    assert quatrix_emulator.logins == (2 if name.startswith("expire") else 1)


def test_the_result_tells_who_when_and_how_much(quatrix_emulator: EmulatorClient) -> None:
    shared = share()
    downloaded(ANNA)(quatrix_emulator)
    quatrix_emulator.advance(60)
    downloaded(BO)(quatrix_emulator)
    with new_dag() as dag:
        QuatrixShareDownloadedSensor(task_id="wait", share=shared["reference"], poke_interval=1)
    result = run(dag).tasks["wait"].xcom
    assert [(each["recipient"], each["file"], each["size"]) for each in result] == [
        (person, file, 5) for person in (ANNA, BO) for file in ("a.csv", "b.csv")
    ]
    assert set(result[0]) == {"recipient", "address", "file", "size", "seconds", "time"}
    assert result == [dict(each) for each in QuatrixHook().share_downloads(shared)]
    assert result[0]["time"] < result[-1]["time"]


def test_what_looks_cost(quatrix_emulator: EmulatorClient) -> None:
    shared = share()
    with new_dag() as dag:
        QuatrixShareDownloadedSensor(task_id="wait", share=dict(shared), poke_interval=1, mode="poke")
    before = quatrix_emulator.requests
    with once(lambda: quatrix_emulator.calls(*LOOK) >= 25, lambda: downloaded(ANNA, BO)(quatrix_emulator)):
        assert run(dag).state == "success"
    looks, lists = quatrix_emulator.calls(*LOOK), quatrix_emulator.calls(*LIST)
    # One look in ten asks for the state, the first one for both.
    assert lists == -(-(looks + lists - 1) // 10)
    assert quatrix_emulator.calls("GET", "tracking/downloads/{id}") == 2
    assert quatrix_emulator.requests - before == looks + lists + 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"share": None}, "share is empty"),
        ({"share": {"path": "/a"}}, "without a reference"),
        ({"share": "x", "recipients": 0}, "recipients is 0"),
        ({"share": "x", "recipients": "most"}, "recipients is 'most'"),
        ({"share": "x", "poke_interval": 0.5}, "poke_interval is 0.5 s"),
    ],
)
def test_bad_input_is_refused_while_the_dag_is_parsed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QuatrixShareDownloadedSensor(task_id="wait", **arguments)


def test_a_request_is_not_downloaded(quatrix_emulator: EmulatorClient, capfd: pytest.CaptureFixture[str]) -> None:
    asked = QuatrixHook().request_files("/out", ANNA, create_contacts=True)
    with new_dag() as dag:
        QuatrixShareDownloadedSensor(task_id="wait", share=dict(asked))
    assert run(dag).states == {"wait": "failed"}
    assert "wait for its files with QuatrixFileSensor" in logged_cleanly(capfd)
