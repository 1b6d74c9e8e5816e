"""Looks into folders, again and again, for the triggers that tell of files."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_quatrix.triggers.shared import results, shared_poll

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Hashable, Mapping

    from airflow_provider_quatrix.transfer.folder_poller import Place, Snapshot

log = logging.getLogger(__name__)

# Seconds between two lines about looks that fail.
_TELL_SECONDS = 60.0
# Seconds after which Airflow has stored an event, where it does not say when. It takes one or two.
_STORED_SECONDS = 30.0


@dataclass(eq=False)
class Look:
    """What one look saw, and what became of the events that triggers made of it.

    :param seen: what is in the folders; those that could not be listed are missing.
    :param says_when_stored: Airflow will say whether it has stored the events.
    """

    seen: Mapping[Place, Snapshot]
    says_when_stored: bool = False
    has_events: bool = False
    outcome: bool | None = None
    at: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    @property
    def is_stored(self) -> bool | None:
        """Whether Airflow has stored all events; ``None`` while that is open."""
        if self.says_when_stored:
            return self.outcome
        return True if asyncio.get_running_loop().time() - self.at >= _STORED_SECONDS else None


async def looks_into(
    fetchers: Mapping[Place, tuple[Hashable, Callable[[float], Snapshot]]], conn_id: str, interval: float
) -> AsyncGenerator[dict[Place, Snapshot], None]:
    """Yield what is in folders after every look, for as long as the caller listens; outages are outlived.

    :param fetchers: what lists each folder, and by which key it is shared with all others who watch the folder.
    :param conn_id: the connection.
    :param interval: seconds between looks.
    """
    polls = [shared_poll(key, fetch, conn_id) for key, fetch in fetchers.values()]
    places = list(fetchers)
    complaints = _Complaints(conn_id, interval)
    seen: dict[Place, Snapshot] = {}
    asked: set[Place] = set()
    async with aclosing(results(polls, interval)) as told:
        async for number, result in told:
            place = places[number]
            asked.add(place)
            seen.pop(place, None)
            if result.error is None:
                seen[place] = result.value
            else:
                complaints.tell(place[0], result.error)
            if seen and len(asked) == len(places):
                yield dict(seen)


class _Complaints:
    """Tells of looks that fail, at most once a minute: nobody waits here to whom a failure could be told."""

    def __init__(self, conn_id: str, interval: float) -> None:
        self._conn_id = conn_id
        self._interval = interval
        self._told: dict[str, float] = {}

    def tell(self, folder: str, error: Exception) -> None:
        from airflow_provider_quatrix.api.retry import is_outage
        from airflow_provider_quatrix.hooks.failures import advice

        now = asyncio.get_running_loop().time()
        if now - self._told.get(folder, -_TELL_SECONDS) < _TELL_SECONDS:
            return
        self._told[folder] = now
        log.log(
            logging.WARNING if is_outage(error) else logging.ERROR,
            "Looking into %s (connection %r) failed: %s. %s The next look is in %g s",
            folder,
            self._conn_id,
            (str(error) or type(error).__name__).rstrip("."),
            advice(error, self._conn_id),
            self._interval,
        )
