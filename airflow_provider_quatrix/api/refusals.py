"""What an error response means: its exception, a CAPTCHA block, a refused login."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeGuard

from airflow_provider_quatrix.api.errors import (
    CODE_ADDRESS_BLOCKED,
    CODE_MFA_REQUIRED,
    CODE_NOT_FOUND,
    CODE_OBJECT_EXISTS,
    CODE_PIN_REQUIRED,
    CODE_QUOTA_EXCEEDED,
    CODE_RESTRICTED,
    CODE_WRONG_FACTOR,
    SEARCHED_BYTES,
    QuatrixApiError,
    QuatrixAuthenticationError,
    QuatrixCaptchaRequired,
    QuatrixConflict,
    QuatrixError,
    QuatrixMfaRequired,
    QuatrixNotFound,
    QuatrixPermissionDenied,
    QuatrixQuotaExceeded,
    QuatrixRateLimited,
    QuatrixResponseError,
    QuatrixSessionExpired,
    malformed,
)
from airflow_provider_quatrix.api.redaction import DEEPEST, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_quatrix.api.messages import Response

DEFAULT_CAPTCHA_PATTERN = "captcha"
THROTTLING_STATUSES = (429, 509)

# These are about files and objects, and their names may contain the word "captcha".
_OBJECT_CODES = (*CODE_OBJECT_EXISTS, *CODE_NOT_FOUND, CODE_QUOTA_EXCEEDED)
_OBJECT_STATUSES = (404, 409, 410, 416)
_OBJECT_NAMES = frozenset({"name", "old_name", "filename", "file_name", "path"})
# Responses of these calls contain no names of files, so even a success may be searched.
_SESSION_CALLS = "session/"
_SEARCHED_AT_SUCCESS = ("session/login", "session/keepalive")
# Proxies and firewalls send it with a challenge. Other 5xx are failures of the service.
_BUSY = 503
_NO = frozenset({"", "false", "no", "0", "none", "null"})

# A session id is sent in a header, and servers accept some 8,000 bytes of headers.
_HEADER_VALUE = re.compile(r"[!-~]{1,4096}")
_LONGEST_MESSAGE = 1000


def is_session_id(value: object) -> TypeGuard[str]:
    """Return whether a value can be sent as a session id: printable ASCII without blanks, at most 4,096 characters."""
    return isinstance(value, str) and _HEADER_VALUE.fullmatch(value) is not None


def is_captcha_block(response: Response, pattern: str = DEFAULT_CAPTCHA_PATTERN, *, path: str = "") -> bool:
    """Return whether a response says that a CAPTCHA has to be passed.

    The service does not publish the status, code or form of a block. So a block is recognised by its words, in any
    refusal (JSON or page), and in responses to a login or keepalive that are not a success. Members that are false,
    empty or null (``captcha_required: false``) do not count, nor do responses about files.

    :param pattern: regular expression; case does not matter.
    :param path: of the request, below the API's root.
    """
    body = response.json()
    if not _may_demand(response.status, body, path):
        return False
    words = _text(response) if body is None else "\n".join((_message(body), *_said(body)))
    # A response may repeat the path of its request. There, unblock-captcha is not a demand.
    return re.search(pattern, words.replace(path, "") if path else words, re.IGNORECASE) is not None


def _may_demand(status: int, body: Any, path: str) -> bool:
    """Return whether a response may demand a CAPTCHA: it is not content, not about files and not an outage."""
    members = body if isinstance(body, dict) else {}
    if status < 300:
        return path in _SEARCHED_AT_SUCCESS and not is_session_id(members.get("session_id"))
    if members.get("code") in _OBJECT_CODES:
        return False
    if status in _OBJECT_STATUSES:
        return path.startswith(_SESSION_CALLS)
    return 400 <= status < 500 or status == _BUSY


def _text(response: Response) -> str:
    return response.body[:SEARCHED_BYTES].decode("utf-8", "replace")


def _said(body: Any, name: str = "", depth: int = 0) -> Iterator[str]:
    """Yield the content of a JSON response as lines of name and value."""
    if depth > DEEPEST:
        return
    if isinstance(body, dict):
        for key, value in body.items():
            if depth == 0 or key.lower() not in _OBJECT_NAMES:
                yield from _said(value, key, depth + 1)
    elif isinstance(body, list):
        for value in body:
            yield from _said(value, name, depth + 1)
    elif body and str(body).strip().lower() not in _NO:
        yield f"{name}: {body}" if name else str(body)


def blocked_session_id(response: Response) -> str | None:
    """Return the session id that a refused login sends for passing the CAPTCHA, if any."""
    body = response.json()
    details = body.get("details") if isinstance(body, dict) else None
    candidates = (
        details.get("session_id") if isinstance(details, dict) else None,
        body.get("session_id") if isinstance(body, dict) else None,
        response.headers.get("X-Auth-Token"),
    )
    return next(filter(is_session_id, candidates), None)


def _by_code(code: int | None) -> type[QuatrixApiError] | None:
    if code in CODE_OBJECT_EXISTS:
        return QuatrixConflict
    if code in CODE_NOT_FOUND:
        return QuatrixNotFound
    if code in CODE_RESTRICTED or code == CODE_ADDRESS_BLOCKED:
        return QuatrixPermissionDenied
    if code == CODE_QUOTA_EXCEEDED:
        return QuatrixQuotaExceeded
    return None


_BY_STATUS: dict[int, type[QuatrixApiError]] = {
    401: QuatrixSessionExpired,
    403: QuatrixPermissionDenied,
    404: QuatrixNotFound,
    409: QuatrixConflict,
    507: QuatrixQuotaExceeded,
}


def _unauthorized(code: int | None) -> type[QuatrixApiError]:
    if code in CODE_WRONG_FACTOR:
        return QuatrixAuthenticationError
    if code in (CODE_MFA_REQUIRED, CODE_PIN_REQUIRED):
        return QuatrixMfaRequired
    if code == CODE_ADDRESS_BLOCKED:
        return QuatrixPermissionDenied
    return QuatrixSessionExpired


def error_class(status: int, code: int | None) -> type[QuatrixApiError]:
    """Return the exception class of an error response.

    The status decides if it is clear by itself (401, 429, 509 and the server's own failures). Otherwise the service's
    error code does, which is more precise.
    """
    if status in THROTTLING_STATUSES:
        return QuatrixRateLimited
    if status >= 500 and status not in _BY_STATUS:
        return QuatrixApiError
    if status == 401:
        return _unauthorized(code)
    return _by_code(code) or _BY_STATUS.get(status, QuatrixApiError)


def error_from(
    response: Response,
    *,
    redact: Callable[[str], str],
    captcha_pattern: str = DEFAULT_CAPTCHA_PATTERN,
    path: str = "",
    retry_after: float | None = None,
) -> QuatrixError:
    """Return the exception for a response that is not a success.

    :param response: has a status of 300 or more, or is a CAPTCHA block.
    :param captcha_pattern: how a CAPTCHA block is recognised.
    :param path: of the request, below the API's root.
    :param retry_after: seconds that the response asks to wait.
    """
    body = response.json()
    code, msg, details = _model(body, redact)
    if is_captcha_block(response, captcha_pattern, path=path):
        block = QuatrixCaptchaRequired(response.status, code, msg, details, retry_after=retry_after)
        block.session_id = blocked_session_id(response)
        return block
    if not isinstance(body, dict) and response.body.strip() and response.status != 429:
        return malformed(response, "a response that is not JSON", redact, retry_after=retry_after)
    return error_class(response.status, code)(response.status, code, msg, details, retry_after=retry_after)


def _model(body: Any, redact: Callable[[str], str]) -> tuple[int | None, str, dict[str, Any]]:
    if not isinstance(body, dict):
        return None, "", {}
    code, details = body.get("code"), body.get("details")
    return (
        code if isinstance(code, int) and not isinstance(code, bool) else None,
        redact(_message(body)[:SEARCHED_BYTES])[:_LONGEST_MESSAGE],
        without_secrets(details, redact) if isinstance(details, dict) else {},
    )


def _message(body: Any) -> str:
    """Return the message of a response, from the documented member or a usual one."""
    members = body if isinstance(body, dict) else {}
    texts = (members.get(name) for name in ("msg", "message", "error", "error_description"))
    return next((text for text in texts if isinstance(text, str) and text.strip()), "")


def refuses_login(error: BaseException) -> bool:
    """Return whether a login was refused, so that other tasks would be refused too.

    A refusal is any response that the API does not promise: a page of a firewall or captive portal, a redirect, any
    4xx. Not refusals: 429 and 408 ("later"), responses that were cut short, failures of the server (5xx), no response.

    :return: ``True`` if nobody should sign in again soon.
    """
    if isinstance(error, QuatrixCaptchaRequired):
        return True
    if not isinstance(error, QuatrixApiError | QuatrixResponseError):
        return False
    cut = isinstance(error, QuatrixResponseError) and error.cut
    return 200 <= error.status < 500 and error.status not in (408, 429) and not (cut and error.status < 300)
