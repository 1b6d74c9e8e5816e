"""The calls for shares: those of the sender, and those of recipients."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from ..service import antivirus
from ..service.shares import NewShare
from ..web import parameters
from ..web.bodies import empty_response, json_response
from ..web.content import nodes_response
from ..web.credentials import (
    CallerOf,
    SettledCallerOf,
    VisitorOf,
    address_of,
    emulator_of,
    find_visitor,
    optional_caller,
)

if TYPE_CHECKING:
    from ..service.emulator import Emulator
    from ..service.parties import Visitor
    from ..service.share_downloads import ShareLink
    from ..service.shares import Share

router = APIRouter(prefix="/api/1.0/share")


class WantedShare(parameters.Parameters):
    """A share to make."""

    folder_id: parameters.Text
    files: parameters.Ids
    contacts: parameters.AnyIds
    subject: parameters.Text = ""
    message: parameters.Text = ""
    message_signature: parameters.Text = ""
    expires: parameters.Time = 0
    activates: parameters.Time = 0
    return_files: parameters.Flag = False
    return_pgp_encrypted: parameters.Flag = False
    pgp_encrypted: parameters.Flag = False
    notify: parameters.Flag = False
    share_type: parameters.Text = "T"
    pin: parameters.Pin | None = None
    send_email: parameters.Flag = False
    request_auth: parameters.Flag = True


class EnteredPin(parameters.Parameters):
    """A share and its PIN."""

    id: parameters.Text
    pin: parameters.Pin


class Selection(parameters.Parameters):
    """The files of a share to read; all of them when there is none."""

    files: parameters.AnyIds | None = None


@router.get("/recipients")
async def recipients(request: Request, caller: CallerOf) -> Response:
    """List who can receive a share."""
    emulator = emulator_of(request)
    found = emulator.contacts.recipients(caller.user, request.query_params.get("email", ""))
    shown = [{**party.as_dict(), "has_key": False} for party in found]
    if emulator.settings.recipients_as_object:
        return json_response(shown[0] if shown else {})
    return json_response(shown)


@router.post("/create")
async def create(request: Request, caller: SettledCallerOf) -> Response:
    """Make a share."""
    wanted = await parameters.read(request, WantedShare)
    share = emulator_of(request).shares.create(caller.user, NewShare(**wanted.model_dump()), address_of(request))
    return json_response({"id": share.id, "activates": int(share.activates)}, 201)


@router.get("/revoke/{id}")
async def revoke(request: Request, caller: SettledCallerOf) -> Response:
    """End a share."""
    shares = emulator_of(request).shares
    share = shares.own(caller.user, request.path_params["id"])
    return json_response({"id": share.id}, shares.revoke(share, address_of(request)))


@router.get("/download-info/{id}")
async def download_info(request: Request, visitor: VisitorOf) -> Response:
    """Show what a recipient sees first, also of a share that is closed or needs a PIN."""
    emulator = emulator_of(request)
    share = emulator.shares.get(request.path_params["id"])
    emulator.share_access.check_visitor(share, visitor)
    return json_response(_info(emulator, share, visitor))


def _info(emulator: Emulator, share: Share, visitor: Visitor) -> dict[str, Any]:
    user = visitor.user
    return {
        "id": share.id,
        "message": share.message,
        "subject": share.subject,
        "activates": int(share.activates),
        "expires": int(share.expires),
        "sender_name": share.sender.name,
        "sender_email": share.sender.email,
        "user_name": None if user is None else user.name,
        "user_email": None if user is None else user.spec.email,
        "user_id": None if user is None else user.id,
        "locale": "en_US",
        "title": "Quatrix emulator",
        "status": share.status,
        "share_type": share.share_type,
        "expired": share.is_expired(emulator.clock.now()),
        "is_reply": share.kind == "reply",
        "pin_protected": share.pin is not None,
        "pgp_encrypted": False,
        "pgp_enabled": False,
        "private_key": None,
    }


def _opened(request: Request, visitor: Visitor) -> Share:
    """Find the share whose id is in the path, for somebody who may open it."""
    emulator = emulator_of(request)
    share = emulator.shares.get(request.path_params["id"])
    emulator.share_access.check(share, visitor)
    return share


@router.get("/files/{id}")
async def files(request: Request, visitor: VisitorOf) -> Response:
    """List the files of a share."""
    emulator = emulator_of(request)
    share = _opened(request, visitor)
    return json_response(
        [
            {
                "id": file.id,
                "name": file.name,
                "size": file.size,
                "count": sum(node.is_file for node in file.node.walk()),
                "type": file.node.kind,
                "download_locked": antivirus.state_of(file.node, emulator.files.now) is not None,
            }
            for file in emulator.shares.present(share)
        ]
    )


@router.get("/download-link/{id}")
async def link_to_all(request: Request, visitor: VisitorOf) -> Response:
    """Get permission to read all files of a share."""
    return _link(request, visitor, [])


@router.post("/download-link/{id}")
async def link_to_some(request: Request, visitor: VisitorOf) -> Response:
    """Get permission to read files of a share."""
    return _link(request, visitor, (await parameters.read(request, Selection)).files or [])


def _link(request: Request, visitor: Visitor, ids: list[str]) -> Response:
    downloads = emulator_of(request).share_downloads
    share = _opened(request, visitor)
    chosen = downloads.files(share, ids)
    emulator_of(request).files.check_readable(file.node for file in chosen)
    return json_response({"id": downloads.add(share, chosen, visitor)})


@router.get("/download/{link}")
async def download(request: Request) -> Response:
    """Read a shared file, or several as a ZIP archive. The link is enough, without credentials."""
    emulator = emulator_of(request)
    emulator.files.settle()
    optional_caller(request)
    link = emulator.share_downloads.use(request.path_params["link"])
    if emulator.settings.share_download_needs_caller:
        emulator.share_access.check_visitor(link.share, await find_visitor(request))
    emulator.files.check_readable(file.node for file in link.files)
    done = partial(_downloaded, emulator, link, address_of(request), emulator.clock.now())
    return nodes_response(request, emulator, [file.node for file in link.files], done)


def _downloaded(emulator: Emulator, link: ShareLink, address: str, began: float, from_start: bool) -> None:
    if from_start or emulator.settings.share_ranges_count:
        emulator.share_downloads.record(link, address, began)


@router.post("/login-pin")
async def login_pin(request: Request, visitor: VisitorOf) -> Response:
    """Enter the PIN of a share."""
    wanted = await parameters.read(request, EnteredPin)
    return enter_pin(request, visitor, emulator_of(request).shares.get(wanted.id), wanted.pin)


def enter_pin(request: Request, visitor: Visitor, share: Share, pin: str) -> Response:
    """Enter the PIN of a share or a quicklink.

    :return: an empty response; a stranger gets a token in its header ``X-Auth-Token``.
    """
    token = emulator_of(request).share_access.login_pin(share, visitor, pin)
    answer = empty_response()
    if token is not None:
        answer.headers["X-Auth-Token"] = token
    return answer
