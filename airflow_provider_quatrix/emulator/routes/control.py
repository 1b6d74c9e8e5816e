"""The control calls: what a test or the page changes from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from pydantic import ConfigDict, TypeAdapter

from ..service.accounts import ApiKeySpec, UserSpec
from ..service.faults import Fault
from ..settings import validated
from ..web.control import body_of, register
from ..web.credentials import emulator_of

if TYPE_CHECKING:
    from ..service.accounts import User
    from ..service.sessions import Session

router = APIRouter()
_control = register(router)


@dataclass(frozen=True)
class ResetRequest:
    """Changes to the start of the server."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    settings: dict[str, Any] | None = None
    users: list[UserSpec] | None = None
    api_keys: list[ApiKeySpec] | None = None


@dataclass(frozen=True)
class ExpireRequest:
    """Whose sessions to expire; all without an e-mail."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    email: str | None = None


@dataclass(frozen=True)
class ClockRequest:
    """How far to advance the clock."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    advance: float


_RESET = TypeAdapter(ResetRequest)
_USER = TypeAdapter(UserSpec)
_API_KEY = TypeAdapter(ApiKeySpec)
_EXPIRE = TypeAdapter(ExpireRequest)
_FAULT = TypeAdapter(Fault)
_CLOCK = TypeAdapter(ClockRequest)
_SETTINGS = TypeAdapter(dict[str, Any])


@_control("POST", "/reset")
async def _reset(request: Request) -> None:
    wanted = validated(_RESET, await body_of(request))
    emulator_of(request).reset(wanted.settings, wanted.users, wanted.api_keys)


@_control("GET", "/state")
async def _state(request: Request) -> Any:
    return emulator_of(request).as_dict()


@_control("POST", "/settings")
async def _settings(request: Request) -> Any:
    emulator = emulator_of(request)
    emulator.configure(validated(_SETTINGS, await body_of(request)))
    return emulator.settings.as_dict()


@_control("POST", "/users")
async def _add_user(request: Request) -> Any:
    user = emulator_of(request).accounts.add_user(validated(_USER, await body_of(request)))
    return {"id": user.id, "email": user.spec.email}


def _user(request: Request) -> User:
    return emulator_of(request).accounts.named(request.path_params["email"])


@_control("POST", "/users/{email}/block")
async def _block_user(request: Request) -> None:
    emulator_of(request).captcha.block_user(_user(request))


@_control("POST", "/users/{email}/unblock")
async def _unblock_user(request: Request) -> None:
    emulator_of(request).captcha.unblock_user(_user(request))


@_control("POST", "/api-keys")
async def _add_api_key(request: Request) -> None:
    emulator_of(request).accounts.add_api_key(validated(_API_KEY, await body_of(request)))


@_control("POST", "/sessions/expire")
async def _expire_sessions(request: Request) -> Any:
    emulator = emulator_of(request)
    email = validated(_EXPIRE, await body_of(request)).email
    return {"expired": emulator.sessions.expire_all(None if email is None else emulator.accounts.named(email))}


def _session(request: Request) -> Session:
    return emulator_of(request).sessions.named(request.path_params["session_id"])


@_control("POST", "/sessions/{session_id}/block")
async def _block_session(request: Request) -> None:
    emulator_of(request).captcha.block_session(_session(request))


@_control("POST", "/sessions/{session_id}/unblock")
async def _unblock_session(request: Request) -> None:
    emulator_of(request).captcha.unblock_session(_session(request))


@_control("POST", "/sessions/{session_id}/expire")
async def _expire_session(request: Request) -> None:
    emulator_of(request).sessions.expire(_session(request))


@_control("POST", "/faults")
async def _add_fault(request: Request) -> None:
    emulator_of(request).faults.add(validated(_FAULT, await body_of(request)))


@_control("DELETE", "/faults")
async def _clear_faults(request: Request) -> None:
    emulator = emulator_of(request)
    emulator.faults.clear(emulator.settings.random_seed)


@_control("POST", "/clock")
async def _clock(request: Request) -> Any:
    clock = emulator_of(request).clock
    clock.advance(validated(_CLOCK, await body_of(request)).advance)
    return {"now": clock.now(), "offset": clock.offset}
