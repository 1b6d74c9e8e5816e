"""Download links: what they lead to, and how long."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import not_found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .files import Files
    from .tree import Node

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Link:
    """A permission to read objects.

    :param owner: key of the user it is good for.
    :param nodes: the objects.
    :param created: when it was made.
    """

    owner: str
    nodes: tuple[Node, ...]
    created: float


class Links:
    """The download links.

    :param files: where the files are.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._links: dict[str, Link] = {}

    def add(self, owner: str, nodes: Sequence[Node]) -> str:
        """Make a link.

        :param owner: key of the user it is good for.
        :param nodes: the objects.
        :return: the link's id.
        """
        link_id = str(uuid.uuid4())
        self._links[link_id] = Link(owner, tuple(nodes), self._files.now)
        return link_id

    def use(self, owner: str, link_id: str) -> tuple[Node, ...]:
        """Follow a link.

        :param owner: key of the user who does.
        :param link_id: the link's id.
        :return: the objects.
        :raises ApiError: 404 when the link is unknown, another user's, or too old, or an object is gone.
        """
        files = self._files
        link = self._links.get(link_id)
        if link is None or link.owner != owner:
            raise not_found("download link")
        if files.now - link.created > files.settings.download_link_seconds:
            del self._links[link_id]
            raise not_found("download link")
        if any(node.id not in files.tree.nodes for node in link.nodes):
            raise not_found()
        if files.settings.download_link_once:
            del self._links[link_id]
        return link.nodes


class UnsatisfiableRangeError(ValueError):
    """A range begins behind the end of the file."""


def parse_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Read the header ``Range``.

    :param text: its value.
    :param size: bytes of the file.
    :return: offset of the first byte and of the one after the last; None for the whole file, also where the header
        cannot be understood or names several ranges.
    :raises UnsatisfiableRangeError: when the range holds no byte of the file.
    """
    match = _RANGE.fullmatch(text) if text is not None else None
    if match is None:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < start:
            return None
    if start >= end:
        raise UnsatisfiableRangeError
    return start, end
