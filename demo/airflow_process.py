"""A whole Airflow of this interpreter, started and stopped from Python, on both lines."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Self

import psutil
import requests

from demo.airflow_settings import AIRFLOW_3, WEBSERVER_CONFIG_OF_2, environment, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

FINAL_STATES = ("success", "failed")
POLL_SECONDS = 0.5


class AirflowProcessError(RuntimeError):
    """Airflow did not do what it was asked to."""


class AirflowProcess:
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
    :param database_url: metadata database, as SQLAlchemy wants it; default SQLite in the home folder.
    :param start_timeout: seconds until Airflow must be healthy.
    """

    def __init__(
        self,
        home: Path,
        *,
        dags_folder: Path | None = None,
        parallelism: int = 4,
        env: Mapping[str, str] | None = None,
        database_url: str | None = None,
        start_timeout: float = 180.0,
    ) -> None:
        self.home = home.resolve()
        self.dags_folder = (dags_folder or home / "dags").resolve()
        self.database_url = database_url or sqlite_url(self.home)
        self.start_timeout = start_timeout
        self.env = environment(self.home, self.dags_folder, self.database_url, parallelism, env or {})
        self.url = self.env["AIRFLOW__API__BASE_URL" if AIRFLOW_3 else "AIRFLOW__WEBSERVER__BASE_URL"]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._output: list[IO[bytes]] = []
        self._migrated = False
        self._http = requests.Session()
        self._http.trust_env = False

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

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def migrate(self) -> None:
        """Make the database's tables; :meth:`start` does it if nobody has.

        :raises AirflowProcessError: it failed.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        self.dags_folder.mkdir(parents=True, exist_ok=True)
        (self.logs_folder / "components").mkdir(parents=True, exist_ok=True)
        if not AIRFLOW_3:
            (self.home / "webserver_config.py").write_text(WEBSERVER_CONFIG_OF_2)
        done = self.cli("db", "migrate", timeout=self.start_timeout)
        if done.returncode != 0:
            raise AirflowProcessError(f"airflow db migrate failed:\n{done.stdout}{done.stderr}")
        if self.database_url.startswith("sqlite:///"):
            with sqlite3.connect(self.database_url.removeprefix("sqlite:///").partition("?")[0]) as database:
                database.execute("PRAGMA journal_mode=WAL")
        self._migrated = True

    def start(self) -> None:
        """Start all parts and wait until they are healthy.

        :raises AirflowProcessError: a part ended, or the time is over; the message ends with the log.
        """
        if not self._migrated:
            self.migrate()
        for part in ("standalone",) if AIRFLOW_3 else ("scheduler", "triggerer", "webserver"):
            output = (self.logs_folder / "components" / f"{part}.log").open("ab")
            self._output.append(output)
            # In a session of its own, whose members stop() finds however they group themselves.
            self._processes[part] = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-m", "airflow", part],
                cwd=self.home,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.wait_healthy(self.start_timeout)

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
        self._http.close()

    def wait_healthy(self, timeout: float = 120.0) -> None:
        """Wait until the database, the scheduler and the triggerer report that they are well.

        :param timeout: seconds to wait.
        :raises AirflowProcessError: they do not in time.
        """
        self.wait_until(self._healthy, "Airflow is healthy", timeout)

    def _healthy(self) -> bool:
        path = "/api/v2/monitor/health" if AIRFLOW_3 else "/api/v1/health"
        try:
            answer = self._http.get(self.url + path, timeout=10)
            health = answer.json() if answer.ok else {}
        except (requests.RequestException, ValueError):
            return False
        parts = ["metadatabase", "scheduler", "triggerer", *(["dag_processor"] if AIRFLOW_3 else [])]
        return all((health.get(part) or {}).get("status") == "healthy" for part in parts)

    def wait_until(self, condition: Callable[[], Any], what: str, timeout: float) -> Any:
        """Wait for something, as long as Airflow runs.

        :param condition: asked again and again.
        :param what: named in the error.
        :param timeout: seconds to wait.
        :return: the first true answer.
        :raises AirflowProcessError: it does not come in time, or a part of Airflow has ended.
        """
        ends = time.monotonic() + timeout
        while not (answer := condition()):
            for part, process in self._processes.items():
                if process.poll() is not None:
                    raise AirflowProcessError(f"airflow {part} ended with {process.returncode}:\n{self.log_text()}")
            if time.monotonic() > ends:
                raise AirflowProcessError(f"Not within {timeout:g} s: {what}\n{self.log_text()}")
            time.sleep(POLL_SECONDS)
        return answer

    # REST

    def get(self, path: str, **params: Any) -> Any:
        """Read from the REST API.

        :param path: below ``/api/v2/`` on Airflow 3, ``/api/v1/`` on Airflow 2.
        :param params: of the query.
        :return: the answer's JSON.
        :raises AirflowProcessError: it was refused.
        """
        return self.request("GET", path, params=params)

    def post(self, path: str, json: Any = None) -> Any:
        """Make something by the REST API; see :meth:`get`.

        :param path: see :meth:`get`.
        :param json: the body.
        :return: the answer's JSON.
        """
        return self.request("POST", path, json=json)

    def patch(self, path: str, json: Any = None) -> Any:
        """Change something by the REST API; see :meth:`get`.

        :param path: see :meth:`get`.
        :param json: the body.
        :return: the answer's JSON.
        """
        return self.request("PATCH", path, json=json)

    def delete(self, path: str) -> Any:
        """Delete something by the REST API; see :meth:`get`.

        :param path: see :meth:`get`.
        :return: the answer's JSON, ``None`` for an empty one.
        """
        return self.request("DELETE", path)

    def request(self, method: str, path: str, **kwargs: Any) -> Any:
        """Call the REST API.

        :param method: HTTP method.
        :param path: see :meth:`get`.
        :param kwargs: what ``requests`` takes.
        :return: the answer's JSON, ``None`` for an empty one.
        :raises AirflowProcessError: it was refused.
        """
        self._authenticate()
        url = f"{self.url}/api/{'v2' if AIRFLOW_3 else 'v1'}/{path.lstrip('/')}"
        answer = self._http.request(method, url, timeout=60, **kwargs)
        if not answer.ok:
            raise AirflowProcessError(f"{method} {path}: {answer.status_code} {answer.text[:2000]}")
        return answer.json() if answer.content else None

    def _authenticate(self) -> None:
        if AIRFLOW_3 and "Authorization" not in self._http.headers:
            answer = self._http.get(f"{self.url}/auth/token", timeout=60)
            answer.raise_for_status()
            self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    # DAGs

    def wait_for_dag(self, dag_id: str, timeout: float = 60.0) -> None:
        """Wait until a DAG is known, which takes some seconds after its file appears.

        :param dag_id: the DAG.
        :param timeout: seconds to wait.
        :raises AirflowProcessError: it does not appear in time; import errors are named.
        """
        try:
            self.wait_until(lambda: self._knows(dag_id), f"DAG {dag_id} is known", timeout)
        except AirflowProcessError as error:
            raise AirflowProcessError(f"{error}\nImport errors: {self.get('importErrors')}") from None

    def _knows(self, dag_id: str) -> bool:
        try:
            self.get(f"dags/{dag_id}/details")
        except AirflowProcessError:
            return False
        return True

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run, after waiting until it is known.

        :param dag_id: the DAG.
        """
        self.wait_for_dag(dag_id)
        self.patch(f"dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run of an unpaused DAG.

        :param dag_id: the DAG.
        :param conf: the run's configuration.
        :return: the run's id.
        """
        body: dict[str, Any] = {"conf": dict(conf or {})}
        if AIRFLOW_3:
            body["logical_date"] = None
        run_id: str = self.post(f"dags/{dag_id}/dagRuns", body)["dag_run_id"]
        return run_id

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float = 120.0) -> str:
        """Wait until a run has ended.

        :param dag_id: the DAG.
        :param run_id: the run.
        :param timeout: seconds to wait.
        :return: ``success`` or ``failed``.
        :raises AirflowProcessError: it does not end in time; the states of its tasks are named.
        """

        def final_state() -> str | None:
            state: str = self.get(f"dags/{dag_id}/dagRuns/{run_id}")["state"]
            return state if state in FINAL_STATES else None

        try:
            ended: str = self.wait_until(final_state, f"run {run_id} of {dag_id} has ended", timeout)
        except AirflowProcessError as error:
            states = [
                (task["task_id"], task["map_index"], task["state"]) for task in self.task_instances(dag_id, run_id)
            ]
            raise AirflowProcessError(f"{error}\nTasks: {states}") from None
        return ended

    def run(self, dag_id: str, conf: Mapping[str, Any] | None = None, timeout: float = 120.0) -> tuple[str, str]:
        """Unpause a DAG, run it and wait for the end.

        :param dag_id: the DAG.
        :param conf: the run's configuration.
        :param timeout: seconds to wait for the end.
        :return: the run's id and its state.
        """
        self.unpause(dag_id)
        run_id = self.trigger(dag_id, conf)
        return run_id, self.wait_for_run(dag_id, run_id, timeout)

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The tasks of a run, mapped ones each by itself.

        :param dag_id: the DAG.
        :param run_id: the run.
        :return: as the REST API shows them, with ``task_id``, ``map_index``, ``state``, ``try_number`` and more.
        """
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=1000, offset=len(found))
            found += page["task_instances"]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    # The command line and the logs

    def cli(self, *args: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run an airflow command in the same environment.

        :param args: such as ``"providers", "list"``.
        :param timeout: seconds until it is killed.
        :return: exit status, standard output and standard error.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        return subprocess.run(  # noqa: S603 - our own interpreter
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
