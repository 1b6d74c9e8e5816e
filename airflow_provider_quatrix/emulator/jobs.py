"""Work that a call only promises with its 202, and that takes effect later."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Job:
    """A piece of work.

    :param id: its id.
    :param what: the call that asked for it.
    :param due: when it takes effect.
    :param work: what it does.
    :param status: how it stands.
    """

    id: str
    what: str
    due: float
    work: Callable[[], None]
    status: Literal["waiting", "done", "failed"] = "waiting"


class Jobs:
    """The jobs since the last reset. Nothing runs by itself: whoever looks at files first lets due jobs run."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._waiting: list[Job] = []

    def add(self, what: str, due: float, work: Callable[[], None]) -> str:
        """Promise a piece of work.

        :param what: the call that asked for it.
        :param due: when it takes effect.
        :param work: what it does; when it is refused, the job has failed and nobody is told.
        :return: the job's id.
        """
        job = Job(str(uuid.uuid4()), what, due, work)
        self._jobs.append(job)
        self._waiting.append(job)
        return job.id

    def run(self, now: float, *, fail: bool) -> None:
        """Do what is due.

        :param now: the time.
        :param fail: whether to do nothing, as a job that failed.
        """
        due = [job for job in self._waiting if job.due <= now]
        for job in due:
            self._waiting.remove(job)
            job.status = "failed"
            if not fail:
                with suppress(ApiError):
                    job.work()
                    job.status = "done"

    def as_list(self) -> list[dict[str, Any]]:
        """The jobs, for tests and the page.

        :return: oldest first.
        """
        return [{"job_id": job.id, "call": job.what, "due": job.due, "status": job.status} for job in self._jobs]
