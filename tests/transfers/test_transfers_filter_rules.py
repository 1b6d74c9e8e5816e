"""Which files a filter takes, and which filters are refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_quatrix.transfer.filters import FileFilter, Selection

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
HOUR = 3600.0


def taken(names: str, *, size: int = 100, age: float = HOUR, **arguments: Any) -> bool:
    """Tell whether a file is taken that was modified so many seconds ago."""
    now = NOW.timestamp()
    return FileFilter.of(**arguments).takes(tuple(names.split("/")), size, now - age, now)


@pytest.mark.parametrize(
    ("names", "include", "exclude", "expected"),
    [
        ("a.csv", None, None, True),
        ("a.csv", "*.csv", None, True),
        ("a.txt", "*.csv", None, False),
        ("a.CSV", "*.csv", None, False),
        ("a.csv", ["*.txt", "*.csv"], None, True),
        ("a.csv", [Path("*.csv")], None, True),
        # Without a slash a pattern is for the name, wherever the file is.
        ("deep/er/a.csv", "*.csv", None, True),
        ("a.csv/b.txt", "*.csv", None, False),
        # With one it is for the place.
        ("deep/a.csv", "deep/*.csv", None, True),
        ("deep/er/a.csv", "deep/*.csv", None, False),
        ("deep/er/a.csv", "deep/**/*.csv", None, True),
        ("deep/a.csv", "/deep/*", None, True),
        ("er/deep/a.csv", "/deep/*", None, False),
        ("a.csv", None, "*.csv", False),
        ("a.csv", None, [], True),
        ("a.csv", "*", "a*", False),
        ("tmp/a.csv", None, "tmp/**", False),
        ("deep/tmp/x/a.csv", None, "tmp/**", True),
        ("deep/tmp/x/a.csv", None, "**/tmp/**", False),
        ("[x].csv", "[[]x].csv", None, True),
    ],
)
def test_names(names: str, include: Any, exclude: Any, expected: bool) -> None:
    assert taken(names, include=include, exclude=exclude) is expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"min_size": 100}, True),
        ({"min_size": 101}, False),
        ({"max_size": 100}, True),
        ({"max_size": 99}, False),
        ({"max_size": 0}, False),
        ({"newer_than": timedelta(hours=2)}, True),
        ({"newer_than": timedelta(hours=1)}, False),
        ({"older_than": timedelta(minutes=30)}, True),
        ({"older_than": timedelta(hours=1)}, False),
        ({"newer_than": NOW - timedelta(hours=2)}, True),
        ({"newer_than": NOW}, False),
        ({"newer_than": "2026-07-01T10:59:59Z"}, True),
        ({"newer_than": "2026-07-01T11:00:00+00:00"}, False),
        ({"older_than": "2026-07-01T11:00:01Z"}, True),
        ({"newer_than": None, "older_than": "None"}, True),
        ({"newer_than": timedelta(hours=2), "older_than": NOW}, True),
        ({"include": "*.csv", "min_size": 101}, False),
    ],
)
def test_sizes_and_times(arguments: dict[str, Any], expected: bool) -> None:
    assert taken("a.csv", **arguments) is expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"include": []}, "include is empty, so that no file would be taken: give a pattern"),
        ({"include": ""}, "include contains '': give a pattern as text"),
        ({"include": "/"}, "include contains '/': give a pattern as text"),
        ({"exclude": ["*.csv", 5]}, "exclude contains 5: give a pattern as text"),
        ({"min_size": 2, "max_size": 1}, "min_size is 2 and max_size is 1: no file has both"),
        ({"min_size": -1}, "min_size is -1: give a number of bytes, 0 or more"),
        ({"max_size": "1 MB"}, "max_size is '1 MB': give a number of bytes"),
        ({"max_size": True}, "max_size is True: give a number of bytes"),
        ({"newer_than": "yesterday"}, "newer_than is 'yesterday': give a datetime, text in ISO 8601"),
        ({"older_than": 60}, "older_than is 60: give a datetime"),
        ({"older_than": datetime(2026, 7, 1)}, "without a time zone: add one"),  # noqa: DTZ001
        ({"newer_than": timedelta(-1)}, "newer_than is -1 day, 0:00:00, in the future"),
        (
            {"newer_than": timedelta(1), "older_than": timedelta(1)},
            "newer_than is 1 day, 0:00:00 and older_than is 1 day, 0:00:00: no file is both",
        ),
        ({"newer_than": "2026-07-02T00:00:00Z", "older_than": "2026-07-01T00:00:00Z"}, "no file is both"),
        ({"newer_than": NOW, "older_than": NOW}, "no file is both"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        FileFilter.of(**arguments)


@pytest.mark.parametrize(
    ("arguments", "folder", "expected"),
    [
        ({"exclude": "tmp/**"}, "tmp", False),
        ({"exclude": "tmp/**"}, "tmp/deep", False),
        ({"exclude": "tmp/**"}, "other", True),
        ({"exclude": "tmp/*"}, "tmp", True),
        ({"include": "*.csv"}, "any", True),
        ({"include": "deep/**/*.csv"}, "deep/er", True),
        ({"include": "deep/**/*.csv"}, "other", False),
        ({"include": ["deep/*", "*.csv"]}, "other", True),
    ],
)
def test_folders_that_can_hold_nothing(arguments: dict[str, Any], folder: str, expected: bool) -> None:
    assert FileFilter.of(**arguments).may_hold(tuple(folder.split("/"))) is expected


def test_without_filters_nothing_is_looked_at() -> None:
    assert not Selection.of(keep_structure=True, missing_ok=True).files.is_active
    assert FileFilter.of(exclude="*.tmp").is_active
    assert not FileFilter.of(exclude="*.tmp").needs_metadata
    assert FileFilter.of(max_size=0).needs_metadata
