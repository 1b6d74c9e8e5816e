"""Which files of watched folders are new or changed, and which of them have been reported."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.transfer.folder_poller import FileAges, report_of
from airflow_provider_quatrix.transfer.journal import mark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_quatrix.api.models import Entry
    from airflow_provider_quatrix.transfer.folder_poller import FileCriteria, Place, Snapshot

# What is kept has to fit into 64 KB. If there are more marks, the oldest are dropped, and their files are reported
# again after a restart.
_MOST_MARKS = 5000
_MOST_AGES = 100


def arrival_of(entry: Entry) -> dict[str, Any]:
    """Return the report of a file: what a sensor returns, and the key of this version, which is always the same."""
    report = report_of(entry)
    return report | {"key": f"{report['id']}@{report['modified']}"}


@dataclass(frozen=True)
class Batch:
    """Files that are reported together.

    :param files: ``path``, ``id``, ``size``, ``modified`` and ``key`` of each, sorted by path.
    :param marks: identify them.
    """

    files: Sequence[dict[str, Any]] = ()
    marks: frozenset[str] = frozenset()


class Arrivals:
    """Finds the files of watched folders that are new or changed.

    A file is reported until it is certain that it was. This is stored per file, and not as the newest time: a file that
    is moved into the folder keeps its old time, which may be before the newest. Files that do not exist any more are
    forgotten, so the list grows with the folder, not with time.

    :param wanted: which files to report.
    :param kept: :attr:`kept` of an earlier process.
    """

    def __init__(self, wanted: FileCriteria, kept: str | None = None) -> None:
        self._wanted = wanted
        reported, ages = _read(kept)
        # In the order of their reports.
        self._reported = dict.fromkeys(reported)
        self._unconfirmed: set[str] = set()
        self._unchanged = FileAges(ages)

    @property
    def kept(self) -> str:
        """What a later process has to know: the reported files, and since when files have a time in the future."""
        ages = dict(list(self._unchanged.kept.items())[:_MOST_AGES])
        return json.dumps({"reported": " ".join(list(self._reported)[-_MOST_MARKS:]), "unchanged": ages})

    def new_files(self, seen: Mapping[Place, Snapshot], most: int | None = None) -> Batch:
        """Return the files that have not been reported, each once until :meth:`confirm` or :meth:`release`.

        :param seen: the content of each place; places that could not be listed are missing.
        :param most: at most so many; ``None`` for all.
        """
        there = {
            mark(entry.path, entry.file.id, entry.file.modified): (entry, now)
            for entry, now in self._wanted.fitting(seen)
        }
        # If a folder is missing for a while, its files must not be reported again when it is back.
        if all(place in seen and seen[place].now for place in self._wanted.places):
            self._reported = {marked: None for marked in self._reported if marked in there}
            self._unconfirmed &= there.keys()
        unreported = {
            marked: each
            for marked, each in there.items()
            if marked not in self._reported and marked not in self._unconfirmed
        }
        self._unchanged.forget_others(entry.file for entry, _ in unreported.values())
        due = {
            marked: entry
            for marked, (entry, now) in unreported.items()
            if self._wanted.is_old_enough(entry.file, now, self._unchanged)
        }
        chosen = dict(list(due.items())[:most])
        self._unconfirmed |= chosen.keys()
        return Batch([arrival_of(entry) for entry in chosen.values()], frozenset(chosen))

    def confirm(self, batch: Batch) -> None:
        """Record that Airflow has stored the reports of a batch."""
        self._reported |= dict.fromkeys(batch.marks & self._unconfirmed)
        self._unconfirmed -= batch.marks

    def release(self, batch: Batch) -> None:
        """Record that the reports of a batch may be lost; its files will be reported again."""
        self._unconfirmed -= batch.marks


def _read(kept: str | None) -> tuple[list[str], dict[str, list[float]]]:
    try:
        state = json.loads(kept or "")
        return state["reported"].split(), {
            str(file_id): [float(number) for number in numbers] for file_id, numbers in state["unchanged"].items()
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return [], {}
