"""What is done is told in the task's log: one line for each file, and one for the session."""

from __future__ import annotations

import hashlib
import logging
import re
from typing import TYPE_CHECKING

import pytest

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.sessions.registry import forget_sessions

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The lines of this package's loggers."""
    caplog.set_level(logging.INFO, "airflow_provider_quatrix")
    return caplog


def test_each_file_has_a_line(
    hook: QuatrixHook, quatrix_emulator: EmulatorClient, tmp_path: Path, told: pytest.LogCaptureFixture
) -> None:
    data = b"one,two\n"
    digest = hashlib.sha256(data).hexdigest()
    (tmp_path / "a.csv").write_bytes(data)
    told.clear()
    hook.make_directory("/t")
    hook.upload(tmp_path / "a.csv", "/t/")
    hook.upload(tmp_path / "a.csv", "/t/", if_exists="skip", checksum=None)
    hook.download("/t/a.csv", tmp_path / "b.csv")
    hook.copy_many("/t/a.csv", "/t/c.csv")
    hook.move_many("/t/c.csv", "/t/d.csv")
    hook.move_many("/t/d.csv", "/t/a.csv", if_exists="skip")
    hook.delete(["/t/a.csv", "/t/d.csv"])
    # Other tests may have let the emulator's server log as well.
    ours = [record for record in told.records if record.name.startswith("airflow_provider_quatrix")]
    lines = [re.sub(r"\d+\.\d s", "N s", record.getMessage()) for record in ours]
    assert lines == [
        "Made the folder /t",
        f"Uploaded {tmp_path}/a.csv (8 bytes, N s, sha256 {digest}) to /t/a.csv",
        f"Kept /t/a.csv instead of {tmp_path}/a.csv",
        f"Downloaded /t/a.csv (8 bytes, N s, sha256 {digest}) to {tmp_path}/b.csv",
        "Copied /t/a.csv to /t/c.csv",
        "Moved /t/c.csv to /t/d.csv",
        "Kept /t/a.csv instead of /t/d.csv",
        "Deleted 2 files and folders: /t/a.csv, /t/d.csv",
    ]


def test_a_session_is_told_once(
    hook: QuatrixHook, quatrix_emulator: EmulatorClient, told: pytest.LogCaptureFixture
) -> None:
    account = f"{EMAIL} at {quatrix_emulator.url}"
    assert quatrix_emulator.expire_sessions() == 1
    told.clear()
    for _ in range(3):
        hook.exists("/")
    assert f"Signed in to Quatrix as {account}" in told.messages
    forget_sessions()
    told.clear()
    again = QuatrixHook(hook.quatrix_conn_id)
    for _ in range(3):
        again.exists("/")
    assert told.messages.count(f"Quatrix session of {account} reused, signed in 0 min ago") == 1
    assert quatrix_emulator.logins == 2
