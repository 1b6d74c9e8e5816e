"""Who has downloaded a share, and whether they are enough; light enough for the triggerer's event loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.paths import all_of
from airflow_provider_quatrix.hooks.share_arguments import (
    ALL,
    InvalidShareError,
    checked_number_of_recipients,
    iso_time,
)
from airflow_provider_quatrix.transfer.results import DownloadResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_quatrix.api.share_models import Download
    from airflow_provider_quatrix.hooks.share_references import ShareReference


@dataclass(frozen=True)
class Receipts:
    """What a poll of a share has found.

    :param downloads: of all its files, by the id of the file in the share.
    :param ended: why nobody can download any more, such as ``was revoked``; empty if people can.
    """

    reference: ShareReference
    downloads: Mapping[str, tuple[Download, ...]] = field(default_factory=dict)
    ended: str = ""

    @property
    def who(self) -> list[str]:
        """Those who have downloaded every file: recipients, or IP addresses if nothing else is known."""
        people = [{self._person(each) for each in downloads} for downloads in self.downloads.values()]
        return sorted(set.intersection(*people) - {""}) if people else []

    def _person(self, download: Download) -> str:
        if not self.reference.named:
            return download.recipient.lower() or download.address
        # Others may open it too, such as its sender, but they are no recipients.
        return download.recipient.lower() if download.recipient.lower() in self.reference.recipients else ""

    @property
    def shown(self) -> list[DownloadResult]:
        """All downloads, for the task's result."""
        return receipts(each for downloads in self.downloads.values() for each in downloads)


@dataclass(frozen=True)
class ReceiptCriteria:
    """Who has to download a share.

    :param recipients: ``all``, or how many.
    """

    recipients: int | str = ALL

    def check(self, reference: ShareReference) -> None:
        """Check that so many can download a share.

        :raises InvalidShareError: they cannot, or nobody would know.
        """
        checked_number_of_recipients(self.recipients)
        if reference.kind == "request":
            raise InvalidShareError(
                "share is a request for files, which nobody downloads: wait for its files with QuatrixFileSensor"
            )
        if not reference.named:
            if self.recipients == ALL:
                raise InvalidShareError(
                    "recipients is 'all', but the share is public, and the service does not know who downloads it: "
                    "give a number, which counts IP addresses"
                )
        elif self._needed(reference) > len(reference.recipients):
            raise InvalidShareError(
                f"recipients is {self.recipients}, but the share has {len(reference.recipients)}: give 'all' or less"
            )

    def are_met(self, found: Receipts) -> bool:
        """Return whether enough have downloaded."""
        return len(found.who) >= self._needed(found.reference)

    def _needed(self, reference: ShareReference) -> int:
        return len(reference.recipients) if isinstance(self.recipients, str) else self.recipients

    @property
    def description(self) -> str:
        """What the sensor waits for, for people."""
        who = "all recipients" if self.recipients == ALL else f"{self.recipients} of the recipients"
        return f"{who} to download the share"

    def seen(self, found: Receipts) -> str:
        """Return how many have downloaded, for people."""
        who = found.who
        return f"{len(who)} of {self._needed(found.reference)}" + (f": {all_of(who)}" if who else "")

    def in_vain(self, found: Receipts) -> str:
        """Return that a share has ended too early, for people."""
        return (
            f"The share {found.ended}, and so cannot be downloaded any more. It was downloaded by {self.seen(found)}. "
            "Share the files again if somebody still needs them"
        )


def receipts(downloads: Iterable[Download]) -> list[DownloadResult]:
    """Return downloads for the task's result, oldest first."""
    return [_shown(each) for each in sorted(downloads, key=lambda each: (each.time, each.recipient, each.file))]


def _shown(download: Download) -> DownloadResult:
    members: dict[str, Any] = {name: getattr(download, name) for name in DownloadResult.__annotations__}
    return DownloadResult(members | {"time": iso_time(download.time)})
