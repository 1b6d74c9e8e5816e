"""Which try of which task runs, so that a retry can continue what an earlier try has begun."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_quatrix.transfer.checkpoint import Checkpoint


@dataclass(frozen=True)
class Attempt:
    """One try of a task.

    :param resume_key: identifies the task instance, the same in all tries; empty outside tasks. What one try has done,
        the next does not repeat.
    :param is_retry: an earlier try may have done a part, or all without Airflow knowing.
    :param last_try: no retry follows, so nothing unfinished may stay after a failure.
    :param kept: the checkpoints of its calls, which stay until their success is recorded.
    """

    resume_key: str = ""
    is_retry: bool = False
    last_try: bool = False
    kept: list[Checkpoint] = field(default_factory=list, compare=False)

    @classmethod
    def of(cls, context: Mapping[str, Any], retries: int = 0) -> Self:
        """Return the try that a context belongs to.

        :param context: of the task instance; if it has none, as in a unit test, there is no retry.
        :param retries: how many retries the task has, if the task instance does not say.
        """
        ti = context.get("ti")
        if ti is None:
            return cls(last_try=True)
        tries = ti.try_number or 1
        return cls(task_key(ti), is_retry=tries > 1, last_try=tries > getattr(ti, "max_tries", retries))

    @classmethod
    def running(cls) -> Self:
        """Return the try that runs in this process; outside of tasks there is none."""
        from airflow.providers.common.compat.sdk import AirflowException, get_current_context

        try:
            return cls.of(get_current_context())
        except (AirflowException, KeyError, RuntimeError):
            return cls()

    def forget_done(self) -> None:
        """Delete the checkpoints: the success of the calls is recorded, and no retry follows."""
        while self.kept:
            self.kept.pop().delete()


def task_key(ti: Any) -> str:
    """Return what identifies a task instance, the same in all tries."""
    return "\0".join(map(str, (ti.dag_id, ti.task_id, ti.run_id, getattr(ti, "map_index", -1))))


def checkpoint_name(*parts: str) -> str:
    """Return a short name for a checkpoint; the parts may be long and contain anything."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]
