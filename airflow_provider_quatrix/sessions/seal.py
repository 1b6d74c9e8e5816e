"""Seals a session's record so that only who can read the connection can use the session."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

if TYPE_CHECKING:
    from airflow_provider_quatrix.api.auth import Credentials

_PURPOSE = b"airflow-provider-quatrix session record 1"


class Seal:
    """Encrypts with a key derived from all that a connection signs in with.

    Another password, second factor, login or host gives another key, so that a record made with the old ones
    is void without anybody having to delete it.

    :param base_url: the account's address.
    :param credentials: the connection's.
    """

    def __init__(self, base_url: str, credentials: Credentials) -> None:
        material = json.dumps(
            [base_url, credentials.login, credentials.password, credentials.totp_secret, credentials.pin]
        ).encode()
        key = HKDF(algorithm=SHA256(), length=64, salt=None, info=_PURPOSE).derive(material)
        self._fernet = Fernet(base64.urlsafe_b64encode(key[:32]))
        self.fingerprint = key[32:].hex()
        """Tells connections apart in memory without naming what they hold."""

    def close(self, text: str) -> str:
        """Return ``text`` sealed."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str | None:
        """Return what was sealed, or ``None`` if it was sealed with another key or is no seal at all."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except (InvalidToken, ValueError):
            return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
