"""A database for the tests: connections of type ``audit_sqlite``, on both lines without a further provider."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.providers.common.sql.hooks.sql import DbApiHook
from airflow.providers_manager import HookInfo

try:
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime as ProvidersManager
except ImportError:  # Airflow 2
    from airflow.providers_manager import ProvidersManager

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CONN_TYPE = "audit_sqlite"
CREATE = """
CREATE TABLE quatrix_activity (
    id VARCHAR(64) UNIQUE, time VARCHAR(40) NOT NULL, event VARCHAR(20), action VARCHAR(20), email VARCHAR(254),
    user_name VARCHAR(255), user_status VARCHAR(1), protocol VARCHAR(10), addresses VARCHAR(255), share VARCHAR(20),
    share_status VARCHAR(1), seconds FLOAT, details TEXT
)
"""


class SqliteFile(DbApiHook):
    """The hook of a file of SQLite; its path is the connection's host."""

    conn_name_attr = "sqlite_conn_id"
    conn_type = CONN_TYPE
    _placeholder = "?"

    def get_conn(self) -> sqlite3.Connection:
        connection = self.get_connection(self.get_conn_id())
        return sqlite3.connect(str(connection.host), timeout=30)


class Database:
    """A database with the table of the audit, which Airflow knows as the connection ``warehouse``."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, create: str = CREATE) -> None:
        self.path = path
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f'{{"conn_type": "{CONN_TYPE}", "host": "{path}"}}')
        info = HookInfo(f"{__name__}.SqliteFile", "sqlite_conn_id", "tests", "SQLite file", CONN_TYPE, False)
        hooks: Any = ProvidersManager().hooks
        monkeypatch.setitem(hooks, CONN_TYPE, info)
        self.run(create)

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a statement gives."""
        with closing(sqlite3.connect(self.path, timeout=30)) as database, database:
            return database.execute(sql).fetchall()

    def rows(self, columns: str = "*") -> list[tuple[Any, ...]]:
        """Return the rows of the table, by time."""
        return self.run(f"SELECT {columns} FROM quatrix_activity ORDER BY time, id")  # noqa: S608 - of the tests
