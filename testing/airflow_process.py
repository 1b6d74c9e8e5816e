"""A whole Airflow of this interpreter, started and stopped from Python, on both lines."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from typing import IO, TYPE_CHECKING, Self

import psutil
import requests

from testing.airflow_client import AirflowClient, AirflowError
from testing.airflow_settings import AIRFLOW_3, WEBSERVER_CONFIG_OF_2, environment, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class AirflowProcess(AirflowClient):
    """Runs Airflow with scheduler, triggerer, LocalExecutor and web server on free ports of 127.0.0.1.

    On Airflow 3 it is `airflow standalone`; on Airflow 2 the scheduler, the triggerer and the web server, as the
    standalone command of that line makes a user first, which takes long. Whoever reaches the port is an administrator:
    it is for demos and tests on one machine.

    The database is SQLite in WAL mode unless another URL is given. LocalExecutor runs on it on both lines; Airflow 2
    has to be told to, by the variable that Airflow's own tests use for that.

    Use it as a context manager: it starts on entry, and on exit nothing of it is left, after an exception too.

    :param home: Airflow's home folder; made if missing.
    :param dags_folder: folder of DAG files; default ``dags`` in the home folder, made if missing.
    :param parallelism: tasks that run at the same time.
    :param env: environment variables that win over the settings made here, such as ``AIRFLOW_CONN_QUATRIX_DEFAULT``.
    :param port: of the web interface; a free one when None.
    :param database_url: metadata database, as SQLAlchemy wants it; default SQLite in the home folder.
    :param start_timeout: seconds until Airflow must be healthy.
    :param triggerer: ``False``, on Airflow 3 only, starts all parts but the triggerer.
    """

    def __init__(
        self,
        home: Path,
        *,
        dags_folder: Path | None = None,
        parallelism: int = 4,
        env: Mapping[str, str] | None = None,
        port: int | None = None,
        database_url: str | None = None,
        start_timeout: float = 180.0,
        triggerer: bool = True,
    ) -> None:
        self.home = home.resolve()
        self.dags_folder = (dags_folder or home / "dags").resolve()
        self.database_url = database_url or sqlite_url(self.home)
        self.start_timeout = start_timeout
        self.env = environment(self.home, self.dags_folder, self.database_url, parallelism, env or {}, port=port)
        url = self.env["AIRFLOW__API__BASE_URL" if AIRFLOW_3 else "AIRFLOW__WEBSERVER__BASE_URL"]
        super().__init__(url, api="api/v2" if AIRFLOW_3 else "api/v1")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._output: list[IO[bytes]] = []
        self._migrated = False
        self._triggerer = triggerer

    @property
    def logs_folder(self) -> Path:
        """Where tasks, DAG parsing and, below ``components``, Airflow's processes write their logs.

        :return: the folder.
        """
        return self.home / "logs"

    # Starting and stopping

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def migrate(self) -> None:
        """Make the database's tables; :meth:`start` does it if nobody has.

        :raises AirflowError: it failed.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        self.dags_folder.mkdir(parents=True, exist_ok=True)
        (self.logs_folder / "components").mkdir(parents=True, exist_ok=True)
        if not AIRFLOW_3:
            (self.home / "webserver_config.py").write_text(WEBSERVER_CONFIG_OF_2)
        done = self.cli("db", "migrate", timeout=self.start_timeout)
        if done.returncode != 0:
            raise AirflowError(f"airflow db migrate failed:\n{done.stdout}{done.stderr}")
        if self.database_url.startswith("sqlite:///"):
            with closing(sqlite3.connect(self.database_url.removeprefix("sqlite:///"))) as database:
                database.execute("PRAGMA journal_mode=WAL")
        self._migrated = True

    def start(self) -> None:
        """Start all parts and wait until they are healthy.

        :raises AirflowError: a part ended, or the time is over; the message ends with the log.
        """
        if not self._migrated:
            self.migrate()
        for part in self._commands():
            output = (self.logs_folder / "components" / f"{part}.log").open("ab")
            self._output.append(output)
            # In a session of its own, whose members stop() finds however they group themselves.
            self._processes[part] = subprocess.Popen(
                [sys.executable, "-m", "airflow", part],
                cwd=self.home,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.wait_healthy(self.start_timeout)

    def _commands(self) -> tuple[str, ...]:
        if not AIRFLOW_3:
            return ("scheduler", "triggerer", "webserver")
        return ("standalone",) if self._triggerer else ("scheduler", "dag-processor", "api-server")

    def stop(self) -> None:
        """End all processes; at the latest after ten seconds none is left."""
        leaders = {process.pid for process in self._processes.values()}
        members = _members(leaders)
        for member in members:
            with suppress(psutil.Error):
                member.send_signal(signal.SIGTERM)
        psutil.wait_procs(members, timeout=5)
        for _ in range(10):
            members = _members(leaders)
            if not members:
                break
            for member in members:
                with suppress(psutil.Error):
                    member.kill()
            psutil.wait_procs(members, timeout=0.5)
        for process in self._processes.values():
            process.wait(timeout=10)
        for output in self._output:
            output.close()
        self._processes.clear()
        self._output.clear()
        self.close()

    def wait_healthy(self, timeout: float = 120.0) -> None:
        """Wait until the database, the scheduler and the triggerer report that they are well.

        :param timeout: seconds to wait.
        :raises AirflowError: they do not in time.
        """
        self.wait_until(self._healthy, "Airflow is healthy", timeout)

    def check(self) -> None:
        """Make sure that all parts still run.

        :raises AirflowError: one has ended; the message ends with the log.
        """
        for part, process in self._processes.items():
            if process.poll() is not None:
                raise AirflowError(f"airflow {part} ended with {process.returncode}:\n{self.log_text()}")

    def _healthy(self) -> bool:
        path = "/api/v2/monitor/health" if AIRFLOW_3 else "/api/v1/health"
        try:
            answer = self._http.get(self.url + path, timeout=10)
            health = answer.json() if answer.ok else {}
        except (requests.RequestException, ValueError):
            return False
        parts = ["metadatabase", "scheduler", *(["triggerer"] if self._triggerer else [])]
        parts += ["dag_processor"] if AIRFLOW_3 else []
        return all((health.get(part) or {}).get("status") == "healthy" for part in parts)

    # The command line and the logs

    def cli(self, *args: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run an airflow command in the same environment.

        :param args: such as ``"providers", "list"``.
        :param timeout: seconds until it is killed.
        :return: exit status, standard output and standard error.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        return subprocess.run(
            [sys.executable, "-m", "airflow", *args],
            cwd=self.home,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def log_text(self, lines: int = 60) -> str:
        """The end of what Airflow's processes wrote, without every request to the web server.

        :param lines: how many lines of each.
        :return: text, for the report of a failure.
        """
        texts = []
        for path in sorted((self.logs_folder / "components").glob("*.log")):
            kept = [line for line in path.read_text(errors="replace").splitlines() if "http.access" not in line]
            tail = kept[-lines:]
            texts.append("\n".join([f"--- {path.name}", *tail]))
        return "\n".join(texts)


def _members(leaders: set[int]) -> list[psutil.Process]:
    """Find the processes of sessions: whatever groups they form, and whoever is their parent by now."""
    members = []
    for process in psutil.process_iter():
        with suppress(OSError, psutil.Error):
            if os.getsid(process.pid) in leaders and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
    return members
