"""What the failure of one file means: whether a retry can help, and whether the other files continue."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import (
    QuatrixAuthenticationError,
    QuatrixCaptchaRequired,
    QuatrixConflict,
    QuatrixError,
    QuatrixMfaRequired,
    QuatrixPermissionDenied,
    QuatrixQuotaExceeded,
    QuatrixTransportError,
    TransportStage,
)
from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.api.retry import is_outage
from airflow_provider_quatrix.api.stopping import TransferStoppedError
from airflow_provider_quatrix.transfer.error_context import OF_THE_ACCOUNT, FilesFailedError, described
from airflow_provider_quatrix.transfer.exports import ActivityLogError

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

# A service that is down fails every file, each only after all its retries.
_MOST_OUTAGES = 3


def needs_a_person(error: Exception) -> bool:
    """Return whether a retry cannot help before a person has done something.

    :param error: how a call or a transfer failed; for several files, whether this is true for each.
    """
    if isinstance(error, FilesFailedError):
        return all(needs_a_person(failure) for _, failure in error.failures)
    if isinstance(error, QuatrixTransportError):
        return error.stage in (TransportStage.TLS, TransportStage.SETTINGS)
    return isinstance(
        error,
        QuatrixAuthenticationError
        | QuatrixMfaRequired
        | QuatrixCaptchaRequired
        | QuatrixPermissionDenied
        | QuatrixConflict
        | QuatrixQuotaExceeded
        | InvalidPathError
        | ActivityLogError
        # Errors of local files. A file that is missing, or changes while it is read, may be fine in the next try.
        | FileExistsError
        | IsADirectoryError
        | NotADirectoryError
        | PermissionError,
    )


class Failures:
    """Collects the failures of files.

    :param on_error: ``fail`` ends with the first one, ``continue`` continues with the other files.
    """

    def __init__(self, on_error: str) -> None:
        self._goes_on = on_error == "continue"
        self._failed: list[tuple[str, Exception]] = []
        self._outages = 0
        self._lock = threading.Lock()

    @contextmanager
    def of(self, path: str) -> Iterator[None]:
        """Record a failure, unless it ends all: it concerns the account, or the service has been down for long.

        :param path: the file.
        """
        try:
            yield
        except (QuatrixError, InvalidPathError, OSError) as error:
            if not self._takes(path, error):
                raise
            log.warning("Continuing without %s: %s", path, described(error))
        else:
            self._outages = 0

    def _takes(self, path: str, error: Exception) -> bool:
        if not self._goes_on or isinstance(error, (*OF_THE_ACCOUNT, TransferStoppedError)):
            return False
        with self._lock:
            self._failed.append((path, error))
            self._outages = self._outages + 1 if is_outage(error) else 0
            return self._outages < _MOST_OUTAGES

    def check(self, total: int) -> None:
        """Raise if anything has failed.

        :param total: how many files there were.
        :raises FilesFailedError: names each of them.
        """
        if self._failed:
            raise FilesFailedError(self._failed, total)
