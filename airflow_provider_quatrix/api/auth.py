"""The steps of a login, without I/O: a generator that yields steps and receives responses.

The steps are a Basic login, then the end (200) or a second factor (207, which is not a success), then the end. The
sender of the steps raises CAPTCHA blocks and rejections; they never get here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyotp

from airflow_provider_quatrix.api.errors import (
    CODE_MFA_REQUIRED,
    CODE_PIN_REQUIRED,
    QuatrixMfaRequired,
    QuatrixResponseError,
)
from airflow_provider_quatrix.api.messages import Repeat, Response
from airflow_provider_quatrix.api.refusals import is_session_id

if TYPE_CHECKING:
    from collections.abc import Callable

TOTP_PERIOD = 30
_CLOCK_STEPS = 2


@dataclass(frozen=True)
class Credentials:
    """What a connection signs in with. ``repr`` shows nothing of it.

    :param totp_secret: base32 secret of the authenticator app, for accounts with 2FA.
    :param pin: PIN, for accounts with a PIN as second factor.
    """

    login: str = field(repr=False)
    password: str = field(repr=False)
    totp_secret: str | None = field(default=None, repr=False)
    pin: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SendPassword:
    """Send ``GET session/login`` with these credentials in a Basic header."""

    authorization: str = field(repr=False)


@dataclass(frozen=True)
class SendCode:
    """Send ``POST session/login`` with a second factor.

    :param session_id: pending session of the 207 response.
    :param auth_type: ``2FA`` or ``PIN``.
    :param totp_step: number of the 30-second step that the code belongs to; to be stored *before* sending.
    :param repeat: when the code may be sent again.
    """

    session_id: str = field(repr=False)
    auth_type: str
    code: str = field(repr=False)
    totp_step: int | None
    repeat: Repeat


@dataclass(frozen=True)
class Wait:
    """Wait before the next step: the code of this half minute was already used."""

    seconds: float


Step = SendPassword | SendCode | Wait
Conversation = Generator[Step, Response | None, str]


def basic_authorization(login: str, password: str) -> str:
    """Return the value of a Basic ``Authorization`` header, in UTF-8."""
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()


def check_totp_secret(secret: str) -> None:
    """Check that a TOTP secret is base32.

    :param secret: as the service shows it when 2FA is set up; spaces and case do not matter.
    :raises ValueError: it is not; the message does not repeat it.
    """
    compact = _compact(secret)
    try:
        base64.b32decode(compact + "=" * (-len(compact) % 8), casefold=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base32 (letters A-Z and digits 2-7)") from None
    if not compact:
        raise ValueError("is empty")


def _compact(secret: str) -> str:
    return secret.replace(" ", "").rstrip("=")


def sign_in(
    credentials: Credentials,
    *,
    now: Callable[[], float],
    mfa_code: str | None = None,
    last_totp_step: int | None = None,
) -> Conversation:
    """Yield the steps of a login.

    :param now: the present, Unix time.
    :param mfa_code: a second factor from a person, for this login only; used instead of the connection's.
    :param last_totp_step: step of the last TOTP code that was sent, so that no code is sent twice.
    :return: the session id, once signed in.
    :raises QuatrixMfaRequired: a second factor is required, and there is none.
    :raises QuatrixResponseError: a response without a session id.
    """
    mfa_code = (mfa_code or "").strip() or None
    response = yield SendPassword(basic_authorization(credentials.login, credentials.password))
    session_id = session_id_of(response)
    if response is None or response.status != 207:
        return session_id
    wanted = response.headers.get("Mfa-Code", "").strip()
    if wanted == str(CODE_MFA_REQUIRED):
        if mfa_code is not None:
            code, step = mfa_code, None
        else:
            code, step = yield from _fresh_totp(credentials.totp_secret, now, last_totp_step)
        response = yield SendCode(session_id, "2FA", code, step, Repeat.UNSENT)
    elif wanted == str(CODE_PIN_REQUIRED):
        pin = mfa_code or credentials.pin
        if pin is None:
            raise QuatrixMfaRequired(
                207,
                CODE_PIN_REQUIRED,
                "The account wants a PIN as second factor: set `pin` in the connection's extra, or an `api_key`, "
                "or pass mfa_code to the login",
            )
        response = yield SendCode(session_id, "PIN", pin, None, Repeat.SAFE)
    else:
        raise QuatrixMfaRequired(
            207,
            None,
            f"The account wants a second factor of a kind that this package does not know (Mfa-Code "
            f"{wanted[:10] or 'absent'}): use an `api_key` in the connection's extra",
        )
    if response is not None and response.status == 207:
        raise QuatrixMfaRequired(
            207,
            None,
            "The account wants a further second factor after the first: use an `api_key` in the connection's extra",
        )
    return session_id_of(response, fallback=session_id)


def _fresh_totp(
    secret: str | None, now: Callable[[], float], last_step: int | None
) -> Generator[Step, Response | None, tuple[str, int]]:
    if secret is None:
        raise QuatrixMfaRequired(
            207,
            CODE_MFA_REQUIRED,
            "The account wants a 2FA code: set `totp_secret` in the connection's extra to sign in unattended, or "
            "an `api_key`, or pass mfa_code to the login",
        )
    step = int(now() // TOTP_PERIOD)
    # A later step was stored by a clock that has been set back since. It is no use to wait for it.
    if last_step is not None and step <= last_step <= step + _CLOCK_STEPS:
        yield Wait((last_step + 1) * TOTP_PERIOD - now())
        step = max(last_step + 1, int(now() // TOTP_PERIOD))
    return _Totp(_compact(secret)).at(step * TOTP_PERIOD), step


class _Totp(pyotp.TOTP):
    """Makes codes from secrets of any length. Many services use 80 bits, which pyotp refuses."""

    def byte_secret(self) -> bytes:
        """Return the decoded secret."""
        return base64.b32decode(self.secret + "=" * (-len(self.secret) % 8), casefold=True)


def clock_offset(response: Response, now: float) -> float | None:
    """Return the difference of the clocks, if that is too large for a TOTP code.

    :param now: the present, Unix time.
    :return: seconds that the service's clock is ahead; ``None`` for half a minute or less, or if it is unknown.
    """
    date = response.date()
    return date - now if date is not None and abs(date - now) > TOTP_PERIOD else None


def session_id_of(response: Response | None, fallback: str | None = None) -> str:
    """Return the session id of a response to a login: from the body, else from the header.

    :param fallback: used if the response has none.
    :raises QuatrixResponseError: there is none anywhere.
    """
    status = 0 if response is None else response.status
    body = None if response is None else response.json()
    for candidate in (
        body.get("session_id") if isinstance(body, dict) else None,
        None if response is None else response.headers.get("X-Auth-Token"),
        fallback,
    ):
        if is_session_id(candidate):
            return candidate
    raise QuatrixResponseError(f"Quatrix answered the login without a session id (HTTP {status})", status)
