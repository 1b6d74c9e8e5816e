"""Pages of long lists, whose order and direction the documentation leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .errors import not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..settings import EmulatorSettings

T = TypeVar("T")


@dataclass(frozen=True)
class Page:
    """Which part of a list is wanted.

    :param id: of the item from which to continue; None for the beginning.
    :param limit: how many items.
    :param begin: earliest time, in whole seconds.
    :param end: latest time; None for no end.
    """

    id: str | None = None
    limit: int | None = None
    begin: float = 0
    end: float | None = None


def page_of(
    items: Sequence[T], page: Page, settings: EmulatorSettings, key: Callable[[T], tuple[str, float]]
) -> list[T]:
    """Choose the items of a page.

    :param items: oldest first.
    :param key: makes id and time of an item.
    :raises ApiError: 404 when there is no item with the id of the page.
    """
    ordered = list(items) if settings.paging_order == "oldest" else list(reversed(items))
    if page.id is not None:
        ids = [key(item)[0] for item in ordered]
        if page.id not in ids:
            raise not_found("entry")
        ordered = _beside(ordered, ids.index(page.id), settings)
    chosen = [item for item in ordered if _is_between(int(key(item)[1]), page, settings)]
    return chosen if page.limit is None else chosen[: min(page.limit, settings.paging_most)]


def _beside(items: list[T], at: int, settings: EmulatorSettings) -> list[T]:
    """Return the items that a page with an id refers to.

    :param at: the position of the item with that id.
    """
    if settings.paging_id == "alone":
        return items[at : at + 1]
    if settings.paging_id == "before":
        return items[: at + 1 if settings.paging_repeats_id else at]
    return items[at if settings.paging_repeats_id else at + 1 :]


def _is_between(time: int, page: Page, settings: EmulatorSettings) -> bool:
    if time < page.begin:
        return False
    return page.end is None or time < page.end or (time == page.end and settings.paging_includes_end)
