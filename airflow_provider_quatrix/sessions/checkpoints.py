"""Checkpoints of unfinished transfers. They are encrypted, as an upload key alone lets anyone write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_quatrix.sessions.stores import UPLOAD_PREFIX, MemoryStore, upload_store, uploads_of
from airflow_provider_quatrix.sessions.variables import variable_names

if TYPE_CHECKING:
    from airflow_provider_quatrix.sessions.cipher import RecordCipher
    from airflow_provider_quatrix.sessions.stores import SessionStore

_NAME = re.compile(r"[0-9a-f]{32}")


class EncryptedCheckpoint:
    """Stores one text, encrypted.

    :param store: where.
    :param cipher: made from the connection's secrets; no other cipher can read the text.
    """

    def __init__(self, store: SessionStore, cipher: RecordCipher) -> None:
        self._store = store
        self._cipher = cipher

    def read(self) -> str | None:
        """Return the text; ``None`` if there is none that this cipher can decrypt."""
        text = self._store.read()
        return None if text is None else self._cipher.decrypt(text)

    def write(self, text: str) -> None:
        """Store the text and replace any earlier one."""
        self._store.write(self._cipher.encrypt(text))

    def delete(self) -> None:
        """Delete the text."""
        if self._store.read() is not None:
            self._store.delete()

    def written(self) -> float | None:
        """Return when the text was written, Unix time; ``None`` if there is none. Any cipher can return that."""
        text = self._store.read()
        return None if text is None else self._cipher.encrypted_at(text)


def all_checkpoints(setting: str, conn_id: str, cipher: RecordCipher) -> list[EncryptedCheckpoint]:
    """Return the checkpoints of all transfers of a connection; none if the store cannot list them.

    :param setting: option ``session_store`` of the section ``[quatrix]``. A class of the user's cannot list.
    :param cipher: made from the connection's secrets.
    """
    of_connection = uploads_of(conn_id)
    if setting == "variable":
        prefix = UPLOAD_PREFIX + of_connection
        names = variable_names(prefix)
    elif setting == "memory":
        prefix, names = of_connection, MemoryStore.keys()
    else:
        return []
    uploads = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    # Another connection's id may begin with this one's.
    return [
        EncryptedCheckpoint(upload_store(setting, conn_id, name), cipher) for name in uploads if _NAME.fullmatch(name)
    ]
