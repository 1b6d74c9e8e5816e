"""Polls a share, each time with the connection as it is then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import QuatrixNotFound
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.hooks.share_arguments import iso_time
from airflow_provider_quatrix.hooks.share_receipts import Receipts

if TYPE_CHECKING:
    from airflow_provider_quatrix.api.client import QuatrixClient
    from airflow_provider_quatrix.api.share_models import Download
    from airflow_provider_quatrix.hooks.share_references import ShareReference

# The call that counts downloads does not report whether a share was revoked. So one poll in so many checks that
# instead of the downloads.
# place of the downloads.
_POLLS_PER_STATE = 10


class SharePoller:
    """Polls how often a share was downloaded: one call, and one more for each file with new downloads.

    :param share: reference of the share.
    """

    def __init__(self, conn_id: str, share: str) -> None:
        self._conn_id = conn_id
        self._share = share
        self._polls = 0
        self._is_listed = False
        self._is_revoked = False
        self._counts: dict[str, int] = {}
        self._known: dict[str, tuple[Download, ...]] = {}

    def poll(self) -> Receipts:
        """Return who has downloaded the share, and whether it has ended.

        :raises InvalidShareError: the reference is invalid, or it is of another connection.
        """
        hook = QuatrixHook(self._conn_id)
        reference, client = hook._opened(self._share), hook.client
        is_first = self._polls == 0
        if self._polls % _POLLS_PER_STATE == 0:
            self._fetch_state(client, reference.id)
        if is_first or self._is_revoked or self._polls % _POLLS_PER_STATE:
            ended = self._fetch_downloads(client, reference)
        else:
            ended = ""
        self._polls += 1
        return Receipts(reference, dict(self._known), "was revoked" if self._is_revoked else ended)

    def _fetch_state(self, client: QuatrixClient, share_id: str) -> None:
        entry = next((each for each in client.tracking.shares() if each.id == share_id), None)
        # How far back the list goes is not documented. So a share that was never in it may only be too old.
        self._is_revoked = entry.revoked if entry is not None else self._is_listed
        self._is_listed = self._is_listed or entry is not None

    def _fetch_downloads(self, client: QuatrixClient, reference: ShareReference) -> str:
        """Check what was downloaded; return why the share has ended, empty if it has not."""
        try:
            files, now = client.tracking.files_and_time(reference.id)
            for file in files:
                if self._counts.get(file.id, -1) != file.downloads:
                    self._known[file.id] = client.tracking.downloads(file.id) if file.downloads else ()
                    self._counts[file.id] = file.downloads
        except QuatrixNotFound:
            return "is gone"
        if reference.expires is not None and reference.expires <= (time.time() if now is None else now):
            return f"has expired ({iso_time(reference.expires)})"
        return ""
