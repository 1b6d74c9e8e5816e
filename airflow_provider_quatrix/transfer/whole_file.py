"""Writes a file as a whole, on Quatrix or into a store: nobody sees a part of it, and a retry leaves one file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.transfer.endpoints import Item
from airflow_provider_quatrix.transfer.error_context import doing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_quatrix.transfer.endpoints import Draft, Endpoint
    from airflow_provider_quatrix.transfer.places import Place


@contextmanager
def discarding(draft: Draft) -> Iterator[None]:
    """Remove what was written of a file if the code below fails."""
    try:
        yield
    except BaseException:
        draft.discard()
        raise


def write_file(end: Endpoint, place: Place, data: bytes, *, resume_key: str = "", create_parents: bool = False) -> str:
    """Write a file and replace one that is there.

    :param end: where the place is.
    :param resume_key: who writes, the same in every try, so that a retry overwrites what this try leaves.
    :param create_parents: make missing folders above it.
    :return: its path, in the form of that end.
    """
    path = end.path(place.path)
    with doing("Writing", place.url(path)):
        there = end.stat_now(path)
        if there is not None and there.is_folder:
            raise InvalidPathError(f"{place.url(path)!r} is a folder: end the target in a slash to write into it")
        end.make_folder(path.rpartition("/")[0] or "/", create=create_parents)
        draft = end.draft(path, Item(path, (), len(data), ""), resume_key, IfExists.OVERWRITE)
        with discarding(draft):
            draft.write(data)
            draft.finish()
            return draft.commit(IfExists.OVERWRITE).path
