"""The virus check of files. A control call sets its results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ..settings import EmulatorSettings
    from .tree import Node

CheckState = Literal["infected", "checking"]


def state_of(node: Node, now: float) -> CheckState | None:
    """Return the result of the virus check for a file or folder.

    :return: ``infected``, ``checking``, or None for clean; for a folder the worst result of its content.
    """
    found: CheckState | None = None
    for one in node.walk():
        if one.virus_check == "infected":
            return "infected"
        if one.virus_check == "checking" or one.checked_until > now:
            found = "checking"
    return found


def shown(node: Node, settings: EmulatorSettings, now: float) -> str | None:
    """Return the result of the virus check for a file, in the service's words.

    :return: None for clean, and for folders.
    """
    state = state_of(node, now) if node.is_file else None
    if state is None:
        return None
    return settings.antivirus_infected if state == "infected" else settings.antivirus_checking
