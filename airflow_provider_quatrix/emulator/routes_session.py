"""The session calls."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, NoReturn

from fastapi import APIRouter, Request, Response

from .accounts import Caller
from .auth import CallerOf, credentials, note_user, state_of
from .bodies import empty_response, json_response, read_object
from .errors import NOT_SUPPORTED, ApiError, missing_parameter
from .gate import USER

if TYPE_CHECKING:
    from .accounts import Session
    from .state import EmulatorState

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
    where = state_of(request).settings.session_id_in
    body: dict[str, str | None] = {"account_id": session.user.account_id}
    if where != "header":
        body = {"session_id": session.id, **body}
    headers = {"X-Auth-Token": session.id} if where != "body" else None
    return json_response(body, status, headers)


@router.get("/login")
async def login(request: Request) -> Response:
    """Log in with e-mail and password.

    :param request: the request.
    :return: 200, or 207 while a second factor is missing.
    :raises ApiError: when the login is refused.
    """
    state = state_of(request)
    pair = _basic(request)
    if pair is None:
        raise state.unauthorized()
    user = state.users.get(pair[0].casefold())
    if user is not None:
        request.scope[USER] = user.spec.email
    session = state.login(*pair)
    if session.stage == "ready":
        return _login_answer(request, session)
    answer = _login_answer(request, session, 207)
    settings = state.settings
    mfa_code = settings.mfa_code_2fa if session.stage == "2FA" else settings.mfa_code_pin
    if mfa_code is not None:
        answer.headers["Mfa-Code"] = str(mfa_code)
    return answer


@router.post("/login")
async def second_factor(request: Request) -> Response:
    """Give the second factor.

    :param request: the request.
    :return: 200 with the session id.
    :raises ApiError: when the code is refused, or nothing waits for one.
    """
    state = state_of(request)
    body = await read_object(request)
    for name in ("auth_type", "code"):
        if name not in body:
            raise missing_parameter(name)
    session_id, _ = credentials(request)
    session = state.second_factor(session_id, body["auth_type"], body["code"])
    note_user(request, Caller(session.user, session))
    return _login_answer(request, session)


@router.get("/keepalive")
async def keepalive(request: Request, caller: CallerOf) -> Response:
    """Refresh the session.

    :param request: the request.
    :param caller: who makes the call.
    :return: an empty answer.
    :raises ApiError: when the call is refused.
    """
    return _empty_answer(request, caller)


def _empty_answer(request: Request, caller: Caller) -> Response:
    state = state_of(request)
    status = 200 if caller.session else state.settings.bearer_session_status
    return empty_response(status) if status < 300 else _refuse(state, status)


def _refuse(state: EmulatorState, status: int) -> NoReturn:
    refusal = state.unauthorized()
    refusal.status = status
    raise refusal


@router.get("/logout")
async def logout(request: Request) -> Response:
    """End the session.

    :param request: the request.
    :return: an empty answer.
    :raises ApiError: when there is no session.
    """
    state = state_of(request)
    caller = state.logout(*credentials(request))
    note_user(request, caller)
    if caller is None:
        status = state.settings.dead_logout_status
        return empty_response(status) if status < 300 else _refuse(state, status)
    return _empty_answer(request, caller)


@router.post("/unblock-captcha")
async def unblock_captcha(request: Request) -> Response:
    """Pass the CAPTCHA.

    :param request: the request.
    :return: whether the token was right; the 401 of a wrong one is no ErrorModel.
    :raises ApiError: without a session, or without a usable token.
    """
    body = await read_object(request)
    if "token" not in body:
        raise missing_parameter("token")
    return _pass_captcha(request, body["token"])


@router.get("/unblock-captcha")
async def unblock_captcha_by_get(request: Request) -> Response:
    """Pass the CAPTCHA by the later form of the call, where it is enabled.

    :param request: the request.
    :return: whether the token was right.
    :raises ApiError: 405 unless enabled; else as for the POST form.
    """
    if not state_of(request).settings.unblock_get:
        raise ApiError(405, NOT_SUPPORTED, "Method not allowed", headers={"Allow": "POST"})
    token = request.query_params.get("token")
    if token is None:
        raise missing_parameter("token")
    return _pass_captcha(request, token)


def _pass_captcha(request: Request, token: object) -> Response:
    state = state_of(request)
    session_id, _ = credentials(request)
    session = state.sessions.get(session_id or "")
    if session is not None:
        note_user(request, Caller(session.user, session))
    valid = state.pass_captcha(session_id, token)
    return json_response({"valid": valid}, 200 if valid else 401)
