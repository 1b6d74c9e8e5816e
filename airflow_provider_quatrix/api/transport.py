"""Sends requests to one Quatrix host: TLS, proxy, time limits, redirects and retries."""

from __future__ import annotations

import http.cookiejar
import logging
import os
import platform
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import unquote, urlencode, urljoin, urlsplit

import requests
import urllib3
from requests.auth import AuthBase

from airflow_provider_quatrix.api import stopping
from airflow_provider_quatrix.api.connection_errors import ConnectionErrors
from airflow_provider_quatrix.api.deadline import DeadlineAdapter, answers_by, noting_sends
from airflow_provider_quatrix.api.errors import (
    QuatrixError,
    QuatrixResponseError,
    QuatrixTransportError,
    malformed,
)
from airflow_provider_quatrix.api.messages import SESSION_HEADER, Headers, Request, Response
from airflow_provider_quatrix.api.redaction import Redactor
from airflow_provider_quatrix.api.redirects import next_url
from airflow_provider_quatrix.api.refusals import DEFAULT_CAPTCHA_PATTERN, error_from, is_captcha_block
from airflow_provider_quatrix.api.retry import RetryPolicy, parse_retry_after
from airflow_provider_quatrix.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import tenacity

log = logging.getLogger(__name__)

API_ROOT = "/api/1.0/"
_MOST_REDIRECTS = 5
_BLOCK = 64 * 1024
# Bytes. A folder with 100,000 entries is far smaller; an endless body ends here.
LARGEST_RESPONSE = 256 * 1024 * 1024
_POOL_SIZE = 32
# Bytes per second.
_SLOWEST_PACE = 16 * 1024
# Bytes of a body that are read and sent at a time. The library's own 16 KiB cost a third of the speed.
_SEND_BLOCK = 256 * 1024

T = TypeVar("T")


class Observer(Protocol):
    """Observes a transport. Any thread may call it; it must not raise."""

    def answered(self, request: Request, response: Response) -> None:
        """Called with a response, success or not; its body is empty if it has not been read."""

    def repeated(self, request: Request, error: BaseException) -> None:
        """Called when a request is going to be sent again, with the reason."""

    def moved(self, direction: str, size: int) -> None:
        """Called when a file has arrived.

        :param direction: ``upload``, ``download`` or ``transfer``.
        :param size: its bytes.
        """


class _Credentials(AuthBase):
    """Sets the credential headers, so that requests does not take others from the URL or a netrc file."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers)
        return request


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self._settings: dict[str, Any] = {}

    def settings(self, url: str, proxies: Mapping[str, str], verify: bool | str) -> Any:
        """Return the settings for a request. The environment is read once, as that takes a fifth of a call.

        :param proxies: by scheme; the same for all requests.
        :param verify: as in requests; the same for all requests.
        """
        scheme = urlsplit(url).scheme
        if scheme not in self._settings:
            # A copy, as requests adds the environment's proxies to it.
            self._settings[scheme] = self.merge_environment_settings(url, dict(proxies), True, verify, None)
        return self._settings[scheme]

    def resolve_redirects(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Prepare no redirects: requests would read their whole bodies, even of those that are not followed."""
        return iter(())


class _Adapter(DeadlineAdapter):
    """Makes connections that send bodies in large blocks."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool."""
        super().init_poolmanager(*args, blocksize=_SEND_BLOCK, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the pool behind a proxy."""
        return super().proxy_manager_for(proxy, blocksize=_SEND_BLOCK, **kwargs)


class Transport:
    """Sends requests to one host and returns complete responses, or raises an error.

    :param base_url: scheme and host of the account, such as ``https://acme.quatrix.it``.
    :param verify: whether TLS certificates are checked, or the path of a file with the CAs to trust.
    :param proxy: URL of a proxy; default: the environment's proxies.
    :param connect_timeout: seconds to wait for a connection.
    :param read_timeout: seconds to wait for the next bytes of a response.
    :param user_agent: is put before this package's own product name.
    :param policy: how long and how often a request is tried.
    :param captcha_pattern: how a CAPTCHA block is recognised.
    :param largest_response: bytes after which a response counts as endless; default 256 MiB.
    :ivar observers: get all responses and retries.
    """

    def __init__(
        self,
        base_url: str,
        *,
        verify: bool | str = True,
        proxy: str | None = None,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        user_agent: str = "",
        policy: RetryPolicy | None = None,
        captcha_pattern: str = DEFAULT_CAPTCHA_PATTERN,
        redactor: Redactor | None = None,
        largest_response: int = LARGEST_RESPONSE,
        sleep: Callable[[float], None] = stopping.sleep,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.redactor = redactor or Redactor()
        self.policy = policy or RetryPolicy()
        self.observers: list[Observer] = []
        self._verify = verify
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._captcha_pattern = captcha_pattern
        self._largest_response = largest_response
        self._sleep = sleep
        self._user_agent = user_agent
        patience = min(read_timeout, self.policy.deadline)
        self._errors = ConnectionErrors(self.base_url, self.redactor, patience)
        self._session = self._open(user_agent)
        self._process = os.getpid()
        if proxy:
            password = urlsplit(proxy).password
            self.redactor.keep(password, unquote(password or ""))
        if verify is False:
            # Logged once here. urllib3 would warn at every request.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            log.warning(
                "TLS certificates of %s are not verified (verify=false): anybody on the network can read the "
                "credentials. Set `verify` to the file of your CA instead.",
                self.base_url,
            )

    @staticmethod
    def _open(user_agent: str) -> _Session:
        session = _Session()
        adapter = _Adapter(pool_connections=2, pool_maxsize=_POOL_SIZE, max_retries=0)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        product = f"airflow-provider-quatrix/{__version__} Python/{platform.python_version()}"
        session.headers.update({"User-Agent": f"{user_agent} {product}".strip(), "Accept": "application/json"})
        # The API has no cookies. A cookie that was kept by accident could share a session by accident.
        session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        return session

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def send(self, request: Request, credentials: Headers) -> Response:
        """Send a request and return a success; send it again if that is safe.

        :param credentials: headers with the credentials; they are never sent to another host.
        :return: a complete response with a status below 300 (207 included).
        :raises QuatrixTransportError: no complete response within the time limits.
        :raises QuatrixResponseError: a response that is not JSON, or cut short.
        :raises QuatrixApiError: an error response, as the matching subclass.
        """

        def attempt(ends: float) -> Response:
            with self._follow(request, credentials, ends) as raw:
                return self._checked(request, self._read(raw))

        return self._tried(request, attempt)

    def open(self, request: Request, credentials: Headers) -> requests.Response:
        """Send a request and return a success with an unread body; the caller closes it.

        :param credentials: headers with the credentials; they are never sent to another host.
        :return: a response with a status below 300, with ``raw`` at the first byte of the body.
        :raises QuatrixError: see :meth:`send`.
        """

        def attempt(ends: float) -> requests.Response:
            raw = self._follow(request, credentials, ends)
            if raw.status_code < 300:
                self._observe(request, Response(raw.status_code, raw.headers, b""))
                return raw
            with raw:
                response = self._read(raw)
                self._observe(request, response)
                raise self._error(request, response)

        return self._tried(request, attempt)

    def _tried(self, request: Request, attempt: Callable[[float], T]) -> T:
        # A chunk on a slow line takes its time.
        deadline = (request.deadline or self.policy.deadline) + request.body_size / _SLOWEST_PACE
        started = time.monotonic()

        def one() -> T:
            if request.guard is not None:
                request.guard.before_try()
            ends = max(started + deadline, time.monotonic() + 0.001)
            try:
                with answers_by(ends, self._read_timeout):
                    return attempt(ends)
            except QuatrixTransportError as error:
                if request.guard is not None and not error.sent:
                    request.guard.after_unsent()
                raise

        retrying = self.policy.retrying(
            request.repeat,
            deadline,
            most_sent=request.most_sent,
            sleep=self._sleep,
            before_sleep=lambda state: self._report_repeat(request, state),
        )
        try:
            return retrying(one)
        finally:
            # It refers to itself by these, and would keep the request's body until the garbage collector comes.
            retrying.iter_state.reset()

    def _report_repeat(self, request: Request, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if error is not None:
            for observer in self.observers:
                observer.repeated(request, error)
        log.info("%s; trying again in %.1f s", self.redactor(str(error)), state.upcoming_sleep)

    def report_moved(self, direction: str, size: int) -> None:
        """Report to the observers that a file has arrived, see :meth:`Observer.moved`."""
        for observer in self.observers:
            observer.moved(direction, size)

    def _observe(self, request: Request, response: Response) -> None:
        for observer in self.observers:
            observer.answered(request, response)

    def _checked(self, request: Request, response: Response) -> Response:
        self._observe(request, response)
        if request.accepts is not None and request.accepts(response):
            return response
        if response.status >= 300 or is_captcha_block(response, self._captcha_pattern, path=request.path):
            raise self._error(request, response)
        if response.body.strip() and response.json() is None:
            raise malformed(response, "a response that is not JSON", self.redactor)
        return response

    def _error(self, request: Request, response: Response) -> QuatrixError:
        return error_from(
            response,
            redact=self.redactor,
            captcha_pattern=self._captcha_pattern,
            path=request.path,
            retry_after=parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC)),
        )

    def _follow(self, request: Request, credentials: Headers, ends: float) -> requests.Response:
        """Send once and follow redirects on the same host."""
        # A response may repeat what was sent.
        self.redactor.add(credentials.get(SESSION_HEADER))
        self.redactor.keep(credentials.get("Authorization", "").partition(" ")[2])
        url = self._address(request)
        for hop in range(_MOST_REDIRECTS + 1):
            try:
                response = self._once(request, url, credentials, ends - time.monotonic())
            except QuatrixTransportError as error:
                error.sent = error.sent or hop > 0
                raise
            if not response.is_redirect:
                return response
            with response:
                url = next_url(request.method, url, response.status_code, response.headers["Location"])
        raise QuatrixResponseError(f"{self.base_url} redirects in circles", response.status_code)

    def _address(self, request: Request) -> str:
        try:
            url = urljoin(self.base_url + API_ROOT, request.path)
        except ValueError as error:
            raise self._errors.unsendable(error) from None
        return f"{url}?{urlencode(request.params)}" if request.params else url

    def _once(self, request: Request, url: str, credentials: Headers, left: float) -> requests.Response:
        left = max(left, 0.001)
        if self._process != os.getpid():
            # Two processes must not share one inherited connection.
            self._session, self._process = self._open(self._user_agent), os.getpid()
        body = None if request.body is None else request.body()
        session = self._session
        # Session.request() would merge its settings for every request, which takes a tenth of the time.
        prepared = requests.PreparedRequest()
        with noting_sends() as sends:
            try:
                prepared.prepare(
                    method=request.method,
                    url=url,
                    headers={**session.headers, **request.headers},
                    data=body,
                    json=request.json,
                    auth=_Credentials(credentials),
                )
                return session.send(
                    prepared,
                    timeout=(min(self._connect_timeout, left), min(self._read_timeout, left)),
                    allow_redirects=False,
                    **session.settings(url, self._proxies, self._verify),
                )
            except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
                # "from None", as their messages may contain a header, or a URL with a key or token.
                raise self._errors.of(error, sent=sends.any) from None

    def _read(self, raw: requests.Response) -> Response:
        body = bytearray()
        try:
            # In pieces, so that the first part of a broken response is known.
            while piece := raw.raw.read1(_BLOCK, decode_content=True):
                body += piece
                if len(body) > self._largest_response:
                    response = Response(raw.status_code, raw.headers, bytes(body))
                    raise malformed(response, "a response that does not end", self.redactor)
        except (urllib3.exceptions.HTTPError, OSError):
            response = Response(raw.status_code, raw.headers, bytes(body))
            raise malformed(response, "a response that was cut short", self.redactor, cut=True) from None
        return Response(raw.status_code, raw.headers, bytes(body))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"
