"""The activity log over real sockets: paged either way, written to files, stores and tables, killed and tried again."""

from __future__ import annotations

import csv
import random
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from forked import status_of_child
from killed_tries import KILLED, count_lines, kill_at_line
from sqlite_tables import Database
from tries import TriedHook

from airflow_provider_quatrix.api.errors import QuatrixError, QuatrixPermissionDenied
from airflow_provider_quatrix.api.stopping import TransferStoppedError
from airflow_provider_quatrix.hooks import tables
from airflow_provider_quatrix.hooks.connection import InvalidConnectionError
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.transfer.exports import ActivityLogError, iso_time
from airflow_provider_quatrix.transfer.temporary import is_temporary

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db")

ANNA = "anna@example.com"
# Where an export may be killed.
LINES = {
    f"airflow_provider_quatrix.{name}"
    for name in (
        *("hooks.audit", "hooks.tables", "transfer.activity", "transfer.whole_file"),
        *("transfer.store_endpoint", "transfer.endpoints", "transfer.stream_writer", "transfer.writer"),
    )
}


@pytest.fixture
def hook(quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection) -> TriedHook:
    quatrix_emulator.add_api_key("audit-key-1", EMAIL)
    quatrix_connection(password=None, extra={"api_key": "audit-key-1"})
    return TriedHook()


def now(emulator: EmulatorClient) -> int:
    return int(emulator.state()["clock"]["now"])


class Log:
    """Ten entries, some of which share a second.

    :ivar start: ahead of the first one.
    :ivar end: behind the last one.
    """

    def __init__(self, emulator: EmulatorClient, hook: QuatrixHook) -> None:
        self.start = now(emulator)
        emulator.advance(2)
        for number in range(10):
            hook.make_directory(f"/folder-{number}")
            emulator.advance(random.Random(number).choice([0, 0, 0.4, 1, 3]))  # noqa: S311
        emulator.advance(2)
        self.end = now(emulator)
        self.times = iso_time(self.start), iso_time(self.end)


@pytest.fixture
def log(quatrix_emulator: EmulatorClient, hook: TriedHook) -> Log:
    return Log(quatrix_emulator, hook)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    return Database(tmp_path / "warehouse.db", monkeypatch)


def names(entries: Any) -> list[str]:
    return [entry["details"]["files"][0]["name"] for entry in entries]


ALL = sorted(f"folder-{number}" for number in range(10))


@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("most", [2, 3, 10])
def test_all_pages_come_in_either_order(
    quatrix_emulator: EmulatorClient, hook: TriedHook, log: Log, order: str, most: int, repeats: bool
) -> None:
    quatrix_emulator.configure(paging_order=order, paging_most=most, paging_repeats_id=repeats)
    entries = hook.activity(*log.times)
    assert sorted(names(entries)) == ALL
    assert [entry.time for entry in entries] == sorted(entry.time for entry in entries)
    assert {(entry.email, entry.action, entry.event) for entry in entries} == {(EMAIL, "makedir", "file")}


@pytest.mark.parametrize("full", [False, True])
def test_neighbouring_intervals_have_every_entry_once(
    quatrix_emulator: EmulatorClient, hook: TriedHook, log: Log, full: bool
) -> None:
    quatrix_emulator.configure(paging_most=3)
    cuts = [log.start, *(log.start + step + step % 2 / 2 for step in range(1, 9)), log.end]
    found = [
        entry for start, end in pairwise(cuts) for entry in hook.activity(iso_time(start), iso_time(end), full=full)
    ]
    assert sorted(names(found)) == ALL


def test_the_full_log_tells_copies_and_addresses(quatrix_emulator: EmulatorClient, hook: TriedHook) -> None:
    start = now(quatrix_emulator)
    quatrix_emulator.put_file(EMAIL, "/a.csv", b"1")
    hook.copy("/a.csv", "/b.csv")
    hook.move("/b.csv", "/c.csv")
    quatrix_emulator.advance(2)
    times = iso_time(start), iso_time(now(quatrix_emulator))
    short, full = hook.activity(*times), hook.activity(*times, full=True)
    assert "copy" not in {entry.action for entry in short}
    assert "copy" in {entry.action for entry in full}
    assert {(entry.id, entry.addresses, entry.seconds) for entry in full} == {(None, "127.0.0.1", None)}


def test_shares_are_told_without_what_opens_them(quatrix_emulator: EmulatorClient, hook: TriedHook) -> None:
    start = now(quatrix_emulator)
    quatrix_emulator.put_file(EMAIL, "/out/a.csv", b"1")
    for _ in range(2):
        hook.share("/out/a.csv", ANNA, subject="Figures", create_contacts=True)
    quatrix_emulator.download_share(quatrix_emulator.shares[0]["id"], ANNA)
    quatrix_emulator.advance(2)
    times = iso_time(start), iso_time(now(quatrix_emulator))
    for full in (False, True):
        entries = [entry for entry in hook.activity(*times, full=full) if entry.event == "share"]
        assert sorted(entry.action for entry in entries) == ["create", "create", "download", "sent-email", "sent-email"]
        (downloaded,) = (entry for entry in entries if entry.action == "download")
        assert downloaded.details["files"][0]["path"] == "/out/a.csv"
        assert downloaded.email == ANNA
        assert sum(entry.share == downloaded.share for entry in entries) == 3
        assert len({entry.share for entry in entries} - {""}) == 2
        assert not any(share["id"] in str(entries) for share in quatrix_emulator.shares)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_local_file_is_replaced_as_a_whole(
    quatrix_emulator: EmulatorClient, hook: TriedHook, log: Log, tmp_path: Path
) -> None:
    target = tmp_path / "day.csv"
    target.write_text("of yesterday")
    first = hook.export_activity(*log.times, target=target)
    assert first == {"path": str(target), "table": None, "entries": 10, "start": log.times[0], "end": log.times[1]}
    content = target.read_bytes()
    quatrix_emulator.configure(paging_order="oldest")
    assert hook.export_activity(*log.times, target=str(target)) == first
    assert target.read_bytes() == content
    assert len(read(target)) == 10
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["day.csv"]


def test_a_folder_gets_a_file_of_the_interval(hook: TriedHook, log: Log, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"make it, or set create_parents"):
        hook.export_activity(*log.times, target=f"{tmp_path}/a/b/")
    exported = hook.export_activity(*log.times, target=f"{tmp_path}/a/b/", create_parents=True)
    path = Path(exported.path or "")
    assert (path.parent, path.name.startswith("activity_"), len(read(path))) == (tmp_path / "a" / "b", True, 10)
    with pytest.raises(ValueError, match=r"is a folder: end the target in a slash"):
        hook.export_activity(*log.times, target=tmp_path / "a" / "b")


def test_an_interval_in_which_nothing_happened_gives_a_file_of_titles(hook: TriedHook, tmp_path: Path) -> None:
    done = hook.export_activity("2001-01-01T00:00:00Z", "2001-01-02T00:00:00Z", target=f"file://{tmp_path}/a.csv")
    assert (done.entries, done.path) == (0, f"file://{tmp_path}/a.csv")
    assert (tmp_path / "a.csv").read_text().startswith("id,time,event,action,")


def test_a_file_on_quatrix(quatrix_emulator: EmulatorClient, hook: TriedHook, log: Log) -> None:
    for _ in range(2):
        done = hook.export_activity(*log.times, target="quatrix:///audit/day.csv", create_parents=True)
    assert (done.path, done.entries) == ("/audit/day.csv", 10)
    found = [entry["path"] for entry in quatrix_emulator.files(EMAIL) if entry["type"] == "F"]
    assert [path for path in found if not path.startswith("/Trash")] == ["/audit/day.csv"]
    assert quatrix_emulator.read_file(EMAIL, "/audit/day.csv").count(b"\n") == 11


def test_rows_of_a_table(quatrix_emulator: EmulatorClient, hook: TriedHook, log: Log, database: Database) -> None:
    database.run(
        f"INSERT INTO quatrix_activity (id, time) VALUES ('old', '{iso_time(log.start - 1)}'), "  # noqa: S608
        f"('stale', '{iso_time(log.start)}'), ('next', '{iso_time(log.end)}')"
    )
    middle = iso_time((log.start + log.end) / 2)
    for times in (log.times, (log.times[0], middle), (middle, log.times[1])):
        done = hook.export_activity(*times, conn_id="warehouse", table="quatrix_activity")
        assert (done.path, done.table) == (None, "quatrix_activity")
        ids = [name for (name,) in database.rows("id")]
        assert len(ids) == 12
        assert {"old", "next"} < set(ids)
    entries = hook.activity(*log.times)
    assert [row[1] for row in database.rows()[1:-1]] == [entry.time for entry in entries]
    assert database.rows("details")[1][0].startswith('{"files": [')


def test_rows_of_the_full_log_are_replaced_too(hook: TriedHook, log: Log, database: Database) -> None:
    for _ in range(2):
        done = hook.export_activity(*log.times, conn_id="warehouse", table="quatrix_activity", full=True)
        assert done.entries == len(database.rows()) == 10


def test_a_table_is_as_it_was_when_something_fails(
    hook: TriedHook, log: Log, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.export_activity(*log.times, conn_id="warehouse", table="quatrix_activity")
    before = database.rows()
    monkeypatch.setattr("airflow_provider_quatrix.hooks.audit.as_row", lambda _entry: ("same",) * 13)
    with pytest.raises(OSError, match=r"Table 'quatrix_activity': IntegrityError: UNIQUE constraint failed"):
        hook.export_activity(*log.times, conn_id="warehouse", table="quatrix_activity")
    assert database.rows() == before
    with pytest.raises(OSError, match=r"Table 'nowhere': OperationalError: no such table"):
        hook.export_activity(*log.times, conn_id="warehouse", table="nowhere")


@pytest.mark.parametrize(
    ("connection", "problem"),
    [
        ("", "Connection 'warehouse': conn_id names no connection"),
        ('{"conn_type": "nonsense"}', "conn_type is 'nonsense', for which no provider is installed"),
        ('{"conn_type": "http"}', "conn_type is 'http', which is no database"),
    ],
)
def test_what_is_no_database_is_refused_before_anything_is_sent(
    quatrix_emulator: EmulatorClient,
    hook: TriedHook,
    monkeypatch: pytest.MonkeyPatch,
    connection: str,
    problem: str,
) -> None:
    if connection:
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection)
    with pytest.raises(InvalidConnectionError, match=problem):
        hook.export_activity("2001-01-01T00:00:00Z", "2001-01-02T00:00:00Z", conn_id="warehouse", table="t")
    assert quatrix_emulator.requests == 0


def test_bad_arguments_are_refused_before_anything_is_sent(quatrix_emulator: EmulatorClient, hook: TriedHook) -> None:
    times = ("2001-01-01T00:00:00Z", "2001-01-02T00:00:00Z")
    for given in (
        {},
        {"target": "/a.csv", "table": "t"},
        {"target": "/a.csv", "full": 5},
        {"target": "/a.csv", "create_parents": "maybe"},
    ):
        with pytest.raises(ValueError, match=r"target|full|create_parents"):
            hook.export_activity(*times, **given)
    with pytest.raises(ValueError, match="nothing lies between"):
        hook.activity(times[0], times[0])
    assert quatrix_emulator.requests == 0


def test_an_interval_that_is_not_over_is_told(
    quatrix_emulator: EmulatorClient, hook: TriedHook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.activity("2001-01-01T00:00:00Z", "2001-01-02T00:00:00Z")
    assert "is not over" not in caplog.text
    hook.activity("2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z")
    assert "is not over yet: what is still to come is missing" in caplog.text


def test_failures_name_what_was_done(quatrix_emulator: EmulatorClient, hook: TriedHook, tmp_path: Path) -> None:
    times = ("2001-01-01T00:00:00Z", "2001-01-02T00:00:00Z")
    quatrix_emulator.fault("tracking/activity", status=403, body={"code": 50, "msg": "Restricted"})
    with pytest.raises(QuatrixPermissionDenied) as raised:
        hook.export_activity(*times, target=tmp_path / "a.csv")
    assert "Reading the activity log of '2001-01-01T00:00:00+00:00 to" in str(raised.value.__notes__)
    quatrix_emulator.fault("tracking/activity", status=200, body=[{"id": "1"}], times=None)
    with pytest.raises(ActivityLogError, match="no id or no time"):
        hook.export_activity(*times, target=tmp_path / "a.csv")
    quatrix_emulator.fault("tracking/csv", status=200, body={"code": 1})
    with pytest.raises(QuatrixError, match="has no column 'Time'"):
        hook.export_activity(*times, target=tmp_path / "a.csv", full=True)
    assert list(tmp_path.glob("*.csv")) == []


def test_a_stopped_export_leaves_nothing(
    hook: TriedHook, log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_quatrix.hooks.audit.as_result", lambda _entry: hook.stop())
    monkeypatch.setattr("airflow_provider_quatrix.hooks.audit.as_csv", lambda _entries: b"")
    quatrix = "quatrix:///a.csv"
    with pytest.raises(TransferStoppedError):
        hook.export_activity(*log.times, target=quatrix)


TARGETS = ("file", "quatrix", "table")


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("what", TARGETS)
def test_killed_tries_export_once(
    quatrix_emulator: EmulatorClient,
    hook: TriedHook,
    database: Database,
    tmp_path: Path,
    what: str,
    seed: int,
) -> None:
    dice = random.Random(f"{what} {seed}")  # noqa: S311
    quatrix_emulator.configure(paging_most=3, paging_order=dice.choice(["newest", "oldest"]))
    start = now(quatrix_emulator)
    for number in range(5):
        hook.make_directory(f"/folder-{number}")
    quatrix_emulator.advance(2)
    end = now(quatrix_emulator)
    target: dict[str, Any] = {
        "file": {"target": tmp_path / "day.csv"},
        "quatrix": {"target": "quatrix:///day.csv"},
        "table": {"conn_id": "warehouse", "table": "quatrix_activity"},
    }[what]
    export = partial(TriedHook.export_activity, start=iso_time(start), end=iso_time(end), **target)
    # What it takes at all, told by an export that goes elsewhere.
    elsewhere = {"target": "quatrix:///else.csv"} if what == "quatrix" else {"target": tmp_path / "else.csv"}
    whole = target if what == "table" else elsewhere
    lines = count_lines(lambda: export(TriedHook(), **{"resume_key": "other", **whole}), LINES)
    if what == "table":
        database.run("DELETE FROM quatrix_activity")

    def attempt(number: int, *, is_retry: bool) -> None:
        kill_at_line(number, LINES)
        export(TriedHook(), resume_key="task", is_retry=is_retry)

    # Thirty kills of each, all in all.
    ends = [status_of_child(partial(attempt, dice.randint(1, lines - 5), is_retry=tries > 0)) for tries in range(3)]
    assert ends[0] == KILLED
    assert set(ends) <= {0, KILLED}
    done = export(TriedHook(), resume_key="task", is_retry=True)
    assert done.entries == 5
    if what == "table":
        assert len(database.rows()) == 5
    elif what == "file":
        assert len(read(tmp_path / "day.csv")) == 5
        assert not any(is_temporary(path.name) for path in tmp_path.iterdir())
    else:
        there = [entry["path"] for entry in quatrix_emulator.files(EMAIL) if entry["type"] == "F"]
        assert sorted(path for path in there if not path.startswith("/Trash")) == ["/day.csv", "/else.csv"]
        assert quatrix_emulator.read_file(EMAIL, "/day.csv").count(b"\n") == 6


def test_a_database_with_transactions_of_its_own_is_told_not_to_commit(
    hook: TriedHook, log: Log, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlite_tables import SqliteFile

    asked: list[bool] = []
    monkeypatch.setattr(SqliteFile, "supports_autocommit", True)
    monkeypatch.setattr(SqliteFile, "set_autocommit", lambda _self, _conn, wanted: asked.append(wanted))
    hook.export_activity(*log.times, conn_id="warehouse", table="quatrix_activity")
    assert asked == [False]
    assert tables.database_hook("warehouse").placeholder == "?"
