"""The calls of a download: link and content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from ..service.errors import BAD_PARAMETER, ApiError
from ..service.zips import zip_blocks
from ..web import parameters
from ..web.bodies import json_response
from ..web.content import ContentResponse, block_size
from ..web.credentials import FileCallerOf, TransferCallerOf, emulator_of
from ..web.ranges import UnsatisfiableRangeError, parse_range

if TYPE_CHECKING:
    from ..service.emulator import Emulator
    from ..service.tree import Node

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
    if len(nodes) == 1 and nodes[0].is_file:
        return _file(request, emulator, nodes[0])
    name = f"{nodes[0].name}.zip" if len(nodes) == 1 else "files.zip"
    return ContentResponse(emulator, zip_blocks(nodes), name)


def _file(request: Request, emulator: Emulator, node: Node) -> Response:
    settings, size = emulator.settings, node.content.size
    try:
        wanted = None if settings.ignore_range else parse_range(request.headers.get("range"), size)
    except UnsatisfiableRangeError:
        headers = {"Content-Range": f"bytes */{size}"}
        raise ApiError(416, BAD_PARAMETER, "The range is behind the end of the file", headers=headers) from None
    start, end = wanted or (0, size)
    return ContentResponse(
        emulator,
        node.content.blocks(start, end, block_size(settings.bytes_per_second)),
        node.name,
        length=end - start,
        content_range=None if wanted is None else f"bytes {start}-{end - 1}/{size}",
        endless=settings.hostile_endless_download,
    )
