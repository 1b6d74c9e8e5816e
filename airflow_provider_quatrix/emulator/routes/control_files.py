"""The control calls for files: write, read and change them without the rules of the service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field, TypeAdapter

from ..service.errors import UnknownObjectError
from ..service.files import Resolve
from ..service.storage import Writer
from ..settings import Size, validated
from ..web.bodies import json_response
from ..web.content import ContentResponse
from ..web.control import body_of, register
from ..web.credentials import emulator_of

if TYPE_CHECKING:
    from ..service.files import Files
    from ..service.storage import Content
    from ..service.tree import Node

router = APIRouter()
_control = register(router)


@dataclass(frozen=True)
class PutRequest:
    """An object to make, with its missing parents.

    :param path: from the home; one that ends with a slash is a folder.
    :param size: bytes of a file; they are a fixed pattern.
    :param modified: modification time; now when None.
    :param kind: ``D``, or ``S`` for a project folder; only for folders.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    path: str
    size: Size = 0
    modified: Annotated[float, Field(allow_inf_nan=False)] | None = None
    kind: Literal["D", "S"] = "D"


@dataclass(frozen=True)
class PutManyRequest:
    """Objects to make."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    email: str
    objects: list[PutRequest]


@dataclass(frozen=True)
class PathRequest:
    """One object."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    email: str
    path: str


@dataclass(frozen=True)
class ProtectRequest:
    """An object to protect, or to release."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    email: str
    path: str
    protected: bool = True


@dataclass(frozen=True)
class HostileNameRequest:
    """An object with a malicious name.

    :param kind: ``F`` or ``D``.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    email: str
    name: str
    folder: str = ""
    size: Size = 0
    kind: Literal["F", "D"] = "F"


@dataclass(frozen=True)
class VirusRequest:
    """What the virus check says of a file.

    :param check: None for clean.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    email: str
    path: str
    check: Literal["infected", "checking"] | None


_PUT = TypeAdapter(PutManyRequest)
_PATH = TypeAdapter(PathRequest)
_PROTECT = TypeAdapter(ProtectRequest)
_VIRUS = TypeAdapter(VirusRequest)
_HOSTILE = TypeAdapter(HostileNameRequest)


def _find(request: Request, email: str, path: str) -> Node:
    emulator = emulator_of(request)
    emulator.files.settle()
    node = emulator.files.tree.find(emulator.files.home(emulator.accounts.named(email).spec.key), path)
    if node is None:
        raise UnknownObjectError(f"No object {path}")
    return node


def _put(files: Files, owner: str, wanted: PutRequest, content: Content | None = None) -> Node:
    node = files.home(owner)
    *above, name = wanted.path.rstrip("/").split("/")
    for part in above:
        node = _folder(files, node, part, "D")
    if wanted.path.endswith("/"):
        node = _folder(files, node, name, wanted.kind)
    else:
        if (old := node.children.get(name)) is not None:
            files.remove(old)
        content = content or files.storage.pattern(wanted.size)
        node = files.make(node, name, "F", Resolve(count=False), content)
    if wanted.modified is not None:
        node.modified = round(wanted.modified, 6)
    return node


def _folder(files: Files, parent: Node, name: str, kind: Literal["D", "S"]) -> Node:
    if not name:
        return parent
    node = parent.children.get(name)
    if node is not None and node.is_file:
        raise ValueError(f"{node.path} is a file")
    return node or files.make(parent, name, kind, Resolve(count=False))


@_control("GET", "/files")
async def _list(request: Request) -> Any:
    emulator = emulator_of(request)
    emulator.files.settle()
    email, limit = request.query_params.get("email"), request.query_params.get("limit")
    owner = None if email is None else emulator.accounts.named(email).spec.key
    return {"files": emulator.files.as_list(owner, None if limit is None else int(limit))}


@_control("POST", "/files")
async def _put_many(request: Request) -> Any:
    wanted = validated(_PUT, await body_of(request))
    emulator = emulator_of(request)
    owner = emulator.accounts.named(wanted.email).spec.key
    return {"ids": [_put(emulator.files, owner, item).id for item in wanted.objects]}


@_control("PUT", "/files/content")
async def _put_content(request: Request) -> Any:
    emulator = emulator_of(request)
    owner = emulator.accounts.named(request.query_params.get("email", "")).spec.key
    modified = request.query_params.get("modified")
    wanted = PutRequest(request.query_params.get("path", ""), 0, None if modified is None else float(modified))
    if wanted.path.endswith("/"):
        raise ValueError("path: a folder has no content")
    files = emulator.files
    content = files.storage.writable(files.storage.pattern(0))
    with Writer(content) as writer:
        async for piece in request.stream():
            writer.write(piece, content.size)
    # Made only now, so that no listing shows a part of it.
    node = _put(files, owner, wanted, content)
    files.uploads.finalize(files.uploads.begin(node), node.modified)
    return {"id": node.id}


@router.get("/_emulator/files/content")
async def _get_content(request: Request) -> Response:
    try:
        node = _find(request, request.query_params.get("email", ""), request.query_params.get("path", ""))
    except UnknownObjectError as error:
        return json_response({"error": str(error)}, 404)
    if not node.is_file:
        return json_response({"error": "path: not a file"}, 400)
    return ContentResponse(None, node.content.blocks(), node.name, length=node.content.size)


@_control("POST", "/files/remove")
async def _remove(request: Request) -> None:
    wanted = validated(_PATH, await body_of(request))
    node = _find(request, wanted.email, wanted.path)
    if node.is_fixed:
        raise ValueError("path: a system folder stays")
    emulator_of(request).files.remove(node)


@_control("POST", "/files/protect")
async def _protect(request: Request) -> None:
    wanted = validated(_PROTECT, await body_of(request))
    _find(request, wanted.email, wanted.path).protected = wanted.protected


@_control("POST", "/files/virus-check")
async def _virus_check(request: Request) -> None:
    wanted = validated(_VIRUS, await body_of(request))
    node = _find(request, wanted.email, wanted.path)
    if not node.is_file:
        raise ValueError("path: not a file")
    node.virus_check, node.checked_until = wanted.check, 0.0


@_control("POST", "/files/hostile-name")
async def _hostile_name(request: Request) -> Any:
    wanted = validated(_HOSTILE, await body_of(request))
    folder = _find(request, wanted.email, wanted.folder)
    if folder.is_file or wanted.name in folder.children:
        raise ValueError("name: there is no place for it")
    files = emulator_of(request).files
    content = files.storage.pattern(wanted.size) if wanted.kind == "F" else None
    return {"id": files.tree.add(folder, wanted.name, wanted.kind, files.now, content).id}


@_control("POST", "/uploads/kill")
async def _kill_uploads(request: Request) -> Any:
    return {"killed": emulator_of(request).files.uploads.kill()}
