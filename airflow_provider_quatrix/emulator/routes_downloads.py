"""The calls of a download: link and content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from . import params
from .auth import FileCallerOf, TransferCallerOf, state_of
from .bodies import json_response, read_object
from .content import ContentResponse, block_size
from .errors import error_body
from .links import UnsatisfiableRangeError, parse_range
from .zips import zip_blocks

if TYPE_CHECKING:
    from .state import EmulatorState
    from .tree import Node

router = APIRouter(prefix="/api/1.0/file")


@router.post("/download-link")
async def download_link(request: Request, caller: FileCallerOf) -> Response:
    """Get permission to read objects.

    :param request: the request.
    :param caller: who makes the call.
    :return: the link's id.
    """
    files = state_of(request).files
    owner = caller.user.spec.key
    nodes = [files.get(owner, node_id) for node_id in params.ids(await read_object(request))]
    return json_response({"id": files.links.add(owner, nodes)})


@router.get("/download/{link}")
async def download(request: Request, caller: TransferCallerOf) -> Response:
    """Read a file, or several objects as a ZIP archive.

    :param request: the request.
    :param caller: who makes the call.
    :return: the content.
    """
    state = state_of(request)
    state.files.settle()
    target = state.settings.hostile_download_redirect
    if target is not None:
        return Response(status_code=302, headers={"Location": target + request.url.path})
    nodes = state.files.links.use(caller.user.spec.key, request.path_params["link"])
    if len(nodes) == 1 and nodes[0].is_file:
        return _file(request, state, nodes[0])
    name = f"{nodes[0].name}.zip" if len(nodes) == 1 else "files.zip"
    return ContentResponse(state, zip_blocks(nodes), name)


def _file(request: Request, state: EmulatorState, node: Node) -> Response:
    settings, size = state.settings, node.content.size
    try:
        wanted = None if settings.ignore_range else parse_range(request.headers.get("range"), size)
    except UnsatisfiableRangeError:
        body = error_body(10, "The range is behind the end of the file")
        return Response(body, 416, {"Content-Range": f"bytes */{size}"}, "application/json")
    start, end = wanted or (0, size)
    return ContentResponse(
        state,
        node.content.blocks(start, end, block_size(settings.bytes_per_second)),
        node.name,
        length=end - start,
        content_range=None if wanted is None else f"bytes {start}-{end - 1}/{size}",
        endless=settings.hostile_endless_download,
    )
