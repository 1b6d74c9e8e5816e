"""The command ``quatrix-emulator``."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

try:
    from .server import EmulatorServer
    from .service.accounts import ApiKeySpec, UserSpec
    from .settings import EmulatorSettings
except ImportError as missing:
    sys.exit(f"quatrix-emulator needs the extra airflow-provider-quatrix[emulator] ({missing})")

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_USER = UserSpec("robot@example.com", "Emulator-Passw0rd")
MAX_PORT = 65535


class _Parser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to {MAX_PORT}")
    return int(text)


def _user(text: str) -> UserSpec:
    email, _, rest = text.partition(":")
    password, colon, secret = rest.partition(":")
    try:
        return UserSpec(email, password, totp_secret=secret if colon else None)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error} (the form is EMAIL:PASSWORD[:TOTP_SECRET])") from None


def _api_key(text: str) -> ApiKeySpec:
    key, _, email = text.rpartition(":")
    try:
        return ApiKeySpec(key, email)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error} (the form is KEY:EMAIL)") from None


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("the form is NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _parser() -> _Parser:
    parser = _Parser(
        prog="quatrix-emulator",
        description="A Quatrix server to test and demonstrate against. It protects nothing: keep it off public"
        " networks.",
        allow_abbrev=False,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8580, help="port; 0 picks a free one (default: %(default)s)")
    parser.add_argument("--tls", action="store_true", help="speak HTTPS, with a certificate made at the start")
    parser.add_argument(
        "--ca-file", metavar="PATH", help="with --tls: where to write the certificate that clients must trust"
    )
    parser.add_argument(
        "--tls-name", metavar="NAME", action="append", default=[], help="with --tls: a further host name"
    )
    parser.add_argument(
        "--user",
        metavar="EMAIL:PASSWORD[:TOTP_SECRET]",
        type=_user,
        action="append",
        help=f"a user; may be repeated (default: {DEFAULT_USER.email} with password {DEFAULT_USER.password})",
    )
    parser.add_argument(
        "--api-key", metavar="KEY:EMAIL", type=_api_key, action="append", default=[], help="an API key of a user"
    )
    parser.add_argument(
        "--data-dir", metavar="PATH", help="existing folder for the contents of files (default: a temporary one)"
    )
    parser.add_argument(
        "--setting",
        metavar="NAME=VALUE",
        type=_setting,
        action="append",
        default=[],
        help="how to behave where the service's documentation says nothing; the value is JSON or plain text",
    )
    return parser


def _server(parser: _Parser, argv: Sequence[str] | None) -> EmulatorServer:
    options = parser.parse_args(argv)
    if not options.tls and (options.ca_file or options.tls_name):
        parser.error("--ca-file and --tls-name need --tls")
    try:
        return EmulatorServer(
            EmulatorSettings().replace(**dict(options.setting)),
            options.user or [DEFAULT_USER],
            options.api_key,
            host=options.host,
            port=options.port,
            tls=options.tls,
            ca_file=options.ca_file,
            tls_names=options.tls_name,
            data_dir=options.data_dir,
        )
    except ValueError as error:
        parser.error(str(error))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the emulator until SIGINT or SIGTERM.

    :param argv: arguments; those of the process when None.
    :return: 0; 1 when the address or the CA file cannot be used.
    """
    parser = _parser()
    server = _server(parser, argv)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stopped.set())
    try:
        server.start()
    except OSError as error:
        sys.stderr.write(f"{parser.prog}: {error.strerror or error}: {error.filename or server.url}\n")
        return 1
    try:
        sys.stdout.write(f"Quatrix emulator listening on {server.url}\n")
        sys.stdout.flush()
        stopped.wait()
    finally:
        server.stop()
    return 0
