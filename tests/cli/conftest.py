"""The command line in this process, against the emulator, with Airflow's database."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from airflow.models import import_all_models

from airflow_provider_quatrix.cli.main import main
from airflow_provider_quatrix.sessions import variables
from airflow_provider_quatrix.sessions.registry import forget_sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

# Airflow 2 maps none of its tables before all are known.
import_all_models()


@dataclass(frozen=True)
class Done:
    """What came of a command."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def cli(
    airflow_db: Path,
    quatrix_connection: QuatrixConnection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Callable[..., Done]]:
    """Run a command as a process of its own would: without memory of earlier ones."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    monkeypatch.setattr(variables, "_database_allowed", False)
    root, package = logging.getLogger(), logging.getLogger("airflow_provider_quatrix")
    kept = root.handlers[:], root.level, package.level

    def run(*words: str) -> Done:
        forget_sessions()
        try:
            status = main(words)
        except SystemExit as end:
            status = int(str(end.code))
        out, err = capsys.readouterr()
        return Done(status, out, err)

    yield run
    root.handlers[:] = kept[0]
    root.setLevel(kept[1])
    package.setLevel(kept[2])
