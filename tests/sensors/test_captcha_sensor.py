from __future__ import annotations

import copy
import pickle
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseOperator,
    XComArg,
)
from dag_runs import MODES, logged_cleanly, new_dag, once, run, stored_timeout, through_serialization

from airflow_provider_quatrix.api import QuatrixTransportError
from airflow_provider_quatrix.hooks.waiting import Watch
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.sensors.base import QuatrixSensor
from airflow_provider_quatrix.sensors.captcha import QuatrixCaptchaSensor

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

API_KEY = "Key-0123456789abcdef"
WRONG = "wrong-Passw0rd"


def nothing(_emulator: EmulatorClient) -> None:
    """Everything is as it should be."""


def block(emulator: EmulatorClient) -> None:
    emulator.block_user(EMAIL)


def down(times: int | None) -> Callable[[EmulatorClient], None]:
    def arm(emulator: EmulatorClient) -> None:
        # A 400 that is no JSON: the transport does not repeat it, so that one look is one call.
        emulator.fault("session/login", status=408, body="<html>down for maintenance</html>", times=times)

    return arm


def refuse(emulator: EmulatorClient) -> None:
    emulator.add_user(EMAIL, PASSWORD + "-changed")


def give_key(emulator: EmulatorClient) -> None:
    emulator.add_api_key(API_KEY, EMAIL)
    emulator.block_user(EMAIL)


TELLING = "airflow_provider_quatrix.hooks.wait_log"


@dataclass(frozen=True)
class Case:
    """A situation, and what must come of it however the sensor waits."""

    given: Callable[[EmulatorClient], None]
    state: str
    logins: set[int]
    says: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    connection: dict[str, Any] = field(default_factory=dict)
    lift: bool = False


SKIP = {"soft_fail": True}
NEVER = {"never_fail": True}
CASES = {
    "not blocked": Case(nothing, "success", {1}),
    "blocked then lifted": Case(block, "success", {1}, lift=True),
    "API key": Case(
        give_key, "success", {0}, connection={"login": None, "password": None, "extra": {"api_key": API_KEY}}
    ),
    "wrong password": Case(refuse, "failed", {1}, "Quatrix rejected the login or password", {"retries": 3}),
    "wrong password, soft_fail": Case(refuse, "skipped", {1}, arguments=SKIP),
    "wrong password, never_fail": Case(refuse, "skipped", {1}, arguments=NEVER),
    "wrong password, silent_fail": Case(
        refuse, "failed", {1}, "Quatrix rejected the login or password", {"silent_fail": True}
    ),
    "bad connection": Case(nothing, "failed", {0}, "password is missing", connection={"password": None}),
    "down then up": Case(down(2), "success", {3}),
    # Patience is counted in time: a rescheduled task of a busy Airflow looks less often than agreed, and a deferred one
    # looks once before it defers.
    "down for too long": Case(down(None), "failed", {2, 3, 4}, "a response that is not JSON", {"max_failures": 3}),
    "down for too long, soft_fail": Case(down(None), "skipped", {2, 3, 4}, arguments=SKIP | {"max_failures": 3}),
    "down for long, silent_fail": Case(down(4), "success", {5}, arguments={"silent_fail": True, "max_failures": 2}),
    "down and no patience": Case(down(None), "failed", {1}, "a response that is not JSON", {"max_failures": 1}),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CASES)
def test_all_ways_to_wait_have_the_same_outcome(
    name: str,
    mode: str,
    quatrix_emulator: EmulatorClient,
    quatrix_connection: QuatrixConnection,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", TELLING)
    case = CASES[name]
    case.given(quatrix_emulator)
    quatrix_connection(**case.connection)
    with new_dag() as dag:
        QuatrixCaptchaSensor(task_id="gate", poke_interval=1, **MODES[mode], **case.arguments)
    lifting: AbstractContextManager[None] = nullcontext()
    if case.lift:
        lifting = once(
            lambda: quatrix_emulator.counters["captcha_refusals"] >= 2, lambda: quatrix_emulator.unblock_user(EMAIL)
        )
    with lifting:
        outcome = run(dag)
    assert outcome.states == {"gate": case.state}
    assert quatrix_emulator.logins in case.logins
    assert outcome.tasks["gate"].tries == 1
    log = logged_cleanly(capfd)
    assert case.says in log
    if case.lift:
        assert f"Waiting for a person to pass the CAPTCHA of {EMAIL} on " in caplog.text
    assert PASSWORD not in log
    assert not [session for session in quatrix_emulator.sessions if session["id"] in log]


@pytest.mark.parametrize("arguments", [{}, SKIP, NEVER], ids=["plain", "soft_fail", "never_fail"])
@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_waiting_ends_at_the_timeout(
    mode: str, arguments: dict[str, Any], quatrix_emulator: EmulatorClient, capfd: pytest.CaptureFixture[str]
) -> None:
    block(quatrix_emulator)
    with new_dag() as dag:
        QuatrixCaptchaSensor(task_id="gate", poke_interval=1, timeout=0.2, retries=3, **MODES[mode], **arguments)
    outcome = run(dag)
    assert outcome.states == {"gate": "skipped" if arguments else "failed"}
    assert outcome.tasks["gate"].tries == 1
    assert quatrix_emulator.logins == 1
    assert f"by signing in at {quatrix_emulator.url}; the last poll saw that it is still blocked" in logged_cleanly(
        capfd
    )


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [({}, AirflowSensorTimeout), (SKIP, AirflowSkipException), (NEVER, AirflowSkipException)],
    ids=["plain", "soft_fail", "never_fail"],
)
def test_deferred_waiting_ends_at_the_timeout_likewise(arguments: dict[str, Any], kind: type[Exception]) -> None:
    with new_dag() as dag:
        sensor = QuatrixCaptchaSensor(task_id="gate", deferrable=True, **arguments)
    # The scheduler finds a deferred task whose time is over, and has a worker resume it by what it wrote down.
    next_method, next_kwargs = stored_timeout(dag, "gate")
    with pytest.raises(AirflowException) as caught:
        sensor.resume_execution(next_method, next_kwargs, {})
    assert type(caught.value) is kind


def test_another_failure_of_the_trigger_is_no_timeout() -> None:
    with new_dag():
        sensor = QuatrixCaptchaSensor(task_id="gate", deferrable=True)
    with pytest.raises(AirflowException, match="Trigger failure") as caught:
        sensor.resume_execution("__fail__", {"error": "Trigger failure"}, {})
    assert not isinstance(caught.value, AirflowSensorTimeout)


def test_the_outages_of_two_tasks_of_one_process_are_not_taken_for_one(caplog: pytest.LogCaptureFixture) -> None:
    # A log record would keep the watch alive, and with it the address that the next one may get.
    caplog.set_level("WARNING")

    def ask() -> None:
        raise QuatrixTransportError("down")

    for _ in range(20):
        # One that went on with the outage of the one before would lose patience at the third look.
        assert Watch("acme", 1e-6, max_failures=3).poll(ask) is None


@pytest.mark.parametrize("mode", MODES)
def test_mapped_sensors_wait_each_for_its_connection(
    mode: str, quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_emulator.add_user("other@example.com", PASSWORD)
    quatrix_connection(conn_id="quatrix_other", login="other@example.com")
    with new_dag() as dag:
        QuatrixCaptchaSensor.partial(task_id="gate", poke_interval=1, **MODES[mode]).expand(
            quatrix_conn_id=["quatrix_default", "quatrix_other"]
        )
    assert run(dag).states == {"gate[0]": "success", "gate[1]": "success"}
    assert quatrix_emulator.users[EMAIL]["logins"] == quatrix_emulator.users["other@example.com"]["logins"] == 1


@pytest.mark.parametrize("mode", MODES)
def test_the_connection_may_be_a_template(mode: str, quatrix_emulator: EmulatorClient) -> None:
    with new_dag(params={"conn": "quatrix_default"}) as dag:
        QuatrixCaptchaSensor(
            task_id="gate", quatrix_conn_id="{{ params.conn }}", poke_interval=timedelta(seconds=1), **MODES[mode]
        )
    assert run(dag).states == {"gate": "success"}
    assert quatrix_emulator.logins == 1


# Arguments


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"poke_interval": 0.5}, "poke_interval is 0.5 s: give 1 or more"),
        ({"poke_interval": 0}, "poke_interval is 0 s: give 1 or more"),
        ({"poke_interval": timedelta(milliseconds=1)}, "poke_interval is 0.001 s"),
        ({"poke_interval": -1}, "poke_interval"),
        ({"timeout": -1}, "timeout"),
        ({"max_failures": 0}, "max_failures is 0: give a whole number, 1 or more"),
        ({"max_failures": 2.5}, "max_failures is 2.5"),
        ({"max_failures": True}, "max_failures is True"),
        ({"mode": "sometimes"}, "mode must be one of"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_read(arguments: dict[str, Any], says: str) -> None:
    with new_dag(), pytest.raises((ValueError, TypeError, AirflowException), match=says):
        QuatrixCaptchaSensor(task_id="gate", **arguments)


def test_arguments_of_any_sensor_pass_through() -> None:
    defaults = {"poke_interval": 7, "timeout": timedelta(minutes=5), "max_failures": 3, "retries": 2}
    with new_dag(default_args=defaults):
        sensor = QuatrixCaptchaSensor(
            task_id="gate", mode="reschedule", exponential_backoff=True, max_wait=60, pool="p"
        )
    assert (sensor.poke_interval, sensor.timeout, sensor.max_failures, sensor.retries) == (7, 300, 3, 2)
    assert (sensor.mode, sensor.exponential_backoff, sensor.max_wait) == ("reschedule", True, timedelta(seconds=60))
    assert (sensor.deferrable, sensor.pool) == (False, "p")


@pytest.mark.parametrize("given", [True, False])
def test_the_configuration_decides_on_deferring_where_the_dag_does_not(
    given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", str(given))
    with new_dag():
        assert QuatrixCaptchaSensor(task_id="gate").deferrable is given
        assert QuatrixCaptchaSensor(task_id="other", deferrable=not given).deferrable is not given


def test_what_a_base_sensor_leaves_open() -> None:
    with new_dag():
        sensor = QuatrixSensor(task_id="gate")
    with pytest.raises(NotImplementedError):
        sensor.poll()
    with pytest.raises(NotImplementedError):
        sensor.trigger(ends_task=False)


# Without a worker


def test_a_deferrable_sensor_starts_in_the_triggerer() -> None:
    with new_dag() as dag:
        sensor = QuatrixCaptchaSensor(task_id="gate", deferrable=True, poke_interval=7, timeout=300, max_failures=3)
    task = through_serialization(dag).get_task("gate")
    assert sensor.start_from_trigger is task.start_from_trigger is True
    args = task.start_trigger_args
    assert args.trigger_cls == "airflow_provider_quatrix.triggers.captcha.QuatrixCaptchaTrigger"
    assert sensor.start_trigger_args.trigger_kwargs == {
        "quatrix_conn_id": "quatrix_default",
        "poll_interval": 7.0,
        "max_failures": 3,
        "ends_task": True,
    }
    assert (args.next_method, args.timeout) == ("execute_complete", timedelta(seconds=300))


@pytest.mark.parametrize(
    "arguments",
    [
        {"deferrable": False},
        {"quatrix_conn_id": "{{ params.conn }}"},
        {"quatrix_conn_id": "{% if params.conn %}a{% endif %}"},
        {"on_execute_callback": print},
        {"on_success_callback": print},
        {"outlets": ["anything"]},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
def test_a_sensor_that_needs_a_worker_starts_there(arguments: dict[str, Any]) -> None:
    with new_dag():
        sensor = QuatrixCaptchaSensor(task_id="gate", **{"deferrable": True} | arguments)
    assert sensor.start_from_trigger is False
    assert sensor.start_trigger_args is None


def test_a_connection_from_another_task_needs_a_worker_and_that_task() -> None:
    with new_dag():
        before = BaseOperator(task_id="before")
        sensor = QuatrixCaptchaSensor(task_id="gate", quatrix_conn_id=XComArg(before), deferrable=True)
    assert sensor.start_from_trigger is False
    assert sensor.upstream_task_ids == {"before"}


@pytest.mark.parametrize("mode", MODES)
def test_sensors_can_be_copied_and_serialized(mode: str) -> None:
    with new_dag() as dag:
        sensor = QuatrixCaptchaSensor(task_id="gate", **MODES[mode])
    assert copy.deepcopy(sensor).poke_interval == sensor.poke_interval
    assert through_serialization(dag).get_task("gate").task_id == "gate"
    assert pickle.loads(pickle.dumps(sensor.trigger(ends_task=True).serialize()))  # noqa: S301 - our own bytes
