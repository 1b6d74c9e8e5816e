"""A host of its own out of namespaces: network, mounts, processes, name; root file system and /tmp of its own."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testing.lab.compose import ROOT
from testing.lab.needs import search_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What all hosts find where it is on the machine: the project with its environments, and the Python these were made of.
SHARED_FOLDERS = (ROOT, Path(sys.base_prefix))
STOP_SECONDS = 20.0
# As in the Compose file: no capability, and no way to get one.
POWERLESS = ("--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all")


class HostError(RuntimeError):
    """A host did not do what it was asked to."""


@dataclass(frozen=True)
class Volume:
    """A folder of the machine inside a host.

    :param source: where it is on the machine.
    :param target: where the host finds it.
    :param read_only: whether the host may only read it.
    """

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class HostSpec:
    """What a host is.

    :param name: host name, and name of its network namespace.
    :param uid: user of its processes.
    :param gid: group of its processes.
    :param home: home and working folder; the host's own unless a volume is mounted there.
    :param command: what it runs; the host ends with it.
    :param environment: variables of the command, nothing else is inherited.
    :param volumes: what it mounts.
    :param folders: further folders that belong to its user.
    """

    name: str
    uid: int
    gid: int
    home: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    volumes: tuple[Volume, ...] = ()
    folders: tuple[str, ...] = ()


def host_environment(environment: Mapping[str, str], home: str, programs: Path | None = None) -> dict[str, str]:
    """Complete a service's environment with what an image sets.

    :param environment: variables that win.
    :param home: home folder.
    :param programs: folder of programs that come first.
    :return: variables.
    """
    path = os.pathsep.join([*([str(programs)] if programs else []), search_path()])
    return {"HOME": home, "PATH": path, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", **environment}


def as_user(spec: HostSpec, command: Sequence[str]) -> list[str]:
    """Let a command run as the host's user.

    :param spec: the host.
    :param command: program and arguments.
    :return: program and arguments.
    """
    return ["setpriv", f"--reuid={spec.uid}", f"--regid={spec.gid}", *POWERLESS, *command]


def opening(spec: HostSpec, etc: Path, shared: Sequence[Path] = SHARED_FOLDERS) -> str:
    """Write the script that turns fresh namespaces into a host and then becomes its command.

    The root file system is that of the machine below an overlay in memory, so nothing that a host writes reaches the
    machine but what is in its volumes.

    :param spec: the host.
    :param etc: folder with files that replace those of /etc.
    :param shared: folders that the host finds where they are on the machine, and only reads.
    :return: text for ``sh``.
    """
    quoted = {name: shlex.quote(value) for name, value in (("name", spec.name), ("home", spec.home), ("etc", str(etc)))}
    lines = [
        "set -eu",
        "umask 022",
        f"hostname {quoted['name']}",
        "mount --make-rprivate /",
        "mount -t tmpfs tmpfs /mnt",
        "mkdir /mnt/upper /mnt/work /mnt/root",
        "mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root",
        "cd /mnt/root",
        "mount --rbind /dev dev",
        "mount -t proc proc proc",
        f"cp {quoted['etc']}/* etc/",
    ]
    # Folders of its own, also where the machine mounts something.
    for folder in ("tmp", "var/tmp", "dev/shm"):
        lines.append(f"mount -t tmpfs -o mode=1777 tmpfs {folder}")
    for path in shared:
        if any(other in path.parents for other in shared):
            continue
        lines += _bind(path, str(path), read_only=True)
        # The way there may be closed to other users on the machine.
        lines += [f"chmod a+x {shlex.quote(_below(parent))}" for parent in path.parents if parent != Path("/")]
    for volume in spec.volumes:
        lines += _bind(volume.source, volume.target, read_only=volume.read_only)
    owned = shlex.join(map(_below, (spec.home, *spec.folders)))
    lines += [
        f"mkdir -p {owned}",
        f"chown {spec.uid}:{spec.gid} {owned}",
        "pivot_root . mnt",
        "umount -l /mnt",
        f"cd {quoted['home']}",
        f"exec {shlex.join(as_user(spec, spec.command))}",
    ]
    return "\n".join(lines)


def _bind(source: Path, target: str, *, read_only: bool) -> list[str]:
    inside = shlex.quote(_below(target))
    lines = [f"mkdir -p {inside}", f"mount --bind {shlex.quote(str(source))} {inside}"]
    return [*lines, f"mount -o remount,ro,bind {inside}"] if read_only else lines


def _below(path: str | Path) -> str:
    return str(path).lstrip("/")


class Host:
    """Runs a host inside the network namespace of its name.

    :param spec: what it is.
    :param etc: folder with files that replace those of /etc.
    :param log: file for what it prints.
    """

    def __init__(self, spec: HostSpec, etc: Path, log: Path) -> None:
        self.spec = spec
        self.log = log
        self._etc = etc
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether its command runs.

        :return: whether it does.
        """
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it."""
        namespaces = ("--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child")
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    "nsenter",
                    f"--net=/run/netns/{self.spec.name}",
                    "unshare",
                    *namespaces,
                    "sh",
                    "-c",
                    opening(self.spec, self._etc),
                ],
                env=dict(self.spec.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, timeout: float) -> None:
        """Wait until its command has done its work.

        :param timeout: seconds to wait.
        :raises HostError: it failed, or takes too long.
        """
        assert self._process is not None  # noqa: S101 - for the type checker
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise HostError(f"{self.spec.name} has not ended within {timeout:g} s:\n{self.log_text()}") from None
        if status != 0:
            raise HostError(f"{self.spec.name} ended with {status}:\n{self.log_text()}")

    def run(self, *command: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as its user and with its environment.

        :param command: program and arguments.
        :param timeout: seconds until it is killed.
        :return: exit status and what it printed; a status other than 0 where the host does not run.
        """
        inner = self._inner_pid()
        if inner is None:
            return subprocess.CompletedProcess(command, 1, "", f"{self.spec.name} does not run")
        enter = ["nsenter", f"--target={inner}", "--mount", "--uts", "--ipc", "--net", "--pid"]
        try:
            return subprocess.run(
                [*enter, *as_user(self.spec, command)],
                env=dict(self.spec.environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 1, "", f"not within {timeout:g} s")

    def kill(self) -> None:
        """Kill all its processes at once, as a power failure does.

        :raises HostError: it does not run, or does not end.
        """
        inner = self._inner_pid()
        if self._process is None or inner is None:
            raise HostError(f"{self.spec.name} does not run:\n{self.log_text()}")
        # The kernel kills what else is in the namespace with the first process of it.
        os.kill(inner, signal.SIGKILL)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise HostError(f"{self.spec.name} could not be killed") from None

    def _inner_pid(self) -> int | None:
        """Return the first process of the host's namespace, the only child of the one that made it."""
        if self._process is None or self._process.poll() is not None:
            return None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None

    def log_text(self, lines: int = 40) -> str:
        """The end of what it printed.

        :param lines: how many.
        :return: text, for the report of a failure.
        """
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join([f"--- {self.log}", *text.splitlines()[-lines:]])
