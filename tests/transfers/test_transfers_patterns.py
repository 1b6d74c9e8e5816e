from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.transfer.patterns import escape, fixed_names, leads_to_matches, matches, only_name
from airflow_provider_quatrix.transfer.sources import Source, Sources


@pytest.mark.parametrize(
    ("pattern", "right", "wrong"),
    [
        ("a.csv", ["a.csv"], ["b.csv", "a.csv/a.csv"]),
        ("*.csv", ["a.csv", ".csv", "*.csv"], ["a.txt", "a/b.csv", "A.CSV"]),
        ("a?", ["ab", "a?", "a*"], ["a", "abc"]),
        ("[ab].csv", ["a.csv", "b.csv", "[ab].csv"], ["c.csv", "ab.csv"]),
        ("*/report.csv", ["x/report.csv"], ["report.csv", "x/y/report.csv"]),
        ("**/a", ["a", "x/a", "x/y/a", "a/a"], ["x/b", "a/b"]),
        ("in/**", ["in/a", "in/x/a"], ["out/a"]),
        ("**/x/**/*.csv", ["x/a.csv", "y/x/z/a.csv", "x/x/a.csv"], ["a.csv", "y/a.csv", "x/a.txt"]),
        ("**", ["a", "x/y"], []),
        # Escaped, a part matches the one name that was meant, and nothing that looks like it.
        ("[*]", ["*"], ["a", "[*]"]),
        ("c[[]1].csv", ["c[1].csv"], ["c1.csv", "c[[]1].csv"]),
        ("[*][*]/a", ["**/a"], ["a", "x/a", "x/y/a"]),
    ],
)
def test_what_a_pattern_matches(pattern: str, right: list[str], wrong: list[str]) -> None:
    assert [path for path in right if not matches(path.split("/"), pattern.split("/"))] == []
    assert [path for path in wrong if matches(path.split("/"), pattern.split("/"))] == []
    for path in right:
        *folders, _ = path.split("/")
        assert all(leads_to_matches(folders[:depth], pattern.split("/")) for depth in range(len(folders) + 1))


def test_only_folders_that_may_hold_matches_are_looked_into() -> None:
    pattern = ["*", "x", "*.csv"]
    assert leads_to_matches(["a"], pattern)
    assert leads_to_matches(["a", "x"], pattern)
    assert not leads_to_matches(["a", "y"], pattern)
    assert not leads_to_matches(["a", "x", "deep"], pattern)
    assert leads_to_matches(["a", "b", "c"], ["**", "d"])


def test_many_wildcards_take_no_time() -> None:
    assert not matches(["a"] * 200, [*["**", "a"] * 20, "b"])


def test_an_escaped_text_matches_itself_alone() -> None:
    for text in ("*", "**", "a?b", "[x]", "[[]", "plain", "]", "[!a]"):
        assert matches([text], [escape(text)])
        assert only_name(escape(text)) == text
    assert not matches(["a"], [escape("*")])
    assert only_name("a*") is None
    assert fixed_names(["in", "[*]", "x?", "a"]) == ("in", "*")
    assert fixed_names(["in", "a"]) == ("in",)


class Entry:
    path = "/in/*"


@pytest.mark.parametrize(
    ("value", "glob", "expected"),
    [
        ("/in/a", None, [("/in/a", False)]),
        ("/in/*", None, [("/in/*", True)]),
        ("/in/*", False, [("/in/*", False)]),
        ("/in/a", True, [("/in/a", True)]),
        (Path("/in/*"), None, [("/in/*", True)]),
        ({"path": "/in/*"}, None, [("/in/*", False)]),
        ({"path": "/in/*"}, True, [("/in/*", False)]),
        ([Entry(), "/in/*"], None, [("/in/*", False), ("/in/*", True)]),
        ([["/a"], [{"path": "/b"}]], None, [("/a", False), ("/b", False)]),
        ([], None, []),
        (iter(["/a"]), None, [("/a", False)]),
    ],
)
def test_text_may_be_a_pattern_and_results_are_names(value: Any, glob: bool | None, expected: Any) -> None:
    given = Sources.of(value, glob=glob)
    assert [(source.text, source.is_pattern) for source in given] == expected


def test_one_and_many_are_told_apart() -> None:
    assert Sources.of("/a").single
    assert Sources.of({"path": "/a"}).single
    assert Sources.of("/a*").into_folder
    assert Sources.of(["/a"]).into_folder
    assert Sources.of([]).many
    assert Sources.of("/a*").described != Sources.of("/a*", glob=False).described
    assert Source("/a//b/").parts == ("a", "b")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "source is None: give a path as text"),
        (7, "source is 7"),
        ("", "source is empty"),
        (["/a", ""], "source is empty"),
        ({"name": "a"}, "give a path as text, or a result that has one"),
        ({"path": ""}, "source is empty"),
        ({"path": 7}, "source is"),
        (b"/a", "give a path as text"),
        (os.fsencode("/a"), "give a path as text"),
        ({"summary": True, "files": 2000}, "the summary of 2000 files, without their paths: set results='all'"),
    ],
)
def test_what_holds_no_path_is_refused(value: Any, says: str) -> None:
    with pytest.raises(InvalidPathError, match=says):
        Sources.of(value)
