"""The hook's calls for shares and requests for files: paths and e-mail addresses in, ids inside."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.errors import QuatrixApiError, QuatrixError, QuatrixNotFound
from airflow_provider_quatrix.api.models import Entry
from airflow_provider_quatrix.api.paths import join, split
from airflow_provider_quatrix.api.share_models import NewShare, ShareLimits, ShareType
from airflow_provider_quatrix.hooks.recipients import recipient_ids
from airflow_provider_quatrix.hooks.share_arguments import (
    LONGEST_MESSAGE,
    LONGEST_SUBJECT,
    InvalidShareError,
    check_quicklink,
    check_request_recipients,
    checked_emails,
    checked_period,
    checked_pin,
    checked_share_type,
    checked_text,
    iso_time,
)
from airflow_provider_quatrix.hooks.share_receipts import receipts
from airflow_provider_quatrix.hooks.share_references import ShareKind, ShareReference
from airflow_provider_quatrix.hooks.sharing import MadeShare, PlannedShare, ShareIdentity, ShareMaker, revoke
from airflow_provider_quatrix.hooks.storage import StorageCalls
from airflow_provider_quatrix.transfer.error_context import doing
from airflow_provider_quatrix.transfer.options import checked_flag
from airflow_provider_quatrix.transfer.remote_files import Lookup, matching
from airflow_provider_quatrix.transfer.results import DownloadResult, FileResult, RequestResult, ShareResult
from airflow_provider_quatrix.transfer.sources import Sources, path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_quatrix.hooks.signatures import Deadline, Emails, Path, Paths, Share
    from airflow_provider_quatrix.sessions.cipher import RecordCipher
    from airflow_provider_quatrix.transfer.tree import RemoteTree

log = logging.getLogger(__name__)


class ShareCalls(StorageCalls):
    """Shares and requests for files; a part of the hook."""

    @property
    def _cipher(self) -> RecordCipher:
        """Encrypts with the connection's key."""
        raise NotImplementedError

    def share(
        self,
        paths: Paths,
        recipients: Emails | None = None,
        *,
        subject: str = "",
        message: str = "",
        expires: Deadline = None,
        activates: Deadline = None,
        pin: str | None = None,
        share_type: str = "tracked",
        return_files: bool = False,
        notify: bool = False,
        send_email: bool = True,
        create_contacts: bool = False,
        quicklink: bool = False,
        glob: bool | None = None,
    ) -> ShareResult:
        """Share files and folders of one folder, or the files that match patterns.

        :param paths: paths or patterns, or earlier results; see :meth:`move_many`.
        :param recipients: e-mail addresses of users and contacts; one or several, also as text with commas.
        :param expires: when the share ends: a datetime with a time zone, ISO 8601 text, or a timedelta from now;
            default never.
        :param activates: when it begins, in the same forms; default at once.
        :param pin: what a recipient has to enter.
        :param share_type: ``tracked``: for recipients and any user of the account; ``restricted``: for recipients only;
            ``public``: for whoever has the link.
        :param return_files: recipients may send files back.
        :param notify: the sender gets an e-mail when somebody downloads.
        :param send_email: the service notifies the recipients by e-mail.
        :param create_contacts: make contacts of recipients whom Quatrix does not know.
        :param quicklink: make a link for whoever has it, without recipients; the service decides when it ends.
        :param glob: see :meth:`move_many`.
        :return: what was shared, with a reference in place of the link.
        :raises InvalidShareError: an argument is invalid; nothing was sent.
        """
        emails, now = checked_emails(recipients), datetime.now(UTC)
        check_quicklink(
            quicklink,
            emails,
            message=message,
            expires=expires,
            activates=activates,
            return_files=return_files,
        )
        begin, end = checked_period(activates, expires, now)
        kind = ShareType.PUBLIC if quicklink else ShareType[checked_share_type(share_type).upper()]
        new = NewShare(
            folder_id="",
            file_ids=(),
            subject=checked_text("subject", subject, LONGEST_SUBJECT),
            message=checked_text("message", message, LONGEST_MESSAGE),
            expires=end,
            activates=begin,
            pin=checked_pin(pin),
            share_type=kind,
            return_files=checked_flag("return_files", return_files),
            notify=checked_flag("notify", notify),
            send_email=checked_flag("send_email", send_email) and not quicklink,
        )
        checked_flag("create_contacts", create_contacts)
        sources = Sources.of(paths, glob=glob, name="paths")
        if not sources.all:
            raise InvalidShareError("paths is empty: give the path of a file or folder")

        def plan() -> PlannedShare:
            return self._planned_share(new, sources, emails, create_contacts=create_contacts, quicklink=quicklink)

        with doing("Sharing", ", ".join(source.text for source in sources)):
            # Without the subject, which may contain the time of a try.
            made = self._once("share", plan, *sources.described, *emails)
        log.info("Shared %d files with %s", len(made.shown["files"]), ", ".join(emails) or "whoever has the link")
        shown = made.shown | {"files": [FileResult(file) for file in made.shown["files"]]}
        return ShareResult(reference=self._sealed(made), **shown)

    def _planned_share(
        self, new: NewShare, sources: Sources, emails: Sequence[str], *, create_contacts: bool, quicklink: bool
    ) -> PlannedShare:
        profile = self.client.profile()
        limits = ShareLimits.from_profile(profile.raw)
        _check_type(limits, new.share_type)
        entries = _entries(self._tree(), sources)
        _check_count(limits, len(entries))
        folder_id = entries[0].file.parent_id if quicklink else _common_folder(entries)
        ids = recipient_ids(self.client, emails, create=create_contacts)
        kind = ShareKind.QUICKLINK if quicklink else ShareKind.SHARE
        files = tuple(entry.file.id for entry in entries)
        shown = {
            "kind": str(kind),
            "files": [dict(FileResult.of(entry.path, entry.file)) for entry in entries],
            "recipients": list(emails),
            "subject": new.subject,
            "share_type": new.share_type.word,
            "activates": iso_time(new.activates),
            "expires": iso_time(new.expires),
            "pin_protected": new.pin is not None,
        }

        def send() -> MadeShare:
            if quicklink:
                made = self.client.shares.create_quicklink(files, subject=new.subject, pin=new.pin, notify=new.notify)
            else:
                order = replace(new, folder_id=folder_id, file_ids=files, recipient_ids=ids)
                made = self.client.shares.create_share(order)
            ends = made.expires or new.expires
            return MadeShare(made.id, "", made.activates, ends, shown | {"expires": iso_time(ends)})

        names = tuple(sorted(entry.file.name for entry in entries))
        identity = ShareIdentity(kind, profile.id, new.subject, tuple(emails), names, mails=new.send_email)
        return PlannedShare(identity, MadeShare("", expires=new.expires, shown=shown), send)

    def revoke_share(self, share: Share) -> bool:
        """End a share, quicklink or request for files.

        :param share: what :meth:`share` or :meth:`request_files` has returned, or the reference in it.
        :return: ``False`` if the service says that it had ended before, or does not exist any more.
        """
        reference = self._opened(share)
        with doing("Revoking", f"the {reference.kind}"):
            try:
                revoke(self.client, reference.kind, reference.id)
            except QuatrixNotFound:
                return False
            except QuatrixApiError:
                if not self._is_revoked(reference.id):
                    raise
                return False
        log.info("Revoked the %s", reference.kind)
        return True

    def _is_revoked(self, share_id: str) -> bool:
        """Return whether the sender's list says that a share was ended."""
        try:
            return any(entry.id == share_id and entry.revoked for entry in self.client.tracking.shares())
        except QuatrixError:
            return False

    def share_downloads(self, share: Share) -> list[DownloadResult]:
        """Return who has downloaded what of a share, and when.

        :param share: see :meth:`revoke_share`.
        :return: the downloads, oldest first.
        """
        reference = self._opened(share)
        with doing("Looking up the downloads of", f"the {reference.kind}"):
            files = self.client.tracking.files(reference.id)
            found = [each for file in files if file.downloads for each in self.client.tracking.downloads(file.id)]
        return receipts(found)

    def share_link(self, share: Share) -> str:
        """Return the link of a share or request, for people to whom the service sends no e-mail. It is a secret.

        :param share: see :meth:`revoke_share`.
        """
        from airflow_provider_quatrix.hooks.masking import mask_secret

        reference = self._opened(share)
        link = reference.link or f"{self.settings.base_url}/{_PAGES[reference.kind]}/{reference.id}"
        self.client.hide(reference.id, announce=True)
        mask_secret(link)
        return link

    def request_files(
        self,
        folder: Path,
        recipients: Emails,
        *,
        message: str = "",
        send_email: bool = True,
        create_contacts: bool = False,
        create_parents: bool = False,
    ) -> RequestResult:
        """Ask people for files, who put them into a folder.

        :param folder: path of the folder.
        :param recipients: see :meth:`share`.
        :param send_email: the service notifies the recipients by e-mail.
        :param create_contacts: make contacts of recipients whom Quatrix does not know.
        :param create_parents: make the folder, and those above it, if they are missing.
        :return: what was asked for, with a reference in place of the link.
        :raises InvalidShareError: an argument is invalid; nothing was sent.
        """
        emails = checked_emails(recipients)
        check_request_recipients(emails)
        checked_text("message", message, LONGEST_MESSAGE)
        for name, value in (
            ("send_email", send_email),
            ("create_contacts", create_contacts),
            ("create_parents", create_parents),
        ):
            checked_flag(name, value)
        path = join(split(path_of(folder, "folder")))

        def plan() -> PlannedShare:
            owner = self.client.profile().id
            folder_id = self._tree().folder_id(path, create=create_parents)
            ids = recipient_ids(self.client, emails, create=create_contacts)
            shown = {"kind": str(ShareKind.REQUEST), "folder": path, "recipients": list(emails)}

            def send() -> MadeShare:
                made = self.client.shares.request_files(ids, folder_id, message=message, send_email=send_email)
                return MadeShare(made.id, made.url, shown=shown)

            # The e-mails of a request are sent by a job.
            identity = ShareIdentity(ShareKind.REQUEST, owner, emails=emails, folder_id=folder_id, mails=False)
            return PlannedShare(identity, MadeShare("", shown=shown), send)

        with doing("Asking for files into", path):
            made = self._once("request", plan, path, *emails)
        log.info("Asked %s for files into %s", ", ".join(emails), path)
        return RequestResult(reference=self._sealed(made), **made.shown)

    def _once(self, what: str, plan: Callable[[], PlannedShare], *parts: str) -> MadeShare:
        attempt = self.attempt
        maker = ShareMaker(
            self.client,
            self._checkpoint_of(what, *parts),
            is_retry=attempt.is_retry,
            last_try=attempt.last_try,
        )
        return maker.make(plan)

    def _sealed(self, made: MadeShare) -> str:
        shown: Mapping[str, Any] = made.shown
        return ShareReference(
            ShareKind(shown["kind"]),
            made.id,
            made.link,
            tuple(shown["recipients"]),
            named=shown.get("share_type") != ShareType.PUBLIC.word,
            expires=made.expires,
        ).seal(self._cipher)

    def _opened(self, share: Share) -> ShareReference:
        return ShareReference.opened(share, self._cipher, self.settings.conn_id)


# The paths of the service's own pages.
_PAGES = {ShareKind.SHARE: "download", ShareKind.QUICKLINK: "download", ShareKind.REQUEST: "files-return"}


def _entries(tree: RemoteTree, sources: Sources) -> list[Entry]:
    """Return the files and folders to share, each once."""
    found: dict[str, Entry] = {}
    lookup = Lookup(tree, sources)
    for source in sources:
        if not source.parts:
            raise InvalidShareError("paths has '/', but the home folder cannot be shared: give a path below it")
        with doing("Looking up", source.text):
            entries = matching(tree, source) if source.is_pattern else [Entry(source.parts, lookup.stat(source))]
        found.update((entry.file.id, entry) for entry in entries)
    return list(found.values())


def _common_folder(entries: Sequence[Entry]) -> str:
    """Return the folder that contains all files, as the service accepts only one."""
    folders = {entry.file.parent_id: join(entry.names[:-1]) for entry in entries}
    if len(folders) > 1:
        first, second, *_ = sorted(folders.values())
        raise InvalidShareError(
            f"paths is in {len(folders)} folders, such as {first!r} and {second!r}, and Quatrix shares files of one "
            "folder at a time: share each folder by itself, or share the folder above them"
        )
    return next(iter(folders))


def _check_type(limits: ShareLimits, share_type: ShareType) -> None:
    if limits.types is None or share_type in limits.types:
        return
    allowed = ", ".join(sorted(repr(each.word) for each in limits.types)) or "none at all"
    raise InvalidShareError(
        f"share_type is {share_type.word!r} (that of a quicklink is 'public'), and the account allows {allowed}: give "
        "another, or ask the account's administrator"
    )


def _check_count(limits: ShareLimits, count: int) -> None:
    if not count:
        raise InvalidShareError("paths names no file: give the path of a file or folder")
    if limits.most_files is not None and count > limits.most_files:
        raise InvalidShareError(
            f"paths names {count:,} files, and the account takes {limits.most_files:,} in one share: share their "
            "folder, or share them in parts"
        )
