"""The calls of an upload: link, chunks, finalize."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from . import params
from .auth import FileCallerOf, optional_caller, state_of
from .bodies import json_response, read_object
from .content import slow_down
from .errors import ApiError, bad_parameter
from .files import Resolve
from .gate import TRANSPORT
from .multipart import file_parts
from .uploads import ChunkRange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .files import Files
    from .state import EmulatorState
    from .uploads import Upload, Uploads

api_router = APIRouter(prefix="/api/1.0")
root_router = APIRouter(prefix="/upload")


@api_router.post("/upload/link")
async def link(request: Request, caller: FileCallerOf) -> Response:
    """Begin to upload a new file. It exists from now on.

    :param request: the request.
    :param caller: who makes the call.
    :return: its id, and the key that allows to write it.
    """
    files = state_of(request).files
    body = await read_object(request)
    name = params.text(body, "name")
    folder = files.folder(caller.user.spec.key, params.text(body, "parent_id"), "parent_id")
    size = params.whole_number(body, "file_size")
    resolve = Resolve(params.flag(body, "resolve", default=True))
    files.check_file_size(size or 0)
    files.check_space(caller.user.spec.key, size or 0)
    node = files.make(folder, name, "F", resolve)
    node.unfinished = True
    return _key(files.uploads.begin(node, size))


@api_router.post("/file/modify")
async def modify(request: Request, caller: FileCallerOf) -> Response:
    """Begin to write an existing file.

    :param request: the request.
    :param caller: who makes the call.
    :return: its id, and the key that allows to write it.
    """
    files = state_of(request).files
    body = await read_object(request)
    node = files.get(caller.user.spec.key, params.text(body, "id"))
    size = params.whole_number(body, "truncate")
    if not node.is_file:
        raise bad_parameter("id", "is not a file")
    files.check_changeable(node)
    if size is not None:
        files.resize(node, size)
    return _key(files.uploads.begin(node))


def _key(upload: Upload) -> Response:
    node = upload.node
    parent_id = None if node.parent is None else node.parent.id
    return json_response({"name": node.name, "file_id": node.id, "parent_id": parent_id, "upload_key": upload.key})


@api_router.get("/upload/finalize/{key}")
async def finalize(request: Request, caller: FileCallerOf) -> Response:
    """End an upload.

    :param request: the request.
    :param caller: who makes the call.
    :return: the file's size.
    """
    files = state_of(request).files
    upload = files.uploads.get(request.path_params["key"])
    node = files.get(caller.user.spec.key, upload.node.id)
    files.uploads.finalize(upload, params.timestamp(request.query_params, "mtime"))
    return json_response(
        {
            "id": node.id,
            "parent_id": None if node.parent is None else node.parent.id,
            "size": node.content.size + files.settings.hostile_finalize_offset,
            "modified": int(node.modified),
        }
    )


@root_router.post("/chunked/{key}")
async def chunk(request: Request) -> Response:
    """Take a chunk. The key is enough; credentials are not asked for.

    :param request: the request.
    :return: the file's id as a JSON string.
    """
    state = state_of(request)
    uploads = state.files.uploads
    upload, first = await _accepted(request, state)
    end = await _receive(request, upload, request.stream(), first)
    uploads.end_chunk(upload, end)
    return json_response(upload.node.id)


async def _accepted(request: Request, state: EmulatorState) -> tuple[Upload, int]:
    try:
        caller = optional_caller(request)
        if caller is None and state.settings.strict_chunks:
            raise state.unauthorized()
        upload = state.files.uploads.get(request.path_params["key"])
        given = ChunkRange.parse(request.headers.get("content-range"))
        length = request.headers.get("content-length")
        state.files.uploads.begin_chunk(upload, given, int(length) if length is not None else None)
    except ApiError:
        # A client that still sends would not see the refusal.
        await _drain(request)
        raise
    return upload, given.first


async def _drain(request: Request) -> None:
    async for _ in request.stream():
        pass


async def _receive(request: Request, upload: Upload, pieces: AsyncIterator[bytes], offset: int) -> int:
    state = state_of(request)
    files: Files = state.files
    uploads: Uploads = files.uploads
    speed = files.settings.bytes_per_second
    transport = request.scope["state"][TRANSPORT]
    refusal: ApiError | None = None
    with uploads.open(upload) as writer:
        async for piece in pieces:
            state.counters.upload_bytes += len(piece)
            if refusal is not None:
                continue
            try:
                uploads.check_growth(upload, offset + len(piece))
            except ApiError as error:
                refusal = error
                continue
            # Page cache takes the bytes faster than another thread could be asked to.
            uploads.write(upload, writer, piece, offset)
            offset += len(piece)
            if speed is not None:
                await slow_down(len(piece), speed, transport)
    if refusal is not None:
        raise refusal
    return offset


@root_router.post("/multipart/{key}")
async def multipart(request: Request) -> Response:
    """Take a whole file as a form. The key dies with it.

    :param request: the request.
    :return: the file's id as a JSON string.
    """
    state = state_of(request)
    optional_caller(request)
    uploads = state.files.uploads
    try:
        upload = uploads.get(request.path_params["key"])
    except ApiError:
        await _drain(request)
        raise
    state.files.resize(upload.node, 0)
    await _receive(request, upload, file_parts(request), 0)
    uploads.finalize(upload, None)
    return json_response(upload.node.id)
