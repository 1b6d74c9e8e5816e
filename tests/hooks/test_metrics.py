"""Metrics go out over UDP by Airflow's own StatsD client."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
from airflow import __version__

from airflow_provider_quatrix.api.errors import QuatrixError
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

NAME = re.compile(r"airflow\.(quatrix\.\w+),(\S+):(\d+)\|(c|g)")


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], dict[str, Any]]]:
    """Return what has come so far: sums of counters and last values of gauges, by name and tags."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inbox:
        inbox.bind(("127.0.0.1", 0))
        inbox.setblocking(False)
        settings = {"ON": "True", "HOST": "127.0.0.1", "PORT": str(inbox.getsockname()[1]), "INFLUXDB_ENABLED": "True"}
        for name, value in settings.items():
            monkeypatch.setenv(f"AIRFLOW__METRICS__STATSD_{name}", value)
        # Airflow 2 warns of what Airflow 3 does no more.
        monkeypatch.setenv("AIRFLOW__METRICS__METRICS_USE_PATTERN_MATCH", "True")
        figures: dict[str, Any] = {}

        def read() -> dict[str, Any]:
            while True:
                try:
                    text = inbox.recv(65536).decode()
                except BlockingIOError:
                    return figures
                for name, tags, value, kind in NAME.findall(text):
                    found = dict(tag.split("=") for tag in tags.split(","))
                    assert found.pop("conn_id") == "quatrix_default"
                    key = " ".join((name, *found.values()))
                    figures[key] = int(value) + (figures.get(key, 0) if kind == "c" else 0)

        logger = send_as_in_a_task(monkeypatch)
        yield read
        logger.statsd.close()


def send_as_in_a_task(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let Airflow send metrics, which a process decides on at its start."""
    if __version__.startswith("2."):
        from airflow.metrics.statsd_logger import get_statsd_logger
        from airflow.stats import Stats

        logger = get_statsd_logger(None)
        monkeypatch.setattr(Stats, "instance", logger, raising=False)
    else:
        from airflow.sdk._shared.observability.metrics import stats
        from airflow.sdk.observability.metrics.statsd_logger import get_statsd_logger

        logger = get_statsd_logger()
        monkeypatch.setattr(stats, "_backend", logger)
    return logger


def test_every_metric(quatrix_emulator: EmulatorClient, received: Callable[[], dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"12345")
    hook = QuatrixHook()
    hook.upload(tmp_path / "a.csv", "/")
    hook.upload(tmp_path / "a.csv", "/", if_exists="skip")
    hook.download("/a.csv", tmp_path / "b.csv")
    hook.transfer("/a.csv", f"file://{tmp_path}/c.csv")
    hook.export_activity("2001-01-01T00:00:00Z", "2001-01-02T00:00:00Z", target=tmp_path / "d.csv")
    assert received() == {
        "quatrix.logins success": 1,
        "quatrix.logins_left": 11,
        "quatrix.blocked": 0,
        **{f"quatrix.files {each}": 1 for each in ("upload", "download", "transfer", "export")},
        **{f"quatrix.bytes {each}": 5 for each in ("upload", "download", "transfer")},
        "quatrix.bytes export": (tmp_path / "d.csv").stat().st_size,
    }

    quatrix_emulator.fault("profile", status=429, headers={"Retry-After": "1"})
    quatrix_emulator.fault("profile", cut="connection")
    hook.get_conn().profile()
    figures = received()
    assert figures["quatrix.throttled"] == 1
    assert (figures["quatrix.retries 429"], figures["quatrix.retries connection"]) == (1, 1)

    quatrix_emulator.block_user(EMAIL)
    with pytest.raises(QuatrixError):
        hook.get_conn().profile()
    assert received()["quatrix.blocked"] == 1
    quatrix_emulator.unblock_user(EMAIL)
    assert not hook.captcha_blocked()
    assert received()["quatrix.blocked"] == 0


def test_a_refused_login_is_counted(quatrix_emulator: EmulatorClient, received: Callable[[], dict[str, Any]]) -> None:
    quatrix_emulator.add_user(EMAIL, "another-one")
    with pytest.raises(QuatrixError):
        QuatrixHook().get_conn()
    assert received() == {"quatrix.logins refused": 1, "quatrix.logins_left": 11, "quatrix.blocked": 0}
