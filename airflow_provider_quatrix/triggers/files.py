"""Waits in the triggerer for files to appear."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.hooks.watching import Wanted, Watched
from airflow_provider_quatrix.triggers.base import QuatrixTrigger

if TYPE_CHECKING:
    from collections.abc import Hashable

    from airflow_provider_quatrix.hooks.watching import FolderWatch, Snapshot


class QuatrixFileTrigger(QuatrixTrigger):
    """Fires once there are files that fit; all triggers that watch the same folder share its listing.

    :param quatrix_conn_id: connection.
    :param path: path or pattern.
    :param newer_than: Unix time; ``None`` for files of any age.
    :param min_size: bytes.
    :param min_age: seconds since the file was last written to, by the server's clock.
    :param poll_interval: seconds between polls; at least one.
    :param max_failures: failed polls in a row, because the service is down, after which waiting ends.
    :param ends_task: end the task from here, without a worker and without a result.
    """

    def __init__(
        self,
        quatrix_conn_id: str,
        path: str,
        *,
        newer_than: float | None = None,
        min_size: int = 0,
        min_age: float = 0.0,
        poll_interval: float = 60.0,
        max_failures: int = 10,
        ends_task: bool = False,
    ) -> None:
        super().__init__(quatrix_conn_id, poll_interval, max_failures, ends_task)
        self.wanted = Wanted(path, newer_than, min_size, min_age)

    def arguments(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        wanted = self.wanted
        return super().arguments() | {
            "path": wanted.path,
            "newer_than": wanted.newer_than,
            "min_size": wanted.min_size,
            "min_age": wanted.min_age,
        }

    def key(self) -> Hashable:
        """Return the folder that is watched."""
        watched = Watched.of(self.wanted.path)
        return (*super().key(), watched.folder, watched.depth)  # type: ignore[misc]

    @cached_property
    def _watch(self) -> FolderWatch:
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        return QuatrixHook(self.quatrix_conn_id).watch(self.wanted.path)

    def ask(self) -> Snapshot:
        """List the folder."""
        return self._watch.look()

    def verdict(self, value: Any) -> dict[str, Any] | None:
        """Return the payload of a success, with the files as ``found``, once there are any that fit.

        :param value: what is in the folder.
        """
        found = self.wanted.among(value)
        return {"status": "success", "found": found} if found else None
