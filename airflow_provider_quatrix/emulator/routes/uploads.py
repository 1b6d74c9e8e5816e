"""The calls of an upload: link, chunks, finalize."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from ..service.activity import files_payload
from ..service.errors import ApiError, bad_parameter
from ..service.files import Resolve
from ..web import parameters
from ..web.bodies import json_response
from ..web.content import slow_down
from ..web.credentials import FileCallerOf, actor_of_call, emulator_of, optional_caller, require_file_caller
from ..web.middleware import TRANSPORT
from ..web.multipart import file_parts
from ..web.ranges import parse_chunk_range

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ..service.accounts import User
    from ..service.uploads import Upload

api_router = APIRouter(prefix="/api/1.0")
root_router = APIRouter(prefix="/upload")


class NewFile(parameters.Parameters):
    """A file to upload."""

    name: parameters.Text
    parent_id: parameters.Text
    file_size: parameters.Size | None = None
    resolve: parameters.Flag = True


class ChangedFile(parameters.Parameters):
    """A file to write, and the size to give it first."""

    id: parameters.Text
    truncate: parameters.Size | None = None


class Finalize(parameters.Parameters):
    """The query of ``upload/finalize``."""

    mtime: parameters.Time | None = None


@api_router.post("/upload/link")
async def link(request: Request, caller: FileCallerOf) -> Response:
    """Begin to upload a new file. It exists at once, and is empty."""
    files, owner = emulator_of(request).files, caller.user.spec.key
    wanted = await parameters.read(request, NewFile)
    folder = files.folder(owner, wanted.parent_id, "parent_id")
    files.quota.check_file_size(wanted.file_size or 0)
    files.quota.check_space(owner, wanted.file_size or 0)
    node = files.make(folder, wanted.name, "F", Resolve(wanted.resolve))
    node.unfinished = True
    return _key(files.uploads.begin(node, wanted.file_size))


@api_router.post("/file/modify")
async def modify(request: Request, caller: FileCallerOf) -> Response:
    """Begin to write an existing file."""
    files = emulator_of(request).files
    wanted = await parameters.read(request, ChangedFile)
    node = files.get(caller.user.spec.key, wanted.id)
    if not node.is_file:
        raise bad_parameter("id", "is not a file")
    files.check_changeable(node)
    if wanted.truncate is not None:
        files.resize(node, wanted.truncate)
    return _key(files.uploads.begin(node))


def _key(upload: Upload) -> Response:
    node = upload.node
    parent_id = None if node.parent is None else node.parent.id
    return json_response({"name": node.name, "file_id": node.id, "parent_id": parent_id, "upload_key": upload.key})


@api_router.get("/upload/finalize/{key}")
async def finalize(request: Request) -> Response:
    """End an upload. If a recipient returns a file, the key is enough, without credentials."""
    files = emulator_of(request).files
    key = request.path_params["key"]
    if files.uploads.is_returned(key):
        files.settle()
        caller = optional_caller(request)
        upload = files.uploads.get(key)
        node = upload.node
    else:
        caller = await require_file_caller(request)
        upload = files.uploads.get(key)
        node = files.get(caller.user.spec.key, upload.node.id)
    files.uploads.finalize(upload, parameters.parse(Finalize, request.query_params).mtime)
    _log(request, upload, None if caller is None else caller.user)
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
    """Take a chunk. The key is enough, without credentials."""
    upload, first = await _accepted(request)
    end = await _receive(request, upload, request.stream(), first)
    emulator_of(request).files.uploads.end_chunk(upload, end)
    return json_response(upload.node.id)


async def _accepted(request: Request) -> tuple[Upload, int]:
    emulator = emulator_of(request)
    uploads = emulator.files.uploads
    try:
        caller = optional_caller(request)
        if caller is None and emulator.settings.strict_chunks:
            raise emulator.sessions.unauthorized()
        upload = uploads.get(request.path_params["key"])
        given = parse_chunk_range(request.headers.get("content-range"))
        length = request.headers.get("content-length")
        uploads.begin_chunk(upload, given, int(length) if length is not None else None)
    except ApiError:
        # A client that is still sending would not see the refusal.
        await _drain(request)
        raise
    return upload, given.first


async def _drain(request: Request) -> None:
    async for _ in request.stream():
        pass


async def _receive(request: Request, upload: Upload, pieces: AsyncIterator[bytes], offset: int) -> int:
    emulator = emulator_of(request)
    uploads, speed = emulator.files.uploads, emulator.settings.bytes_per_second
    transport = request.scope["state"][TRANSPORT]
    # A reset replaces the counters. What was begun before it is not counted after it.
    counters = emulator.counters
    refusal: ApiError | None = None
    with uploads.open(upload) as writer:
        async for piece in pieces:
            counters.upload_bytes += len(piece)
            if refusal is not None:
                continue
            try:
                uploads.check_growth(upload, offset + len(piece))
            except ApiError as error:
                refusal = error
                continue
            # Writing to the page cache is faster than using another thread.
            uploads.write(upload, writer, piece, offset)
            offset += len(piece)
            if speed is not None:
                await slow_down(len(piece), speed, transport)
    if refusal is not None:
        raise refusal
    return offset


@root_router.post("/multipart/{key}")
async def multipart(request: Request) -> Response:
    """Take a whole file as a form. This finalizes the upload."""
    files = emulator_of(request).files
    caller = optional_caller(request)
    try:
        upload = files.uploads.get(request.path_params["key"])
    except ApiError:
        await _drain(request)
        raise
    files.resize(upload.node, 0)
    await _receive(request, upload, file_parts(request), 0)
    files.uploads.finalize(upload, None)
    if caller is not None:
        user: User | None = caller.user
    else:
        # The key reveals only whose file it is.
        user = None if upload.share_id is not None else emulator_of(request).accounts.find(upload.node.owner)
    _log(request, upload, user)
    return json_response(upload.node.id)


def _log(request: Request, upload: Upload, user: User | None) -> None:
    emulator, actor = emulator_of(request), actor_of_call(request, user)
    if upload.share_id is not None:
        emulator.returns.log_upload(upload, actor)
        return
    shown = files_payload([upload.node])
    emulator.activity.add_files(actor, "upload", shown, owner=upload.node.owner, began=upload.began)
