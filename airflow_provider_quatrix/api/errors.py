"""The exceptions of this package."""

from __future__ import annotations

import errno
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.redaction import without_secrets, without_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_quatrix.api.messages import Response

# The service's error codes, as far as its clients agree.
CODE_OBJECT_EXISTS = (30, 31, 32)
CODE_NOT_FOUND = (20, 90)
CODE_RESTRICTED = (50,)
CODE_MFA_REQUIRED = 71
CODE_PIN_REQUIRED = 73
CODE_ADDRESS_BLOCKED = 74
CODE_WRONG_FACTOR = (83, 84)
CODE_QUOTA_EXCEEDED = 122

# So many bytes of a body are searched for secrets before its first characters are shown.
SEARCHED_BYTES = 1024 * 1024
_SHOWN = 200


class QuatrixError(Exception):
    """Any failure of a call to Quatrix."""


class TransportStage(Enum):
    """How far a request got before the connection failed."""

    ADDRESS = "address"
    TLS = "tls"
    PROXY = "proxy"
    SETTINGS = "settings"
    SENT = "sent"


class QuatrixTransportError(QuatrixError):
    """No complete response: the host is unreachable, its certificate is bad, or the connection broke.

    :param stage: where the connection failed.
    :param sent: the server may have received a part of this request, or of one that it redirected; default: whether the
        stage is ``SENT``.
    """

    def __init__(
        self, message: str, stage: TransportStage = TransportStage.ADDRESS, *, sent: bool | None = None
    ) -> None:
        super().__init__(message, stage)
        self.stage = stage
        self.sent = stage is TransportStage.SENT if sent is None else sent

    def __str__(self) -> str:
        return str(self.args[0])


class QuatrixResponseError(QuatrixError):
    """A response that the API does not promise: HTML, cut short, not JSON, a member missing.

    :param message: one line for people, with the first bytes of the response, secrets masked.
    :param cut: the response ended before it was complete.
    :param retry_after: seconds that the response asks to wait; ``None`` if it does not.
    """

    def __init__(self, message: str, status: int, *, cut: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message, status)
        self.status = status
        self.cut = cut
        self.retry_after = retry_after

    def __str__(self) -> str:
        return str(self.args[0])


class QuatrixTransferError(QuatrixError):
    """A file was not transferred completely: the source changed, sizes differ, or the target is gone."""


class QuatrixApiError(QuatrixError):
    """The service refused a call.

    :param code: the service's error code; ``None`` if the response had none.
    :param msg: the service's message, secrets masked.
    :param details: the service's details, without members that are credentials.
    :param retry_after: seconds that the response asks to wait; ``None`` if it does not.
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
        shown = without_secrets(dict(details or {}))
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

    :ivar second_factor: the password was right, the second factor was wrong.
    :ivar clock_offset: seconds that the service's clock is ahead of this host's, if a TOTP code was refused and the
        clocks are more than half a minute apart.
    :ivar typed_code: the second factor was a code that a person entered for this login.
    """

    second_factor: bool = False
    typed_code: bool = False
    clock_offset: float | None = None


class QuatrixSessionExpired(QuatrixApiError):
    """The session has ended; another login is needed."""


class QuatrixMfaRequired(QuatrixApiError):
    """The account requires a second factor that the connection does not have."""


class QuatrixCaptchaRequired(QuatrixApiError):
    """A person has to pass a CAPTCHA before the account works again.

    :ivar session_id: id of the blocked session, needed to unblock it; ``None`` if unknown. Never shown or pickled.
    """

    session_id: str | None = None


class QuatrixRateLimited(QuatrixApiError):
    """Too many calls: the service or this package's own login budget refuses more."""


class QuatrixLoginBudgetExhausted(QuatrixRateLimited):
    """The login budget of this package is used up; nothing was sent.

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
    """An API error that is also the builtin error that callers of file functions catch."""

    # These replace the attributes of the same names, which OSError fills by position from any arguments.
    errno: int
    filename: None = None

    @property
    def strerror(self) -> str:  # type: ignore[override]  # read by callers, set by none
        """The message, as callers of file functions read it."""
        return str(self)


class QuatrixNotFound(_OsError, FileNotFoundError):
    """No such file, folder, share or other object."""

    errno = errno.ENOENT


class QuatrixConflict(_OsError, FileExistsError):
    """The object's name is taken."""

    errno = errno.EEXIST


class QuatrixPermissionDenied(_OsError, PermissionError):
    """The account may not do this."""

    errno = errno.EACCES


class QuatrixQuotaExceeded(_OsError):
    """The account's storage is used up."""

    errno = errno.ENOSPC


def malformed(
    response: Response,
    what: str,
    redact: Callable[[str], str],
    *,
    cut: bool = False,
    retry_after: float | None = None,
) -> QuatrixResponseError:
    """Return the error for a response that the API does not promise, with its first bytes, secrets masked.

    :param what: what is wrong with it, as in "Quatrix sent ...".
    :param cut: the response ended before it was complete.
    :param retry_after: seconds that the response asks to wait.
    """
    # Masked before it is cut, as half a secret cannot be recognised.
    excerpt = redact(response.body[:SEARCHED_BYTES].decode("utf-8", "replace"))[: 2 * _SHOWN]
    excerpt = without_tokens(excerpt)[:_SHOWN]
    shown = f" that begins {excerpt!r}" if excerpt else ""
    return QuatrixResponseError(
        f"Quatrix sent {what} (HTTP {response.status}){shown}", response.status, cut=cut, retry_after=retry_after
    )
