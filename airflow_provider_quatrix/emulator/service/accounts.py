"""Users and API keys."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pyotp
from pydantic import ConfigDict

from ..settings import Count, ShareType  # noqa: TC001 - pydantic reads the annotations
from .errors import UnknownObjectError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .context import Context

PIN_LENGTH = 5
CODE_MEMORY_SECONDS = 600.0
"""After more steps the same six digits can be another code."""

ACCOUNT_ID = str(uuid.uuid5(uuid.NAMESPACE_DNS, "emulator.quatrix.example"))

KeyStatus = Literal["A", "D"]
SecondFactor = Literal["2FA", "PIN"]


def stable_id(*parts: str) -> str:
    """Make a UUID that is the same in every run.

    :param parts: what the id is for.
    """
    return str(uuid.uuid5(uuid.UUID(ACCOUNT_ID), "/".join(parts)))


@dataclass(frozen=True)
class UserSpec:
    """A user as a test describes it.

    :param email: the login; upper and lower case do not differ.
    :param totp_secret: base32 secret of a user with a second factor by app.
    :param pin: five characters of a user with a second factor by PIN.
    :param name: the name in the profile; made from the e-mail when empty.
    :param is_contact: whether this is a contact, who has no account of their own.
    :param share_types: which types of shares the user may make; those of the settings when None.
    :param max_files_per_share: how many files a share of the user may have; as the settings say when None.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    email: str
    password: str = field(repr=False)
    totp_secret: str | None = field(default=None, repr=False)
    pin: str | None = field(default=None, repr=False)
    name: str = ""
    is_contact: bool = False
    share_types: tuple[ShareType, ...] | None = None
    max_files_per_share: Count | None = None

    def __post_init__(self) -> None:
        if "@" not in self.email or ":" in self.email:
            raise ValueError("email must contain '@' and no ':'")
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
        """The e-mail in lower case, by which the user is found."""
        return self.email.casefold()

    @property
    def second_factor(self) -> SecondFactor | None:
        """The ``auth_type`` of the second step of a login; None when the password is enough."""
        if self.totp_secret is not None:
            return "2FA"
        return "PIN" if self.pin is not None else None


def same_text(one: str, other: str) -> bool:
    """Compare secrets, in a time that does not reveal where they differ."""
    # JSON can contain lone surrogates, which UTF-8 cannot encode.
    return hmac.compare_digest(one.encode(errors="surrogatepass"), other.encode(errors="surrogatepass"))


class _Totp(pyotp.TOTP):
    """Codes from a secret of any length: many services use 80 bits, which pyotp refuses."""

    def byte_secret(self) -> bytes:
        """Decode the secret; blanks in it, its case and its padding do not matter."""
        compact = self.secret.replace(" ", "").rstrip("=")
        return base64.b32decode(compact + "=" * (-len(compact) % 8), casefold=True)


def _check_totp_secret(secret: str) -> None:
    try:
        usable = bool(_Totp(secret).byte_secret())
    except (binascii.Error, ValueError):
        usable = False
    if not usable:
        raise ValueError("totp_secret must be base32")


@dataclass(frozen=True)
class ApiKeySpec:
    """An API key as a test describes it.

    :param key: the secret of the Bearer header.
    :param email: the key's user.
    :param status: ``A`` active, ``D`` deactivated.
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
        """The last four characters, which may be shown."""
        return self.key[-4:]


@dataclass
class ApiKey:
    """An API key as the emulator remembers it."""

    spec: ApiKeySpec
    created: float
    modified: float

    @property
    def id(self) -> str:
        """A UUID that reveals nothing of the key to those who do not know it."""
        return stable_id("api-key", self.spec.key)

    @property
    def owner(self) -> str:
        """The key under which the user is found."""
        return self.spec.email.casefold()


@dataclass
class User:
    """A user and what the emulator has seen of them."""

    spec: UserSpec
    created: float
    failed_logins: int = 0
    blocked: bool = False
    logins: int = 0
    _codes: dict[str, float] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        """A UUID that depends on the e-mail only."""
        return stable_id("user", self.spec.key)

    @property
    def name(self) -> str:
        """The name in the description, or else what is before the ``@``."""
        return self.spec.name or self.spec.email.partition("@")[0]

    @property
    def account_id(self) -> str | None:
        """The account this user may act in; None for a contact."""
        return None if self.spec.is_contact else ACCOUNT_ID

    def password_is(self, password: str) -> bool:
        """Compare a password."""
        return same_text(password, self.spec.password)

    def pin_is(self, pin: str) -> bool:
        """Compare a PIN."""
        return same_text(pin, self.spec.pin or "")

    def totp_is(self, code: str) -> bool:
        """Check a TOTP code, by the wall clock since the client has no other.

        :return: whether it is the code of now or of a neighbouring half minute.
        """
        secret = self.spec.totp_secret
        return secret is not None and code.isascii() and _Totp(secret).verify(code, valid_window=1)

    def seen_code(self, code: str) -> bool:
        """Remember a TOTP code, right or wrong.

        :return: whether it was received before.
        """
        now = time.time()
        self._codes = {old: at for old, at in self._codes.items() if now - at < CODE_MEMORY_SECONDS}
        seen = code in self._codes
        self._codes.setdefault(code, now)
        return seen


class Accounts:
    """The users and their API keys."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._users: dict[str, User] = {}
        self._keys: dict[str, ApiKey] = {}

    def reset(self, users: Iterable[UserSpec], api_keys: Iterable[ApiKeySpec]) -> None:
        """Replace all users and keys.

        :param api_keys: keys of these users.
        """
        now = self._context.clock.now()
        self._users = {spec.key: User(spec, now) for spec in users}
        self._keys = {spec.key: ApiKey(spec, now, now) for spec in api_keys}

    @property
    def users(self) -> list[User]:
        """All users, oldest first."""
        return list(self._users.values())

    @property
    def api_keys(self) -> list[ApiKey]:
        """All API keys, oldest first."""
        return list(self._keys.values())

    def find(self, email: str) -> User | None:
        """Find a user by e-mail, in any case."""
        return self._users.get(email.casefold())

    def named(self, email: str) -> User:
        """Find the user of a control call.

        :param email: in any case.
        :raises UnknownObjectError: when there is none.
        """
        user = self.find(email)
        if user is None:
            raise UnknownObjectError(f"No user {email}")
        return user

    def add_user(self, spec: UserSpec) -> User:
        """Add a user, or change an existing one. Sessions, blocks and counts stay."""
        user = self._users.setdefault(spec.key, User(spec, self._context.clock.now()))
        user.spec = spec
        return user

    def add_api_key(self, spec: ApiKeySpec) -> ApiKey:
        """Add or replace an API key.

        :raises UnknownObjectError: when its user does not exist.
        """
        self.named(spec.email)
        now = self._context.clock.now()
        old = self._keys.get(spec.key)
        self._keys[spec.key] = ApiKey(spec, old.created if old else now, now)
        return self._keys[spec.key]

    def remove_api_key(self, key: ApiKey) -> None:
        """Remove an API key."""
        del self._keys[key.spec.key]

    def keys_of(self, user: User) -> list[ApiKey]:
        """List the API keys of a user."""
        return [key for key in self._keys.values() if key.owner == user.spec.key]

    def user_of_key(self, api_key: str) -> User | None:
        """Find the user whose active API key this is."""
        key = self._keys.get(api_key)
        return self._users[key.owner] if key and key.spec.status == "A" else None
