"""A login in progress: before each request its claim is renewed and the request is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.messages import AttemptGuard
from airflow_provider_quatrix.sessions.decisions import wait_for_budget
from airflow_provider_quatrix.sessions.explanations import budget_exhausted
from airflow_provider_quatrix.sessions.shared_record import ClaimLostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.sessions.record import AccountRecord
    from airflow_provider_quatrix.sessions.shared_record import SharedRecord


class LoginAttempt(AttemptGuard):
    """Guards a login: each of its requests is in the record before it is sent.

    :param nonce: of its claim.
    :param dead: the session that it replaces.
    :param now: the present, Unix time.
    """

    def __init__(self, shared: SharedRecord, nonce: str, dead: str | None, now: Callable[[], float]) -> None:
        self._shared = shared
        self._nonce = nonce
        self._dead = dead
        self._now = now
        self._spent = 0.0
        self.sent_code = False

    def _extended(self, record: AccountRecord) -> AccountRecord:
        """Return the record with the claim renewed.

        :raises ClaimLostError: another claim stands, or another session is open.
        """
        if record.claim is None or record.claim.nonce != self._nonce:
            raise ClaimLostError
        if record.block.since is None and record.session.session_id not in (None, self._dead):
            raise ClaimLostError
        return self._shared.claimed(record, self._nonce)

    def before_try(self) -> None:
        """Take one attempt out of the budget.

        :raises QuatrixLoginBudgetExhausted: none is left.
        """
        now = self._spent = self._now()

        def spend(record: AccountRecord) -> AccountRecord:
            extended = self._extended(record)
            if wait_for_budget(record.counted, now) > 0:
                raise budget_exhausted(record, now)
            return extended.attempted(now)

        self._shared.update(spend)

    def after_unsent(self) -> None:
        """Return the last attempt to the budget: the service never saw it."""
        self._shared.update(lambda record: record.refund(self._spent))

    def before_code(self, totp_step: int) -> None:
        """Record which TOTP code is going to be sent."""
        self._shared.update(lambda record: self._extended(record).sent_code(totp_step))
        self.sent_code = True
