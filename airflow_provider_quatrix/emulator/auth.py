"""Authentication as one dependency that every route uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from .accounts import Caller
from .gate import USER

if TYPE_CHECKING:
    from .state import EmulatorState

API = "/api/1.0/"


def state_of(request: Request) -> EmulatorState:
    """The emulator behind a request.

    :param request: the request.
    :return: its state.
    """
    state: EmulatorState = request.app.state.emulator
    return state


def credentials(request: Request) -> tuple[str | None, str | None]:
    """What a request authenticates itself with.

    :param request: the request.
    :return: session id and API key; each None when absent.
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    api_key = value.strip() if scheme.lower() == "bearer" else None
    return request.headers.get("x-auth-token"), api_key


def note_user(request: Request, caller: Caller | None) -> None:
    """Remember who made a call, for the list of recent calls.

    :param request: the request.
    :param caller: the caller, if known.
    """
    if caller is not None:
        request.scope[USER] = caller.user.spec.email


async def require_file_caller(request: Request) -> Caller:
    """Dependency of a call that handles files but does not move their content.

    :param request: the request.
    :return: who makes it.
    :raises ApiError: when there is no usable session or key, or there were too many calls.
    """
    caller = _authenticate(request, transfer=False)
    files = state_of(request).files
    files.count_call(caller.user.spec.key)
    files.settle()
    return caller


def optional_caller(request: Request) -> Caller | None:
    """Who makes a call that moves file content and needs no credentials; a session is kept alive by it.

    :param request: the request.
    :return: who makes it; None without usable credentials.
    """
    caller = state_of(request).recognise(*credentials(request))
    note_user(request, caller)
    return caller


def _authenticate(request: Request, *, transfer: bool) -> Caller:
    session_id, api_key = credentials(request)
    call = request.scope["path"].removeprefix(API)
    caller = state_of(request).authenticate(session_id, api_key, call, transfer=transfer)
    note_user(request, caller)
    return caller


async def require_caller(request: Request) -> Caller:
    """Dependency of a call that needs a session or an API key.

    :param request: the request.
    :return: who makes it.
    :raises ApiError: when there is no usable session or key.
    """
    return _authenticate(request, transfer=False)


async def require_transfer_caller(request: Request) -> Caller:
    """Dependency of a call that moves file content.

    :param request: the request.
    :return: who makes it.
    :raises ApiError: when there is no usable session or key.
    """
    return _authenticate(request, transfer=True)


CallerOf = Annotated[Caller, Depends(require_caller)]
FileCallerOf = Annotated[Caller, Depends(require_file_caller)]
TransferCallerOf = Annotated[Caller, Depends(require_transfer_caller)]
