from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from dag_runs import AIRFLOW_3
from stopped_clock import fire, idle, pass_time, run_stopped

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.triggers.files import QuatrixFileEventTrigger, QuatrixFileTrigger

if not AIRFLOW_3:
    pytest.skip("Airflow 2 has no asset watchers", allow_module_level=True)

from one_triggerer import AssetStore, OneTriggerer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

LISTING = ("GET", "file/metadata/{id}")
Events = list[tuple[int, dict[str, Any]]]


def watching(path: Any = "/in/*", **arguments: Any) -> QuatrixFileEventTrigger:
    return QuatrixFileEventTrigger(path, **{"poll_interval": 1.0} | arguments)


def names(events: Events) -> list[str]:
    return [payload["path"].rpartition("/")[2] for _, payload in events]


def keys(events: Events) -> list[str]:
    return [payload["key"] for _, payload in events]


def with_one(
    test: Callable[[OneTriggerer], Awaitable[None]], store: AssetStore | None = None, **arguments: Any
) -> None:
    """Run a test in a triggerer with one watcher."""

    async def run() -> None:
        async with OneTriggerer((watching(**arguments), store or AssetStore())) as triggerer:
            await test(triggerer)

    run_stopped(run())


def test_new_and_changed_files_are_told_once_each(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")

    async def test() -> None:
        async with OneTriggerer((watching(), AssetStore())) as triggerer:
            first = triggerer.take()
            ((_, payload),) = first
            assert payload == {
                "path": "/in/a.csv",
                "id": quatrix_emulator.files(EMAIL)[-1]["id"],
                "size": 1,
                "modified": payload["modified"],
                "key": f"{payload['id']}@{payload['modified']}",
            }
            assert await triggerer.look() == []
            await triggerer.stored()
            assert await triggerer.look() == []
            quatrix_emulator.put_file(EMAIL, "/in/b.csv", b"12")
            assert names(await triggerer.look()) == ["b.csv"]
            await triggerer.stored()
            quatrix_emulator.advance(10)
            quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"123")
            assert names(await triggerer.look()) == ["a.csv"]
            assert await triggerer.look() == []

    run_stopped(test())


def test_what_was_told_is_kept_as_soon_as_airflow_has_stored_it(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    store = AssetStore()

    async def test() -> None:
        async with OneTriggerer((watching(), store)) as triggerer:
            first = keys(triggerer.take())
        # It ended before Airflow had stored the event.
        async with OneTriggerer((watching(), store)) as triggerer:
            assert keys(await triggerer.look()) == first
            before, listings = dict(store.kept), quatrix_emulator.calls(*LISTING)
            await triggerer.stored()
            # No further listing was needed for that.
            assert (store.kept != before, quatrix_emulator.calls(*LISTING)) == (True, listings)
        quatrix_emulator.put_file(EMAIL, "/in/b.csv", b"1")
        async with OneTriggerer((watching(), store)) as triggerer:
            assert names(await triggerer.look()) == ["b.csv"]

    run_stopped(test())


def test_thousands_of_files_are_told_by_and_by_from_one_listing(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_files(EMAIL, [{"path": f"/in/{number:04}", "size": 1} for number in range(1100)])
    store = AssetStore()

    async def test(triggerer: OneTriggerer) -> None:
        told = triggerer.take()
        assert len(told) == 200
        while fresh := await stored(triggerer):
            told += fresh
        assert names(told) == [f"{number:04}" for number in range(1100)]
        assert quatrix_emulator.calls(*LISTING) == 1
        await triggerer.stored()
        (text,) = store.kept.values()
        assert len(text) < 1100 * 10

    async def stored(triggerer: OneTriggerer) -> Events:
        await triggerer.stored()
        return triggerer.take()

    with_one(test, store)


def test_a_file_that_brings_an_old_time_with_it_is_told(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/elsewhere/old.csv", b"1")
    QuatrixHook().set_modified("/elsewhere/old.csv", 1_000_000_000.0)
    quatrix_emulator.put_file(EMAIL, "/in/new.csv", b"1")

    async def test(triggerer: OneTriggerer) -> None:
        assert names(triggerer.take()) == ["new.csv"]
        await triggerer.stored()
        await asyncio.to_thread(QuatrixHook().move, "/elsewhere/old.csv", "/in/old.csv")
        ((_, payload),) = await triggerer.look()
        assert payload["modified"].startswith("2001-09-09")

    with_one(test)


def test_a_file_is_told_again_where_it_comes_back_or_gets_another_name(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    quatrix_emulator.make_folder(EMAIL, "/out")
    store = AssetStore()

    async def test(triggerer: OneTriggerer) -> None:
        first = keys(triggerer.take())
        await triggerer.stored()
        await asyncio.to_thread(QuatrixHook().move, "/in/a.csv", "/in/b.csv")
        renamed = await triggerer.look()
        assert (names(renamed), keys(renamed)) == (["b.csv"], first)
        await triggerer.stored()
        await asyncio.to_thread(QuatrixHook().move, "/in/b.csv", "/out/b.csv")
        assert await triggerer.look() == []
        # Nothing is kept of what is not there.
        assert [text for text in store.kept.values() if '"reported": ""' in text] == list(store.kept.values())
        await asyncio.to_thread(QuatrixHook().move, "/out/b.csv", "/in/b.csv")
        back = await triggerer.look()
        assert (names(back), keys(back)) == (["b.csv"], first)

    with_one(test, store)


def test_a_folder_that_is_missing_is_waited_for_and_forgets_nothing(quatrix_emulator: EmulatorClient) -> None:
    async def test(triggerer: OneTriggerer) -> None:
        assert triggerer.take() == []
        quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
        assert names(await triggerer.look()) == ["a.csv"]
        await triggerer.stored()
        await asyncio.to_thread(QuatrixHook().move, "/in", "/away")
        assert await triggerer.look() == []
        await asyncio.to_thread(QuatrixHook().move, "/away", "/in")
        assert await triggerer.look() == []

    with_one(test)


def test_an_outage_is_outlived(quatrix_emulator: EmulatorClient, caplog: pytest.LogCaptureFixture) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")

    async def test(triggerer: OneTriggerer) -> None:
        triggerer.take()
        await triggerer.stored()
        quatrix_emulator.fault("file/*", status=503, times=None)
        for _ in range(30):
            assert await triggerer.look() == []
        quatrix_emulator.clear_faults()
        quatrix_emulator.put_file(EMAIL, "/in/b.csv", b"1")
        assert names(await triggerer.look()) == ["b.csv"]
        assert triggerer.is_running

    with_one(test)
    # Once a minute at most, by the clock of the test.
    (line,) = [record.getMessage() for record in caplog.records if "Listing /in" in record.getMessage()]
    assert "503" in line
    assert line.endswith("The next poll is in 1 s")


def test_a_refused_password_ends_nothing_and_is_tried_once(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection, caplog: pytest.LogCaptureFixture
) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    password = quatrix_connection.fields["password"]
    quatrix_connection(password="wrong-Passw0rd")

    async def test(triggerer: OneTriggerer) -> None:
        for _ in range(70):
            assert await triggerer.look() == []
        assert triggerer.is_running
        assert quatrix_emulator.counters["rejected_logins"] == 1
        quatrix_connection(password=password)
        assert names(await triggerer.look()) == ["a.csv"]

    with_one(test)
    lines = [record.getMessage() for record in caplog.records if "Listing /in" in record.getMessage()]
    assert len(lines) == 2
    assert "Correct the credentials of connection 'quatrix_default'" in lines[0]
    assert "wrong-Passw0rd" not in lines[0]


def test_a_folder_that_cannot_be_listed_holds_up_no_other(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.make_folder(EMAIL, "/one")
    quatrix_emulator.put_file(EMAIL, "/two/b.csv", b"1")
    quatrix_emulator.fault("file/id", status=403, body={"code": 50, "msg": "Restricted operation"}, times=1)
    told: list[str] = []

    async def test(triggerer: OneTriggerer) -> None:
        told.extend(names(triggerer.take()))
        quatrix_emulator.put_file(EMAIL, "/one/a.csv", b"1")
        # On a busy machine a look may begin only when the test has let its second pass.
        for _ in range(100):
            if len(told) < 2:
                told.extend(names(await triggerer.look()))

    with_one(test, path=["/one/*", "/two/*"])
    assert sorted(told) == ["a.csv", "b.csv"]


# When


def test_a_file_is_told_once_nobody_has_written_to_it_for_long_enough(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")

    async def test(triggerer: OneTriggerer) -> None:
        assert triggerer.take() == []
        quatrix_emulator.advance(600)
        quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"12")
        assert await triggerer.look() == []
        quatrix_emulator.advance(714)
        assert await triggerer.look() == []
        quatrix_emulator.advance(12)
        ((_, payload),) = await triggerer.look()
        assert payload["size"] == 2

    with_one(test, min_age=timedelta(minutes=12))


def test_a_time_in_the_future_hides_no_file_for_ever_not_even_over_restarts(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    QuatrixHook().set_modified("/in/a.csv", datetime(2150, 1, 1, tzinfo=UTC).timestamp())
    store = AssetStore()

    async def test() -> None:
        for _ in range(3):
            async with OneTriggerer((watching(min_age=120), store)) as triggerer:
                assert triggerer.take() == []
                quatrix_emulator.advance(35)
                assert await triggerer.look() == []
        quatrix_emulator.advance(35)
        async with OneTriggerer((watching(min_age=120), store)) as triggerer:
            assert names(await triggerer.look()) == ["a.csv"]

    run_stopped(test())


# Who shares what


def test_watchers_and_sensors_of_a_folder_share_a_listing(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.make_folder(EMAIL, "/in")
    stores = [AssetStore() for _ in range(60)]
    watchers = [watching(f"/in/{number % 10}*", min_size=number // 10) for number in range(50)]
    # Of another interval, and so of another stream of Airflow's.
    watchers += [watching(f"/in/{number}*", poll_interval=3.0) for number in range(10)]

    async def test() -> None:
        async with OneTriggerer(*zip(watchers, stores, strict=True)) as triggerer:
            sensor = asyncio.create_task(fire(QuatrixFileTrigger("quatrix_default", "/in/7*", poll_interval=1.0)))
            await idle()
            before = quatrix_emulator.calls(*LISTING)
            for _ in range(3):
                assert await triggerer.look() == []
            assert quatrix_emulator.calls(*LISTING) == before + 3
            quatrix_emulator.put_files(EMAIL, [{"path": f"/in/{number}", "size": 2} for number in range(10)])
            events = [*await triggerer.look(), *await triggerer.look(), *await triggerer.look()]
            assert quatrix_emulator.calls(*LISTING) == before + 6
            assert [len([place for place, _ in events if place == number]) for number in range(60)] == [
                *[1] * 30,
                *[0] * 20,
                *[1] * 10,
            ]
            assert (await sensor).payload["found"][0]["path"] == "/in/7"

    run_stopped(test())
    assert (quatrix_emulator.calls("POST", "file/id"), quatrix_emulator.logins) == (1, 1)


def test_two_triggerers_tell_the_same_by_the_same_key(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    store = AssetStore()

    async def test() -> None:
        async with OneTriggerer((watching(), store)) as one, OneTriggerer((watching(), store)) as other:
            first = keys(one.take())
            assert keys(await other.look()) == first != []
            await one.stored()
            await other.stored()
            quatrix_emulator.put_file(EMAIL, "/in/b.csv", b"1")
            await pass_time(1)
            await one.idle()
            await other.idle()
            assert keys(one.take()) == keys(other.take()) != []
            await other.stored()
        async with OneTriggerer((watching(), store)) as third:
            assert await third.look() == []

    run_stopped(test())


# Its memory


def test_nothing_is_told_while_it_cannot_be_known_what_was(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    store = AssetStore()

    async def test() -> None:
        async with OneTriggerer((watching(), store)) as triggerer:
            triggerer.take()
            await triggerer.stored()
        store.is_down = True
        async with OneTriggerer((watching(), store)) as triggerer:
            assert await triggerer.look() == []
            store.is_down = False
            quatrix_emulator.put_file(EMAIL, "/in/b.csv", b"1")
            assert names(await triggerer.look()) == ["b.csv"]
            store.is_down = True
            await triggerer.stored()
            writes = store.writes
            store.is_down = False
            assert await triggerer.look() == []
            assert store.writes == writes + 1

    run_stopped(test())


def test_watchers_of_one_asset_keep_their_memories_apart(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    store = AssetStore()

    async def test() -> None:
        async with OneTriggerer((watching("/in/a*"), store), (watching("/in/*.csv"), store)) as triggerer:
            assert len(triggerer.take()) == 2
            await triggerer.stored()
        assert len(store.kept) == 2
        async with OneTriggerer((watching("/in/a*"), store), (watching("/in/*.csv"), store)) as triggerer:
            assert await triggerer.look() == []

    run_stopped(test())


def test_where_airflow_does_not_say_when_it_has_stored_events_half_a_minute_does(
    quatrix_emulator: EmulatorClient,
) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    store = AssetStore()

    async def told_in(seconds: int) -> list[str]:
        trigger = watching()
        trigger.asset_state_store = store  # type: ignore[assignment]
        told: list[str] = []

        async def listen() -> None:
            async for event in trigger.run():
                told.append(event.payload["path"])

        task = asyncio.create_task(listen())
        await idle()
        for _ in range(seconds):
            await pass_time(1)
            await idle()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return told

    async def test() -> None:
        assert await told_in(29) == ["/in/a.csv"]
        assert await told_in(31) == ["/in/a.csv"]
        assert await told_in(1) == []

    run_stopped(test())


def test_what_airflow_could_not_store_is_told_again(quatrix_emulator: EmulatorClient) -> None:
    from airflow.triggers.shared_stream import AdvanceItem, AdvanceOutcome

    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    trigger, store = watching(), AssetStore()
    trigger.asset_state_store = store  # type: ignore[assignment]

    async def test() -> None:
        producer = QuatrixFileEventTrigger.create_shared_stream_producer(trigger.serialize()[1])
        looks: list[Any] = []

        async def given_out() -> Any:
            async for look, payload in producer.open_stream():
                looks.append(payload)
                yield look

        events = trigger.filter_shared_stream(given_out())
        first = await anext(events)
        following = asyncio.ensure_future(anext(events))
        await idle()
        await producer.advance([AdvanceItem(looks[0], AdvanceOutcome(acked=1, failed=1))])
        await idle()
        assert (await following).payload == first.payload
        following = asyncio.ensure_future(anext(events))
        await producer.advance([AdvanceItem(looks[1], AdvanceOutcome(acked=1, failed=0))])
        await idle()
        assert not following.done()
        assert len(store.kept) == 1
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    run_stopped(test())


# Arguments


def test_names_and_patterns_stay_what_they_are(quatrix_emulator: EmulatorClient) -> None:
    for name in ("[1].csv", "1.csv", "a.txt"):
        quatrix_emulator.put_file(EMAIL, f"/in/{name}", b"1")

    async def test(triggerer: OneTriggerer) -> None:
        assert names(triggerer.take()) == ["[1].csv", "a.txt"]

    with_one(test, path=[{"path": "/in/[1].csv"}, "/in/*.txt"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": ""}, "path is empty: give a path"),
        ({"path": []}, "path is empty: give a path"),
        ({"path": "/in/"}, "path is '/in/', a folder: give the path of a file, or a pattern such as"),
        ({"path": 7}, "path is 7: give a path as text"),
        ({"path": "/{{ ds }}/*"}, "path is '/{{ ds }}/*', a template: write it out, as a watcher belongs to no run"),
        (
            {"path": "quatrix://other@/in/*"},
            "give the path alone, '/in/*', and the connection as",
        ),
        ({"quatrix_conn_id": ""}, "quatrix_conn_id is '': give the id of a connection as text"),
        ({"glob": "yes"}, "glob is 'yes': give True, False or None"),
        ({"min_size": -1}, "min_size is -1: give a number of bytes, 0 or more"),
        ({"min_age": -1}, "min_age is -1: give a number of seconds, 0 or more"),
        ({"min_age": "5"}, "min_age is '5': give a number of seconds, 0 or more"),
        ({"poll_interval": 0.5}, "poll_interval is 0.5: give a number of seconds, 1 or more"),
        ({"poll_interval": float("nan")}, "poll_interval is nan: give a number of seconds, 1 or more"),
        ({"newer_than": datetime(2026, 1, 1)}, "without a time zone"),  # noqa: DTZ001 - that is what is wrong
    ],
)
def test_bad_input_is_refused_by_name(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        watching(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"path": ["/in/*.csv", {"path": "/in/a.csv"}], "min_size": 3, "min_age": timedelta(minutes=1)},
        {"path": [{"path": "/in/[1].csv"}, {"path": "/in/2.csv"}]},
        {"path": "/in/[1].csv", "glob": False, "newer_than": timedelta(days=3)},
        {"path": "/in/**/*", "newer_than": datetime(2026, 1, 1, tzinfo=UTC), "poll_interval": timedelta(minutes=1)},
    ],
)
def test_airflow_finds_a_watcher_to_be_the_same_at_every_parse(arguments: dict[str, Any]) -> None:
    from airflow.models.trigger import Trigger
    from airflow.serialization.decoders import smart_decode_trigger_kwargs
    from airflow.serialization.encoders import encode_trigger
    from airflow.triggers.base import BaseEventTrigger

    trigger = watching(**arguments)
    encoded = encode_trigger(trigger)
    kept = Trigger(encoded["classpath"], encoded["kwargs"])
    assert encoded["classpath"] == "airflow_provider_quatrix.triggers.files.QuatrixFileEventTrigger"
    assert BaseEventTrigger.hash(kept.classpath, kept.kwargs) == BaseEventTrigger.hash(
        encoded["classpath"], encoded["kwargs"]
    )
    decoded = {name: smart_decode_trigger_kwargs(value) for name, value in kept.kwargs.items()}
    again = QuatrixFileEventTrigger(**decoded)
    assert (again.wanted.watched, again.serialize()) == (trigger.wanted.watched, trigger.serialize())
    assert again.shared_stream_key() == trigger.shared_stream_key()
    assert again._state()._name == trigger._state()._name
