"""The control calls for shares: read them, and act as recipients do."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Request
from pydantic import ConfigDict, Field, TypeAdapter

from ..service.contacts import ContactSpec
from ..service.recipients import Person
from ..settings import validated
from ..web.control import body_of, register
from ..web.credentials import emulator_of

if TYPE_CHECKING:
    from ..service.emulator import Emulator

router = APIRouter()
_control = register(router)


@dataclass(frozen=True)
class ContactRequest:
    """A contact to make.

    :param owner: e-mail of the user who makes it.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    owner: str
    email: str
    name: str = ""
    personal: bool = False


@dataclass(frozen=True)
class SessionRequest:
    """Whose session to open."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    email: str


@dataclass(frozen=True)
class DownloadRequest:
    """Who downloads what.

    :param email: None for a stranger.
    :param files: names of shared files; all when there is none.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    email: str | None = None
    pin: str | None = None
    files: list[str] | None = None


@dataclass(frozen=True)
class ReturnRequest:
    """Who returns which files.

    :param files: contents in base64 by path.
    :param email: None for a stranger.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    files: Annotated[dict[str, str], Field(min_length=1)]
    email: str | None = None
    pin: str | None = None
    message: str = ""


_RETURN = TypeAdapter(ReturnRequest)
_CONTACT = TypeAdapter(ContactRequest)
_SESSION = TypeAdapter(SessionRequest)
_DOWNLOAD = TypeAdapter(DownloadRequest)


def _settled(request: Request) -> Emulator:
    emulator = emulator_of(request)
    emulator.files.settle()
    return emulator


@_control("GET", "/shares")
async def _list_shares(request: Request) -> Any:
    return {"shares": _settled(request).shares.as_list()}


@_control("GET", "/mails")
async def _list_mails(request: Request) -> Any:
    return {"mails": _settled(request).mails.as_list()}


@_control("POST", "/contacts")
async def _add_contact(request: Request) -> Any:
    wanted = validated(_CONTACT, await body_of(request))
    emulator = emulator_of(request)
    spec = ContactSpec(wanted.email, wanted.name or wanted.email.partition("@")[0], wanted.personal)
    return {"id": emulator.contacts.create(emulator.accounts.named(wanted.owner), spec).id}


@_control("POST", "/recipients/session")
async def _open_session(request: Request) -> Any:
    email = validated(_SESSION, await body_of(request)).email
    return {"session_id": emulator_of(request).recipients.session(email).id}


@_control("POST", "/shares/{share_id}/download")
async def _download(request: Request) -> Any:
    wanted = validated(_DOWNLOAD, await body_of(request))
    recipients = _settled(request).recipients
    share_id = request.path_params["share_id"]
    person = Person(wanted.email, wanted.pin)
    return {"files": recipients.download(share_id, person, wanted.files or [])}


@_control("POST", "/shares/{share_id}/return")
async def _return(request: Request) -> Any:
    wanted = validated(_RETURN, await body_of(request))
    person, share_id = Person(wanted.email, wanted.pin), request.path_params["share_id"]
    files = {path: base64.b64decode(data, validate=True) for path, data in wanted.files.items()}
    return {"ids": _settled(request).recipients.return_files(share_id, person, files, wanted.message)}
