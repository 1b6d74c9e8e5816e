"""The Quatrix hook: from an Airflow connection to a signed-in client."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, conf, mask_secret

from airflow_provider_quatrix.api.auth import Credentials
from airflow_provider_quatrix.api.client import QuatrixClient
from airflow_provider_quatrix.api.errors import QuatrixCaptchaRequired, QuatrixError
from airflow_provider_quatrix.api.models import SessionState, SessionStatus
from airflow_provider_quatrix.api.redaction import Redactor
from airflow_provider_quatrix.api.retry import RetryPolicy
from airflow_provider_quatrix.api.transport import Transport
from airflow_provider_quatrix.hooks.connection import (
    CONN_TYPE,
    DEFAULT_CONN_ID,
    EXTRA_FIELDS,
    HOOK_NAME,
    ConnectionSettings,
    InvalidConnectionError,
    ui_field_behaviour,
)
from airflow_provider_quatrix.hooks.failures import failed_stage
from airflow_provider_quatrix.hooks.files import FileCalls, note_name
from airflow_provider_quatrix.sessions.broker import SessionBroker, shared_broker
from airflow_provider_quatrix.sessions.ledger import HostLedger, default_lock_dir
from airflow_provider_quatrix.sessions.notes import SealedNotes
from airflow_provider_quatrix.sessions.seal import Seal
from airflow_provider_quatrix.sessions.stores import MemoryStore, session_store, upload_store

if TYPE_CHECKING:
    from airflow_provider_quatrix.api.transfer import Notes
    from airflow_provider_quatrix.sessions.stores import SessionStore


class QuatrixHook(FileCalls, BaseHook):
    """Calls Quatrix with an Airflow connection, over the one session that all its tasks share.

    :param quatrix_conn_id: connection of type ``quatrix``.
    """

    conn_name_attr = "quatrix_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = CONN_TYPE
    hook_name = HOOK_NAME

    def __init__(self, quatrix_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.quatrix_conn_id = quatrix_conn_id
        self._private_session = False

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extra fields for the form of Airflow 2; Airflow 3 draws them from the provider's metadata."""
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
        """Return what the form of Airflow 2 does with the standard fields."""
        return ui_field_behaviour()

    @cached_property
    def settings(self) -> ConnectionSettings:
        """The connection, checked.

        :raises InvalidConnectionError: a field is missing or wrong.
        """
        return ConnectionSettings.from_connection(self.get_connection(self.quatrix_conn_id))

    @cached_property
    def client(self) -> QuatrixClient:  # type: ignore[override]
        """The client, which signs in when it is first used."""
        settings, seal = self.settings, self._seal
        if settings.api_key is not None:
            return self._new_client()
        key = (settings.conn_id, seal.fingerprint, repr(settings), settings.proxy or "", str(self._private_session))
        return shared_broker(key, lambda: self._new_broker(seal)).client

    def get_conn(self) -> QuatrixClient:
        """Return a client that is signed in.

        :return: client, shared with all hooks of this process that have the same connection.
        :raises QuatrixError: signing in failed.
        """
        if self.client.session is not None:
            self.client.session.take()
        return self.client

    def login(self, mfa_code: str | None = None) -> SessionState:
        """Make sure that the connection has a session that works; signs in only if it has none.

        With an API key there is nothing to sign in; then the key is tried.

        :param mfa_code: a second factor for this one login, if the connection does not hold it.
        :return: the session's state, without its id.
        :raises QuatrixError: signing in failed.
        """
        if self.client.uses_api_key:
            self.client.profile()
            return self.session_state()
        return self._session.login(mfa_code)

    def keepalive(self, *, renew: bool = True) -> None:
        """Use the session, so that it does not end for the next 15 minutes. Nothing to do with an API key.

        :param renew: sign in if there is no session or it has ended.
        :raises QuatrixSessionExpired: there is no session, and ``renew`` is false.
        :raises QuatrixError: the session cannot be kept.
        """
        if self.client.uses_api_key:
            return
        if renew:
            self.client.keepalive()
        else:
            self._session.keep()

    def logout(self) -> bool:
        """End the connection's session for all who share it.

        :return: ``False`` if there was none, which is fine.
        """
        return not self.client.uses_api_key and self._session.end()

    def unblock_captcha(self, token: str) -> bool:
        """Hand in a passed CAPTCHA.

        :param token: proof of the passed CAPTCHA; works once.
        :return: ``False`` if nothing was blocked, and the token not used.
        :raises QuatrixCaptchaRequired: the token was wrong; a new one is needed.
        """
        return not self.client.uses_api_key and self._session.unblock(token)

    def captcha_blocked(self, max_age: float = 0.0) -> bool:
        """Ask whether the account waits for a CAPTCHA, without any login while it does.

        :param max_age: seconds for which a block that another task saw is believed without asking.
        :return: ``False`` once the session works; at once with an API key.
        :raises QuatrixError: signing in failed for another reason.
        """
        if self.client.uses_api_key:
            return False
        try:
            self._session.check(max_age)
        except QuatrixCaptchaRequired as block:
            self.log.info("%s", block)
            return True
        return False

    def session_state(self) -> SessionState:
        """Return what is known of the connection's session, without asking Quatrix."""
        if self.client.uses_api_key:
            return SessionState(SessionStatus.API_KEY)
        return self._session.state()

    def test_connection(self) -> tuple[bool, str]:
        """Try the connection, for the Test button.

        :return: whether it works, and one line that names the stage that failed.
        """
        # Airflow tests a copy of the connection under a name made up on the spot, whose session nobody would find.
        self._private_session = True
        try:
            profile = self.client.profile()
        except (QuatrixError, InvalidConnectionError, AirflowNotFoundException) as error:
            return False, f"{failed_stage(error)}: {error}"
        if profile.is_contact:
            return False, f"Credentials: {profile.email} is a contact, who has no files; use a full user"
        return True, f"Signed in to {self.settings.base_url} as {profile.email}"

    @property
    def _session(self) -> SessionBroker:
        session = self.client.session
        if not isinstance(session, SessionBroker):
            raise TypeError("a connection with an API key has no session")
        return session

    def notes(self, name: str) -> Notes:
        """Return the place for notes of an unfinished transfer, sealed and shared by all workers.

        :param name: tells transfers apart.
        """
        setting = conf.get("quatrix", "session_store", fallback="variable")
        return SealedNotes(upload_store(setting, self.settings.conn_id, note_name(name)), self._seal)

    @cached_property
    def _seal(self) -> Seal:
        return Seal(self.settings.base_url, self._credentials)

    @cached_property
    def _credentials(self) -> Credentials:
        settings = self.settings
        # With an API key nobody logs in; it is what the notes of transfers are sealed with then.
        password = settings.password if settings.api_key is None else settings.api_key
        return Credentials(settings.login, password, settings.totp_secret, settings.pin)

    def _new_client(self) -> QuatrixClient:
        from airflow import __version__ as airflow_version

        settings = self.settings
        transport = Transport(
            settings.base_url,
            verify=settings.verify,
            proxy=settings.proxy,
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            user_agent=f"apache-airflow/{airflow_version}",
            captcha_pattern=settings.captcha_pattern,
            # A person waits for the Test button.
            policy=RetryPolicy(attempts=2, deadline=30.0) if self._private_session else None,
            redactor=Redactor(on_secret=mask_secret),
        )
        return QuatrixClient(transport, api_key=settings.api_key, unblock_method=settings.unblock_method)

    def _new_broker(self, seal: Seal) -> SessionBroker:
        settings = self.settings
        lock_dir = conf.get("quatrix", "lock_dir", fallback="")
        client = self._new_client()
        client.session = SessionBroker(
            client,
            self._credentials,
            store=self._store(seal),
            seal=seal,
            ledger=HostLedger(Path(lock_dir) if lock_dir else default_lock_dir(), settings.base_url, settings.login),
        )
        return client.session

    def _store(self, seal: Seal) -> SessionStore:
        if self._private_session:
            return MemoryStore(seal.fingerprint)
        return session_store(conf.get("quatrix", "session_store", fallback="variable"), self.settings.conn_id)
