"""The settings of an Airflow that runs beside others on one machine, quietly."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

AIRFLOW_3 = not version("apache-airflow").startswith("2.")

ROOT = Path(__file__).parents[1]
SQLITE_PATIENCE = "testing.sqlite_patience.connect_args"


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on.

    :param count: how many.
    :return: different ports of 127.0.0.1.
    """
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def port_or_free(wanted: int) -> int:
    """Return a port of 127.0.0.1 that nobody listens on.

    :param wanted: the port to prefer.
    """
    with socket.socket() as tried:
        # A port whose last listener has just ended is free.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", wanted))
        except OSError:
            return free_ports(1)[0]
    return wanted


def sqlite_url(home: Path) -> str:
    """The default database.

    :param home: Airflow's home folder.
    :return: URL of a SQLite file in it.
    """
    return f"sqlite:///{home / 'airflow.db'}"


def environment(
    home: Path,
    dags_folder: Path,
    database_url: str,
    parallelism: int,
    overrides: Mapping[str, str],
    *,
    port: int | None = None,
) -> dict[str, str]:
    """The environment of all of Airflow's processes.

    :param home: Airflow's home folder.
    :param dags_folder: folder of DAG files.
    :param database_url: the metadata database.
    :param parallelism: tasks that run at the same time.
    :param overrides: variables that win over all others.
    :param port: of the web interface; a free one when None.
    :return: the caller's environment without its Airflow variables, and the settings.
    """
    free, worker_log, trigger_log = free_ports(3)
    web = port or free
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW_"))}
    settings = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(parallelism),
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(parallelism),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url,
        **(_settings_of_sqlite() if database_url.startswith("sqlite:") else {}),
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__SCHEDULER__MAX_TIS_PER_QUERY": str(parallelism),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_log),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_log),
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        **(_settings_of_3(web) if AIRFLOW_3 else _settings_of_2(web)),
    }
    return {
        **inherited,
        # `airflow standalone` starts its parts by the name `airflow`.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)]),
        "AIRFLOW_HOME": str(home),
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        **settings,
        **overrides,
    }


def _settings_of_sqlite() -> dict[str, str]:
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": SQLITE_PATIENCE,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS_ASYNC": SQLITE_PATIENCE,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }


def _settings_of_3(port: int) -> dict[str, str]:
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__MAXIMUM_PAGE_LIMIT": "1000",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        # A changed file is parsed at once whatever the interval; unchanged ones need no second look.
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "120",
        "AIRFLOW__TRIGGERER__CAPACITY": "2000",
        # A request that its sender has given up is still carried out once SQLite's lock is free, and can set a task
        # that has ended back to running. So nobody gives up before the server does.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
    }


def _settings_of_2(port: int) -> dict[str, str]:
    return {
        "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
        "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(port),
        "AIRFLOW__WEBSERVER__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__WEBSERVER__WORKERS": "1",
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
        "AIRFLOW__API__MAXIMUM_PAGE_LIMIT": "1000",
        "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "3",
        "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "3600",
        "AIRFLOW__CORE__DAG_FILE_PROCESSOR_TIMEOUT": "120",
        "AIRFLOW__TRIGGERER__DEFAULT_CAPACITY": "2000",
        # Airflow 2 refuses parallel tasks on SQLite. In WAL mode and with a patient timeout they work.
        "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
    }


# Lets everybody who reaches the port be an administrator, as SIMPLE_AUTH_MANAGER_ALL_ADMINS does on Airflow 3.
WEBSERVER_CONFIG_OF_2 = """\
AUTH_ROLE_PUBLIC = "Admin"
WTF_CSRF_ENABLED = False
RATELIMIT_ENABLED = False
"""
