"""Real stores to transfer from and to: an S3 server, an SFTP server and a local folder."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from typing import TYPE_CHECKING

import asyncssh
import pytest
from airflow.models import import_all_models
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem
from store_servers import PASSWORD, USER, Login, SftpFiles, Store
from tries import TriedHook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

# Airflow 2 can map none of its tables before all of them are known.
import_all_models()

try:
    from airflow.sdk.io import attach
except ImportError:
    from airflow.io.store import attach


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def s3(s3_server: str, tmp_path: Path) -> Store:
    """A bucket of the test's own, in a store that Airflow knows as ``s3://s3_store@``."""
    fs = S3FileSystem(key="key", secret="secret", endpoint_url=s3_server)
    attach("s3", conn_id="s3_store", fs=fs)
    bucket = f"bucket-{abs(hash(str(tmp_path)))}"
    fs.mkdir(bucket)
    return Store(f"s3://s3_store@{bucket}/top")


@pytest.fixture(scope="session")
def sftp_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    # It tells of its end when nobody listens any more.
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    SftpFiles.root = str(tmp_path_factory.mktemp("sftp"))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        key = asyncssh.generate_private_key("ssh-ed25519")
        return await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Login, server_host_keys=[key], sftp_factory=SftpFiles
        )

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    yield acceptor.get_port()

    async def close() -> None:
        acceptor.close()
        for connection in Login.connections:
            connection.abort()
            await connection.wait_closed()
        await asyncio.gather(*asyncio.all_tasks(loop) - {asyncio.current_task()}, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def sftp(sftp_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A folder of the test's own, over Airflow's connection ``sftp_store``."""
    connection = {
        "conn_type": "sftp",
        "host": "127.0.0.1",
        "port": sftp_port,
        "login": USER,
        "password": PASSWORD,
        "extra": {"no_host_key_check": "true"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_SFTP_STORE", json.dumps(connection))
    SftpFiles.spoils = False
    store = Store(f"sftp://sftp_store@/{tmp_path.name}/top")
    store.put("../.keep", b"")
    return store


@pytest.fixture
def local(tmp_path: Path) -> Store:
    return Store(f"file://{tmp_path}/top")


@pytest.fixture(params=["s3", "sftp", "local"])
def store(request: pytest.FixtureRequest) -> Store:
    """One after the other of all kinds of stores."""
    made: Store = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def hook(quatrix_connection: QuatrixConnection, monkeypatch: pytest.MonkeyPatch) -> QuatrixHook:
    """The hook, with session and notes in the memory of this process."""
    monkeypatch.setenv("AIRFLOW__QUATRIX__SESSION_STORE", "memory")
    return TriedHook(quatrix_connection)
