"""A small client of the control calls, for tests and scripts; the emulator may run anywhere."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import quote, urlencode, urlsplit

import requests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
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

    # Files

    def files(self, email: str, limit: int | None = None) -> list[dict[str, Any]]:
        """What a user has, the Trash included, system folders left out.

        :param email: the user.
        :param limit: how many to tell, those that were changed last; all, sorted by path, when None.
        :return: with ``path`` (from the home, ``/…``), ``id``, ``type``, ``size``, ``modified``, ``unfinished``.
        """
        query = {"email": email} if limit is None else {"email": email, "limit": str(limit)}
        files: list[dict[str, Any]] = self._call("GET", f"files?{urlencode(query)}")["files"]
        return files

    def put_file(
        self,
        email: str,
        path: str,
        data: bytes | None = None,
        *,
        size: int | None = None,
        modified: float | None = None,
    ) -> str:
        """Make or replace a file, and the folders above it.

        :param email: in whose home.
        :param path: from the home.
        :param data: the content.
        :param size: instead of data, how many bytes of a fixed pattern; they are not sent and take no space.
        :param modified: modification time; now when None.
        :return: its id.
        """
        if data is None:
            return self.put_files(email, [{"path": path, "size": size or 0, "modified": modified}])[0]
        query = {"email": email, "path": path} | ({} if modified is None else {"modified": repr(modified)})
        return str(self._call("PUT", f"files/content?{urlencode(query)}", data=data)["id"])

    def put_files(self, email: str, objects: Iterable[str | Mapping[str, Any]]) -> list[str]:
        """Make or replace many files and folders at once.

        :param email: in whose home.
        :param objects: paths, or mappings with ``path``, ``size``, ``modified``, ``kind``; a path that ends with a
            slash is a folder.
        :return: their ids.
        """
        wanted = [{"path": item} if isinstance(item, str) else dict(item) for item in objects]
        ids: list[str] = self._call("POST", "files", {"email": email, "objects": wanted})["ids"]
        return ids

    def make_folder(self, email: str, path: str) -> str:
        """Make a folder and those above it, where they are missing.

        :param email: in whose home.
        :param path: from the home.
        :return: its id.
        """
        return self.put_files(email, [path.rstrip("/") + "/"])[0]

    def make_project_folder(self, email: str, name: str) -> str:
        """Make a project folder, of type ``S``.

        :param email: in whose home.
        :param name: its name, or a path.
        :return: its id.
        """
        return self.put_files(email, [{"path": name.rstrip("/") + "/", "kind": "S"}])[0]

    def put_hostile_name(self, email: str, name: str, folder: str = "", *, size: int = 0, kind: str = "F") -> str:
        """Make an object with a name that no service should hand out, such as ``../x``.

        :param email: in whose home.
        :param name: any text.
        :param folder: path of the folder; the home when empty.
        :param size: bytes of a file.
        :param kind: ``F`` or ``D``.
        :return: its id.
        """
        body = {"email": email, "name": name, "folder": folder, "size": size, "kind": kind}
        return str(self._call("POST", "files/hostile-name", body)["id"])

    def read_file(self, email: str, path: str) -> bytes:
        """Read a file.

        :param email: in whose home.
        :param path: from the home.
        :return: its content.
        """
        return b"".join(self._content(email, path))

    def file_sha256(self, email: str, path: str) -> str:
        """Read a file of any size.

        :param email: in whose home.
        :param path: from the home.
        :return: the SHA-256 of its content, in hex.
        """
        digest = hashlib.sha256()
        for block in self._content(email, path):
            digest.update(block)
        return digest.hexdigest()

    def remove_file(self, email: str, path: str) -> None:
        """Remove a file or folder for good, whatever is going on with it.

        :param email: in whose home.
        :param path: from the home.
        """
        self._call("POST", "files/remove", {"email": email, "path": path})

    def protect(self, email: str, path: str, *, protected: bool = True) -> None:
        """Forbid or allow to change an object and all that is in it.

        :param email: in whose home.
        :param path: from the home.
        :param protected: whether to forbid it.
        """
        self._call("POST", "files/protect", {"email": email, "path": path, "protected": protected})

    def kill_upload_keys(self) -> int:
        """Let all upload keys die as if their time had run out.

        :return: how many there were.
        """
        return int(self._call("POST", "uploads/kill")["killed"])

    @property
    def uploads(self) -> list[dict[str, Any]]:
        """The uploads that are open.

        :return: oldest first, with ``email``, ``path``, ``file_id``, ``size`` so far, ``announced``, ``began``.
        """
        uploads: list[dict[str, Any]] = self.state()["uploads"]
        return uploads

    @property
    def uploads_open(self) -> int:
        """The uploads that were begun and not finalized.

        :return: their number.
        """
        return len(self.uploads)

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """The jobs since the last reset.

        :return: oldest first, with ``job_id``, ``call``, ``due``, ``status``: ``waiting``, ``done`` or ``failed``.
        """
        jobs: list[dict[str, Any]] = self.state()["jobs"]
        return jobs

    # Changing the rest

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
        cut: Literal["connection", "body", "request"] | None = None,
        after_bytes: int | None = None,
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
        :param cut: ``connection`` closes without an answer, ``body`` in the middle of it, ``request`` while the body
            of the request comes in.
        :param after_bytes: how much of the answer's or the request's body gets through before such a cut.
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
            "after_bytes": after_bytes,
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

    def _content(self, email: str, path: str) -> Iterator[bytes]:
        query = urlencode({"email": email, "path": path})
        url = f"{self.url}/_emulator/files/content?{query}"
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
