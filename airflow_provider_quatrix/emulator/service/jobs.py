"""Jobs: what a call answers with 202 and does later."""

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
    """A job.

    :param due: when it takes effect.
    """

    id: str
    what: str
    due: float
    work: Callable[[], None]
    status: Literal["waiting", "done", "failed"] = "waiting"


class Jobs:
    """The jobs since the last reset. They run at the next call that reads files."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._waiting: list[Job] = []

    def add(self, what: str, due: float, work: Callable[[], None]) -> str:
        """Add a job.

        :param due: when it takes effect.
        :param work: what it does; a refusal only marks the job as failed.
        :return: the job's id.
        """
        job = Job(str(uuid.uuid4()), what, due, work)
        self._jobs.append(job)
        self._waiting.append(job)
        return job.id

    def run(self, now: float, *, fail: bool) -> None:
        """Run the jobs that are due.

        :param fail: whether to let them fail instead.
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
        """The jobs for tests and the page, oldest first."""
        return [{"job_id": job.id, "call": job.what, "due": job.due, "status": job.status} for job in self._jobs]
