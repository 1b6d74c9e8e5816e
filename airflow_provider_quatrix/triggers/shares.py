"""Waits in the triggerer until a share was downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.hooks.share_arguments import ALL, InvalidShareError
from airflow_provider_quatrix.hooks.share_receipts import ReceiptCriteria
from airflow_provider_quatrix.triggers.base import QuatrixTrigger

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from airflow_provider_quatrix.hooks.share_poller import SharePoller
    from airflow_provider_quatrix.hooks.share_receipts import Receipts


class QuatrixShareDownloadedTrigger(QuatrixTrigger):
    """Fires once enough recipients have downloaded a share, or it has ended; triggers for one share share its poll.

    :param share: reference of the share.
    :param recipients: ``all``, or how many have to download it.
    :param poll_interval: seconds between polls, at least 1.
    :param max_failures: how many failed polls in a row, because the service is down, end the wait.
    :param ends_task: end the task from here, without a worker and without a result.
    """

    def __init__(
        self,
        quatrix_conn_id: str,
        share: str,
        recipients: int | str = ALL,
        *,
        poll_interval: float = 60.0,
        max_failures: int = 10,
        ends_task: bool = False,
    ) -> None:
        super().__init__(quatrix_conn_id, poll_interval, max_failures, ends_task)
        self.share = share
        self.wanted = ReceiptCriteria(recipients)

    def arguments(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().arguments() | {"share": self.share, "recipients": self.wanted.recipients}

    def key(self) -> Hashable:
        """Return the share."""
        return type(self), self.quatrix_conn_id, self.share

    def fetchers(self) -> dict[Hashable, Callable[[float], Any]]:
        """Return what polls the share."""
        return {self.key(): _ShareFetch(self.quatrix_conn_id, self.share)}

    def evaluate(self, answers: Sequence[Receipts]) -> dict[str, Any] | None:
        """Return the payload of a success, with the downloads as ``found``, or of a failure if the share has ended.

        :param answers: what a poll has found.
        """
        (found,) = answers
        try:
            self.wanted.check(found.reference)
        except InvalidShareError as error:
            return self.failure(error)
        if self.wanted.are_met(found):
            return {"status": "success", "found": [dict(each) for each in found.shown]}
        if found.ended:
            return {"status": "failed", "message": self.wanted.in_vain(found), "final": True}
        return None

    def description(self, answers: Sequence[Receipts]) -> tuple[str, str]:
        """Return who has to download the share, and who already has."""
        return f"{self.wanted.description} (connection {self.quatrix_conn_id!r})", self.wanted.seen(answers[0])


class _ShareFetch:
    """Polls a share. What it needs is imported in the polling thread, not in the event loop."""

    def __init__(self, conn_id: str, share: str) -> None:
        self._conn_id = conn_id
        self._share = share
        self._poller: SharePoller | None = None

    def __call__(self, _max_age: float) -> Receipts:
        if self._poller is None:
            from airflow_provider_quatrix.hooks.share_poller import SharePoller

            self._poller = SharePoller(self._conn_id, self._share)
        return self._poller.poll()
