"""The calls of a download: link and content."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ..service.activity import files_payload
from ..web import parameters
from ..web.bodies import json_response
from ..web.content import nodes_response
from ..web.credentials import FileCallerOf, TransferCallerOf, actor_of_call, emulator_of

router = APIRouter(prefix="/api/1.0/file")


class Selection(parameters.Parameters):
    """The objects to read."""

    ids: parameters.Ids


@router.post("/download-link")
async def download_link(request: Request, caller: FileCallerOf) -> Response:
    """Get permission to read objects."""
    files, owner = emulator_of(request).files, caller.user.spec.key
    wanted = await parameters.read(request, Selection)
    nodes = [files.get(owner, node_id) for node_id in wanted.ids]
    files.check_readable(nodes)
    return json_response({"id": files.links.add(owner, nodes)})


@router.get("/download/{link}")
async def download(request: Request, caller: TransferCallerOf) -> Response:
    """Read a file, or several objects as a ZIP archive."""
    emulator = emulator_of(request)
    emulator.files.settle()
    target = emulator.settings.hostile_download_redirect
    if target is not None:
        return Response(status_code=302, headers={"Location": target + request.url.path})
    nodes = emulator.files.links.use(caller.user.spec.key, request.path_params["link"])
    emulator.files.check_readable(nodes)
    actor, began, shown = actor_of_call(request, caller.user), emulator.clock.now(), files_payload(nodes)

    def done(from_start: bool) -> None:
        if from_start:
            emulator.activity.add_files(actor, "download", shown, owner=nodes[0].owner, began=began)

    return nodes_response(request, emulator, nodes, done)
