"""One session per connection: taken, kept alive, renewed and ended here, for all tasks that use it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import (
    QuatrixApiError,
    QuatrixAuthenticationError,
    QuatrixCaptchaRequired,
    QuatrixLoginBudgetExhausted,
    QuatrixMfaRequired,
    QuatrixPermissionDenied,
    QuatrixSessionExpired,
)
from airflow_provider_quatrix.api.models import SessionStatus
from airflow_provider_quatrix.sessions.record import (
    BLOCKED_LOGIN_INTERVAL,
    LOGIN_LIMIT,
    LOGIN_WINDOW,
    USE_WRITE_INTERVAL,
    SessionRecord,
    may_login_while_blocked,
    pack,
    recent_attempts,
    unpack,
    wait_for_budget,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.api.auth import Credentials
    from airflow_provider_quatrix.api.client import QuatrixClient
    from airflow_provider_quatrix.api.models import SessionState
    from airflow_provider_quatrix.sessions.ledger import HostLedger
    from airflow_provider_quatrix.sessions.seal import Seal
    from airflow_provider_quatrix.sessions.stores import SessionStore

log = logging.getLogger(__name__)

# A session that waits for a second factor is as good as gone: the conversation it belonged to is over.
_GONE = (QuatrixSessionExpired, QuatrixMfaRequired)
# How long a block that was seen is believed without asking again, for callers that do not say otherwise.
PROBE_INTERVAL = 30.0


class SessionBroker:
    """Hands out the one session of a connection.

    It looks in this process's memory, then in the store, and signs in only if neither helps, one process of a host
    at a time. It keeps a budget of logins, never tries refused credentials twice, and while the account waits for
    a CAPTCHA lets nobody sign in.

    :param client: sends the session calls.
    :param credentials: the connection's.
    :param store: where the sealed record lives.
    :param seal: made of the connection's secrets.
    :param ledger: lock and login times of this host.
    :param now: the present, Unix time.
    :param sleep: waits.
    """

    def __init__(
        self,
        client: QuatrixClient,
        credentials: Credentials,
        *,
        store: SessionStore,
        seal: Seal,
        ledger: HostLedger,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client = client
        self._credentials = credentials
        self._store = store
        self._seal = seal
        self._ledger = ledger
        self._now = now
        self._sleep = sleep
        self._memory = SessionRecord()
        self._memory_lock = threading.Lock()

    def take(self) -> str:
        """Return the id of a session that is thought to be alive, signing in if there is none.

        :return: session id.
        :raises QuatrixCaptchaRequired: the account waits for a CAPTCHA.
        :raises QuatrixAuthenticationError: the credentials were refused, now or earlier.
        :raises QuatrixMfaRequired: a second factor is wanted that is not at hand.
        :raises QuatrixLoginBudgetExhausted: too many logins in the last 15 minutes; nothing was sent.
        """
        with self._memory_lock:
            record = self._memory
        if record.status is not SessionStatus.OPEN:
            record = self._load()
        if record.status is SessionStatus.OPEN and record.session_id:
            return record.session_id
        with self._ledger.locked():
            return self._resolve(self._load(), probe_interval=PROBE_INTERVAL)

    def renew(self, dead: str) -> str:
        """Return the id of another session than one that the service refused.

        :param dead: the refused id.
        :return: the id that another task has got meanwhile, or a new one.
        :raises QuatrixError: see :meth:`take`.
        """
        with self._ledger.locked():
            record = self._load()
            if record.session_id == dead and record.status is SessionStatus.OPEN:
                log.info("The Quatrix session has ended; signing in again")
                record = record.ended()
            return self._resolve(record, probe_interval=PROBE_INTERVAL)

    def login(self, mfa_code: str | None = None) -> SessionState:
        """Make sure that there is a session that works, with a login only if there is none.

        :param mfa_code: a second factor that a person gave for this one login.
        :return: the session, without its id.
        :raises QuatrixError: see :meth:`take`.
        """
        mfa_code = (mfa_code or "").strip() or None
        with self._ledger.locked():
            record = self._load()
            if record.status is SessionStatus.OPEN and record.session_id:
                record = self._verified(record, record.session_id)
            if record.status is SessionStatus.REJECTED and mfa_code is not None and record.wants_factor:
                record = record.ended()
            self._resolve(record, probe_interval=0.0, mfa_code=mfa_code)
            return self.state()

    def check(self, max_age: float = 0.0) -> None:
        """Ask the service whether the session works; without one, sign in as the rules allow.

        :param max_age: seconds for which a block seen by anybody is believed without asking.
        :raises QuatrixCaptchaRequired: the account waits for a CAPTCHA.
        :raises QuatrixError: see :meth:`take`.
        """
        record = self._load()
        if record.status is SessionStatus.OPEN:
            self.client.keepalive()
        else:
            with self._ledger.locked():
                self._resolve(self._load(), probe_interval=max_age)

    def keep(self) -> None:
        """Use the session that there is; never signs in.

        :raises QuatrixSessionExpired: there is none, or it has ended.
        :raises QuatrixCaptchaRequired: the account waits for a CAPTCHA.
        """
        with self._ledger.locked():
            record = self._load()
            if record.status is SessionStatus.BLOCKED:
                raise _still_blocked(record)
            if record.session_id is not None:
                record = self._verified(record, record.session_id)
                if record.status is SessionStatus.OPEN:
                    return
                self._save(record)
        raise QuatrixSessionExpired(401, None, "The Quatrix session has ended, or nobody has signed in")

    def end(self) -> bool:
        """End the connection's session for all who share it.

        :return: ``False`` if there was none.
        """
        with self._ledger.locked():
            record = self._load()
            if record.status is SessionStatus.BLOCKED:
                log.info("The blocked Quatrix session is kept: it is what passing the CAPTCHA unblocks")
                return False
            if record.status is not SessionStatus.OPEN or record.session_id is None:
                # Credentials that were refused stay known as such.
                return False
            try:
                ended = self.client.logout(record.session_id)
            except QuatrixCaptchaRequired:
                self._note_block(record, record.session_id)
                return False
            self._save(record.ended())
            return ended

    def unblock(self, token: str) -> bool:
        """Hand in a passed CAPTCHA for the blocked session, and use the session from then on.

        :param token: proof of the passed CAPTCHA.
        :return: ``False`` if nothing was blocked; the token was not used then.
        :raises QuatrixCaptchaRequired: the token was wrong, or there is no session to unblock.
        """
        with suppress(QuatrixCaptchaRequired):
            self.check()
            return False
        with self._ledger.locked():
            record = self._load()
            if record.status is not SessionStatus.BLOCKED:
                return False
            self._hand_in(token, record)
            return True

    def _hand_in(self, token: str, record: SessionRecord) -> None:
        if record.session_id is None:
            raise QuatrixCaptchaRequired(
                401,
                None,
                "Quatrix handed out no session that a CAPTCHA token could unblock, or that session has ended: "
                "pass the CAPTCHA by signing in to Quatrix in a browser",
            )
        try:
            valid = self.client.unblock_captcha(token, record.session_id)
        except QuatrixCaptchaRequired:
            valid = False
        except _GONE:
            self._save(record.blocked(None, self._now()))
            raise QuatrixCaptchaRequired(
                401,
                None,
                "The blocked Quatrix session has ended, so that no token can unblock it: a login task or the next "
                "use signs in again and gets another one to unblock",
            ) from None
        if not valid:
            raise QuatrixCaptchaRequired(
                401, None, "Quatrix says that the CAPTCHA token is wrong. A token works once: get a new one"
            )
        verified = self._verified(record, record.session_id)
        if verified.status is not SessionStatus.OPEN:
            log.info("The CAPTCHA is passed, but the session is not signed in; the next use signs in")
            self._save(verified)

    def blocked(self, block: QuatrixCaptchaRequired, session_id: str) -> None:
        """Take note that the service wants a CAPTCHA: from now on nobody signs in.

        :param block: what the service said.
        :param session_id: the session that it said it to.
        """
        with self._ledger.locked():
            record = self._load()
            if record.status is SessionStatus.OPEN and record.session_id != session_id:
                # Somebody else has got another session meanwhile, whose own calls will tell whether it works.
                return
            self._note_block(record, session_id)

    def used(self, session_id: str) -> None:
        """Take note that the service accepted a session; written down every few minutes.

        :param session_id: the session.
        """
        now = self._now()
        with self._memory_lock:
            record = self._memory
            if record.session_id != session_id or now - (record.last_used or 0.0) < USE_WRITE_INTERVAL:
                return
            self._memory = replace(record, last_used=now)
        try:
            with self._ledger.locked(timeout=1.0):
                stored = self._load()
                if stored.session_id == session_id:
                    self._save(replace(stored, last_used=now))
        except Exception as error:  # noqa: BLE001 - the call worked, and must not fail for want of a note about it
            log.info("The last use of the Quatrix session could not be written down (%s)", type(error).__name__)

    def state(self) -> SessionState:
        """Return what is known of the session, without asking the service."""
        return self._load().state(self._now())

    def _load(self) -> SessionRecord:
        record = unpack(self._store.read(), self._seal)
        with self._memory_lock:
            self._memory = record
        self.client.transport.redactor.add(record.session_id)
        return record

    def _save(self, record: SessionRecord) -> None:
        record = replace(record, attempts=recent_attempts(record.attempts, self._now()))
        self._store.write(pack(record, self._seal))
        with self._memory_lock:
            self._memory = record

    def _resolve(self, record: SessionRecord, *, probe_interval: float, mfa_code: str | None = None) -> str:
        """Return a session for this record, by the cheapest way that the rules allow; with the lock held."""
        if record.status is SessionStatus.OPEN and record.session_id:
            return record.session_id
        if record.status is SessionStatus.REJECTED:
            kind = QuatrixMfaRequired if record.wants_factor else QuatrixAuthenticationError
            raise kind(
                401, None, f"{record.reason}. That was an earlier attempt; these credentials are not tried again"
            )
        if record.status is SessionStatus.BLOCKED:
            return self._probe(record, probe_interval, mfa_code)
        return self._sign_in(record, mfa_code)

    def _probe(self, record: SessionRecord, interval: float, mfa_code: str | None) -> str:
        """Find out, at the least cost to the account, whether a block is still there."""
        now = self._now()
        if record.last_probe is not None and now - record.last_probe < interval:
            raise _still_blocked(record)
        session_id = record.session_id
        if session_id is not None:
            try:
                self.client.ping(session_id)
            except QuatrixCaptchaRequired:
                self._save(record.blocked(session_id, now))
                raise _still_blocked(record) from None
            except _GONE:
                record = record.blocked(None, now, record.reason)
            else:
                log.info("The CAPTCHA has been passed; the Quatrix session works again")
                self._save(record.opened(session_id, now))
                return session_id
        if not may_login_while_blocked(record, now):
            self._save(record.blocked(None, now, record.reason))
            raise _still_blocked(record)
        return self._sign_in(record, mfa_code)

    def _note_block(self, record: SessionRecord, session_id: str | None) -> SessionRecord:
        log.warning("Quatrix wants a CAPTCHA; nobody signs in to this account until a person has passed it")
        blocked = record.blocked(session_id, self._now())
        self._save(blocked)
        return blocked

    def _verified(self, record: SessionRecord, session_id: str) -> SessionRecord:
        """Return the record after asking the service whether its session works."""
        try:
            self.client.ping(session_id)
        except _GONE:
            return record.ended()
        except QuatrixCaptchaRequired:
            raise _still_blocked(self._note_block(record, session_id)) from None
        opened = record.opened(session_id, self._now())
        self._save(opened)
        return opened

    def _sign_in(self, record: SessionRecord, mfa_code: str | None) -> str:
        """Log in; with the lock held. Whatever comes of it is in the record before anybody else can look."""
        attempt = _Attempt(self, record)
        steps = [step for step in (record.totp_step, self._ledger.totp_step()) if step is not None]
        try:
            session_id = self.client.login(
                self._credentials,
                mfa_code=mfa_code,
                last_totp_step=max(steps, default=None),
                before_try=attempt.spend,
                after_unsent=attempt.refund,
                on_totp_step=attempt.remember_step,
                now=self._now,
                sleep=self._sleep,
            )
        except QuatrixCaptchaRequired as block:
            raise _still_blocked(self._note_block(attempt.record, block.session_id)) from None
        except QuatrixMfaRequired as error:
            self._save(attempt.record.rejected(error.msg, wants_factor=True))
            raise
        except QuatrixPermissionDenied as error:
            # The service has blocked the address or the login: trying on would feed that as well.
            self._save(attempt.record.blocked(None, self._now(), error.msg))
            raise
        except QuatrixAuthenticationError as error:
            # A code that a person mistyped says nothing about the connection.
            if mfa_code is None or not error.second_factor:
                self._save(attempt.record.rejected(error.msg))
            raise
        self._save(attempt.record.opened(session_id, self._now()))
        log.info("Signed in to Quatrix")
        return session_id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.client.transport!r})"


class _Attempt:
    """The record while a login is under way: every request of it is on the books before it is sent."""

    def __init__(self, broker: SessionBroker, record: SessionRecord) -> None:
        self._broker = broker
        self._before = record
        self.record = record

    def spend(self) -> None:
        """Take one attempt out of the budget.

        :raises QuatrixLoginBudgetExhausted: none is left.
        """
        broker, now = self._broker, self._broker._now()
        # Tasks on other hosts may have signed in since the record was read.
        stored = unpack(broker._store.read(), broker._seal).attempts
        attempts = recent_attempts((*self.record.attempts, *stored, *broker._ledger.attempts()), now)
        wait = wait_for_budget(attempts, now)
        if wait > 0:
            raise QuatrixLoginBudgetExhausted(retry_after=wait, limit=LOGIN_LIMIT, window=LOGIN_WINDOW)
        self._before = replace(self.record, attempts=attempts)
        attempts = (*attempts, now)
        broker._ledger.write_attempts(attempts)
        self._keep(replace(self.record, attempts=attempts, last_login=now))

    def refund(self) -> None:
        """Give back the attempt, as the service never saw it."""
        self._broker._ledger.write_attempts(self._before.attempts)
        self._keep(self._before)

    def remember_step(self, totp_step: int) -> None:
        """Write down which TOTP code is about to be sent."""
        self._broker._ledger.write_totp_step(totp_step)
        self._keep(replace(self.record, totp_step=totp_step))

    def _keep(self, record: SessionRecord) -> None:
        self.record = record
        self._broker._save(record)


def _still_blocked(record: SessionRecord) -> QuatrixApiError:
    if record.reason:
        return QuatrixPermissionDenied(
            403, None, f"{record.reason}. The login is tried again every {BLOCKED_LOGIN_INTERVAL / 60:g} minutes"
        )
    how = (
        "by signing in to Quatrix in a browser, or by handing its token to QuatrixUnblockCaptchaOperator"
        if record.session_id
        else "by signing in to Quatrix in a browser; the account is tried again every "
        f"{BLOCKED_LOGIN_INTERVAL / 60:g} minutes"
    )
    block = QuatrixCaptchaRequired(
        401, None, f"Quatrix has blocked the account until a person passes the CAPTCHA, {how}"
    )
    block.session_id = record.session_id
    return block


# Brokers of connections that this process used; the bound is for processes that see connections come and go.
_MOST_BROKERS = 64
_brokers: OrderedDict[tuple[str, ...], SessionBroker] = OrderedDict()
_brokers_lock = threading.Lock()


def shared_broker(key: tuple[str, ...], make: Callable[[], SessionBroker]) -> SessionBroker:
    """Return this process's broker for a connection.

    :param key: tells connections apart, by their settings and secrets' fingerprint.
    :param make: makes the broker if this process has none.
    :return: the same object for the same key.
    """
    with _brokers_lock:
        broker = _brokers.get(key)
        if broker is None:
            broker = _brokers[key] = make()
        _brokers.move_to_end(key)
        while len(_brokers) > _MOST_BROKERS:
            _brokers.popitem(last=False)
        return broker


def forget_brokers() -> None:
    """Drop this process's brokers, and with them what they remember."""
    global _brokers_lock  # noqa: PLW0603 - a forked child may inherit the lock in the hands of a thread it lacks
    _brokers_lock = threading.Lock()
    _brokers.clear()


# Two processes must not talk through one inherited connection.
os.register_at_fork(after_in_child=forget_brokers)
