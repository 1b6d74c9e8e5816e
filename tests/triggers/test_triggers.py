from __future__ import annotations

import asyncio
import json
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.triggers.base import QuatrixTrigger, raise_failure, timed_out
from airflow_provider_quatrix.triggers.captcha import QuatrixCaptchaTrigger
from airflow_provider_quatrix.triggers.session import QuatrixKeepaliveTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.emulator.handle import EmulatorHandle
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

KEEPALIVE = ("GET", "session/keepalive")


async def fire(trigger: QuatrixTrigger) -> TriggerEvent:
    events = [event async for event in trigger.run()]
    assert len(events) == 1
    return events[0]


def run(*triggers: QuatrixTrigger, meanwhile: Callable[[], None] | None = None) -> list[Any]:
    """Run triggers in one event loop, as a triggerer does, and return their payloads."""

    async def together() -> list[TriggerEvent]:
        async with asyncio.timeout(60):
            waiting = asyncio.gather(*(fire(trigger) for trigger in triggers))
            if meanwhile is not None:
                await asyncio.to_thread(meanwhile)
            return await waiting

    return [event.payload for event in asyncio.run(together())]


def wait_until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


def blocked_and_seen(emulator: EmulatorHandle) -> None:
    """Block the account after a login, and let the connection see it, as any task would."""
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

    QuatrixHook().get_conn()
    emulator.block_user(EMAIL)
    assert QuatrixHook().captcha_blocked()


# CAPTCHA


def test_a_thousand_triggers_cost_one_call_per_interval_and_no_login(quatrix_emulator: EmulatorHandle) -> None:
    blocked_and_seen(quatrix_emulator)
    before = quatrix_emulator.requests

    def lift_after_three_looks() -> None:
        wait_until(lambda: quatrix_emulator.requests >= before + 3)
        quatrix_emulator.unblock_user(EMAIL)

    triggers = [QuatrixCaptchaTrigger("quatrix_default", poll_interval=1.0) for _ in range(1000)]
    payloads = run(*triggers, meanwhile=lift_after_three_looks)
    assert payloads == [{"status": "success"}] * 1000
    # Three looks while blocked, one that sees the block lifted; another may slip in before it is.
    assert quatrix_emulator.requests - before in (4, 5)
    assert quatrix_emulator.logins == 1


def test_nothing_blocked_fires_after_one_look(quatrix_emulator: EmulatorHandle) -> None:
    assert (
        run(QuatrixCaptchaTrigger("quatrix_default"), QuatrixCaptchaTrigger("quatrix_default"))
        == [{"status": "success"}] * 2
    )
    assert quatrix_emulator.requests == quatrix_emulator.logins == 1


def test_each_connection_is_asked_for_itself(
    quatrix_emulator: EmulatorHandle, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_emulator.add_user("other@example.com", PASSWORD)
    quatrix_connection(conn_id="quatrix_other", login="other@example.com")
    run(QuatrixCaptchaTrigger("quatrix_default"), QuatrixCaptchaTrigger("quatrix_other"))
    assert quatrix_emulator.logins == 2


def test_a_success_can_end_the_task_without_a_worker() -> None:
    (event,) = [asyncio.run(fire(QuatrixCaptchaTrigger("quatrix_default", ends_task=True)))]
    assert isinstance(event, TaskSuccessEvent)


def test_a_failure_goes_through_a_worker_so_that_the_task_can_tell_why(quatrix_connection: QuatrixConnection) -> None:
    quatrix_connection(password="wrong")
    event = asyncio.run(fire(QuatrixCaptchaTrigger("quatrix_default", ends_task=True)))
    assert type(event) is TriggerEvent
    assert event.payload["status"] == "failed"


@pytest.mark.parametrize("number", [1, 20])
def test_a_refused_password_ends_all_with_one_login(
    number: int, quatrix_emulator: EmulatorHandle, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_connection(password="wrong-Passw0rd")
    payloads = run(*(QuatrixCaptchaTrigger("quatrix_default", poll_interval=1.0) for _ in range(number)))
    assert {payload["status"] for payload in payloads} == {"failed"}
    assert {payload["final"] for payload in payloads} == {True}
    assert "Quatrix rejected the login or password" in payloads[0]["message"]
    assert "Correct the credentials of connection 'quatrix_default'" in payloads[0]["message"]
    assert "wrong-Passw0rd" not in json.dumps(payloads)
    assert quatrix_emulator.logins == 1


def test_a_bad_connection_ends_it_without_a_request(
    quatrix_emulator: EmulatorHandle, quatrix_connection: QuatrixConnection
) -> None:
    quatrix_connection(extra={"read_timeout": -1})
    (payload,) = run(QuatrixCaptchaTrigger("quatrix_default"))
    assert payload["final"] is True
    assert payload["message"].startswith("Connection 'quatrix_default': extra `read_timeout` must be more than 0")
    assert quatrix_emulator.requests == 0


def test_a_missing_connection_ends_it() -> None:
    (payload,) = run(QuatrixCaptchaTrigger("no_such_connection"))
    assert payload["status"] == "failed"
    assert "no_such_connection" in payload["message"]


def test_an_outage_is_waited_out(quatrix_emulator: EmulatorHandle) -> None:
    # A 400 whose body is no JSON is not repeated by the transport, so that one poll is one call.
    quatrix_emulator.fault("session/login", status=400, body="<html>down</html>", times=2)
    assert run(QuatrixCaptchaTrigger("quatrix_default", poll_interval=1.0)) == [{"status": "success"}]
    assert quatrix_emulator.logins == 3


def test_an_outage_that_lasts_ends_it_and_airflow_may_try_again(quatrix_emulator: EmulatorHandle) -> None:
    quatrix_emulator.fault("session/login", status=400, body="<html>down</html>", times=None)
    payloads = run(*(QuatrixCaptchaTrigger("quatrix_default", 1.0, max_failures=3) for _ in range(5)))
    assert len({json.dumps(payload) for payload in payloads}) == 1
    assert payloads[0]["final"] is False
    assert "an answer that is not JSON" in payloads[0]["message"]
    assert quatrix_emulator.logins == 3


def test_an_answer_ends_an_outage(quatrix_emulator: EmulatorHandle) -> None:
    blocked_and_seen(quatrix_emulator)
    down = {"status": 400, "body": "<html>down</html>"}
    quatrix_emulator.fault("session/keepalive", **down, times=2)
    quatrix_emulator.fault("session/keepalive", **down, times=2, after=1)

    def lift_after_five_looks() -> None:
        wait_until(lambda: quatrix_emulator.calls(*KEEPALIVE) >= 6)
        quatrix_emulator.unblock_user(EMAIL)

    # Four failures, but never three in a row.
    trigger = QuatrixCaptchaTrigger("quatrix_default", 1.0, max_failures=3)
    assert run(trigger, meanwhile=lift_after_five_looks) == [{"status": "success"}]


def test_cancelling_one_leaves_the_others_and_cancelling_all_ends_the_asking(quatrix_emulator: EmulatorHandle) -> None:
    blocked_and_seen(quatrix_emulator)

    async def come_and_go() -> None:
        waiting = [asyncio.create_task(fire(QuatrixCaptchaTrigger("quatrix_default", 1.0))) for _ in range(3)]
        before = quatrix_emulator.requests
        await asyncio.to_thread(wait_until, lambda: quatrix_emulator.requests > before)
        waiting[0].cancel()
        before = quatrix_emulator.requests
        await asyncio.to_thread(wait_until, lambda: quatrix_emulator.requests > before)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        # A look that was under way may still arrive.
        await asyncio.sleep(0.2)
        before = quatrix_emulator.requests
        await asyncio.sleep(2)
        assert quatrix_emulator.requests == before

    asyncio.run(come_and_go())


# Keepalive


def holding(seconds: float, **arguments: Any) -> QuatrixKeepaliveTrigger:
    return QuatrixKeepaliveTrigger("quatrix_default", time.time() + seconds, poll_interval=1.0, **arguments)


def test_holding_pings_until_no_more_ping_is_needed(quatrix_emulator: EmulatorHandle) -> None:
    assert run(holding(3.5), holding(3.5), holding(3.5)) == [{"status": "success"}] * 3
    assert quatrix_emulator.logins == 1
    assert quatrix_emulator.calls(*KEEPALIVE) in (3, 4)


def test_holding_renews_a_session_that_has_ended(quatrix_emulator: EmulatorHandle) -> None:
    def expire() -> None:
        wait_until(lambda: quatrix_emulator.calls(*KEEPALIVE) >= 1)
        quatrix_emulator.expire_sessions()

    assert run(holding(3.5), meanwhile=expire) == [{"status": "success"}]
    assert quatrix_emulator.logins == 2


def test_holding_without_renewing_tells_that_the_session_has_ended(quatrix_emulator: EmulatorHandle) -> None:
    assert run(holding(60, renew=False)) == [{"status": "expired"}]
    assert quatrix_emulator.requests == 0


def test_who_renews_and_who_does_not_do_not_share_a_poll() -> None:
    assert holding(60, renew=False).key() != holding(60, renew=True).key()
    assert holding(60, renew=True).key() == holding(90, renew=True).key()


def test_holding_ends_at_a_captcha(quatrix_emulator: EmulatorHandle) -> None:
    quatrix_emulator.block_user(EMAIL)
    (payload,) = run(holding(60))
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
        trigger.ask()
    with pytest.raises(NotImplementedError):
        trigger.verdict(None)


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
