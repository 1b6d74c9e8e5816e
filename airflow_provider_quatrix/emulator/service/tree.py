"""Homes, folders and files as a tree in memory, without the contents."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .accounts import stable_id
from .storage import Content

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["F", "D", "S", "T"]
SEPARATOR = "/"


@dataclass(eq=False)
class Node:
    """A file or a folder.

    :param owner: key of the user in whose home it is.
    :param kind: ``F`` file, ``D`` folder, ``S`` project folder, ``T`` Trash.
    :param modified: modification time, to the microsecond.
    :param parent: its folder; None for a home.
    :param subtype: what a system folder is for; such a folder stays where it is.
    :param protected: whether neither it nor anything below it may be changed.
    :param unfinished: whether it is a new file whose upload has not been finalized.
    :param unsent: whether a recipient of a share has made it and not sent it yet.
    :param trashed: when it was put into the Trash.
    :param virus_check: result of the virus check, as set by a control call.
    :param checked_until: when the virus check ends.
    """

    id: str
    owner: str
    name: str
    kind: Kind
    created: float
    modified: float
    parent: Node | None = None
    content: Content = field(default_factory=Content)
    subtype: str | None = None
    protected: bool = False
    unfinished: bool = False
    unsent: bool = False
    trashed: float | None = None
    virus_check: Literal["infected", "checking"] | None = None
    checked_until: float = 0.0
    children: dict[str, Node] = field(default_factory=dict, repr=False)
    tags: list[tuple[str, str, str]] = field(default_factory=list, repr=False)

    @property
    def is_file(self) -> bool:
        """Whether it is a file."""
        return self.kind == "F"

    @property
    def is_fixed(self) -> bool:
        """Whether it cannot be moved, renamed or deleted, like homes, the Trash and system folders."""
        return self.parent is None or self.subtype is not None

    def way_up(self) -> Iterator[Node]:
        """The node and its parents, up to the home."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    @property
    def path(self) -> str:
        """Its path from the home, which is ``/``."""
        names = [node.name for node in self.way_up() if node.parent is not None]
        return SEPARATOR + SEPARATOR.join(reversed(names))

    def walk(self) -> Iterator[Node]:
        """The node and everything in it, folders before their content."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children.values()))

    def total(self) -> int:
        """How many bytes it takes, including its content."""
        return sum(node.content.size for node in self.walk())


class Tree:
    """The homes of all users, and how much each of them stores."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.used: Counter[str] = Counter()
        self._owners: list[str] = []

    def home(self, owner: str, now: float, *, system_folders: bool) -> Node:
        """Find a user's home; it is made when it is first asked for.

        :param system_folders: whether a new home gets an Inbox and an Outbox.
        """
        home = self.nodes.get(stable_id("home", owner))
        if home is None:
            self._owners.append(owner)
            home = self._plant(Node(stable_id("home", owner), owner, "Home", "D", now, now))
            parts: list[tuple[str, str, Kind]] = [("incoming", "Inbox", "D"), ("outgoing", "Outbox", "D")]
            for subtype, name, kind in [*(parts if system_folders else ()), ("trash", "Trash", "T")]:
                folder = Node(stable_id(subtype, owner), owner, name, kind, now, now, subtype=subtype)
                self.attach(self._plant(folder), home, name)
        return home

    def trashes(self) -> list[Node]:
        """The Trash of every user who has a home."""
        return [self.trash(owner) for owner in self._owners]

    def trash(self, owner: str) -> Node:
        """Find a user's Trash; the home must exist."""
        return self.nodes[stable_id("trash", owner)]

    def add(self, parent: Node, name: str, kind: Kind, now: float, content: Content | None = None) -> Node:
        """Make an object.

        :param content: the bytes of a file; none yet when None.
        """
        node = Node(str(uuid.uuid4()), parent.owner, name, kind, now, now, content=content or Content())
        self.used[node.owner] += node.content.size
        return self.attach(self._plant(node), parent, name)

    def _plant(self, node: Node) -> Node:
        self.nodes[node.id] = node
        return node

    def attach(self, node: Node, parent: Node, name: str) -> Node:
        """Put an object into a folder, and remove it from its present one."""
        if node.parent is not None:
            del node.parent.children[node.name]
        node.parent = parent
        node.name = name
        parent.children[name] = node
        return node

    def remove(self, node: Node) -> list[Content]:
        """Remove an object for good, with all that is in it.

        :return: the contents that it had.
        """
        contents = []
        for gone in node.walk():
            del self.nodes[gone.id]
            if gone.is_file:
                self.used[gone.owner] -= gone.content.size
                contents.append(gone.content)
        if node.parent is not None:
            del node.parent.children[node.name]
        return contents

    def find(self, folder: Node, path: str) -> Node | None:
        """Resolve a path.

        :param path: names separated by slashes; extra slashes are ignored.
        """
        node: Node | None = folder
        for name in path.split(SEPARATOR):
            if name and node is not None:
                node = node.children.get(name)
        return node
