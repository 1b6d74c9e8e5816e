"""Download links."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import not_found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .context import Context
    from .tree import Node, Tree


@dataclass(frozen=True)
class Link:
    """A permission to read objects.

    :param owner: key of the user who may use it.
    """

    owner: str
    nodes: tuple[Node, ...]
    created: float


class Links:
    """The download links."""

    def __init__(self, context: Context, tree: Tree) -> None:
        self._context = context
        self._tree = tree
        self._links: dict[str, Link] = {}

    def add(self, owner: str, nodes: Sequence[Node]) -> str:
        """Make a link.

        :param owner: key of the user who may use it.
        """
        link_id = str(uuid.uuid4())
        self._links[link_id] = Link(owner, tuple(nodes), self._context.now)
        return link_id

    def use(self, owner: str, link_id: str) -> tuple[Node, ...]:
        """Follow a link.

        :param owner: key of the user who follows it.
        :raises ApiError: 404 when the link is unknown, another user's, or too old, or an object is gone.
        """
        settings = self._context.settings
        link = self._links.get(link_id)
        if link is None or link.owner != owner:
            raise not_found("download link")
        if self._context.now - link.created > settings.download_link_seconds:
            del self._links[link_id]
            raise not_found("download link")
        if any(node.id not in self._tree.nodes for node in link.nodes):
            raise not_found()
        if settings.download_link_once:
            del self._links[link_id]
        return link.nodes
