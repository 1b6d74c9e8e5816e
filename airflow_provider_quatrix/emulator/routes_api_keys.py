"""The calls that list, make, change and delete API keys."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from . import params
from .accounts import ApiKeySpec
from .auth import CallerOf, state_of
from .bodies import json_response, read_object
from .errors import RESTRICTED, ApiError, bad_parameter, not_found

if TYPE_CHECKING:
    from .accounts import ApiKey, Caller, KeyStatus
    from .state import EmulatorState

router = APIRouter(prefix="/api/1.0/api-key")


def _shown(state: EmulatorState, key: ApiKey, *, secret: bool = False) -> dict[str, Any]:
    return {
        "id": key.id,
        "role_id": state.users[key.owner].id,
        "name": key.spec.name,
        "email": key.spec.email,
        # Shown once, when the key is made.
        "key": key.spec.key if secret else None,
        "hint": key.spec.hint,
        "created": int(key.created),
        "modified": int(key.modified),
        "status": key.spec.status,
    }


def _own_keys(state: EmulatorState, caller: Caller) -> list[ApiKey]:
    return [key for key in state.api_keys.values() if key.owner == caller.user.spec.key]


def _own_key(request: Request, caller: Caller) -> ApiKey:
    for key in _own_keys(state_of(request), caller):
        if key.id == request.path_params["id"]:
            return key
    raise not_found("API key")


def _check_user(state: EmulatorState, caller: Caller, user_id: str) -> None:
    if user_id == caller.user.id:
        return
    if user_id in [user.id for user in state.users.values()]:
        raise ApiError(state.settings.permission_status, RESTRICTED, "No permission")
    raise not_found("user")


def _status(body: dict[str, Any], default: KeyStatus) -> KeyStatus:
    value = body.get("status")
    if value is None:
        return default
    if value not in ("A", "D"):
        raise bad_parameter("status")
    return "A" if value == "A" else "D"


@router.get("")
async def own_keys(request: Request, caller: CallerOf) -> Response:
    """List the keys of all users that the caller manages, which are the caller's own.

    :param request: the request.
    :param caller: who makes the call.
    :return: a list.
    """
    state = state_of(request)
    return json_response([_shown(state, key) for key in _own_keys(state, caller)])


@router.get("/{user_id}")
async def keys_of_user(request: Request, caller: CallerOf) -> Response:
    """List the keys of one user.

    :param request: the request.
    :param caller: who makes the call.
    :return: a list.
    """
    state = state_of(request)
    _check_user(state, caller, request.path_params["user_id"])
    return json_response([_shown(state, key) for key in _own_keys(state, caller)])


@router.get("/metadata/{id}")
async def get_key(request: Request, caller: CallerOf) -> Response:
    """Show one key.

    :param request: the request.
    :param caller: who makes the call.
    :return: the key.
    """
    return json_response(_shown(state_of(request), _own_key(request, caller)))


@router.post("/create")
async def create_key(request: Request, caller: CallerOf) -> Response:
    """Make a key.

    :param request: the request.
    :param caller: who makes the call.
    :return: 201 with the key, for the only time.
    """
    state = state_of(request)
    body = await read_object(request)
    if role_id := params.optional_text(body, "role_id"):
        _check_user(state, caller, role_id)
    name, status = params.optional_text(body, "name"), _status(body, "A")
    key = state.add_api_key(ApiKeySpec(secrets.token_hex(32), caller.user.spec.email, status, name))
    return json_response(_shown(state, key, secret=True), 201)


@router.post("/update/{id}")
async def update_key(request: Request, caller: CallerOf) -> Response:
    """Rename a key, or switch it on or off.

    :param request: the request.
    :param caller: who makes the call.
    :return: the key.
    """
    state = state_of(request)
    body = await read_object(request)
    spec = _own_key(request, caller).spec
    name = spec.name if body.get("name") is None else params.text(body, "name")
    key = state.add_api_key(replace(spec, name=name, status=_status(body, spec.status)))
    return json_response(_shown(state, key))


@router.get("/delete/{id}")
async def delete_key(request: Request, caller: CallerOf) -> Response:
    """Delete a key.

    :param request: the request.
    :param caller: who makes the call.
    :return: its id.
    """
    key = _own_key(request, caller)
    del state_of(request).api_keys[key.spec.key]
    return json_response({"id": key.id})
