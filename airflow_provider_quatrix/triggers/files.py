"""Waits in the triggerer for files to appear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.transfer.filters import FileFilter
from airflow_provider_quatrix.transfer.folder_poller import FileAges, FileCriteria
from airflow_provider_quatrix.transfer.patterns import Sources
from airflow_provider_quatrix.triggers.base import QuatrixTrigger

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from datetime import timedelta

    from airflow_provider_quatrix.hooks.folder_poller import ConnectionFolderPoller
    from airflow_provider_quatrix.transfer.folder_poller import Place, Snapshot


class QuatrixFileTrigger(QuatrixTrigger):
    """Fires once there are files that fit; all triggers that watch the same folder share its listing.

    :param path: path or pattern, or several, each of which has to find a file.
    :param glob: whether text is a pattern; ``None``: if it holds wildcards. Mappings with ``path`` hold names.
    :param newer_than: Unix time, or how long before now; ``None`` for files of any age.
    :param min_size: bytes.
    :param min_age: seconds since the file was last written to, by the server's clock.
    :param poll_interval: seconds between polls; at least one.
    :param max_failures: failed polls in a row, because the service is down, after which waiting ends.
    :param ends_task: end the task from here, without a worker and without a result.
    """

    def __init__(
        self,
        quatrix_conn_id: str,
        path: str | Sequence[str | Mapping[str, str]],
        *,
        glob: bool | None = None,
        newer_than: float | timedelta | None = None,
        min_size: int = 0,
        min_age: float = 0.0,
        poll_interval: float = 60.0,
        max_failures: int = 10,
        ends_task: bool = False,
    ) -> None:
        super().__init__(quatrix_conn_id, poll_interval, max_failures, ends_task)
        self.path = path
        self.glob = glob
        files = FileFilter(newer_than=newer_than, min_size=min_size)
        self.wanted = FileCriteria(Sources.of(path, glob=glob, name="path"), files, min_age)
        self._unchanged = FileAges()

    def arguments(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        wanted = self.wanted
        return super().arguments() | {
            "path": self.path,
            "glob": self.glob,
            "newer_than": wanted.files.newer_than,
            "min_size": wanted.files.min_size,
            "min_age": wanted.min_age,
        }

    def key(self) -> Hashable:
        """Return the folders that are watched."""
        return type(self), self.quatrix_conn_id, self.wanted.places

    def fetchers(self) -> dict[Hashable, Callable[[float], Any]]:
        """Return what lists the folders."""
        return {
            (type(self), self.quatrix_conn_id, place): _FolderFetch(self.quatrix_conn_id, place)
            for place in self.wanted.places
        }

    def evaluate(self, answers: Sequence[Snapshot]) -> dict[str, Any] | None:
        """Return the payload of a success, with the files as ``found``, once there are any that fit.

        :param answers: what is in the folders.
        """
        found = self.wanted.matching(dict(zip(self.wanted.places, answers, strict=True)), self._unchanged)
        return {"status": "success", "found": found} if found else None

    def description(self, answers: Sequence[Snapshot]) -> tuple[str, str]:
        """Return the paths and patterns, and what there is instead."""
        seen = dict(zip(self.wanted.places, answers, strict=True))
        return f"{self.wanted.description} (connection {self.quatrix_conn_id!r})", self.wanted.describe_found(
            seen, self._unchanged
        )

    def may_be_over(self, place: int, answer: Snapshot) -> bool:
        """Tell whether what is in one of the folders might help to end the wait."""
        if len(self.wanted.places) > 1:
            return bool(answer.files)
        return super().may_be_over(place, answer)


class _FolderFetch:
    """Lists a folder, with what it takes loaded in the thread that asks, not in the event loop."""

    def __init__(self, conn_id: str, place: Place) -> None:
        self._conn_id = conn_id
        self._place = place
        self._folder: ConnectionFolderPoller | None = None

    def __call__(self, _max_age: float) -> Snapshot:
        if self._folder is None:
            from airflow_provider_quatrix.hooks.folder_poller import ConnectionFolderPoller

            self._folder = ConnectionFolderPoller(self._conn_id, self._place)
        return self._folder.poll()
