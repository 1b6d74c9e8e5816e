"""Lists folders ahead of a walk, so that it does not wait for each response in turn."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_quatrix.api.files import FilesApi
    from airflow_provider_quatrix.api.listing import Listing

# As many requests at a time as other clients send.
AT_ONCE = 8


class ListingPrefetch:
    """Fetches listings, some at a time, inside a ``with`` block."""

    def __init__(self, files: FilesApi) -> None:
        # Paths in DAG files are made at every parse. They must not import an HTTP library.
        from airflow_provider_quatrix.api.deadline import watch_of_this_thread

        self._files = files
        self._watch = watch_of_this_thread()
        self._begun: dict[str, Future[Listing]] = {}
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def listing(self, folder_id: str, following: Iterable[str]) -> Listing:
        """Return the content of a folder.

        :param following: the folders that are needed next.
        """
        ids = [folder_id, *following]
        if len(ids) == 1 and folder_id not in self._begun:
            return self._files.listing(folder_id)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="quatrix-listing")
        for each in ids:
            if each not in self._begun:
                self._begun[each] = self._pool.submit(self._listed, each)
        return self._begun.pop(folder_id).result()

    def _listed(self, folder_id: str) -> Listing:
        from airflow_provider_quatrix.api.deadline import watched_by

        with watched_by(self._watch):
            return self._files.listing(folder_id)
