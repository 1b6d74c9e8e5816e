"""What all Quatrix sensors have in common: three ways to wait, with one outcome."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_quatrix.triggers.base import QuatrixTrigger

DEFAULT_CONN_ID = "quatrix_default"


class QuatrixSensor(BaseSensorOperator):
    """Waits by poke, reschedule or in the triggerer.

    A condition that is not met means wait; a wrong password or a missing permission means fail now; a service that
    is down means wait, and fail after ``max_failures`` looks in a row. With ``soft_fail`` or ``never_fail`` the task is
    skipped wherever it would fail; with ``silent_fail`` a service that is down never ends the waiting.

    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :param poke_interval: seconds between looks, at least 1; default 60.
    :param timeout: seconds until waiting fails; default from ``[sensors] default_timeout``.
    :param max_failures: looks in a row that may fail because the service is down; default 10.
    :param deferrable: wait in the triggerer; default from ``[operators] default_deferrable``.
    """

    template_fields: Sequence[str] = ("quatrix_conn_id",)
    ui_color = "#dbe9f4"

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
        self._watch: Any = None

    def look(self) -> bool | PokeReturnValue:
        """Ask Quatrix once; may raise any of its errors."""
        raise NotImplementedError

    def trigger(self, *, ends_task: bool) -> QuatrixTrigger:
        """Return the trigger that waits for the same.

        :param ends_task: let the trigger end the task.
        """
        raise NotImplementedError

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Look once; ``False`` while the condition is not met or the service is down."""
        if self._watch is None:
            from airflow_provider_quatrix.sensors.waiting import Watch

            self._watch = Watch(
                self.quatrix_conn_id,
                self.poke_interval,
                max_failures=self.max_failures,
                across_processes=self.reschedule,
            )
        try:
            return self._watch.look(self.look) or False
        except AirflowException as error:
            if self.silent_fail and not isinstance(error, AirflowFailException):
                self.log.warning("%s", error)
                return False
            raise self._judged(error) from None

    def execute(self, context: Context) -> Any:
        """Wait; in the triggerer only if a first look does not settle it."""
        if not self.deferrable:
            try:
                return super().execute(context)
            except AirflowSensorTimeout as error:
                raise self._judged(error) from None
        found = self.poke(context)
        if found:
            return found.xcom_value if isinstance(found, PokeReturnValue) else None
        self.defer(
            trigger=self.trigger(ends_task=False),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout),
        )
        return None

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Return what the trigger found, or raise what it met."""
        from airflow_provider_quatrix.triggers.base import raise_failure

        return raise_failure(event).get("found")

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume as any sensor does; a timeout is the same exception on both Airflow lines."""
        from airflow_provider_quatrix.triggers.base import timed_out

        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSkipException:
            raise
        except AirflowException as error:
            if timed_out(next_kwargs) and not isinstance(error, AirflowSensorTimeout):
                error = AirflowSensorTimeout(str(error))
            raise self._judged(error) from None

    def _judged(self, error: AirflowException) -> AirflowException:
        """Return what ends the task: Airflow's own rules for skipping differ by mode of waiting and by release."""
        return AirflowSkipException(str(error)) if self.soft_fail or self.never_fail else error

    @property
    def patience(self) -> int:
        """Looks in a row that may fail because the service is down, for the trigger."""
        return sys.maxsize if self.silent_fail else self.max_failures
