"""How requests get their credentials: from an API key, or from a session that may have to be renewed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol, TypeVar

from airflow_provider_quatrix.api.errors import (
    QuatrixAuthenticationError,
    QuatrixCaptchaRequired,
    QuatrixMfaRequired,
    QuatrixSessionExpired,
)
from airflow_provider_quatrix.api.messages import SESSION_HEADER, Headers

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Authorizer(Protocol):
    """Knows the credentials of one user.

    :ivar has_session: the credentials are a session, which ends if it is not used.
    """

    has_session: bool

    def authorize(self, send: Callable[[Headers], T]) -> T:
        """Send a request with credentials.

        :param send: sends it with the given headers; may be called again with others.
        :return: what ``send`` returned.
        :raises QuatrixError: what ``send`` raised, or there are no credentials.
        """


class ApiKeyAuthorizer:
    """Sends an API key: there is no session, no login and no CAPTCHA."""

    has_session = False

    def __init__(self, api_key: str) -> None:
        self._headers = {"Authorization": f"Bearer {api_key}"}

    def authorize(self, send: Callable[[Headers], T]) -> T:
        """Send with the key.

        :raises QuatrixAuthenticationError: the key was rejected.
        """
        try:
            return send(self._headers)
        except QuatrixSessionExpired as error:
            raise QuatrixAuthenticationError(
                error.status, error.code, f"The API key was rejected: {error.msg}", error.details
            ) from None


class FixedSession:
    """Uses a given session as it is; never renews it."""

    has_session = True

    def __init__(self, session_id: str) -> None:
        self._headers = {SESSION_HEADER: session_id}

    def authorize(self, send: Callable[[Headers], T]) -> T:
        """Send with the session.

        :raises QuatrixSessionExpired: it has ended.
        """
        try:
            return send(self._headers)
        except (QuatrixSessionExpired, QuatrixMfaRequired) as error:
            raise QuatrixSessionExpired(
                error.status, error.code, f"The session has ended: {error.msg}", error.details
            ) from None


class SessionAuthorizer(ABC):
    """Sends with a session's id, and once more with another if that session has ended."""

    has_session = True

    @abstractmethod
    def acquire(self) -> str:
        """Return the id of a session that is expected to be alive; sign in if there is none."""

    @abstractmethod
    def renew(self, dead: str) -> str:
        """Return the id of another session than ``dead``, which the service refused."""

    @abstractmethod
    def blocked(self, block: QuatrixCaptchaRequired, session_id: str) -> None:
        """Record that the service wants a CAPTCHA for a session."""

    @abstractmethod
    def used(self, session_id: str) -> None:
        """Record that the service has just accepted a session."""

    def authorize(self, send: Callable[[Headers], T]) -> T:
        """Send with the session."""
        return self.with_session(lambda session_id: send({SESSION_HEADER: session_id}))

    def with_session(self, work: Callable[[str], T]) -> T:
        """Do something with the session; repeat it with another one if that session has ended.

        :param work: gets the session's id.
        :return: what ``work`` returned.
        """
        session_id = self.acquire()
        try:
            result = self._reporting(work, session_id)
        except (QuatrixSessionExpired, QuatrixMfaRequired):
            session_id = self.renew(session_id)
            result = self._reporting(work, session_id)
        self.used(session_id)
        return result

    def _reporting(self, work: Callable[[str], T], session_id: str) -> T:
        try:
            return work(session_id)
        except QuatrixCaptchaRequired as block:
            self.blocked(block, session_id)
            raise
