"""Which task runs here, so that its next try can go on with what this one leaves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunningTask:
    """The task that runs in this process.

    :param owner: names it, the same in every try; empty outside tasks.
    :param further_try: an earlier try has failed.
    """

    owner: str = ""
    further_try: bool = False


def this_task() -> RunningTask:
    """Return the task that runs here."""
    from airflow.providers.common.compat.sdk import AirflowException, get_current_context

    try:
        ti = get_current_context()["ti"]
    except (AirflowException, KeyError, RuntimeError):
        return RunningTask()
    names = (ti.dag_id, ti.task_id, ti.run_id, getattr(ti, "map_index", -1))
    return RunningTask("\0".join(str(name) for name in names), (ti.try_number or 1) > 1)
