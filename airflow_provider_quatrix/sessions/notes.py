"""Notes of unfinished transfers, sealed like sessions: an upload key alone lets anyone write."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_quatrix.sessions.seal import Seal
    from airflow_provider_quatrix.sessions.stores import SessionStore


class SealedNotes:
    """Keeps one text, sealed.

    :param store: where.
    :param seal: made of the connection's secrets; with another one the text is as good as gone.
    """

    def __init__(self, store: SessionStore, seal: Seal) -> None:
        self._store = store
        self._seal = seal

    def read(self) -> str | None:
        """Return the text, ``None`` if there is none that this seal opens."""
        text = self._store.read()
        return None if text is None else self._seal.open(text)

    def write(self, text: str) -> None:
        """Keep the text in place of any earlier one."""
        self._store.write(self._seal.close(text))

    def delete(self) -> None:
        """Forget the text."""
        if self._store.read() is not None:
            self._store.delete()
