"""The account's activity log: all entries of an interval, and the parts of them that may be exported."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import uuid
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.share_models import Activity
from airflow_provider_quatrix.api.stopping import check_stopped
from airflow_provider_quatrix.transfer.exports import ActivityLogError, iso_time
from airflow_provider_quatrix.transfer.journal import mark
from airflow_provider_quatrix.transfer.results import ActivityResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_provider_quatrix.transfer.exports import Interval

    # Requests a page: the id of the entry to continue from, and the interval.
    Fetch = Callable[[str | None, float, float], Sequence[Activity]]

# A log that needs more pages than these is taken for endless.
MOST_PAGES = 1000
# Times are in whole seconds. The service may compare them more exactly than it shows them.
_SLACK = 1
COLUMNS = tuple(ActivityResult.__annotations__)
# The parts of a payload that may be exported. The service does not document its members, and anyone with the id of a
# share or a link in it can open the share. So nothing else is exported.
_OF_A_PAYLOAD = ("subject", "recipients")
_OF_A_FILE = ("name", "path", "type", "size")
_SHARE_IDS = ("share_id", "share")
_LONGEST_CELL = 1 << 30
_LINK = re.compile(r"\w+://\S+")
_HIDDEN = "***"
_CSV_COLUMNS = ("Time", "Event", "Action", "Client IPs", "User name", "Email", "User status", "Protocol", "Payload")


class LogReader:
    """Reads all entries of an interval, page by page; each once.

    Neither the order of a page nor the page that follows an ``id`` is documented. So pages are requested by the id of
    the last entry, until nothing new comes. If that does not lead to all entries, they are requested by time.

    :param fetch: requests a page.
    :param limit: entries per page, at least 2.
    """

    def __init__(self, fetch: Fetch, limit: int) -> None:
        self._fetch = fetch
        self._limit = limit
        self._found: dict[str, Activity] = {}
        self._window = (0, 0)
        self._pages = 0

    def read(self, interval: Interval) -> list[Activity]:
        """Return all entries of an interval, oldest first.

        :raises ActivityLogError: the service does not return all of them.
        """
        self._found, self._pages, self._window = {}, 0, interval.request_interval
        if not self._follow_ids():
            self._follow_times()
        entries = [entry for entry in self._found.values() if interval.holds(entry.time)]
        return sorted(entries, key=lambda entry: (entry.time, entry.id))

    def _follow_ids(self) -> bool:
        """Request what comes after the last entry of each page; return whether that leads to all entries."""
        first = last = self._page(*self._window)
        if not self._take(first):
            return True
        while self._take(page := self._page(*self._window, after=last[-1].id)):
            last = page
        if len(first) == 1 or (not page and len(last) < self._limit):
            return True
        # The result may be only the last entry again, or the id leads elsewhere.
        page = self._page(*self._window, after=first[0].id)
        self._take(page)
        return any(entry.id == first[1].id for entry in page)

    def _follow_times(self) -> None:
        """Request what is older and what is newer than all entries so far, until there is nothing."""
        begin, end = self._window
        while True:
            times = [entry.time for entry in self._found.values() if begin <= entry.time <= end]
            sides = (
                self._page(begin, math.floor(min(times)) + _SLACK),
                self._page(math.ceil(max(times)) - _SLACK, end),
            )
            brought = [self._take(page) for page in sides]
            if not any(brought):
                break
        if any(len(page) >= self._limit or not _is_ordered(page) for page in sides):
            raise ActivityLogError(
                "The activity log has more entries of one moment than the service returns at once, and neither ids nor "
                "times lead to the next page: nothing is exported, as some would be missing"
            )

    def _page(self, begin: float, end: float, *, after: str | None = None) -> Sequence[Activity]:
        check_stopped()
        self._pages += 1
        if self._pages > MOST_PAGES:
            raise ActivityLogError(
                f"The activity log did not end after {MOST_PAGES:,} pages with {len(self._found):,} entries: nothing "
                "is exported; give a shorter interval"
            )
        return self._fetch(after, begin, end)

    def _take(self, page: Iterable[Activity]) -> bool:
        """Keep the entries of a page; return whether one in the window is new."""
        begin, end = self._window
        is_new = False
        for entry in page:
            if not entry.id or not entry.time:
                raise ActivityLogError(
                    "An entry of the activity log has no id or no time: nothing is exported, as some might be missing"
                )
            is_new |= entry.id not in self._found and begin <= entry.time <= end
            self._found[entry.id] = entry
        return is_new


def _is_ordered(page: Sequence[Activity]) -> bool:
    steps = [after.time - before.time for before, after in pairwise(page)]
    return all(step >= 0 for step in steps) or all(step <= 0 for step in steps)


def as_result(entry: Activity) -> ActivityResult:
    """Return the parts of an entry that may be exported."""
    return ActivityResult(
        id=entry.id,
        time=iso_time(entry.time),
        event=entry.event,
        action=entry.action,
        email=entry.email,
        user_name=entry.user_name,
        user_status=entry.user_status,
        protocol=entry.protocol,
        addresses="",
        share=_share_of(entry.payload),
        share_status=entry.share_status,
        seconds=entry.seconds,
        details=_details(entry.payload),
    )


def _share_of(payload: Any) -> str:
    """Return a substitute for the id of the share in a payload, as the id would open the share; empty for none."""
    found = [payload.get(name) for name in _SHARE_IDS] if isinstance(payload, dict) else []
    for value in found:
        try:
            return mark("share", uuid.UUID(value))
        except (ValueError, TypeError, AttributeError):
            continue
    return ""


def _details(payload: Any) -> dict[str, Any]:
    """Return the members of a payload that cannot open a share."""
    if not isinstance(payload, dict):
        return {}
    details = {name: shown for name in _OF_A_PAYLOAD if (shown := _plain(payload.get(name))) is not None}
    files = payload.get("files")
    if isinstance(files, list):
        shown_files = [_members(file) for file in files if isinstance(file, dict)]
        details["files"] = [file for file in shown_files if file]
    return details


def _members(file: Mapping[str, Any]) -> dict[str, Any]:
    return {name: shown for name in _OF_A_FILE if (shown := _plain(file.get(name))) is not None}


def _plain(value: Any) -> Any:
    """Return texts, without links in them, and numbers; ``None`` for everything else."""
    if isinstance(value, str):
        return _LINK.sub(_HIDDEN, value)
    if isinstance(value, list):
        return [_LINK.sub(_HIDDEN, each) for each in value if isinstance(each, str)]
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def read_report(body: bytes, interval: Interval) -> list[ActivityResult]:
    """Return the entries of an interval from the service's CSV, oldest first.

    :param body: the response of ``GET tracking/csv``.
    :raises ActivityLogError: it is not as documented.
    """
    # An entry may name many files.
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
    try:
        rows = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        missing = [name for name in _CSV_COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise ActivityLogError(f"The service's CSV of the activity log has no column {missing[0]!r}")
        entries = [(_report_time(row["Time"]), row) for row in rows]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ActivityLogError(f"The service's CSV of the activity log cannot be read: {error}") from None
    found = [_of_report(time, row) for time, row in entries if interval.holds(time)]
    return sorted(found, key=lambda entry: (entry.time, json.dumps(entry)))


def _of_report(time: float, row: Mapping[str, Any]) -> ActivityResult:
    try:
        payload = json.loads(row["Payload"] or "null")
    except ValueError:
        # Not documented; what cannot be parsed is not exported.
        payload = None
    entry = Activity(
        id="",
        time=time,
        email=row["Email"] or "",
        user_name=row["User name"] or "",
        user_status=row["User status"] or "",
        protocol=row["Protocol"] or "",
        event=row["Event"] or "",
        action=row["Action"] or "",
        share_status="",
        seconds=0.0,
        payload=payload,
    )
    return ActivityResult(as_result(entry) | {"id": None, "seconds": None, "addresses": row["Client IPs"] or ""})


def _report_time(text: str | None) -> float:
    """Return a time from the service's CSV. Its format is not documented: it is UTC, unless it has a time zone."""
    try:
        if re.fullmatch(r"\d{9,10}(\.\d+)?", text or ""):
            return float(text or "")
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        raise ActivityLogError(
            f"The service's CSV of the activity log has the time {(text or '')[:40]!r}, which is not ISO 8601: export "
            "without full=True"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def as_row(entry: ActivityResult) -> tuple[Any, ...]:
    """Return an entry as a row of a table, in the order of :data:`COLUMNS`."""
    cells = {**entry, "details": json.dumps(entry["details"], ensure_ascii=False)}
    return tuple(_storable(cells[name]) for name in COLUMNS)


def _storable(cell: Any) -> Any:
    """Return a cell without halves of characters, which neither a file nor a database accepts."""
    return cell.encode("utf-8", "replace").decode() if isinstance(cell, str) else cell


def as_csv(entries: Iterable[ActivityResult]) -> bytes:
    """Return entries as CSV with a title row, in UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(as_row(entry) for entry in entries)
    return text.getvalue().encode()
