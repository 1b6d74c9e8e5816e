"""The hook's calls for the account's activity log."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.stopping import stopped_by
from airflow_provider_quatrix.api.tracking import MOST_ACTIVITIES
from airflow_provider_quatrix.hooks.shares import ShareCalls
from airflow_provider_quatrix.hooks.tables import database_hook, replace_rows
from airflow_provider_quatrix.transfer.activity import COLUMNS, LogReader, as_csv, as_result, as_row, read_report
from airflow_provider_quatrix.transfer.error_context import doing
from airflow_provider_quatrix.transfer.exports import Destination, Interval
from airflow_provider_quatrix.transfer.options import checked_flag
from airflow_provider_quatrix.transfer.results import ActivityResult, ExportResult
from airflow_provider_quatrix.transfer.whole_file import write_file

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_quatrix.api.share_models import Activity
    from airflow_provider_quatrix.hooks.signatures import Path
    from airflow_provider_quatrix.transfer.filters import Moment

log = logging.getLogger(__name__)


class AuditCalls(ShareCalls):
    """The activity log; a part of the hook."""

    def activity(self, start: Moment, end: datetime | str, *, full: bool = False) -> list[ActivityResult]:
        """Return who did what in an interval, oldest first.

        :param start: its first moment: a datetime with a time zone, ISO 8601 text, or a timedelta before the end.
        :param end: the moment right after it.
        :param full: read the service's CSV, which also has copies and IP addresses, but no ids.
        :return: the entries, each once, without the ids of shares.
        :raises ValueError: there is no such interval.
        """
        return self._activity(Interval.of(start, end), full=full)

    def _activity(self, interval: Interval, *, full: bool) -> list[ActivityResult]:
        checked_flag("full", full)
        if interval.end > time.time():
            log.warning("%s is not over yet: what is still to come is missing", interval)
        begin, end = interval.request_interval
        with doing("Reading the activity log of", str(interval)):
            if full:
                return read_report(self.client.tracking.csv(start=begin, end=end), interval)
            return list(map(as_result, LogReader(self._page, MOST_ACTIVITIES).read(interval)))

    def _page(self, after: str | None, begin: float, end: float) -> tuple[Activity, ...]:
        return self.client.tracking.activity(limit=MOST_ACTIVITIES, after=after, start=begin, end=end)

    def export_activity(
        self,
        start: Moment,
        end: datetime | str,
        *,
        target: Path | None = None,
        conn_id: str | None = None,
        table: str | None = None,
        full: bool = False,
        create_parents: bool = False,
    ) -> ExportResult:
        """Write who did what in an interval. This replaces what an earlier call has written for it.

        :param start: see :meth:`activity`.
        :param end: see :meth:`activity`.
        :param target: local path, or URL such as ``s3://conn_id@bucket/key``, of a CSV file; if it ends in a slash, of
            the folder for the file.
        :param conn_id: connection of a database, instead of a file.
        :param table: table in it.
        :param full: see :meth:`activity`.
        :param create_parents: make missing folders above the file.
        :return: where it is, and how many entries.
        :raises ValueError: there is no such interval or place; nothing was sent.
        """
        interval, to = Interval.of(start, end), Destination.of(target, conn_id, table)
        checked_flag("create_parents", create_parents)
        with self._running() as stop, stopped_by(stop):
            # Before any request to the service.
            database = database_hook(to.conn_id) if to.place is None else None
            entries = self._activity(interval, full=full)
            if database is None:
                written = self._write(entries, interval, to, create_parents=create_parents)
            else:
                replace_rows(database, to.table, COLUMNS, [as_row(entry) for entry in entries], interval.times)
                written = to.table
        log.info("Exported %d activities of %s to %s", len(entries), interval, written)
        return ExportResult(
            path=written if database is None else None,
            table=None if database is None else written,
            entries=len(entries),
            start=interval.times[0],
            end=interval.times[1],
        )

    def _write(
        self, entries: list[ActivityResult], interval: Interval, to: Destination, *, create_parents: bool
    ) -> str:
        """Write a file; return its path, or its URL in a store."""
        place, data = to.file(interval), as_csv(entries)
        path = write_file(
            self._end(place), place, data, resume_key=self.attempt.resume_key, create_parents=create_parents
        )
        self.client.report_moved("export", len(data))
        return path if to.is_path else place.url(path)
