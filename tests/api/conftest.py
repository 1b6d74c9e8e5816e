"""A connection to the emulator that tries once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_quatrix.api import SessionCalls, Transport
from airflow_provider_quatrix.api.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_quatrix.emulator.client import EmulatorClient


@pytest.fixture(autouse=True)
def quick_retries() -> None:
    """The pauses are as long here as anywhere: these tests count them, and bring a policy or a sleep of their own."""


@pytest.fixture
def over(quatrix_emulator: EmulatorClient) -> Iterator[Transport]:
    made = Transport(quatrix_emulator.url, policy=RetryPolicy(deadline=5.0, attempts=1))
    yield made
    made.close()


@pytest.fixture
def calls(over: Transport) -> SessionCalls:
    return SessionCalls(over)
