from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from testing.lab.compose import ROOT
from testing.lab.needs import PROGRAMS, missing, search_path, sentence

if TYPE_CHECKING:
    from pathlib import Path


def test_a_machine_that_has_everything_misses_nothing() -> None:
    assert missing(is_root=True, has=lambda name: True, can_separate=lambda: True) == []


def test_everything_that_is_missing_is_named_with_its_package() -> None:
    lacking = missing(is_root=False, has=lambda name: name not in {"ip", "initdb"}, can_separate=lambda: True)
    assert [item.split(" (")[0] for item in lacking] == ["root", "ip", "initdb"]
    assert "package iproute2" in lacking[1]
    text = sentence(lacking)
    assert "\n" not in text
    assert all(item in text for item in lacking)


def test_namespaces_are_tried_only_where_they_can_be() -> None:
    asked: list[bool] = []

    def can_separate() -> bool:
        asked.append(True)
        return False

    (lacking,) = missing(is_root=True, has=lambda name: True, can_separate=can_separate)
    assert "namespaces" in lacking
    assert len(missing(is_root=True, has=lambda name: False, can_separate=can_separate)) == len(PROGRAMS)
    assert asked == [True]


def test_the_newest_database_server_comes_first(tmp_path: Path) -> None:
    for version in ("9.6", "15", "16", "odd"):
        (tmp_path / "usr" / "lib" / "postgresql" / version / "bin").mkdir(parents=True)
    first, second, third, *_ = search_path(tmp_path).split(":")
    assert [first.split("/")[-2], second.split("/")[-2], third.split("/")[-2]] == ["16", "15", "9.6"]


def test_what_is_missing_is_said_before_anything_is_installed() -> None:
    # Without any environment: no site packages.
    program = "from testing.lab import needs; print(needs.missing(is_root=False, has=bool, can_separate=bool))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "root" in done.stdout
