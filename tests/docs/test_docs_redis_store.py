"""The store in Redis works as it stands on the page about sessions, with a real Redis."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import markdown_pages as markdown
import pytest

from airflow_provider_quatrix.api import Credentials, SessionCalls, Transport
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.sessions.broker import SessionBroker
from airflow_provider_quatrix.sessions.cipher import RecordCipher
from airflow_provider_quatrix.sessions.host import AccountFolder
from airflow_provider_quatrix.sessions.shared_record import SharedRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient

redis = pytest.importorskip("redis", reason="needs the package redis, of the extra test")


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("needs redis-server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [server, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        url = f"redis://127.0.0.1:{port}"
        try:
            with closing(redis.Redis.from_url(url)) as client:
                for _ in range(200):
                    try:
                        client.ping()
                        break
                    except redis.exceptions.ConnectionError:
                        threading.Event().wait(0.05)
            yield url
        finally:
            process.terminate()


def test_hosts_that_share_a_redis_sign_in_once(
    redis_url: str, quatrix_emulator: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUATRIX_REDIS_URL", redis_url)
    (block,) = [one for one in markdown.code_blocks(markdown.ROOT / "docs" / "sessions.md") if "RedisStore" in one.text]
    page: dict[str, Any] = {}
    exec(compile(block.text, "sessions.md", "exec"), page)  # noqa: S102 - the page's own sample
    who = Credentials(EMAIL, PASSWORD)
    cipher = RecordCipher(quatrix_emulator.url, who)
    taken: list[str] = []
    slept: list[float] = []

    def host(number: int) -> None:
        transport = Transport(quatrix_emulator.url)
        store = page["RedisStore"]("acme")
        folder = AccountFolder(tmp_path / f"host-{number}", quatrix_emulator.url, EMAIL)
        shared = SharedRecord(store, cipher, folder, longest_claim=60.0)
        assert shared.is_exact
        broker = SessionBroker(
            SessionCalls(transport), who, shared=shared, fingerprint=cipher.fingerprint, sleep=slept.append
        )
        taken.append(broker.acquire())
        transport.close()
        store._redis.close()

    hosts = [threading.Thread(target=host, args=(number,)) for number in range(8)]
    for one in hosts:
        one.start()
    for one in hosts:
        one.join()
    assert len(taken) == 8
    assert len(set(taken)) == 1
    assert quatrix_emulator.logins == 1
    # With a lock for all hosts nobody has to wait until a claim is certain.
    assert slept == []
    store = page["RedisStore"]("acme")
    store.delete()
    assert store.read() is None
    store._redis.close()
