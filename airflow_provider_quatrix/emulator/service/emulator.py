"""All parts of the service put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .accounts import Accounts
from .activity import Activity
from .authentication import Authentication
from .captcha import Captcha
from .contacts import Contacts
from .context import Context
from .counters import RecentCalls
from .faults import Faults
from .file_requests import FileRequests
from .files import Files
from .limits import Limits
from .logins import Logins
from .mails import Mails
from .projects import Projects
from .quicklinks import Quicklinks
from .recipients import Recipients
from .returns import Returns
from .sessions import Sessions
from .share_access import ShareAccess
from .share_downloads import ShareDownloads
from .shares import Shares
from .tracking import Tracking

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..settings import EmulatorSettings
    from .accounts import ApiKeySpec, User, UserSpec
    from .counters import Counters
    from .sessions import Session


class Emulator:
    """The service, which can return to its initial state.

    :param settings: how to behave, also after a reset.
    :param users: who exists, now and after a reset.
    :param api_keys: keys that exist, now and after a reset.
    :param data_dir: folder for the contents of files; None for the system's temporary folder.
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
        self._context = context = Context(settings)
        self.clock = context.clock
        self.accounts = Accounts(context)
        self.sessions = Sessions(context)
        self.captcha = Captcha(context, self.sessions)
        self.limits = Limits(context)
        self.logins = Logins(context, self.accounts, self.sessions, self.captcha, self.limits)
        self.authentication = Authentication(context, self.accounts, self.sessions, self.captcha)
        self.faults = Faults()
        self.contacts = Contacts(context, self.accounts)
        self.mails = Mails(context)
        self.activity = Activity(context)
        self.share_access = ShareAccess(context, self.sessions)
        self._renew_files()
        self.reset()

    def _renew_files(self) -> None:
        context = self._context
        self.files = Files(context, self._data_dir)
        self.shares = Shares(
            context, self.accounts, self.files, self.contacts, mails=self.mails, activity=self.activity
        )
        self.projects = Projects(context, self.accounts, self.files)
        self.quicklinks = Quicklinks(context, self.shares)
        self.file_requests = FileRequests(context, self.files, self.shares)
        self.returns = Returns(
            context, self.files, self.shares, self.share_access, mails=self.mails, activity=self.activity
        )
        self.share_downloads = ShareDownloads(context, self.shares, self.share_access, self.mails, self.activity)
        self.tracking = Tracking(context, self.accounts, self.shares, self.activity)
        self.recipients = Recipients(
            self.accounts,
            self.sessions,
            self.shares,
            self.share_access,
            downloads=self.share_downloads,
            returns=self.returns,
            uploads=self.files.uploads,
        )

    @property
    def settings(self) -> EmulatorSettings:
        """How it behaves now."""
        return self._context.settings

    @property
    def counters(self) -> Counters:
        """The counters since the last reset, which makes new ones."""
        return self._context.counters

    def configure(self, overrides: dict[str, Any]) -> None:
        """Change settings.

        :raises ValueError: for an unknown name or an unsuitable value.
        """
        self._context.settings = self.settings.replace(**overrides)

    def close(self) -> None:
        """Forget all files, and remove their contents from disk."""
        self.files.close()
        self._renew_files()

    def reset(
        self,
        settings: dict[str, Any] | None = None,
        users: Iterable[UserSpec] | None = None,
        api_keys: Iterable[ApiKeySpec] | None = None,
    ) -> None:
        """Return to the initial state.

        :param settings: changes to the initial settings.
        :param users: users instead of the initial ones.
        :param api_keys: keys instead of the initial ones; initial keys without a user are removed.
        :raises ValueError: for unsuitable settings, or a key without a user; then nothing has changed.
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
        self._context.reset(new_settings)
        self.accounts.reset(new_users.values(), new_keys)
        self.sessions.clear()
        self.captcha.clear()
        self.limits.clear()
        self.contacts.clear()
        self.mails.clear()
        self.activity.clear()
        self.share_access.clear()
        self.calls = RecentCalls()
        self.faults.clear(new_settings.random_seed)

    def as_dict(self) -> dict[str, Any]:
        """Return what tests and the page see.

        :return: values that JSON can represent; no password, PIN, TOTP secret or API key.
        """
        sessions = self.sessions.all()
        users = self.accounts.users
        return {
            "clock": {"now": self.clock.now(), "offset": self.clock.offset},
            "settings": self.settings.as_dict(),
            "users": {user.spec.email: self._user_dict(user) for user in users},
            "api_keys": [
                {"hint": spec.hint, "email": spec.email, "status": spec.status, "name": spec.name}
                for spec in (key.spec for key in self.accounts.api_keys)
            ],
            "sessions": [self._session_dict(session) for session in sessions],
            "blocks": [{"kind": "user", "email": user.spec.email} for user in users if user.blocked]
            + [
                {"kind": "session", "email": session.user.spec.email, "session_id": session.id}
                for session in sessions
                if session.blocked
            ],
            "files": self.files.summary(),
            "uploads": self.files.uploads.as_list(),
            "jobs": self.files.jobs.as_list(),
            "shares": len(self.shares.all()),
            "faults": self.faults.as_list(),
            "counters": self.counters.as_dict(),
            "calls": self.calls.as_list(),
        }

    def _user_dict(self, user: User) -> dict[str, Any]:
        return {
            "id": user.id,
            "email": user.spec.email,
            "name": user.spec.name,
            "is_contact": user.spec.is_contact,
            "second_factor": user.spec.second_factor,
            "blocked": user.blocked,
            "failed_logins": user.failed_logins,
            "logins": user.logins,
            "logins_in_window": self.limits.logins_in_window(user.spec.key),
        }

    def _session_dict(self, session: Session) -> dict[str, Any]:
        return {
            "id": session.id,
            "email": session.user.spec.email,
            "stage": session.stage,
            "blocked": self.captcha.is_blocked(session),
            "created": session.created,
            "last_used": session.last_used,
            "time_left": self.sessions.idle_left(session),
        }
