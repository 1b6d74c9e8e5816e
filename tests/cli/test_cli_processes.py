"""The command line as users start it: processes of its own."""

from __future__ import annotations

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from dag_runs import AIRFLOW_3

from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db")
COMMAND = [sys.executable, "-m", "airflow_provider_quatrix"]
# A shell that starts the tests in the background lets them, and what they start, ignore Ctrl-C.
INTERRUPTIBLE = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_connection_and_a_session_in_airflows_database(airflow_db: Path, quatrix_emulator: EmulatorClient) -> None:
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(Connection("of_the_database", "quatrix", host=quatrix_emulator.url, login=EMAIL, password=PASSWORD))
    command = [*COMMAND, "check", "of_the_database", "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["ok"]
    assert PASSWORD not in done.stdout + done.stderr
    with closing(sqlite3.connect(airflow_db)) as database:
        ((name, text),) = database.execute("SELECT key, val FROM variable").fetchall()
    assert name.startswith("quatrix_session__")
    (open_session,) = quatrix_emulator.sessions
    assert open_session["id"] not in text
    assert quatrix_emulator.logins == 1


def test_a_person_sees_progress_and_interrupts(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection, tmp_path: Path
) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(4_000_000))
    quatrix_emulator.configure(bytes_per_second=400_000)
    master, slave = pty.openpty()
    command = [sys.executable, "-c", INTERRUPTIBLE, *COMMAND, "put", str(tmp_path / "large.bin"), "/"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    seen = b""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, env=environment) as process:
        os.close(slave)
        # 1 MB of 4.
        while b"/4.0 MB" not in seen:
            seen += os.read(master, 65536)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    os.close(master)
    assert process.returncode == 130
    assert b"Uploading" in seen
    assert out == b""
    assert [file for file in quatrix_emulator.files(EMAIL) if file["type"] == "F"] == []


def test_a_reader_who_has_enough(quatrix_connection: QuatrixConnection) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, "ls"], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writer)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


# Loads the commands of all providers, as every `airflow` command does, and tells what that has imported of this one.
LOADED = """
import json, sys
import airflow.cli.cli_parser as airflow_cli

args = airflow_cli.get_parser().parse_args(["quatrix", "put", "a", "b", "/in/", "--transfers", "2"])
modules = [name for name in sys.modules if name.startswith("airflow_provider_quatrix.")]
print(json.dumps([vars(args)["source"], args.transfers, sorted(modules)]))
"""


@pytest.mark.skipif(not AIRFLOW_3, reason="providers may not add commands")
def test_airflows_own_command(quatrix_connection: QuatrixConnection) -> None:
    command = [sys.executable, "-m", "airflow", "quatrix", "ls", "-c", "no_such", "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    # Airflow may log warnings of its own in front.
    told = json.loads(done.stdout[done.stdout.index("{\n") :])
    assert told["status"] == 2
    assert "no_such" in told["error"]


@pytest.mark.skipif(not AIRFLOW_3, reason="providers may not add commands")
def test_what_every_airflow_command_loads_is_light() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    source, transfers, modules = json.loads(done.stdout.splitlines()[-1])
    assert (source, transfers) == (["a", "b"], 2)
    hooks = {"hooks", "hooks.arguments", "hooks.connection"}
    light = {"version", "get_provider_info", "cli", "cli.airflow_commands", "cli.commands"} | hooks
    assert {name.removeprefix("airflow_provider_quatrix.") for name in modules} <= light
