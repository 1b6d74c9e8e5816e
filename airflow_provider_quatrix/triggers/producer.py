"""Looks of a shared stream of Airflow 3.3, which says when the events of a look have been stored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow_provider_quatrix.triggers.looks import Look

try:
    from airflow.triggers.shared_stream import SharedStreamProducer
except ImportError:  # Airflow below 3.3, which asks for none
    SharedStreamProducer = object  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from airflow.triggers.shared_stream import AdvanceItem

    from airflow_provider_quatrix.transfer.folder_poller import Place, Snapshot


class LookProducer(SharedStreamProducer):
    """Looks for all triggers that watch the same folders with the same connection.

    Once the events of a look are stored, the same look is given out again: the triggers then write what they have told,
    and tell what one look was too much for.

    :param looks: what each look saw.
    """

    def __init__(self, looks: AsyncGenerator[Mapping[Place, Snapshot], None]) -> None:
        self._looks = looks
        self._settled = asyncio.Event()

    async def open_stream(self) -> AsyncGenerator[tuple[Look, Look], None]:
        """Yield looks, each with itself as what Airflow hands back."""
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
        """Take down whether the events of looks have been stored."""
        for item in batch:
            look: Look = item.broker_payload
            look.outcome = item.outcome.is_clean
            if look.has_events:
                self._settled.set()
