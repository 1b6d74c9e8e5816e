"""What all Quatrix triggers have in common: a shared poll, patience with outages, one event at the end."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from airflow_provider_quatrix.triggers.shared import shared_poll

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable

    from airflow_provider_quatrix.sessions.outage import Outage


class QuatrixTrigger(BaseTrigger):
    """Polls until something is so; all triggers with the same key share the poll.

    :param quatrix_conn_id: connection.
    :param poll_interval: seconds between polls; at least one.
    :param max_failures: failed polls in a row, because the service is down, after which waiting ends.
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
        """Return the class's path and the arguments to build the trigger anew."""
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
        """Return what is waited for; triggers with the same key share a poll."""
        return type(self), self.quatrix_conn_id

    def ask(self) -> Any:
        """Ask once, blocking; runs in a thread."""
        raise NotImplementedError

    def verdict(self, value: Any) -> dict[str, Any] | None:
        """Return the event's payload if the wait is over, ``None`` to go on.

        :param value: what :meth:`ask` returned.
        """
        raise NotImplementedError

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then yield one event. Its payload never holds a secret: Airflow logs it."""
        yield self._event(await self._wait())

    async def _wait(self) -> dict[str, Any]:
        outage: Outage | None = None
        payload: dict[str, Any] | None = None
        async with aclosing(shared_poll(self.key(), self.ask).results(self.poll_interval)) as results:
            async for result in results:
                if result.error is None:
                    outage, payload = None, self.verdict(result.value)
                else:
                    outage, payload = self._after_failure(result.error, result.asked, outage)
                if payload is not None:
                    break
        # The loop ends by no other way: results come until one of them settles the matter.
        return cast("dict[str, Any]", payload)

    def _after_failure(
        self, error: Exception, asked: float, outage: Outage | None
    ) -> tuple[Outage | None, dict[str, Any] | None]:
        from airflow_provider_quatrix.hooks.failures import is_outage
        from airflow_provider_quatrix.sessions.outage import continued, is_over_patience

        if not is_outage(error):
            return None, self.failure(error)
        outage = continued(outage, asked, self.poll_interval)
        if is_over_patience(outage, self.poll_interval, self.max_failures):
            return outage, self.failure(error)
        self.log.info("%s; asking again in %g s", error, self.poll_interval)
        return outage, None

    def failure(self, error: Exception) -> dict[str, Any]:
        """Return the payload of a failed wait, which :func:`raise_failure` turns into an exception again.

        :param error: why waiting ended.
        """
        from airflow_provider_quatrix.hooks.failures import advice, is_final

        message = f"{str(error).rstrip('.')}. {advice(error, self.quatrix_conn_id)}".rstrip()
        return {"status": "failed", "message": message, "final": is_final(error)}

    def _event(self, payload: dict[str, Any]) -> TriggerEvent:
        if self.ends_task and payload["status"] == "success":
            return TaskSuccessEvent()
        return TriggerEvent(payload)  # type: ignore[no-untyped-call]


# What Airflow 3 and 2 give as the reason when a trigger outlives the timeout of its deferral.
_TIMEOUTS = ("Trigger timeout", "Trigger/execution timeout")


def timed_out(next_kwargs: dict[str, Any] | None) -> bool:
    """Tell whether a task resumes because its trigger took too long.

    :param next_kwargs: what the task resumes with.
    """
    return (next_kwargs or {}).get("error") in _TIMEOUTS


def raise_failure(event: dict[str, Any] | None) -> dict[str, Any]:
    """Turn the payload of a failed wait into an exception.

    :param event: payload of a trigger of this package; ``None`` where a success ended the task already.
    :return: the payload of a success.
    :raises AirflowFailException: a person has to do something first.
    :raises AirflowException: another try may help.
    """
    from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

    if event is None:
        return {"status": "success"}
    if event["status"] == "failed":
        raise (AirflowFailException if event["final"] else AirflowException)(event["message"])
    return event
