"""The activity log of the account."""

from __future__ import annotations

import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .context import Context
    from .parties import Actor
    from .tree import Node

Event = Literal["share", "file", "files-return"]
Action = Literal[
    "create",
    "revoke",
    "created-link",
    "sent-email",
    "replied",
    "upload",
    "download",
    "move-rename",
    "rename",
    "copy",
    "delete",
    "makedir",
]
LONGEST_LOG = 100_000


@dataclass(frozen=True)
class Entry:
    """What somebody did.

    :param owner: key of the user in whose account it happened. That user and the one who did it may see it.
    :param duration: seconds.
    """

    actor: Actor
    owner: str
    event: Event
    action: Action
    time: float
    payload: dict[str, Any]
    duration: float
    share_id: str | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


class Activity:
    """The last things that people did."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._entries: deque[Entry] = deque(maxlen=LONGEST_LOG)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def all(self) -> list[Entry]:
        """List everything, oldest first."""
        return list(self._entries)

    def add(
        self,
        actor: Actor,
        owner: str,
        what: tuple[Event, Action],
        payload: dict[str, Any],
        *,
        began: float | None = None,
        share_id: str | None = None,
    ) -> None:
        """Record what somebody did.

        :param owner: key of the user in whose account it happened.
        :param began: when it began; just now when None.
        :param share_id: the share, if it is about one.
        """
        now = self._context.now
        duration = 0.0 if began is None else round(now - began, 6)
        event, action = what
        if share_id is not None:
            payload = {"share_id": share_id, **payload}
        self._entries.append(Entry(actor, owner, event, action, now, payload, duration, share_id))

    def add_files(
        self, actor: Actor, action: Action, files: list[dict[str, Any]], *, owner: str, began: float | None = None
    ) -> None:
        """Record what somebody did to files.

        :param files: as :func:`files_payload` shows them.
        :param owner: key of the user whose files they are.
        :param began: when it began; just now when None.
        """
        self.add(actor, owner, ("file", action), {"files": files}, began=began)


def files_payload(nodes: Iterable[Node]) -> list[dict[str, Any]]:
    """Show files and folders in an entry."""
    return [{"id": node.id, "name": node.name, "path": node.path, "type": node.kind} for node in nodes]
