"""A folder's content as an answer tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_quatrix.api.client import QuatrixClient
from airflow_provider_quatrix.api.errors import QuatrixResponseError
from airflow_provider_quatrix.api.models import FileKind, RemoteFile, byte_count
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient
IN_ORDER = {"id": "1", "name": "a.csv", "type": "F", "size": 3, "modified": 1_700_000_000, "created": 1_600_000_000}


@pytest.mark.parametrize("time", [1.7e12, -1e12, float("nan"), float("inf"), "2020", [], True, 10**400], ids=repr)
def test_what_is_no_time_counts_as_none_and_is_told(time: Any) -> None:
    file = RemoteFile.from_response({**IN_ORDER, "modified": time, "modified_ms": time, "created": time})
    assert (file.modified, file.created, file.problem) == (0.0, 0.0, "")
    assert file.odd_time


def test_seconds_stand_in_for_odd_milliseconds() -> None:
    file = RemoteFile.from_response({**IN_ORDER, "modified_ms": "odd"})
    assert (file.modified, file.odd_time) == (1_700_000_000.0, "")


@pytest.mark.parametrize(("kind", "odd_time"), [("F", "None"), ("D", "")])
def test_an_absent_time_is_odd_for_a_file(kind: str, odd_time: str) -> None:
    file = RemoteFile.from_response({"id": "1", "name": "a", "type": kind, "size": 0, "modified_ms": None})
    assert (file.modified, file.odd_time, file.problem) == (0.0, odd_time, "")


@pytest.mark.parametrize(
    ("value", "size"), [(0, 0), (3.0, 3), (3.5, None), (-1, None), ("3", None), (True, None), (float("nan"), None)]
)
def test_a_size_is_a_whole_number(value: Any, size: int | None) -> None:
    assert byte_count(value) == size


def test_a_folder_may_have_any_size() -> None:
    assert RemoteFile.from_response({**IN_ORDER, "type": "D", "size": None}).problem == ""
    assert RemoteFile.from_response({**IN_ORDER, "size": None}).problem == "has the size None"


def test_an_entry_may_be_anything() -> None:
    for entry in (None, 5, "text", []):
        file = RemoteFile.from_entry(entry)
        assert (file.kind, file.described) == (FileKind.UNKNOWN, f"one that is {entry!a}, not an object")


def test_odd_entries_are_named_in_the_log_and_kept_apart(
    quatrix_emulator: EmulatorClient, caplog: pytest.LogCaptureFixture
) -> None:
    client = QuatrixClient.connect(quatrix_emulator.url, EMAIL, PASSWORD)
    quatrix_emulator.put_files(EMAIL, [{"path": "/in/odd.csv", "size": 3, "modified": 1.7e12}])
    quatrix_emulator.put_hostile_name(EMAIL, "a/b", "/in", size=3)
    folder = client.files.find("/in")
    assert folder is not None
    listing = client.files.listing(folder[0])
    assert [entry.name for entry in listing.entries] == ["odd.csv"]
    assert [entry.described for entry in listing.unusable] == ["one that has the name 'a/b'"]
    assert "'odd.csv' in the folder 'in' has no valid modification time (1700000000000.0)" in caplog.text
    assert "An entry of the folder 'in' is left out: one that has the name 'a/b'" in caplog.text


@pytest.mark.parametrize("content", [{}, {"content": None}], ids=["absent", "null"])
def test_a_folder_without_its_content_is_empty_only_if_it_has_no_entries(
    quatrix_emulator: EmulatorClient, content: dict[str, None]
) -> None:
    """Else a mirror would take it for one whose files are all gone."""
    client = QuatrixClient.connect(quatrix_emulator.url, EMAIL, PASSWORD)
    folder = {"id": "1", "name": "in", "type": "D", **content}
    quatrix_emulator.fault("file/metadata/1", body={**folder, "size": 0})
    assert client.files.children("1") == ()
    quatrix_emulator.fault("file/metadata/1", body={**folder, "size": 3})
    with pytest.raises(QuatrixResponseError, match="a folder of 3 entries without its content"):
        client.files.children("1")
