"""Base of all Quatrix sensors: three ways to wait, one outcome."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_quatrix.hooks.arguments import DEFAULT_CONN_ID, NamedArguments
from airflow_provider_quatrix.links.quatrix import LINKS, showing_block

try:
    from airflow.sdk.exceptions import AirflowRescheduleException
except ImportError:  # Airflow 2
    from airflow.exceptions import AirflowRescheduleException

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import BaseOperatorLink, Context

    from airflow_provider_quatrix.hooks.wait_log import WaitLog
    from airflow_provider_quatrix.hooks.waiting import Watch
    from airflow_provider_quatrix.sensors.memory import WaitMemory
    from airflow_provider_quatrix.triggers.base import QuatrixTrigger


class QuatrixSensor(NamedArguments, BaseSensorOperator):
    """Waits by poke, reschedule or in the triggerer.

    If the condition is not met, the sensor waits. A wrong password or a missing permission fails it at once. If the
    service is down, it waits, and fails after ``max_failures`` failed polls in a row. With ``soft_fail`` or
    ``never_fail`` the task is skipped instead of failed. With ``silent_fail`` a service that is down never ends the
    wait.

    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :param poke_interval: seconds between polls, at least 1; default 60.
    :param timeout: seconds until the sensor fails; default from ``[sensors] default_timeout``.
    :param max_failures: fail after so many failed polls in a row, if the service is down; default 10.
    :param deferrable: wait in the triggerer; default from ``[operators] default_deferrable``.
    """

    template_fields: Sequence[str] = ("quatrix_conn_id",)
    ui_color = "#dbe9f4"
    operator_extra_links: Sequence[BaseOperatorLink] = LINKS

    def __init__(
        self,
        *,
        quatrix_conn_id: str = DEFAULT_CONN_ID,
        poke_interval: timedelta | float = 60.0,
        max_failures: int = 10,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        if self.poke_interval < 1:
            raise ValueError(f"poke_interval is {self.poke_interval:g} s: give 1 or more")
        if isinstance(max_failures, bool) or not isinstance(max_failures, int) or max_failures < 1:
            raise ValueError(f"max_failures is {max_failures!r}: give a whole number, 1 or more")
        self.quatrix_conn_id = quatrix_conn_id
        self.max_failures = max_failures
        self.deferrable = (
            conf.getboolean("operators", "default_deferrable", fallback=False) if deferrable is None else deferrable
        )
        self._watch: Watch | None = None
        self._wait_log: WaitLog | None = None
        # What the last poll found, for people.
        self._seen = ""
        self._memory: WaitMemory | None = None
        self._has_polled = False

    def poll(self) -> bool | PokeReturnValue:
        """Poll Quatrix once; may raise any of its errors."""
        raise NotImplementedError

    def trigger(self, *, ends_task: bool) -> QuatrixTrigger:
        """Return the trigger that waits for the same condition.

        :param ends_task: whether the trigger ends the task itself.
        """
        raise NotImplementedError

    def _poll(self, context: Context) -> bool | PokeReturnValue:
        with showing_block(self, context):
            return self.poll()

    def waited_for(self) -> str:
        """Return what the sensor waits for, for people."""
        raise NotImplementedError

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Poll once; ``False`` while the condition is not met or the service is down."""
        if self._watch is None:
            self._begin(context)
        try:
            found = cast("Watch", self._watch).poll(lambda: self._poll(context))
        except AirflowException as error:
            if self.silent_fail and not isinstance(error, AirflowFailException):
                self.log.warning("%s", error)
                return False
            raise self._judged(error) from None
        self._has_polled = self._has_polled or found is not None
        self._show(context, found)
        if not found and found is not None and self._wait_log is not None:
            self._wait_log.write(self.waited_for(), self._seen)
        return found or False

    def _link(self, context: Context) -> None:
        """Show a link that is known before any poll."""

    def _show(self, context: Context, found: bool | PokeReturnValue | None) -> None:
        """Show a link that depends on what a poll has found; ``None`` if the service is down."""

    def _begin(self, context: Context) -> None:
        """Prepare the first poll, or the next poll of a rescheduled task."""
        from airflow_provider_quatrix.hooks.wait_log import WaitLog
        from airflow_provider_quatrix.hooks.waiting import Watch
        from airflow_provider_quatrix.sensors.memory import WaitMemory, has_polled

        self._has_polled, self._memory = False, None
        self._link(context)
        if self.reschedule and not self.deferrable and "ti" in context:
            self._has_polled = has_polled(context)
            self._memory = WaitMemory.of(context["ti"], first_poll=not self._has_polled)
        if not self.deferrable:
            self._wait_log = WaitLog(self.poke_interval if self.reschedule else None, is_first=not self._has_polled)
        self._watch = Watch(
            self.quatrix_conn_id, self.poke_interval, max_failures=self.max_failures, memory=self._memory
        )

    @property
    def max_age(self) -> float:
        """Seconds for which results of other tasks may be used; the first poll of a task never uses them."""
        return self.poke_interval / 2 if self._has_polled else 0.0

    def execute(self, context: Context) -> Any:
        """Wait; in the triggerer only if a first poll does not end the wait."""
        self._begin(context)
        if not self.deferrable:
            return self._wait(context)
        found = self.poke(context)
        if found:
            return _result(found)
        self.defer(
            trigger=self.trigger(ends_task=False),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout),
        )
        return None

    def _wait(self, context: Context) -> Any:
        """Wait here, or poll once and be rescheduled."""
        if self.reschedule and "ti" not in context:
            return self._poll_once(context)
        is_over = True
        try:
            return super().execute(context)
        except AirflowRescheduleException:
            is_over = False
            raise
        except (AirflowSensorTimeout, AirflowSkipException) as error:
            if not str(error).startswith("Sensor has timed out"):
                raise
            raise self._judged(AirflowSensorTimeout(self._in_vain(str(error).rstrip(".")))) from None
        finally:
            if is_over and self._memory is not None:
                self._memory.forget()

    def _poll_once(self, context: Context) -> Any:
        """Poll in a unit test, which has no task instance that Airflow's sensor could reschedule."""
        found = self.poke(context)
        if not found:
            reschedule: Any = AirflowRescheduleException
            raise reschedule(datetime.now(UTC) + timedelta(seconds=self.poke_interval))
        return _result(found)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Return what the trigger found, or raise its failure."""
        from airflow_provider_quatrix.hooks.waiting import raise_failure

        return raise_failure(event).get("found")

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume as any sensor does; a timeout raises the same exception on Airflow 2 and 3."""
        from airflow_provider_quatrix.hooks.waiting import timed_out

        self._link(context)
        if timed_out(next_kwargs):
            raise self._judged(AirflowSensorTimeout(self._in_vain(f"Sensor has timed out after {self.timeout:g} s")))
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSkipException:
            raise
        except AirflowException as error:
            raise self._judged(error) from None

    def _in_vain(self, what_happened: str) -> str:
        """Return a message that waiting took too long, and what the sensor waited for."""
        seen = f"; the last poll saw {self._seen}" if self._seen else ""
        return f"{what_happened}. It waited for {self.waited_for()}{seen}"

    def _judged(self, error: AirflowException) -> AirflowException:
        """Return what ends the task. Airflow's own rules for skipping differ by mode and by release."""
        return AirflowSkipException(str(error)) if self.soft_fail or self.never_fail else error

    @property
    def patience(self) -> int:
        """How many polls in a row may fail because the service is down, for the trigger."""
        return sys.maxsize if self.silent_fail else self.max_failures


def _result(found: bool | PokeReturnValue) -> Any:
    return found.xcom_value if isinstance(found, PokeReturnValue) else None
