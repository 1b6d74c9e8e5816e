"""Makes shares and requests for files once for all tries of a task, even if a worker dies before it can report one.

What is going to be made is written into a checkpoint before the call. If a retry finds such a checkpoint without a
result, it searches the sender's list for a share that fits and was not there before.
"""

from __future__ import annotations

import json
import logging
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.errors import QuatrixApiError, QuatrixError, QuatrixNotFound, QuatrixPermissionDenied
from airflow_provider_quatrix.api.retry import is_outage
from airflow_provider_quatrix.hooks.share_arguments import iso_time
from airflow_provider_quatrix.hooks.share_references import ShareKind
from airflow_provider_quatrix.transfer.error_context import OF_THE_ACCOUNT
from airflow_provider_quatrix.transfer.journal import mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.api.client import QuatrixClient
    from airflow_provider_quatrix.api.share_models import TrackedShare
    from airflow_provider_quatrix.transfer.checkpoint import Checkpoint

log = logging.getLogger(__name__)

# Seconds that the mail of a share may take to appear in the activity log, when a retry has found the share.
MAIL_SECONDS = 20.0
_MAIL_PAUSE = 2.0
# Seconds by which the times of a share and of its entries in the activity log may differ.
_LOG_SLACK = 60.0


@dataclass(frozen=True)
class ShareIdentity:
    """What distinguishes the share of a task from others.

    :param owner_id: user who shares.
    :param emails: addresses of the recipients, in lower case.
    :param names: of the files, sorted.
    :param folder_id: the folder for the files of a request.
    :param mails: the call itself notifies the recipients, and not a job that runs after it.
    """

    kind: ShareKind
    owner_id: str
    subject: str = ""
    emails: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    folder_id: str = ""
    mails: bool = True

    @property
    def is_request(self) -> bool:
        """Whether it is a request for files."""
        return self.kind is ShareKind.REQUEST

    def may_be(self, entry: TrackedShare) -> bool:
        """Return whether an entry of the sender's list fits."""
        return (
            entry.is_request == self.is_request
            and entry.owner_id in ("", self.owner_id)
            and {email.lower() for email in entry.emails} == set(self.emails)
            # Requests have no subject, and it is not known how the service stores an empty one.
            and (self.is_request or not self.subject.strip() or entry.subject.strip() == self.subject.strip())
        )


@dataclass(frozen=True)
class MadeShare:
    """What was made.

    :param id: part of the link.
    :param link: the page that it leads to; empty if the service did not return it.
    :param activates: Unix time; ``None`` for at once.
    :param expires: Unix time; ``None`` for never.
    :param shown: the task's result.
    """

    id: str = field(repr=False)
    link: str = field(default="", repr=False)
    activates: float | None = None
    expires: float | None = None
    shown: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedShare:
    """A share or request that is going to be made.

    :param draft: how it will be, without id and link.
    :param send: makes it.
    """

    identity: ShareIdentity
    draft: MadeShare
    send: Callable[[], MadeShare]


@dataclass(frozen=True)
class _Progress:
    """What the tries know.

    :param draft: how it will be, without id and link.
    :param before: marks of what was there before and fits.
    :param discarded: marks of what was made only in part, and ended by a later try.
    :param made: what was made, once that is known.
    """

    identity: ShareIdentity
    draft: MadeShare
    before: tuple[str, ...] = ()
    discarded: tuple[str, ...] = ()
    made: MadeShare | None = None

    @classmethod
    def read(cls, text: str | None) -> _Progress | None:
        try:
            kept: dict[str, Any] = json.loads(text or "")
            identity = kept["identity"]
            lists = {name: tuple(identity[name]) for name in ("emails", "names")}
            return cls(
                ShareIdentity(**{**identity, "kind": ShareKind(identity["kind"]), **lists}),
                MadeShare(**kept["draft"]),
                tuple(kept["before"]),
                tuple(kept["discarded"]),
                None if kept["made"] is None else MadeShare(**kept["made"]),
            )
        except (ValueError, TypeError, KeyError):
            return None


class ShareMaker:
    """Makes a share or request once for all tries of a task.

    :param checkpoint: keeps what the tries know; ``None`` outside of tasks, where there are no retries.
    :param is_retry: an earlier try may have made it.
    :param last_try: no retry follows.
    """

    def __init__(
        self, client: QuatrixClient, checkpoint: Checkpoint | None, *, is_retry: bool = False, last_try: bool = False
    ) -> None:
        self._client = client
        self._checkpoint = checkpoint
        self._is_retry = is_retry
        self._last_try = last_try

    def make(self, plan: Callable[[], PlannedShare]) -> MadeShare:
        """Make it, or return what an earlier try has made.

        :param plan: gets what is needed; not called if nothing is left to do.
        """
        discarded: tuple[str, ...] = ()
        progress = _Progress.read(self._checkpoint.read()) if self._is_retry and self._checkpoint is not None else None
        if progress is not None:
            made = progress.made or self._settled(progress)
            if made is not None:
                log.info("An earlier try has done it; nothing is sent again")
                return made
            discarded = progress.discarded
        planned = plan()
        if self._checkpoint is None:
            return planned.send()
        progress = _Progress(planned.identity, planned.draft, self._before(planned.identity), discarded)
        self._write(progress)
        try:
            made = planned.send()
        except OF_THE_ACCOUNT:
            raise
        except QuatrixError as error:
            found = self._after_failure(progress, error)
            if found is None:
                raise
            made = found
        self._write(replace(progress, made=made))
        return made

    def _before(self, identity: ShareIdentity) -> tuple[str, ...]:
        """Return marks of what fits and is there already."""
        try:
            return tuple(mark(each.id) for each in self._client.tracking.shares() if identity.may_be(each))
        except QuatrixPermissionDenied:
            # Then a retry cannot look for it either. It fails, as it might share twice.
            log.warning(
                "The account may not list its shares: if the worker dies now, a retry fails and asks for a person"
            )
            return ()

    def _settled(self, progress: _Progress) -> MadeShare | None:
        """Return what an earlier try has made without a record of it; what it made only in part is ended."""
        self._end_discarded(progress)
        found = self._found(progress)
        if found is None:
            return None
        if not found.revoked and self._is_mailed_by_now(progress.identity, found) is False:
            self._discard(progress, found)
            return None
        return self._adopted(progress, found)

    def _end_discarded(self, progress: _Progress) -> None:
        """End what an earlier try was going to end."""
        for entry in self._client.tracking.shares() if progress.discarded else ():
            if mark(entry.id) in progress.discarded and not entry.revoked:
                self._end(progress, entry)

    def _after_failure(self, progress: _Progress, error: QuatrixError) -> MadeShare | None:
        """Return what was made although the call has failed."""
        refused = isinstance(error, QuatrixApiError)
        try:
            found = self._found(progress)
            if found is None:
                if refused and not is_outage(error) and self._checkpoint is not None:
                    self._checkpoint.delete()
                return None
            is_mailed = self._is_mailed(progress.identity, found)
            if is_mailed or (is_mailed is None and not refused):
                return self._adopted(progress, found)
            # If only the response was lost, the mail may still be on its way. A retry checks again.
            if refused or self._last_try:
                self._discard(progress, found)
        except QuatrixError as another:
            log.warning("Whether the call succeeded is not known yet (%s); the next try checks", another)
        return None

    def _found(self, progress: _Progress) -> TrackedShare | None:
        identity, known = progress.identity, {*progress.before, *progress.discarded}
        for entry in self._client.tracking.shares():
            if identity.may_be(entry) and mark(entry.id) not in known and self._is_same(identity, entry):
                return entry
        return None

    def _is_same(self, identity: ShareIdentity, entry: TrackedShare) -> bool:
        """Return whether an entry that fits is what was made."""
        try:
            if identity.is_request:
                return self._client.shares.return_info(entry.id).folder_id == identity.folder_id
            return tuple(sorted(file.name for file in self._client.tracking.files(entry.id))) == identity.names
        except (QuatrixNotFound, QuatrixPermissionDenied):
            # Nothing more is known of it, as it has ended.
            return True

    def _is_mailed_by_now(self, identity: ShareIdentity, entry: TrackedShare) -> bool | None:
        """Return the same as :meth:`_is_mailed`, but give the mail some time."""
        ends = time.monotonic() + MAIL_SECONDS
        while (is_mailed := self._is_mailed(identity, entry)) is False and time.monotonic() < ends:
            time.sleep(_MAIL_PAUSE)
        return is_mailed

    def _is_mailed(self, identity: ShareIdentity, entry: TrackedShare) -> bool | None:
        """Return whether the recipients were notified; ``None`` if the activity log does not say."""
        if not identity.mails:
            return True
        try:
            log_since = self._client.tracking.activity(start=max(0.0, entry.created - _LOG_SLACK))
            about = [each for each in log_since if each.is_about(entry.id)]
        except (QuatrixNotFound, QuatrixPermissionDenied):
            return None
        return any(each.action == "sent-email" for each in about) if about else None

    def _adopted(self, progress: _Progress, entry: TrackedShare) -> MadeShare:
        ends, shown = entry.expires or progress.draft.expires, progress.draft.shown
        if "expires" in shown:
            shown = shown | {"expires": iso_time(ends)}
        made = replace(progress.draft, id=entry.id, expires=ends, shown=shown)
        self._write(replace(progress, made=made))
        return made

    def _discard(self, progress: _Progress, entry: TrackedShare) -> None:
        log.warning("An earlier call did not notify the recipients: what it made is revoked")
        self._write(replace(progress, discarded=(*progress.discarded, mark(entry.id))))
        self._end(progress, entry)

    def _end(self, progress: _Progress, entry: TrackedShare) -> None:
        with suppress(QuatrixNotFound):
            revoke(self._client, progress.identity.kind, entry.id)

    def _write(self, progress: _Progress) -> None:
        if self._checkpoint is not None:
            self._checkpoint.write(json.dumps(asdict(progress)))


def revoke(client: QuatrixClient, kind: ShareKind, share_id: str) -> None:
    """End a share, quicklink or request."""
    if kind is ShareKind.QUICKLINK:
        client.shares.revoke_quicklink(share_id)
    else:
        client.shares.revoke_share(share_id)
