"""Polls a folder, each time with the connection as it is then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.transfer.folder_poller import FolderPoller

if TYPE_CHECKING:
    from airflow_provider_quatrix.hooks.connection import ConnectionSettings
    from airflow_provider_quatrix.transfer.folder_poller import Place, Snapshot


class ConnectionFolderPoller:
    """Lists a folder at every poll; changed credentials take effect at the next poll.

    :param place: the folder, and how many levels of subfolders.
    """

    def __init__(self, conn_id: str, place: Place) -> None:
        self._conn_id = conn_id
        self._place = place
        self._known: tuple[ConnectionSettings, FolderPoller] | None = None

    def poll(self) -> Snapshot:
        """Return what is below the folder."""
        hook = QuatrixHook(self._conn_id)
        if self._known is None or self._known[0] != hook.settings:
            self._known = hook.settings, FolderPoller(hook.client.files, *self._place)
        return self._known[1].poll()
