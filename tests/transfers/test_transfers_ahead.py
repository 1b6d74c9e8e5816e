"""Folders of a tree are listed some at a time: each once, in the same order, and none after a failure or a stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from transfer_notes import USER

from airflow_provider_quatrix.api.errors import QuatrixApiError
from airflow_provider_quatrix.api.stopping import Stop, TransferStoppedError, stopped_by
from airflow_provider_quatrix.transfer.prefetch import AT_ONCE

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

FOLDERS = 30


@pytest.fixture(autouse=True)
def tree(quatrix_emulator: EmulatorClient) -> None:
    folders = [f"/tree/{number:02d}" for number in range(FOLDERS)]
    quatrix_emulator.put_files(USER, [f"{folder}/{name}" for folder in folders for name in ("a", "deep/b")])


def test_each_folder_is_listed_once_and_in_order(quatrix_emulator: EmulatorClient, hook: QuatrixHook) -> None:
    before = quatrix_emulator.requests
    found = [entry.path for entry in hook._tree().walk("/tree")]
    folders = [f"/tree/{number:02d}" for number in range(FOLDERS)]
    in_folders = [f"{folder}/{name}" for folder in folders for name in ("a", "deep")]
    assert found == [*folders, *in_folders, *(f"{folder}/deep/b" for folder in folders)]
    # The top is looked up by its path, too.
    assert quatrix_emulator.requests - before == 2 + 2 * FOLDERS


def test_after_a_failure_no_more_is_listed_than_had_begun(quatrix_emulator: EmulatorClient, hook: QuatrixHook) -> None:
    before = quatrix_emulator.requests
    quatrix_emulator.fault("file/metadata/*", after=3, status=400, body={"code": 10, "msg": "no"})
    with pytest.raises(QuatrixApiError):
        list(hook._tree().walk("/tree"))
    assert quatrix_emulator.requests - before <= 1 + 3 + 2 * AT_ONCE


def test_a_stop_ends_what_has_begun(quatrix_emulator: EmulatorClient, hook: QuatrixHook) -> None:
    stop, tree = Stop(), hook._tree()
    found = []

    def walk() -> None:
        for entry in tree.walk("/tree"):
            found.append(entry.path)
            if entry.path == "/tree/00/a":
                quatrix_emulator.fault("file/metadata/*", delay=30)
                stop.set()

    with pytest.raises(TransferStoppedError), stopped_by(stop):
        walk()
    assert len(found) < 3 * FOLDERS
    quatrix_emulator.clear_faults()
