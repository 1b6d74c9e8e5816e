"""Texts in Airflow Variables, which all workers share."""

from __future__ import annotations

import logging
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Variable

from airflow_provider_quatrix.api.errors import QuatrixTransportError
from airflow_provider_quatrix.sessions.explanations import short_reason

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

_LOCK_SECONDS = 30
_DESCRIPTION = "Written by the Quatrix provider. Safe to delete."
# Set in a process that is not a task and may use the metadata database, such as the command line's.
_database_allowed = False


class AirflowVariable:
    """Stores a text in an Airflow Variable, which Airflow encrypts.

    :param name: the Variable's name.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self) -> str | None:
        """Return the text; ``None`` if there is none."""
        text = Variable.get(self.name, None)
        return None if text is None else str(text)

    def write(self, text: str) -> None:
        """Store the text."""
        Variable.set(self.name, text, description=_DESCRIPTION)

    def delete(self) -> None:
        """Delete the text."""
        Variable.delete(self.name)


class DatabaseVariable(AirflowVariable):
    """Stores a text in an Airflow Variable through the metadata database.

    Airflow 2 allows that to tasks, Airflow 2 and 3 to commands. ``Variable.get`` would ask secrets backends first. If
    the account's name has a word by which Airflow masks, it would also pass every version of the text to the masker.
    """

    def read(self) -> str | None:
        """Return the text; ``None`` if there is none."""
        from airflow.models.crypto import get_fernet
        from airflow.utils.session import create_session

        table = _table()
        with create_session() as session:
            query = session.query(table._val, table.is_encrypted)
            row = query.filter(table.key == self.name).one_or_none()
        if row is None:
            return None
        text, is_encrypted = row
        return get_fernet().decrypt(text.encode()).decode() if is_encrypted else str(text)

    def write(self, text: str) -> None:
        """Store the text."""
        _table().set(self.name, text, description=_DESCRIPTION)

    def delete(self) -> None:
        """Delete the text."""
        _table().delete(self.name)


class LockedVariable(DatabaseVariable):
    """Stores a text in an Airflow Variable, with a lock of PostgreSQL or MySQL.

    PostgreSQL locks a number until the transaction ends, MySQL a name until the connection ends. So the lock has a
    connection of its own: Airflow's session is one per thread, and reading and writing end it.
    """

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock; it is released even if the process dies.

        :raises QuatrixTransportError: the database did not give it within 30 seconds.
        """
        from airflow import settings
        from sqlalchemy import text
        from sqlalchemy.exc import OperationalError

        engine: Any = settings.engine
        number = zlib.crc32(self.name.encode())
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
                try:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
                except OperationalError as error:
                    if not _is_lock_timeout(error):
                        raise
                    raise self._taken() from None
                yield
                return
            # A name may have 64 characters.
            wanted = {"name": f"quatrix-{number}", "seconds": _LOCK_SECONDS}
            try:
                if connection.execute(text("SELECT GET_LOCK(:name, :seconds)"), wanted).scalar() != 1:
                    raise self._taken()
                yield
            finally:
                # The connection may be used again.
                connection.execute(text("SELECT RELEASE_LOCK(:name)"), wanted)

    def _taken(self) -> QuatrixTransportError:
        return QuatrixTransportError(
            f"Another task has held the lock of the Variable {self.name} for {_LOCK_SECONDS} s"
        )


def _is_lock_timeout(error: Any) -> bool:
    """Return whether PostgreSQL waited too long for a lock."""
    # psycopg 2 and psycopg 3.
    return "55P03" in (getattr(error.orig, "pgcode", None), getattr(error.orig, "sqlstate", None))


def account_variable(name: str) -> AirflowVariable:
    """Return the Variable of an account's record, with a lock if this Airflow has one.

    SQLite has no such lock, and Airflow 3 keeps tasks from the database.
    """
    if not _has_database():
        return AirflowVariable(name)
    from airflow.utils.session import create_session

    try:
        with create_session() as session:
            dialect = session.get_bind().dialect.name
    except Exception as error:  # noqa: BLE001 - a host without the database can still use AirflowVariable
        log.info("The metadata database cannot be used here (%s)", type(error).__name__)
        return AirflowVariable(name)
    return (LockedVariable if dialect in ("postgresql", "mysql") else DatabaseVariable)(name)


def variable_names(prefix: str) -> list[str]:
    """Return the names of Variables that begin with a prefix; none if Airflow does not list them."""
    try:
        if not _has_database():
            return list(Variable.keys(prefix=prefix))
        from airflow.utils.session import create_session

        table = _table()
        with create_session() as session:
            return [key for (key,) in session.query(table.key).filter(table.key.startswith(prefix, autoescape=True))]
    except Exception as error:  # noqa: BLE001 - Airflow 3 lists them only in tasks
        log.info(
            "Airflow does not list Variables here (%s), so old checkpoints are not searched for", short_reason(error)
        )
        return []


def allow_database() -> None:
    """Let this process use Variables in the metadata database although it is not a task.

    Otherwise Airflow 3 lets only tasks write Variables.
    """
    global _database_allowed  # noqa: PLW0603 - it is valid for the whole process
    _database_allowed = True


def _has_database() -> bool:
    """Return whether this process may use the metadata database; Airflow 3 forbids it to tasks."""
    from airflow import __version__

    return _database_allowed or __version__.startswith("2.")


def _table() -> Any:
    """Return the model of the Variables' table; on Airflow 3 tasks use another class."""
    from airflow.models.variable import Variable as Model

    return Model
