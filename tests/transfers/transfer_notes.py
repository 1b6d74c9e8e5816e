"""What tries leave behind, notes in memory and parts on either side; and files that somebody else writes to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_quatrix.sessions.stores import MemoryStore
from airflow_provider_quatrix.transfer.temporary import is_temporary
from airflow_provider_quatrix.transfer.writer import Block

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

USER = "robot@example.com"


def is_note(name: str) -> bool:
    """Tell whether it is the name of a note, and not of a session."""
    return re.search(r"__[0-9a-f]{32}$", name) is not None


def notes() -> list[str]:
    """Return the names of the notes that are kept."""
    return [name for name in MemoryStore._texts if is_note(name)]


def remote_parts(emulator: EmulatorClient) -> list[str]:
    return [entry["path"] for entry in emulator.files(USER) if is_temporary(entry["path"].rsplit("/", 1)[-1])]


def local_parts(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if is_temporary(path.name)]


def write_in_place(hook: QuatrixHook, path: str, data: bytes) -> None:
    """Give a remote file other bytes, as clients do that keep its id."""
    files = hook.client.files
    link = files.modify(hook._tree().stat(path).id)
    files.upload_chunk(link.key, 0, len(data), len(data), lambda: Block(data))
    files.finalize(link.key, None)
