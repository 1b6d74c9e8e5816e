"""The session calls."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from ..service.errors import NOT_SUPPORTED, ApiError, missing_parameter
from ..web.bodies import empty_response, json_response, read_object
from ..web.credentials import CallerOf, credentials, emulator_of, note_user

if TYPE_CHECKING:
    from ..service.emulator import Emulator
    from ..service.sessions import Caller, Session

router = APIRouter(prefix="/api/1.0/session")


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        email, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (email, password) if colon else None


def _login_answer(request: Request, session: Session, status: int = 200) -> Response:
    where = emulator_of(request).settings.session_id_in
    body: dict[str, str | None] = {"account_id": session.user.account_id}
    if where != "header":
        body = {"session_id": session.id, **body}
    headers = {"X-Auth-Token": session.id} if where != "body" else None
    return json_response(body, status, headers)


@router.get("/login")
async def login(request: Request) -> Response:
    """Log in with e-mail and password: 200, or 207 while a second factor is missing."""
    emulator = emulator_of(request)
    pair = _basic(request)
    if pair is None:
        raise emulator.sessions.unauthorized()
    user = emulator.accounts.find(pair[0])
    if user is not None:
        note_user(request, user)
    session = emulator.logins.login(*pair)
    if session.stage == "ready":
        return _login_answer(request, session)
    answer = _login_answer(request, session, 207)
    settings = emulator.settings
    mfa_code = settings.mfa_code_2fa if session.stage == "2FA" else settings.mfa_code_pin
    if mfa_code is not None:
        answer.headers["Mfa-Code"] = str(mfa_code)
    return answer


@router.post("/login")
async def second_factor(request: Request) -> Response:
    """Check the second factor."""
    body = await read_object(request)
    for name in ("auth_type", "code"):
        if name not in body:
            raise missing_parameter(name)
    session_id, _ = credentials(request)
    session = emulator_of(request).logins.second_factor(session_id, body["auth_type"], body["code"])
    note_user(request, session.user)
    return _login_answer(request, session)


@router.get("/keepalive")
async def keepalive(request: Request, caller: CallerOf) -> Response:
    """Refresh the session."""
    return _empty_answer(request, caller)


def _empty_answer(request: Request, caller: Caller) -> Response:
    emulator = emulator_of(request)
    return _answer_with(emulator, 200 if caller.session else emulator.settings.bearer_session_status)


def _answer_with(emulator: Emulator, status: int) -> Response:
    if status < 300:
        return empty_response(status)
    refusal = emulator.sessions.unauthorized()
    refusal.status = status
    raise refusal


@router.get("/logout")
async def logout(request: Request) -> Response:
    """End the session."""
    emulator = emulator_of(request)
    caller = emulator.authentication.logout(*credentials(request))
    if caller is None:
        return _answer_with(emulator, emulator.settings.dead_logout_status)
    note_user(request, caller.user)
    return _empty_answer(request, caller)


@router.post("/unblock-captcha")
async def unblock_captcha(request: Request) -> Response:
    """Pass the CAPTCHA. The 401 for a wrong token is not an ErrorModel."""
    body = await read_object(request)
    if "token" not in body:
        raise missing_parameter("token")
    return _pass_captcha(request, body["token"])


@router.get("/unblock-captcha")
async def unblock_captcha_by_get(request: Request) -> Response:
    """Pass the CAPTCHA by the later form of the call, if it is enabled."""
    if not emulator_of(request).settings.unblock_get:
        raise ApiError(405, NOT_SUPPORTED, "Method not allowed", headers={"Allow": "POST"})
    token = request.query_params.get("token")
    if token is None:
        raise missing_parameter("token")
    return _pass_captcha(request, token)


def _pass_captcha(request: Request, token: object) -> Response:
    emulator = emulator_of(request)
    session_id, _ = credentials(request)
    session = emulator.sessions.find(session_id)
    if session is not None:
        note_user(request, session.user)
    valid = emulator.captcha.pass_captcha(session_id, token)
    return json_response({"valid": valid}, 200 if valid else 401)
