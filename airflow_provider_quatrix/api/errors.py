"""Quatrix's error answers as exceptions; the only place that recognises a CAPTCHA block."""

from __future__ import annotations

import errno
import json
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEFAULT_CAPTCHA_PATTERN = "captcha"

# Codes of the service's error answers, as far as clients of it agree on them.
CODE_OBJECT_EXISTS = (30, 31, 32)
CODE_NOT_FOUND = (20, 90)
CODE_RESTRICTED = (50,)
CODE_MFA_REQUIRED = 71
CODE_PIN_REQUIRED = 73
CODE_ADDRESS_BLOCKED = 74
CODE_WRONG_FACTOR = (83, 84)
CODE_QUOTA_EXCEEDED = 122

# What these codes say is said by files and objects, whose names may well hold the word "captcha".
_NO_BLOCK = (*CODE_OBJECT_EXISTS, *CODE_NOT_FOUND, CODE_QUOTA_EXCEEDED)

# Of a body that came, this much is searched for secrets before its first characters are shown.
_SEARCHED = 1024 * 1024
_SHOWN = 200

# Members of ``details`` that are credentials of somebody.
_SECRET_DETAILS = frozenset({"session_id", "token", "upload_key", "key", "pin", "code"})


class QuatrixError(Exception):
    """Any failure of this package's conversation with Quatrix."""


class TransportStage(Enum):
    """How far a request came before the connection failed it."""

    ADDRESS = "address"
    TLS = "tls"
    PROXY = "proxy"
    SETTINGS = "settings"
    SENT = "sent"


class QuatrixTransportError(QuatrixError):
    """No complete answer: the host is unreachable, its certificate is bad, or the connection broke.

    :param message: one line for a person.
    :param stage: how far the request came. All but ``SENT`` mean that the server never got it.
    """

    def __init__(self, message: str, stage: TransportStage = TransportStage.ADDRESS) -> None:
        super().__init__(message, stage)
        self.stage = stage

    def __str__(self) -> str:
        return str(self.args[0])


class QuatrixResponseError(QuatrixError):
    """An answer that is not what the API promises: HTML, cut short, not JSON, a member missing.

    :param message: one line for a person, with the first bytes of the answer, secrets masked.
    :param status: HTTP status of the answer.
    :param cut: the answer ended before it was complete.
    :param retry_after: seconds the answer asks to wait, ``None`` where it does not.
    """

    def __init__(self, message: str, status: int, *, cut: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message, status)
        self.status = status
        self.cut = cut
        self.retry_after = retry_after

    def __str__(self) -> str:
        return str(self.args[0])


class QuatrixTransferError(QuatrixError):
    """A file could not be moved whole: the source changed, sizes differ, or its place is gone."""


class QuatrixApiError(QuatrixError):
    """The service refused a call.

    :param status: HTTP status.
    :param code: the service's error code, ``None`` where the answer had none.
    :param msg: the service's message, secrets masked.
    :param details: the service's details, without members that are credentials.
    :param retry_after: seconds the answer asks to wait, ``None`` where it does not.
    """

    def __init__(
        self,
        status: int,
        code: int | None = None,
        msg: str = "",
        details: Mapping[str, Any] | None = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        shown = {k: v for k, v in (details or {}).items() if k.lower() not in _SECRET_DETAILS}
        super().__init__(status, code, msg, shown)
        self.status = status
        self.code = code
        self.msg = msg
        self.details = shown
        self.retry_after = retry_after

    def __str__(self) -> str:
        code = "" if self.code is None else f", code {self.code}"
        return f"{self.msg or 'Quatrix refused the call'} (HTTP {self.status}{code})"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in vars(self).items() if name != "session_id"}
        return type(self), (self.status, self.code, self.msg, self.details), state


class QuatrixAuthenticationError(QuatrixApiError):
    """The credentials were rejected: wrong password, second factor or API key.

    :ivar second_factor: the password was right, the second factor was not.
    """

    second_factor: bool = False


class QuatrixSessionExpired(QuatrixApiError):
    """The session is not known any more; another login is needed."""


class QuatrixMfaRequired(QuatrixApiError):
    """The account wants a second factor that the connection does not hold."""


class QuatrixCaptchaRequired(QuatrixApiError):
    """A person has to pass a CAPTCHA before the account works again.

    :ivar session_id: id of the blocked session, needed to unblock it; ``None`` where unknown. Never shown, and
        left behind when the error is pickled.
    """

    session_id: str | None = None


class QuatrixRateLimited(QuatrixApiError):
    """Too many calls, by the service's count or by this package's own login budget."""


class QuatrixLoginBudgetExhausted(QuatrixRateLimited):
    """The package's own limit of login attempts is reached; nothing was sent.

    :param retry_after: seconds until the next attempt is allowed.
    :param limit: the most attempts in the window.
    :param window: seconds that an attempt counts.
    """

    def __init__(self, *, retry_after: float, limit: int, window: float) -> None:
        super().__init__(
            0,
            None,
            f"{limit} logins were attempted in the last {window / 60:g} minutes, and Quatrix blocks accounts that "
            f"try more often. The next attempt is allowed in {retry_after:.0f} s; nothing was sent",
            {"limit": limit, "window": window},
            retry_after=retry_after,
        )

    def __str__(self) -> str:
        return self.msg

    def __reduce__(self) -> tuple[Any, ...]:
        return _exhausted, (self.retry_after, self.details["limit"], self.details["window"])


def _exhausted(retry_after: float, limit: int, window: float) -> QuatrixLoginBudgetExhausted:
    return QuatrixLoginBudgetExhausted(retry_after=retry_after, limit=limit, window=window)


class _OsError(QuatrixApiError, OSError):
    """An API error that is also the builtin which a caller of file functions would catch."""

    _errno: int

    def __init__(
        self,
        status: int,
        code: int | None = None,
        msg: str = "",
        details: Mapping[str, Any] | None = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status, code, msg, details, retry_after=retry_after)
        # OSError's own attributes are set by hand: its constructor never sees the arguments it expects.
        self.errno = self._errno
        self.strerror = str(self)
        self.filename = None


class QuatrixNotFound(_OsError, FileNotFoundError):
    """No such file, folder, share or other object."""

    _errno = errno.ENOENT


class QuatrixConflict(_OsError, FileExistsError):
    """An object of that name exists already."""

    _errno = errno.EEXIST


class QuatrixPermissionDenied(_OsError, PermissionError):
    """The account may not do this."""

    _errno = errno.EACCES


class QuatrixQuotaExceeded(_OsError):
    """The account's storage is used up."""

    _errno = errno.ENOSPC


@dataclass(frozen=True)
class Answer:
    """A complete HTTP answer.

    :param status: HTTP status.
    :param headers: case-insensitive headers.
    :param body: the whole body.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """Return the decoded body, or ``None`` where it is not JSON (an empty body is not)."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def __repr__(self) -> str:
        # Bodies and headers carry session ids.
        return f"Answer(status={self.status}, {len(self.body)} bytes)"


def is_captcha_block(answer: Answer, pattern: str = DEFAULT_CAPTCHA_PATTERN) -> bool:
    """Tell whether an answer says that a CAPTCHA has to be passed.

    The service publishes neither a status nor a code for a block, so it is recognised by its words, in
    ``msg`` and ``details``. A detail that is false, empty or null (``captcha_required: false``) says nothing.

    :param answer: the answer of any call.
    :param pattern: regular expression, matched regardless of case.
    :return: ``True`` for a block.
    """
    body = answer.json()
    if not 400 <= answer.status < 500 or not isinstance(body, dict) or body.get("code") in _NO_BLOCK:
        return False
    words = f"{body.get('msg', '')} {json.dumps(_said(body.get('details')), ensure_ascii=False)}"
    return re.search(pattern, words, re.IGNORECASE) is not None


def _said(details: Any) -> Any:
    if isinstance(details, dict):
        return {name: _said(value) for name, value in details.items() if value}
    return details or ""


def blocked_session_id(answer: Answer) -> str | None:
    """Return the session id that a refused login hands out for passing the CAPTCHA, if it does."""
    body = answer.json()
    details = body.get("details") if isinstance(body, dict) else None
    candidates = (
        details.get("session_id") if isinstance(details, dict) else None,
        body.get("session_id") if isinstance(body, dict) else None,
        answer.headers.get("X-Auth-Token"),
    )
    return next((c for c in candidates if isinstance(c, str) and c), None)


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
    """Return the exception that an error answer stands for.

    The status decides where it is telling by itself (401, 429, 509 and the server's own failures); below
    that the service's code is the finer of the two.

    :param status: HTTP status.
    :param code: the service's error code.
    :return: a class of the tree.
    """
    if status in (429, 509):
        return QuatrixRateLimited
    if status >= 500 and status not in _BY_STATUS:
        return QuatrixApiError
    if status == 401:
        return _unauthorized(code)
    return _by_code(code) or _BY_STATUS.get(status, QuatrixApiError)


def error_from(
    answer: Answer,
    *,
    redact: Callable[[str], str],
    captcha_pattern: str = DEFAULT_CAPTCHA_PATTERN,
    retry_after: float | None = None,
) -> QuatrixError:
    """Turn an answer that is not a success into the exception it stands for.

    :param answer: an answer with a status of 300 or more, or with a body that is not what was promised.
    :param redact: takes secrets out of a text.
    :param captcha_pattern: how a CAPTCHA block is recognised in ``msg`` and ``details``.
    :param retry_after: seconds the answer asks to wait.
    :return: an exception, ready to be raised.
    """
    body = answer.json()
    code, msg, details = _model(body, redact)
    if is_captcha_block(answer, captcha_pattern):
        block = QuatrixCaptchaRequired(answer.status, code, msg, details)
        block.session_id = blocked_session_id(answer)
        return block
    if not isinstance(body, dict) and answer.body.strip() and answer.status != 429:
        return malformed(answer, "an answer that is not JSON", redact, retry_after=retry_after)
    return error_class(answer.status, code)(answer.status, code, msg, details, retry_after=retry_after)


def malformed(
    answer: Answer,
    what: str,
    redact: Callable[[str], str],
    *,
    cut: bool = False,
    retry_after: float | None = None,
) -> QuatrixResponseError:
    """Describe an answer that the API does not promise, with its first bytes, secrets masked.

    :param answer: what came.
    :param what: the matter with it, as in "Quatrix sent ...".
    :param redact: takes secrets out of a text.
    :param cut: the answer ended before it was complete.
    :param retry_after: seconds the answer asks to wait.
    :return: an exception, ready to be raised.
    """
    # Searched before it is cut, for the first half of a secret looks like nothing that could be recognised.
    excerpt = redact(answer.body[:_SEARCHED].decode("utf-8", "replace"))[:_SHOWN]
    shown = f" that begins {excerpt!r}" if excerpt else ""
    return QuatrixResponseError(
        f"Quatrix sent {what} (HTTP {answer.status}){shown}", answer.status, cut=cut, retry_after=retry_after
    )


def _model(body: Any, redact: Callable[[str], str]) -> tuple[int | None, str, dict[str, Any]]:
    if not isinstance(body, dict):
        return None, "", {}
    code, details = body.get("code"), body.get("details")
    return (
        code if isinstance(code, int) and not isinstance(code, bool) else None,
        redact(str(body.get("msg", ""))),
        _cleaned(details, redact) if isinstance(details, dict) else {},
    )


def _cleaned(details: dict[str, Any], redact: Callable[[str], str]) -> dict[str, Any]:
    return {k: redact(v) if isinstance(v, str) else v for k, v in details.items() if k.lower() not in _SECRET_DETAILS}
