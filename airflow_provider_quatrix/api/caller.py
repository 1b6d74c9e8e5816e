"""Calls of the API on behalf of one user: sends requests with credentials, and reads JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.errors import malformed
from airflow_provider_quatrix.api.messages import Repeat, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from airflow_provider_quatrix.api.authorization import Authorizer
    from airflow_provider_quatrix.api.errors import QuatrixResponseError
    from airflow_provider_quatrix.api.messages import Response
    from airflow_provider_quatrix.api.transport import Observer, Transport


class ApiCaller:
    """Calls the API on behalf of one user.

    :param authorizer: knows the user's credentials.
    """

    def __init__(self, transport: Transport, authorizer: Authorizer) -> None:
        self._transport = transport
        self._authorizer = authorizer

    @property
    def base_url(self) -> str:
        """Scheme and host of the account."""
        return self._transport.base_url

    @property
    def uses_api_key(self) -> bool:
        """Whether requests carry an API key instead of a session id."""
        return not self._authorizer.has_session

    def call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        json: Any = None,
        repeat: Repeat = Repeat.SAFE,
    ) -> Response:
        """Send any call as the user; a session that has ended is renewed once.

        :param path: path below ``/api/1.0/``.
        :param repeat: when the call may be sent again after a failure.
        :return: a success.
        :raises QuatrixError: see :meth:`Transport.send`.
        """
        return self.send(Request(method, path, params=params, json=json, repeat=repeat))

    def send(self, request: Request) -> Response:
        """Send a prepared request as the user, see :meth:`call`."""
        return self._authorizer.authorize(lambda credentials: self._transport.send(request, credentials))

    def open(self, request: Request) -> requests.Response:
        """Send a prepared request as the user; the caller reads the body and closes the response."""
        return self._authorizer.authorize(lambda credentials: self._transport.open(request, credentials))

    def keepalive(self) -> None:
        """Refresh the session, by ``GET session/keepalive``.

        Documented: a session ends 15 minutes after the last call, and a success has an empty body.

        :raises QuatrixError: see :meth:`call`.
        """
        self.call("GET", "session/keepalive")

    def keep_session(self) -> None:
        """Refresh the session while bytes are moved; does nothing with an API key."""
        if self._authorizer.has_session:
            self.keepalive()

    def members(self, response: Response) -> Mapping[str, Any]:
        """Return the members of a response that is a JSON object.

        :raises QuatrixResponseError: it is not one.
        """
        members = response.json()
        if not isinstance(members, dict):
            raise self.malformed(response, "a response that is not an object")
        return members

    def entries(self, response: Response) -> list[Any]:
        """Return the entries of a response that is a JSON list.

        :raises QuatrixResponseError: it is not one.
        """
        entries = response.json()
        if not isinstance(entries, list):
            raise self.malformed(response, "a response that is not a list")
        return entries

    def malformed(self, response: Response, what: str) -> QuatrixResponseError:
        """Return the error for a response that the API does not promise.

        :param what: what is wrong with it, as in "Quatrix sent ...".
        """
        return malformed(response, what, self.redact)

    def redact(self, text: str) -> str:
        """Return a text without secrets."""
        return self._transport.redactor(text)

    def hide(self, key: str, *, announce: bool = False) -> None:
        """Keep an upload key, a link or the id of a share out of messages.

        :param announce: also mask it in the host application's logs. Not for keys and links of single files: there are
            many, and they live for minutes.
        """
        self._transport.redactor.add(key, announce=announce)

    def observe(self, observer: Observer) -> None:
        """Report all further responses and repeated requests to an observer."""
        self._transport.observers.append(observer)

    def report_moved(self, direction: str, size: int) -> None:
        """Report to the observers that a file has arrived.

        :param direction: ``upload``, ``download`` or ``transfer``.
        :param size: its bytes.
        """
        self._transport.report_moved(direction, size)

    def close(self) -> None:
        """Close the connections; the session stays open."""
        self._transport.close()
