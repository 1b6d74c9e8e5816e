"""Claims files as a task would, in a process of its own that a test may kill after any answer of the service."""

from __future__ import annotations

import json
from typing import Any

from forking import serve
from killed_tries import die
from meanwhile import AsSoonAs

from airflow_provider_quatrix.api import ApiKeyAuthorizer, QuatrixClient, Transport
from airflow_provider_quatrix.transfer.claims import Arrival, Claims
from airflow_provider_quatrix.transfer.tree import RemoteTree


def claim(order: dict[str, Any]) -> str:
    """Claim the files and return the keys of those that this owner has, with the paths at which they are."""
    client = QuatrixClient(Transport(order["url"]), ApiKeyAuthorizer(order["api_key"]))
    if order["kill_after"] > 0:
        client.observe(AsSoonAs(".*", die, after=order["kill_after"] - 1))
    claims = Claims(RemoteTree(client.files), order["folder"], order["owner"])
    claimed = [claims.claim(Arrival(**arrival)) for arrival in order["arrivals"]]
    if order.get("target"):
        for each in claimed:
            if each is not None:
                claims.finish(each.entry.path, each.entry.file.id, order["target"])
    return json.dumps({each.key: each.entry.path for each in claimed if each is not None})


if __name__ == "__main__":
    serve(claim)
