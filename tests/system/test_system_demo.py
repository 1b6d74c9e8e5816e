"""How the demo sees a run that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.scenes import Scene, play
from testing.airflow_settings import AIRFLOW_3

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from testing.airflow_process import AirflowProcess


@pytest.mark.skipif(not AIRFLOW_3, reason="the demo has one environment, which is of the newer line")
def test_each_task_that_failed_is_named_with_its_reason(
    airflow: AirflowProcess, quatrix_emulator: EmulatorClient
) -> None:
    outcome = play(Scene("system_fails"), airflow, quatrix_emulator)
    assert (outcome.state, outcome.tasks, outcome.logins, outcome.calls) == ("failed", 2, 0, 0)
    assert sorted(outcome.failures) == ["after upstream_failed", "work failed: ValueError: the reason of the failure"]
