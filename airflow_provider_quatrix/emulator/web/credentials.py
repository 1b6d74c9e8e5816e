"""Dependencies of routes that find the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from ..service.parties import Visitor, actor_of
from ..service.sessions import Caller
from .middleware import USER

if TYPE_CHECKING:
    from ..service.accounts import User
    from ..service.emulator import Emulator
    from ..service.parties import Actor

API = "/api/1.0/"


def emulator_of(request: Request) -> Emulator:
    """Find the emulator behind a request."""
    emulator: Emulator = request.app.state.emulator
    return emulator


def credentials(request: Request) -> tuple[str | None, str | None]:
    """Read the credentials of a request.

    :return: session id and API key; each None when absent.
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    api_key = value.strip() if scheme.lower() == "bearer" else None
    return request.headers.get("x-auth-token"), api_key


def note_user(request: Request, user: User) -> None:
    """Remember who made a call, for the list of recent calls."""
    request.scope[USER] = user.spec.email


def optional_caller(request: Request) -> Caller | None:
    """Find who makes a call that moves file content and needs no credentials; it keeps a session alive.

    :return: who makes it; None without usable credentials.
    """
    caller = emulator_of(request).authentication.recognise(*credentials(request))
    if caller is not None:
        note_user(request, caller.user)
    return caller


def _require(request: Request, *, transfer: bool = False) -> Caller:
    call = request.scope["path"].removeprefix(API)
    caller = emulator_of(request).authentication.require(*credentials(request), call, transfer=transfer)
    note_user(request, caller.user)
    return caller


async def require_caller(request: Request) -> Caller:
    """Require a session or an API key.

    :raises ApiError: when there is no usable one.
    """
    return _require(request)


async def require_transfer_caller(request: Request) -> Caller:
    """Require a session or an API key for moving file content.

    :raises ApiError: when there is no usable one.
    """
    return _require(request, transfer=True)


async def require_file_caller(request: Request) -> Caller:
    """Require a session or an API key for handling files without moving their content.

    :raises ApiError: when there is no usable one, or there were too many calls.
    """
    caller = _require(request)
    emulator = emulator_of(request)
    emulator.limits.count_file_call(caller.user.spec.key)
    emulator.files.settle()
    return caller


async def require_settled_caller(request: Request) -> Caller:
    """Require a session or an API key for a call that reads files and has no limit.

    :raises ApiError: when there is no usable one.
    """
    caller = _require(request)
    emulator_of(request).files.settle()
    return caller


def address_of(request: Request) -> str:
    """Return the IP address of a caller."""
    return request.client.host if request.client is not None else ""


def actor_of_call(request: Request, user: User | None) -> Actor:
    """Return who makes a call, for the activity log.

    :param user: None for a stranger.
    """
    return actor_of(user, address_of(request))


async def find_visitor(request: Request) -> Visitor:
    """Find who makes a call that strangers may make too.

    :raises ApiError: for credentials that are not usable.
    """
    emulator = emulator_of(request)
    emulator.files.settle()
    session_id, api_key = credentials(request)
    if api_key is None and (session_id is None or emulator.share_access.is_guest(session_id)):
        return Visitor(None, session_id, address_of(request))
    user = _require(request).user
    return Visitor(user, user.spec.key if api_key is not None else session_id, address_of(request))


CallerOf = Annotated[Caller, Depends(require_caller)]
SettledCallerOf = Annotated[Caller, Depends(require_settled_caller)]
VisitorOf = Annotated[Visitor, Depends(find_visitor)]
FileCallerOf = Annotated[Caller, Depends(require_file_caller)]
TransferCallerOf = Annotated[Caller, Depends(require_transfer_caller)]
