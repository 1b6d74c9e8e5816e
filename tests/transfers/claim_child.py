"""Claims files as a task would, in a process of its own that a test may kill after any answer of the service."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from forking import serve

from airflow_provider_quatrix.api import ApiKeyAuthorizer, QuatrixClient, Transport
from airflow_provider_quatrix.transfer.claims import Arrival, Claims
from airflow_provider_quatrix.transfer.tree import RemoteTree


class KillAfter:
    """Kills this process when so many answers have come; never if negative."""

    def __init__(self, answers: int) -> None:
        self._left = answers

    def answered(self, *_: Any) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def claim(order: dict[str, Any]) -> str:
    """Claim the files and return the keys of those that this owner has, with the paths at which they are."""
    client = QuatrixClient(Transport(order["url"]), ApiKeyAuthorizer(order["api_key"]))
    client.observe(KillAfter(order["kill_after"]))
    claims = Claims(RemoteTree(client.files), order["folder"], order["owner"])
    claimed = [claims.claim(Arrival(**arrival)) for arrival in order["arrivals"]]
    if order.get("target"):
        for each in claimed:
            if each is not None:
                claims.finish(each.entry.path, each.entry.file.id, order["target"])
    return json.dumps({each.key: each.entry.path for each in claimed if each is not None})


if __name__ == "__main__":
    serve(claim)
