"""Base of all Quatrix triggers: a shared poll, patience during outages, one event at the end."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from airflow_provider_quatrix.triggers.shared import results, shared_poll

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable, Sequence

    from airflow_provider_quatrix.triggers.shared import PollResult


class QuatrixTrigger(BaseTrigger):
    """Polls until a condition is met; all triggers with the same key share the poll.

    :param poll_interval: seconds between polls, at least 1.
    :param max_failures: how many failed polls in a row, because the service is down, end the wait.
    :param ends_task: end the task from here, without a worker.
    """

    def __init__(
        self, quatrix_conn_id: str, poll_interval: float = 60.0, max_failures: int = 10, ends_task: bool = False
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.quatrix_conn_id = quatrix_conn_id
        self.poll_interval = poll_interval
        self.max_failures = max_failures
        self.ends_task = ends_task

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class's path and the arguments to build the trigger again."""
        return f"{type(self).__module__}.{type(self).__qualname__}", self.arguments()

    def arguments(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "quatrix_conn_id": self.quatrix_conn_id,
            "poll_interval": self.poll_interval,
            "max_failures": self.max_failures,
            "ends_task": self.ends_task,
        }

    def key(self) -> Hashable:
        """Return what identifies the condition; triggers with the same key share a poll."""
        return type(self), self.quatrix_conn_id

    def fetch(self, max_age: float) -> Any:
        """Poll once, blocking; runs in a thread.

        :param max_age: seconds for which another task's result may be used, unless it would end a wait.
        """
        raise NotImplementedError

    def fetchers(self) -> dict[Hashable, Callable[[float], Any]]:
        """Return what is polled, by key; see :meth:`key` and :meth:`fetch`."""
        return {self.key(): self.fetch}

    def evaluate(self, answers: Sequence[Any]) -> dict[str, Any] | None:
        """Return the event's payload if the wait is over, or ``None`` to continue.

        :param answers: the newest result of each fetch.
        """
        raise NotImplementedError

    def description(self, answers: Sequence[Any]) -> tuple[str, str] | None:
        """Return what the trigger waits for and what the polls saw, for people; ``None`` for nothing to log.

        :param answers: the newest result of each fetch.
        """
        return None

    def may_be_over(self, place: int, answer: Any) -> bool:
        """Return whether a result might help to end the wait.

        :param place: number of the fetch.
        :param answer: its result.
        """
        return self.evaluate([answer]) is not None

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then yield one event. Its payload never contains a secret, as Airflow logs it."""
        yield self._event(await self._wait())

    async def _wait(self) -> dict[str, Any]:
        from airflow_provider_quatrix.hooks.wait_log import WaitLog
        from airflow_provider_quatrix.hooks.waiting import Patience

        wait_log = WaitLog()
        polls = [shared_poll(key, fetch, self.quatrix_conn_id) for key, fetch in self.fetchers().items()]
        patience = [Patience(self.max_failures, self.poll_interval, pace=self.poll_interval) for _ in polls]
        answers: dict[int, Any] = {}
        payload: dict[str, Any] | None = None
        async with aclosing(results(polls, self.poll_interval, self._may_settle)) as polled:
            async for place, result in polled:
                answers.pop(place, None)
                if result.error is None:
                    patience[place].answered()
                    answers[place] = result.value
                    if len(answers) == len(polls):
                        all_answers = [answers[each] for each in range(len(polls))]
                        payload = self.evaluate(all_answers)
                        if payload is None and (line := self.description(all_answers)):
                            wait_log.write(*line)
                elif not patience[place].outlasts(result.error, result.asked):
                    payload = self.failure(result.error)
                if payload is not None:
                    break
        # The loop ends only here: results come until one of them ends the wait.
        return cast("dict[str, Any]", payload)

    def _may_settle(self, place: int, result: PollResult) -> bool:
        from airflow_provider_quatrix.api.retry import is_outage

        if result.error is not None:
            return not is_outage(result.error)
        return self.may_be_over(place, result.value)

    def failure(self, error: Exception) -> dict[str, Any]:
        """Return the payload of a failed wait, which :func:`raise_failure` turns into an exception again.

        :param error: why the wait ended.
        """
        from airflow_provider_quatrix.hooks.failures import advice, is_final

        message = str(error) or type(error).__name__
        return {
            "status": "failed",
            "message": f"{message.rstrip('.')}. {advice(error, self.quatrix_conn_id)}".rstrip(),
            "final": is_final(error),
        }

    def _event(self, payload: dict[str, Any]) -> TriggerEvent:
        if self.ends_task and payload["status"] == "success":
            return TaskSuccessEvent()
        return TriggerEvent(payload)  # type: ignore[no-untyped-call]
