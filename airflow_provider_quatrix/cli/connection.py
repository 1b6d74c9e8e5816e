"""Commands about a connection and its session."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.models import SessionStatus
from airflow_provider_quatrix.cli.assumptions import FAILS, lines_of
from airflow_provider_quatrix.cli.live import Recorder, explored
from airflow_provider_quatrix.cli.output import when
from airflow_provider_quatrix.cli.running import Exit
from airflow_provider_quatrix.hooks.failures import STAGES, Trial, advice
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.sessions.decisions import LOGIN_LIMIT

if TYPE_CHECKING:
    import argparse

    from airflow_provider_quatrix.cli.output import Output
    from airflow_provider_quatrix.hooks.connection import ConnectionSettings

_PASSED, _FAILED, _NOT_REACHED = "ok", "failed", "not reached"
_OF_LOGINS = ("Budget", "CAPTCHA")


def check(args: argparse.Namespace, output: Output) -> int:
    """Test a connection stage by stage, and with ``--live`` what is assumed about the service."""
    hook = QuatrixHook(args.conn_id)
    recorder = Recorder(hook) if args.live else None
    # The response to the test's login is evidence too.
    trial = hook.trial(recorder)
    stages = stages_of(trial, None if trial.failed == "Connection" else hook.settings)
    value: dict[str, Any] = {
        "conn_id": args.conn_id,
        "ok": not trial.failed,
        "stages": [{"stage": stage, "result": result} for stage, result in stages],
        "failed": trial.failed or None,
        "message": trial.message,
    }
    message = trial.message
    if trial.error is not None:
        message = f"{message.rstrip('.')}. {advice(trial.error, args.conn_id)}".rstrip()
    lines = [*(f"{stage:15}{result}" for stage, result in stages), message]
    status = _status_of(trial)
    if recorder is not None and trial.failed != "Connection":
        findings = explored(hook, recorder, trial, args.folder)
        value["assumptions"] = [finding.as_dict() for finding in findings]
        lines += ["", *lines_of(findings)]
        if status is Exit.DONE and any(finding.result == FAILS for finding in findings):
            status = Exit.DEVIATES
    output.show({**value, "message": message}, lines)
    return status


def stages_of(trial: Trial, settings: ConnectionSettings | None) -> list[tuple[str, str]]:
    """Return the stages that a connection has, and what became of each.

    :param trial: how far the test got.
    :param settings: the connection; ``None`` if its fields are wrong.
    :return: pairs of a stage and ``ok``, ``failed`` or ``not reached``.
    """
    applies = {
        "Proxy": settings is not None and settings.proxy is not None,
        "TLS": settings is None or settings.base_url.startswith("https:"),
        "Second factor": settings is not None and bool(settings.totp_secret or settings.pin),
        **dict.fromkeys(_OF_LOGINS, settings is None or settings.api_key is None),
    }
    stages = [stage for stage in STAGES if applies.get(stage, True) or stage == trial.failed]
    failed = stages.index(trial.failed) if trial.failed else len(stages)
    results = [_PASSED] * failed + [_FAILED] + [_NOT_REACHED] * len(stages)
    return list(zip(stages, results, strict=False))


def _status_of(trial: Trial) -> Exit:
    if trial.failed == "CAPTCHA":
        return Exit.CAPTCHA
    if trial.failed == "Connection":
        return Exit.USAGE
    return Exit.FAILED if trial.failed else Exit.DONE


def show(args: argparse.Namespace, output: Output) -> int:
    """Show what is known of the session, without calling the service."""
    hook = QuatrixHook(args.conn_id)
    state = hook.session_state()
    settings = hook.settings
    value = {
        "conn_id": args.conn_id,
        "host": settings.base_url,
        "login": settings.login,
        "status": state.status.value,
        "obtained": state.obtained,
        "last_used": state.last_used,
        "login_attempts": state.login_attempts,
        "logins_left": max(0, LOGIN_LIMIT - state.login_attempts),
    }
    lines = [
        f"Connection   {args.conn_id}",
        f"Account      {settings.login or 'of the API key'} at {settings.base_url}",
        f"Session      {_STATUS[state.status]}",
    ]
    if state.obtained is not None:
        lines.append(f"Signed in    {_ago(state.obtained)}")
    if state.last_used is not None:
        lines.append(f"Last used    {_ago(state.last_used)}")
    if state.status is not SessionStatus.API_KEY:
        lines.append(f"Logins       {state.login_attempts} of {LOGIN_LIMIT} in the last 15 minutes")
    output.show(value, lines)
    return Exit.DONE


_STATUS = {
    SessionStatus.NONE: "none; the next use signs in",
    SessionStatus.OPEN: "open",
    SessionStatus.BLOCKED: "blocked until a person passes the CAPTCHA by signing in to Quatrix in a browser",
    SessionStatus.REJECTED: "none; the credentials were refused, and are not tried again until they change",
    SessionStatus.API_KEY: "none is needed with an API key",
}


def _ago(moment: float) -> str:
    return f"{when(moment)} UTC, {max(0.0, time.time() - moment) / 60:.0f} min ago"


def end(args: argparse.Namespace, output: Output) -> int:
    """End the session for all who share it."""
    ended = QuatrixHook(args.conn_id).logout()
    output.show(
        {"conn_id": args.conn_id, "ended": ended}, ["The session has ended" if ended else "There was no open session"]
    )
    return Exit.DONE
