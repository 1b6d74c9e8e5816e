"""The calls for quicklinks."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ..service.quicklinks import NewQuicklink
from ..web import parameters
from ..web.bodies import json_response
from ..web.credentials import SettledCallerOf, VisitorOf, address_of, emulator_of
from .shares import EnteredPin, enter_pin

router = APIRouter(prefix="/api/1.0/quicklink")


class WantedQuicklink(parameters.Parameters):
    """A quicklink to make."""

    files: parameters.Ids
    subject: parameters.Text = ""
    pin: parameters.Pin | None = None
    notify: parameters.Flag = True


@router.post("/create")
async def create(request: Request, caller: SettledCallerOf) -> Response:
    """Make a quicklink."""
    emulator = emulator_of(request)
    wanted = await parameters.read(request, WantedQuicklink)
    share = emulator.quicklinks.create(caller.user, NewQuicklink(**wanted.model_dump()), address_of(request))
    shown = {
        "id": share.id,
        "files": [file.node.id for file in share.files],
        "activates": int(share.activates),
        "expires": int(share.expires),
    }
    return json_response(shown, emulator.settings.quicklink_status)


@router.get("/revoke/{id}")
async def revoke(request: Request, caller: SettledCallerOf) -> Response:
    """End a quicklink."""
    emulator = emulator_of(request)
    share = emulator.quicklinks.get(request.path_params["id"])
    emulator.shares.own(caller.user, share.id)
    return json_response({"id": share.id}, emulator.shares.revoke(share, address_of(request)))


@router.post("/login-pin")
async def login_pin(request: Request, visitor: VisitorOf) -> Response:
    """Enter the PIN of a quicklink."""
    wanted = await parameters.read(request, EnteredPin)
    return enter_pin(request, visitor, emulator_of(request).quicklinks.get(wanted.id), wanted.pin)
