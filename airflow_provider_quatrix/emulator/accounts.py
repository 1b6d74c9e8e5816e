"""Users, API keys and sessions as the emulator remembers them."""

from __future__ import annotations

import binascii
import hmac
import time
import uuid
from dataclasses import dataclass, field
from typing import Literal

import pyotp
from pydantic import ConfigDict

PIN_LENGTH = 5
CODE_MEMORY_SECONDS = 600.0
"""After so long the same six digits can be another TOTP code, so they are forgotten."""

ACCOUNT_ID = str(uuid.uuid5(uuid.NAMESPACE_DNS, "emulator.quatrix.example"))

KeyStatus = Literal["A", "D"]
SecondFactor = Literal["2FA", "PIN"]
Stage = Literal["ready", "2FA", "PIN", "refused"]


def stable_id(*parts: str) -> str:
    """An id that is the same in every run, so that what a test saw once it sees again.

    :param parts: what the id is for.
    :return: a UUID.
    """
    return str(uuid.uuid5(uuid.UUID(ACCOUNT_ID), "/".join(parts)))


@dataclass(frozen=True)
class UserSpec:
    """A user as a test describes one.

    :param email: the login; upper and lower case do not differ.
    :param password: the password.
    :param totp_secret: base32 secret of a user with a second factor by app.
    :param pin: five characters of a user with a second factor by PIN.
    :param name: the name in the profile; made from the e-mail when empty.
    :param is_contact: whether this is a contact, who has no account of their own.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    email: str
    password: str = field(repr=False)
    totp_secret: str | None = field(default=None, repr=False)
    pin: str | None = field(default=None, repr=False)
    name: str = ""
    is_contact: bool = False

    def __post_init__(self) -> None:
        if "@" not in self.email or ":" in self.email:
            raise ValueError("email must hold '@' and no ':'")
        if not self.password:
            raise ValueError("password must not be empty")
        if self.totp_secret is not None and self.pin is not None:
            raise ValueError("a user has a TOTP secret or a PIN, not both")
        if self.pin is not None and len(self.pin) != PIN_LENGTH:
            raise ValueError(f"pin must have {PIN_LENGTH} characters")
        if self.totp_secret is not None:
            _check_totp_secret(self.totp_secret)

    @property
    def key(self) -> str:
        """What the user is found by.

        :return: the e-mail in one case.
        """
        return self.email.casefold()

    @property
    def second_factor(self) -> SecondFactor | None:
        """What this user must give besides the password.

        :return: the ``auth_type`` of the second step, or None.
        """
        if self.totp_secret is not None:
            return "2FA"
        return "PIN" if self.pin is not None else None


def _same(one: str, other: str) -> bool:
    # JSON can hold halves of characters, which have no UTF-8 form of their own.
    return hmac.compare_digest(one.encode(errors="surrogatepass"), other.encode(errors="surrogatepass"))


def _check_totp_secret(secret: str) -> None:
    try:
        # Making a code finds what is wrong with a secret in every release of pyotp; some refuse short ones.
        pyotp.TOTP(secret).now()
        usable = bool(secret)
    except (binascii.Error, ValueError):
        usable = False
    if not usable:
        raise ValueError("totp_secret must be base32 of at least 23 characters")


@dataclass(frozen=True)
class ApiKeySpec:
    """An API key as a test describes one.

    :param key: the secret of the Bearer header.
    :param email: whose key it is.
    :param status: ``A`` active, ``D`` deactivated.
    :param name: what the user calls it.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    key: str = field(repr=False)
    email: str
    status: KeyStatus = "A"
    name: str = ""

    def __post_init__(self) -> None:
        if not self.key or not self.key.isascii() or any(char.isspace() for char in self.key):
            raise ValueError("key must be ASCII without blanks, and not empty")

    @property
    def hint(self) -> str:
        """What may be shown of the key.

        :return: its last four characters.
        """
        return self.key[-4:]


@dataclass
class ApiKey:
    """An API key as the emulator remembers it.

    :param spec: the description.
    :param created: when it was made.
    :param modified: when it was last changed.
    """

    spec: ApiKeySpec
    created: float
    modified: float

    @property
    def id(self) -> str:
        """The key's id.

        :return: a UUID that tells nothing of the key to those who do not know it.
        """
        return stable_id("api-key", self.spec.key)

    @property
    def owner(self) -> str:
        """Whose it is.

        :return: what the user is found by.
        """
        return self.spec.email.casefold()


@dataclass
class User:
    """A user and what the emulator has seen of them.

    :param spec: the description.
    :param created: when the user was added.
    """

    spec: UserSpec
    created: float
    failed_logins: int = 0
    blocked: bool = False
    logins: int = 0
    _codes: dict[str, float] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        """The user's id.

        :return: a UUID that depends on the e-mail only.
        """
        return stable_id("user", self.spec.key)

    @property
    def name(self) -> str:
        """The user's name.

        :return: what the description says, or else what is before the ``@``.
        """
        return self.spec.name or self.spec.email.partition("@")[0]

    @property
    def account_id(self) -> str | None:
        """The account this user may act in.

        :return: a UUID; None for a contact.
        """
        return None if self.spec.is_contact else ACCOUNT_ID

    def password_is(self, password: str) -> bool:
        """Compare a password.

        :param password: what came in.
        :return: whether it is the user's.
        """
        return _same(password, self.spec.password)

    def pin_is(self, pin: str) -> bool:
        """Compare a PIN.

        :param pin: what came in.
        :return: whether it is the user's.
        """
        return _same(pin, self.spec.pin or "")

    def totp_is(self, code: str) -> bool:
        """Check a TOTP code, by the wall clock since the client has no other.

        :param code: what came in.
        :return: whether it is the code of now or of a neighbouring half minute.
        """
        secret = self.spec.totp_secret
        return secret is not None and code.isascii() and pyotp.TOTP(secret).verify(code, valid_window=1)

    def seen_code(self, code: str) -> bool:
        """Remember a TOTP code, right or wrong.

        :param code: what came in.
        :return: whether it had come in before.
        """
        now = time.time()
        self._codes = {old: at for old, at in self._codes.items() if now - at < CODE_MEMORY_SECONDS}
        seen = code in self._codes
        self._codes.setdefault(code, now)
        return seen


@dataclass
class Session:
    """A session, live or waiting for something.

    :param id: what the client sends as ``X-Auth-Token``.
    :param user: whose session it is.
    :param stage: ``ready``; ``2FA`` or ``PIN`` while the second factor is missing; ``refused`` when it was handed out
        by a blocked login with a wrong password.
    :param created: when it was opened.
    :param last_used: when a call was last accepted on it.
    :param by_refusal: whether a blocked login handed it out and the block has not been lifted since.
    :param blocked: whether this one session waits for a CAPTCHA.
    """

    id: str = field(repr=False)
    user: User
    stage: Stage
    created: float
    last_used: float
    by_refusal: bool = False
    blocked: bool = False


@dataclass(frozen=True)
class Caller:
    """Who makes a call.

    :param user: the user.
    :param session: the session; None when an API key was used.
    """

    user: User
    session: Session | None
