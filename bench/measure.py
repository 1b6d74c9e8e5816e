"""What processes cost: seconds, CPU seconds and peak memory. Reads /proc, so it works on Linux only."""

from __future__ import annotations

import mmap
import os
import platform
import re
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MIB = 1024 * 1024
LOOK_SECONDS = 0.01
TREE_LOOK_SECONDS = 0.5


class BenchError(RuntimeError):
    """What was to be measured did not run."""


@dataclass(frozen=True)
class Usage:
    """What a program cost.

    :param wall: seconds from start to end.
    :param cpu: CPU seconds, of user and system together.
    :param peak: most memory held at a time, in bytes.
    """

    wall: float
    cpu: float
    peak: float


def run(
    command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path | None = None, timeout: float = 600.0
) -> tuple[Usage, str]:
    """Run a program and measure it.

    :param command: program and arguments.
    :param env: its environment.
    :param cwd: its folder.
    :param timeout: seconds until it is killed.
    :return: what it cost, and what it printed.
    :raises BenchError: it failed; the message ends with what it printed.
    """
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            [os.fspath(part) for part in command],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        guard = threading.Timer(timeout, process.kill)
        guard.start()
        peak = _Peak(process.pid)
        peak.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - began
        finally:
            guard.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        peak.join()
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode != 0:
        raise BenchError(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{text[-4000:]}")
    return Usage(wall, usage.ru_utime + usage.ru_stime, peak.bytes), text


class _Peak(threading.Thread):
    """Watches a process until it ends. The value of wait4 is of no use: it includes the memory of the parent."""

    def __init__(self, pid: int) -> None:
        super().__init__(name="peak", daemon=True)
        self._pid = pid
        self.bytes = 0

    def run(self) -> None:
        with suppress(OSError, BenchError):
            while True:
                self.bytes = max(self.bytes, status_of(self._pid, "VmHWM"))
                time.sleep(LOOK_SECONDS)


def status_of(pid: int | str, name: str) -> int:
    """Read a size from /proc.

    :param pid: a process, or ``self``.
    :param name: such as ``VmRSS``, the present size, or ``VmHWM``, the largest so far.
    :return: bytes.
    :raises BenchError: the process has ended.
    """
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.M)
    if found is None:
        raise BenchError(f"process {pid} has no {name}")
    return int(found[1]) * 1024


def warm_memory(size: int) -> mmap.mmap:
    """Free memory in pieces that are too small for a virtual machine to return them to its host.

    A machine that returns its free memory gets it back page by page, and so slowly that whoever writes a large file
    first after a pause takes twice the time.

    :param size: bytes to free, at least a MiB.
    :return: what keeps the pieces small; to be closed at the end.
    """
    size -= size % MIB
    held = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    held.madvise(mmap.MADV_NOHUGEPAGE)
    for page in range(0, size, mmap.PAGESIZE):
        held[page] = 1
    for piece in range(0, size, MIB):
        held.madvise(mmap.MADV_DONTNEED, piece + mmap.PAGESIZE, MIB - mmap.PAGESIZE)
    return held


def forget_peak() -> None:
    """Reset ``VmHWM`` of this process to its present size."""
    Path("/proc/self/clear_refs").write_text("5")


class TreeMeter:
    """Measures running processes, with all their children, inside a ``with`` block.

    :param roots: finds the processes at the top.
    """

    def __init__(self, roots: Callable[[], Sequence[psutil.Process]]) -> None:
        self._roots = roots
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="tree-meter", daemon=True)
        self._peak = 0
        self.usage = Usage(0.0, 0.0, 0.0)

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        self._cpu = self._cpu_seconds()
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._done.set()
        self._thread.join()
        self.usage = Usage(time.perf_counter() - self._began, self._cpu_seconds() - self._cpu, self._peak)

    def _tree(self) -> list[psutil.Process]:
        found: dict[int, psutil.Process] = {}
        for root in self._roots():
            with suppress(psutil.Error):
                found |= {each.pid: each for each in (root, *root.children(recursive=True))}
        return list(found.values())

    def _cpu_seconds(self) -> float:
        total = 0.0
        for process in self._tree():
            with suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def _watch(self) -> None:
        while not self._done.is_set():
            held = 0
            for process in self._tree():
                with suppress(psutil.Error):
                    held += process.memory_info().rss
            self._peak = max(self._peak, held)
            self._done.wait(TREE_LOOK_SECONDS)


def machine(tools: Sequence[str] = ()) -> str:
    """Describe where and when something is measured.

    :param tools: further programs with their versions.
    :return: a part of a sentence.
    """
    memory = psutil.virtual_memory().total / 1024**3
    parts = [
        f"{os.cpu_count()} cores",
        f"{memory:.0f} GiB of memory",
        f"Linux {platform.release().partition('-')[0]}",
        f"Python {platform.python_version()}",
        f"Airflow {version('apache-airflow')}",
        *tools,
    ]
    load = os.getloadavg()[1]
    return f"{', '.join(parts)}, on {datetime.now(UTC):%Y-%m-%d}, with a load of {load:.1f} before it began"
