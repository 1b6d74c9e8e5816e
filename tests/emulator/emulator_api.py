"""Plain HTTP against the emulator, as any client would speak it."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

EMAIL = "robot@example.com"
PASSWORD = "Emulator-Passw0rd"
CAPTCHA = {"code": 70, "msg": "Captcha required", "details": {"captcha_required": True}}
NOT_AUTHORIZED = {"code": 70, "msg": "Not authorized"}


@dataclass
class Api:
    url: str
    verify: str | bool = True

    def call(self, method: str, path: str, token: str | None = None, **kwargs: Any) -> requests.Response:
        headers = dict(kwargs.pop("headers", {}))
        if token is not None:
            headers["X-Auth-Token"] = token
        url = self.url + (path if path.startswith("/") else f"/api/1.0/{path}")
        return requests.request(
            method, url, headers=headers, timeout=kwargs.pop("timeout", 10), verify=self.verify, **kwargs
        )

    def login(self, email: str = EMAIL, password: str = PASSWORD) -> requests.Response:
        return self.call("GET", "session/login", auth=(email.encode(), password.encode()))

    def session(self, email: str = EMAIL, password: str = PASSWORD) -> str:
        answer = self.login(email, password)
        assert answer.status_code == 200, answer.text
        return answer.json()["session_id"]

    def keepalive(self, token: str | None) -> requests.Response:
        return self.call("GET", "session/keepalive", token)

    def logout(self, token: str | None) -> requests.Response:
        return self.call("GET", "session/logout", token)

    def profile(self, token: str | None) -> requests.Response:
        return self.call("GET", "profile", token)

    def second(self, token: str | None, auth_type: object, code: object) -> requests.Response:
        return self.call("POST", "session/login", token, json={"auth_type": auth_type, "code": code})

    def unblock(self, token: str | None, captcha: object = "passed") -> requests.Response:
        return self.call("POST", "session/unblock-captcha", token, json={"token": captcha})

    def bearer(self, key: str, path: str) -> requests.Response:
        return self.call("GET", path, headers={"Authorization": f"Bearer {key}"})


def raw(url: str, request: bytes) -> bytes:
    """Send bytes, and read until the server closes the connection. A reset counts as closed."""
    parts = urlsplit(url)
    received = bytearray()
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(request)
        try:
            while piece := connection.recv(65536):
                received += piece
        except ConnectionResetError:
            pass
    return bytes(received)
