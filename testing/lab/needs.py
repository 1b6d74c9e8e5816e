"""What a machine must have to be many hosts. Needs Python alone, as it is asked before anything is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Programs and the Debian packages that have them.
PROGRAMS = {
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "hostname": "hostname",
    "curl": "curl",
    "initdb": "postgresql",
    "postgres": "postgresql",
    "pg_isready": "postgresql-client",
    "redis-server": "redis-server",
    "redis-cli": "redis-tools",
}
# Debian keeps the server's programs out of the usual folders, one folder per version.
SERVER_FOLDERS = "usr/lib/postgresql/*/bin"
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# All that a host does to become one. The root of the machine stays as it is.
PROBE = """
mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work /mnt/root &&
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root && ip link set lo up
"""
CANNOT_RUN = 2


def search_path(root: Path = Path("/")) -> str:
    """Where programs of the system are, those of PostgreSQL's newest version first.

    :param root: of the file system.
    :return: folders, as ``PATH`` names them.
    """
    servers = sorted(root.glob(SERVER_FOLDERS), key=lambda folder: _version(folder.parent.name), reverse=True)
    return os.pathsep.join([*map(str, servers), *SYSTEM_FOLDERS])


def _version(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return 0.0


def missing(*, is_root: bool, has: Callable[[str], bool], can_separate: Callable[[], bool]) -> list[str]:
    """Find out what keeps the lab from running.

    :param is_root: whether this is root.
    :param has: tells whether a program is there.
    :param can_separate: tells whether the kernel gives namespaces and overlays; asked only if the rest is there.
    :return: what is missing, for people; empty if it can run.
    """
    found = [] if is_root else ["root (namespaces of other users cannot be bridged)"]
    found += [f"{name} (package {package})" for name, package in PROGRAMS.items() if not has(name)]
    if not found and not can_separate():
        found.append("namespaces with an overlay file system, which the kernel or a container refuses")
    return found


def sentence(lacking: Iterable[str]) -> str:
    """Say what is missing.

    :param lacking: names.
    :return: one line.
    """
    return f"make test-distributed cannot run here. Missing: {', '.join(lacking)}."


def can_separate() -> bool:
    """Try namespaces and an overlay.

    :return: whether they can be had.
    """
    flags = ("--mount", "--net", "--uts", "--ipc", "--pid", "--fork")
    command = ["unshare", *flags, "sh", "-c", PROBE]
    done = subprocess.run(command, env={"PATH": search_path()}, capture_output=True, check=False)
    return done.returncode == 0


def main() -> int:
    """Say what is missing.

    :return: 0 if nothing is.
    """
    path = search_path()
    lacking = missing(
        is_root=os.geteuid() == 0,
        has=lambda name: shutil.which(name, path=path) is not None,
        can_separate=can_separate,
    )
    if lacking:
        sys.stderr.write(sentence(lacking) + "\n")
        return CANNOT_RUN
    return 0


if __name__ == "__main__":
    sys.exit(main())
