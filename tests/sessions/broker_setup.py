"""Brokers over the emulator, with a clock that both share."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api import Credentials, QuatrixClient, SessionCalls, SessionStatus, Transport
from airflow_provider_quatrix.api.retry import RetryPolicy
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.sessions.broker import PATIENCE, SessionBroker
from airflow_provider_quatrix.sessions.cipher import RecordCipher
from airflow_provider_quatrix.sessions.host import AccountFolder
from airflow_provider_quatrix.sessions.packing import pack, unpack
from airflow_provider_quatrix.sessions.record import Claim
from airflow_provider_quatrix.sessions.shared_record import SharedRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.sessions.record import AccountRecord
    from airflow_provider_quatrix.sessions.stores import SessionStore

TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
LONGEST_CLAIM = 15.0
POLICY = RetryPolicy(deadline=30.0, attempts=2, first_pause=0.01)


class CountingStore:
    """A store in memory with a lock for all hosts, which counts, and fails on demand."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.reads = 0
        self.writes = 0
        self.fails = False
        self._lock = threading.Lock()

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

    def lock(self) -> threading.Lock:
        return self._lock

    def _fail(self) -> None:
        if self.fails:
            raise ConnectionError("the store is down")


class Team:
    """Brokers of one connection on one host, unless told otherwise."""

    def __init__(self, emulator: EmulatorClient, folder: Path) -> None:
        self.emulator = emulator
        self.folder = folder
        self.store = CountingStore()
        self.ahead = 0.0
        self.slept: list[float] = []
        self.pauses = 0
        self.clients: dict[SessionBroker, QuatrixClient] = {}

    def now(self) -> float:
        return time.time() + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += seconds
        self.emulator.advance(seconds)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def pause(self, _seconds: float) -> None:
        self.pauses += 1
        time.sleep(0.01)

    def broker(
        self,
        *,
        store: SessionStore | None = None,
        host: str = "host-1",
        url: str | None = None,
        skew: float = 0.0,
        read_timeout: float = 5.0,
        patience: float = PATIENCE,
        longest_claim: float = LONGEST_CLAIM,
        unblock_method: str = "POST",
        between_tries: Callable[[float], None] = time.sleep,
        **credentials: Any,
    ) -> SessionBroker:
        who = Credentials(**({"login": EMAIL, "password": PASSWORD} | credentials))
        url = url or self.emulator.url
        transport = Transport(url, policy=POLICY, read_timeout=read_timeout, sleep=between_tries)
        cipher = RecordCipher(url, who)
        shared = SharedRecord(
            self.store if store is None else store,
            cipher,
            AccountFolder(self.folder / host, url, who.login),
            longest_claim=longest_claim,
            now=lambda: self.now() + skew,
        )
        broker = SessionBroker(
            SessionCalls(transport, unblock_method=unblock_method),
            who,
            shared=shared,
            fingerprint=cipher.fingerprint,
            patience=patience,
            now=lambda: self.now() + skew,
            sleep=self.sleep,
            pause=self.pause,
        )
        self.clients[broker] = QuatrixClient(transport, broker)
        return broker

    def client_of(self, broker: SessionBroker) -> QuatrixClient:
        return self.clients[broker]

    def record(self, **credentials: Any) -> AccountRecord:
        who = Credentials(**({"login": EMAIL, "password": PASSWORD} | credentials))
        return unpack(self.store.text, RecordCipher(self.emulator.url, who))

    def packed(self, record: AccountRecord) -> str:
        return pack(record, RecordCipher(self.emulator.url, Credentials(EMAIL, PASSWORD)))

    def packed_claim(self, text: str | None) -> Claim | None:
        """Return the claim in what a store holds."""
        return unpack(text, RecordCipher(self.emulator.url, Credentials(EMAIL, PASSWORD))).claim

    def claim(self, seconds: float) -> Claim:
        """A claim of a process that is not heard of any more."""
        return Claim("of another", self.now() + seconds)

    def close(self) -> None:
        for client in self.clients.values():
            client.close()

    def status(self, **credentials: Any) -> SessionStatus:
        who = Credentials(**({"login": EMAIL, "password": PASSWORD} | credentials))
        return self.record(**credentials).status(RecordCipher(self.emulator.url, who).fingerprint, self.now())
