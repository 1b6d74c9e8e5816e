"""rclone as a client of the emulator."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient

EMAIL = "robot@example.com"
API_KEY = "rclone-api-key"
TIMEOUT_SECONDS = 60


@dataclass
class Rclone:
    """A client that this project did not write: rclone's backend for Quatrix. Its remote is called ``q:``."""

    program: Path
    emulator: EmulatorClient
    home: Path

    @property
    def env(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CA_CERT": self.emulator.ca_file or "",
            "RCLONE_CONFIG_Q_TYPE": "quatrix",
            "RCLONE_CONFIG_Q_API_KEY": API_KEY,
            "RCLONE_CONFIG_Q_HOST": self.emulator.host,
            "RCLONE_RETRIES": "1",
        }

    def start(self, *args: str | Path) -> subprocess.Popen[bytes]:
        command = [self.program, *args]
        return subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def try_(self, *args: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self.program, *args], env=self.env, input=stdin, capture_output=True, timeout=TIMEOUT_SECONDS, check=False
        )

    def __call__(self, *args: str | Path, stdin: bytes = b"") -> bytes:
        done = self.try_(*args, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def names(self, *args: str) -> list[str]:
        return sorted(self("lsf", *args).decode().splitlines())
