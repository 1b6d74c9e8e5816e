"""Keeps secrets out of texts for people: exception messages, log lines, ``repr``."""

from __future__ import annotations

import base64
import html
import json
import logging
import os
import re
import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Callable

MASK = "***"

# A process that runs for months must not keep every session id, upload key and link. The oldest have long ended.
_MOST_REMEMBERED = 1_000
# Masking shorter values, such as a PIN of two digits, would mask harmless text.
_SHORTEST = 4

# Ids of sessions and links are UUIDs. A response that was cut short may contain the first part of an unknown one.
# So the pattern also matches incomplete UUIDs.
_UUID_LIKE = re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{1,4}-?){0,3}[0-9a-fA-F]{0,12}")
_SECRET_MEMBER = re.compile(
    r"""(["']?(?:session_?id|token|x-auth-token|upload_?key|key|api_?key|password|code|pin|secret|authorization)["']?"""
    r"""\s*[:=]\s*["']?)(?!\d{1,3}\b)[^"'\s,;&}]+""",
    re.IGNORECASE,
)

_TOKEN_LIKE = re.compile(r"""[^\s"'<>&;,]{24,}""")

# Members of an error's details that are credentials.
_SECRET_MEMBERS = frozenset(
    {"sessionid", "token", "xauthtoken", "uploadkey", "key", "apikey", "password", "code", "pin", "secret"}
    | {"authorization", "totpsecret"}
)
# No real response is nested this deep, and recursion must end.
DEEPEST = 20


def without_secrets(value: Any, redact: Callable[[str], str] = str, depth: int = 0) -> Any:
    """Return a copy of a decoded JSON value without members that are credentials, at any depth.

    :param depth: levels above ``value``; deeper than 20 levels everything is masked.
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict | list) and depth >= DEEPEST:
        return MASK
    if isinstance(value, dict):
        return {
            redact(name): without_secrets(member, redact, depth + 1)
            for name, member in value.items()
            if name.lower().replace("_", "").replace("-", "") not in _SECRET_MEMBERS
        }
    if isinstance(value, list):
        return [without_secrets(member, redact, depth + 1) for member in value]
    return value


class Redactor:
    """Knows the secrets of one client and removes them from texts.

    :param on_secret: called once with every new secret, for the host application's own log masking.
    """

    def __init__(self, on_secret: Callable[[str], None] | None = None) -> None:
        self._on_secret = on_secret
        self._kept: dict[str, None] = {}
        self._passing: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        _wire_log_filter.watch(self)

    def keep(self, *secrets: str | None) -> None:
        """Remember secrets that stay valid, such as a password or an API key; they are never forgotten.

        :param secrets: values to remove from texts; empty and very short ones are ignored.
        """
        for secret in secrets:
            if secret and len(secret) >= _SHORTEST:
                for form in (*_forms(secret), base64.b64encode(secret.encode()).decode()):
                    with self._lock:
                        known = form in self._kept
                        self._kept[form] = None
                    self._announce(form, known=known)

    def add(self, *secrets: str | None, announce: bool = True) -> None:
        """Remember secrets that expire, such as session ids and links; the oldest are forgotten.

        :param secrets: values to remove from texts; empty and very short ones are ignored.
        :param announce: call ``on_secret``. Not for keys and links of single files: there are many, and they live for
            minutes. The host application's masking would grow with each.
        """
        for secret in secrets:
            if secret and len(secret) >= _SHORTEST:
                for form in _forms(secret):
                    with self._lock:
                        known = form in self._passing
                        self._passing[form] = None
                        self._passing.move_to_end(form)
                        while len(self._passing) > _MOST_REMEMBERED:
                            self._passing.popitem(last=False)
                    self._announce(form, known=known or not announce)

    def renew_lock(self) -> None:
        """Take a new lock, in a child that was just forked."""
        self._lock = threading.Lock()

    @property
    def _secrets(self) -> list[str]:
        # Each copy is one step of the interpreter, so it needs no lock: masking a log line never waits.
        return [*self._kept, *self._passing]

    def _announce(self, secret: str, *, known: bool) -> None:
        if not known and self._on_secret is not None:
            self._on_secret(secret)

    def known(self, text: str) -> str:
        """Mask the known secrets in a text."""
        return _masked(text, self.found(text))

    def found(self, text: str) -> set[str]:
        """Return the known secrets that a text contains."""
        return {secret for secret in self._secrets if secret in text}

    def __call__(self, text: str) -> str:
        """Mask the known secrets in a text, and everything that looks like a secret.

        :param text: what a server sent or an error says.
        :return: a text that may be logged.
        """
        return _UUID_LIKE.sub(MASK, _SECRET_MEMBER.sub(rf"\1{MASK}", self.known(text)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(secrets={len(self._secrets)})"


def without_tokens(text: str) -> str:
    """Mask what looks like a token, in a response that the API does not promise and that contains nothing useful."""

    def masked(match: re.Match[str]) -> str:
        run = match.group()
        return MASK if any(map(str.isdigit, run)) and any(map(str.isalpha, run)) else run

    return _TOKEN_LIKE.sub(masked, text)


def _masked(text: str, secrets: set[str]) -> str:
    # The longest first: a secret may contain another one, and its rest would stay.
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _forms(secret: str) -> set[str]:
    """Return the forms of a secret: plain, in URLs, JSON and HTML, and as decoded from a broken response."""
    urls = {quote_plus(secret), quote(secret), quote(secret, safe="")}
    texts = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], html.escape(secret)}
    return {secret, *urls, *texts, secret.encode(errors="surrogatepass").decode("latin-1")}


class _WireLogFilter(logging.Filter):
    """Masks urllib3's log lines: their URLs may contain an upload key, a link or a CAPTCHA token."""

    def __init__(self) -> None:
        super().__init__()
        # A list needs no lock: any thread may log while another creates or closes a client.
        self._redactors: list[weakref.ref[Redactor]] = []

    def watch(self, redactor: Redactor) -> None:
        """Mask the secrets of a redactor for as long as it is in use."""
        self._redactors.append(weakref.ref(redactor, self._redactors.remove))

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record's message; every record passes."""
        message = record.getMessage()
        secrets = {secret for redactor in self._watched() for secret in redactor.found(message)}
        if secrets:
            record.msg, record.args = _masked(message, secrets), ()
        return True

    def renew_locks(self) -> None:
        """Give a forked child new locks: it lacks the threads that may hold the inherited ones."""
        for redactor in self._watched():
            redactor.renew_lock()

    def _watched(self) -> list[Redactor]:
        return [redactor for reference in tuple(self._redactors) if (redactor := reference()) is not None]


_wire_log_filter = _WireLogFilter()
os.register_at_fork(after_in_child=_wire_log_filter.renew_locks)
# The loggers of urllib3 that log URLs. A filter sees only its own logger's records.
for _name in ("connectionpool", "connection", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_wire_log_filter)
