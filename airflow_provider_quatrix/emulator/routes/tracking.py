"""The calls for shares, downloads and the activity log."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from ..service.paging import Page
from ..web import parameters
from ..web.bodies import json_response
from ..web.credentials import SettledCallerOf, emulator_of

if TYPE_CHECKING:
    from ..service.activity import Entry
    from ..service.shares import Share
    from ..service.tracking import Tracking

router = APIRouter(prefix="/api/1.0/tracking")
inbox_router = APIRouter(prefix="/api/1.0/inbox")

USUAL_LIMIT = 100
CSV_COLUMNS = (
    "Time",
    "Event",
    "Action",
    "Client IPs",
    "User name",
    "Email",
    "User status",
    "Protocol",
    "Payload",
)


class Period(parameters.Parameters):
    """A period, and whose actions."""

    user_id: parameters.Text | None = None
    begin: parameters.Time = Field(default=0, alias="from")
    to: parameters.Time | None = None


class WantedPage(Period):
    """A page of a long list."""

    id: parameters.Text | None = None
    limit: parameters.Limit = USUAL_LIMIT

    def page(self) -> Page:
        """The page for the service."""
        return Page(self.id, self.limit, self.begin, self.to)


class WantedDate(parameters.Parameters):
    """Since when, or on which day."""

    date: parameters.Time | None = None


def _tracking(request: Request) -> Tracking:
    return emulator_of(request).tracking


@router.get("/activity")
async def activity(request: Request, caller: SettledCallerOf) -> Response:
    """Show a page of the activity log."""
    wanted = parameters.parse(WantedPage, request.query_params)
    tracking = _tracking(request)
    entries = tracking.activity(caller.user, wanted.user_id, wanted.page(), full=False)
    return json_response([tracking.entry(entry) for entry in entries])


@router.get("/csv")
async def activity_csv(request: Request, caller: SettledCallerOf) -> Response:
    """Show the activity log of a period as CSV."""
    wanted = parameters.parse(Period, request.query_params)
    page = Page(begin=wanted.begin, end=wanted.to)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    writer.writerows(_row(entry) for entry in _tracking(request).activity(caller.user, wanted.user_id, page, full=True))
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8")


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        datetime.fromtimestamp(int(entry.time), UTC).strftime("%Y-%m-%d %H:%M:%S"),
        entry.event,
        entry.action,
        entry.actor.address,
        entry.actor.name or "",
        entry.actor.email or "",
        "A",
        "web",
        json.dumps(entry.payload, ensure_ascii=False),
    )


@router.get("/files/{id}")
async def files(request: Request, caller: SettledCallerOf) -> Response:
    """List the files of a share, with the numbers of their downloads."""
    return json_response(
        [
            {
                "id": file.id,
                "name": file.name,
                "size": file.size,
                "type": file.node.kind,
                "downloads": len(file.downloads),
            }
            for file in _tracking(request).files(caller.user, request.path_params["id"])
        ]
    )


@router.get("/downloads/{id}")
async def downloads(request: Request, caller: SettledCallerOf) -> Response:
    """List the downloads of a shared file, oldest first."""
    return json_response(
        [
            {
                "ip": download.address,
                "name": download.name,
                "size": download.size,
                "duration": download.duration,
                "time": int(download.time),
                "recipient": download.recipient,
            }
            for download in _tracking(request).shared_file(caller.user, request.path_params["id"]).downloads
        ]
    )


@router.get("")
async def all_shares(request: Request, caller: SettledCallerOf) -> Response:
    """List the shares of all users that the caller manages."""
    date = parameters.parse(WantedDate, request.query_params).date
    return json_response(
        [
            {
                **_shown(share),
                "is_request": share.kind == "request",
                "can_reply": share.takes_files,
                "folder": share.folder.id,
            }
            for share in _tracking(request).shares(caller.user, None, date)
        ]
    )


@router.get("/{id}")
async def shares_of_one(request: Request, caller: SettledCallerOf) -> Response:
    """List the shares of one user. Declared after the calls whose names look like ids."""
    date = parameters.parse(WantedDate, request.query_params).date
    found = _tracking(request).shares(caller.user, request.path_params["id"], date)
    return json_response([_shown(share) for share in found])


def _shown(share: Share) -> dict[str, Any]:
    return {
        "id": share.id,
        "subject": share.subject,
        "type": share.share_type,
        "is_reply": share.kind == "reply",
        "release_date": int(share.activates),
        "expire_date": int(share.expires),
        "created": int(share.created),
        "status": share.status,
        "email": share.sender.email,
        "emails": [party.email for party in share.recipients],
        "owner_id": share.sender.id,
    }


@inbox_router.get("")
async def inbox(request: Request, caller: SettledCallerOf) -> Response:
    """Show a page of the shares that the caller has received."""
    wanted = parameters.parse(WantedPage, request.query_params)
    return json_response(
        [
            {
                "id": share.id,
                "sender_name": share.sender.name,
                "activates": int(share.activates),
                "expires": int(share.expires),
                "is_reply": share.kind == "reply",
                "replied": caller.user.spec.key in share.replied,
                "subject": share.subject,
                "type": share.share_type,
                "file_request": share.kind == "request",
                "protected": share.pin is not None,
            }
            for share in _tracking(request).inbox(caller.user, wanted.page())
        ]
    )
