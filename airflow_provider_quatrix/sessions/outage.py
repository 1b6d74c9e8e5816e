"""How long a service has been down, for tasks that wait: pure decisions, and where they are remembered."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.sessions.stores import SessionStore

# An outage that nobody has reported for this many intervals may have ended and begun anew.
_STALE_INTERVALS = 5
_STALE_SECONDS = 600.0


@dataclass(frozen=True)
class Outage:
    """A run of failed polls.

    :param since: Unix time of the first.
    :param last: Unix time of the last.
    """

    since: float
    last: float


def continued(outage: Outage | None, now: float, interval: float) -> Outage:
    """Return the outage with one more failed poll.

    :param outage: as known before.
    :param now: the present.
    :param interval: seconds between polls.
    :return: the outage, begun anew if the known one is stale.
    """
    stale = max(_STALE_INTERVALS * interval, _STALE_SECONDS)
    if outage is None or now - outage.last > stale:
        return Outage(now, now)
    return Outage(outage.since, now)


def is_over_patience(outage: Outage, interval: float, max_failures: int) -> bool:
    """Tell whether an outage has lasted for ``max_failures`` polls in a row.

    Counted in time, not in polls, so that it means the same however many tasks report the same outage.

    :param outage: with the latest failed poll.
    :param interval: seconds between polls.
    :param max_failures: polls in a row that may fail.
    :return: ``True`` if waiting should end.
    """
    # Half an interval of slack: polls are never apart by exactly their interval.
    return outage.last - outage.since >= (max_failures - 1.5) * interval or max_failures <= 1


class OutageLog:
    """Remembers an outage between the polls of a task that may run in a new process each time.

    :param store: where.
    :param now: the present, Unix time.
    """

    def __init__(self, store: SessionStore, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now

    def failed(self, interval: float) -> Outage:
        """Note a failed poll and return the outage."""
        outage = continued(self._read(), self._now(), interval)
        self._store.write(json.dumps(asdict(outage)))
        return outage

    def over(self) -> None:
        """Note a poll that worked."""
        if self._store.read() is not None:
            self._store.delete()

    def _read(self) -> Outage | None:
        try:
            known = json.loads(self._store.read() or "")
            return Outage(float(known["since"]), float(known["last"]))
        except (KeyError, ValueError, TypeError):
            return None
