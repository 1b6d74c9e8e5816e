"""What the tasks of a real Airflow send as metrics."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from system_accounts import Account

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from testing.airflow_process import AirflowProcess


def test_the_canary_keeps_metrics_fresh(
    airflow: AirflowProcess,
    quatrix_emulator: EmulatorClient,
    make_account: Callable[..., Account],
    metrics_inbox: socket.socket,
) -> None:
    make_account("quatrix_default")
    received: set[str] = set()

    def read() -> bool:
        with suppress(BlockingIOError):
            while True:
                received.update(metrics_inbox.recv(65536).decode().splitlines())
        return wanted <= received

    direction = "airflow.quatrix.{},conn_id=quatrix_default,direction={}:{}|c"
    # The file holds its own path.
    size = len("/canary-.txt") + 32
    wanted = {
        "airflow.quatrix.logins,conn_id=quatrix_default,result=success:1|c",
        "airflow.quatrix.logins_left,conn_id=quatrix_default:11|g",
        "airflow.quatrix.blocked,conn_id=quatrix_default:0|g",
        *(direction.format("files", way, 1) for way in ("upload", "download")),
        *(direction.format("bytes", way, size) for way in ("upload", "download")),
    }
    # What earlier tests have sent says nothing about this one.
    read()
    received.clear()
    assert airflow.run("quatrix_canary")[1] == "success"
    # Its schedule would let it sign in while later tests count logins.
    airflow.pause("quatrix_canary")
    airflow.wait_until(read, f"{sorted(wanted)} among {sorted(received)}", 10)
