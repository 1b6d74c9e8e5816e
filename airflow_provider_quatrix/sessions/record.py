"""What all tasks share about an account: an immutable value. Its methods return changed copies."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_quatrix.api.models import SessionState, SessionStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LOGIN_WINDOW = 900.0
# A session lasts 15 minutes from its last use, so the stored time may be a few minutes old.
USE_WRITE_INTERVAL = 180.0
# If a host's clock is ahead, the attempts of others look old to it; it must not drop them.
_KEPT_ATTEMPTS_SECONDS = 4 * LOGIN_WINDOW
_MOST_ATTEMPTS = 64
_MOST_REFUSALS = 16
_MOST_SESSIONS = 4
# A TOTP code may be wrong because of the clock. Then one later code is tried.
_CODE_TRIES = 2
_CODE_PERIOD = 30.0

R = TypeVar("R")


@dataclass(frozen=True)
class Session:
    """The session of one set of credentials; the encrypted part of the record.

    :param session_id: the open or blocked session; ``None`` if there is none.
    :param obtained: Unix time of the login.
    :param last_used: Unix time of a recent use.
    :param revision: of the record when this was written.
    """

    session_id: str | None = field(default=None, repr=False)
    obtained: float | None = None
    last_used: float | None = None
    revision: int = 0


@dataclass(frozen=True)
class Block:
    """Whether the account is blocked.

    :param since: Unix time at which it was first seen; ``None`` while the account is free.
    :param seen: Unix time at which it was last seen.
    :param reason: what blocks the account, if it is not a CAPTCHA.
    :param denied: the service denied access; otherwise its response was unknown to the API.
    :param revision: of the record when this was written.
    """

    since: float | None = None
    seen: float = 0.0
    reason: str = ""
    denied: bool = False
    revision: int = 0


@dataclass(frozen=True)
class Refusal:
    """Credentials that the service refused.

    :param reason: one line, without anything secret.
    :param wants_factor: a second factor is missing.
    :param code_at: Unix time at which a TOTP code was refused; ``None`` for other reasons.
    :param tries: how often such a code was refused.
    :param revision: of the record when this was written.
    """

    reason: str = ""
    wants_factor: bool = False
    code_at: float | None = None
    tries: int = 1
    revision: int = 0


@dataclass(frozen=True)
class Claim:
    """A process's announcement that it is going to call the service about the account.

    :param nonce: identifies the claim.
    :param until: Unix time after which others need not wait any more.
    """

    nonce: str
    until: float


@dataclass(frozen=True)
class Failure:
    """Why the last claim ended without a response; for those who waited for it.

    :param nonce: of the claim.
    :param message: one line.
    :param revision: of the record when this was written.
    """

    nonce: str = ""
    message: str = ""
    revision: int = 0


@dataclass(frozen=True)
class AccountRecord:
    """What is known of an account. Every change raises ``revision``; no clock matters.

    :param epoch: random; changes when the record was deleted and made again.
    :param revision: of the newest part.
    :param session: of the reader's credentials.
    :param others: encrypted sessions of other credentials as they were stored, by fingerprint.
    :param refusals: by fingerprint of the refused credentials.
    :param claim: of the process that is calling the service.
    :param failure: of the last claim that ended without a response.
    :param totp_step: step of the last TOTP code sent.
    :param attempts: Unix times of login attempts.
    :param refunded: those of them that never reached the service.
    """

    epoch: str = ""
    revision: int = 0
    session: Session = Session()
    others: Mapping[str, tuple[int, str]] = field(default_factory=dict, repr=False)
    block: Block = Block()
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    claim: Claim | None = None
    failure: Failure = Failure()
    totp_step: int | None = None
    attempts: tuple[float, ...] = ()
    refunded: tuple[float, ...] = ()

    @property
    def counted(self) -> tuple[float, ...]:
        """Unix times of the attempts that may have reached the service."""
        return tuple(sorted(set(self.attempts) - set(self.refunded)))

    @property
    def usable(self) -> str | None:
        """The session id, unless the account is blocked."""
        return self.session.session_id if self.block.since is None else None

    def _next(self, **changes: Any) -> AccountRecord:
        return replace(self, epoch=self.epoch or secrets.token_hex(8), revision=self.revision + 1, **changes)

    def opened(self, session_id: str, now: float) -> AccountRecord:
        """Return the record of a session that works."""
        known = self.session
        kept = known.obtained if session_id == known.session_id and known.obtained is not None else now
        revision = self.revision + 1
        return self._next(
            session=Session(session_id, kept, now, revision),
            block=Block(revision=revision) if self.block.since is not None else self.block,
        )

    def ended(self, session_id: str | None) -> AccountRecord:
        """Return the record without the session, if it still contains this one."""
        if session_id is None or self.session.session_id != session_id:
            return self
        return self._next(session=Session(revision=self.revision + 1))

    def used(self, session_id: str, now: float) -> AccountRecord:
        """Return the record with the time of last use, if it contains this session and the stored time is old."""
        known = self.session
        if known.session_id != session_id or now - (known.last_used or 0.0) < USE_WRITE_INTERVAL:
            return self
        return self._next(session=replace(known, last_used=now, revision=self.revision + 1))

    def blocked(self, session_id: str | None, now: float, reason: str = "", *, denied: bool = False) -> AccountRecord:
        """Return the record of an account that is blocked by a CAPTCHA, or by something else with a reason."""
        revision, known = self.revision + 1, self.session
        if session_id != known.session_id:
            known = Session(session_id, now if session_id else None, None, revision)
        since = now if self.block.since is None else self.block.since
        return self._next(session=known, block=Block(since, now, reason, denied, revision))

    def seen_blocked(self, asked: float) -> AccountRecord:
        """Return the record with a block that was just seen again."""
        return self._next(block=replace(self.block, seen=asked, revision=self.revision + 1))

    def freed(self) -> AccountRecord:
        """Return the record without a block."""
        return self._next(block=Block(revision=self.revision + 1))

    def worked(self, session_id: str, asked: float) -> AccountRecord:
        """Return the record after a request with this session worked, if it still contains this session.

        :param asked: Unix time of the request; a block that was seen later stays.
        """
        if self.session.session_id != session_id or (self.block.since is not None and self.block.seen > asked):
            return self
        return self.opened(session_id, asked)

    def refused(
        self, fingerprint: str, reason: str, *, wants_factor: bool = False, code_at: float | None = None
    ) -> AccountRecord:
        """Return the record with credentials that must not be tried again."""
        before = self.refusals.get(fingerprint)
        tries = before.tries + 1 if before is not None and before.code_at is not None else 1
        refusal = Refusal(reason, wants_factor, code_at, tries, self.revision + 1)
        return self._next(refusals={**self.refusals, fingerprint: refusal})

    def forgiven(self, fingerprint: str) -> AccountRecord:
        """Return the record without a refusal of these credentials."""
        if fingerprint not in self.refusals:
            return self
        return self._next(refusals={**self.refusals, fingerprint: Refusal(tries=0, revision=self.revision + 1)})

    def claimed(self, claim: Claim) -> AccountRecord:
        """Return the record with a claim."""
        return self._next(claim=claim)

    def released(self, nonce: str, failure: str = "") -> AccountRecord:
        """Return the record without a claim, if it still contains this one."""
        record = self
        if failure:
            record = record._next(failure=Failure(nonce, failure, record.revision + 1))
        if record.claim is not None and record.claim.nonce == nonce:
            record = record._next(claim=None)
        return record

    def attempted(self, moment: float) -> AccountRecord:
        """Return the record with one more login attempt."""
        return self._next(attempts=(*self.attempts, moment))

    def refund(self, moment: float) -> AccountRecord:
        """Return the record with an attempt that does not count: the service never saw it."""
        return self._next(refunded=(*self.refunded, moment))

    def sent_code(self, totp_step: int) -> AccountRecord:
        """Return the record with the step of a TOTP code that is going to be sent."""
        return self._next(totp_step=totp_step)

    def refusal(self, fingerprint: str, now: float) -> Refusal | None:
        """Return why these credentials must not be tried; ``None`` if they may be.

        :param now: Unix time.
        """
        refusal = self.refusals.get(fingerprint)
        if refusal is None or not refusal.tries or refusal.revision < self.session.revision:
            return None
        if refusal.code_at is not None and refusal.tries < _CODE_TRIES and now - refusal.code_at >= _CODE_PERIOD:
            return None
        return refusal

    def status(self, fingerprint: str, now: float) -> SessionStatus:
        """Return what is known of the session."""
        if self.block.since is not None:
            return SessionStatus.BLOCKED
        if self.session.session_id is not None:
            return SessionStatus.OPEN
        return SessionStatus.NONE if self.refusal(fingerprint, now) is None else SessionStatus.REJECTED

    def state(self, fingerprint: str, now: float) -> SessionState:
        """Return what may be shown of the record."""
        known = self.session
        attempts = len(recent_attempts(self.counted, now))
        return SessionState(self.status(fingerprint, now), known.obtained, known.last_used, attempts)


def recent_attempts(attempts: Iterable[float], now: float) -> tuple[float, ...]:
    """Return the attempts that still count, sorted, each once.

    :param attempts: Unix times.
    :param now: Unix time. A later attempt counts as one of this moment.
    :return: those of the last 15 minutes.
    """
    known = {moment for moment in attempts if not math.isnan(moment)}
    return tuple(sorted(min(moment, now) for moment in known if now - LOGIN_WINDOW < moment))


def merge(stored: AccountRecord, known: AccountRecord) -> AccountRecord:
    """Merge two records of one account: the newer version of each part, and all attempts.

    :param stored: from the store; its claim is used.
    :param known: from the memory of a process, or from the host's folder.
    :return: the merged record. If the known one was deleted since, only its attempts and last code count.
    """
    steps = [step for step in (stored.totp_step, known.totp_step) if step is not None]
    united = replace(
        stored,
        attempts=_united(stored.attempts, known.attempts),
        refunded=_united(stored.refunded, known.refunded),
        totp_step=max(steps, default=None),
    )
    if stored.epoch != known.epoch:
        return united
    return replace(
        united,
        revision=max(stored.revision, known.revision),
        session=_newer(stored.session, known.session),
        others={
            name: max((side[name] for side in (stored.others, known.others) if name in side), key=lambda one: one[0])
            for name in {**stored.others, **known.others}
        },
        block=_newer(stored.block, known.block),
        refusals={
            name: _newer(stored.refusals.get(name, Refusal()), known.refusals.get(name, Refusal()))
            for name in {**stored.refusals, **known.refusals}
        },
        failure=_newer(stored.failure, known.failure),
    )


def _united(some: tuple[float, ...], others: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sorted({*some, *others}))


def _newer(one: R, other: R) -> R:
    newer: R = max((one, other), key=lambda part: part.revision)  # type: ignore[attr-defined]
    return newer


def normalized(record: AccountRecord, now: float, longest_claim: float) -> AccountRecord:
    """Return a record without times in the future and without what is too old.

    :param record: as it was stored.
    :param now: Unix time; later attempts and claims count as made now.
    :param longest_claim: seconds that a claim can last.
    """
    attempts = [moment for moment in record.attempts if now - _KEPT_ATTEMPTS_SECONDS < moment <= now]
    # Each gets a different time, as equal times count once.
    ahead = sum(now < moment for moment in {*record.attempts} - {*record.refunded})
    attempts += [now - number / 1000 for number in reversed(range(ahead))]
    claim = record.claim
    if claim is not None:
        claim = None if claim.until <= now else replace(claim, until=min(claim.until, now + longest_claim))
    refusals = sorted(record.refusals.items(), key=lambda item: item[1].revision)[-_MOST_REFUSALS:]
    others = sorted(record.others.items(), key=lambda item: item[1][0])[1 - _MOST_SESSIONS :]
    return replace(
        record,
        attempts=tuple(attempts[-_MOST_ATTEMPTS:]),
        refunded=tuple(moment for moment in record.refunded if moment in attempts),
        claim=claim,
        refusals=dict(refusals),
        others=dict(others),
    )
