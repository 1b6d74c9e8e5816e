"""The calls that find files, and make, rename, move, copy and delete them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from ..service.activity import files_payload
from ..service.errors import bad_parameter, missing_parameter
from ..service.files import Resolve
from ..service.objects import entry, info, listed, metadata, renamed
from ..service.search import matches
from ..web import parameters
from ..web.bodies import json_response, read_object
from ..web.credentials import FileCallerOf, actor_of_call, emulator_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..service.activity import Action
    from ..service.files import Files
    from ..service.sessions import Caller
    from ..service.tree import Node

router = APIRouter(prefix="/api/1.0/file")


class NewTime(parameters.Parameters):
    """An object and its modification time."""

    id: parameters.Text
    mtime: parameters.Time | None = None


class WantedPath(parameters.Parameters):
    """A path, and where it starts: at the home when there is no parent."""

    parent_id: parameters.Text = ""
    path: parameters.Text


class Tag(parameters.Parameters):
    """A tag."""

    type: parameters.Text
    value: parameters.Text


class Placing(parameters.Parameters):
    """What to do when a name is taken."""

    resolve: parameters.Flag = True
    resolve_mode: parameters.Text = ""

    def rule(self) -> Resolve:
        """The rule of the service for this."""
        return Resolve(self.resolve, self.resolve and self.resolve_mode == "overwrite")


class NewFolder(Placing):
    """A folder to make."""

    name: parameters.Text
    target: parameters.Text = ""


class NewName(Placing):
    """The name to give an object."""

    name: parameters.Text


class OneTarget(Placing):
    """Where one object goes, under which name, and with which modification time."""

    file_id: parameters.Text
    target_id: parameters.Text | None = None
    name: parameters.Text = ""
    mtime: parameters.Time | None = None


class ManyTarget(parameters.Parameters):
    """Where objects go."""

    ids: parameters.Ids
    target: parameters.Text
    resolve: parameters.Flag = True


class Deletion(parameters.Parameters):
    """Objects to delete, into the Trash or for good."""

    ids: parameters.Ids
    delete_permanently: parameters.Flag = False


def _files(request: Request) -> Files:
    return emulator_of(request).files


def _owner(caller: Caller) -> str:
    return caller.user.spec.key


def _named(request: Request, caller: Caller) -> Node:
    """Find the object whose id is in the path."""
    return _files(request).get(_owner(caller), request.path_params["id"])


def _log(request: Request, caller: Caller, action: Action, nodes: list[Node]) -> None:
    _log_shown(request, caller, action, files_payload(nodes))


def _log_shown(request: Request, caller: Caller, action: Action, shown: list[dict[str, Any]]) -> None:
    """Record in the activity log what was done to files.

    :param shown: the files as the log shows them.
    """
    actor = actor_of_call(request, caller.user)
    emulator_of(request).activity.add_files(actor, action, shown, owner=_owner(caller))


@router.get("/metadata")
@router.get("/metadata/{id}")
async def get_metadata(request: Request, caller: FileCallerOf) -> Response:
    """Show an object and the content of a folder; without an id the home folder."""
    files = _files(request)
    node = _named(request, caller) if request.path_params.get("id") else files.home(_owner(caller))
    content = request.query_params.get("content", "1") not in ("0", "false")
    return json_response(metadata(node, files.settings, content=content))


@router.post("/metadata")
async def set_metadata(request: Request, caller: FileCallerOf) -> Response:
    """Set the modification time."""
    files = _files(request)
    wanted = await parameters.read(request, NewTime)
    node = files.get(_owner(caller), wanted.id)
    files.check_changeable(node)
    if wanted.mtime is not None:
        node.modified = wanted.mtime
    return json_response(metadata(node, files.settings))


@router.post("/id")
async def find_id(request: Request, caller: FileCallerOf) -> Response:
    """Resolve a path."""
    files = _files(request)
    wanted = await parameters.read(request, WantedPath)
    start = files.get(_owner(caller), wanted.parent_id) if wanted.parent_id else files.home(_owner(caller))
    node = files.find(start, wanted.path)
    parent_id = "" if node.parent is None else node.parent.id
    return json_response({"file_id": node.id, "parent_id": parent_id, "src": node.path, "type": node.kind})


@router.get("/info/{id}")
async def get_info(request: Request, caller: FileCallerOf) -> Response:
    """Show everything about an object."""
    node = _named(request, caller)
    owner = {"id": caller.user.id, "name": caller.user.name, "email": caller.user.spec.email}
    files = _files(request)
    return json_response(info(node, owner, files.settings, files.now))


@router.get("/size/{id}")
async def get_size(request: Request, caller: FileCallerOf) -> Response:
    """Return how many bytes an object has, including its content."""
    return json_response({"size": _named(request, caller).total()})


@router.get("/tags/{id}")
async def get_tags(request: Request, caller: FileCallerOf) -> Response:
    """Show the tags of an object."""
    node = _named(request, caller)
    return json_response([_tag(node, *tag) for tag in node.tags])


@router.post("/add-tag/{id}")
async def add_tag(request: Request, caller: FileCallerOf) -> Response:
    """Tag an object."""
    node = _named(request, caller)
    wanted = await parameters.read(request, Tag)
    tag = (str(uuid.uuid4()), wanted.type, wanted.value)
    node.tags.append(tag)
    return json_response(_tag(node, *tag))


def _tag(node: Node, tag_id: str, kind: str, value: str) -> dict[str, str]:
    return {"id": tag_id, "file_id": node.id, "type": kind, "value": value}


@router.post("/makedir")
async def make_folder(request: Request, caller: FileCallerOf) -> Response:
    """Make a folder."""
    files = _files(request)
    wanted = await parameters.read(request, NewFolder)
    folder = files.folder(_owner(caller), wanted.target, "target")
    node = files.make(folder, wanted.name, "D", wanted.rule())
    _log(request, caller, "makedir", [node])
    return json_response({**entry(node, files.settings), "uid": 0, "gid": 0}, 201)


@router.post("/rename/{id}")
async def rename(request: Request, caller: FileCallerOf) -> Response:
    """Rename an object."""
    files = _files(request)
    wanted = await parameters.read(request, NewName)
    node = _named(request, caller)
    old_name = files.rename(node, wanted.name, wanted.rule())
    _log(request, caller, "rename", [node])
    return json_response(renamed(node, old_name, files.settings))


@router.post("/copyone")
async def copy_one(request: Request, caller: FileCallerOf) -> Response:
    """Copy one object at once."""
    return await _one(request, caller, "copy", _files(request).copy)


@router.post("/moveone")
async def move_one(request: Request, caller: FileCallerOf) -> Response:
    """Move one object at once."""
    return await _one(request, caller, "move-rename", _files(request).move)


async def _one(request: Request, caller: Caller, action: Action, act: Callable[..., Node]) -> Response:
    files = _files(request)
    wanted = await parameters.read(request, OneTarget)
    node = files.get(_owner(caller), wanted.file_id)
    # An unknown object is refused before a missing target.
    if wanted.target_id is None:
        raise missing_parameter("target_id")
    folder = files.folder(_owner(caller), wanted.target_id, "target_id")
    result = act(node, folder, wanted.name or node.name, wanted.rule(), wanted.mtime)
    _log(request, caller, action, [result])
    return json_response(metadata(result, files.settings))


@router.post("/copy")
async def copy(request: Request, caller: FileCallerOf) -> Response:
    """Copy objects by a job."""
    return await _many(request, caller, "copy", _files(request).copy, at_once=0)


@router.post("/move")
async def move(request: Request, caller: FileCallerOf) -> Response:
    """Move objects; many of them by a job."""
    files = _files(request)
    return await _many(request, caller, "move-rename", files.move, at_once=files.settings.job_above)


async def _many(
    request: Request, caller: Caller, action: Action, act: Callable[..., Node], *, at_once: int
) -> Response:
    files = _files(request)
    wanted = await parameters.read(request, ManyTarget)
    folder = files.folder(_owner(caller), wanted.target, "target")
    nodes = files.known(_owner(caller), wanted.ids)

    def work() -> None:
        for node in nodes:
            result = act(node, folder, node.name, Resolve(wanted.resolve))
            _log(request, caller, action, [result])

    call = "file/copy" if action == "copy" else "file/move"
    return _answer_for(files, call, len(wanted.ids) <= at_once, work, nodes)


@router.post("/delete")
async def delete(request: Request, caller: FileCallerOf) -> Response:
    """Delete objects; many of them by a job."""
    files = _files(request)
    wanted = await parameters.read(request, Deletion)
    nodes = files.known(_owner(caller), wanted.ids)

    def work() -> None:
        shown = files_payload(nodes)
        files.delete(nodes, permanently=wanted.delete_permanently)
        _log_shown(request, caller, "delete", shown)

    return _answer_for(files, "file/delete", len(wanted.ids) <= files.settings.job_above, work, nodes)


def _answer_for(files: Files, call: str, at_once: bool, work: Callable[[], None], nodes: list[Node]) -> Response:
    if at_once:
        work()
        return json_response({"ids": [node.id for node in nodes]})
    job_id = files.jobs.add(call, files.now + files.settings.job_seconds, work)
    return json_response({"job_id": job_id}, 202)


@router.post("/empty-trash")
@router.post("/empty-trash/{id}")
async def empty_trash(request: Request, caller: FileCallerOf) -> Response:
    """Empty the caller's Trash. An id, if given, must be its id."""
    files = _files(request)
    files.home(_owner(caller))
    trash = files.tree.trash(_owner(caller))
    if request.path_params.get("id") and _named(request, caller) is not trash:
        raise bad_parameter("id", "is no Trash")
    gone = list(trash.children.values())
    if gone:
        _log(request, caller, "delete", gone)
    for node in gone:
        files.remove(node)
    return json_response([{"id": node.id, "source_id": trash.id, "dest_id": ""} for node in gone])


@router.post("/search")
async def search(request: Request, caller: FileCallerOf) -> Response:
    """Search the whole home."""
    files = _files(request)
    query = await read_object(request)
    home = files.home(_owner(caller))
    found = [node for node in home.walk() if node is not home and matches(node, query)]
    return json_response([entry(node, files.settings) for node in listed(found, files.settings)])
