"""One HTTP connection pool to one Quatrix host: TLS, proxy, time limits, redirects and retries."""

from __future__ import annotations

import http.cookiejar
import logging
import os
import platform
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import SplitResult, unquote, urlencode, urljoin, urlsplit

import requests
import urllib3
from requests.auth import AuthBase

from airflow_provider_quatrix import __version__
from airflow_provider_quatrix.api.deadline import DeadlineAdapter, answers_by
from airflow_provider_quatrix.api.errors import (
    DEFAULT_CAPTCHA_PATTERN,
    Answer,
    QuatrixError,
    QuatrixResponseError,
    QuatrixTransportError,
    TransportStage,
    error_from,
    malformed,
)
from airflow_provider_quatrix.api.redaction import Redactor
from airflow_provider_quatrix.api.retry import Repeat, RetryPolicy, parse_retry_after

if TYPE_CHECKING:
    import tenacity

log = logging.getLogger(__name__)

API_ROOT = "/api/1.0/"
_MOST_REDIRECTS = 5
_BLOCK = 64 * 1024
# Metadata of a folder with 100,000 entries stays far below; an endless body ends here.
LARGEST_ANSWER = 256 * 1024 * 1024
_POOL_SIZE = 32
# Bytes per second.
_SLOWEST_PACE = 16 * 1024
# How much of a body is read and sent at a time; the library's own 16 KiB cost a third of the speed.
_SEND_BLOCK = 256 * 1024

# A connection that ended is no certificate that is wrong, although both are TLS errors.
_TLS_ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
# urllib3 begins some messages with the connection's repr.
_OBJECT = re.compile(r"^(?:<.*? object at 0x\w+>|\w+\(host=.*?\)): ")
_NEVER_SENT = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
)

T = TypeVar("T")

Headers = Mapping[str, str]


class SizedReader(Protocol):
    """Bytes to send: read in blocks, with a known length, so that none of them are held in memory."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes."""

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Call:
    """One API call, before credentials.

    :param method: HTTP method.
    :param path: path below the API's root, such as ``session/keepalive``.
    :param headers: further headers.
    :param params: query parameters.
    :param json: body to be sent as JSON.
    :param body: opens the bytes to send as they are, anew for every try.
    :param body_size: their number.
    :param repeat: when the call may be sent again.
    :param before_try: called ahead of every single try; what it raises ends the call.
    :param after_unsent: called after a try that never reached the server, to undo what ``before_try`` did.
    :param accepts: picks answers that are results although their status says error.
    """

    method: str
    path: str
    headers: Headers = field(default_factory=dict, repr=False)
    params: Mapping[str, str] | None = field(default=None, repr=False)
    json: Any = field(default=None, repr=False)
    body: Callable[[], SizedReader] | None = field(default=None, repr=False)
    body_size: int = 0
    repeat: Repeat = Repeat.SAFE
    before_try: Callable[[], None] | None = field(default=None, repr=False)
    after_unsent: Callable[[], None] | None = field(default=None, repr=False)
    accepts: Callable[[Answer], bool] | None = field(default=None, repr=False)


class _Credentials(AuthBase):
    """Sets the credential headers, and by being there keeps requests from taking others out of the URL."""

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
        """Return what to send with, after one look into the environment: one at every call takes a fifth of its time.

        :param url: of the call; all calls of a session go to one host.
        :param proxies: by scheme, the same for all calls of a session.
        :param verify: as in requests, the same for all calls of a session.
        """
        scheme = urlsplit(url).scheme
        if scheme not in self._settings:
            # A copy, as requests adds the environment's proxies to it.
            self._settings[scheme] = self.merge_environment_settings(url, dict(proxies), True, verify, None)
        return self._settings[scheme]

    def resolve_redirects(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Prepare no redirect: requests would do so, and read the whole body, even where none is to be followed."""
        return iter(())


class _Adapter(DeadlineAdapter):
    """Connections that send bodies in large blocks."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool."""
        super().init_poolmanager(*args, blocksize=_SEND_BLOCK, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the pool behind a proxy."""
        return super().proxy_manager_for(proxy, blocksize=_SEND_BLOCK, **kwargs)


class Transport:
    """Sends calls to one host and returns complete answers, or raises what is the matter.

    :param base_url: scheme and host of the account, such as ``https://acme.quatrix.it``.
    :param verify: whether TLS certificates are checked, or the path of a file with the CAs to trust.
    :param proxy: URL of a proxy for all calls; without one the environment's proxies are used.
    :param connect_timeout: seconds to wait for a connection.
    :param read_timeout: seconds to wait for the next bytes of an answer.
    :param user_agent: put ahead of this package's own product name.
    :param policy: how long and how often a call is tried.
    :param captcha_pattern: how a CAPTCHA block is recognised.
    :param redactor: keeps secrets out of messages.
    :param largest_answer: bytes after which an answer counts as one that does not end; default 256 MiB.
    :param sleep: waits between tries.
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
        largest_answer: int = LARGEST_ANSWER,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.redactor = redactor or Redactor()
        self.policy = policy or RetryPolicy()
        self._verify = verify
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._captcha_pattern = captcha_pattern
        self._largest_answer = largest_answer
        self._sleep = sleep
        self._user_agent = user_agent
        self._session = self._open(user_agent)
        self._process = os.getpid()
        if proxy:
            password = urlsplit(proxy).password
            self.redactor.add(password, unquote(password or ""))
        if verify is False:
            # Said once in the log; urllib3 would say it at every call.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            log.warning(
                "TLS certificates of %s are not verified (verify=false): anybody on the way can read the "
                "credentials. Give the file of your CA in `verify` instead.",
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
        # The API has no cookies; one kept by accident would be a session shared by accident.
        session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        return session

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def send(self, call: Call, credentials: Headers) -> Answer:
        """Send a call, again where that is safe, and return a success.

        :param call: what to send.
        :param credentials: headers that prove who asks; they never follow to another host.
        :return: a complete answer with a status below 300 (207 included).
        :raises QuatrixTransportError: no complete answer within the time limits.
        :raises QuatrixResponseError: an answer that is not JSON, or cut short.
        :raises QuatrixApiError: an error answer, as the member of the tree that it stands for.
        """

        def attempt(ends: float) -> Answer:
            with self._follow(call, credentials, ends) as response:
                return self._checked(call, self._read(response))

        return self._tried(call, attempt)

    def open(self, call: Call, credentials: Headers) -> requests.Response:
        """Send a call and return a success with its body still to be read; to be closed by the caller.

        :param call: what to send.
        :param credentials: headers that prove who asks; they never follow to another host.
        :return: an answer with a status below 300, whose ``raw`` is at the first byte of the body.
        :raises QuatrixError: see :meth:`send`.
        """

        def attempt(ends: float) -> requests.Response:
            response = self._follow(call, credentials, ends)
            if response.status_code < 300:
                return response
            with response:
                raise self._error(self._read(response))

        return self._tried(call, attempt)

    def _tried(self, call: Call, attempt: Callable[[float], T]) -> T:
        # A chunk on a slow line takes its time; the pace below which it counts as stuck is far from any real one.
        deadline = self.policy.deadline + call.body_size / _SLOWEST_PACE
        started = time.monotonic()

        def one() -> T:
            if call.before_try is not None:
                call.before_try()
            ends = max(started + deadline, time.monotonic() + 0.001)
            try:
                with answers_by(ends):
                    return attempt(ends)
            except QuatrixTransportError as error:
                if call.after_unsent is not None and error.stage is not TransportStage.SENT:
                    call.after_unsent()
                raise

        return self.policy.retrying(call.repeat, deadline, sleep=self._sleep, before_sleep=self._tell)(one)

    def _tell(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        log.info("%s; trying again in %.1f s", self.redactor(str(error)), state.upcoming_sleep)

    def _checked(self, call: Call, answer: Answer) -> Answer:
        if call.accepts is not None and call.accepts(answer):
            return answer
        if answer.status < 300:
            if answer.body.strip() and answer.json() is None:
                raise malformed(answer, "an answer that is not JSON", self.redactor)
            return answer
        raise self._error(answer)

    def _error(self, answer: Answer) -> QuatrixError:
        return error_from(
            answer,
            redact=self.redactor,
            captcha_pattern=self._captcha_pattern,
            retry_after=parse_retry_after(answer.headers.get("Retry-After"), datetime.now(UTC)),
        )

    def _follow(self, call: Call, credentials: Headers, ends: float) -> requests.Response:
        """Send once and follow redirects on the same host."""
        url = self._address(call)
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._once(call, url, credentials, ends - time.monotonic())
            if not response.is_redirect:
                return response
            with response:
                url = self._redirected(call, url, response)
        raise QuatrixResponseError(f"{self.base_url} redirects in circles", response.status_code)

    def _address(self, call: Call) -> str:
        try:
            url = urljoin(self.base_url + API_ROOT, call.path)
        except ValueError as error:
            raise self._unsendable(error) from None
        return f"{url}?{urlencode(call.params)}" if call.params else url

    def _once(self, call: Call, url: str, credentials: Headers, left: float) -> requests.Response:
        left = max(left, 0.001)
        if self._process != os.getpid():
            # Two processes must not talk through one inherited connection.
            self._session, self._process = self._open(self._user_agent), os.getpid()
        body = None if call.body is None else call.body()
        session = self._session
        # Session.request() would do the same, but what it merges anew for every call takes a tenth of the time.
        request = requests.PreparedRequest()
        try:
            request.prepare(
                method=call.method,
                url=url,
                headers={**session.headers, **call.headers},
                data=body,
                json=call.json,
                auth=_Credentials(credentials),
            )
            return session.send(
                request,
                timeout=(min(self._connect_timeout, left), min(self._read_timeout, left)),
                allow_redirects=False,
                **session.settings(url, self._proxies, self._verify),
            )
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
            # Their messages may hold the URL with a key or a token in it, or a header, hence "from None".
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> QuatrixTransportError:
        if not isinstance(error, requests.RequestException) or isinstance(error, _NEVER_SENT):
            return self._unsendable(error)
        root = _innermost(error)
        cause = self.redactor(_text(root))
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
                f"{self.base_url} did not answer within the time limit "
                f"({min(self._read_timeout, self.policy.deadline):g} s)",
                TransportStage.SENT,
            )
        if isinstance(error, requests.exceptions.ConnectTimeout) or _never_connected(error):
            return QuatrixTransportError(f"{self.base_url} cannot be reached: {cause}", TransportStage.ADDRESS)
        return QuatrixTransportError(
            f"The connection to {self.base_url} broke before the answer: {cause}", TransportStage.SENT
        )

    def _unsendable(self, error: Exception) -> QuatrixTransportError:
        """Describe a failure ahead of any connection; trying again cannot help."""
        if isinstance(error, OSError) and "TLS CA certificate" in str(error):
            problem = (
                "the file with the CA certificates to trust is missing: correct `verify`, or REQUESTS_CA_BUNDLE and "
                "CURL_CA_BUNDLE in the environment"
            )
            return QuatrixTransportError(f"TLS with {self.base_url} is impossible: {problem}", TransportStage.TLS)
        # The text is left out: it may repeat a header with credentials in it.
        return QuatrixTransportError(
            f"The request to {self.base_url} cannot be sent ({type(error).__name__}): check the host, the proxy and "
            "the credentials for characters that do not belong there",
            TransportStage.SETTINGS,
        )

    def _redirected(self, call: Call, url: str, response: requests.Response) -> str:
        try:
            target = urljoin(url, response.headers["Location"])
            old, new = urlsplit(url), urlsplit(target)
            same_place = _place(old) == _place(new) or _place(old._replace(scheme="https")) == _place(new)
        except ValueError:
            raise QuatrixResponseError(
                f"{self.base_url} redirects to an address that is none", response.status_code
            ) from None
        keeps_method = call.method == "GET" or response.status_code in (307, 308)
        if same_place and keeps_method:
            return target
        raise QuatrixResponseError(
            f"{self.base_url} redirects to {new.scheme}://{new.hostname}, where no credentials are sent. If that "
            "is the account's own address, set it as the connection's host.",
            response.status_code,
        )

    def _read(self, response: requests.Response) -> Answer:
        body = bytearray()
        try:
            # Piece by piece as it comes, so that what has come of an answer that stops is known.
            while piece := response.raw.read1(_BLOCK, decode_content=True):
                body += piece
                if len(body) > self._largest_answer:
                    answer = Answer(response.status_code, response.headers, bytes(body))
                    raise malformed(answer, "an answer that does not end", self.redactor)
        except (urllib3.exceptions.HTTPError, OSError):
            answer = Answer(response.status_code, response.headers, bytes(body))
            raise malformed(answer, "an answer that was cut short", self.redactor, cut=True) from None
        return Answer(response.status_code, response.headers, bytes(body))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"


def _place(url: SplitResult) -> tuple[str, str | None, int]:
    return url.scheme, url.hostname, url.port or {"http": 80}.get(url.scheme, 443)


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
