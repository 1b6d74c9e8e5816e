"""The calls that look files up, and make, rename, move, copy and delete them."""

from __future__ import annotations

import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from . import params
from .auth import FileCallerOf, state_of
from .bodies import json_response, read_object
from .errors import bad_parameter, missing_parameter
from .files import Resolve
from .objects import entry, info, listed, metadata, renamed
from .search import matches

if TYPE_CHECKING:
    from collections.abc import Callable

    from .accounts import Caller
    from .files import Files
    from .tree import Node

router = APIRouter(prefix="/api/1.0/file")


def _files(request: Request) -> Files:
    return state_of(request).files


def _owner(caller: Caller) -> str:
    return caller.user.spec.key


def _resolve(body: dict[str, Any]) -> Resolve:
    count = params.flag(body, "resolve", default=True)
    return Resolve(count, count and params.optional_text(body, "resolve_mode") == "overwrite")


@router.get("/metadata")
@router.get("/metadata/{id}")
async def get_metadata(request: Request, caller: FileCallerOf) -> Response:
    """Show an object, and what a folder holds.

    :param request: the request; without an id the home folder is meant.
    :param caller: who makes the call.
    :return: the object.
    """
    files = _files(request)
    node_id = request.path_params.get("id")
    node = files.get(_owner(caller), node_id) if node_id else files.home(_owner(caller))
    content = request.query_params.get("content", "1") not in ("0", "false")
    return json_response(metadata(node, files.settings, content=content))


@router.post("/metadata")
async def set_metadata(request: Request, caller: FileCallerOf) -> Response:
    """Set the modification time.

    :param request: the request.
    :param caller: who makes the call.
    :return: the object.
    """
    files = _files(request)
    body = await read_object(request)
    node = files.get(_owner(caller), params.text(body, "id"))
    files.check_changeable(node)
    modified = params.timestamp(body, "mtime")
    if modified is not None:
        node.modified = modified
    return json_response(metadata(node, files.settings))


@router.post("/id")
async def find_id(request: Request, caller: FileCallerOf) -> Response:
    """Resolve a path.

    :param request: the request.
    :param caller: who makes the call.
    :return: ids and type.
    """
    files = _files(request)
    body = await read_object(request)
    parent_id = params.optional_text(body, "parent_id")
    start = files.get(_owner(caller), parent_id) if parent_id else files.home(_owner(caller))
    node = files.find(start, params.text(body, "path"))
    parent_id = "" if node.parent is None else node.parent.id
    return json_response({"file_id": node.id, "parent_id": parent_id, "src": node.path, "type": node.kind})


@router.get("/info/{id}")
async def get_info(request: Request, caller: FileCallerOf) -> Response:
    """Show all about an object.

    :param request: the request.
    :param caller: who makes the call.
    :return: the object.
    """
    files = _files(request)
    node = files.get(_owner(caller), request.path_params["id"])
    owner = {"id": caller.user.id, "name": caller.user.name, "email": caller.user.spec.email}
    return json_response(info(node, owner, files.settings))


@router.get("/size/{id}")
async def get_size(request: Request, caller: FileCallerOf) -> Response:
    """Tell how many bytes an object has, with all that is in it.

    :param request: the request.
    :param caller: who makes the call.
    :return: the number.
    """
    node = _files(request).get(_owner(caller), request.path_params["id"])
    return json_response({"size": node.total()})


@router.get("/tags/{id}")
async def get_tags(request: Request, caller: FileCallerOf) -> Response:
    """Show the tags of an object.

    :param request: the request.
    :param caller: who makes the call.
    :return: a list.
    """
    node = _files(request).get(_owner(caller), request.path_params["id"])
    return json_response([_tag(node, *tag) for tag in node.tags])


@router.post("/add-tag/{id}")
async def add_tag(request: Request, caller: FileCallerOf) -> Response:
    """Tag an object.

    :param request: the request.
    :param caller: who makes the call.
    :return: the tag.
    """
    files = _files(request)
    node = files.get(_owner(caller), request.path_params["id"])
    body = await read_object(request)
    tag = (str(uuid.uuid4()), params.text(body, "type"), params.text(body, "value"))
    node.tags.append(tag)
    return json_response(_tag(node, *tag))


def _tag(node: Node, tag_id: str, kind: str, value: str) -> dict[str, str]:
    return {"id": tag_id, "file_id": node.id, "type": kind, "value": value}


@router.post("/makedir")
async def make_folder(request: Request, caller: FileCallerOf) -> Response:
    """Make a folder.

    :param request: the request.
    :param caller: who makes the call.
    :return: 201 with the folder.
    """
    files = _files(request)
    body = await read_object(request)
    name = params.text(body, "name")
    folder = files.folder(_owner(caller), params.optional_text(body, "target"), "target")
    node = files.make(folder, name, "D", _resolve(body))
    return json_response({**entry(node, files.settings), "uid": 0, "gid": 0}, 201)


@router.post("/rename/{id}")
async def rename(request: Request, caller: FileCallerOf) -> Response:
    """Rename an object.

    :param request: the request.
    :param caller: who makes the call.
    :return: the object.
    """
    files = _files(request)
    body = await read_object(request)
    name = params.text(body, "name")
    node = files.get(_owner(caller), request.path_params["id"])
    old_name = files.rename(node, name, _resolve(body))
    return json_response(renamed(node, old_name, files.settings))


@router.post("/copyone")
async def copy_one(request: Request, caller: FileCallerOf) -> Response:
    """Copy one object at once.

    :param request: the request.
    :param caller: who makes the call.
    :return: the copy.
    """
    return await _one(request, caller, _files(request).copy)


@router.post("/moveone")
async def move_one(request: Request, caller: FileCallerOf) -> Response:
    """Move one object at once.

    :param request: the request.
    :param caller: who makes the call.
    :return: the object.
    """
    return await _one(request, caller, _files(request).move)


async def _one(request: Request, caller: Caller, act: Callable[..., Node]) -> Response:
    files = _files(request)
    body = await read_object(request)
    node = files.get(_owner(caller), params.text(body, "file_id"))
    folder = files.folder(_owner(caller), params.text(body, "target_id"), "target_id")
    name = params.optional_text(body, "name") or node.name
    result = act(node, folder, name, _resolve(body), params.timestamp(body, "mtime"))
    return json_response(metadata(result, files.settings))


@router.post("/copy")
async def copy(request: Request, caller: FileCallerOf) -> Response:
    """Copy objects by a job.

    :param request: the request.
    :param caller: who makes the call.
    :return: 202 with the job's id.
    """
    return await _many(request, caller, "file/copy", _files(request).copy, at_once=0)


@router.post("/move")
async def move(request: Request, caller: FileCallerOf) -> Response:
    """Move objects; many of them by a job.

    :param request: the request.
    :param caller: who makes the call.
    :return: 200 with the ids, or 202 with the job's id.
    """
    files = _files(request)
    return await _many(request, caller, "file/move", files.move, at_once=files.settings.job_above)


async def _many(request: Request, caller: Caller, call: str, act: Callable[..., Node], at_once: int) -> Response:
    files = _files(request)
    body = await read_object(request)
    wanted = params.ids(body)
    if body.get("target") is None:
        raise missing_parameter("target")
    folder = files.folder(_owner(caller), params.text(body, "target"), "target")
    nodes = files.known(_owner(caller), wanted)
    resolve = _resolve({**body, "resolve_mode": None})

    def work() -> None:
        for node in nodes:
            act(node, folder, node.name, resolve)

    return _answer_for(files, call, len(wanted) <= at_once, work, nodes)


@router.post("/delete")
async def delete(request: Request, caller: FileCallerOf) -> Response:
    """Delete objects; many of them by a job.

    :param request: the request.
    :param caller: who makes the call.
    :return: 200 with the ids, or 202 with the job's id.
    """
    files = _files(request)
    body = await read_object(request)
    wanted = params.ids(body)
    nodes = files.known(_owner(caller), wanted)
    work = partial(files.delete, nodes, permanently=params.flag(body, "delete_permanently", default=False))
    return _answer_for(files, "file/delete", len(wanted) <= files.settings.job_above, work, nodes)


def _answer_for(files: Files, call: str, at_once: bool, work: Callable[[], None], nodes: list[Node]) -> Response:
    if at_once:
        work()
        return json_response({"ids": [node.id for node in nodes]})
    job_id = files.jobs.add(call, files.now + files.settings.job_seconds, work)
    return json_response({"job_id": job_id}, 202)


@router.post("/empty-trash")
@router.post("/empty-trash/{id}")
async def empty_trash(request: Request, caller: FileCallerOf) -> Response:
    """Remove what is in the Trash.

    :param request: the request; without an id the caller's own Trash is meant.
    :param caller: who makes the call.
    :return: what was removed.
    """
    files = _files(request)
    files.home(_owner(caller))
    trash = files.tree.trash(_owner(caller))
    node_id = request.path_params.get("id")
    if node_id and files.get(_owner(caller), node_id) is not trash:
        raise bad_parameter("id", "is no Trash")
    gone = list(trash.children.values())
    for node in gone:
        files.remove(node)
    return json_response([{"id": node.id, "source_id": trash.id, "dest_id": ""} for node in gone])


@router.post("/search")
async def search(request: Request, caller: FileCallerOf) -> Response:
    """Search the whole home.

    :param request: the request.
    :param caller: who makes the call.
    :return: a list of objects.
    """
    files = _files(request)
    query = await read_object(request)
    home = files.home(_owner(caller))
    found = [node for node in home.walk() if node is not home and matches(node, query)]
    return json_response([entry(node, files.settings) for node in listed(found, files.settings)])
