"""Asks an Airflow that runs somewhere by its REST API, on both lines."""

from __future__ import annotations

import time
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FINAL_STATES = ("success", "failed")
POLL_SECONDS = 0.5
TRIES = 3
BUSY_TRIES = 5


class AirflowError(RuntimeError):
    """Airflow did not do what it was asked to.

    :param status: HTTP status, if it refused a request.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class AirflowClient:
    """Reads and changes what an Airflow has, and runs DAGs in it.

    :param url: scheme, host and port of the web server.
    :param login: user name and password on Airflow 3; ``None`` where everybody is an administrator.
    :param api: ``api/v2`` on Airflow 3, ``api/v1`` on Airflow 2.
    :param poll_seconds: how long to pause between looks at something that is waited for.
    """

    def __init__(
        self,
        url: str,
        *,
        login: tuple[str, str] | None = None,
        api: str = "api/v2",
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.url = url
        self._poll_seconds = poll_seconds
        self._login = login
        self._api = api
        self._http = requests.Session()
        self._http.trust_env = False
        # Airflow 2 sends logs as plain text otherwise.
        self._http.headers["Accept"] = "application/json"

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def check(self) -> None:
        """Make sure that Airflow still runs, while something is waited for.

        :raises AirflowError: it has ended.
        """

    def log_text(self) -> str:
        """What the report of a failure ends with.

        :return: text.
        """
        return ""

    def wait_until(self, condition: Callable[[], Any], what: str, timeout: float) -> Any:
        """Wait for something, as long as Airflow runs.

        :param condition: asked again and again; an answer that takes too long is none yet, as machines may be busy.
        :param what: named in the error.
        :param timeout: seconds to wait.
        :return: the first true answer.
        :raises AirflowError: it does not come in time, or a part of Airflow has ended.
        """
        ends = time.monotonic() + timeout
        while not (answer := self._answer(condition)):
            self.check()
            if time.monotonic() > ends:
                raise AirflowError(f"Not within {timeout:g} s: {what}\n{self.log_text()}")
            time.sleep(self._poll_seconds)
        return answer

    @staticmethod
    def _answer(condition: Callable[[], Any]) -> Any:
        try:
            return condition()
        except requests.Timeout:
            return None

    # REST

    def get(self, path: str, **params: Any) -> Any:
        """Read from the REST API.

        :param path: below ``/api/v2/`` on Airflow 3, ``/api/v1/`` on Airflow 2.
        :param params: of the query.
        :return: the answer's JSON.
        :raises AirflowError: it was refused.
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
        :raises AirflowError: it was refused.
        """
        self._authenticate()
        url = f"{self.url}/{self._api}/{path.lstrip('/')}"
        for tries in count(1):
            answer = self._http.request(method, url, timeout=60, **kwargs)
            # A busy SQLite: nothing was changed.
            if answer.status_code != HTTPStatus.INTERNAL_SERVER_ERROR or tries == BUSY_TRIES:
                break
            time.sleep(self._poll_seconds)
        if not answer.ok:
            raise AirflowError(f"{method} {path}: {answer.status_code} {answer.text[:2000]}", answer.status_code)
        return answer.json() if answer.content else None

    def _authenticate(self) -> None:
        if self._api == "api/v2" and "Authorization" not in self._http.headers:
            url = f"{self.url}/auth/token"
            if self._login is None:
                answer = self._http.get(url, timeout=60)
            else:
                username, password = self._login
                answer = self._http.post(url, json={"username": username, "password": password}, timeout=60)
            answer.raise_for_status()
            self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    # DAGs

    def wait_for_dag(self, dag_id: str, timeout: float = 60.0) -> None:
        """Wait until a DAG is known, which takes some seconds after its file appears.

        :param dag_id: the DAG.
        :param timeout: seconds to wait.
        :raises AirflowError: it does not appear in time; import errors are named.
        """
        try:
            self.wait_until(lambda: self._knows(dag_id), f"DAG {dag_id} is known", timeout)
        except AirflowError as error:
            raise AirflowError(f"{error}\nImport errors: {self.get('importErrors')}") from None

    def _knows(self, dag_id: str) -> bool:
        try:
            self.get(f"dags/{dag_id}/details")
        except AirflowError:
            return False
        return True

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run, after waiting until it is known.

        :param dag_id: the DAG.
        """
        self.wait_for_dag(dag_id)
        self.patch(f"dags/{dag_id}", {"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Let a DAG start no further runs.

        :param dag_id: the DAG.
        """
        self.patch(f"dags/{dag_id}", {"is_paused": True})

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run of an unpaused DAG.

        :param dag_id: the DAG.
        :param conf: the run's configuration.
        :return: the run's id.
        """
        # Named here, so that it can be sent again if a busy Airflow takes too long to answer.
        run_id = f"manual__{uuid4()}"
        body: dict[str, Any] = {"dag_run_id": run_id, "conf": dict(conf or {})}
        if self._api == "api/v2":
            body["logical_date"] = None
        for tries in count(1):
            try:
                self.post(f"dags/{dag_id}/dagRuns", body)
            except requests.Timeout:
                if tries == TRIES:
                    raise
            except AirflowError as error:
                if tries == 1 or error.status != HTTPStatus.CONFLICT:
                    raise
                break
            else:
                break
        return run_id

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float = 120.0) -> str:
        """Wait until a run has ended.

        :param dag_id: the DAG.
        :param run_id: the run.
        :param timeout: seconds to wait.
        :return: ``success`` or ``failed``.
        :raises AirflowError: it does not end in time; the states of its tasks are named.
        """

        def final_state() -> str | None:
            state: str = self.get(f"dags/{dag_id}/dagRuns/{run_id}")["state"]
            return state if state in FINAL_STATES else None

        try:
            ended: str = self.wait_until(final_state, f"run {run_id} of {dag_id} has ended", timeout)
        except AirflowError as error:
            states = [
                (task["task_id"], task["map_index"], task["state"])
                for task in self.task_instances(dag_id, run_id)
                if task["state"] != "success"
            ]
            raise AirflowError(f"{error}\nTasks without success: {states}") from None
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
