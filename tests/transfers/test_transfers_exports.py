"""What a user says about an export: which interval, and where to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.transfer.exports import Destination, Interval
from airflow_provider_quatrix.transfer.places import Place

DAY = Interval.of("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")


@pytest.mark.parametrize(
    "start",
    [
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
        "2026-01-01 00:00:00+00:00",
        timedelta(days=1),
    ],
)
def test_the_start_of_an_interval(start: Any) -> None:
    assert Interval.of(start, "2026-01-02 00:00:00+00:00") == DAY


def test_an_interval() -> None:
    assert DAY.times == ("2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00")
    assert str(DAY) == "2026-01-01T00:00:00+00:00 to 2026-01-02T00:00:00+00:00"
    assert DAY.file_name == "activity_20260101T000000_20260102T000000.csv"
    assert [DAY.holds(time) for time in (DAY.start - 0.1, DAY.start, DAY.end - 0.1, DAY.end)] == [0, 1, 1, 0]
    assert Interval(10.5, 20.5).request_interval == (9, 22)


def test_an_interval_is_of_whole_seconds() -> None:
    first = Interval.of(timedelta(seconds=10), "2026-01-01T00:00:10.9Z")
    second = Interval.of("2026-01-01T00:00:10.9Z", "2026-01-01T00:00:11Z")
    assert (first.end, second.end) == (second.start, second.start + 1)
    assert first.times == ("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:10+00:00")


@pytest.mark.parametrize(
    ("start", "end", "problem"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", r"nothing lies between them.*CronDataIntervalTimetable"),
        ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", r"start is 2026-01-02T.*, after end, which is 2026-01-01T"),
        (timedelta(0), "2026-01-01T00:00:00Z", "nothing lies between them"),
        ("2026-01-01", "2026-01-02T00:00:00Z", "start is '2026-01-01', without a time zone"),
        ("2026-01-01T00:00:00Z", datetime(2026, 1, 2), "end is .*, without a time zone"),  # noqa: DTZ001 - wrong
        ("yesterday", "2026-01-01T00:00:00Z", "start is 'yesterday': give .*, or a timedelta before the end"),
        ("2026-01-01T00:00:00Z", timedelta(days=1), "end is datetime.timedelta"),
        ("2026-01-01T00:00:00Z", None, "end is None: give a datetime"),
        (None, "2026-01-01T00:00:00Z", "start is None: give a datetime"),
        (5, "2026-01-01T00:00:00Z", "start is 5: give a datetime"),
    ],
)
def test_an_interval_that_is_none(start: Any, end: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Interval.of(start, end)


@pytest.mark.parametrize(
    ("target", "url", "is_path"),
    [
        ("/data/a.csv", "file:///data/a.csv", True),
        (Path("/data/a.csv"), "file:///data/a.csv", True),
        ("/data/../a b%41#?.csv", "file:///a b%41#?.csv", True),
        ({"path": "/data/a.csv"}, "file:///data/a.csv", True),
        ("file:///data/a.csv", "file:///data/a.csv", False),
        ("s3://aws@bucket/day.csv", "s3://aws@bucket/day.csv", False),
        ("/data/", "file:///data/activity_20260101T000000_20260102T000000.csv", True),
        ("s3://bucket", "s3://bucket/activity_20260101T000000_20260102T000000.csv", False),
        ("s3://bucket/a/", "s3://bucket/a/activity_20260101T000000_20260102T000000.csv", False),
    ],
)
def test_a_file(target: Any, url: str, is_path: bool) -> None:
    to = Destination.of(target, None, "")
    place = to.file(DAY)
    assert (place.url(place.path), to.is_path) == (url, is_path)


def test_a_relative_path_is_below_the_folder_where_the_worker_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Destination.of("out/", None, None).place == Place("file", None, f"{tmp_path}/out/")


def test_a_file_on_quatrix() -> None:
    assert Destination.of("quatrix://other@/audit/", None, None).file(DAY) == Place(
        "quatrix", "other", "/audit/activity_20260101T000000_20260102T000000.csv"
    )


@pytest.mark.parametrize("table", ["activity", "audit.activity", 'audit."Activity of Q"', "db.dbo.[a b]", "`a b`.c$1"])
def test_a_table(table: str) -> None:
    to = Destination.of("None", "warehouse", table)
    assert (to.place, to.conn_id, to.table) == (None, "warehouse", table)
    with pytest.raises(InvalidPathError):
        to.file(DAY)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ((None, None, None), "target is empty"),
        (("", "None", None), "target is empty"),
        (("/a.csv", "warehouse", "t"), "target is given, and so is conn_id or table"),
        (("/a.csv", None, "t"), "target is given, and so is conn_id or table"),
        ((None, "warehouse", None), "table is None: give both"),
        ((None, None, "t"), "conn_id is None: give both"),
        ((None, "warehouse", "t; DROP TABLE t"), "table is 't; DROP TABLE t'"),
        ((None, "warehouse", "a.b.c.d"), "table is"),
        (("s3:/bucket/a.csv", None, None), "give a URL with two slashes"),
        (("file://host/a.csv", None, None), "write three slashes"),
        (("quatrix://audit/a.csv", None, None), "did you mean quatrix://audit@/a.csv"),
        ((5, None, None), "target is 5: give a path"),
    ],
)
def test_no_destination(given: tuple[Any, Any, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Destination.of(*given)
