"""Mirrors folders as tasks would, each in a process of its own that may be killed at any of its steps."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forking import serve
from transfer_child import FileNotes

from airflow_provider_quatrix.hooks.attempt import Attempt
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

if TYPE_CHECKING:
    from airflow_provider_quatrix.transfer.checkpoint import Checkpoint

# What a mirror does to either side, and when something goes over the wire.
STEPS = {"http.client.send", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.utime", "shutil.rmtree"}


class Hook(QuatrixHook):
    """A hook whose notes are files, where the next process finds them."""

    folder = Path()

    def _checkpoint(self, name: str) -> Checkpoint:
        return FileNotes(self.folder / f"{name.encode().hex()[-60:]}.json")


def kill_at(step: int) -> None:
    """Kill this process ahead of one of its steps."""
    left = step

    def count(event: str, _: Any) -> None:
        nonlocal left
        if event in STEPS:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def mirror(order: dict[str, Any]) -> dict[str, Any]:
    connection = {"conn_type": "quatrix", "host": order["url"], "extra": {"api_key": order["api_key"]}}
    os.environ["AIRFLOW_CONN_QUATRIX_DEFAULT"] = json.dumps(connection)
    Hook.folder = Path(order["notes"])
    hook = Hook()
    if order["kill_at"]:
        kill_at(order["kill_at"])
    how = dict(order["how"])
    hook.attempt = Attempt(how.pop("resume_key"), is_retry=how.pop("is_retry", False))
    results = getattr(hook, order["way"])(order["source"], order["target"], **how)
    if not results.dry_run:
        hook.attempt.forget_done()
    return {
        "sent": sorted(result.path for result in results if not result.skipped),
        "skipped": sorted(result.path for result in results if result.skipped),
        "deleted": sorted(results.deleted),
    }


if __name__ == "__main__":
    serve(lambda order: json.dumps(mirror(order)))
