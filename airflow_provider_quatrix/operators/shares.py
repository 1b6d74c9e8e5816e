"""Operators that share files with people, ask people for files, and end both."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.hooks.arguments import is_rendered_later
from airflow_provider_quatrix.hooks.share_arguments import (
    LONGEST_MESSAGE,
    LONGEST_SUBJECT,
    check_quicklink,
    check_request_recipients,
    checked_emails,
    checked_moment,
    checked_pin,
    checked_share_type,
    checked_text,
    reference_of,
)
from airflow_provider_quatrix.operators.base import QuatrixFileOperator, QuatrixSourcesOperator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
    from airflow_provider_quatrix.hooks.signatures import (
        Deadline,
        Emails,
        Path,
        Paths,
        QuatrixArguments,
        Share,
        SourcesArguments,
    )

# Replaces a PIN wherever Airflow stores or shows a task.
_HIDDEN = "***"


class QuatrixShareOperator(QuatrixSourcesOperator):
    """Shares files and folders with people, who get a link by e-mail; or makes a link without recipients.

    A task run shares once, however often it is retried and wherever its worker dies.

    :param paths: paths of files or folders in one folder, or a pattern of files; one or several, also as earlier
        results (templated).
    :param recipients: e-mail addresses; one or several, also as text with commas (templated).
    :param subject: up to 500 characters (templated).
    :param message: up to 10,000 characters (templated).
    :param expires: when the share ends: a datetime with a time zone, ISO 8601 text, or a timedelta from the start of
        the task; default never (templated).
    :param activates: when it begins, in the same forms; default at once (templated).
    :param pin: what a recipient has to enter. Airflow never stores it, unless it is written in the DAG's file: give a
        template, such as ``{{ var.value.partner_pin }}`` (templated).
    :param share_type: ``tracked`` (default): for recipients and any user of the account; ``restricted``: for recipients
        only; ``public``: for whoever has the link (templated).
    :param return_files: recipients may send files back.
    :param notify: the sender gets an e-mail when somebody downloads.
    :param send_email: the service notifies the recipients by e-mail; default ``True``.
    :param create_contacts: make contacts of recipients whom Quatrix does not know.
    :param quicklink: make a link for whoever has it, without recipients.
    :param glob: whether text is a pattern; default: if the DAG's author wrote wildcards into it.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :return: ``{"reference", "kind", "files", "recipients", "subject", "share_type", "activates", "expires",
        "pin_protected"}``. The reference stands for the link: tasks with the same connection can use it.
    """

    template_fields: Sequence[str] = (
        *("quatrix_conn_id", "paths", "recipients", "subject", "message", "expires", "activates", "pin", "share_type"),
        *("return_files", "notify", "send_email", "create_contacts", "quicklink"),
    )
    _of_sources = "paths"
    _linked = "paths"

    def __init__(
        self,
        *,
        paths: Paths,
        recipients: Emails | None = None,
        subject: str = "",
        message: str = "",
        expires: Deadline = None,
        activates: Deadline = None,
        pin: str | None = None,
        share_type: str = "tracked",
        return_files: bool | str = False,
        notify: bool | str = False,
        send_email: bool | str = True,
        create_contacts: bool | str = False,
        quicklink: bool | str = False,
        **kwargs: Unpack[SourcesArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.paths = paths
        self.recipients = recipients
        self.subject = self._checked("subject", subject, partial(checked_text, "subject", longest=LONGEST_SUBJECT))
        self.message = self._checked("message", message, partial(checked_text, "message", longest=LONGEST_MESSAGE))
        self.expires = expires
        self.activates = activates
        self.pin = pin
        self.share_type = self._checked("share_type", share_type, checked_share_type)
        self.return_files = self._flag("return_files", return_files)
        self.notify = self._flag("notify", notify)
        self.send_email = self._flag("send_email", send_email)
        self.create_contacts = self._flag("create_contacts", create_contacts)
        self.quicklink = self._flag("quicklink", quicklink)
        self._check_paths(paths=paths)
        self._pin: Any = None
        if not is_rendered_later(pin):
            checked_pin(pin)
            self._hide_pin()
        for name, value in (("expires", expires), ("activates", activates)):
            if not is_rendered_later(value):
                checked_moment(name, value)
        if not any(map(is_rendered_later, (recipients, quicklink))) and not self._from_mapping:
            check_quicklink(self.quicklink, checked_emails(recipients))
        self._keep_written()

    def _do_render_template_fields(self, *args: Any, **kwargs: Any) -> None:
        """Render as any operator does, and hide the PIN before Airflow stores the rendered fields.

        Airflow's own masking does not mask short texts such as PINs.
        """
        super()._do_render_template_fields(*args, **kwargs)
        self._hide_pin()

    def _hide_pin(self) -> None:
        if self.pin is not None and self.pin != _HIDDEN:
            self._pin, self.pin = self.pin, _HIDDEN

    def _run(self, hook: QuatrixHook, context: Context) -> dict[str, Any]:
        return dict(
            hook.share(
                self._sources(context),
                self.recipients,
                subject=self.subject,
                message=self.message,
                expires=self.expires,
                activates=self.activates,
                pin=self._pin,
                share_type=self.share_type,
                return_files=self.return_files,
                notify=self.notify,
                send_email=self.send_email,
                create_contacts=self.create_contacts,
                quicklink=self.quicklink,
                glob=self._globs,
            )
        )


class QuatrixRevokeShareOperator(QuatrixFileOperator):
    """Ends a share, quicklink or request for files; fine if it has ended before.

    :param share: the result of the task that shared or asked, or the reference in it (templated).
    :param quatrix_conn_id: connection of type ``quatrix``, the one that was used to share (templated).
    :return: ``False`` if the service says that it had ended before, or does not exist any more.
    """

    template_fields: Sequence[str] = ("quatrix_conn_id", "share")
    # Nothing of it may be in an address.
    _linked = "_home"
    _home = "/"

    def __init__(self, *, share: Share, **kwargs: Unpack[QuatrixArguments]) -> None:
        super().__init__(**kwargs)
        self.share = share
        if not is_rendered_later(share) and not self._from_mapping:
            reference_of(share)

    def _run(self, hook: QuatrixHook, context: Context) -> bool:
        return hook.revoke_share(self.share)


class QuatrixFileRequestOperator(QuatrixFileOperator):
    """Asks people for files, who put them into a folder of Quatrix; a task run asks once, however often it is retried.

    :param folder: path of the folder (templated).
    :param recipients: e-mail addresses; one or several, also as text with commas (templated).
    :param message: up to 10,000 characters (templated).
    :param send_email: the service notifies the recipients by e-mail; default ``True``.
    :param create_contacts: make contacts of recipients whom Quatrix does not know.
    :param create_parents: make the folder, and those above it, if they are missing.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    :return: ``{"reference", "kind", "folder", "recipients"}``. The reference stands for the link: tasks with the same
        connection can use it.
    """

    template_fields: Sequence[str] = (
        *("quatrix_conn_id", "folder", "recipients", "message", "send_email", "create_contacts", "create_parents"),
    )
    _linked = "folder"

    def __init__(
        self,
        *,
        folder: Path,
        recipients: Emails,
        message: str = "",
        send_email: bool | str = True,
        create_contacts: bool | str = False,
        create_parents: bool | str = False,
        **kwargs: Unpack[QuatrixArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.folder = folder
        self.recipients = recipients
        self.message = self._checked("message", message, partial(checked_text, "message", longest=LONGEST_MESSAGE))
        self.send_email = self._flag("send_email", send_email)
        self.create_contacts = self._flag("create_contacts", create_contacts)
        self.create_parents = self._flag("create_parents", create_parents)
        self._check_paths(folder=folder)
        if not is_rendered_later(recipients) and not self._from_mapping:
            check_request_recipients(checked_emails(recipients))

    def _run(self, hook: QuatrixHook, context: Context) -> dict[str, Any]:
        return dict(
            hook.request_files(
                self.folder,
                self.recipients,
                message=self.message,
                send_email=self.send_email,
                create_contacts=self.create_contacts,
                create_parents=self.create_parents,
            )
        )
