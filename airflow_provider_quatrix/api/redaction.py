"""Keeps secrets out of texts that people read: exception messages, log lines, ``repr``."""

from __future__ import annotations

import json
import logging
import re
import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

if TYPE_CHECKING:
    from collections.abc import Callable

MASK = "***"

# A process that renews sessions for months must not collect every id it ever saw; an id this far back
# has long been ended by the service.
_MOST_REMEMBERED = 1_000
# Shorter values (a PIN of two digits, say) would tear holes into harmless text.
_SHORTEST = 4

# Ids of sessions and links are UUIDs. A cut-short answer may hold only the first part of one that nobody
# told us about yet, hence the pattern needs no complete UUID.
_UUID_LIKE = re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{1,4}-?){0,3}[0-9a-fA-F]{0,12}")
_SECRET_MEMBER = re.compile(
    r"""(["']?(?:session_?id|token|x-auth-token|upload_?key|key|api_?key|password|code|pin|secret|authorization)["']?"""
    r"""\s*[:=]\s*["']?)(?!\d{1,3}\b)[^"'\s,;&}]+""",
    re.IGNORECASE,
)


class Redactor:
    """The secrets of one client, and the means to take them out of a text.

    :param on_secret: called once with every new secret, so that a host application can teach it to its own
        log masking.
    """

    def __init__(self, on_secret: Callable[[str], None] | None = None) -> None:
        self._on_secret = on_secret
        self._secrets: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        # Read without the lock, which a forked child may inherit in the hands of a thread that it lacks.
        self._secrets_read: tuple[str, ...] = ()
        _wire_log_filter.watch(self)

    def add(self, *secrets: str | None, announce: bool = True) -> None:
        """Remember secrets; empty and very short values are ignored.

        :param secrets: values to take out of texts.
        :param announce: tell ``on_secret``. Keys and links that serve one file are many and live for minutes; a host
            application's masking would grow with every one of them.
        """
        for secret in secrets:
            if secret and len(secret) >= _SHORTEST:
                for form in _forms(secret):
                    self._add(form, announce=announce)

    def _add(self, secret: str, *, announce: bool) -> None:
        with self._lock:
            known = secret in self._secrets
            self._secrets[secret] = None
            self._secrets.move_to_end(secret)
            while len(self._secrets) > _MOST_REMEMBERED:
                self._secrets.popitem(last=False)
            if not known:
                self._secrets_read = tuple(self._secrets)
        if announce and not known and self._on_secret is not None:
            self._on_secret(secret)

    def known(self, text: str) -> str:
        """Replace the known secrets in ``text``."""
        return _masked(text, self.found(text))

    def found(self, text: str) -> set[str]:
        """Return the known secrets that ``text`` holds."""
        return {secret for secret in self._secrets_read if secret in text}

    def __call__(self, text: str) -> str:
        """Replace the known secrets in ``text``, and all that looks like one.

        :param text: what a server sent or an error says.
        :return: the text, safe to log.
        """
        return _UUID_LIKE.sub(MASK, _SECRET_MEMBER.sub(rf"\1{MASK}", self.known(text)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(secrets={len(self._secrets)})"


def _masked(text: str, secrets: set[str]) -> str:
    # The longest first, for one may be part of another, whose rest would stay.
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _forms(secret: str) -> set[str]:
    """Return a secret as it is, as a URL holds it and as JSON holds it."""
    return {secret, quote_plus(secret), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}


class _WireLogFilter(logging.Filter):
    """Masks urllib3's lines, which name the URL and so an upload key, a link or a CAPTCHA token."""

    def __init__(self) -> None:
        super().__init__()
        # A list, whose changes need no lock: any thread may log while another makes or drops a client.
        self._redactors: list[weakref.ref[Redactor]] = []

    def watch(self, redactor: Redactor) -> None:
        """Mask the secrets of a redactor for as long as it is in use."""
        self._redactors.append(weakref.ref(redactor, self._redactors.remove))

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record's message; every record passes.

        :param record: a line of urllib3's connection log.
        :return: always ``True``.
        """
        message = record.getMessage()
        watched = [redactor for reference in tuple(self._redactors) if (redactor := reference()) is not None]
        secrets = {secret for redactor in watched for secret in redactor.found(message)}
        if secrets:
            record.msg, record.args = _masked(message, secrets), ()
        return True


_wire_log_filter = _WireLogFilter()
# All of urllib3's loggers that name URLs; a filter of a logger sees only what is logged to that very logger.
for _name in ("connectionpool", "connection", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_wire_log_filter)
