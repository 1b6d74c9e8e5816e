"""Acquires, renews, keeps and ends the one session of an account that all its tasks share."""

from __future__ import annotations

import logging
import random
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.authorization import SessionAuthorizer
from airflow_provider_quatrix.api.errors import (
    QuatrixApiError,
    QuatrixAuthenticationError,
    QuatrixCaptchaRequired,
    QuatrixError,
    QuatrixLoginBudgetExhausted,
    QuatrixMfaRequired,
    QuatrixPermissionDenied,
    QuatrixSessionExpired,
    QuatrixTransportError,
)
from airflow_provider_quatrix.api.models import SessionStatus
from airflow_provider_quatrix.api.refusals import refuses_login
from airflow_provider_quatrix.sessions.decisions import Step, may_login_while_blocked, next_step
from airflow_provider_quatrix.sessions.explanations import (
    BLOCKED_SESSION_ENDED,
    NO_BLOCKED_SESSION,
    WRONG_TOKEN,
    error_of_step,
    not_unblocked,
    short_reason,
    still_blocked,
)
from airflow_provider_quatrix.sessions.login_attempt import LoginAttempt
from airflow_provider_quatrix.sessions.record import USE_WRITE_INTERVAL, AccountRecord
from airflow_provider_quatrix.sessions.shared_record import ClaimLostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.api.auth import Credentials
    from airflow_provider_quatrix.api.models import SessionState
    from airflow_provider_quatrix.api.session import SessionCalls
    from airflow_provider_quatrix.sessions.shared_record import SharedRecord

log = logging.getLogger(__name__)

# A session that still waits for a second factor is of no use: its login is over.
_GONE = (QuatrixSessionExpired, QuatrixMfaRequired)
# A block that was seen within so many seconds counts without a check, unless the caller gives another time.
PROBE_INTERVAL = 30.0
# Seconds that a claim lasts if its owner checks whether a block is over. If another host brings such a claim back by
# a late write, no result is lost. So nobody checks that it is gone; it expires soon.
PROBE_CLAIM = 10.0
# Seconds that a caller waits for another caller's login: as long as for its own.
PATIENCE = 180.0
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0


class SessionBroker(SessionAuthorizer):
    """Authorizes with the one session of an account.

    The session comes from this process's memory, else from the shared record, else from a login. A caller claims the
    account before it signs in; all others wait for the result. The broker limits the number of logins, never tries
    refused credentials twice, and lets nobody sign in while the account is blocked by a CAPTCHA.

    :param calls: the calls about sessions.
    :param fingerprint: distinguishes credentials without revealing them.
    :param patience: seconds to wait for another caller's login; default three minutes.
    :param now: the present, Unix time.
    :param sleep: waits until a claim or its release is certain, and for a fresh 2FA code.
    :param pause: waits between two reads of another caller's claim.
    """

    def __init__(
        self,
        calls: SessionCalls,
        credentials: Credentials,
        *,
        shared: SharedRecord,
        fingerprint: str,
        patience: float = PATIENCE,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._calls = calls
        self._credentials = credentials
        self._shared = shared
        self._fingerprint = fingerprint
        self._patience = patience
        self._now = now
        self._sleep = sleep
        self._pause = pause
        self._started = now()
        # Random, so that tasks that began together do not all write at the same time.
        self._record_interval = USE_WRITE_INTERVAL * random.uniform(1.0, 1.25)  # noqa: S311
        self._recorded = 0.0
        self._account = f"{credentials.login} at {calls.base_url}"
        self._logged = False

    def acquire(self) -> str:
        """Return the id of a session that is thought to be alive, signing in if there is none.

        :raises QuatrixCaptchaRequired: the account is blocked by a CAPTCHA.
        :raises QuatrixAuthenticationError: the credentials were refused, now or earlier.
        :raises QuatrixMfaRequired: a second factor is required, and there is none.
        :raises QuatrixLoginBudgetExhausted: too many logins in the last 15 minutes; nothing was sent.
        """
        session_id = self._shared.known.usable or self._shared.load().usable
        if session_id is not None:
            if not self._logged:
                self._logged = True
                age = max(0.0, self._now() - (self._shared.known.session.obtained or self._now()))
                log.info("Quatrix session of %s reused, signed in %.0f min ago", self._account, age / 60)
            return session_id
        return self._obtain(believe_since=self._recently())

    def renew(self, dead: str) -> str:
        """Return the id of another session, from another task's login or a new one.

        :param dead: the id that the service refused.
        :raises QuatrixError: see :meth:`acquire`.
        """
        return self._obtain(believe_since=self._recently(), dead=dead)

    def login(self, mfa_code: str | None = None) -> SessionState:
        """Make sure that there is a working session; sign in only if there is none.

        :param mfa_code: a second factor from a person, for this login only.
        :return: the session's state, without its id.
        :raises QuatrixError: see :meth:`acquire`.
        """
        record = self._shared.load()
        session_id = record.session.session_id
        if record.block.since is not None or session_id is None or not self._works(session_id):
            self._obtain(believe_since=self._now(), dead=session_id, mfa_code=(mfa_code or "").strip() or None)
        return self.state()

    def check(self, max_age: float = 0.0) -> None:
        """Check with the service whether the session works; sign in if there is none.

        :param max_age: seconds for which a block that any task saw counts without a check.
        :raises QuatrixError: see :meth:`acquire`.
        """
        believe_since = self._now() - max_age
        if self._shared.load().status(self._fingerprint, self._now()) is SessionStatus.OPEN:
            self.with_session(self._calls.ping)
        else:
            self._obtain(believe_since=believe_since)

    def keep(self) -> None:
        """Use the session so that it does not end; never sign in.

        :raises QuatrixSessionExpired: there is none, or it has ended.
        :raises QuatrixCaptchaRequired: the account is blocked by a CAPTCHA.
        """
        record = self._shared.load()
        if record.block.since is not None:
            raise still_blocked(record)
        session_id = record.session.session_id
        if session_id is None or not self._works(session_id):
            raise QuatrixSessionExpired(401, None, "The Quatrix session has ended, or nobody has signed in")

    def end(self) -> bool:
        """End the account's session for everybody who shares it.

        :return: ``False`` if there was none.
        """
        record = self._shared.load()
        session_id = record.session.session_id
        if record.block.since is not None:
            log.info("The blocked Quatrix session is kept, as passing the CAPTCHA unblocks it")
            return False
        if session_id is None:
            return False
        asked = self._now()
        try:
            ended = self._calls.logout(session_id)
        except QuatrixCaptchaRequired:
            self._record_block(session_id, asked)
            return False
        self._shared.update(lambda record: record.ended(session_id))
        return ended

    def unblock(self, token: str) -> bool:
        """Submit the token of a passed CAPTCHA for the blocked session, and use that session from then on.

        :param token: proof of the passed CAPTCHA.
        :return: ``False`` if nothing was blocked and the token was not used.
        :raises QuatrixCaptchaRequired: the token was wrong, or there is no session to unblock.
        """
        with suppress(QuatrixCaptchaRequired):
            self.check()
            return False
        record = self._shared.load()
        if record.block.since is None:
            return False
        self._hand_in(token, record.session.session_id)
        return True

    def _hand_in(self, token: str, session_id: str | None) -> None:
        if session_id is None:
            raise not_unblocked(NO_BLOCKED_SESSION)
        try:
            valid = self._calls.unblock(token, session_id)
        except QuatrixCaptchaRequired:
            valid = False
        except _GONE:
            self._shared.update(lambda record: record.ended(session_id))
            raise not_unblocked(BLOCKED_SESSION_ENDED) from None
        if not valid:
            raise not_unblocked(WRONG_TOKEN)
        if not self._works(session_id):
            log.info("The CAPTCHA is passed, but the session is not signed in; the next use signs in")
            self._shared.update(lambda record: record.freed())

    def blocked(self, block: QuatrixCaptchaRequired, session_id: str) -> None:
        """Record that the service wants a CAPTCHA: from now on nobody signs in."""
        self._record_block(session_id, self._now())

    def used(self, session_id: str) -> None:
        """Record that the service accepted a session; the record is written every few minutes."""
        now = self._now()
        known = self._shared.known.session
        if known.session_id != session_id or now - max(known.last_used or 0.0, self._recorded) < self._record_interval:
            return
        self._recorded = now
        try:
            self._shared.update(lambda record: record.used(session_id, now), timeout=1.0)
        except Exception as error:  # noqa: BLE001 - the call itself worked
            log.info("The last use of the Quatrix session could not be recorded (%s)", short_reason(error))

    def forgive(self) -> None:
        """Allow refused credentials one more try."""
        self._shared.update(lambda record: record.forgiven(self._fingerprint))

    def state(self) -> SessionState:
        """Return the state of the session, without calling the service."""
        return self._shared.load().state(self._fingerprint, self._now())

    def _recently(self) -> float:
        """Return since when a block must have been seen to count, for callers that give no age."""
        return max(self._now() - PROBE_INTERVAL, self._started)

    def _obtain(self, *, believe_since: float, dead: str | None = None, mfa_code: str | None = None) -> str:
        """Return a session with the fewest calls that the rules allow."""
        gives_up = time.monotonic() + self._patience
        while True:
            nonce = secrets.token_hex(8)
            step, record = self._decide(nonce, believe_since, dead, mfa_code)
            if step is Step.USE:
                return str(record.session.session_id)
            if step is Step.WAIT and record.claim is not None:
                self._wait_for(record.claim.nonce, gives_up)
                continue
            if step not in (Step.PROBE, Step.SIGN_IN):
                raise error_of_step(step, record, self._fingerprint, self._now(), self._shared.place)
            with suppress(ClaimLostError):
                if step is Step.PROBE:
                    return self._probe(record, nonce, mfa_code, gives_up)
                return self._sign_in(nonce, dead, mfa_code, gives_up)

    def _decide(
        self, nonce: str, believe_since: float, dead: str | None, mfa_code: str | None
    ) -> tuple[Step, AccountRecord]:
        """Decide what to do, and claim the account if a call is needed."""
        decided, has_code = Step.WAIT, mfa_code is not None

        def claim(record: AccountRecord) -> AccountRecord:
            nonlocal decided
            decided = next_step(
                record, self._fingerprint, self._now(), believe_since=believe_since, dead=dead, has_code=has_code
            )
            if decided is Step.SIGN_IN:
                return self._shared.claimed(record.ended(dead), nonce)
            return self._shared.claimed(record, nonce, PROBE_CLAIM) if decided is Step.PROBE else record

        record = self._shared.update(claim)
        return decided, record

    def _wait_for(self, nonce: str, gives_up: float) -> None:
        """Wait until another caller's claim has ended.

        :raises QuatrixTransportError: the other caller got no response, or it took too long.
        """
        renewed, until, pause = time.monotonic(), 0.0, _FIRST_PAUSE
        while True:
            self._pause(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE)
            record = self._shared.load()
            if record.failure.nonce == nonce:
                raise QuatrixTransportError(record.failure.message)
            if record.claim is None or record.claim.nonce != nonce:
                return
            now, claim = time.monotonic(), self._shared.known.claim
            if now >= gives_up:
                took = f"{self._patience:.0f} s, without a response"
                raise QuatrixTransportError(f"Another task has been signing in to Quatrix for {took}")
            if claim is not None and claim.until != until:
                renewed, until = now, claim.until
            if now - renewed > self._shared.longest_claim:
                # The host that wrote its end may have a clock that is ahead.
                self._shared.update(lambda record: record.released(nonce))
                return

    def _probe(self, record: AccountRecord, nonce: str, mfa_code: str | None, gives_up: float) -> str:
        """Check whether the account is still blocked, without a login if possible."""
        asked, session_id, may_login = self._now(), str(record.session.session_id), False

        def gone(record: AccountRecord) -> AccountRecord:
            nonlocal may_login
            record = record.ended(session_id).seen_blocked(asked)
            may_login = may_login_while_blocked(record, self._now())
            if not may_login:
                return record.released(nonce)
            is_mine = record.claim is None or record.claim.nonce == nonce
            return self._shared.claimed(record, nonce) if is_mine else record

        try:
            self._calls.ping(session_id)
        except QuatrixCaptchaRequired:
            record = self._record_block(session_id, asked, nonce)
            if record.usable is not None:
                return record.usable
            raise still_blocked(record) from None
        except _GONE:
            record = self._shared.update(gone)
            if not may_login:
                raise still_blocked(record) from None
            return self._sign_in(nonce, session_id, mfa_code, gives_up)
        except QuatrixError as error:
            message = str(error)
            self._shared.update(lambda record: record.released(nonce, message))
            raise
        log.info("The CAPTCHA has been passed; the Quatrix session works again")
        self._shared.update(lambda record: record.opened(session_id, self._now()).released(nonce))
        return session_id

    def _record_block(self, session_id: str | None, asked: float, nonce: str = "") -> AccountRecord:
        """Record a block, unless another task has signed in in the meantime.

        :param asked: Unix time of the request.
        :param nonce: of the claim under which the request was made.
        """
        began = False

        def block(record: AccountRecord) -> AccountRecord:
            nonlocal began
            current = record.session
            another = current.session_id not in (None, session_id) and not nonce
            if record.block.since is None and (another or (current.last_used or 0.0) > asked):
                # It is another session, or it worked after this request was sent.
                return record.released(nonce)
            began = record.block.since is None
            return record.blocked(session_id, asked).released(nonce)

        record = self._shared.update(block)
        if began:
            log.warning("Quatrix wants a CAPTCHA; nobody signs in to this account until a person has passed it")
        return record

    def _works(self, session_id: str) -> bool:
        """Check with the service whether a session works, and record the result.

        :raises QuatrixCaptchaRequired: it is blocked by a CAPTCHA.
        """
        asked = self._now()
        try:
            self._calls.ping(session_id)
        except _GONE:
            self._shared.update(lambda record: record.ended(session_id))
            return False
        except QuatrixCaptchaRequired:
            raise still_blocked(self._record_block(session_id, asked)) from None
        self._shared.update(lambda record: record.worked(session_id, asked))
        return True

    def _sign_in(self, nonce: str, dead: str | None, mfa_code: str | None, gives_up: float) -> str:
        """Sign in under a claim. The result is in the record before the claim is released.

        :param gives_up: time of the monotonic clock until which this caller waits.
        :raises ClaimLostError: another process took the claim over.
        """
        settles: Callable[[float], None] | None = self._sleep
        try:
            self._shared.confirm(nonce, self._sleep)
            return self._signed_in(nonce, dead, mfa_code, gives_up)
        except ClaimLostError:
            settles = None
            raise
        finally:
            self._shared.release(nonce, settles)

    def _signed_in(self, nonce: str, dead: str | None, mfa_code: str | None, gives_up: float) -> str:
        asked = self._now()
        attempt = LoginAttempt(self._shared, nonce, dead, self._now)
        try:
            session_id = self._calls.login(
                self._credentials,
                guard=attempt,
                mfa_code=mfa_code,
                last_totp_step=self._shared.known.totp_step,
                # The time spent waiting for another caller's login counts too.
                deadline=max(gives_up - time.monotonic(), 1.0),
                now=self._now,
                sleep=self._sleep,
            )
        except QuatrixCaptchaRequired as block:
            raise still_blocked(self._record_block(block.session_id, asked, nonce)) from None
        except QuatrixMfaRequired as error:
            self._record_refusal(nonce, error, wants_factor=True)
            raise
        except QuatrixAuthenticationError as error:
            error.typed_code = mfa_code is not None and error.second_factor
            # A mistyped code does not mean that the connection is wrong.
            if not error.typed_code:
                self._record_refusal(nonce, error, code_at=asked if attempt.sent_code else None)
            raise
        except QuatrixLoginBudgetExhausted:
            raise
        except QuatrixError as error:
            message = str(error)
            if refuses_login(error):
                # The service has blocked the address or the login. More tries would prolong that too.
                denied = isinstance(error, QuatrixPermissionDenied)
                self._shared.update(lambda record: record.blocked(None, asked, message, denied=denied).released(nonce))
            else:
                # The callers that wait for this login fail with it, and do not send another.
                self._shared.update(lambda record: record.released(nonce, message))
            raise
        self._shared.update(lambda record: record.opened(session_id, self._now()).released(nonce))
        self._logged = True
        log.info("Signed in to Quatrix as %s", self._account)
        return session_id

    def _record_refusal(
        self, nonce: str, error: QuatrixApiError, *, wants_factor: bool = False, code_at: float | None = None
    ) -> None:
        self._shared.update(
            lambda record: record.refused(
                self._fingerprint, error.msg, wants_factor=wants_factor, code_at=code_at
            ).released(nonce)
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._calls!r})"
