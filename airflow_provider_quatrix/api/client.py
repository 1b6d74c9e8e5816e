"""The Quatrix API as Python calls."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from airflow_provider_quatrix.api.auth import Credentials, SendCode, SendPassword, Wait, sign_in
from airflow_provider_quatrix.api.errors import (
    Answer,
    QuatrixApiError,
    QuatrixAuthenticationError,
    QuatrixCaptchaRequired,
    QuatrixMfaRequired,
    QuatrixResponseError,
    QuatrixSessionExpired,
    malformed,
)
from airflow_provider_quatrix.api.files import FilesApi
from airflow_provider_quatrix.api.models import Profile, Quota
from airflow_provider_quatrix.api.retry import Repeat
from airflow_provider_quatrix.api.transport import Call, Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from airflow_provider_quatrix.api.auth import Conversation

log = logging.getLogger(__name__)

T = TypeVar("T")


class SessionSource(Protocol):
    """Where a client's session id comes from."""

    def take(self) -> str:
        """Return the id of a session that is thought to be alive, signing in if there is none."""

    def renew(self, dead: str) -> str:
        """Return the id of another session than ``dead``, which the service refused."""

    def blocked(self, block: QuatrixCaptchaRequired, session_id: str) -> None:
        """Take note that the service wants a CAPTCHA for this session."""

    def used(self, session_id: str) -> None:
        """Take note that the service accepted this session just now."""


@dataclass
class FixedSession:
    """A session given by hand: used as it is, never renewed."""

    session_id: str = field(repr=False)

    def take(self) -> str:
        """Return the id."""
        return self.session_id

    def renew(self, dead: str) -> str:
        """Refuse: there is nothing to renew it with.

        :param dead: the id that the service refused.
        :raises QuatrixSessionExpired: always.
        """
        raise QuatrixSessionExpired(401, None, "The session has ended")

    def blocked(self, block: QuatrixCaptchaRequired, session_id: str) -> None:
        """Do nothing: the caller sees the exception."""

    def used(self, session_id: str) -> None:
        """Do nothing: nobody shares this session."""


class QuatrixClient:
    """Calls of the Quatrix API 1.0 on behalf of one user.

    :param transport: connection to the account's host.
    :param session: where the session id comes from. Not needed with an API key.
    :param api_key: long-lived key; with it there is no session, no login and no CAPTCHA.
    :param unblock_method: ``POST``, or ``GET`` as later published clients do.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        session: SessionSource | None = None,
        api_key: str | None = None,
        unblock_method: str = "POST",
    ) -> None:
        self.transport = transport
        self.session = session
        self._api_key = api_key
        self._unblock_method = unblock_method
        self.files = FilesApi(self)
        transport.redactor.add(api_key)

    @classmethod
    def connect(
        cls,
        base_url: str,
        login: str,
        password: str,
        *,
        totp_secret: str | None = None,
        pin: str | None = None,
    ) -> QuatrixClient:
        """Sign in and return a client that works until its session ends; for use without Airflow.

        :param base_url: such as ``https://acme.quatrix.it``.
        :param login: e-mail address.
        :param password: password.
        :param totp_secret: base32 secret, for accounts with 2FA.
        :param pin: PIN, for accounts with a PIN.
        :return: a signed-in client.
        """
        client = cls(Transport(base_url))
        client.session = FixedSession(client.login(Credentials(login, password, totp_secret, pin)))
        return client

    @property
    def uses_api_key(self) -> bool:
        """Whether calls carry an API key instead of a session id."""
        return self._api_key is not None

    def call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        json: Any = None,
        repeat: Repeat = Repeat.SAFE,
    ) -> Answer:
        """Send any call as the signed-in user; a session that has ended is renewed once.

        :param method: HTTP method.
        :param path: path below ``/api/1.0/``.
        :param params: query parameters.
        :param json: body, sent as JSON.
        :param repeat: when the call may be sent again after a failure.
        :return: the answer, a success.
        :raises QuatrixError: see :meth:`Transport.send`.
        """
        return self.send(Call(method, path, params=params, json=json, repeat=repeat))

    def send(self, call: Call) -> Answer:
        """Send a prepared call as the signed-in user, see :meth:`call`."""
        return self._as_user(lambda credentials: self.transport.send(call, credentials))

    def open(self, call: Call) -> requests.Response:
        """Send a prepared call as the signed-in user, and leave its body to be read and closed by the caller."""
        return self._as_user(lambda credentials: self.transport.open(call, credentials))

    def _as_user(self, send: Callable[[dict[str, str]], T]) -> T:
        if self._api_key is not None:
            return self._with_key(send, self._api_key)
        source = self._source()
        session_id = source.take()
        try:
            result = self._reporting(send, session_id)
        except (QuatrixSessionExpired, QuatrixMfaRequired):
            session_id = source.renew(session_id)
            result = self._reporting(send, session_id)
        source.used(session_id)
        return result

    def _reporting(self, send: Callable[[dict[str, str]], T], session_id: str) -> T:
        try:
            return self._with_session(send, session_id)
        except QuatrixCaptchaRequired as block:
            self._source().blocked(block, session_id)
            raise

    @staticmethod
    def _with_key(send: Callable[[dict[str, str]], T], api_key: str) -> T:
        try:
            return send({"Authorization": f"Bearer {api_key}"})
        except QuatrixSessionExpired as error:
            raise QuatrixAuthenticationError(
                error.status, error.code, f"The API key was rejected: {error.msg}", error.details
            ) from None

    def _with_session(self, send: Callable[[dict[str, str]], T], session_id: str) -> T:
        self.transport.redactor.add(session_id)
        return send({"X-Auth-Token": session_id})

    def _source(self) -> SessionSource:
        if self.session is None:
            raise TypeError("a client without an API key needs a session: use QuatrixClient.connect()")
        return self.session

    def call_as(self, call: Call, session_id: str) -> Answer:
        """Send a call with a given session id, without any renewal."""
        return self._with_session(lambda credentials: self.transport.send(call, credentials), session_id)

    def login(
        self,
        credentials: Credentials,
        *,
        mfa_code: str | None = None,
        last_totp_step: int | None = None,
        before_try: Callable[[], None] | None = None,
        after_unsent: Callable[[], None] | None = None,
        on_totp_step: Callable[[int], None] | None = None,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> str:
        """Sign in by ``GET session/login`` (Basic) and, if wanted, ``POST session/login`` (second factor).

        Both are described by the API's public documentation, as is the status 207, which asks for the second
        factor and is no success.

        :param credentials: what to sign in with.
        :param mfa_code: a second factor given for this one login.
        :param last_totp_step: step of the last TOTP code sent for these credentials.
        :param before_try: called ahead of each login request; what it raises ends the login.
        :param after_unsent: called after each login request that never reached the server.
        :param on_totp_step: told the step of a TOTP code before that is sent.
        :param now: the present, Unix time.
        :param sleep: waits for the next TOTP code where this half minute's was used.
        :return: the session id.
        :raises QuatrixAuthenticationError: password or second factor rejected.
        :raises QuatrixMfaRequired: a second factor is wanted that is not at hand.
        :raises QuatrixCaptchaRequired: a person has to pass a CAPTCHA first.
        """
        redactor = self.transport.redactor
        redactor.add(credentials.password, credentials.totp_secret, credentials.pin, mfa_code)
        conversation = sign_in(credentials, now=now, mfa_code=mfa_code, last_totp_step=last_totp_step)
        password_call = Call("GET", "session/login", before_try=before_try, after_unsent=after_unsent)
        session_id = self._converse(conversation, password_call, on_totp_step, sleep)
        redactor.add(session_id)
        return session_id

    def _converse(
        self,
        conversation: Conversation,
        password_call: Call,
        on_totp_step: Callable[[int], None] | None,
        sleep: Callable[[float], None],
    ) -> str:
        answer: Answer | None = None
        while True:
            try:
                step = conversation.send(answer)
            except StopIteration as end:
                return str(end.value)
            answer = None
            if isinstance(step, SendPassword):
                answer = self._send_password(step, password_call)
            elif isinstance(step, SendCode):
                if step.totp_step is not None and on_totp_step is not None:
                    on_totp_step(step.totp_step)
                answer = self._send_code(step)
            elif isinstance(step, Wait):
                log.info("This half minute's 2FA code was used already; waiting %.0f s for the next", step.seconds)
                sleep(step.seconds)

    def _send_password(self, step: SendPassword, call: Call) -> Answer:
        self.transport.redactor.add(step.authorization.removeprefix("Basic "))
        try:
            return self.transport.send(call, {"Authorization": step.authorization})
        except (QuatrixSessionExpired, QuatrixResponseError) as error:
            raise _rejected(error, "Quatrix rejected the login or password") from None

    def _send_code(self, step: SendCode) -> Answer:
        self.transport.redactor.add(step.session_id, step.code)
        call = Call(
            "POST",
            "session/login",
            json={"auth_type": step.auth_type, "code": step.code},
            repeat=step.repeat,
        )
        try:
            return self.call_as(call, step.session_id)
        except (QuatrixAuthenticationError, QuatrixSessionExpired, QuatrixResponseError) as error:
            # Codes other than 83 and 84 are possible; the session itself is too young to have ended.
            rejected = _rejected(error, f"Quatrix rejected the second factor ({step.auth_type})")
            rejected.second_factor = True
            raise rejected from None

    def keepalive(self) -> None:
        """Refresh the session by ``GET session/keepalive``.

        Documented: a session ends 15 minutes after the last call, and a success has an empty body.

        :raises QuatrixError: see :meth:`call`.
        """
        self.call("GET", "session/keepalive")

    def hold(self) -> None:
        """Keep the session while bytes are moved; nothing to do with an API key."""
        if not self.uses_api_key:
            self.keepalive()

    def ping(self, session_id: str) -> None:
        """Send ``GET session/keepalive`` for a given session, without any renewal."""
        self.call_as(Call("GET", "session/keepalive"), session_id)

    def logout(self, session_id: str) -> bool:
        """End a session by ``GET session/logout``.

        :param session_id: the session to end.
        :return: ``False`` if it had ended before.
        """
        try:
            self.call_as(Call("GET", "session/logout"), session_id)
        except (QuatrixSessionExpired, QuatrixMfaRequired):
            return False
        return True

    def unblock_captcha(self, token: str, session_id: str) -> bool:
        """Hand in a passed CAPTCHA by ``POST session/unblock-captcha`` (or the later GET form).

        Documented: a wrong token is answered by 401 with ``{"valid": false}``, unlike any other 401.

        :param token: proof of the passed CAPTCHA; valid once.
        :param session_id: the blocked session.
        :return: whether the token was right.
        :raises QuatrixSessionExpired: the blocked session has ended.
        """
        self.transport.redactor.add(token, session_id)
        call = Call(
            self._unblock_method,
            "session/unblock-captcha",
            params={"token": token} if self._unblock_method == "GET" else None,
            json=None if self._unblock_method == "GET" else {"token": token},
            # A token is used up by the first request that arrives.
            repeat=Repeat.REFUSED,
            accepts=_is_verdict,
        )
        answer = self.call_as(call, session_id)
        if not _is_verdict(answer):
            raise malformed(answer, "an answer without `valid`", self.transport.redactor)
        return answer.status < 300 and bool(answer.json()["valid"])

    def profile(self) -> Profile:
        """Return the signed-in user, from ``GET profile``."""
        return self._object("profile", Profile.from_answer)

    def profile_info(self) -> Quota:
        """Return used and allowed storage in bytes, from ``GET profile/info``."""
        return self._object("profile/info", Quota.from_answer)

    def _object(self, path: str, read: Callable[[dict[str, Any]], T]) -> T:
        answer = self.call("GET", path)
        body = answer.json()
        if not isinstance(body, dict):
            raise malformed(answer, "an answer that is not an object", self.transport.redactor)
        try:
            return read(body)
        except (TypeError, ValueError, OverflowError):
            raise malformed(answer, "an answer with members of the wrong type", self.transport.redactor) from None

    def close(self) -> None:
        """Close the connections; the session lives on."""
        self.transport.close()


def _is_verdict(answer: Answer) -> bool:
    """Tell the two 401 bodies of unblock-captcha apart by shape: only the verdict has ``valid``."""
    body = answer.json()
    return (
        (answer.status < 300 or answer.status == 401)
        and isinstance(body, dict)
        and isinstance(body.get("valid"), bool)
        and "code" not in body
    )


def _rejected(error: QuatrixApiError | QuatrixResponseError, what: str) -> QuatrixAuthenticationError:
    if isinstance(error, QuatrixResponseError):
        if error.status != 401:
            raise error
        # A refusal whose reason cannot be read is a refusal still, and not to be asked for again.
        return QuatrixAuthenticationError(error.status, None, f"{what}: {error}")
    return QuatrixAuthenticationError(error.status, error.code, f"{what}: {error.msg}", error.details)
