"""Polls of folders, for the triggers that report files."""

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

# Seconds between two log lines about failed polls.
_LOG_SECONDS = 60.0
# Seconds after which an event counts as stored, if Airflow does not report it. Airflow takes one or two.
_STORED_SECONDS = 30.0


@dataclass(eq=False)
class FolderPoll:
    """What one poll saw, and what became of its events.

    :param seen: the content of the folders, without those that could not be listed.
    :param awaits_ack: Airflow will report whether it has stored the events.
    """

    seen: Mapping[Place, Snapshot]
    awaits_ack: bool = False
    has_events: bool = False
    outcome: bool | None = None
    at: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    @property
    def is_stored(self) -> bool | None:
        """Whether Airflow has stored all events; ``None`` while that is not known."""
        if self.awaits_ack:
            return self.outcome
        return True if asyncio.get_running_loop().time() - self.at >= _STORED_SECONDS else None


async def poll_folders(
    fetchers: Mapping[Place, tuple[Hashable, Callable[[float], Snapshot]]], conn_id: str, interval: float
) -> AsyncGenerator[dict[Place, Snapshot], None]:
    """Yield the content of folders after every poll, for as long as the caller listens; outages do not end it.

    :param fetchers: what lists each folder, and the key by which all who watch the folder share the listing.
    :param conn_id: the connection.
    :param interval: seconds between polls.
    """
    polls = [shared_poll(key, fetch, conn_id) for key, fetch in fetchers.values()]
    places = list(fetchers)
    failures = _FailureLog(conn_id, interval)
    seen: dict[Place, Snapshot] = {}
    asked: set[Place] = set()
    async with aclosing(results(polls, interval)) as polled:
        async for number, result in polled:
            place = places[number]
            asked.add(place)
            seen.pop(place, None)
            if result.error is None:
                seen[place] = result.value
            else:
                failures.log(place[0], result.error)
            if seen and len(asked) == len(places):
                yield dict(seen)


class _FailureLog:
    """Logs failed polls, at most once a minute: there is no task here that could fail instead."""

    def __init__(self, conn_id: str, interval: float) -> None:
        self._conn_id = conn_id
        self._interval = interval
        self._logged_at: dict[str, float] = {}

    def log(self, folder: str, error: Exception) -> None:
        from airflow_provider_quatrix.api.retry import is_outage
        from airflow_provider_quatrix.hooks.failures import advice

        now = asyncio.get_running_loop().time()
        if now - self._logged_at.get(folder, -_LOG_SECONDS) < _LOG_SECONDS:
            return
        self._logged_at[folder] = now
        log.log(
            logging.WARNING if is_outage(error) else logging.ERROR,
            "Listing %s (connection %r) failed: %s. %s The next poll is in %g s",
            folder,
            self._conn_id,
            (str(error) or type(error).__name__).rstrip("."),
            advice(error, self._conn_id),
            self._interval,
        )
