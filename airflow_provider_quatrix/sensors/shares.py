"""Waits until people have downloaded a share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowFailException, PokeReturnValue

from airflow_provider_quatrix.hooks.arguments import CheckedArguments, is_rendered_later
from airflow_provider_quatrix.hooks.share_arguments import (
    ALL,
    InvalidShareError,
    checked_number_of_recipients,
    reference_of,
)
from airflow_provider_quatrix.hooks.share_receipts import ReceiptCriteria
from airflow_provider_quatrix.links.quatrix import CAPTCHA
from airflow_provider_quatrix.sensors.base import QuatrixSensor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from airflow_provider_quatrix.hooks.share_poller import SharePoller
    from airflow_provider_quatrix.hooks.signatures import SensorArguments, Share
    from airflow_provider_quatrix.triggers.shares import QuatrixShareDownloadedTrigger


class QuatrixShareDownloadedSensor(CheckedArguments, QuatrixSensor):
    """Waits until the recipients of a share have downloaded all its files; returns who has downloaded what, and when.

    If the share is revoked or expires before that, the task fails. All deferred sensors that wait for the same share
    share one poll per interval. A poll costs one call, and one more for each newly downloaded file.

    :param share: the result of the task that shared, or the reference in it (templated).
    :param recipients: ``all`` (default), or how many of the recipients have to download it. For a public share or
        quicklink, how many IP addresses, as nothing else is known of who downloads it (templated).
    :param quatrix_conn_id: connection of type ``quatrix``, the one that was used to share (templated).
    :param poke_interval: seconds between polls, at least 1; default 60.
    :param timeout: seconds until the sensor fails; default from ``[sensors] default_timeout``.
    :param max_failures: fail after so many failed polls in a row, if the service is down; default 10.
    :param deferrable: wait in the triggerer; default from ``[operators] default_deferrable``.
    :return: the downloads, oldest first: ``[{"recipient", "address", "file", "size", "seconds", "time"}]``;
        ``time`` is ISO 8601 in UTC.
    """

    template_fields: Sequence[str] = ("quatrix_conn_id", "share", "recipients")
    operator_extra_links = (CAPTCHA,)

    def __init__(self, *, share: Share, recipients: int | str = ALL, **kwargs: Unpack[SensorArguments]) -> None:
        super().__init__(**kwargs)
        self.share = share
        self.recipients = self._checked("recipients", recipients, checked_number_of_recipients)
        if not is_rendered_later(share):
            reference_of(share)
        self._poller: SharePoller | None = None

    def poll(self) -> bool | PokeReturnValue:
        """Return the downloads, once there are enough."""
        from airflow_provider_quatrix.hooks.share_poller import SharePoller

        try:
            wanted = self._wanted()
            if self._poller is None:
                self._poller = SharePoller(self.quatrix_conn_id, reference_of(self.share))
            found = self._poller.poll()
            wanted.check(found.reference)
        except InvalidShareError as error:
            raise AirflowFailException(str(error)) from None
        if wanted.are_met(found):
            return PokeReturnValue(is_done=True, xcom_value=[dict(each) for each in found.shown])
        if found.ended:
            raise AirflowFailException(wanted.in_vain(found))
        self._seen = wanted.seen(found)
        return False

    def waited_for(self) -> str:
        """Return who has to download the share."""
        return f"{self._wanted().description} (connection {self.quatrix_conn_id!r})"

    def trigger(self, *, ends_task: bool) -> QuatrixShareDownloadedTrigger:
        """Return the trigger that waits for the same condition.

        :param ends_task: whether the trigger ends the task itself.
        """
        from airflow_provider_quatrix.triggers.shares import QuatrixShareDownloadedTrigger

        return QuatrixShareDownloadedTrigger(
            self.quatrix_conn_id,
            reference_of(self.share),
            self._wanted().recipients,
            poll_interval=self.poke_interval,
            max_failures=self.patience,
            ends_task=ends_task,
        )

    def _wanted(self) -> ReceiptCriteria:
        """Return who has to download the share.

        :raises InvalidShareError: an argument is wrong.
        """
        self._check_rendered()
        return ReceiptCriteria(self.recipients)
