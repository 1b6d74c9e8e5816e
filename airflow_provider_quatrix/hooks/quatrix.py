"""The Quatrix hook: from an Airflow connection to a signed-in client."""

from __future__ import annotations

import logging
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, conf

from airflow_provider_quatrix.api.auth import Credentials
from airflow_provider_quatrix.api.authorization import ApiKeyAuthorizer
from airflow_provider_quatrix.api.client import QuatrixClient
from airflow_provider_quatrix.api.errors import QuatrixCaptchaRequired, QuatrixError
from airflow_provider_quatrix.api.models import SessionState, SessionStatus
from airflow_provider_quatrix.api.redaction import Redactor
from airflow_provider_quatrix.api.retry import RetryPolicy
from airflow_provider_quatrix.api.session import SessionCalls
from airflow_provider_quatrix.api.transport import Transport
from airflow_provider_quatrix.hooks.arguments import DEFAULT_CONN_ID
from airflow_provider_quatrix.hooks.attempt import Attempt, checkpoint_name
from airflow_provider_quatrix.hooks.audit import AuditCalls
from airflow_provider_quatrix.hooks.connection import (
    CONN_TYPE,
    EXTRA_FIELDS,
    HOOK_NAME,
    ConnectionSettings,
    InvalidConnectionError,
    ui_field_behaviour,
)
from airflow_provider_quatrix.hooks.failures import Trial, failed_stage
from airflow_provider_quatrix.hooks.masking import mask_secret
from airflow_provider_quatrix.hooks.metrics import Metrics
from airflow_provider_quatrix.hooks.parsing import dag_file_line
from airflow_provider_quatrix.sessions.broker import SessionBroker
from airflow_provider_quatrix.sessions.checkpoints import EncryptedCheckpoint, all_checkpoints
from airflow_provider_quatrix.sessions.cipher import RecordCipher
from airflow_provider_quatrix.sessions.decisions import LOGIN_LIMIT
from airflow_provider_quatrix.sessions.host import AccountFolder, lock_folder
from airflow_provider_quatrix.sessions.registry import SharedSession, shared_session
from airflow_provider_quatrix.sessions.shared_record import SharedRecord
from airflow_provider_quatrix.sessions.stores import account_name, session_store, upload_store
from airflow_provider_quatrix.transfer.results import SessionResult

if TYPE_CHECKING:
    from airflow_provider_quatrix.api.transport import Observer
    from airflow_provider_quatrix.transfer.checkpoint import Checkpoint

log = logging.getLogger(__name__)


class UnknownConnectionError(InvalidConnectionError, AirflowNotFoundException):
    """There is no connection of that id."""

    def __init__(self, conn_id: str) -> None:
        super().__init__(conn_id, "quatrix_conn_id", "")

    def __str__(self) -> str:
        return f"There is no connection {self.args[0]!r}: correct quatrix_conn_id, or make the connection"

    @property
    def without_id(self) -> str:
        """The whole message: the id is what is wrong."""
        return str(self)


class QuatrixHook(AuditCalls, BaseHook):
    """Calls Quatrix with an Airflow connection and the one session that all its tasks share.

    :param quatrix_conn_id: connection of type ``quatrix``.
    """

    conn_name_attr = "quatrix_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = CONN_TYPE
    hook_name = HOOK_NAME

    def __init__(self, quatrix_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.quatrix_conn_id = quatrix_conn_id
        self.attempt = Attempt()
        self._is_test = False

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extra fields for Airflow 2's form; Airflow 3 takes them from the provider's metadata."""
        from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
        from wtforms import PasswordField, StringField

        return {
            entry.name: (PasswordField if entry.secret else StringField)(
                entry.label,
                description=entry.description,
                default=None if entry.default is None else str(entry.default),
                widget=BS3PasswordFieldWidget() if entry.secret else BS3TextFieldWidget(),
            )
            for entry in EXTRA_FIELDS
        }

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the settings of the standard fields for Airflow 2's form."""
        return ui_field_behaviour()

    @cached_property
    def settings(self) -> ConnectionSettings:
        """The connection, checked.

        :raises UnknownConnectionError: there is none.
        :raises InvalidConnectionError: a field is missing or wrong.
        """
        try:
            connection = self.get_connection(self.quatrix_conn_id)
        except AirflowNotFoundException:
            raise UnknownConnectionError(self.quatrix_conn_id) from None
        return ConnectionSettings.from_connection(connection)

    @cached_property
    def client(self) -> QuatrixClient:  # type: ignore[override]
        """The client, which signs in when it is first used."""
        settings = self.settings
        if line := dag_file_line():
            log.warning(
                "%s calls Quatrix as connection %r outside of any task, so that it signs in at every parse, which is "
                "whenever Airflow reads the file. Move the call into a task",
                line,
                settings.conn_id,
            )
        if settings.api_key is not None:
            return QuatrixClient(self._new_transport(), ApiKeyAuthorizer(settings.api_key))
        return self._shared.client

    def get_conn(self) -> QuatrixClient:
        """Return a client that is signed in.

        :return: the client, shared by all hooks of this process with the same connection.
        :raises QuatrixError: signing in failed.
        """
        if not self.client.uses_api_key:
            self._session.acquire()
        return self.client

    def login(self, mfa_code: str | None = None) -> SessionResult:
        """Make sure that the connection has a working session; sign in only if it has none.

        With an API key there is no session; the key is tested instead.

        :param mfa_code: a second factor for this login only, if the connection has none.
        :return: the session's state, without its id.
        :raises QuatrixError: signing in failed.
        """
        if self.client.uses_api_key:
            self.client.profile()
            return self.session_state()
        return SessionResult.of(self._session.login(mfa_code))

    def keepalive(self, *, renew: bool = True) -> None:
        """Use the session, so that it lasts 15 more minutes. Does nothing with an API key.

        :param renew: sign in if there is no session or it has ended.
        :raises QuatrixSessionExpired: there is no session, and ``renew`` is false.
        :raises QuatrixError: the session cannot be kept alive.
        """
        if self.client.uses_api_key:
            return
        if renew:
            self.client.keepalive()
        else:
            self._session.keep()

    def logout(self) -> bool:
        """End the connection's session for everybody who shares it.

        :return: ``False`` if there was none.
        """
        return not self.client.uses_api_key and self._session.end()

    def unblock_captcha(self, token: str) -> bool:
        """Submit the token of a passed CAPTCHA.

        :param token: proof of the passed CAPTCHA; works once.
        :return: ``False`` if nothing was blocked and the token was not used.
        :raises QuatrixCaptchaRequired: the token was wrong; a new one is needed.
        """
        return not self.client.uses_api_key and self._session.unblock(token)

    def captcha_blocked(self, max_age: float = 0.0) -> bool:
        """Check whether the account is blocked by a CAPTCHA; never sign in while it is.

        :param max_age: seconds for which a block that another task saw counts without a check.
        :return: ``False`` if the session works, and always with an API key.
        :raises QuatrixError: signing in failed for another reason.
        """
        if self.client.uses_api_key:
            return False
        try:
            self._session.check(max_age)
        except QuatrixCaptchaRequired:
            return True
        return False

    def session_state(self) -> SessionResult:
        """Return the state of the connection's session, without calling Quatrix."""
        if self.client.uses_api_key:
            return SessionResult.of(SessionState(SessionStatus.API_KEY))
        return SessionResult.of(self._session.state())

    def test_connection(self) -> tuple[bool, str]:
        """Test the connection, for the Test button.

        :return: whether it works, and one line: the stage if it failed, and how many logins it took.
        """
        self._is_test = True
        before = self._login_attempts()
        trial = self.trial()
        # Airflow invents an id for the test, which nobody knows.
        reason = trial.error.without_id if isinstance(trial.error, InvalidConnectionError) else trial.message
        text = f"{trial.failed}: {reason}" if trial.failed else reason
        after = self._login_attempts()
        if before is not None and after is not None:
            left = max(0, LOGIN_LIMIT - after)
            text += f". Logins: {max(0, after - before)} for this test, {left} of {LOGIN_LIMIT} left in 15 minutes"
        return not trial.failed, text

    def _login_attempts(self) -> int | None:
        """Return the number of counted login attempts; ``None`` without a session or if it cannot be read."""
        try:
            return None if self.client.uses_api_key else self.session_state().login_attempts
        except (QuatrixError, InvalidConnectionError):
            return None

    def trial(self, observer: Observer | None = None) -> Trial:
        """Test the connection for a person who waits: try once more even if it was refused before.

        :param observer: sees all responses.
        :return: how far it got.
        """
        self._is_test = True
        try:
            if observer is not None:
                self.client.observe(observer)
            if not self.client.uses_api_key:
                # The account may have been corrected in the meantime.
                self._session.forgive()
            profile = self.client.profile()
        except (QuatrixError, InvalidConnectionError) as error:
            return Trial(str(error), failed_stage(error), error)
        if profile.is_contact:
            return Trial(f"{profile.email} is a contact, who has no files; use a full user", "Credentials")
        return Trial(f"Signed in to {self.settings.base_url} as {profile.email}")

    @property
    def _session(self) -> SessionBroker:
        if self.settings.api_key is not None:
            raise TypeError("a connection with an API key has no session")
        return self._shared.broker

    @cached_property
    def _shared(self) -> SharedSession:
        """The session and client that all hooks of this process with the same connection share."""
        settings, cipher = self.settings, self._cipher
        key = (settings.conn_id, cipher.fingerprint, repr(settings), settings.proxy or "", str(self._is_test))
        return shared_session(key, lambda: self._new_session(cipher))

    def _checkpoint(self, name: str) -> Checkpoint:
        """Return the checkpoint of a transfer, encrypted and shared by all workers.

        :param name: unique among transfers.
        """
        return EncryptedCheckpoint(
            upload_store(_store_setting(), self.settings.conn_id, checkpoint_name(name)), self._cipher
        )

    def _all_checkpoints(self) -> list[EncryptedCheckpoint]:
        return all_checkpoints(_store_setting(), self.settings.conn_id, self._cipher)

    @cached_property
    def _cipher(self) -> RecordCipher:
        return RecordCipher(self.settings.base_url, self._credentials)

    @cached_property
    def _credentials(self) -> Credentials:
        settings = self.settings
        # With an API key there is no login, but the key encrypts the checkpoints of transfers.
        password = settings.password if settings.api_key is None else settings.api_key
        return Credentials(settings.login, password, settings.totp_secret, settings.pin)

    def _new_transport(self) -> Transport:
        from airflow import __version__ as airflow_version

        settings = self.settings
        redactor = Redactor(on_secret=mask_secret)
        redactor.keep(settings.password, settings.totp_secret, settings.pin, settings.api_key)
        transport = Transport(
            settings.base_url,
            verify=settings.verify,
            proxy=settings.proxy,
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            user_agent=f"apache-airflow/{airflow_version}",
            captcha_pattern=settings.captcha_pattern,
            # A person waits for the Test button.
            policy=RetryPolicy(attempts=2, deadline=30.0) if self._is_test else None,
            redactor=redactor,
        )
        transport.observers.append(Metrics(settings.conn_id))
        return transport

    def _new_session(self, cipher: RecordCipher) -> SharedSession:
        settings = self.settings
        transport = self._new_transport()
        name = account_name(settings.base_url, settings.login, os.environ.get("AIRFLOW_CONTEXT_TEAM_NAME", ""))
        shared = SharedRecord(
            session_store(_store_setting(), name),
            cipher,
            AccountFolder(lock_folder(conf.get("quatrix", "lock_dir", fallback="")), settings.base_url, settings.login),
            # As long as one request can take; a claim is renewed before each.
            longest_claim=settings.connect_timeout + settings.read_timeout + 10.0,
            on_change=Metrics(settings.conn_id).changed,
        )
        calls = SessionCalls(transport, unblock_method=settings.unblock_method)
        broker = SessionBroker(calls, self._credentials, shared=shared, fingerprint=cipher.fingerprint)
        return SharedSession(broker, QuatrixClient(transport, broker))


def _store_setting() -> str:
    return str(conf.get("quatrix", "session_store", fallback="variable"))
