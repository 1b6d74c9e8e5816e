"""Polls of a shared stream of Airflow 3, which reports when the events of a poll have been stored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow_provider_quatrix.triggers.folder_polls import FolderPoll

try:
    from airflow.triggers.shared_stream import SharedStreamProducer
except ImportError:  # Airflow 2
    SharedStreamProducer = object  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from airflow.triggers.shared_stream import AdvanceItem

    from airflow_provider_quatrix.transfer.folder_poller import Place, Snapshot


class FolderPollProducer(SharedStreamProducer):
    """Polls for all triggers that watch the same folders with the same connection.

    Once the events of a poll are stored, the same poll is yielded again. Then the triggers store what they have
    reported, and report what was too much for the first time.

    :param polls: what each poll saw.
    """

    def __init__(self, polls: AsyncGenerator[Mapping[Place, Snapshot], None]) -> None:
        self._polls = polls
        self._settled = asyncio.Event()

    async def open_stream(self) -> AsyncGenerator[tuple[FolderPoll, FolderPoll], None]:
        """Yield polls, each twice: for the triggers, and for Airflow, which returns it to :meth:`advance`."""
        seen: Mapping[Place, Snapshot] = {}
        following = asyncio.ensure_future(anext(self._polls))
        settled = asyncio.ensure_future(self._settled.wait())
        try:
            while True:
                await asyncio.wait([following, settled], return_when=asyncio.FIRST_COMPLETED)
                if following.done():
                    seen = following.result()
                    following = asyncio.ensure_future(anext(self._polls))
                if settled.done():
                    self._settled.clear()
                    settled = asyncio.ensure_future(self._settled.wait())
                poll = FolderPoll(seen, awaits_ack=True)
                yield poll, poll
        finally:
            for task in (following, settled):
                task.cancel()
            await asyncio.wait([following, settled])
            await self._polls.aclose()

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Remember whether the events of polls have been stored."""
        for item in batch:
            poll: FolderPoll = item.broker_payload
            poll.outcome = item.outcome.is_clean
            if poll.has_events:
                self._settled.set()
