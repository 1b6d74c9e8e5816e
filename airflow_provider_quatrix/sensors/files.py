"""Waits until files have arrived on Quatrix."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, PokeReturnValue

from airflow_provider_quatrix.hooks.arguments import CheckedArguments, is_rendered_later
from airflow_provider_quatrix.links.quatrix import FILES, address_of
from airflow_provider_quatrix.sensors.base import QuatrixSensor
from airflow_provider_quatrix.transfer.filters import FileFilter, read_moment, read_seconds, read_size
from airflow_provider_quatrix.transfer.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_quatrix.hooks.folder_poller import ConnectionFolderPoller
    from airflow_provider_quatrix.hooks.signatures import SensorArguments
    from airflow_provider_quatrix.transfer.folder_poller import FileAges, FileCriteria, Place
    from airflow_provider_quatrix.triggers.files import QuatrixFileTrigger


class QuatrixFileSensor(CheckedArguments, QuatrixSensor):
    """Waits until a file is at a path, or until files match a pattern; returns what it found.

    It also waits for a missing folder. Unfinished uploads of this package are never found. Those of other clients are
    visible while they grow, so set ``min_age``: then only files count that nobody has written to for that time, by the
    server's clock. If a file's time is in the future, it counts from when the file was first seen in this state. All
    deferred sensors that watch the same folder share one listing per interval. A deferrable sensor starts in the
    triggerer if no argument is a template and nothing else needs a worker. It then takes a worker slot only to return
    what it found, and none at all with ``do_xcom_push=False``.

    :param path: path of a file, or a pattern such as ``/inbox/*.csv`` or, with all folders below, ``/inbox/**/*.csv``;
        or several, also as earlier results: then the sensor waits for a file for each of them (templated).
    :param glob: whether text is a pattern; default: if it contains wildcards. Results that have a ``path`` are names.
    :param newer_than: only files modified after this: a datetime with a time zone, ISO 8601 text, or a timedelta before
        now (templated).
    :param min_size: only files of at least so many bytes; default 0 (templated).
    :param min_age: seconds (or a timedelta) for which nobody has written to the file; default 0 (templated).
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :param poke_interval: seconds between polls, at least 1; default 60.
    :param timeout: seconds until the sensor fails; default from ``[sensors] default_timeout``.
    :param max_failures: fail after so many failed polls in a row, if the service is down; default 10.
    :param deferrable: wait in the triggerer; default from ``[operators] default_deferrable``.
    :return: the files, sorted by path: ``[{"path", "id", "size", "modified"}]``; ``modified`` is ISO 8601 in UTC.
    :raises ValueError: an argument is wrong.
    """

    template_fields: Sequence[str] = ("quatrix_conn_id", "path", "newer_than", "min_size", "min_age")
    # Once the files are there, nothing is left that needs a worker.
    _ends_with_waiting = True

    def __init__(
        self,
        *,
        path: Any,
        glob: bool | None = None,
        newer_than: datetime | timedelta | str | None = None,
        min_size: int | str = 0,
        min_age: timedelta | float | str = 0.0,
        **kwargs: Unpack[SensorArguments],
    ) -> None:
        super().__init__(**kwargs)
        if not (glob is None or isinstance(glob, bool)):
            raise ValueError(f"glob is {glob!r}: give True, False or None")
        if path is None or path in ("", [], ()):
            raise ValueError("path is empty: give a path")
        self.path = path
        self.glob = glob
        self.newer_than = newer_than
        if not is_rendered_later(newer_than):
            read_moment("newer_than", newer_than)
        self.min_size = self._checked("min_size", min_size, _bytes)
        self.min_age = self._checked("min_age", min_age, _seconds)
        self._folders: dict[Place, ConnectionFolderPoller] = {}
        self._unchanged: FileAges | None = None
        if not any(map(is_rendered_later, (self.quatrix_conn_id, path, newer_than, min_size, min_age))):
            self._wanted()
            if self.deferrable and self._ends_with_waiting:
                from airflow_provider_quatrix.sensors.start import start_in_triggerer

                # On Airflow 3, other tasks get a result that the trigger itself stores as JSON text.
                start_in_triggerer(self, ends_task=not self.do_xcom_push)

    def _link(self, context: Context) -> None:
        from airflow_provider_quatrix.hooks.connection import InvalidConnectionError
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        # The poll reports what is wrong with the connection.
        with suppress(InvalidConnectionError):
            FILES.write(self, context, address_of(QuatrixHook(self.quatrix_conn_id).settings.base_url, self.path))

    def poll(self) -> bool | PokeReturnValue:
        """Return the files that meet the criteria."""
        from airflow_provider_quatrix.hooks.folder_poller import ConnectionFolderPoller
        from airflow_provider_quatrix.transfer.folder_poller import FileAges

        try:
            wanted = self._wanted()
        except ValueError as error:
            raise AirflowFailException(str(error)) from None
        if not wanted.sources.all:
            return PokeReturnValue(is_done=True, xcom_value=[])
        if self._unchanged is None:
            self._unchanged = FileAges(self._memory.get("unchanged") if self._memory is not None else None)
        for place in wanted.places:
            self._folders.setdefault(place, ConnectionFolderPoller(self.quatrix_conn_id, place))
        seen = {place: self._folders[place].poll() for place in wanted.places}
        found = wanted.matching(seen, self._unchanged)
        if not found:
            self._seen = wanted.describe_found(seen, self._unchanged)
        if self._memory is not None:
            self._memory.keep(unchanged=self._unchanged.kept)
        return PokeReturnValue(is_done=True, xcom_value=found) if found else False

    def waited_for(self) -> str:
        """Return the paths and patterns."""
        return f"{self._wanted().description} (connection {self.quatrix_conn_id!r})"

    def trigger(self, *, ends_task: bool) -> QuatrixFileTrigger:
        """Return the trigger that waits for the same condition.

        :param ends_task: whether the trigger ends the task itself.
        """
        from airflow_provider_quatrix.triggers.files import QuatrixFileTrigger

        wanted = self._wanted()
        paths = [source.text if source.is_pattern else {"path": source.text} for source in wanted.sources]
        single = None if wanted.sources.many else wanted.sources.all[0]
        return QuatrixFileTrigger(
            self.quatrix_conn_id,
            paths if single is None else single.text,
            glob=True if single is None else single.is_pattern,
            newer_than=wanted.files.newer_than,
            min_size=wanted.files.min_size,
            min_age=wanted.min_age,
            poll_interval=self.poke_interval,
            max_failures=self.patience,
            ends_task=ends_task,
        )

    def _wanted(self) -> FileCriteria:
        """Return which files the sensor waits for.

        :raises ValueError: an argument is wrong.
        """
        from airflow_provider_quatrix.transfer.folder_poller import FileCriteria

        self._check_rendered()
        files = FileFilter.of(newer_than=self.newer_than, min_size=self.min_size)
        wanted = FileCriteria(Sources.of(self.path, glob=self.glob, name="path"), files, self.min_age)
        wanted.check()
        return wanted


def _seconds(value: object) -> float:
    return read_seconds("min_age", value)


def _bytes(value: object) -> int:
    return read_size("min_size", value) or 0
