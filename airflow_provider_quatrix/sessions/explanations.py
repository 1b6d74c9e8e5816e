"""The errors that explain to people why there is no session, made from an account's record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import (
    QuatrixAuthenticationError,
    QuatrixCaptchaRequired,
    QuatrixLoginBudgetExhausted,
    QuatrixMfaRequired,
    QuatrixPermissionDenied,
    QuatrixResponseError,
)
from airflow_provider_quatrix.sessions.decisions import BLOCKED_LOGIN_INTERVAL, LOGIN_LIMIT, Step, wait_for_budget
from airflow_provider_quatrix.sessions.record import LOGIN_WINDOW

if TYPE_CHECKING:
    from airflow_provider_quatrix.api.errors import QuatrixError
    from airflow_provider_quatrix.sessions.record import AccountRecord


def error_of_step(step: Step, record: AccountRecord, fingerprint: str, now: float, place: str) -> QuatrixError:
    """Return the error for a step without a call.

    :param step: ``BLOCKED``, ``NO_BUDGET`` or ``REFUSED``.
    :param record: on which the decision is based.
    :param fingerprint: of the caller's credentials.
    :param now: Unix time.
    :param place: what a person has to delete so that the next task signs in again.
    """
    if step is Step.BLOCKED:
        return still_blocked(record)
    if step is Step.NO_BUDGET:
        return budget_exhausted(record, now)
    refusal = record.refusals[fingerprint]
    kind = QuatrixMfaRequired if refusal.wants_factor else QuatrixAuthenticationError
    return kind(
        401,
        None,
        f"{refusal.reason}. That was an earlier attempt; these credentials are not tried again. If they are right and "
        f"the account was corrected instead, delete {place}",
    )


def budget_exhausted(record: AccountRecord, now: float) -> QuatrixLoginBudgetExhausted:
    """Return the error of a login that is not sent because there were too many."""
    wait = wait_for_budget(record.counted, now)
    return QuatrixLoginBudgetExhausted(retry_after=wait, limit=LOGIN_LIMIT, window=LOGIN_WINDOW)


def still_blocked(record: AccountRecord) -> QuatrixError:
    """Return the error for a blocked account, with what a person can do."""
    if record.block.reason:
        message = f"{record.block.reason}. The login is tried again every {BLOCKED_LOGIN_INTERVAL / 60:g} minutes"
        if record.block.denied:
            return QuatrixPermissionDenied(403, None, message)
        return QuatrixResponseError(message, 403)
    session_id = record.session.session_id
    how = (
        "by signing in to Quatrix in a browser, or by giving its token to QuatrixUnblockCaptchaOperator"
        if session_id
        else "by signing in to Quatrix in a browser; the account is tried again every "
        f"{BLOCKED_LOGIN_INTERVAL / 60:g} minutes"
    )
    block = QuatrixCaptchaRequired(
        401, None, f"Quatrix has blocked the account until a person passes the CAPTCHA, {how}"
    )
    block.session_id = session_id
    return block


def not_unblocked(why: str) -> QuatrixCaptchaRequired:
    """Return the error for a CAPTCHA token that unblocked nothing."""
    return QuatrixCaptchaRequired(401, None, why)


NO_BLOCKED_SESSION = (
    "Quatrix returned no session that a CAPTCHA token could unblock, or that session has ended: pass the CAPTCHA by "
    "signing in to Quatrix in a browser"
)
BLOCKED_SESSION_ENDED = (
    "The blocked Quatrix session has ended, so that no token can unblock it: a login task or the next use signs in "
    "again and gets another one to unblock"
)
WRONG_TOKEN = "Quatrix says that the CAPTCHA token is wrong. A token works once: get a new one"  # noqa: S105 - no secret


def short_reason(error: Exception) -> str:
    """Return in a few words why a store cannot be used."""
    # Airflow 3 gives Variables to tasks only. Elsewhere, its import of the task's supervisor fails.
    return "outside of a task" if isinstance(error, ImportError) else type(error).__name__
