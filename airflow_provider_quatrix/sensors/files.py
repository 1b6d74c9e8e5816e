"""Waits until files have arrived on Quatrix."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, PokeReturnValue

from airflow_provider_quatrix.sensors.base import QuatrixSensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_quatrix.hooks.watching import FolderWatch, Wanted
    from airflow_provider_quatrix.triggers.files import QuatrixFileTrigger


class QuatrixFileSensor(QuatrixSensor):
    """Waits until a file is at a path, or until files match a pattern; returns what it found.

    A folder that is missing is waited for too. Unfinished uploads of this package are never found. Those of others
    are visible while they grow, so set ``min_age``: only files that have not been written to for that long count, by
    the server's clock. All deferred sensors that watch the same folder share one listing per interval. A deferrable
    sensor starts in the triggerer, where its arguments hold no template and nothing else wants a worker; it takes a
    worker slot for the moment of its return only, and none at all with ``do_xcom_push=False``.

    :param path: path of a file, or a pattern such as ``/inbox/*.csv`` or, with all folders below,
        ``/inbox/**/*.csv`` (templated).
    :param newer_than: only files that were modified after this moment: a datetime with a time zone, or the same as
        text in ISO 8601 (templated).
    :param min_size: only files of at least so many bytes; default 0.
    :param min_age: seconds (or a timedelta) for which nobody has written to the file; default 0.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :param poke_interval: seconds between looks, at least 1; default 60.
    :param timeout: seconds until waiting fails; default from ``[sensors] default_timeout``.
    :param max_failures: looks in a row that may fail because the service is down; default 10.
    :param deferrable: wait in the triggerer; default from ``[operators] default_deferrable``.
    :return: the files, sorted by path: ``[{"path", "id", "size", "modified"}]``; ``modified`` is ISO 8601 in UTC.
    :raises ValueError: an argument is wrong.
    """

    template_fields: Sequence[str] = ("quatrix_conn_id", "path", "newer_than")
    # Nothing is left to do once the files are there, so that no worker is needed.
    _ends_with_waiting = True

    def __init__(
        self,
        *,
        path: str,
        newer_than: datetime | str | None = None,
        min_size: int = 0,
        min_age: timedelta | float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.newer_than = newer_than
        self.min_size = _bytes(min_size)
        self.min_age = _seconds(min_age)
        self._folder: FolderWatch | None = None
        if self._holds_no_template():
            self._wanted()
            if self.deferrable and self._ends_with_waiting:
                from airflow_provider_quatrix.sensors.start import start_in_triggerer

                # What a trigger itself keeps as a task's result reaches other tasks of Airflow 3 as JSON text.
                start_in_triggerer(self, ends_task=not self.do_xcom_push)

    def look(self) -> bool | PokeReturnValue:
        """Return the files that fit."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        try:
            wanted = self._wanted()
        except ValueError as error:
            raise AirflowFailException(str(error)) from None
        if self._folder is None:
            self._folder = QuatrixHook(self.quatrix_conn_id).watch(wanted.path)
        found = wanted.among(self._folder.look())
        return PokeReturnValue(is_done=True, xcom_value=found) if found else False

    def trigger(self, *, ends_task: bool) -> QuatrixFileTrigger:
        """Return the trigger that waits for the same.

        :param ends_task: let the trigger end the task.
        """
        from airflow_provider_quatrix.triggers.files import QuatrixFileTrigger

        wanted = self._wanted()
        return QuatrixFileTrigger(
            self.quatrix_conn_id,
            wanted.path,
            newer_than=wanted.newer_than,
            min_size=wanted.min_size,
            min_age=wanted.min_age,
            poll_interval=self.poke_interval,
            max_failures=self.patience,
            ends_task=ends_task,
        )

    def _holds_no_template(self) -> bool:
        values = (self.quatrix_conn_id, self.path, self.newer_than)
        return all(
            value is None or isinstance(value, datetime) or (isinstance(value, str) and "{" not in value)
            for value in values
        )

    def _wanted(self) -> Wanted:
        """Return which files are waited for.

        :raises ValueError: ``path`` or ``newer_than`` is wrong.
        """
        from airflow_provider_quatrix.hooks.watching import Wanted, Watched

        path = str(self.path)
        Watched.of(path)
        return Wanted(path, _moment(self.newer_than), self.min_size, self.min_age)


def _moment(value: object) -> float | None:
    """Return Unix time; nothing, or the ``None`` that a template may give, means no limit."""
    if value is None or value in ("", "None"):
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(
            f"newer_than is {value!r}: give a datetime, or text in ISO 8601 such as 2026-07-01T00:00:00Z"
        ) from None
    if moment.tzinfo is None:
        raise ValueError(f"newer_than is {value!r}, without a time zone: add one, such as 2026-07-01T00:00:00Z")
    return moment.timestamp()


def _bytes(value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"min_size is {value!r}: give a number of bytes, 0 or more")
    return value


def _seconds(value: timedelta | float) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < float("inf"):
        raise ValueError(f"min_age is {value!r}: give a number of seconds, 0 or more")
    return float(seconds)
