"""What a rescheduled task remembers between polls, each of which runs in a process of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.hooks.attempt import checkpoint_name, task_key
from airflow_provider_quatrix.sessions.stores import VariableStore

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_quatrix.sessions.stores import SessionStore

# How the names of the Variables begin.
PREFIX = "quatrix_wait__"


class WaitMemory:
    """Keeps values for one try of one task instance; values of an earlier try do not count.

    :param empty: nothing can be stored yet.
    """

    def __init__(self, store: SessionStore, attempt: int, *, empty: bool = False) -> None:
        self._store = store
        self._attempt = attempt
        self._kept = {} if empty else self._read()

    @classmethod
    def of(cls, ti: Any, *, first_poll: bool) -> WaitMemory:
        """Return the memory of a task instance, in a Variable that exists only while it has a value.

        :param first_poll: this is the first poll of its try.
        """
        name = checkpoint_name(task_key(ti))
        return cls(VariableStore(PREFIX + name), ti.try_number, empty=first_poll and ti.try_number <= 1)

    def get(self, name: str) -> Any:
        """Return a value, or ``None``."""
        return self._kept.get(name)

    def keep(self, **values: Any) -> None:
        """Keep values; empty and zero values are deleted."""
        kept = {name: value for name, value in (self._kept | values).items() if value}
        if kept == self._kept:
            return
        self._kept = kept
        if kept:
            self._store.write(json.dumps({"try": self._attempt, "kept": kept}))
        else:
            self._store.delete()

    def forget(self) -> None:
        """Delete all values, as waiting is over."""
        self.keep(**dict.fromkeys(self._kept))

    def _read(self) -> dict[str, Any]:
        text = self._store.read()
        if text is None:
            return {}
        try:
            known = json.loads(text)
            kept = dict(known["kept"]) if known["try"] == self._attempt else {}
        except (KeyError, ValueError, TypeError):
            kept = {}
        if not kept:
            self._store.delete()
        return kept


def has_polled(context: Context) -> bool:
    """Return whether a task was rescheduled in this try, so that this is not its first poll."""
    if "task_reschedule_count" in context:
        return bool(context["task_reschedule_count"])
    if "ti" not in context:
        return False
    # Airflow 2, whose tasks may use the database.
    from airflow.models.taskreschedule import TaskReschedule
    from airflow.utils.session import create_session

    ti: Any = context["ti"]
    with create_session() as session:
        return session.scalar(TaskReschedule.stmt_for_task_instance(ti).limit(1)) is not None
