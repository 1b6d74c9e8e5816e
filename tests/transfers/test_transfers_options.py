"""What a user may say about how files are moved."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_quatrix.transfer.options import checked_bandwidth, checked_checksum, checked_verify


@pytest.mark.parametrize("value", ["sha256", "md5", "blake2b", "sha3_512", None])
def test_any_algorithm_of_hashlib_will_do_or_none(value: str | None) -> None:
    assert checked_checksum(value) == value


@pytest.mark.parametrize("value", ["sha-256", "crc32", "", "shake_128", "SHA257", 256, ["md5"]])
def test_an_unknown_algorithm_is_named_with_those_that_there_are(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^checksum is .*: give one of 'blake2b', .*'sha512', or None for no"):
        checked_checksum(value)


@pytest.mark.parametrize("value", [None, 1, 0.5, 10_000_000])
def test_a_bandwidth_is_positive(value: float | None) -> None:
    assert checked_bandwidth(value) == value


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True, "1 MB"])
def test_any_other_bandwidth_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^bandwidth is .*: give bytes per second, more than 0, or None for no"):
        checked_bandwidth(value)


def test_to_verify_needs_something_to_compare_by() -> None:
    assert checked_verify(True, "md5")
    assert not checked_verify(False, None)
    with pytest.raises(ValueError, match="verify is True, but checksum is None: give an algorithm"):
        checked_verify(True, None)
    with pytest.raises(ValueError, match="verify is 'yes': give True or False"):
        checked_verify("yes", "md5")  # type: ignore[arg-type]
