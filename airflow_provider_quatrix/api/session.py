"""The calls about a session: sign in, keep it alive, sign out, submit a CAPTCHA token."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.auth import Credentials, SendCode, SendPassword, Wait, clock_offset, sign_in
from airflow_provider_quatrix.api.errors import (
    QuatrixApiError,
    QuatrixAuthenticationError,
    QuatrixMfaRequired,
    QuatrixResponseError,
    QuatrixSessionExpired,
    malformed,
)
from airflow_provider_quatrix.api.messages import SESSION_HEADER, AttemptGuard, Repeat, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.api.auth import Conversation
    from airflow_provider_quatrix.api.transport import Transport

log = logging.getLogger(__name__)

# Every try counts as a login, and the service allows few.
_MOST_LOGINS_SENT = 2


class SessionCalls:
    """Signs in, and calls with the session id that it is given; never renews a session.

    :param unblock_method: ``POST``, or ``GET`` as later published clients do.
    """

    def __init__(self, transport: Transport, *, unblock_method: str = "POST") -> None:
        self.base_url = transport.base_url
        self._transport = transport
        self._redactor = transport.redactor
        self._unblock_method = unblock_method

    def login(
        self,
        credentials: Credentials,
        *,
        guard: AttemptGuard | None = None,
        mfa_code: str | None = None,
        last_totp_step: int | None = None,
        deadline: float | None = None,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> str:
        """Sign in by ``GET session/login`` and, if a second factor is wanted, ``POST session/login``.

        :param guard: called before every try, and with every TOTP code before it is sent.
        :param mfa_code: a second factor from a person, for this login only.
        :param last_totp_step: step of the last TOTP code that was sent, so that no code is sent twice.
        :param deadline: seconds for the whole login, without waiting for a fresh code; default: the policy's.
        :param now: the present, Unix time.
        :param sleep: waits for the next TOTP code if this half minute's was used.
        :return: the session id.
        :raises QuatrixAuthenticationError: password or second factor rejected.
        :raises QuatrixMfaRequired: a second factor is required, and there is none.
        :raises QuatrixCaptchaRequired: a person has to pass a CAPTCHA first.
        """
        self._redactor.keep(credentials.password, credentials.totp_secret, credentials.pin)
        self._redactor.add(mfa_code)
        conversation = sign_in(credentials, now=now, mfa_code=mfa_code, last_totp_step=last_totp_step)
        request = Request("GET", "session/login", most_sent=_MOST_LOGINS_SENT, guard=guard, deadline=deadline)
        session_id = self._converse(conversation, request, now, sleep)
        self._redactor.add(session_id)
        return session_id

    def _converse(
        self,
        conversation: Conversation,
        password_request: Request,
        now: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> str:
        response: Response | None = None
        offset: float | None = None
        guard = password_request.guard
        left = password_request.deadline or self._transport.policy.deadline
        while True:
            try:
                step = conversation.send(response)
            except StopIteration as end:
                return str(end.value)
            response = None
            if isinstance(step, SendPassword):
                began = time.monotonic()
                response = self._send_password(step, password_request)
                left -= time.monotonic() - began
                offset = clock_offset(response, now())
            elif isinstance(step, SendCode):
                if step.totp_step is not None and guard is not None:
                    guard.before_code(step.totp_step)
                response = self._send_code(step, max(left, 1.0), None if step.totp_step is None else offset)
            elif isinstance(step, Wait):
                log.info("The 2FA code of this half minute was used already; waiting %.0f s for the next", step.seconds)
                sleep(step.seconds)

    def _send_password(self, step: SendPassword, request: Request) -> Response:
        try:
            return self._transport.send(request, {"Authorization": step.authorization})
        except (QuatrixSessionExpired, QuatrixResponseError) as error:
            raise _rejected(error, "Quatrix rejected the login or password") from None

    def _send_code(self, step: SendCode, deadline: float, offset: float | None) -> Response:
        self._redactor.add(step.session_id, step.code)
        request = Request(
            "POST",
            "session/login",
            json={"auth_type": step.auth_type, "code": step.code},
            repeat=step.repeat,
            # A service that hangs costs one deadline, not one for each half of the login.
            deadline=deadline,
            most_sent=_MOST_LOGINS_SENT,
        )
        try:
            return self._send(request, step.session_id)
        except (QuatrixAuthenticationError, QuatrixSessionExpired, QuatrixResponseError) as error:
            # Codes other than 83 and 84 are possible; the session itself is too young to have ended.
            what = f"Quatrix rejected the second factor ({step.auth_type})"
            if offset is not None:
                way = "behind" if offset > 0 else "ahead of"
                what = f"The clock of this host is {abs(offset):.0f} s {way} Quatrix's: set it. {what}"
            rejected = _rejected(error, what)
            rejected.second_factor = True
            rejected.clock_offset = offset
            raise rejected from None

    def _send(self, request: Request, session_id: str) -> Response:
        return self._transport.send(request, {SESSION_HEADER: session_id})

    def ping(self, session_id: str) -> None:
        """Use a session by ``GET session/keepalive``."""
        self._send(Request("GET", "session/keepalive"), session_id)

    def logout(self, session_id: str) -> bool:
        """End a session by ``GET session/logout``.

        :return: ``False`` if it had ended before.
        """
        try:
            self._send(Request("GET", "session/logout"), session_id)
        except (QuatrixSessionExpired, QuatrixMfaRequired):
            return False
        return True

    def unblock(self, token: str, session_id: str) -> bool:
        """Submit the token of a passed CAPTCHA, by ``POST session/unblock-captcha`` (or the later GET form).

        Documented: a wrong token is answered by 401 with ``{"valid": false}``, unlike any other 401.

        :param token: proof of the passed CAPTCHA; valid once.
        :return: whether the token was right.
        :raises QuatrixSessionExpired: the blocked session has ended.
        """
        self._redactor.add(token, session_id)
        request = Request(
            self._unblock_method,
            "session/unblock-captcha",
            params={"token": token} if self._unblock_method == "GET" else None,
            json=None if self._unblock_method == "GET" else {"token": token},
            # A token is used up by the first request that arrives.
            repeat=Repeat.REFUSED,
            accepts=_is_verdict,
        )
        response = self._send(request, session_id)
        if not _is_verdict(response):
            raise malformed(response, "a response without `valid`", self._redactor)
        return response.status < 300 and bool(response.json()["valid"])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"


def _is_verdict(response: Response) -> bool:
    """Return which 401 response of unblock-captcha this is, by its form: only the verdict has ``valid``."""
    body = response.json()
    return (
        (response.status < 300 or response.status == 401)
        and isinstance(body, dict)
        and isinstance(body.get("valid"), bool)
        and "code" not in body
    )


def _rejected(error: QuatrixApiError | QuatrixResponseError, what: str) -> QuatrixAuthenticationError:
    if isinstance(error, QuatrixResponseError):
        if error.status != 401:
            raise error
        # A refusal whose reason cannot be read is still a refusal, and is never retried.
        return QuatrixAuthenticationError(error.status, None, f"{what}: {error}")
    return QuatrixAuthenticationError(error.status, error.code, f"{what}: {error.msg}", error.details)
