"""The emulator as a user starts it: the command ``quatrix-emulator``, in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from airflow_provider_quatrix.emulator.client import EmulatorClient
from testing.interruption import interruption_held

START_SECONDS = 30.0
STOP_SECONDS = 10.0
EMAIL = "robot@example.com"
PASSWORD = "Emulator-Passw0rd"  # noqa: S105 - of a user who exists in the emulator only


class EmulatorProcessError(RuntimeError):
    """The emulator did not start, or has ended by itself."""


class EmulatorProcess:
    """Starts the emulator on a free port of 127.0.0.1 on entry, and stops it on exit.

    :param log: file for what it prints.
    :param arguments: further arguments of the command.
    :param port: where it listens; a free one when 0.
    """

    def __init__(self, log: Path, *arguments: str, port: int = 0) -> None:
        self.log = log
        self.port = port
        self.arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [str(Path(sys.executable).parent / "quatrix-emulator"), "--port", str(self.port), *self.arguments]
        try:
            with self.log.open("wb") as output, interruption_held():
                # In a session of its own, so that Ctrl-C reaches whoever stops it in good order, and not itself.
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
                )
            self.client = EmulatorClient(self._wait_for_url(self._process))
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self.client.close()
        self._stop()

    @property
    def url(self) -> str:
        """Where it listens.

        :return: such as ``http://127.0.0.1:8580``.
        """
        return self.client.url

    @property
    def connection(self) -> dict[str, str | int]:
        """The Airflow connection to it, with a port of its own, as the form of Airflow 3 asks for one.

        :return: in Airflow's JSON form.
        """
        host, _, port = self.url.rpartition(":")
        return {"conn_type": "quatrix", "host": host, "port": int(port), "login": EMAIL, "password": PASSWORD}

    def check(self) -> None:
        """Make sure that it still runs.

        :raises EmulatorProcessError: it has ended.
        """
        if self._process is None or self._process.poll() is not None:
            raise EmulatorProcessError(f"The emulator has ended: {self.log.read_text().strip()} ({self.log})")

    def _wait_for_url(self, process: subprocess.Popen[bytes]) -> str:
        ends = time.monotonic() + START_SECONDS
        while not (found := re.search(r"listening on (\S+)\n", self.log.read_text())):
            if process.poll() is not None or time.monotonic() > ends:
                raise EmulatorProcessError(f"The emulator did not start: {self.log.read_text().strip()} ({self.log})")
            time.sleep(0.05)
        return found[1]

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
