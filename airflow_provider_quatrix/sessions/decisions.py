"""Decides from an account's record what a caller may do."""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING

from airflow_provider_quatrix.sessions.record import LOGIN_WINDOW, recent_attempts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_quatrix.sessions.record import AccountRecord

# The service allows 15 logins per user in 15 minutes. People who sign in by hand need some of them.
LOGIN_LIMIT = 12
# If an account is blocked and its session has ended, only a login can show that the block is over.
BLOCKED_LOGIN_INTERVAL = 300.0


def wait_for_budget(attempts: Iterable[float], now: float) -> float:
    """Return the seconds until the next login attempt is allowed; 0 if it is allowed now."""
    counted = recent_attempts(attempts, now)
    if len(counted) < LOGIN_LIMIT:
        return 0.0
    return counted[-LOGIN_LIMIT] + LOGIN_WINDOW - now


def may_login_while_blocked(record: AccountRecord, now: float) -> bool:
    """Return whether a blocked account may be tried with a login: its session has ended, and the last try is old."""
    tried = max(recent_attempts(record.counted, now), default=-math.inf)
    return record.session.session_id is None and now - tried >= BLOCKED_LOGIN_INTERVAL


class Step(Enum):
    """How a caller gets a session."""

    USE = "use"
    REFUSED = "refused"
    BLOCKED = "blocked"
    WAIT = "wait"
    PROBE = "probe"
    SIGN_IN = "sign in"
    NO_BUDGET = "no budget"


def next_step(
    record: AccountRecord,
    fingerprint: str,
    now: float,
    *,
    believe_since: float,
    dead: str | None = None,
    has_code: bool = False,
) -> Step:
    """Decide how a caller gets a session with the fewest logins.

    :param record: as it is in the store.
    :param fingerprint: of the caller's credentials.
    :param now: Unix time.
    :param believe_since: a block that was seen at this Unix time or later counts without a check.
    :param dead: a session that the service has refused.
    :param has_code: a person gave a second factor for this login only.
    :return: what to do. ``PROBE`` and ``SIGN_IN`` need a claim.
    """
    if record.block.since is not None:
        return _step_while_blocked(record, now, believe_since)
    if record.session.session_id not in (None, dead):
        return Step.USE
    refusal = record.refusal(fingerprint, now)
    if refusal is not None and not (has_code and refusal.wants_factor):
        return Step.REFUSED
    return Step.WAIT if record.claim is not None else _sign_in_if_budget(record, now)


def _step_while_blocked(record: AccountRecord, now: float, believe_since: float) -> Step:
    # A time in the future was written by a host whose clock is ahead. It does not show how old the block is.
    if believe_since <= record.block.seen <= now:
        return Step.BLOCKED
    if record.claim is not None:
        return Step.WAIT
    if record.session.session_id is not None:
        return Step.PROBE
    return _sign_in_if_budget(record, now) if may_login_while_blocked(record, now) else Step.BLOCKED


def _sign_in_if_budget(record: AccountRecord, now: float) -> Step:
    return Step.NO_BUDGET if wait_for_budget(record.counted, now) > 0 else Step.SIGN_IN
