"""Turns exceptions of the HTTP library into errors that say how far a request got."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests
import urllib3

from airflow_provider_quatrix.api.errors import QuatrixTransportError, TransportStage

if TYPE_CHECKING:
    from collections.abc import Callable

# EOF during TLS is a network failure, not a bad certificate.
_TLS_ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
# OpenSSL's reasons for a server that answers without TLS.
_NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"}
# urllib3 begins some messages with the connection's repr.
_OBJECT = re.compile(r"^(?:<.*? object at 0x\w+>|\w+\(host=.*?\)): ")
_UNSENDABLE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
)


@dataclass(frozen=True)
class ConnectionErrors:
    """Describes failed connections to one host.

    :param base_url: scheme and host.
    :param patience: seconds that the service had for its response.
    """

    base_url: str
    redact: Callable[[str], str]
    patience: float

    def of(self, error: Exception, *, sent: bool) -> QuatrixTransportError:
        """Return the error for an exception of the HTTP library.

        :param sent: a part of the request was sent.
        """
        if not isinstance(error, requests.RequestException) or isinstance(error, _UNSENDABLE):
            # A bad request fails before it is sent. After that, the response is bad.
            return self._unreadable(error) if sent else self.unsendable(error)
        described = self._of_request(error)
        described.sent = sent
        return described

    def _of_request(self, error: requests.RequestException) -> QuatrixTransportError:
        root = _innermost(error)
        cause = self.redact(_text(root))
        if isinstance(error, requests.exceptions.SSLError) and getattr(root, "reason", "") in _NO_TLS:
            return QuatrixTransportError(
                f"TLS with {self.base_url} failed: this port does not speak TLS. If it is right, begin the host with "
                "http:// (which protects nothing); else correct the host or the port.",
                TransportStage.TLS,
            )
        if isinstance(error, requests.exceptions.SSLError) and not isinstance(root, _TLS_ENDED):
            return QuatrixTransportError(
                f"TLS with {self.base_url} failed: {cause}. If the host is right, give the file of the CA that "
                "signed its certificate in `verify`.",
                TransportStage.TLS,
            )
        if isinstance(error, requests.exceptions.ProxyError):
            return QuatrixTransportError(f"The proxy to {self.base_url} failed: {cause}", TransportStage.PROXY)
        if isinstance(error, requests.exceptions.ReadTimeout):
            return QuatrixTransportError(
                f"{self.base_url} did not answer within the time limit ({self.patience:g} s)", TransportStage.SENT
            )
        if isinstance(error, requests.exceptions.ConnectTimeout) or _never_connected(error):
            return QuatrixTransportError(f"{self.base_url} cannot be reached: {cause}", TransportStage.ADDRESS)
        return QuatrixTransportError(
            f"The connection to {self.base_url} broke before the response: {cause}", TransportStage.SENT
        )

    def _unreadable(self, error: Exception) -> QuatrixTransportError:
        return QuatrixTransportError(
            f"{self.base_url} sent a response that is not valid HTTP ({type(error).__name__})", TransportStage.SENT
        )

    def unsendable(self, error: Exception) -> QuatrixTransportError:
        """Return the error for a request that cannot be sent; trying again cannot help."""
        if isinstance(error, OSError) and "TLS CA certificate" in str(error):
            problem = (
                "the file with the CA certificates to trust is missing: correct `verify`, or REQUESTS_CA_BUNDLE and "
                "CURL_CA_BUNDLE in the environment"
            )
            return QuatrixTransportError(f"TLS with {self.base_url} is impossible: {problem}", TransportStage.TLS)
        # The text is left out, as it may contain a header with credentials.
        return QuatrixTransportError(
            f"The request to {self.base_url} cannot be sent ({type(error).__name__}): check the host, the proxy and "
            "the credentials for characters that do not belong there",
            TransportStage.SETTINGS,
        )


def _innermost(error: BaseException) -> BaseException:
    """Return the root of a chain of wrapped errors."""
    seen: BaseException = error
    while True:
        inner = [cause for cause in (getattr(seen, "reason", None), *seen.args) if isinstance(cause, BaseException)]
        if not inner:
            return seen
        seen = inner[0]


def _text(seen: BaseException) -> str:
    """Return the one line that says what happened."""
    text = seen.args[-1] if seen.args and isinstance(seen.args[-1], str) else str(seen)
    return _OBJECT.sub("", text)


def _never_connected(error: BaseException) -> bool:
    inner = error.args[0] if error.args else None
    reason = getattr(inner, "reason", inner)
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)
