"""What happened to files and folders, for ``file/diff``."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .context import Context
    from .tree import Node

ChangeAction = Literal["create", "modify", "rename", "move", "delete"]
LONGEST_LOG = 100_000


@dataclass(frozen=True)
class Change:
    """A change of a file or folder, and its state after it.

    :param places: ids of the object and of all folders that it was or is in.
    """

    action: ChangeAction
    time: float
    id: str
    parent_id: str | None
    name: str
    kind: str
    size: int
    modified: float
    places: frozenset[str]


class Changes:
    """The last changes of all files and folders."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._changes: deque[Change] = deque(maxlen=LONGEST_LOG)

    def add(self, node: Node, action: ChangeAction, before: Node | None = None) -> None:
        """Record a change.

        :param before: the folder that the object was in; None when it is still there.
        """
        above = [*node.way_up(), *(() if before is None else before.way_up())]
        self._changes.append(
            Change(
                action,
                self._context.now,
                node.id,
                None if node.parent is None else node.parent.id,
                node.name,
                node.kind,
                node.content.size if node.is_file else len(node.children),
                node.modified,
                frozenset(one.id for one in above),
            )
        )

    def below(self, node: Node, begin: float, end: float) -> list[Change]:
        """List the changes of an object and of all that was in it.

        :param begin: the earliest time.
        :param end: the latest time.
        :return: oldest first.
        """
        return [change for change in self._changes if node.id in change.places and begin <= change.time <= end]
