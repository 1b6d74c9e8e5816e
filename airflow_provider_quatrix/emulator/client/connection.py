"""The connection to an emulator's control calls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

API = "/api/1.0/"
TIMEOUT_SECONDS = 30.0


class EmulatorControlError(RuntimeError):
    """A control call was refused."""


class Connection:
    """Calls an emulator that runs somewhere.

    :param url: scheme, host and port.
    :param ca_file: certificate to trust; None for the usual ones.
    """

    def __init__(self, url: str, ca_file: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.ca_file = ca_file
        self._http = requests.Session()
        # The emulator is reached directly, whatever proxy the code under test is given.
        self._http.trust_env = False
        if ca_file is not None:
            self._http.verify = ca_file

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection to the control calls; the emulator continues."""
        self._http.close()

    @property
    def host(self) -> str:
        """Host and port, such as ``127.0.0.1:8580``."""
        return urlsplit(self.url).netloc

    @property
    def api_url(self) -> str:
        """The base URL of the API, with a slash at the end."""
        return self.url + API

    def state(self) -> dict[str, Any]:
        """Everything the emulator shows.

        :return: settings, users, sessions, blocks, faults, counters, recent calls, clock.
        """
        return self._call("GET", "state")

    def _stream(self, path: str) -> Iterator[bytes]:
        url = f"{self.url}/_emulator/{path}"
        with self._http.get(url, timeout=TIMEOUT_SECONDS, stream=True) as answer:
            if not answer.ok:
                raise EmulatorControlError(f"GET files: {answer.status_code} {answer.json()['error']}")
            yield from answer.iter_content(1 << 20)

    def _call(self, method: str, path: str, body: object = None, data: bytes | None = None) -> dict[str, Any]:
        url = f"{self.url}/_emulator/{path}"
        answer = self._http.request(method, url, json=body, data=data, timeout=TIMEOUT_SECONDS)
        try:
            result: dict[str, Any] = answer.json()
        except ValueError:
            result = {}
        if not answer.ok:
            reason = result.get("error") or result.get("msg") or answer.reason
            raise EmulatorControlError(f"{method} {re.split('[/?]', path)[0]}: {answer.status_code} {reason}")
        return result
