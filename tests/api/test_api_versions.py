from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from airflow_provider_quatrix.api.versions import Version

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_760_000_000.123456


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Version(5, NOW), True),
        (Version(5, NOW + 1e-6), True),
        (Version(5, NOW - 1e-6), True),
        (Version(5, NOW + 4e-6), False),
        (Version(5, NOW - 1), False),
        (Version(6, NOW), False),
        (Version(5, NOW, is_folder=True), False),
    ],
)
def test_two_files_are_the_same_by_size_and_time(other: Version, same: bool) -> None:
    assert Version(5, NOW).is_same(other) is same
    assert other.is_same(Version(5, NOW)) is same


def test_a_tolerance_is_for_disks_that_keep_times_less_exactly() -> None:
    assert Version(5, NOW).is_same(Version(5, NOW + 1.9), tolerance=2)
    assert not Version(5, NOW).is_same(Version(5, NOW + 2.1), tolerance=2)


def test_the_version_of_a_local_file_has_its_time_to_the_microsecond(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    os.utime(path, ns=(1_760_000_000_123_456_789,) * 2)
    assert Version.of_local(path.stat()).is_same(Version(5, NOW))
