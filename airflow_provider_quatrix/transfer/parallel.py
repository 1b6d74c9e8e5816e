"""Runs the jobs of a transfer in parallel; the first failure ends them all."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_quatrix.api.stopping import TransferStoppedError, stopped_by

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_quatrix.api.stopping import Stop

J = TypeVar("J")
R = TypeVar("R")

# Jobs that are not done by then wait for a name or a connection, and end when they have it.
_STOP_SECONDS = 1.5


def run_all(jobs: Sequence[J], run: Callable[[J], R], transfers: int, stop: Stop) -> list[R]:
    """Run jobs in parallel; the first failure ends all.

    :param run: does one job.
    :param transfers: how many at a time.
    :return: results in the jobs' order.
    :raises Exception: the exception of the first job that failed.
    """
    if len(jobs) <= 1 or transfers == 1:
        return [run(job) for job in jobs]

    def one(job: J) -> R:
        with stopped_by(stop):
            stop.check()
            try:
                return run(job)
            except BaseException:
                stop.set()
                raise

    pool = ThreadPoolExecutor(min(transfers, len(jobs)), thread_name_prefix="quatrix-transfer")
    futures = [pool.submit(one, job) for job in jobs]
    done: set[Future[R]] = set()
    try:
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    finally:
        if len(done) < len(futures) or any(future.exception() for future in done):
            # One of them has failed, or the task is being killed. Jobs that have not begun never begin.
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            wait([future for future in futures if not future.cancelled()], timeout=_STOP_SECONDS)
        else:
            pool.shutdown()
    failures = [
        error for future in futures if not future.cancelled() and future.done() and (error := future.exception())
    ]
    if failures:
        raise next((error for error in failures if not isinstance(error, TransferStoppedError)), failures[0])
    return [future.result() for future in futures]
