"""How sessions begin, are blocked and end. The rules of the service, without HTTP."""

from __future__ import annotations

import math
import uuid
from collections import deque
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from .accounts import ApiKey, ApiKeySpec, Caller, Session, Stage, User, UserSpec
from .clock import Clock
from .counters import Counters, RecentCalls
from .errors import ApiError, bad_parameter
from .faults import Faults
from .files import Files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .settings import EmulatorSettings

NOT_AUTHORIZED = "Not authorized"


class UnknownObjectError(LookupError):
    """A control call named something that does not exist."""


class EmulatorState:
    """Everything the emulator knows of users and sessions.

    :param settings: how to behave, and what a reset returns to.
    :param users: who exists, now and after a reset.
    :param api_keys: keys that exist, now and after a reset.
    :param data_dir: where the contents of files are kept; where the system has its temporary files when None.
    """

    def __init__(
        self,
        settings: EmulatorSettings,
        users: Iterable[UserSpec] = (),
        api_keys: Iterable[ApiKeySpec] = (),
        data_dir: str | Path | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._start = (settings, tuple(users), tuple(api_keys))
        self.clock = Clock()
        self.faults = Faults()
        self.files = Files(self, data_dir)
        self.reset()

    def close(self) -> None:
        """Forget all files, and remove their contents from disk."""
        self.files.close()
        self.files = Files(self, self._data_dir)

    def reset(
        self,
        settings: dict[str, Any] | None = None,
        users: Iterable[UserSpec] | None = None,
        api_keys: Iterable[ApiKeySpec] | None = None,
    ) -> None:
        """Return to the start.

        :param settings: what shall differ from the settings of the start.
        :param users: users instead of those of the start.
        :param api_keys: keys instead of those of the start; keys of the start whose user is gone go too.
        :raises ValueError: for unsuitable settings, or a key without a user; nothing has changed then.
        """
        start_settings, start_users, start_keys = self._start
        new_settings = start_settings.replace(**(settings or {}))
        new_users = {spec.key: spec for spec in (start_users if users is None else users)}
        if api_keys is None:
            new_keys = [key for key in start_keys if key.email.casefold() in new_users or users is None]
        else:
            new_keys = list(api_keys)
        for key in new_keys:
            if key.email.casefold() not in new_users:
                raise ValueError(f"No user {key.email} for an API key")
        self.close()
        self.clock.reset()
        self.settings = new_settings
        now = self.clock.now()
        self.users = {name: User(spec, now) for name, spec in new_users.items()}
        self.api_keys = {key.key: ApiKey(key, now, now) for key in new_keys}
        self.sessions: dict[str, Session] = {}
        self.counters = Counters()
        self.calls = RecentCalls()
        self.faults.clear(new_settings.random_seed)
        self._attempts: dict[str, deque[float]] = {}
        self._used_tokens: set[str] = set()

    # Finding

    def user(self, email: str) -> User:
        """Find a user for a control call.

        :param email: the e-mail, in any case.
        :return: the user.
        :raises UnknownObjectError: when there is none.
        """
        user = self.users.get(email.casefold())
        if user is None:
            raise UnknownObjectError(f"No user {email}")
        return user

    def session(self, session_id: str) -> Session:
        """Find a session for a control call.

        :param session_id: its id.
        :return: the live or waiting session.
        :raises UnknownObjectError: when there is none.
        """
        session = self._alive(session_id)
        if session is None:
            raise UnknownObjectError("No such session")
        return session

    def add_user(self, spec: UserSpec) -> User:
        """Add a user, or describe an existing one anew; then sessions, blocks and counts stay.

        :param spec: the description.
        :return: the user.
        """
        user = self.users.get(spec.key)
        if user is None:
            user = self.users[spec.key] = User(spec, self.clock.now())
        else:
            user.spec = spec
        return user

    def add_api_key(self, spec: ApiKeySpec) -> ApiKey:
        """Add or replace an API key.

        :param spec: the description.
        :return: the key.
        :raises UnknownObjectError: when its user does not exist.
        """
        self.user(spec.email)
        now = self.clock.now()
        key = self.api_keys.get(spec.key)
        self.api_keys[spec.key] = ApiKey(spec, key.created if key else now, now)
        return self.api_keys[spec.key]

    def purge(self) -> None:
        """Drop the sessions that time has ended."""
        for session_id in list(self.sessions):
            self._alive(session_id)

    def idle_left(self, session: Session) -> float:
        """How long a session lasts if nobody uses it.

        :param session: a session.
        :return: seconds.
        """
        now = self.clock.now()
        left = session.last_used + self.settings.idle_seconds - now
        if self.settings.max_age_seconds is not None:
            left = min(left, session.created + self.settings.max_age_seconds - now)
        return left

    def _alive(self, session_id: str) -> Session | None:
        session = self.sessions.get(session_id)
        if session is not None and self.idle_left(session) <= 0:
            self.counters.sessions_expired += 1
            del self.sessions[session_id]
            return None
        return session

    # Signing in

    def login(self, email: str, password: str) -> Session:
        """The first step.

        The order is: number of attempts, CAPTCHA block, password. So a blocked user's attempts fill the window too.

        :param email: from the Basic header.
        :param password: from the Basic header.
        :return: a session; not usable yet unless its stage is ``ready``.
        :raises ApiError: when the login is refused.
        """
        self._limit(email.casefold())
        user = self.users.get(email.casefold())
        if user is None:
            raise self._wrong_password()
        user.logins += 1
        right = user.password_is(password)
        if user.blocked:
            self.counters.captcha_logins += 1
            session = self._open(user, (user.spec.second_factor or "ready") if right else "refused")
            session.by_refusal = True
            raise self._captcha_error(session.id)
        if not right:
            self._failed(user)
            raise self._wrong_password()
        if user.spec.second_factor is None or not self.settings.captcha_counts_wrong_codes:
            user.failed_logins = 0
        session = self._open(user, user.spec.second_factor or "ready")
        if session.stage == "ready":
            self.counters.sessions_opened += 1
        else:
            self.counters.second_factor_asked += 1
        return session

    def second_factor(self, session_id: str | None, auth_type: object, code: object) -> Session:
        """The second step.

        :param session_id: from ``X-Auth-Token``.
        :param auth_type: ``2FA`` or ``PIN``, whichever the first step asked for.
        :param code: the TOTP code or the PIN.
        :return: the session, usable now.
        :raises ApiError: when the code is refused, or nothing waits for one.
        """
        session = self._alive(session_id) if session_id else None
        if session is None:
            raise self.unauthorized()
        if self.is_blocked(session):
            self.counters.captcha_refusals += 1
            raise self._captcha_error()
        if session.stage not in ("2FA", "PIN"):
            raise self.unauthorized("No second factor is awaited")
        if auth_type != session.stage:
            raise bad_parameter("auth_type")
        if not isinstance(code, str) or not code:
            raise bad_parameter("code")
        user = session.user
        self.counters.codes_received += 1
        if session.stage == "PIN":
            right, wrong_code = user.pin_is(code), self.settings.wrong_pin_code
        else:
            right, wrong_code = self._new_totp(user, code), self.settings.wrong_totp_code
        if not right:
            self.counters.wrong_codes += 1
            if self.settings.captcha_counts_wrong_codes:
                self._failed(user)
            raise ApiError(401, wrong_code, "Wrong code")
        user.failed_logins = 0
        session.stage = "ready"
        self.counters.sessions_opened += 1
        if self.settings.second_factor_new_id:
            del self.sessions[session.id]
            session.id = str(uuid.uuid4())
            self.sessions[session.id] = session
        self._touch(session)
        return session

    def _new_totp(self, user: User, code: str) -> bool:
        if user.seen_code(code):
            self.counters.totp_replays += 1
            return False
        return user.totp_is(code)

    def _limit(self, name: str) -> None:
        limit = self.settings.login_limit
        if limit is None:
            return
        now, window = self.clock.now(), self.settings.login_window_seconds
        for other in [key for key, times in self._attempts.items() if times[-1] <= now - window]:
            del self._attempts[other]
        times = self._attempts.setdefault(name, deque())
        while times and times[0] <= now - window:
            times.popleft()
        full = len(times) >= limit
        if not full or self.settings.login_limit_counts_refused:
            times.append(now)
        if full:
            self.counters.limited_logins += 1
            # The attempt that must leave the window before another fits in.
            wait = times[-limit] + window - now
            raise self.too_many("Too many login attempts", wait)

    def too_many(self, msg: str, wait: float) -> ApiError:
        """The refusal of a call that came too soon.

        :param msg: text for a person.
        :param wait: seconds until one is let through.
        :return: the refusal.
        """
        settings, seconds = self.settings, max(1, math.ceil(wait))
        headers = {
            "seconds": {"Retry-After": str(seconds)},
            "date": {"Retry-After": formatdate(math.ceil(self.clock.now()) + seconds, usegmt=True)},
            "none": {},
        }[settings.retry_after]
        return ApiError(settings.login_limit_status, settings.login_limit_code, msg, headers=headers)

    def _failed(self, user: User) -> None:
        user.failed_logins += 1
        limit = self.settings.captcha_after_failures
        if limit is not None and user.failed_logins >= limit:
            self._begin_block(user)

    def _open(self, user: User, stage: Stage) -> Session:
        self.purge()
        now = self.clock.now()
        limit = self.settings.max_sessions
        if limit is not None and stage != "refused":
            own = [item for item in self.sessions.values() if item.user is user and item.stage != "refused"]
            for oldest in own[: len(own) - limit + 1]:
                del self.sessions[oldest.id]
        session = Session(str(uuid.uuid4()), user, stage, created=now, last_used=now)
        self.sessions[session.id] = session
        return session

    # Using a session

    def authenticate(self, session_id: str | None, api_key: str | None, call: str, *, transfer: bool = False) -> Caller:
        """Find out who makes a call, and keep their session alive.

        :param session_id: from ``X-Auth-Token``.
        :param api_key: from ``Authorization: Bearer``; counts before the session id.
        :param call: the path below ``/api/1.0/``.
        :param transfer: whether the call moves file content.
        :return: the caller.
        :raises ApiError: when there is no usable session or key.
        """
        if api_key is not None:
            return Caller(self._key_user(api_key), None)
        session = self._alive(session_id) if session_id else None
        if session is None:
            raise self.unauthorized()
        if self.is_blocked(session) and (call not in self.settings.captcha_exempt or session.stage == "refused"):
            self.counters.captcha_refusals += 1
            raise self._captcha_error()
        if session.stage == "2FA":
            raise ApiError(401, self.settings.mfa_code_2fa or 71, "Second factor required")
        if session.stage == "PIN":
            raise ApiError(401, self.settings.mfa_code_pin or 73, "PIN required")
        if not transfer or self.settings.transfers_refresh:
            self._touch(session)
        return Caller(session.user, session)

    def recognise(self, session_id: str | None, api_key: str | None) -> Caller | None:
        """Find out who moves file content, where nobody needs to tell, and keep their session alive.

        :param session_id: from ``X-Auth-Token``.
        :param api_key: from ``Authorization: Bearer``; counts before the session id.
        :return: the caller; None without a usable session or key.
        """
        if api_key is not None:
            key = self.api_keys.get(api_key)
            return Caller(self.users[key.owner], None) if key and key.spec.status == "A" else None
        session = self._alive(session_id) if session_id else None
        if session is None or session.stage != "ready" or self.is_blocked(session):
            return None
        if self.settings.transfers_refresh:
            self._touch(session)
        return Caller(session.user, session)

    def logout(self, session_id: str | None, api_key: str | None) -> Caller | None:
        """End a session; a waiting or blocked one as well.

        :param session_id: from ``X-Auth-Token``.
        :param api_key: from ``Authorization: Bearer``; then nothing ends.
        :return: who it was, or None when there was no session.
        :raises ApiError: for an unknown key, or when logout is not exempt from a block.
        """
        if api_key is not None:
            return Caller(self._key_user(api_key), None)
        session = self._alive(session_id) if session_id else None
        if session is None:
            return None
        if self.is_blocked(session) and "session/logout" not in self.settings.captcha_exempt:
            self.counters.captcha_refusals += 1
            raise self._captcha_error()
        self.counters.logouts += 1
        del self.sessions[session.id]
        return Caller(session.user, session)

    def unauthorized(self, msg: str = NOT_AUTHORIZED) -> ApiError:
        """The refusal of a call without a usable session or key.

        :param msg: text for a person.
        :return: the refusal, already counted.
        """
        self.counters.unauthorized += 1
        return ApiError(401, self.settings.unauthorized_code, msg)

    def _wrong_password(self) -> ApiError:
        self.counters.rejected_logins += 1
        return ApiError(401, self.settings.wrong_password_code, NOT_AUTHORIZED)

    def _key_user(self, api_key: str) -> User:
        key = self.api_keys.get(api_key)
        if key is None or key.spec.status != "A":
            raise self.unauthorized()
        user = self.users[key.owner]
        if user.blocked and self.settings.captcha_blocks_api_keys:
            self.counters.captcha_refusals += 1
            raise self._captcha_error()
        return user

    def _touch(self, session: Session) -> None:
        session.last_used = self.clock.now()

    # CAPTCHA

    def is_blocked(self, session: Session) -> bool:
        """Whether a session waits for a CAPTCHA, by its own block or its user's.

        :param session: a session.
        :return: whether calls on it are refused.
        """
        covers = session.by_refusal or self.settings.captcha_blocks_live_sessions
        return session.blocked or (session.user.blocked and covers)

    def block_user(self, email: str) -> None:
        """Block a user until a CAPTCHA is passed.

        :param email: whom.
        """
        self._begin_block(self.user(email))

    def block_session(self, session_id: str) -> None:
        """Block one session until a CAPTCHA is passed; its user can still log in.

        :param session_id: which.
        """
        session = self.session(session_id)
        if not session.blocked:
            self.counters.captcha_blocks += 1
            session.blocked = True

    def _begin_block(self, user: User) -> None:
        if not user.blocked:
            self.counters.captcha_blocks += 1
            user.blocked = True

    def unblock_user(self, email: str) -> None:
        """Lift the block of a user and of all sessions of theirs, as a person does who passes the CAPTCHA.

        :param email: whom.
        """
        user = self.user(email)
        for session in [item for item in self.sessions.values() if item.user is user]:
            if self.is_blocked(session) and self.settings.captcha_unblock_ends_session:
                del self.sessions[session.id]
            session.blocked = False
        self._lift(user)

    def unblock_session(self, session_id: str) -> None:
        """Lift the block of one session and of its user, as ``session/unblock-captcha`` does.

        :param session_id: which.
        """
        self._unblock(self.session(session_id))

    def pass_captcha(self, session_id: str | None, token: object) -> bool:
        """Try a CAPTCHA token.

        :param session_id: from ``X-Auth-Token``.
        :param token: from the body.
        :return: whether it was right; the block is lifted then.
        :raises ApiError: without a session, or for a token that cannot be one.
        """
        session = self._alive(session_id) if session_id else None
        if session is None:
            raise self.unauthorized()
        if not isinstance(token, str) or not token:
            raise bad_parameter("token")
        if token not in self.settings.captcha_tokens or token in self._used_tokens:
            self.counters.captcha_rejected += 1
            return False
        if self.settings.captcha_token_once:
            self._used_tokens.add(token)
        self.counters.captcha_passed += 1
        self._touch(session)
        self._unblock(session)
        return True

    def _unblock(self, session: Session) -> None:
        if self.is_blocked(session) and self.settings.captcha_unblock_ends_session:
            del self.sessions[session.id]
        session.blocked = False
        self._lift(session.user)

    def _lift(self, user: User) -> None:
        user.blocked = False
        user.failed_logins = 0
        for session in [item for item in self.sessions.values() if item.user is user and item.by_refusal]:
            if session.stage == "refused":
                del self.sessions[session.id]
                continue
            session.by_refusal = False
            if session.stage == "ready":
                self.counters.sessions_opened += 1

    def _captcha_error(self, session_id: str | None = None) -> ApiError:
        settings = self.settings
        details: dict[str, Any] | None = None
        if settings.captcha_details:
            details = {"captcha_required": True}
            if session_id is not None:
                details["session_id"] = session_id
        headers = {"X-Auth-Token": session_id} if session_id is not None and settings.captcha_header else None
        return ApiError(settings.captcha_status, settings.captcha_code, settings.captcha_msg, details, headers)

    # Ending

    def expire_session(self, session_id: str) -> None:
        """End one session as if its time had run out.

        :param session_id: which.
        """
        del self.sessions[self.session(session_id).id]
        self.counters.sessions_expired += 1

    def expire_sessions(self, email: str | None = None) -> int:
        """End sessions as if their time had run out.

        :param email: whose; None for all.
        :return: how many there were.
        """
        user = None if email is None else self.user(email)
        ended = [item.id for item in self.sessions.values() if user is None or item.user is user]
        for session_id in ended:
            del self.sessions[session_id]
        self.counters.sessions_expired += len(ended)
        return len(ended)

    # Showing

    def as_dict(self) -> dict[str, Any]:
        """What tests and the page see.

        :return: values that JSON can carry; no password, PIN, TOTP secret or API key.
        """
        self.purge()
        sessions = [self._session_dict(session) for session in self.sessions.values()]
        return {
            "clock": {"now": self.clock.now(), "offset": self.clock.offset},
            "settings": self.settings.as_dict(),
            "users": {user.spec.email: self._user_dict(user) for user in self.users.values()},
            "api_keys": [
                {"hint": spec.hint, "email": spec.email, "status": spec.status, "name": spec.name}
                for spec in (key.spec for key in self.api_keys.values())
            ],
            "sessions": sessions,
            "blocks": [{"kind": "user", "email": user.spec.email} for user in self.users.values() if user.blocked]
            + [
                {"kind": "session", "email": session["email"], "session_id": session["id"]}
                for session in sessions
                if self.sessions[session["id"]].blocked
            ],
            "files": self.files.summary(),
            "uploads": self.files.uploads.as_list(),
            "jobs": self.files.jobs.as_list(),
            "faults": self.faults.as_list(),
            "counters": self.counters.as_dict(),
            "calls": self.calls.as_list(),
        }

    def _user_dict(self, user: User) -> dict[str, Any]:
        now = self.clock.now()
        window = now - self.settings.login_window_seconds
        return {
            "id": user.id,
            "email": user.spec.email,
            "name": user.spec.name,
            "is_contact": user.spec.is_contact,
            "second_factor": user.spec.second_factor,
            "blocked": user.blocked,
            "failed_logins": user.failed_logins,
            "logins": user.logins,
            "logins_in_window": sum(at > window for at in self._attempts.get(user.spec.key, ())),
        }

    def _session_dict(self, session: Session) -> dict[str, Any]:
        return {
            "id": session.id,
            "email": session.user.spec.email,
            "stage": session.stage,
            "blocked": self.is_blocked(session),
            "created": session.created,
            "last_used": session.last_used,
            "time_left": self.idle_left(session),
        }
