"""A small client of the control calls, for tests and scripts; the emulator may run anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import quote, urlsplit

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

API = "/api/1.0/"
TIMEOUT_SECONDS = 30.0


class EmulatorControlError(RuntimeError):
    """A control call was refused."""


def full_path(path: str) -> str:
    """Complete a path.

    :param path: from the root with a leading slash, or below ``/api/1.0/`` without one.
    :return: the path from the root.
    """
    return path if path.startswith("/") else API + path


class EmulatorHandle:
    """An emulator that runs somewhere.

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

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection to the control calls; the emulator goes on."""
        self._http.close()

    @property
    def host(self) -> str:
        """The host and port without the scheme.

        :return: for example ``127.0.0.1:8580``.
        """
        return urlsplit(self.url).netloc

    @property
    def api_url(self) -> str:
        """The base of the API.

        :return: the URL, with a slash at the end.
        """
        return self.url + API

    # Looking

    def state(self) -> dict[str, Any]:
        """Everything the emulator shows.

        :return: settings, users, sessions, blocks, faults, counters, recent calls, clock.
        """
        return self._call("GET", "state")

    @property
    def counters(self) -> dict[str, Any]:
        """The counters since the last reset.

        :return: numbers by name, and ``by_call``.
        """
        counters: dict[str, Any] = self.state()["counters"]
        return counters

    @property
    def logins(self) -> int:
        """Login attempts that were sent, whatever became of them.

        :return: their number.
        """
        return int(self.counters["logins"])

    @property
    def requests(self) -> int:
        """Requests to the service, control calls left out.

        :return: their number.
        """
        return int(self.counters["requests"])

    def calls(self, method: str, path: str) -> int:
        """How often a call was made.

        :param method: HTTP method.
        :param path: such as ``session/keepalive``, or from the root with a leading slash; ids as ``{id}``.
        :return: the number.
        """
        counts: dict[str, int] = self.counters["by_call"]
        return counts.get(f"{method.upper()} {full_path(path)}", 0)

    @property
    def recent_calls(self) -> list[dict[str, Any]]:
        """The last calls.

        :return: newest first, with time, method, path, status, user and milliseconds.
        """
        calls: list[dict[str, Any]] = self.state()["calls"]
        return calls

    @property
    def users(self) -> dict[str, dict[str, Any]]:
        """The users.

        :return: by e-mail.
        """
        users: dict[str, dict[str, Any]] = self.state()["users"]
        return users

    @property
    def sessions(self) -> list[dict[str, Any]]:
        """The sessions that live or wait, oldest first.

        :return: with ``id``, ``email``, ``stage``, ``blocked``, ``time_left``.
        """
        sessions: list[dict[str, Any]] = self.state()["sessions"]
        return sessions

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """The CAPTCHA blocks.

        :return: with ``kind`` (``user`` or ``session``), ``email`` and for a session ``session_id``.
        """
        blocks: list[dict[str, Any]] = self.state()["blocks"]
        return blocks

    # Changing

    def reset(
        self,
        *,
        settings: Mapping[str, Any] | None = None,
        users: Sequence[Mapping[str, Any]] | None = None,
        api_keys: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Return to how the emulator was started: no sessions, no blocks, no faults, counters zero, clock right.

        :param settings: what shall differ from the settings of the start.
        :param users: users instead of those of the start.
        :param api_keys: API keys instead of those of the start.
        """
        body = {"settings": settings, "users": users, "api_keys": api_keys}
        self._call("POST", "reset", {name: value for name, value in body.items() if value is not None})

    def configure(self, **settings: Any) -> None:
        """Change settings.

        :param settings: by name.
        """
        self._call("POST", "settings", settings)

    def add_user(
        self,
        email: str,
        password: str,
        totp_secret: str | None = None,
        pin: str | None = None,
        *,
        name: str = "",
        is_contact: bool = False,
    ) -> None:
        """Add a user, or describe an existing one anew; then sessions, blocks and counts stay.

        :param email: the login.
        :param password: the password.
        :param totp_secret: base32 secret of a second factor by app.
        :param pin: five characters of a second factor by PIN.
        :param name: the name in the profile.
        :param is_contact: whether this is a contact.
        """
        body = {
            "email": email,
            "password": password,
            "totp_secret": totp_secret,
            "pin": pin,
            "name": name,
            "is_contact": is_contact,
        }
        self._call("POST", "users", body)

    def add_api_key(self, key: str, email: str, status: Literal["A", "D"] = "A") -> None:
        """Add or replace an API key.

        :param key: the secret of the Bearer header.
        :param email: whose key it is.
        :param status: ``A`` active, ``D`` deactivated.
        """
        self._call("POST", "api-keys", {"key": key, "email": email, "status": status})

    def block_user(self, email: str) -> None:
        """Block a user until a CAPTCHA is passed.

        :param email: whom.
        """
        self._call("POST", f"users/{quote(email, safe='')}/block")

    def unblock_user(self, email: str) -> None:
        """Lift the block of a user and of all sessions of theirs, as a person does who passes the CAPTCHA.

        :param email: whom.
        """
        self._call("POST", f"users/{quote(email, safe='')}/unblock")

    def block_session(self, session_id: str) -> None:
        """Block one session until a CAPTCHA is passed; its user can still log in.

        :param session_id: which.
        """
        self._call("POST", f"sessions/{quote(session_id, safe='')}/block")

    def unblock_session(self, session_id: str) -> None:
        """Lift the block of one session and of its user, as ``session/unblock-captcha`` does.

        :param session_id: which.
        """
        self._call("POST", f"sessions/{quote(session_id, safe='')}/unblock")

    def expire_session(self, session_id: str) -> None:
        """End one session as if its time had run out.

        :param session_id: which.
        """
        self._call("POST", f"sessions/{quote(session_id, safe='')}/expire")

    def expire_sessions(self, email: str | None = None) -> int:
        """End sessions as if their time had run out.

        :param email: whose; None for all.
        :return: how many there were.
        """
        return int(self._call("POST", "sessions/expire", {"email": email})["expired"])

    def fault(
        self,
        path: str,
        *,
        method: str | None = None,
        times: int | None = 1,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        delay: float | None = None,
        cut: Literal["connection", "body"] | None = None,
        probability: float | None = None,
        after: int = 0,
        carry_out: bool = False,
    ) -> None:
        """Let a call go wrong. Without status and body the emulator's own answer is used.

        :param path: such as ``session/keepalive``, or from the root with a leading slash; ``*`` matches anything.
        :param method: HTTP method; None for all.
        :param times: how many calls it strikes; None for all.
        :param status: status of the answer.
        :param headers: headers of the answer, or further headers of the emulator's own.
        :param body: body of the answer; anything but text is sent as JSON.
        :param delay: seconds of real time to wait first.
        :param cut: ``connection`` closes without an answer, ``body`` in the middle of it.
        :param probability: how likely it strikes a matching call; None for always.
        :param after: how many matching calls it lets pass first.
        :param carry_out: whether the call takes effect although its answer is lost.
        """
        wanted = {
            "path": full_path(path),
            "method": method,
            "times": times,
            "status": status,
            "headers": dict(headers or {}),
            "body": body,
            "delay": delay or 0.0,
            "cut": cut,
            "probability": probability,
            "after": after,
            "carry_out": carry_out,
        }
        self._call("POST", "faults", wanted)

    def clear_faults(self) -> None:
        """Disarm all faults."""
        self._call("DELETE", "faults")

    def advance(self, seconds: float) -> None:
        """Advance the emulator's clock.

        :param seconds: how far.
        """
        self._call("POST", "clock", {"advance": seconds})

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        answer = self._http.request(method, f"{self.url}/_emulator/{path}", json=body, timeout=TIMEOUT_SECONDS)
        try:
            result: dict[str, Any] = answer.json()
        except ValueError:
            result = {}
        if not answer.ok:
            reason = result.get("error") or result.get("msg") or answer.reason
            raise EmulatorControlError(f"{method} {path.partition('/')[0]}: {answer.status_code} {reason}")
        return result
