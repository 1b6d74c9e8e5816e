"""The calls that list, make, change and delete API keys."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Request, Response

from ..service.accounts import ApiKeySpec
from ..service.errors import RESTRICTED, ApiError, not_found
from ..web import parameters
from ..web.bodies import json_response
from ..web.credentials import CallerOf, emulator_of

if TYPE_CHECKING:
    from ..service.accounts import ApiKey, User
    from ..service.emulator import Emulator

router = APIRouter(prefix="/api/1.0/api-key")


class NewKey(parameters.Parameters):
    """The key to make."""

    role_id: parameters.Text = ""
    name: parameters.Text = ""
    status: Literal["A", "D"] = "A"


class ChangedKey(parameters.Parameters):
    """What to change of a key; what is absent stays."""

    name: parameters.Text | None = None
    status: Literal["A", "D"] | None = None


def _shown(key: ApiKey, user: User, *, secret: bool = False) -> dict[str, Any]:
    return {
        "id": key.id,
        "role_id": user.id,
        "name": key.spec.name,
        "email": key.spec.email,
        "key": key.spec.key if secret else None,
        "hint": key.spec.hint,
        "created": int(key.created),
        "modified": int(key.modified),
        "status": key.spec.status,
    }


def _own_key(request: Request, user: User) -> ApiKey:
    for key in emulator_of(request).accounts.keys_of(user):
        if key.id == request.path_params["id"]:
            return key
    raise not_found("API key")


def _check_user(emulator: Emulator, user: User, user_id: str) -> None:
    if user_id == user.id:
        return
    if any(user_id == other.id for other in emulator.accounts.users):
        raise ApiError(emulator.settings.permission_status, RESTRICTED, "No permission")
    raise not_found("user")


@router.get("")
async def own_keys(request: Request, caller: CallerOf) -> Response:
    """List the keys of all users that the caller manages, which are the caller's own."""
    keys = emulator_of(request).accounts.keys_of(caller.user)
    return json_response([_shown(key, caller.user) for key in keys])


@router.get("/{user_id}")
async def keys_of_user(request: Request, caller: CallerOf) -> Response:
    """List the keys of one user."""
    _check_user(emulator_of(request), caller.user, request.path_params["user_id"])
    return await own_keys(request, caller)


@router.get("/metadata/{id}")
async def get_key(request: Request, caller: CallerOf) -> Response:
    """Show one key."""
    return json_response(_shown(_own_key(request, caller.user), caller.user))


@router.post("/create")
async def create_key(request: Request, caller: CallerOf) -> Response:
    """Make a key. Only this response shows its secret."""
    emulator = emulator_of(request)
    wanted = await parameters.read(request, NewKey)
    if wanted.role_id:
        _check_user(emulator, caller.user, wanted.role_id)
    spec = ApiKeySpec(secrets.token_hex(32), caller.user.spec.email, wanted.status, wanted.name)
    return json_response(_shown(emulator.accounts.add_api_key(spec), caller.user, secret=True), 201)


@router.post("/update/{id}")
async def update_key(request: Request, caller: CallerOf) -> Response:
    """Rename a key, or switch it on or off."""
    wanted = await parameters.read(request, ChangedKey)
    spec = _own_key(request, caller.user).spec
    name = spec.name if wanted.name is None else wanted.name
    changed = replace(spec, name=name, status=wanted.status or spec.status)
    return json_response(_shown(emulator_of(request).accounts.add_api_key(changed), caller.user))


@router.get("/delete/{id}")
async def delete_key(request: Request, caller: CallerOf) -> Response:
    """Delete a key."""
    key = _own_key(request, caller.user)
    emulator_of(request).accounts.remove_api_key(key)
    return json_response({"id": key.id})
