"""Tests what is assumed about the service, as far as that does no harm."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.errors import (
    CODE_MFA_REQUIRED,
    CODE_PIN_REQUIRED,
    QuatrixApiError,
    QuatrixCaptchaRequired,
    QuatrixError,
    QuatrixSessionExpired,
)
from airflow_provider_quatrix.api.refusals import error_from, is_session_id
from airflow_provider_quatrix.cli.assumptions import ASSUMPTIONS
from airflow_provider_quatrix.cli.findings import Findings, error_text
from airflow_provider_quatrix.cli.live_files import try_files

if TYPE_CHECKING:
    from airflow_provider_quatrix.api.client import QuatrixClient
    from airflow_provider_quatrix.api.messages import Request, Response
    from airflow_provider_quatrix.cli.assumptions import Finding
    from airflow_provider_quatrix.hooks.failures import Trial
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

_LARGEST_OFFSET = 30.0


@dataclass
class Recorder:
    """Records what responses reveal about the service, but no secrets.

    :param hook: makes the calls.
    :ivar logins: for each login that was not refused: status, whether the id is in the body, and ``Mfa-Code``.
    :ivar refusal: of the last session call that was refused.
    :ivar offset: seconds that the service's clock is ahead; ``None`` if responses do not contain its time.
    :ivar answers: the number of responses.
    """

    hook: QuatrixHook

    def __post_init__(self) -> None:
        """Begin without results."""
        self.logins: list[tuple[int, bool, str]] = []
        self.refusal: QuatrixError | None = None
        self.offset: float | None = None
        self.answers = 0

    def answered(self, request: Request, response: Response) -> None:
        """Record a response."""
        self.answers += 1
        date = response.date()
        self.offset = None if date is None else date - time.time()
        if not request.path.startswith("session/"):
            return
        if response.status >= 300:
            settings, client = self.hook.settings, self.hook.client
            self.refusal = error_from(
                response, redact=client.redact, captcha_pattern=settings.captcha_pattern, path=request.path
            )
        elif (request.method, request.path) == ("GET", "session/login"):
            body = response.json()
            in_body = isinstance(body, dict) and is_session_id(body.get("session_id"))
            self.logins.append((response.status, in_body, response.headers.get("Mfa-Code", "")[:10]))

    def repeated(self, request: Request, error: BaseException) -> None:
        """Do nothing."""

    def moved(self, direction: str, size: int) -> None:
        """Do nothing."""


def explored(hook: QuatrixHook, recorder: Recorder, trial: Trial, folder: str) -> list[Finding]:
    """Test what is assumed about the service.

    :param recorder: has recorded the responses of the trial.
    :param trial: how far the test of the connection got.
    :param folder: where to make a folder, which is removed at the end.
    :return: one finding per assumption.
    """
    live = Findings()
    live.untried("would take 15 minutes", "idle-end")
    live.untried("would keep people from signing in", "login-limit")
    live.untried("needs a token of a passed CAPTCHA", "captcha-token")
    _try_login(live, hook, recorder, trial)
    if trial.failed:
        live.untried(f"the connection does not work ({trial.failed})", *ASSUMPTIONS)
        return live.all()
    try:
        _try_session(live, hook.client)
        _try_account(live, hook.client, recorder)
        try_files(live, hook, folder)
    except QuatrixCaptchaRequired as block:
        live.found("captcha-words", holds=True, seen=error_text(block))
        live.untried("the account waits for a CAPTCHA now", *ASSUMPTIONS)
    return live.all()


def _try_login(live: Findings, hook: QuatrixHook, recorder: Recorder, trial: Trial) -> None:
    """Check the response to the trial's login, if there was a login."""
    if hook.client.uses_api_key:
        live.untried("the connection has an API key", "login-answer", "second-factor", "captcha-words")
        live.untried("the account is not known to be blocked", "api-key-captcha", "captcha-session")
        live.found("api-key", not trial.failed, trial.message if trial.failed else "")
        return
    live.untried("the connection has no API key", "api-key", "api-key-captcha")
    for status, in_body, mfa_code in recorder.logins:
        live.found("login-answer", in_body, f"HTTP {status}, {'in' if in_body else 'not in'} the body")
        if status == 207:
            known = mfa_code in (str(CODE_MFA_REQUIRED), str(CODE_PIN_REQUIRED))
            live.found("second-factor", known, f"Mfa-Code {mfa_code or 'absent'}")
        else:
            live.untried("the account has no second factor", "second-factor")
    live.untried("the session was open; `session end` lets the next check sign in", "login-answer", "second-factor")
    refusal = recorder.refusal
    if isinstance(refusal, QuatrixCaptchaRequired):
        live.found("captcha-words", holds=True, seen=error_text(refusal))
        live.found("captcha-session", refusal.session_id is not None)
    elif refusal is not None and trial.failed:
        why = f"if the account waits for a CAPTCHA, captcha_pattern must match a word of: {error_text(refusal)}"
        live.untried(why, "captcha-words", "captcha-session")
    live.untried("the account is not blocked", "captcha-words", "captcha-session")


def _try_session(live: Findings, client: QuatrixClient) -> None:
    if client.uses_api_key:
        live.untried("the connection has an API key", "keepalive", "unknown-session", "unknown-logout")
        return
    with live.trying("keepalive"):
        answer = client.call("GET", "session/keepalive")
        live.found(
            "keepalive",
            answer.status == 200 and not answer.body.strip(),
            f"HTTP {answer.status}, {len(answer.body)} bytes",
        )
    for name, path in (("unknown-session", "session/keepalive"), ("unknown-logout", "session/logout")):
        with live.trying(name):
            try:
                # To the service, an ended session is the same as an id that nobody has.
                answer = client.with_session(str(uuid.uuid4())).call("GET", path)
                live.found(name, name == "unknown-logout", f"HTTP {answer.status}")
            except QuatrixApiError as refusal:
                live.found(name, isinstance(refusal, QuatrixSessionExpired), error_text(refusal))


def _try_account(live: Findings, client: QuatrixClient, recorder: Recorder) -> None:
    with live.trying("profile"):
        profile = client.profile()
        missing = [name for name in ("id", "email", "home_id") if not getattr(profile, name)]
        live.found("profile", not missing, f"without {', '.join(missing)}" if missing else "")
    with live.trying("quota"):
        client.profile_info()
        live.found("quota", holds=True)
    offset = recorder.offset
    seen = "no Date header" if offset is None else f"{abs(offset):.0f} s {'ahead' if offset > 0 else 'behind'}"
    live.found("clock", offset is not None and abs(offset) <= _LARGEST_OFFSET, seen)
