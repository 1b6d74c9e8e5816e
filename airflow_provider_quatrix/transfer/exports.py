"""What is exported of the activity log, and where to; light enough for DAGs that are being parsed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from os import path as local_paths
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_quatrix.api.errors import QuatrixError
from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.transfer.filters import read_instant
from airflow_provider_quatrix.transfer.places import Place, as_texts
from airflow_provider_quatrix.transfer.sources import path_of

if TYPE_CHECKING:
    from airflow_provider_quatrix.transfer.filters import Moment

# The service may round the times of a query, and whether it includes the end is not documented.
_SLACK = 1
_NAME = r"(?:\w[\w$]*|\"[^\"]+\"|`[^`]+`|\[[^\]]+\])"
_TABLE = re.compile(rf"{_NAME}(?:\.{_NAME}){{0,2}}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
LOCAL = "file"


class ActivityLogError(QuatrixError):
    """The service does not return all entries of the activity log."""


@dataclass(frozen=True)
class Interval:
    """All moments from one up to, but without, another, so neighbouring intervals do not overlap.

    :param start: Unix time of the first moment.
    :param end: Unix time right after the last one.
    """

    start: float
    end: float

    @classmethod
    def of(cls, start: Moment, end: Moment) -> Self:
        """Check what a user gives, in whole seconds, as the service shows times.

        So no entry of the interval can come after its end has passed, not even within the same second.

        :param start: a datetime with a time zone, ISO 8601 text, or a timedelta before the end.
        :param end: a datetime or text.
        :raises ValueError: one of them is invalid, or there is nothing between them.
        """
        until = math.floor(read_instant("end", end))
        if isinstance(start, timedelta):
            begin = math.floor(until - start.total_seconds())
        else:
            begin = math.floor(read_instant("start", start, ", or a timedelta before the end"))
        made = cls(begin, until)
        if begin == until:
            raise ValueError(
                f"start and end are both {iso_time(until)}, so that nothing lies between them: runs by a cron schedule "
                "of Airflow 3 and by hand have no interval. Give start as a timedelta, which is before the end, or the "
                "DAG a CronDataIntervalTimetable"
            )
        if begin > until:
            raise ValueError(
                f"start is {iso_time(begin)}, after end, which is {iso_time(until)}: give an earlier start"
            )
        return made

    def holds(self, time: float) -> bool:
        """Return whether a moment is in the interval."""
        return self.start <= time < self.end

    @property
    def request_interval(self) -> tuple[int, int]:
        """The interval to request from the service, which takes whole seconds: a bit more than the interval itself."""
        return math.floor(self.start) - _SLACK, math.ceil(self.end) + _SLACK

    @property
    def times(self) -> tuple[str, str]:
        """Both ends as ISO 8601 in UTC."""
        return iso_time(self.start), iso_time(self.end)

    @property
    def file_name(self) -> str:
        """A name for the file of the interval, the same in all runs."""
        return "activity_{}_{}.csv".format(*(re.sub(r"[-:]", "", time.removesuffix("+00:00")) for time in self.times))

    def __str__(self) -> str:
        return " to ".join(self.times)


def iso_time(time: float) -> str:
    """Return a Unix time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(time, UTC).isoformat()


@dataclass(frozen=True)
class Destination:
    """Where an export goes: a file, or a table of a database.

    :param place: of the file, or of the folder for it; ``None`` for a table.
    :param conn_id: connection of the database.
    :param table: name of the table.
    :param is_path: the file was given as a local path, so it is also reported as one.
    """

    place: Place | None = None
    conn_id: str = ""
    table: str = ""
    is_path: bool = False

    @classmethod
    def of(cls, target: Any, conn_id: str | None, table: str | None) -> Self:
        """Check what a user gives.

        :param target: a local path, or the URL of a store such as ``s3://conn_id@bucket/key``; one that ends in a
            slash is a folder.
        :param conn_id: connection of a database.
        :param table: table in it.
        :raises ValueError: there is no destination, or more than one.
        """
        # A template may give an empty text, or the text "None".
        file, database, name = (None if each in (None, "", "None") else each for each in (target, conn_id, table))
        if file is None and database is None and name is None:
            raise ValueError("target is empty: give the path or URL of a file, or conn_id and table of a database")
        if file is not None and (database is not None or name is not None):
            raise ValueError("target is given, and so is conn_id or table: give a file, or a table of a database")
        if file is None:
            return cls._table(database, name)
        text = path_of(as_texts(file, literal=True), "target", urls=True)
        if _SCHEME.match(text):
            return cls(Place.of(text, "target"))
        slash = "/" if text.endswith("/") else ""
        return cls(Place(LOCAL, None, local_paths.abspath(text).rstrip("/") + slash), is_path=True)  # noqa: PTH100

    @classmethod
    def _table(cls, conn_id: str | None, table: str | None) -> Self:
        for name, value in (("conn_id", conn_id), ("table", table)):
            if not isinstance(value, str):
                raise ValueError(  # noqa: TRY004 - one class for all wrong arguments
                    f"{name} is {value!r}: give both conn_id and table as text for a database, or a target for a file"
                )
        if not _TABLE.fullmatch(str(table)):
            raise ValueError(f"table is {table!r}: give the name of a table, such as 'audit.quatrix_activity'")
        return cls(conn_id=str(conn_id), table=str(table))

    def file(self, interval: Interval) -> Place:
        """Return the place of the file of an interval.

        :raises InvalidPathError: it is a table.
        """
        place = self.place
        if place is None:
            raise InvalidPathError("target is empty: give the path or URL of a file")
        if not place.is_folder:
            return place
        return Place(place.scheme, place.conn_id, f"{place.path.rstrip('/')}/{interval.file_name}")
