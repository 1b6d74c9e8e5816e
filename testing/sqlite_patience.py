"""How long Airflow waits for the lock of its SQLite database; Airflow imports this by its name.

16 tasks that start at once need more than the usual five seconds. But the API server of Airflow 3 notes in its event
loop who calls it, and may then wait for the lock of a request that needs the event loop to go on. So the event loop is
impatient: such a call gets an error at once, and can be repeated.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool

_SECONDS = 60.0
_SECONDS_IN_EVENT_LOOP = 0.5

connect_args = {"timeout": _SECONDS}


@event.listens_for(Pool, "checkout")
def _set_patience(connection: Any, *_: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        seconds = _SECONDS_IN_EVENT_LOOP if _in_event_loop() else _SECONDS
        connection.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
