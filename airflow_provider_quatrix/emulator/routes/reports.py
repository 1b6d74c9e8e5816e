"""The calls that describe the content of a folder or its changes, and the liveness probe."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from pydantic import Field

from ..service.errors import bad_parameter
from ..service.objects import listed, size_of
from ..web import parameters
from ..web.bodies import json_response
from ..web.credentials import FileCallerOf, emulator_of

router = APIRouter(prefix="/api/1.0")

CSV_COLUMNS = ("Path", "Name", "Size", "Type", "Created", "Modified", "Content_modified", "Created_by", "Owner")


class Period(parameters.Parameters):
    """The period of the changes."""

    begin: parameters.Time = Field(alias="from")
    to: parameters.Time | None = None


@router.get("/check/ping")
async def ping() -> Response:
    """Show that the service is alive. It needs no credentials."""
    return json_response({"response": "pong"})


@router.get("/file/csv/{id}")
async def folder_csv(request: Request, caller: FileCallerOf) -> Response:
    """List everything in a folder as CSV."""
    files = emulator_of(request).files
    folder = files.get(caller.user.spec.key, request.path_params["id"])
    if folder.is_file:
        raise bad_parameter("id", "is not a folder")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for node in listed(folder.walk(), files.settings):
        if node is not folder:
            kind = "D" if node.kind == "S" else node.kind
            times = (_date(node.created), _date(node.modified), _date(node.modified))
            size = size_of(node, files.settings)
            writer.writerow((node.path, node.name, size, kind, *times, caller.user.spec.email, caller.user.spec.email))
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8")


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M:%S")


@router.get("/file/diff/{id}")
async def diff(request: Request, caller: FileCallerOf) -> Response:
    """List the changes of a folder and everything in it, oldest first."""
    files = emulator_of(request).files
    wanted = parameters.parse(Period, request.query_params)
    node = files.get(caller.user.spec.key, request.path_params["id"])
    end = files.now if wanted.to is None else wanted.to
    if end < wanted.begin:
        raise bad_parameter("to", "is before 'from'")
    return json_response(
        {
            "from": wanted.begin,
            "to": end,
            "data": [
                {
                    "id": change.id,
                    "action": change.action,
                    "parent_id": change.parent_id,
                    "name": change.name,
                    "type": change.kind,
                    "size": change.size,
                    "modified": int(change.modified),
                    "operations": files.settings.operations,
                    "metadata": None,
                }
                for change in files.changes.below(node, wanted.begin, end)
            ],
        }
    )
