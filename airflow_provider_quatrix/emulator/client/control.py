"""A client of all control calls, for tests and scripts; the emulator may run anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from .connection import API
from .shares import ShareControls

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def full_path(path: str) -> str:
    """Complete a path.

    :param path: from the root with a leading slash, or below ``/api/1.0/`` without one.
    """
    return path if path.startswith("/") else API + path


class EmulatorClient(ShareControls):
    """An emulator that runs somewhere.

    :param url: scheme, host and port.
    :param ca_file: certificate to trust; None for the usual ones.
    """

    @property
    def counters(self) -> dict[str, Any]:
        """The counters since the last reset.

        :return: numbers by name, and ``by_call``.
        """
        counters: dict[str, Any] = self.state()["counters"]
        return counters

    @property
    def logins(self) -> int:
        """The number of login attempts, failed ones included."""
        return int(self.counters["logins"])

    @property
    def requests(self) -> int:
        """The number of requests, without control calls."""
        return int(self.counters["requests"])

    def calls(self, method: str, path: str) -> int:
        """Count how often a call was made.

        :param path: such as ``session/keepalive``, or from the root with a leading slash; ids as ``{id}``.
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
        """The users."""
        users: dict[str, dict[str, Any]] = self.state()["users"]
        return users

    @property
    def sessions(self) -> list[dict[str, Any]]:
        """The sessions that are open or wait for a CAPTCHA or a second factor, oldest first.

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

    def reset(
        self,
        *,
        settings: Mapping[str, Any] | None = None,
        users: Sequence[Mapping[str, Any]] | None = None,
        api_keys: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Return to the initial state: no sessions, blocks or faults, counters at zero, the clock at wall time.

        :param settings: changes to the initial settings.
        :param users: users instead of the initial ones.
        :param api_keys: API keys instead of the initial ones.
        """
        body = {"settings": settings, "users": users, "api_keys": api_keys}
        self._call("POST", "reset", {name: value for name, value in body.items() if value is not None})

    def configure(self, **settings: Any) -> None:
        """Change settings."""
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
        share_types: Sequence[Literal["P", "T", "C"]] | None = None,
        max_files_per_share: int | None = None,
    ) -> None:
        """Add a user, or change an existing one, whose sessions, blocks and counts stay.

        :param totp_secret: base32 secret of a second factor by app.
        :param pin: five characters of a second factor by PIN.
        :param share_types: types of shares that the user may make; None for those of the settings.
        :param max_files_per_share: None for the limit of the settings.
        """
        body = {
            "email": email,
            "password": password,
            "totp_secret": totp_secret,
            "pin": pin,
            "name": name,
            "is_contact": is_contact,
            "share_types": None if share_types is None else list(share_types),
            "max_files_per_share": max_files_per_share,
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
        """Block a user until a CAPTCHA is passed."""
        self._call("POST", f"users/{quote(email, safe='')}/block")

    def unblock_user(self, email: str) -> None:
        """Lift the block of a user and all their sessions, as if a person had passed the CAPTCHA."""
        self._call("POST", f"users/{quote(email, safe='')}/unblock")

    def block_session(self, session_id: str) -> None:
        """Block one session until a CAPTCHA is passed; its user can still log in."""
        self._call("POST", f"sessions/{quote(session_id, safe='')}/block")

    def unblock_session(self, session_id: str) -> None:
        """Lift the block of one session and of its user, as ``session/unblock-captcha`` does."""
        self._call("POST", f"sessions/{quote(session_id, safe='')}/unblock")

    def expire_session(self, session_id: str) -> None:
        """Expire one session."""
        self._call("POST", f"sessions/{quote(session_id, safe='')}/expire")

    def expire_sessions(self, email: str | None = None) -> int:
        """Expire sessions.

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
        cut: Literal["connection", "body", "request"] | None = None,
        after_bytes: int | None = None,
        probability: float | None = None,
        after: int = 0,
        execute_anyway: bool = False,
    ) -> None:
        """Inject a fault into a call. Without status and body the emulator's own response is used.

        :param path: such as ``session/keepalive``, or from the root with a leading slash; ``*`` matches anything.
        :param method: HTTP method; None for all.
        :param times: how many calls it affects; None for all.
        :param status: status of the response.
        :param headers: headers of the response, or further headers of the emulator's own.
        :param body: body of the response; anything but text is sent as JSON.
        :param delay: seconds of real time to wait first.
        :param cut: ``connection`` closes without a response, ``body`` in the middle of it, ``request`` while the body
            of the request comes in.
        :param after_bytes: how much of the response's or the request's body passes before such a cut.
        :param probability: how likely it is to affect a matching call; None for always.
        :param after: how many matching calls pass first.
        :param execute_anyway: whether the call takes effect although its response is lost.
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
            "after_bytes": after_bytes,
            "probability": probability,
            "after": after,
            "execute_anyway": execute_anyway,
        }
        self._call("POST", "faults", wanted)

    def clear_faults(self) -> None:
        """Disarm all faults."""
        self._call("DELETE", "faults")

    def advance(self, seconds: float) -> None:
        """Advance the emulator's clock."""
        self._call("POST", "clock", {"advance": seconds})
