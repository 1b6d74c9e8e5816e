"""The profile calls."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ..service.accounts import stable_id
from ..web.bodies import json_response
from ..web.credentials import CallerOf, emulator_of

router = APIRouter(prefix="/api/1.0/profile")

NO_LIMIT = -1
ALL_OPERATIONS = (1 << 16) - 1
SHARE_TYPES = {"public_share": "P", "restricted_share": "C", "tracked_share": "T"}


@router.get("")
async def profile(request: Request, caller: CallerOf) -> Response:
    """Show callers their own profile."""
    user = caller.user
    spec = user.spec
    settings = emulator_of(request).settings
    created = int(user.created)
    share_types = settings.share_types if spec.share_types is None else spec.share_types
    return json_response(
        {
            "id": user.id,
            "name": user.name,
            "email": spec.email,
            "super_admin": "",
            "home_id": stable_id("home", spec.key),
            "incoming_id": stable_id("incoming", spec.key),
            "outgoing_id": stable_id("outgoing", spec.key),
            "channel_id": stable_id("channel", spec.key),
            "account_id": user.account_id,
            "storage_id": stable_id("storage"),
            "operations": ALL_OPERATIONS,
            "max_file_size": settings.max_file_size,
            "max_files_per_share": spec.max_files_per_share or settings.max_files_per_share,
            "plan": "emulator",
            "is_contact": spec.is_contact,
            "language": "en_US",
            "created": created,
            "modified": created,
            "quota": NO_LIMIT if settings.user_quota is None else settings.user_quota,
            "status": "A",
            "uid": None,
            "gid": None,
            "has_key": False,
            "pgp_enabled": False,
            "message_signature": "",
            "services": [{"id": stable_id("service"), "service_key": "quatrix"}],
            "share_types": {name: letter in share_types for name, letter in SHARE_TYPES.items()},
            "unique_login": spec.key,
            "auth_methods": [] if spec.second_factor is None else [spec.second_factor],
            "forced_auth": [],
            "account_status": "A",
            "sftp_url": request.url.hostname or "",
        }
    )


@router.get("/info")
async def profile_info(request: Request, caller: CallerOf) -> Response:
    """Show how many bytes are used; a user limit of -1 means that the account's counts."""
    emulator = emulator_of(request)
    emulator.files.settle()
    limit = emulator.settings.user_quota
    return json_response(
        {
            "user_used": emulator.files.tree.used[caller.user.spec.key],
            "user_limit": NO_LIMIT if limit is None else limit,
            "acc_used": emulator.files.quota.used(),
            "acc_limit": emulator.settings.account_quota,
        }
    )
