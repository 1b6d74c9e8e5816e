"""The sessions that this process uses, one per connection."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.api.client import QuatrixClient
    from airflow_provider_quatrix.sessions.broker import SessionBroker

# A process may use many connections in its life.
_MOST_SESSIONS = 64


class SharedSession(NamedTuple):
    """What the hooks of a process with the same connection share."""

    broker: SessionBroker
    client: QuatrixClient


_sessions: OrderedDict[tuple[str, ...], SharedSession] = OrderedDict()
_lock = threading.Lock()


def shared_session(key: tuple[str, ...], make: Callable[[], SharedSession]) -> SharedSession:
    """Return this process's session of a connection.

    :param key: identifies a connection by its settings and the fingerprint of its secrets.
    :param make: makes the session if this process has none.
    :return: the same object for the same key.
    """
    with _lock:
        session = _sessions.get(key)
        if session is None:
            session = _sessions[key] = make()
        _sessions.move_to_end(key)
        while len(_sessions) > _MOST_SESSIONS:
            _sessions.popitem(last=False)
        return session


def forget_sessions() -> None:
    """Drop this process's sessions, and everything they remember."""
    global _lock  # noqa: PLW0603 - a forked child lacks the thread that may hold its lock
    _lock = threading.Lock()
    _sessions.clear()


# Two processes must not share one inherited connection.
os.register_at_fork(after_in_child=forget_sessions)
