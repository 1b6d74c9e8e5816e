"""The Quatrix API as Python calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_quatrix.api.auth import Credentials
from airflow_provider_quatrix.api.authorization import FixedSession
from airflow_provider_quatrix.api.caller import ApiCaller
from airflow_provider_quatrix.api.contacts import ContactsApi
from airflow_provider_quatrix.api.files import FilesApi
from airflow_provider_quatrix.api.models import ApiKey, Profile, Quota
from airflow_provider_quatrix.api.session import SessionCalls
from airflow_provider_quatrix.api.shares import SharesApi
from airflow_provider_quatrix.api.tracking import TrackingApi
from airflow_provider_quatrix.api.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_quatrix.api.authorization import Authorizer

T = TypeVar("T")


class QuatrixClient(ApiCaller):
    """Calls of the Quatrix API 1.0 on behalf of one user.

    :param authorizer: knows the user's credentials: a session or an API key.
    :ivar files: the calls for files and folders.
    :ivar shares: the calls for shares, quicklinks and requests for files.
    :ivar contacts: the calls for contacts, who are people outside.
    :ivar tracking: the calls for downloads of shares, and for the activity log.
    """

    def __init__(self, transport: Transport, authorizer: Authorizer) -> None:
        super().__init__(transport, authorizer)
        self.files = FilesApi(self)
        self.shares = SharesApi(self)
        self.contacts = ContactsApi(self)
        self.tracking = TrackingApi(self)

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
        :param totp_secret: base32 secret, for accounts with 2FA.
        :param pin: PIN, for accounts with a PIN.
        :return: a signed-in client.
        """
        transport = Transport(base_url)
        session_id = SessionCalls(transport).login(Credentials(login, password, totp_secret, pin))
        return cls(transport, FixedSession(session_id))

    def with_session(self, session_id: str) -> QuatrixClient:
        """Return a client over the same connections that uses a given session and never renews it."""
        return type(self)(self._transport, FixedSession(session_id))

    def profile(self) -> Profile:
        """Return the signed-in user, from ``GET profile``."""
        return self._object("profile", Profile.from_response)

    def profile_info(self) -> Quota:
        """Return used and allowed storage in bytes, from ``GET profile/info``."""
        return self._object("profile/info", Quota.from_response)

    def api_keys(self) -> tuple[ApiKey, ...]:
        """Return the API keys of all users that this one manages, by ``GET api-key``."""
        return tuple(map(ApiKey.from_response, self.entries(self.call("GET", "api-key"))))

    def _object(self, path: str, read: Callable[[Mapping[str, Any]], T]) -> T:
        response = self.call("GET", path)
        try:
            return read(self.members(response))
        except (TypeError, ValueError, OverflowError):
            raise self.malformed(response, "a response with members of the wrong type") from None
