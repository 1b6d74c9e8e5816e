"""Moves one file as a task would, in a process of its own that a test may kill at any byte."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from airflow_provider_quatrix.api import QuatrixClient, Transport
from airflow_provider_quatrix.api.download import Downloader
from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.tree import RemoteTree
from airflow_provider_quatrix.api.upload import Uploader


class FileNotes:
    """Notes in a file, where the next process finds them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str | None:
        return self._path.read_text() if self._path.exists() else None

    def write(self, text: str) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(text)
        new.replace(self._path)

    def delete(self) -> None:
        self._path.unlink(missing_ok=True)


class KillAt:
    """Kills this process when so many bytes have passed; never if negative."""

    def __init__(self, at: int) -> None:
        self._at = at
        self._seen = 0

    def __call__(self, size: int) -> None:
        self._seen += size
        if 0 <= self._at <= self._seen:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    order = json.loads(sys.argv[1])
    client = QuatrixClient(Transport(order["url"]), api_key=order["api_key"])
    kill = KillAt(order["kill_at"])
    local, remote = Path(order["local"]), order["remote"]
    if order["direction"] == "up":
        notes = FileNotes(Path(order["notes"]))
        uploader = Uploader(RemoteTree(client.files), owner="child", further_try=order["further_try"], progress=kill)
        result = uploader.upload(local, remote, if_exists=IfExists.OVERWRITE, notes=notes)
    else:
        downloader = Downloader(client.files, further_try=order["further_try"], progress=kill)
        file = RemoteTree(client.files).stat(remote)
        result = downloader.download(file, local, if_exists=IfExists.OVERWRITE)
    sys.stdout.write(result.sha256)


if __name__ == "__main__":
    main()
