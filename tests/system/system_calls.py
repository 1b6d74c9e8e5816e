"""Calls that triggers still make when the test that waited has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from testing.airflow_process import AirflowProcess


def wait_until_nobody_calls(
    airflow: AirflowProcess, emulator: EmulatorClient, call: tuple[str, str], interval: float, what: str
) -> None:
    """Wait until a call has not been made for longer than the interval between two of them."""

    def is_over() -> bool:
        before = emulator.calls(*call)
        time.sleep(interval + 2)
        return emulator.calls(*call) == before

    airflow.wait_until(is_over, what, 90)
