"""Where an account's record is stored: an Airflow Variable, process memory, or a class of the user's."""

from __future__ import annotations

import hashlib
import logging
import re
from contextlib import nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, Protocol
from urllib.parse import urlsplit

from airflow_provider_quatrix.sessions.explanations import short_reason
from airflow_provider_quatrix.sessions.variables import AirflowVariable, account_variable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

log = logging.getLogger(__name__)

VARIABLE_PREFIX = "quatrix_session__"
UPLOAD_PREFIX = "quatrix_upload__"
# By these words in a Variable's name, Airflow masks its value. Its API server and triggerer keep every value that they
# mask, and each makes the next one slower. A text changes often and is encrypted, so its name must not cause that.
_MASKED_WORDS = re.compile(
    "access_key|api_?key|auth_header|authorization|bearer|connection_string|dsn|keyfile_dict|passphrase|passwd|password"
    "|private_key|proxies|proxy|secret|service_account|service_key|token|webhook_url"
)


class SessionStore(Protocol):
    """Stores one text per account. A class of the user's is made with a name as its only argument.

    It may also have a method ``lock()`` that returns a context manager, held by one process at a time on all hosts.
    The lock is held while the text is read and written, never while Quatrix is called.
    """

    def read(self) -> str | None:
        """Return the text; ``None`` if there is none."""

    def write(self, text: str) -> None:
        """Store the text and replace an earlier one."""

    def delete(self) -> None:
        """Delete the text; does nothing if there is none."""


class MemoryStore:
    """Stores texts in this process.

    :param key: identifies a text.
    """

    # No lock: a forked child could inherit it locked by a thread that it lacks. Each access is atomic.
    _texts: ClassVar[dict[str, str]] = {}

    def __init__(self, key: str) -> None:
        self._key = key

    @classmethod
    def keys(cls) -> list[str]:
        """Return the keys of all texts."""
        return list(cls._texts)

    def read(self) -> str | None:
        """Return the text; ``None`` if there is none."""
        return self._texts.get(self._key)

    def write(self, text: str) -> None:
        """Store the text."""
        self._texts[self._key] = text

    def delete(self) -> None:
        """Delete the text."""
        self._texts.pop(self._key, None)

    def lock(self) -> AbstractContextManager[object]:
        """Return a lock that is always free: the host's lock is enough for the threads of one process."""
        return nullcontext()


class VariableStore:
    """Stores a text in an Airflow Variable, or in this process's memory if Variables cannot be used.

    Airflow 3 lets only tasks write Variables.

    :param name: the Variable's name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._variable = AirflowVariable(name)
        self._fallback = MemoryStore(name)
        self._logged = False

    def read(self) -> str | None:
        """Return the text; ``None`` if there is none."""
        own = self._fallback.read()
        if own is not None:
            return own
        try:
            return self._variable.read()
        except Exception as error:  # noqa: BLE001 - the work continues without Variables
            self._degrade("read", error)
            return None

    def write(self, text: str) -> None:
        """Store the text."""
        try:
            self._variable.write(text)
        except Exception as error:  # noqa: BLE001 - see read()
            self._degrade("written", error)
            self._fallback.write(text)
        else:
            self._fallback.delete()

    def delete(self) -> None:
        """Delete the text."""
        self._fallback.delete()
        try:
            self._variable.delete()
        except Exception as error:  # noqa: BLE001 - see read()
            self._degrade("deleted", error)

    def _degrade(self, what: str, error: Exception) -> None:
        if not self._logged:
            self._logged = True
            log.info(
                "The Variable %s cannot be %s here (%s), so its text is kept in the memory of this process",
                self.name,
                what,
                short_reason(error),
            )


def upload_store(setting: str, conn_id: str, upload: str) -> SessionStore:
    """Return the store for the checkpoint of an unfinished upload.

    :param setting: see :func:`session_store`.
    :param upload: identifies an upload.
    """
    name = uploads_of(conn_id) + upload
    return VariableStore(UPLOAD_PREFIX + name) if setting == "variable" else _other_store(setting, name)


def uploads_of(conn_id: str) -> str:
    """Return how the names of all checkpoints of a connection begin."""
    readable = conn_id if _MASKED_WORDS.search(conn_id.lower()) is None else _digest(conn_id)
    return f"{readable}__"


def session_store(setting: str, name: str) -> SessionStore:
    """Return the configured store.

    :param setting: option ``session_store`` of the section ``[quatrix]``: ``variable``, ``memory`` or the path of
        a class, such as ``my_company.quatrix.VaultStore``.
    :param name: identifies an account, see :func:`account_name`.
    :raises ValueError: no such class.
    """
    if setting != "variable":
        return _other_store(setting, name)
    return account_variable(VARIABLE_PREFIX + name)


def _other_store(setting: str, name: str) -> SessionStore:
    if setting == "memory":
        return MemoryStore(name)
    module, _, attribute = setting.rpartition(".")
    try:
        made: SessionStore = getattr(import_module(module), attribute)(name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"[quatrix] session_store is {setting!r}, which is neither 'variable' nor 'memory' nor a class that can "
            f"be imported and made with a name ({error}). Correct the option in airflow.cfg or "
            "AIRFLOW__QUATRIX__SESSION_STORE."
        ) from None
    return made


def account_name(base_url: str, login: str, team: str = "") -> str:
    """Return the name of an account's record: readable, and without characters that a URL must escape.

    A part by which Airflow would mask the record is left out.

    :param login: the user; case does not matter.
    :param team: Airflow's team, if there are teams: a Variable belongs to one team, but its name is unique over all.
    """
    parts = (urlsplit(base_url).netloc.lower(), login.casefold(), team)
    readable = (re.sub(r"[^a-z0-9.-]+", "_", part.lower())[:60] for part in parts if part)
    shown = (part for part in readable if _MASKED_WORDS.search(part) is None)
    return "__".join((*shown, _digest("\n".join((base_url, *parts[1:])))))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
