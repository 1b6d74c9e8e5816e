"""Servers of databases that Airflow can use, each with data of its own, at a socket in its folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testing.lab.needs import search_path

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 60


def program(name: str) -> str:
    """Where a server's program is; the test is skipped where it is nowhere."""
    found = shutil.which(name, path=search_path())
    if found is None:
        pytest.skip(f"needs {name}")
    return found


@contextmanager
def mysql() -> Iterator[str]:
    """MariaDB, as the distributions have it in the place of MySQL; yield the URL of its database."""
    pytest.importorskip("pymysql", reason="needs the package pymysql, of the extra test")
    install, server = program("mariadb-install-db"), program("mariadbd")
    as_user = ["--user=root"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="quatrix-mysql-") as folder:
        same = ("--no-defaults", f"--datadir={folder}/data")
        subprocess.run(
            [install, *same, *as_user, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        socket, log = Path(folder, "socket"), Path(folder, "log")
        init = Path(folder, "init.sql")
        init.write_text("CREATE DATABASE airflow CHARACTER SET utf8mb4;\n")
        command = [server, *same, *as_user, f"--socket={socket}", "--skip-networking", f"--init-file={init}"]
        with _running(command, log, "ready for connections", signal.SIGKILL):
            yield f"mysql+pymysql://root@localhost/airflow?unix_socket={socket}"


@contextmanager
def postgresql() -> Iterator[str]:
    """PostgreSQL; yield the URL of its database."""
    pytest.importorskip("psycopg2", reason="needs the package psycopg2-binary, of the extra test")
    install, server = program("initdb"), program("postgres")
    # It refuses to be run by root.
    user = "nobody" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="quatrix-postgres-") as folder:
        if user is not None:
            shutil.chown(folder, user)
        subprocess.run(
            [install, "--no-sync", "--username=airflow", "--auth=trust", f"--pgdata={folder}/data"],
            check=True,
            stdout=subprocess.DEVNULL,
            user=user,
            cwd=folder,
        )
        command = [server, "-D", f"{folder}/data", "-k", folder, "-c", "listen_addresses="]
        with _running(command, Path(folder, "log"), "ready to accept connections", signal.SIGQUIT, user):
            yield f"postgresql+psycopg2://airflow@/postgres?host={folder}"


@contextmanager
def _running(command: list[str], log: Path, ready: str, end: signal.Signals, user: str | None = None) -> Iterator[None]:
    """Run a server until it is not needed any more.

    :param ready: what it logs when it can be used.
    :param end: ends it at once; its data are thrown away.
    """
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, user=user, cwd=log.parent) as process:
        try:
            for _ in range(SECONDS * 20):
                if ready in log.read_text() or process.poll() is not None:
                    break
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
            assert ready in log.read_text(), log.read_text()
            yield
        finally:
            process.send_signal(end)


DATABASES = {"mysql": mysql, "postgresql": postgresql}
