"""Where a connection's sealed record lives: an Airflow Variable, process memory, or a class of the user's."""

from __future__ import annotations

import logging
import threading
from importlib import import_module
from typing import ClassVar, Protocol

from airflow.providers.common.compat.sdk import Variable

log = logging.getLogger(__name__)

# Airflow masks the values of Variables whose name holds "token".
VARIABLE_PREFIX = "quatrix_session_token__"
UPLOAD_PREFIX = "quatrix_upload_token__"


class SessionStore(Protocol):
    """Keeps one text per connection. A class of the user's is made with the connection id as its only argument."""

    def read(self) -> str | None:
        """Return the text, ``None`` if there is none."""

    def write(self, text: str) -> None:
        """Keep the text in place of any earlier one."""

    def delete(self) -> None:
        """Forget the text; fine if there is none."""


class MemoryStore:
    """Keeps records in this process, for whoever names the same key.

    :param key: tells records apart.
    """

    _texts: ClassVar[dict[str, str]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, key: str) -> None:
        self._key = key

    def read(self) -> str | None:
        """Return the text, ``None`` if there is none."""
        with self._lock:
            return self._texts.get(self._key)

    def write(self, text: str) -> None:
        """Keep the text."""
        with self._lock:
            self._texts[self._key] = text

    def delete(self) -> None:
        """Forget the text."""
        with self._lock:
            self._texts.pop(self._key, None)


class VariableStore:
    """Keeps the record in an Airflow Variable, which Airflow encrypts and masks; shared by all workers.

    Outside a task Airflow 3 lets nobody write Variables. Then, and when writing fails for another reason, the
    record lives in this process's memory instead.

    :param name: the Variable's name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._fallback = MemoryStore(self.name)
        self._told = False

    def read(self) -> str | None:
        """Return the text, ``None`` if there is none."""
        own = self._fallback.read()
        if own is not None:
            return own
        try:
            text = Variable.get(self.name, None)
        except Exception as error:  # noqa: BLE001 - whatever keeps Airflow from reading, signing in still works
            self._degrade("read", error)
            return None
        return None if text is None else str(text)

    def write(self, text: str) -> None:
        """Keep the text."""
        try:
            Variable.set(self.name, text, description="Written by the Quatrix provider. Safe to delete.")
        except Exception as error:  # noqa: BLE001 - see read()
            self._degrade("written", error)
            self._fallback.write(text)
        else:
            self._fallback.delete()

    def delete(self) -> None:
        """Forget the text."""
        self._fallback.delete()
        try:
            Variable.delete(self.name)
        except Exception as error:  # noqa: BLE001 - see read()
            self._degrade("deleted", error)

    def _degrade(self, what: str, error: Exception) -> None:
        if not self._told:
            self._told = True
            log.info(
                "The Variable %s cannot be %s here (%s), so this process keeps it to itself",
                self.name,
                what,
                type(error).__name__,
            )


def upload_store(setting: str, conn_id: str, upload: str) -> SessionStore:
    """Return the store for the notes of an unfinished upload.

    :param setting: see :func:`session_store`.
    :param conn_id: connection id.
    :param upload: tells uploads apart.
    :return: a store for this upload.
    """
    if setting == "variable":
        return VariableStore(f"{UPLOAD_PREFIX}{conn_id}__{upload}")
    return session_store(setting, f"{conn_id}__{upload}")


def session_store(setting: str, conn_id: str) -> SessionStore:
    """Return the store that the configuration names.

    :param setting: option ``session_store`` of the section ``[quatrix]``: ``variable``, ``memory`` or the path of
        a class, such as ``my_company.quatrix.VaultStore``.
    :param conn_id: connection id.
    :return: a store for this connection.
    :raises ValueError: no such class.
    """
    if setting == "variable":
        return VariableStore(VARIABLE_PREFIX + conn_id)
    if setting == "memory":
        return MemoryStore(conn_id)
    module, _, name = setting.rpartition(".")
    try:
        made: SessionStore = getattr(import_module(module), name)(conn_id)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"[quatrix] session_store is {setting!r}, which is neither 'variable' nor 'memory' nor a class that can "
            f"be imported and made with the connection id ({error}). Correct the option in airflow.cfg or "
            "AIRFLOW__QUATRIX__SESSION_STORE."
        ) from None
    return made
