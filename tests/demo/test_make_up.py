from __future__ import annotations

import re
import signal
import time
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Program

pytestmark = pytest.mark.system


def test_both_answer_and_one_signal_stops_them(start: Callable[..., Program]) -> None:
    program = start("demo.up")
    printed = program.read_until("Ctrl-C stops both")
    addresses = dict(re.findall(r"^(Airflow|Emulator): +(http://127\.0\.0\.1:\d+) ", printed, re.MULTILINE))
    assert set(addresses) == {"Airflow", "Emulator"}, printed
    assert requests.get(f"{addresses['Emulator']}/_emulator/state", timeout=10).json()["sessions"] == []
    token = requests.get(f"{addresses['Airflow']}/auth/token", timeout=30).json()["access_token"]
    connection = requests.get(
        f"{addresses['Airflow']}/api/v2/connections/quatrix_default",
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    ).json()
    assert (connection["conn_type"], connection["host"]) == ("quatrix", addresses["Emulator"])

    program.note_children()
    program.process.send_signal(signal.SIGINT)
    assert "Both are stopped." in program.finish(timeout=60)
    assert program.process.returncode == 0
    assert program.left_over() == []
    for address in addresses.values():
        with pytest.raises(requests.ConnectionError):
            requests.get(address, timeout=5)


def test_a_signal_while_they_start_leaves_nothing(start: Callable[..., Program]) -> None:
    program = start("demo.up")
    program.read_until("Starting")
    # The emulator's log is there once its process is.
    while not (program.home / "logs" / "components" / "emulator.log").exists():
        assert program.process.poll() is None
        time.sleep(0.02)
    program.note_children()
    program.process.send_signal(signal.SIGTERM)
    assert "Both are stopped." in program.finish(timeout=60)
    assert program.process.returncode == 0
    assert program.left_over() == []
