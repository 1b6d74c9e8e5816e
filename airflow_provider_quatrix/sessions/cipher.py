"""Encrypts sessions and checkpoints: only someone who can read the connection can use them."""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

if TYPE_CHECKING:
    from airflow_provider_quatrix.api.auth import Credentials

_PURPOSE = b"airflow-provider-quatrix session record 2"
# About 25 ms once per process and account; as much for each password that somebody tries who sees an encrypted text.
_ITERATIONS = 100_000


class RecordCipher:
    """Encrypts with a key derived from everything that a connection signs in with.

    Another password, second factor, login or host gives another key. So texts that were encrypted with the old ones
    become useless, and nobody has to delete them.
    """

    def __init__(self, base_url: str, credentials: Credentials) -> None:
        material = json.dumps(
            [base_url, credentials.login.casefold(), credentials.password, credentials.totp_secret, credentials.pin]
        ).encode()
        key = _key(material)
        self._fernet = Fernet(base64.urlsafe_b64encode(key[:32]))
        self.fingerprint = key[32:48].hex()
        """Distinguishes credentials without revealing them."""

    def encrypt(self, text: str) -> str:
        """Return the encrypted text."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, encrypted: str) -> str | None:
        """Return the plain text; ``None`` if it was encrypted with another key, or not at all."""
        try:
            return self._fernet.decrypt(encrypted.encode()).decode()
        except (InvalidToken, ValueError):
            return None

    @staticmethod
    def encrypted_at(encrypted: str) -> float | None:
        """Return when a text was encrypted, with any key, as Unix time; ``None`` if it was not."""
        try:
            head = base64.urlsafe_b64decode(encrypted[:12])
        except ValueError:
            return None
        # A Fernet token begins with its version and the time.
        return float(int.from_bytes(head[1:9])) if len(head) == 9 and head[0] == 0x80 else None

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


@lru_cache(maxsize=128)
def _key(material: bytes) -> bytes:
    """Return 64 bytes that cannot be computed without the material, and take long to derive from it."""
    slow = PBKDF2HMAC(algorithm=SHA256(), length=32, salt=_PURPOSE, iterations=_ITERATIONS).derive(material)
    return HKDFExpand(algorithm=SHA256(), length=64, info=_PURPOSE).derive(slow)
