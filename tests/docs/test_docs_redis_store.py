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
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient

redis = pytest.importorskip("redis", reason="needs the package redis, of the extra test")


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
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
            yield url, process
        finally:
            process.terminate()


@pytest.fixture
def store_class(
    redis_server: tuple[str, subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Any]:
    """The page's own sample, run as it stands."""
    monkeypatch.setenv("QUATRIX_REDIS_URL", redis_server[0])
    (block,) = [one for one in markdown.code_blocks(markdown.ROOT / "docs" / "sessions.md") if "RedisStore" in one.text]
    page: dict[str, Any] = {}
    exec(compile(block.text, "sessions.md", "exec"), page)  # noqa: S102
    made: Callable[[str], Any] = page["RedisStore"]
    return made


def sign_in(store: Any, emulator: EmulatorClient, folder: Path, slept: list[float]) -> str:
    """Return the session that a host gets which keeps what it must in a folder of its own."""
    who = Credentials(EMAIL, PASSWORD)
    cipher = RecordCipher(emulator.url, who)
    shared = SharedRecord(store, cipher, AccountFolder(folder, emulator.url, EMAIL), longest_claim=60.0)
    assert shared.is_exact
    with closing(Transport(emulator.url)) as transport:
        calls = SessionCalls(transport)
        return SessionBroker(calls, who, shared=shared, fingerprint=cipher.fingerprint, sleep=slept.append).acquire()


def test_hosts_that_share_a_redis_sign_in_once(
    store_class: Callable[[str], Any], quatrix_emulator: EmulatorClient, tmp_path: Path
) -> None:
    taken: list[str] = []
    slept: list[float] = []

    def host(number: int) -> None:
        store = store_class("acme")
        taken.append(sign_in(store, quatrix_emulator, tmp_path / f"host-{number}", slept))
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
    store = store_class("acme")
    store.delete()
    assert store.read() is None
    store._redis.close()


def test_while_the_redis_is_down_the_tasks_of_a_host_share_a_session(
    redis_server: tuple[str, subprocess.Popen[bytes]],
    store_class: Callable[[str], Any],
    quatrix_emulator: EmulatorClient,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "airflow_provider_quatrix")
    _, server = redis_server
    server.kill()
    server.wait()
    taken = set()
    for _ in range(3):
        store = store_class("acme")
        taken.add(sign_in(store, quatrix_emulator, tmp_path / "host", []))
        store._redis.close()
    assert len(taken) == quatrix_emulator.logins == 1
    assert "The session store cannot be read here (ConnectionError" in caplog.text
