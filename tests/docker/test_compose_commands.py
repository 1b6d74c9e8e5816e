"""The services' own commands, run without containers wherever the program is at hand."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

Services = dict[str, dict[str, Any]]

COMMANDS = {
    "airflow-init": ["airflow", "db", "migrate"],
    "airflow-apiserver": ["airflow", "api-server"],
    "airflow-scheduler": ["airflow", "scheduler"],
    "airflow-dag-processor": ["airflow", "dag-processor"],
    "airflow-triggerer-1": ["airflow", "triggerer"],
    "airflow-triggerer-2": ["airflow", "triggerer"],
    "airflow-worker-1": ["airflow", "celery", "worker"],
    "airflow-worker-2": ["airflow", "celery", "worker"],
}
# Reads command lines as Airflow would and runs none of them; one that Airflow does not know exits with status 2.
PARSE = """
import json, sys
from airflow.cli.cli_parser import get_parser
for command in json.load(sys.stdin):
    get_parser().parse_args(command[1:])
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], env: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def turns_healthy(check: list[str], env: dict[str, str], seconds: float = 20) -> bool:
    """Repeat a health check as a container engine would, until it passes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if subprocess.run(check, env=env, capture_output=True, check=False).returncode == 0:
            return True
        time.sleep(0.2)
    return False


def test_airflow_commands(services: Services) -> None:
    assert {name: services[name]["command"] for name in COMMANDS} == COMMANDS


@pytest.mark.skipif(not version("apache-airflow").startswith("3."), reason="the image is Airflow 3")
def test_airflow_knows_its_commands_and_health_checks(services: Services, tmp_path: Path) -> None:
    checks = [services[name].get("healthcheck", {}).get("test", [])[1:] for name in COMMANDS]
    known = [*COMMANDS.values(), *(check for check in checks if check and check[0] == "airflow")]
    if importlib.util.find_spec("airflow.providers.celery") is None:
        known = [command for command in known if command[1] != "celery"]
    read = subprocess.run(
        [sys.executable, "-c", PARSE],
        input=json.dumps(known),
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert read.returncode == 0, read.stderr


def test_emulator_starts_and_its_health_check_passes(services: Services, tmp_path: Path) -> None:
    port = str(free_port())
    replaced = {"quatrix-emulator": str(Path(sys.executable).parent / "quatrix-emulator"), "8580": port}
    command = [replaced.get(word, word) for word in services["emulator"]["command"]]
    _, python, *rest = services["emulator"]["healthcheck"]["test"]
    assert python == "python"
    check = [sys.executable, *(word.replace("8580", port) for word in rest)]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    assert not turns_healthy(check, env, seconds=0.1)
    with running(command, env):
        assert turns_healthy(check, env)


@pytest.mark.skipif(not shutil.which("redis-server"), reason="no redis-server on this machine")
def test_redis_starts_with_its_password_and_refuses_another(services: Services, tmp_path: Path) -> None:
    port = free_port()
    env = {"PATH": os.environ["PATH"], **services["redis"]["environment"]}
    server = [
        word.replace("redis-server", f"redis-server --port {port} --dir {tmp_path}")
        for word in services["redis"]["command"]
    ]
    _, script = services["redis"]["healthcheck"]["test"]
    check = ["sh", "-c", script.replace("redis-cli", f"redis-cli -p {port}")]
    with running(server, env):
        assert turns_healthy(check, env)
        assert not turns_healthy(check, {**env, "REDISCLI_AUTH": "another"}, seconds=0.1)
