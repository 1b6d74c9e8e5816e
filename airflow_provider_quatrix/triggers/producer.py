"""Polls of a shared stream of Airflow 3, which reports when the events of a poll have been stored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow_provider_quatrix.triggers.looks import Look

try:
    from airflow.triggers.shared_stream import SharedStreamProducer
except ImportError:  # Airflow 2
    SharedStreamProducer = object  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from airflow.triggers.shared_stream import AdvanceItem

    from airflow_provider_quatrix.transfer.folder_poller import Place, Snapshot


class LookProducer(SharedStreamProducer):
    """Polls for all triggers that watch the same folders with the same connection.

    Once the events of a poll are stored, the same poll is yielded again. Then the triggers store what they have
    reported, and report what was too much for the first time.

    :param looks: what each poll saw.
    """

    def __init__(self, looks: AsyncGenerator[Mapping[Place, Snapshot], None]) -> None:
        self._looks = looks
        self._settled = asyncio.Event()

    async def open_stream(self) -> AsyncGenerator[tuple[Look, Look], None]:
        """Yield polls, each twice: for the triggers, and for Airflow, which returns it to :meth:`advance`."""
        seen: Mapping[Place, Snapshot] = {}
        following = asyncio.ensure_future(anext(self._looks))
        settled = asyncio.ensure_future(self._settled.wait())
        try:
            while True:
                await asyncio.wait([following, settled], return_when=asyncio.FIRST_COMPLETED)
                if following.done():
                    seen = following.result()
                    following = asyncio.ensure_future(anext(self._looks))
                if settled.done():
                    self._settled.clear()
                    settled = asyncio.ensure_future(self._settled.wait())
                look = Look(seen, says_when_stored=True)
                yield look, look
        finally:
            for task in (following, settled):
                task.cancel()
            await asyncio.wait([following, settled])
            await self._looks.aclose()

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Remember whether the events of polls have been stored."""
        for item in batch:
            look: Look = item.broker_payload
            look.outcome = item.outcome.is_clean
            if look.has_events:
                self._settled.set()
