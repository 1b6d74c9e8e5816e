"""Moves a file as a task would, in a process of its own that a test may kill at any byte."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from forking import serve
from killed_tries import FileStore, die

from airflow_provider_quatrix.api import ApiKeyAuthorizer, QuatrixClient, Transport
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.transfer.download import Downloader
from airflow_provider_quatrix.transfer.journal import Journal
from airflow_provider_quatrix.transfer.tree import RemoteTree
from airflow_provider_quatrix.transfer.upload import Uploader


class KillAt:
    """Kills this process when so many bytes have passed; never if negative."""

    def __init__(self, at: int) -> None:
        self._at = at
        self._seen = 0

    def __call__(self, size: int) -> None:
        self._seen += size
        if 0 <= self._at <= self._seen:
            die()


def transfer(order: dict[str, Any]) -> str:
    """Move the file and return the digest of what passed."""
    client = QuatrixClient(Transport(order["url"]), ApiKeyAuthorizer(order["api_key"]))
    kill = KillAt(order["kill_at"])
    local, remote = Path(order["local"]), order["remote"]
    if order["direction"] == "up":
        os.environ["QUATRIX_TEST_STORE"] = order["notes"]
        journal = Journal(FileStore("notes"), is_retry=order["is_retry"])
        uploader = Uploader(
            RemoteTree(client.files), resume_key="child", journal=journal, keep_unfinished=True, progress=kill
        )
        return uploader.upload(local, remote, if_exists=IfExists.OVERWRITE).digest
    downloader = Downloader(client.files, progress=kill)
    file = RemoteTree(client.files).stat(remote)
    return downloader.download(file, local, if_exists=IfExists.OVERWRITE).digest


if __name__ == "__main__":
    serve(transfer)
