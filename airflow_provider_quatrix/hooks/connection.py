"""The fields of a Quatrix connection: one table for the forms of Airflow 2 and 3, and for checking."""

from __future__ import annotations

import json
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.providers.common.compat.sdk import Connection

CONN_TYPE = "quatrix"
HOOK_NAME = "Quatrix"
HOOK_CLASS = "airflow_provider_quatrix.hooks.quatrix.QuatrixHook"
# How much of a value is shown in an error.
_SHOWN = 100
_FORM_PREFIX = f"extra__{CONN_TYPE}__"

RELABELING = {"host": "Account host", "login": "E-mail", "password": "Password"}
HIDDEN_FIELDS = ["schema"]
PLACEHOLDERS = {
    "host": "acme.quatrix.it",
    "login": "robot@acme.example",
    "port": "443",
}


class InvalidConnectionError(ValueError):
    """A field of the connection is missing or wrong; nothing was sent.

    :param problem: what is wrong and how to fix it.
    """

    def __init__(self, conn_id: str, name: str, problem: str) -> None:
        super().__init__(conn_id, name, problem)

    def __str__(self) -> str:
        return f"Connection {self.args[0]!r}: {self.without_id}"

    @property
    def without_id(self) -> str:
        """What is wrong, without the connection's id."""
        _, name, problem = self.args
        return f"{name} {problem}"


@dataclass(frozen=True)
class ExtraField:
    """A member of the connection's extra.

    :param description: shown below the field.
    :param json_type: JSON type of the value.
    :param default: used if the member is absent or empty.
    :param secret: shown as dots.
    :param choices: the only values.
    """

    name: str
    label: str
    description: str
    json_type: str = "string"
    default: Any = None
    secret: bool = False
    choices: tuple[str, ...] = ()

    def json_schema(self) -> dict[str, Any]:
        """Return the field's JSON schema, from which Airflow 3 makes the form."""
        schema: dict[str, Any] = {"type": [self.json_type, "null"]}
        if self.secret:
            schema["format"] = "password"
        if self.choices:
            schema["enum"] = [*self.choices, None]
        if self.json_type == "number":
            schema["minimum"] = 1
        if self.default is not None:
            schema["default"] = self.default
        return schema


EXTRA_FIELDS = (
    ExtraField(
        "api_key",
        "API key",
        "Best for unattended work: with a key there is no login, no expiry and no CAPTCHA. Made in the profile page.",
        secret=True,
    ),
    ExtraField(
        "totp_secret",
        "2FA secret (TOTP)",
        "Base32 secret of the authenticator app, for accounts with 2FA.",
        secret=True,
    ),
    ExtraField("pin", "PIN", "For accounts whose second factor is a PIN.", secret=True),
    ExtraField(
        "verify",
        "Verify TLS certificates",
        "true, false, or the path of a file with the CA certificates to trust.",
        default="true",
    ),
    ExtraField("proxy", "Proxy", "URL of a proxy for all calls; its password is kept secret.", secret=True),
    ExtraField("connect_timeout", "Connect timeout (s)", "Seconds to wait for a connection.", "number", 10),
    ExtraField("read_timeout", "Read timeout (s)", "Seconds to wait for the next bytes of an answer.", "number", 60),
    ExtraField(
        "captcha_pattern",
        "CAPTCHA pattern",
        "Regular expression that recognises a CAPTCHA block in an error's text, regardless of case.",
        default="captcha",
    ),
    ExtraField(
        "unblock_method",
        "Unblock method",
        "How a CAPTCHA token is handed in: POST, or GET as later published clients do.",
        default="POST",
        choices=("POST", "GET"),
    ),
)


def conn_fields() -> dict[str, dict[str, Any]]:
    """Return the extra fields as provider metadata, for the form of Airflow 3."""
    return {
        entry.name: {"label": entry.label, "description": entry.description, "schema": entry.json_schema()}
        for entry in EXTRA_FIELDS
    }


def ui_field_behaviour() -> dict[str, Any]:
    """Return how the forms of Airflow 2 and 3 show the standard fields."""
    return {
        "hidden_fields": HIDDEN_FIELDS,
        "relabeling": RELABELING,
        "placeholders": PLACEHOLDERS,
    }


@dataclass(frozen=True)
class ConnectionSettings:
    """A checked Quatrix connection.

    :param base_url: scheme and host.
    :param login: e-mail address; empty with an API key.
    :param password: password; empty with an API key.
    """

    conn_id: str
    base_url: str
    login: str = field(repr=False)
    password: str = field(repr=False)
    api_key: str | None = field(default=None, repr=False)
    totp_secret: str | None = field(default=None, repr=False)
    pin: str | None = field(default=None, repr=False)
    verify: bool | str = True
    proxy: str | None = field(default=None, repr=False)
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    captcha_pattern: str = "captcha"
    unblock_method: str = "POST"

    @classmethod
    def from_connection(cls, connection: Connection) -> ConnectionSettings:
        """Check a connection.

        :return: its settings.
        :raises InvalidConnectionError: a field is missing or wrong; the message names it and the fix, never a secret
            value.
        """
        conn_id = connection.conn_id or ""
        check = _Checker(conn_id)
        if _is_broken_uri(connection):
            raise InvalidConnectionError(
                conn_id,
                "URI",
                "has a password that ends early: write @ as %40, / as %2F, # as %23 and ? as %3F, or use the JSON form",
            )
        extra = _extra(check, connection.extra)
        check.value("port", _port, connection.port)
        base_url = check.value("host", read_host, connection.host, connection.port)
        for name in ("login", "password"):
            check.value(name, _encodable, getattr(connection, name) or "")
        api_key = extra.get("api_key")
        login = (connection.login or "").strip()
        if api_key is None:
            check.value("login", _login, login)
            if _is_blank(connection.password):
                raise InvalidConnectionError(
                    conn_id, "password", "is missing: set it, or an `api_key` in the extra, which needs no login"
                )
        return cls(conn_id, base_url, login, connection.password or "", **extra)


@dataclass(frozen=True)
class _Checker:
    conn_id: str

    def value(self, name: str, convert: Callable[..., Any], *raw: Any) -> Any:
        """Return a field converted by ``convert``; an error names the connection and the field."""
        try:
            return convert(*raw)
        except ValueError as error:
            raise InvalidConnectionError(self.conn_id, name, str(error)) from None


def _extra(check: _Checker, text: str | None) -> dict[str, Any]:
    members = _unprefixed(check.value("extra", _object, text))
    known = {entry.name for entry in EXTRA_FIELDS}
    unknown = sorted(set(members) - known)
    if unknown:
        raise InvalidConnectionError(
            check.conn_id,
            "extra",
            f"has unknown members {', '.join(map(repr, unknown))}: known are {', '.join(sorted(known))}",
        )
    return {
        name: check.value(f"extra `{name}`", _CONVERTERS[name], value)
        for name, value in members.items()
        if not _is_blank(value)
    }


def _is_broken_uri(connection: Connection) -> bool:
    """Return whether parts of a URI's password, or its login, have ended up in other fields."""
    misplaced = "@" in (connection.host or "") and not connection.login and not connection.password
    return (
        misplaced
        or "@" in (connection.schema or "")
        or re.search(r'"[^"]*@[^"]*": ""', connection.extra or "") is not None
    )


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _unprefixed(members: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the prefix of the names that Airflow 2.11's form sends; names without it take precedence."""
    plain = {name: value for name, value in members.items() if not name.startswith(_FORM_PREFIX)}
    for name, value in members.items():
        if name.startswith(_FORM_PREFIX) and _is_blank(plain.get(name.removeprefix(_FORM_PREFIX))):
            plain[name.removeprefix(_FORM_PREFIX)] = value
    return plain


def _object(text: str | None) -> Mapping[str, Any]:
    try:
        members = json.loads(text) if text and text.strip() else None
    except (ValueError, RecursionError):
        raise ValueError('is not JSON: write an object such as {"totp_secret": "..."}') from None
    if members is None:
        return {}
    if not isinstance(members, dict):
        raise ValueError(  # noqa: TRY004 - a field's value, no argument
            'is not a JSON object: write one such as {"totp_secret": "..."}'
        )
    return members


def _port(port: int | None) -> None:
    if port is not None and not 1 <= port <= 65_535:
        raise ValueError("is not from 1 to 65535: leave it empty for the usual one")


def read_host(host: str | None, port: int | None = None) -> str:
    """Return the address of an account, such as ``https://acme.quatrix.it``.

    :param host: a host, the account's name alone, or a URL.
    :param port: used if the host has none.
    :raises ValueError: it is none of them; the message follows the field's name.
    """
    if not host or not host.strip():
        raise ValueError("is missing: set the account's host, such as acme.quatrix.it")
    host = host.strip()
    try:
        url = urlsplit(host if "://" in host else f"https://{host}")
        url_port = url.port
    except ValueError:
        raise ValueError("is not a host or URL: write acme.quatrix.it or https://acme.quatrix.it") from None
    if url.scheme not in ("https", "http"):
        raise ValueError(f"has the scheme {url.scheme!r}: only https and http work")
    if url.username or url.password:
        raise ValueError("contains credentials: put them into login and password")
    if not url.hostname or not re.fullmatch(r"[A-Za-z0-9._:-]+", url.hostname) or url_port == 0:
        raise ValueError("is not a host or URL: write acme.quatrix.it or https://acme.quatrix.it")
    if url.query or url.fragment or url.path.rstrip("/") not in ("", "/api/1.0"):
        raise ValueError("has a path: write only the host, the API's path is added")
    name = url.hostname
    if "://" not in host and "." not in name and ":" not in name and name != "localhost":
        name = f"{name}.quatrix.it"
    if ":" in name:
        name = f"[{name}]"
    number = url_port or port
    return f"{url.scheme}://{name}" + (f":{number}" if number else "")


def _login(login: str) -> None:
    if not login:
        raise ValueError("is missing: set the e-mail address, or an `api_key` in the extra, which needs no login")
    if ":" in login:
        raise ValueError("contains a colon, which Basic authentication cannot carry: check the e-mail address")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("is not text: put the value in quotes")  # noqa: TRY004 - a field's value, no argument
    _encodable(value)
    return value.strip()


def _encodable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        # JSON can contain halves of characters (surrogates).
        raise ValueError("contains half of a character, which has no UTF-8 form: enter it again") from None


def _api_key(value: Any) -> str:
    key = _text(value)
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("contains blanks or characters that no key has: copy it again")
    return key


def _totp_secret(value: Any) -> str:
    from airflow_provider_quatrix.api.auth import check_totp_secret

    secret = _text(value)
    try:
        check_totp_secret(secret)
    except ValueError as error:
        raise ValueError(f"{error}: copy the secret that Quatrix shows when 2FA is set up") from None
    return secret


def _pin(value: Any) -> str:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)


def _verify(value: Any) -> bool | str:
    if isinstance(value, bool):
        return value
    text = _text(value)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    path = Path(text)
    try:
        path.stat()
        problem = ""
    except FileNotFoundError:
        problem = "does not exist here"
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    except ValueError:
        problem = "contains a character that no path can have"
    if problem:
        raise ValueError(f"names {text[:_SHOWN]!r}, which {problem}: give true, false or the path of a CA file")
    if path.is_file():
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
        except OSError:
            raise ValueError(f"names {text!r}, which contains no readable certificate in PEM form") from None
    return text


def _proxy(value: Any) -> str:
    text = _text(value)
    try:
        url = urlsplit(text)
        valid = url.scheme in ("http", "https", "socks5", "socks5h") and bool(url.hostname) and url.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("is not a proxy's URL: write it like http://proxy.example:3128")
    return text


def _seconds(value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError  # noqa: TRY301 - for Python true is 1, for people it is not
        seconds = float(value)
    except (TypeError, ValueError):
        raise ValueError("is not a number of seconds") from None
    if not 0 < seconds < 86_400:
        raise ValueError("must be more than 0 and less than 86400 seconds")
    return seconds


def _pattern(value: Any) -> str:
    text = _text(value)
    try:
        matches_all = re.search(text, "", re.IGNORECASE) is not None
    except re.error as error:
        raise ValueError(f"is not a regular expression ({error})") from None
    if matches_all:
        raise ValueError("matches any text, so that every refusal would be a CAPTCHA block")
    return text


def _unblock_method(value: Any) -> str:
    text = _text(value).upper()
    if text not in ("POST", "GET"):
        raise ValueError(f"is {text!r}: give POST or GET")
    return text


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "api_key": _api_key,
    "totp_secret": _totp_secret,
    "pin": _pin,
    "verify": _verify,
    "proxy": _proxy,
    "connect_timeout": _seconds,
    "read_timeout": _seconds,
    "captcha_pattern": _pattern,
    "unblock_method": _unblock_method,
}
