"""What an event trigger keeps from one process to the next: in Airflow's asset state store, else in a Variable."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_quatrix.triggers.threads import work_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

log = logging.getLogger(__name__)

PREFIX = "quatrix_arrivals__"


class EventState:
    """A text that outlives the triggerer.

    It is in the asset's state store, which triggers can use from Airflow 3.3.2 on, if the trigger serves one asset.
    Otherwise it is in a Variable.

    :param assets: the trigger's asset state store; ``None`` if there is none.
    :param name: unique among the triggers of an asset.
    :param variable: unique among all triggers.
    :param group: whose threads to use, see :mod:`airflow_provider_quatrix.triggers.threads`.
    """

    def __init__(self, assets: Any, name: str, variable: str, group: Hashable) -> None:
        self._assets = assets if hasattr(assets, "aget") else None
        self._name = PREFIX + name
        self._variable = PREFIX + variable
        self._group = group
        self._written: str | None = None

    async def read(self) -> str | None:
        """Return the text, empty if there is none; ``None`` if it cannot be read now."""
        try:
            self._written = await self._read()
        except Exception as error:  # noqa: BLE001 - the next poll tries again
            log.warning(
                "The list of reported files cannot be read (%s), so none is reported; the next poll tries again",
                _short(error),
            )
            return None
        return self._written or ""

    async def _read(self) -> str | None:
        if self._assets is not None:
            try:
                kept = await self._assets.aget(self._name)
            except ValueError:
                # It serves one asset only.
                self._assets = None
            else:
                return kept if isinstance(kept, str) else None

        def read() -> str | None:
            from airflow_provider_quatrix.sessions.variables import AirflowVariable

            return AirflowVariable(self._variable).read()

        return cast("str | None", await self._in_thread(read))

    async def write(self, text: str) -> None:
        """Store the text. If that fails, the next poll repeats it."""
        if text == self._written:
            return

        def write() -> None:
            from airflow_provider_quatrix.sessions.variables import AirflowVariable

            AirflowVariable(self._variable).write(text)

        try:
            if self._assets is not None:
                await self._assets.aset(self._name, text)
            else:
                await self._in_thread(write)
        except Exception as error:  # noqa: BLE001 - a file that is reported twice has the same key
            log.warning("The list of reported files cannot be stored (%s); the next poll tries again", _short(error))
        else:
            self._written = text

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        def attempt() -> tuple[Any, Exception | None]:
            try:
                return work(), None
            except Exception as error:  # noqa: BLE001 - raised again below
                return None, error

        value, error = await work_threads().start(self._group, attempt)
        if error is not None:
            raise error
        return value


def _short(error: Exception) -> str:
    from airflow_provider_quatrix.sessions.explanations import short_reason

    return short_reason(error)
