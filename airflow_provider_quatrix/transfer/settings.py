"""How the files of a transfer are moved."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.transfer.options import (
    checked_bandwidth,
    checked_checksum,
    checked_delete_extra,
    checked_flag,
    checked_verify,
)

DEFAULT_TRANSFERS = 4


@dataclass(frozen=True)
class TransferSettings:
    """How the files of a plan are moved.

    :param if_exists: what to do if a target exists.
    :param create_parents: make missing folders of the target. Those below it are always made.
    :param transfers: files at a time.
    :param resume_key: who moves them, the same in every try; empty if there is no retry.
    :param is_retry: an earlier try may have moved a part.
    :param last_try: no retry follows, so nothing unfinished may stay.
    :param checksum: algorithm of hashlib for the digests, ``None`` for none.
    :param verify: read files back after their upload, and compare.
    :param bandwidth: the most bytes per second, for all files together; ``None`` for no limit.
    :param delete_source: delete the sources that have been moved.
    :param delete_extra: delete from the target folder what the source folder lacks.
    :param dry_run: move and delete nothing, only report what would happen.
    :param on_error: when a file fails: ``fail`` at once, or ``continue`` with the others and fail at the end.
    :raises ValueError: one of them is invalid.
    """

    if_exists: IfExists = IfExists.FAIL
    create_parents: bool = False
    transfers: int = DEFAULT_TRANSFERS
    resume_key: str = ""
    is_retry: bool = False
    last_try: bool = False
    checksum: str | None = "sha256"
    verify: bool = False
    bandwidth: float | None = None
    delete_source: bool = False
    delete_extra: bool = False
    dry_run: bool = False
    on_error: str = "fail"

    def __post_init__(self) -> None:
        """Check the settings."""
        checked_checksum(self.checksum)
        checked_bandwidth(self.bandwidth)
        checked_verify(self.verify, self.checksum)
        checked_flag("delete_source", self.delete_source)
        checked_flag("dry_run", self.dry_run)
        checked_delete_extra(self.delete_extra, if_exists=self.if_exists.value, delete_source=self.delete_source)

    @property
    def goes_on(self) -> bool:
        """Whether the other files continue after a failure."""
        return self.on_error == "continue"

    @property
    def keeps_unfinished(self) -> bool:
        """Whether a retry may resume what a failed try leaves."""
        return bool(self.resume_key) and not self.last_try
