"""The shared record of an account: many processes on many hosts read, change and claim it."""

from __future__ import annotations

import logging
import time
from collections import deque
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import QuatrixError
from airflow_provider_quatrix.sessions.explanations import short_reason
from airflow_provider_quatrix.sessions.packing import pack, unpack
from airflow_provider_quatrix.sessions.record import AccountRecord, Claim, merge, normalized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_quatrix.sessions.cipher import RecordCipher
    from airflow_provider_quatrix.sessions.host import AccountFolder
    from airflow_provider_quatrix.sessions.stores import SessionStore

log = logging.getLogger(__name__)

# Seconds. A claim counts once all writes that other processes began before they saw it must have arrived.
SHORTEST_SETTLE = 0.5
LONGEST_SETTLE = 10.0
_MOST_RELEASES = 4
# Only the latest times count, so that one slow moment does not slow down logins for weeks.
_LATEST = 16


class ClaimLostError(Exception):
    """Another process has claimed the account, or has signed in in the meantime."""


class StorePace:
    """How long the store has taken lately, in seconds.

    The first access of a process is not counted: it also takes the time for imports and for the connection. In a
    triggerer of Airflow 3.3 that takes many seconds.
    """

    def __init__(self) -> None:
        self._is_warm = False
        self._reads: deque[float] = deque(maxlen=_LATEST)
        self._writes: deque[float] = deque(maxlen=_LATEST)

    def reading(self) -> AbstractContextManager[None]:
        """Measure a read."""
        return self._measured(self._reads)

    def writing(self) -> AbstractContextManager[None]:
        """Measure a write."""
        return self._measured(self._writes)

    @property
    def settle_seconds(self) -> float:
        """Seconds after which a write that is based on an older read must have arrived."""
        seen = 0.25 + 2 * (max(self._reads, default=0.0) + max(self._writes, default=0.0))
        return min(max(SHORTEST_SETTLE, seen), LONGEST_SETTLE)

    @contextmanager
    def _measured(self, durations: deque[float]) -> Iterator[None]:
        began = time.monotonic()
        yield
        if self._is_warm:
            durations.append(time.monotonic() - began)
        self._is_warm = True


class SharedRecord:
    """Reads and changes the record of one account.

    A change is made with the host's lock held, and is applied to the store's current content, merged with what this
    process knows. If the store has a lock too, changes are exact on all hosts. Otherwise two hosts may change the
    record at the same time; claims deal with that.

    :param store: where the record is.
    :param cipher: made from the connection's secrets.
    :param host: this host's lock, and the place for what the store cannot take.
    :param longest_claim: seconds after which a claim that was not renewed is void.
    :param on_change: called with the record after every change by this process.
    :param now: the present, Unix time.
    """

    def __init__(
        self,
        store: SessionStore,
        cipher: RecordCipher,
        host: AccountFolder,
        *,
        longest_claim: float,
        on_change: Callable[[AccountRecord], None] = lambda record: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._on_change = on_change
        self._store = store
        self._cipher = cipher
        self._host = host
        self.longest_claim = longest_claim
        self._now = now
        self._known = AccountRecord()
        self._pace = StorePace()
        self._degraded = False

    @property
    def known(self) -> AccountRecord:
        """The record as this process last saw it."""
        return self._known

    @property
    def is_exact(self) -> bool:
        """Whether no two processes anywhere can change the record at the same moment."""
        return getattr(self._store, "lock", None) is not None and not self._degraded

    @property
    def settle_seconds(self) -> float:
        """Seconds after which a claim that still stands is certain."""
        return self._pace.settle_seconds

    def load(self) -> AccountRecord:
        """Return the record as it is now, without any lock."""
        record, _ = self._read()
        # Unchanged: a time that was changed here would not be recognised at the next read.
        self._remember(record)
        return self._normalized(record)

    def update(
        self, change: Callable[[AccountRecord], AccountRecord], *, timeout: float | None = None
    ) -> AccountRecord:
        """Change the record and return it; it is written only if it changed.

        :param change: a pure function of the record.
        :param timeout: seconds to wait for the host's lock; default a minute.
        """
        with self._host.locked() if timeout is None else self._host.locked(timeout), self._store_lock():
            record, stored = self._read()
            changed = change(self._normalized(record))
            if changed != stored:
                self._write(changed)
            self._remember(changed)
        if changed != stored:
            self._on_change(changed)
        return changed

    def claimed(self, record: AccountRecord, nonce: str, seconds: float | None = None) -> AccountRecord:
        """Return a record with a claim that begins now.

        :param seconds: how long it lasts; ``None`` for the longest time.
        """
        return record.claimed(Claim(nonce, self._now() + min(seconds or self.longest_claim, self.longest_claim)))

    def confirm(self, nonce: str, sleep: Callable[[float], None]) -> None:
        """Wait until a claim is certain.

        :param sleep: waits until a write that overtakes the claim must have arrived.
        :raises ClaimLostError: another process claimed the account at the same moment, and its claim stands.
        """
        if not self.is_exact:
            sleep(self.settle_seconds)
            claim = self.load().claim
            if claim is None or claim.nonce != nonce:
                raise ClaimLostError

    def release(self, nonce: str, sleep: Callable[[float], None] | None) -> None:
        """End a claim, and make sure that its end and its result stay in the store.

        Another host may have read the record before and write it after: that brings the claim back and drops the
        result. All others would then wait until the claim expires.

        :param nonce: of the claim.
        :param sleep: waits until such a write must have arrived; ``None`` if another process took the claim over.
        """
        stood = False

        def released(record: AccountRecord) -> AccountRecord:
            nonlocal stood
            stood = record.claim is not None and record.claim.nonce == nonce
            return record.released(nonce)

        if self.is_exact or sleep is None:
            if self._known.claim is not None:
                self.update(released)
            return
        for _ in range(_MOST_RELEASES):
            sleep(self.settle_seconds)
            self.update(released)
            if not stood:
                return

    @property
    def place(self) -> str:
        """What a person has to delete so that the account is tried from scratch."""
        name = getattr(self._store, "name", None)
        return f"the Variable {name}" if name and not self._degraded else f"the file {self._host.record_path}"

    @contextmanager
    def _store_lock(self) -> Iterator[None]:
        lock: Callable[[], AbstractContextManager[object]] | None = getattr(self._store, "lock", None)
        held = ExitStack()
        if lock is not None:
            with self._or_degrade("locked"):
                held.enter_context(lock())
        try:
            yield
        finally:
            with self._or_degrade("unlocked"):
                held.close()

    @contextmanager
    def _or_degrade(self, what: str) -> Iterator[None]:
        try:
            yield
        except QuatrixError:
            # Another process holds the lock for too long: the store works.
            raise
        except Exception as error:  # noqa: BLE001 - see _read()
            self._degrade(what, error)

    def _read(self) -> tuple[AccountRecord, AccountRecord]:
        """Return the record merged with what this host and this process know, and the store's own."""
        here = unpack(self._host.read(), self._cipher)
        with self._pace.reading():
            try:
                text = self._store.read()
            except Exception as error:  # noqa: BLE001 - any failure of the store leaves the host's file
                self._degrade("read", error)
                stored = here if here.epoch else self._known
            else:
                stored = here if text is None and here.epoch else unpack(text, self._cipher)
        return merge(merge(stored, here), self._known), stored

    def _normalized(self, record: AccountRecord) -> AccountRecord:
        return normalized(record, self._now(), self.longest_claim)

    def _remember(self, record: AccountRecord) -> None:
        # Another thread may have remembered a later read.
        if record.epoch != self._known.epoch or record.revision >= self._known.revision:
            self._known = record

    def _write(self, record: AccountRecord) -> None:
        text = pack(record, self._cipher)
        with self._pace.writing():
            try:
                self._store.write(text)
            except Exception as error:  # noqa: BLE001 - see _read()
                self._degrade("written", error)
                self._host.write(text)
            else:
                # They must stay when the record in the store is deleted, as the service counts them too.
                kept = AccountRecord(attempts=record.attempts, refunded=record.refunded, totp_step=record.totp_step)
                self._host.write(pack(kept, self._cipher))

    def _degrade(self, what: str, error: Exception) -> None:
        if not self._degraded:
            self._degraded = True
            log.info(
                "The session store cannot be %s here (%s), so the processes of this host share the Quatrix session "
                "in %s",
                what,
                short_reason(error),
                self._host.record_path,
            )
