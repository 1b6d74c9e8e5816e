"""Airflow's own runner of triggers, in the test's event loop, with a database that stores events when the test says."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any

from airflow.jobs.triggerer_job_runner import TriggerRunner
from stopped_clock import eventually, idle, pass_time

if TYPE_CHECKING:
    from types import TracebackType

    from airflow_provider_quatrix.triggers.files import QuatrixFileEventTrigger

_numbers = count(1)


class AssetStore:
    """What an asset keeps for the triggers that serve it, for as long as the test."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.writes = 0
        self.is_down = False

    async def aget(self, key: str) -> Any:
        self._check()
        return self.kept.get(key)

    async def aset(self, key: str, value: Any) -> None:
        self._check()
        self.kept[key] = value
        self.writes += 1

    def _check(self) -> None:
        if self.is_down:
            raise RuntimeError("the API server is down")


class OneTriggerer:
    """Runs triggers that are built anew from what Airflow has kept of them; all of it ends as by a kill.

    :param triggers: each with the store of its asset.
    """

    def __init__(self, *triggers: tuple[QuatrixFileEventTrigger, AssetStore]) -> None:
        self.runner = TriggerRunner()
        self._tasks: list[asyncio.Task[Any]] = []
        self._places: dict[int, int] = {}
        self._sequence: list[int] = []
        self._triggers = triggers

    async def __aenter__(self) -> OneTriggerer:
        for place, (trigger, store) in enumerate(self._triggers):
            kind, arguments = type(trigger), trigger.serialize()[1]
            again = kind(**arguments)
            again.asset_state_store = store  # type: ignore[assignment]
            number = next(_numbers)
            self.runner.triggers[number] = {"name": f"{place}", "events": 0}  # type: ignore[typeddict-item]
            self._tasks.append(asyncio.create_task(self.runner.run_trigger(number, again)))
            self._places[number] = place
        await self.idle()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.runner._shared_streams.stop_all()

    def take(self) -> list[tuple[int, dict[str, Any]]]:
        """Return the events since the last call, each with its trigger's place; they are on their way to be stored."""
        taken = []
        while self.runner.events:
            entry = self.runner.events.popleft()
            taken.append((self._places[entry.trigger_id], entry.event.payload))
            if entry.persist_seq is not None:
                self._sequence.append(entry.persist_seq)
        return taken

    async def stored(self) -> None:
        """Let the events that were taken be stored."""
        self.runner._shared_streams.confirm_persisted(self._sequence)
        self._sequence.clear()
        await self.idle()

    async def look(self, seconds: float = 1.0) -> list[tuple[int, dict[str, Any]]]:
        """Let time pass until the next look, and return its events."""
        await pass_time(seconds)
        await self.idle()
        return self.take()

    async def idle(self) -> None:
        """Wait until all triggers wait for the next look."""
        await idle()
        await eventually(self._waits)

    def _waits(self) -> bool:
        queues = [
            queue for group in self.runner._shared_streams._groups.values() for queue in group._subscribers.values()
        ]
        return len(queues) == len(self._tasks) and all(queue.empty() and queue._getters for queue in queues)  # type: ignore[attr-defined]

    @property
    def is_running(self) -> bool:
        return not any(task.done() for task in self._tasks)
