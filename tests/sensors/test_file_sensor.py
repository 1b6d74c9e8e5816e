from __future__ import annotations

import copy
import json
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator, task
from dag_runs import MODES, logged_cleanly, new_dag, once, run, through_serialization

from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.models import FileKind, RemoteFile
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.sensors.files import QuatrixFileSensor
from airflow_provider_quatrix.transfer.folder_poller import FileAges, FolderPoller

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

LISTING = ("GET", "file/metadata/{id}")
OLD_TIME = 1_700_000_000.25


def put(path: str, size: int = 3) -> Callable[[EmulatorClient], Any]:
    return lambda emulator: emulator.put_file(EMAIL, path, b"x" * size, modified=OLD_TIME)


def folder(emulator: EmulatorClient) -> None:
    emulator.make_folder(EMAIL, "/in")


def nothing(_emulator: EmulatorClient) -> None:
    """The folder is missing."""


def fault(times: int | None, status: int, body: Any) -> Callable[[EmulatorClient], None]:
    def arm(emulator: EmulatorClient) -> None:
        put("/in/a.csv")(emulator)
        emulator.fault("file/*", status=status, body=body, times=times)

    return arm


def down(times: int | None) -> Callable[[EmulatorClient], None]:
    # A 400 that is no JSON: the transport does not repeat it, so that one look is one call.
    return fault(times, 400, "<html>down for maintenance</html>")


FORBIDDEN = fault(None, 403, {"code": 50, "msg": "Restricted operation"})


@dataclass(frozen=True)
class Case:
    """A situation, and what must come of it however the sensor waits."""

    given: Callable[[EmulatorClient], Any]
    state: str = "success"
    found: tuple[str, ...] = ()
    says: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    connection: dict[str, Any] = field(default_factory=dict)
    later: Callable[[EmulatorClient], Any] | None = None


A = ("/in/a.csv",)
CASES = {
    "there already": Case(put("/in/a.csv"), found=A),
    "arrives": Case(folder, found=A, later=put("/in/a.csv")),
    "arrives with its folder": Case(nothing, found=A, later=put("/in/a.csv")),
    "another arrives first": Case(put("/in/a.txt"), found=A, later=put("/in/a.csv")),
    "grows large enough": Case(put("/in/a.csv"), found=A, later=put("/in/a.csv", 9), arguments={"min_size": 9}),
    "becomes old enough": Case(
        put("/in/a.csv"), found=A, later=lambda emulator: emulator.advance(70), arguments={"min_age": 60}
    ),
    "wrong password": Case(
        nothing, "failed", says="Correct the credentials", connection={"password": "wrong-Passw0rd"}
    ),
    "wrong password, soft_fail": Case(
        nothing, "skipped", connection={"password": "wrong-Passw0rd"}, arguments={"soft_fail": True}
    ),
    "no permission": Case(FORBIDDEN, "failed", says="Restricted operation"),
    "down then up": Case(down(2), found=A),
    "down for too long": Case(down(None), "failed", says="not JSON", arguments={"max_failures": 2, "retries": 0}),
    "bad rendered path": Case(nothing, "failed", says="a folder: give", arguments={"path": "{{ '/in/' }}"}),
    "bad rendered time": Case(
        nothing, "failed", says="without a time zone", arguments={"newer_than": "{{ '2026-01-01T00:00' }}"}
    ),
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
    caplog.set_level("INFO", "airflow_provider_quatrix.hooks.wait_log")
    case = CASES[name]
    case.given(quatrix_emulator)
    quatrix_connection(**case.connection)
    arguments = {"path": "/in/*.csv", "retries": 3, "retry_delay": timedelta(0), **case.arguments}
    with new_dag() as dag:
        QuatrixFileSensor(task_id="wait", poke_interval=1, **MODES[mode], **arguments)
    told = "Waiting for /in/*.csv (connection 'quatrix_default'); this poll saw "
    coming: AbstractContextManager[None] = nullcontext()
    if case.later is not None:
        later = case.later
        coming = once(
            lambda: (
                quatrix_emulator.calls("POST", "file/id") + quatrix_emulator.calls(*LISTING) >= 3
                and told in caplog.text
            ),
            lambda: later(quatrix_emulator),
        )
    with coming:
        wait = run(dag).tasks["wait"]
    assert (wait.state, wait.tries) == (case.state, 1)
    there = {entry["path"]: entry for entry in quatrix_emulator.files(EMAIL)}
    assert (wait.xcom or []) == [
        {
            "path": path,
            "id": there[path]["id"],
            "size": there[path]["size"],
            "modified": "2023-11-14T22:13:20.250000+00:00",
        }
        for path in case.found
    ]
    assert quatrix_emulator.logins <= 1
    assert case.says in logged_cleanly(capfd)
    assert case.later is None or told in caplog.text


def test_a_poke_costs_one_listing_and_no_look_up(quatrix_emulator: EmulatorClient) -> None:
    folder(quatrix_emulator)
    with new_dag() as dag:
        QuatrixFileSensor(task_id="wait", path="/in/*.csv", poke_interval=1)
    with once(lambda: quatrix_emulator.calls(*LISTING) >= 4, lambda: put("/in/a.csv")(quatrix_emulator)):
        assert run(dag).state == "success"
    listings = quatrix_emulator.calls(*LISTING)
    assert listings >= 5
    assert quatrix_emulator.calls("POST", "file/id") == 1
    assert quatrix_emulator.requests == listings + 2  # the look-up and the login


def test_patterns(quatrix_emulator: EmulatorClient) -> None:
    for name in ("a.csv", "b.CSV", "[1].csv", "deep/c.csv", "deep/er/d.csv", ".0123456789abcdef01234567.quatrix-part"):
        put(f"/in/{name}")(quatrix_emulator)
    put("/Trash/in/a.csv")(quatrix_emulator)
    wanted = {
        "/in/a.csv": ["/in/a.csv"],
        "/in/[1].csv": ["/in/[1].csv"],
        "/in/?.csv": ["/in/a.csv"],
        "/in/*": ["/in/[1].csv", "/in/a.csv", "/in/b.CSV"],
        "/in/*/*.csv": ["/in/deep/c.csv"],
        "/in/**/*.csv": ["/in/[1].csv", "/in/a.csv", "/in/deep/c.csv", "/in/deep/er/d.csv"],
        "/*/a.csv": ["/in/a.csv"],
        "/**/a.csv": ["/in/a.csv"],
    }
    hook = QuatrixHook()
    for path, found in wanted.items():
        with new_dag():
            sensor = QuatrixFileSensor(task_id="wait", path=path)
        assert [entry["path"] for entry in sensor.poll().xcom_value] == found, path
    before = quatrix_emulator.calls(*LISTING)
    FolderPoller(hook.client.files, "/in", None).poll()
    assert quatrix_emulator.calls(*LISTING) == before + 3
    FolderPoller(hook.client.files, "/in", 2).poll()
    assert quatrix_emulator.calls(*LISTING) == before + 5
    for path in ("/in/deep", "/in/x.csv", "/in/*.xml", "/missing/*.csv", "/in/a.csv/*"):
        with new_dag():
            assert QuatrixFileSensor(task_id="wait", path=path).poll() is False, path


def test_newer_than_goes_by_the_time_that_the_file_has(quatrix_emulator: EmulatorClient) -> None:
    put("/in/a.csv")(quatrix_emulator)
    moment = datetime.fromtimestamp(OLD_TIME, UTC)
    for newer_than, found in (
        (moment - timedelta(microseconds=1), True),
        (moment, False),
        ((moment - timedelta(seconds=1)).astimezone(timezone(timedelta(hours=5))), True),
        ("2023-11-14T22:13:20Z", True),
        ("2023-11-14T22:13:21+00:00", False),
        ("None", True),
        ("", True),
        (None, True),
    ):
        with new_dag():
            sensor = QuatrixFileSensor(task_id="wait", path="/in/a.csv", newer_than=newer_than)
        assert bool(sensor.poll()) is found, newer_than


def test_age_is_told_by_the_servers_clock(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1")
    with new_dag():
        sensor = QuatrixFileSensor(task_id="wait", path="/in/a.csv", min_age=timedelta(hours=1))
    assert sensor.poll() is False
    # This host's clock stays where it is.
    quatrix_emulator.advance(3590)
    assert sensor.poll() is False
    quatrix_emulator.advance(20)
    assert sensor.poll().xcom_value[0]["path"] == "/in/a.csv"


def test_an_old_time_does_not_make_a_file_old_that_has_just_begun_to_arrive(quatrix_emulator: EmulatorClient) -> None:
    put("/in/a.csv")(quatrix_emulator)
    with new_dag():
        sensor = QuatrixFileSensor(task_id="wait", path="/in/a.csv", min_age=60)
    assert sensor.poll() is False
    quatrix_emulator.advance(70)
    assert sensor.poll()


FUTURE = 4_000_000_000.0


def test_a_time_in_the_future_does_not_hide_a_file_for_ever(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"1", modified=FUTURE)
    with new_dag():
        sensor = QuatrixFileSensor(task_id="wait", path="/in/a.csv", min_age=60)
    assert sensor.poll() is False
    quatrix_emulator.advance(50)
    quatrix_emulator.put_file(EMAIL, "/in/a.csv", b"22", modified=FUTURE)
    assert sensor.poll() is False
    # It counts from the last change, not from the first look.
    quatrix_emulator.advance(50)
    assert sensor.poll() is False
    quatrix_emulator.advance(20)
    assert sensor.poll().xcom_value[0]["path"] == "/in/a.csv"


def test_what_is_known_of_a_future_time_outlives_the_process() -> None:
    file = RemoteFile("id", "parent", "a.csv", FileKind.FILE, 1, FUTURE, 5.0)
    first = FileAges()
    assert first.age(file, 1000.0) == 0
    later = FileAges(json.loads(json.dumps(first.kept)))
    assert later.age(file, 1060.0) == 60
    assert later.age(replace(file, size=2), 1070.0) == 0
    later.forget_others(())
    assert later.kept == {}


@pytest.mark.parametrize("mode", MODES)
def test_a_list_is_waited_for_as_a_whole(quatrix_emulator: EmulatorClient, mode: str) -> None:
    put("/in/a.csv")(quatrix_emulator)
    put("/other/*")(quatrix_emulator)
    put("/other/b")(quatrix_emulator)
    with new_dag() as dag:
        QuatrixFileSensor(
            task_id="wait",
            path=["/in/*.csv", {"path": "/other/*"}, "/late/c.csv"],
            poke_interval=1,
            timeout=60,
            **MODES[mode],
        )
    before = quatrix_emulator.requests
    with once(lambda: quatrix_emulator.requests >= before + 5, lambda: put("/late/c.csv")(quatrix_emulator)):
        outcome = run(dag)
    assert outcome.state == "success"
    assert [entry["path"] for entry in outcome.tasks["wait"].xcom] == ["/in/a.csv", "/late/c.csv", "/other/*"]


def test_text_is_a_name_or_a_pattern_as_glob_says(quatrix_emulator: EmulatorClient) -> None:
    put("/in/*")(quatrix_emulator)
    put("/in/b")(quatrix_emulator)
    for glob, found in ((None, ["/in/*", "/in/b"]), (True, ["/in/*", "/in/b"]), (False, ["/in/*"])):
        with new_dag():
            sensor = QuatrixFileSensor(task_id="wait", path="/in/*", glob=glob)
        assert [entry["path"] for entry in sensor.poll().xcom_value] == found
        again = sensor.trigger(ends_task=False).wanted
        assert again.sources.all[0].is_pattern is (glob is not False)


def test_an_empty_list_is_there_at_once(quatrix_emulator: EmulatorClient) -> None:
    with new_dag():
        sensor = QuatrixFileSensor(task_id="wait", path="{{ [] }}")
    sensor.path = []
    assert sensor.poll().xcom_value == []
    assert quatrix_emulator.requests == 0


def test_a_folder_that_was_replaced_is_found_again(quatrix_emulator: EmulatorClient) -> None:
    tree = QuatrixHook()._tree()
    put("/in/old.txt")(quatrix_emulator)
    watch = FolderPoller(QuatrixHook().client.files, "/in")
    assert [found.path for found in watch.poll().files] == ["/in/old.txt"]
    tree.move("/in", "/away", if_exists=IfExists.FAIL)
    assert watch.poll().files == ()
    put("/in/new.txt")(quatrix_emulator)
    assert [found.path for found in watch.poll().files] == ["/in/new.txt"]
    quatrix_emulator.remove_file(EMAIL, "/in")
    put("/in/newer.txt")(quatrix_emulator)
    assert [found.path for found in watch.poll().files] == ["/in/newer.txt"]


def test_a_folder_is_looked_up_anew_now_and_then(quatrix_emulator: EmulatorClient) -> None:

    now = [0.0]
    files = QuatrixHook().client.files
    put("/a/in/old.txt")(quatrix_emulator)
    watch = FolderPoller(files, "/a/in", now=lambda: now[0])
    watch.poll()
    QuatrixHook().move("/a", "/b")
    put("/a/in/new.txt")(quatrix_emulator)
    now[0] = 599.0
    assert [found.path for found in watch.poll().files] == ["/a/in/old.txt"]
    now[0] = 601.0
    assert [found.path for found in watch.poll().files] == ["/a/in/new.txt"]


# Starting without a worker


def test_a_deferrable_sensor_starts_in_the_triggerer_where_it_can() -> None:
    with new_dag() as dag:
        plain = QuatrixFileSensor(task_id="plain", path="/in/*.csv", min_age=60, deferrable=True, timeout=7)
        quiet = QuatrixFileSensor(task_id="quiet", path="/in/*.csv", deferrable=True, do_xcom_push=False)
        QuatrixFileSensor(task_id="template", path="/in/{{ ds }}.csv", deferrable=True)
        QuatrixFileSensor(task_id="since", path="/in/*", newer_than="{{ data_interval_start }}", deferrable=True)
        QuatrixFileSensor(task_id="callback", path="/in/*.csv", deferrable=True, on_success_callback=print)
        QuatrixFileSensor(task_id="poke", path="/in/*.csv", deferrable=False)
    stored = through_serialization(dag)
    assert [task.task_id for task in stored.tasks if task.start_from_trigger] == ["plain", "quiet"]
    arguments = stored.get_task("plain").start_trigger_args
    assert arguments.trigger_cls == "airflow_provider_quatrix.triggers.files.QuatrixFileTrigger"
    assert plain.start_trigger_args.trigger_kwargs == {
        "quatrix_conn_id": "quatrix_default",
        "path": "/in/*.csv",
        "glob": True,
        "newer_than": None,
        "min_size": 0,
        "min_age": 60.0,
        "poll_interval": 60.0,
        "max_failures": 10,
        "ends_task": False,
    }
    assert quiet.start_trigger_args.trigger_kwargs["ends_task"] is True
    assert arguments.timeout == timedelta(seconds=7)


# Arguments


@pytest.mark.parametrize("mode", MODES)
def test_paths_may_be_templates_and_mapped(mode: str, quatrix_emulator: EmulatorClient) -> None:
    put("/in/a.csv")(quatrix_emulator)
    put("/in/b.csv")(quatrix_emulator)
    with new_dag(params={"name": "b.csv", "conn": "quatrix_default"}) as dag:
        QuatrixFileSensor.partial(
            task_id="wait",
            quatrix_conn_id="{{ params.conn }}",
            newer_than="{{ '2020-01-01T00:00:00Z' }}",
            poke_interval=1,
            **MODES[mode],
        ).expand(path=["/in/a.csv", "/in/{{ params.name }}"])
    tasks = run(dag).tasks
    assert [tasks[f"wait[{number}]"].xcom[0]["path"] for number in (0, 1)] == ["/in/a.csv", "/in/b.csv"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"path": "/in/"}, "path is '/in/', a folder: give the path of a file, or a pattern such as /inbox/*"),
        ({"path": "/"}, "path is '/'"),
        ({"path": ""}, "path is empty: give a path"),
        ({"path": []}, "path is empty: give a path"),
        ({"path": ["/in/a", "/in/"]}, "path is '/in/', a folder"),
        ({"path": "/in/a", "glob": "yes"}, "glob is 'yes': give True, False or None"),
        ({"path": "/in/../a"}, "has a meaning of its own"),
        ({"path": "/in/a", "newer_than": datetime(2026, 1, 1)}, "without a time zone: add one"),  # noqa: DTZ001
        ({"path": "/in/a", "newer_than": "2026-01-01"}, "without a time zone: add one"),
        ({"path": "/in/a", "newer_than": "yesterday"}, "newer_than is 'yesterday': give a datetime"),
        ({"path": "/in/a", "min_size": -1}, "min_size is -1: give a number of bytes, 0 or more"),
        ({"path": "/in/a", "min_size": 1.5}, "min_size is 1.5"),
        ({"path": "/in/a", "min_size": True}, "min_size is True"),
        ({"path": "/in/a", "min_age": -1}, "min_age is -1: give a number of seconds, 0 or more"),
        ({"path": "/in/a", "min_age": float("nan")}, "min_age is nan"),
        ({"path": "/in/a", "min_age": "60"}, "min_age is '60'"),
        ({"path": "/in/a", "poke_interval": 0}, "poke_interval is 0 s"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_read(arguments: dict[str, Any], says: str) -> None:
    with new_dag(), pytest.raises(ValueError, match=says.replace("*", r"\*")):
        QuatrixFileSensor(task_id="wait", **arguments)


def test_the_path_may_come_from_another_task(quatrix_emulator: EmulatorClient) -> None:
    put("/in/a.csv")(quatrix_emulator)
    with new_dag() as dag:

        @task
        def where() -> str:
            return "/in/a.csv"

        sensor = QuatrixFileSensor(task_id="wait", path=where(), deferrable=True)
    assert not sensor.start_from_trigger
    assert run(dag).tasks["wait"].xcom[0]["path"] == "/in/a.csv"


def test_a_sensor_can_be_copied_and_asks_nothing_when_the_dag_is_read(quatrix_emulator: EmulatorClient) -> None:
    with new_dag() as dag:
        sensor = QuatrixFileSensor(task_id="wait", path="/in/*", deferrable=True)
    assert isinstance(copy.deepcopy(sensor), BaseOperator)
    through_serialization(dag)
    assert quatrix_emulator.requests == 0
