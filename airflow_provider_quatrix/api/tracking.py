"""The calls of the API for downloads of shares and for the activity log."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from airflow_provider_quatrix.api.messages import Request
from airflow_provider_quatrix.api.share_models import Activity, Download, SharedFile, TrackedShare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from airflow_provider_quatrix.api.caller import ApiCaller
    from airflow_provider_quatrix.api.messages import Response

T = TypeVar("T")

_OK = 200
# The service accepts no larger limit.
MOST_ACTIVITIES = 1000


class TrackingApi:
    """Tracking calls on behalf of one user.

    :param caller: sends the requests.
    """

    def __init__(self, caller: ApiCaller) -> None:
        self._caller = caller

    def shares(self) -> tuple[TrackedShare, ...]:
        """Return shares, quicklinks and requests of all users that this one manages, by ``GET tracking/``."""
        # The path ends in a slash; without it, it is another path.
        return self._read(self._caller.call("GET", "tracking/"), TrackedShare.from_response)

    def files(self, share_id: str) -> tuple[SharedFile, ...]:
        """Return the files of a share, and how often each was downloaded, by ``GET tracking/files/{share id}``.

        :raises QuatrixNotFound: there is no such share.
        """
        return self.files_and_time(share_id)[0]

    def files_and_time(self, share_id: str) -> tuple[tuple[SharedFile, ...], float | None]:
        """Return the same as :meth:`files`, and the server's time as Unix time, or ``None`` if it is unknown."""
        self._caller.hide(share_id)
        response = self._caller.call("GET", f"tracking/files/{share_id}")
        return self._read(response, SharedFile.from_response), response.date()

    def downloads(self, shared_file_id: str) -> tuple[Download, ...]:
        """Return who has downloaded a shared file, by ``GET tracking/downloads/{shared-file id}``.

        :param shared_file_id: from :meth:`files`.
        """
        return self._read(self._caller.call("GET", f"tracking/downloads/{shared_file_id}"), Download.from_response)

    def activity(
        self,
        *,
        limit: int = MOST_ACTIVITIES,
        after: str | None = None,
        user_id: str | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> tuple[Activity, ...]:
        """Return entries of the activity log, by ``GET tracking/activity``. Their order is not documented.

        :param limit: entries, 1,000 at most.
        :param after: id of the entry to continue from.
        :param user_id: only entries of this user.
        :param start: Unix time of the beginning.
        :param end: Unix time of the end.
        """
        params = {"limit": str(limit), **_known(id=after, user_id=user_id), **_period(start, end)}
        return self._read(self._caller.call("GET", "tracking/activity", params=params), Activity.from_response)

    def csv(self, *, user_id: str | None = None, start: float | None = None, end: float | None = None) -> bytes:
        """Return the activity log as CSV, by ``GET tracking/csv``; parameters as in :meth:`activity`."""
        request = Request(
            "GET",
            "tracking/csv",
            headers={"Accept": "text/csv"},
            params={**_known(user_id=user_id), **_period(start, end)},
            # It is not JSON.
            accepts=lambda response: response.status == _OK,
        )
        return self._caller.send(request).body

    def _read(self, response: Response, read: Callable[[Mapping[str, Any]], T]) -> tuple[T, ...]:
        return tuple(read(entry) for entry in self._caller.entries(response) if isinstance(entry, dict))


def _known(**params: str | None) -> dict[str, str]:
    return {name: value for name, value in params.items() if value is not None}


def _period(start: float | None, end: float | None) -> dict[str, str]:
    return _known(**{name: None if time is None else f"{time:.0f}" for name, time in (("from", start), ("to", end))})
