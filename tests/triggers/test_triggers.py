from __future__ import annotations

import asyncio
import json
import re
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent
from stopped_clock import fire, idle, pass_time, run, run_stopped

from airflow_provider_quatrix.api import QuatrixError
from airflow_provider_quatrix.hooks.waiting import raise_failure, timed_out
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.triggers.base import QuatrixTrigger
from airflow_provider_quatrix.triggers.captcha import QuatrixCaptchaTrigger
from airflow_provider_quatrix.triggers.session import QuatrixKeepaliveTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

KEEPALIVE = ("GET", "session/keepalive")


class Clock:
    """A clock that goes by what the event loop's clock does."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now


def payloads_of(
    *triggers: QuatrixTrigger, meanwhile: Callable[[int], Any] | None = None, clock: Clock | None = None
) -> list[Any]:
    def second_passes(looks: int) -> None:
        if meanwhile is not None:
            meanwhile(looks)
        if clock is not None:
            clock.now += 1.0

    return [event.payload for event in run(*triggers, meanwhile=second_passes)]


def blocked_and_seen(emulator: EmulatorClient) -> Clock:
    """Block the account after a login, and let the connection see it, as any task would; return its clock."""
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

    hook = QuatrixHook()
    hook.get_conn()
    session: Any = hook._session
    clock = Clock()
    session._now = clock.time
    emulator.block_user(EMAIL)
    assert QuatrixHook().captcha_blocked()
    clock.now += 1.0
    return clock


# CAPTCHA


def test_a_thousand_triggers_cost_one_call_per_interval_and_no_login(quatrix_emulator: EmulatorClient) -> None:
    clock = blocked_and_seen(quatrix_emulator)
    before = quatrix_emulator.requests

    def lift_after_three_looks(looks: int) -> None:
        if looks == 3:
            quatrix_emulator.unblock_user(EMAIL)

    triggers = [QuatrixCaptchaTrigger("quatrix_default", poll_interval=1.0) for _ in range(1000)]
    payloads = payloads_of(*triggers, meanwhile=lift_after_three_looks, clock=clock)
    assert payloads == [{"status": "success"}] * 1000
    # Three looks while blocked, one that sees the block lifted.
    assert quatrix_emulator.requests - before == 4
    assert quatrix_emulator.logins == 1


def test_nothing_blocked_fires_after_one_look(quatrix_emulator: EmulatorClient) -> None:
    assert (
        payloads_of(QuatrixCaptchaTrigger("quatrix_default"), QuatrixCaptchaTrigger("quatrix_default"))
        == [{"status": "success"}] * 2
    )
    assert quatrix_emulator.requests == quatrix_emulator.logins == 1


def test_each_connection_is_asked_for_itself(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_emulator.add_user("other@example.com", PASSWORD)
    quatrix_connection(conn_id="quatrix_other", login="other@example.com")
    payloads_of(QuatrixCaptchaTrigger("quatrix_default"), QuatrixCaptchaTrigger("quatrix_other"))
    assert quatrix_emulator.logins == 2


def test_a_success_can_end_the_task_without_a_worker() -> None:
    (event,) = run(QuatrixCaptchaTrigger("quatrix_default", ends_task=True))
    assert isinstance(event, TaskSuccessEvent)


def test_a_failure_goes_through_a_worker_so_that_the_task_can_tell_why(quatrix_connection: QuatrixConnection) -> None:
    quatrix_connection(password="wrong")
    (event,) = run(QuatrixCaptchaTrigger("quatrix_default", ends_task=True))
    assert type(event) is TriggerEvent
    assert event.payload["status"] == "failed"


@pytest.mark.parametrize("number", [1, 20])
def test_a_refused_password_ends_all_with_one_login(
    number: int, quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_connection(password="wrong-Passw0rd")
    payloads = payloads_of(*(QuatrixCaptchaTrigger("quatrix_default", poll_interval=1.0) for _ in range(number)))
    assert {payload["status"] for payload in payloads} == {"failed"}
    assert {payload["final"] for payload in payloads} == {True}
    assert "Quatrix rejected the login or password" in payloads[0]["message"]
    assert "Correct the credentials of connection 'quatrix_default'" in payloads[0]["message"]
    assert "wrong-Passw0rd" not in json.dumps(payloads)
    assert quatrix_emulator.logins == 1


def test_a_bad_connection_ends_it_without_a_request(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_connection(extra={"read_timeout": -1})
    (payload,) = payloads_of(QuatrixCaptchaTrigger("quatrix_default"))
    assert payload["final"] is True
    assert payload["message"].startswith("Connection 'quatrix_default': extra `read_timeout` must be more than 0")
    assert quatrix_emulator.requests == 0


def test_a_missing_connection_ends_it() -> None:
    (payload,) = payloads_of(QuatrixCaptchaTrigger("no_such_connection"))
    assert payload["status"] == "failed"
    assert "no_such_connection" in payload["message"]


def test_an_outage_is_waited_out(quatrix_emulator: EmulatorClient) -> None:
    # A 408 whose body is no JSON is not repeated by the transport, so that one poll is one call.
    quatrix_emulator.fault("session/login", status=408, body="<html>down</html>", times=2)
    assert payloads_of(QuatrixCaptchaTrigger("quatrix_default", poll_interval=1.0)) == [{"status": "success"}]
    assert quatrix_emulator.logins == 3


def test_an_outage_that_lasts_ends_it_and_airflow_may_try_again(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.fault("session/login", status=408, body="<html>down</html>", times=None)
    payloads = payloads_of(*(QuatrixCaptchaTrigger("quatrix_default", 1.0, max_failures=3) for _ in range(5)))
    assert len({json.dumps(payload) for payload in payloads}) == 1
    assert payloads[0]["final"] is False
    assert "a response that is not JSON" in payloads[0]["message"]
    assert quatrix_emulator.logins == 3


def test_an_answer_ends_an_outage(quatrix_emulator: EmulatorClient) -> None:
    clock = blocked_and_seen(quatrix_emulator)
    down = {"status": 400, "body": "<html>down</html>"}
    quatrix_emulator.fault("session/keepalive", **down, times=2)
    quatrix_emulator.fault("session/keepalive", **down, times=2, after=1)

    def lift_after_five_looks(looks: int) -> None:
        if looks == 5:
            quatrix_emulator.unblock_user(EMAIL)

    # Four failures, but never three in a row.
    trigger = QuatrixCaptchaTrigger("quatrix_default", 1.0, max_failures=3)
    assert payloads_of(trigger, meanwhile=lift_after_five_looks, clock=clock) == [{"status": "success"}]


def test_cancelling_one_leaves_the_others_and_cancelling_all_ends_the_asking(quatrix_emulator: EmulatorClient) -> None:
    clock = blocked_and_seen(quatrix_emulator)

    async def come_and_go() -> None:
        waiting = [asyncio.create_task(fire(QuatrixCaptchaTrigger("quatrix_default", 1.0))) for _ in range(3)]
        before = quatrix_emulator.requests
        await idle()
        waiting[0].cancel()
        clock.now += 1.0
        await pass_time(1)
        await idle()
        assert quatrix_emulator.requests - before == 2
        for task in waiting:
            task.cancel()
        await pass_time(3600)
        assert quatrix_emulator.requests - before == 2

    run_stopped(come_and_go())


def test_what_another_has_just_seen_spares_a_question(quatrix_emulator: EmulatorClient) -> None:
    clock = blocked_and_seen(quatrix_emulator)
    trigger = QuatrixCaptchaTrigger("quatrix_default", 60.0)
    before = quatrix_emulator.requests
    clock.now += 28.0
    assert trigger.fetch(30.0)
    assert quatrix_emulator.requests == before
    assert trigger.fetch(0.0)
    clock.now += 31.0
    assert trigger.fetch(30.0)
    assert quatrix_emulator.requests == before + 2


def test_waiting_for_a_login_to_be_allowed_is_no_failure(
    quatrix_emulator: EmulatorClient, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

    caplog.set_level("INFO")
    clock = Clock()
    session: Any = QuatrixHook()._session
    session._now = clock.time
    quatrix_emulator.fault("session/login", status=408, body="<html>down</html>", times=None)

    def use_up_the_logins(looks: int) -> None:
        if looks == 1:
            for _ in range(11):
                clock.now += 1.0
                assert "not JSON" in failure()
            assert "The next attempt is allowed in" in failure()
            quatrix_emulator.clear_faults()
        if looks == 20:
            clock.now += 900.0

    def failure() -> str:
        with pytest.raises(QuatrixError) as caught:
            QuatrixHook().get_conn()
        return str(caught.value)

    trigger = QuatrixCaptchaTrigger("quatrix_default", 1.0, max_failures=3)
    assert payloads_of(trigger, meanwhile=use_up_the_logins, clock=clock) == [{"status": "success"}]
    assert quatrix_emulator.logins == 13
    said = [record.message for record in caplog.records if "Waiting until" in record.message]
    assert len(said) == 19
    assert all(re.search(r"Waiting until \d\d:\d\d:\d\d UTC does not count as a failure$", line) for line in said)


def test_a_failure_without_a_text_says_what_it_is() -> None:
    trigger = QuatrixCaptchaTrigger("quatrix_default")
    assert trigger.failure(MemoryError())["message"] == "MemoryError."


# Keepalive


def holding(seconds: float, **arguments: Any) -> QuatrixKeepaliveTrigger:
    return QuatrixKeepaliveTrigger("quatrix_default", time.time() + seconds, poll_interval=1.0, **arguments)


def held(*triggers: QuatrixKeepaliveTrigger, meanwhile: Callable[[int], Any] | None = None) -> list[Any]:
    """Let triggers hold a session for as long as they say, by the clock that the loop goes by."""
    clock = Clock()
    for trigger in triggers:
        trigger._now = clock.time  # type: ignore[method-assign]
    return payloads_of(*triggers, meanwhile=meanwhile, clock=clock)


def test_holding_pings_until_no_more_ping_is_needed(quatrix_emulator: EmulatorClient) -> None:
    assert held(holding(3.5), holding(3.5), holding(3.5)) == [{"status": "success"}] * 3
    assert quatrix_emulator.logins == 1
    # At 0 s there is no session to ping yet, but one to sign in for.
    assert quatrix_emulator.calls(*KEEPALIVE) == 4


def test_holding_renews_a_session_that_has_ended(quatrix_emulator: EmulatorClient) -> None:
    def expire(looks: int) -> None:
        if looks == 2:
            quatrix_emulator.expire_sessions()

    assert held(holding(3.5), meanwhile=expire) == [{"status": "success"}]
    assert quatrix_emulator.logins == 2


def test_holding_without_renewing_tells_that_the_session_has_ended(quatrix_emulator: EmulatorClient) -> None:
    assert payloads_of(holding(60, renew=False)) == [{"status": "expired"}]
    assert quatrix_emulator.requests == 0


def test_who_renews_and_who_does_not_do_not_share_a_poll() -> None:
    assert holding(60, renew=False).key() != holding(60, renew=True).key()
    assert holding(60, renew=True).key() == holding(90, renew=True).key()


def test_holding_ends_at_a_captcha(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.block_user(EMAIL)
    (payload,) = payloads_of(holding(60))
    assert (payload["status"], payload["final"]) == ("failed", True)
    assert "QuatrixCaptchaSensor" in payload["message"]


# What Airflow stores and shows


@pytest.mark.parametrize(
    "trigger",
    [
        QuatrixCaptchaTrigger("acme", poll_interval=7.0, max_failures=3, ends_task=True),
        QuatrixCaptchaTrigger("acme"),
        QuatrixKeepaliveTrigger("acme", ends_at=1_800_000_000.5, renew=False, poll_interval=7.0, max_failures=3),
    ],
)
def test_a_trigger_can_be_built_anew_from_what_is_stored(trigger: QuatrixTrigger) -> None:
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    assert json.loads(json.dumps(arguments)) == arguments
    again = getattr(import_module(module), name)(**arguments)
    assert isinstance(again, BaseTrigger)
    assert type(again) is type(trigger)
    assert again.serialize() == (path, arguments)
    assert again.key() == trigger.key()


def test_what_a_base_trigger_leaves_open() -> None:
    trigger = QuatrixTrigger("acme")
    with pytest.raises(NotImplementedError):
        trigger.fetch(0.0)
    with pytest.raises(NotImplementedError):
        trigger.evaluate([None])


def test_a_payload_becomes_an_exception_again() -> None:
    assert raise_failure(None) == {"status": "success"}
    assert raise_failure({"status": "success", "found": [1]})["found"] == [1]
    with pytest.raises(AirflowFailException, match=r"^no$"):
        raise_failure({"status": "failed", "message": "no", "final": True})
    with pytest.raises(AirflowException, match=r"^down$") as caught:
        raise_failure({"status": "failed", "message": "down", "final": False})
    assert not isinstance(caught.value, AirflowFailException)


@pytest.mark.parametrize(
    ("next_kwargs", "so"),
    [
        ({"error": "Trigger timeout"}, True),
        ({"error": "Trigger/execution timeout"}, True),
        ({"error": "Trigger failure"}, False),
        ({"event": {"status": "success"}}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_timeout_is_told_by_its_reason(next_kwargs: dict[str, Any] | None, so: bool) -> None:
    # That Airflow gives these reasons is tested with the sensors.
    assert timed_out(next_kwargs) is so
