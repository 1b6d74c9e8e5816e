"""Brokers over the emulator, with a clock that both share."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api import Credentials, QuatrixClient, Transport
from airflow_provider_quatrix.api.retry import RetryPolicy
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.sessions.broker import SessionBroker
from airflow_provider_quatrix.sessions.ledger import HostLedger
from airflow_provider_quatrix.sessions.record import SessionRecord, unpack
from airflow_provider_quatrix.sessions.seal import Seal

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.handle import EmulatorHandle
    from airflow_provider_quatrix.sessions.stores import SessionStore

TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
POLICY = RetryPolicy(deadline=30.0, attempts=2, first_pause=0.01)


class FileStore:
    """A store of a user's own: one file per connection, in the folder that the environment names."""

    def __init__(self, conn_id: str) -> None:
        self.path = Path(os.environ["QUATRIX_TEST_STORE"]) / f"{conn_id}.json"

    def read(self) -> str | None:
        try:
            return self.path.read_text()
        except FileNotFoundError:
            return None

    def write(self, text: str) -> None:
        new = self.path.with_suffix(f".{os.getpid()}.new")
        new.write_text(text)
        new.replace(self.path)

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)


class CountingStore:
    """A store in memory that counts, and fails on demand."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.reads = 0
        self.writes = 0
        self.fails = False

    def read(self) -> str | None:
        self.reads += 1
        self._fail()
        return self.text

    def write(self, text: str) -> None:
        self.writes += 1
        self._fail()
        self.text = text

    def delete(self) -> None:
        self.text = None

    def _fail(self) -> None:
        if self.fails:
            raise ConnectionError("the store is down")


class Team:
    """Brokers of one connection on one host, unless told otherwise."""

    def __init__(self, emulator: EmulatorHandle, folder: Path) -> None:
        self.emulator = emulator
        self.folder = folder
        self.store = CountingStore()
        self.ahead = 0.0
        self.slept: list[float] = []
        self.clients: list[QuatrixClient] = []

    def now(self) -> float:
        return time.time() + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += seconds
        self.emulator.advance(seconds)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def broker(
        self,
        *,
        store: SessionStore | None = None,
        host: str = "host-1",
        url: str | None = None,
        unblock_method: str = "POST",
        **credentials: Any,
    ) -> SessionBroker:
        who = Credentials(**({"login": EMAIL, "password": PASSWORD} | credentials))
        url = url or self.emulator.url
        client = QuatrixClient(Transport(url, policy=POLICY, read_timeout=5.0), unblock_method=unblock_method)
        client.session = SessionBroker(
            client,
            who,
            store=self.store if store is None else store,
            seal=Seal(url, who),
            ledger=HostLedger(self.folder / host, url, who.login),
            now=self.now,
            sleep=self.sleep,
        )
        self.clients.append(client)
        return client.session

    def record(self, **credentials: Any) -> SessionRecord:
        who = Credentials(**({"login": EMAIL, "password": PASSWORD} | credentials))
        return unpack(self.store.text, Seal(self.emulator.url, who))

    def close(self) -> None:
        for client in self.clients:
            client.close()
