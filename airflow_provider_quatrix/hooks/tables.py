"""Rows in a table of a database, by any of Airflow's database connections."""

from __future__ import annotations

from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException, BaseHook

from airflow_provider_quatrix.hooks.connection import InvalidConnectionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow.providers.common.sql.hooks.sql import DbApiHook


def database_hook(conn_id: str) -> DbApiHook:
    """Return the hook of a database's connection.

    :raises InvalidConnectionError: there is no such connection, or it is not for a database.
    """
    try:
        from airflow.providers.common.sql.hooks.sql import DbApiHook
    except ImportError:
        raise InvalidConnectionError(
            conn_id, "conn_id", "needs the package apache-airflow-providers-common-sql: install it"
        ) from None
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise InvalidConnectionError(
            conn_id, "conn_id", "names no connection: correct it, or make the connection"
        ) from None
    try:
        hook = connection.get_hook()  # type: ignore[no-untyped-call]
    except (AirflowException, ImportError):
        raise InvalidConnectionError(
            conn_id, "conn_type", f"is {connection.conn_type!r}, for which no provider is installed: install it"
        ) from None
    if not isinstance(hook, DbApiHook):
        raise InvalidConnectionError(
            conn_id, "conn_type", f"is {connection.conn_type!r}, which is no database: give the connection of one"
        )
    return hook


def replace_rows(
    hook: DbApiHook, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], times: tuple[str, str]
) -> None:
    """Replace the rows of an interval, in one transaction.

    The hook's own ``insert_rows`` commits before and after, so that others could see the table in between.

    :param table: name of a table with the columns, checked.
    :param columns: of the rows; ``time`` is among them.
    :param times: earliest time of the rows, and the one right after the latest.
    :raises OSError: the database refuses it; nothing has changed.
    """
    mark: str = hook.placeholder
    # Both names are checked, and values are sent separately.
    delete = f"DELETE FROM {table} WHERE time >= {mark} AND time < {mark}"  # noqa: S608
    insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(mark for _ in columns)})"  # noqa: S608
    with _naming(table), closing(hook.get_conn()) as connection:
        if hook.supports_autocommit:
            hook.set_autocommit(connection, False)
        try:
            with closing(connection.cursor()) as cursor:
                cursor.execute(delete, times)
                if rows:
                    cursor.executemany(insert, rows)
            connection.commit()
        except BaseException:
            with suppress(Exception):
                connection.rollback()
            raise


@contextmanager
def _naming(table: str) -> Iterator[None]:
    """Turn any failure of a database, whatever its class, into an error that names the table."""
    try:
        yield
    except Exception as error:
        raise OSError(f"Table {table!r}: {type(error).__name__}: {error}") from error
