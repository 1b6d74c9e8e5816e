"""The calls for contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from ..service.contacts import ContactSpec
from ..web import parameters
from ..web.bodies import json_response
from ..web.credentials import CallerOf, emulator_of

if TYPE_CHECKING:
    from ..service.accounts import User
    from ..service.contacts import Contact, Contacts

router = APIRouter(prefix="/api/1.0/contact")


class NewContact(parameters.Parameters):
    """A contact to make."""

    email: parameters.Text
    name: parameters.Text = ""
    personal: parameters.Flag = False
    groups: parameters.AnyIds | None = None


class ChangedContact(parameters.Parameters):
    """What to change of a contact."""

    email: parameters.Text | None = None
    name: parameters.Text | None = None
    personal: parameters.Flag | None = None
    groups: parameters.AnyIds | None = None


class Deletion(parameters.Parameters):
    """Contacts to delete."""

    ids: parameters.Ids


def _contacts(request: Request) -> Contacts:
    return emulator_of(request).contacts


def _shown(contact: Contact, user: User, groups: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": contact.id,
        "name": contact.spec.name,
        "email": contact.spec.email,
        "type": "P" if contact.spec.personal else "S",
        "status": "A",
        "created": int(contact.created),
        "owner_id": contact.owner_id,
        "readonly": contact.is_readonly(user),
        "has_key": False,
        "groups": [
            {"id": group_id, "name": groups[group_id]["name"], "metadata": None}
            for group_id in contact.spec.groups
            if group_id in groups
        ],
    }


def _answer(request: Request, contact: Contact, user: User, status: int = 200) -> Response:
    return json_response(_shown(contact, user, _groups(request)), status)


def _groups(request: Request) -> dict[str, dict[str, Any]]:
    return {group["id"]: group for group in _contacts(request).groups()}


@router.get("")
async def list_contacts(request: Request, caller: CallerOf) -> Response:
    """List the contacts that the caller sees."""
    groups = _groups(request)
    return json_response([_shown(contact, caller.user, groups) for contact in _contacts(request).visible(caller.user)])


@router.get("/group")
async def list_groups(request: Request, _caller: CallerOf) -> Response:
    """List the groups that contacts can be in."""
    return json_response(_contacts(request).groups())


@router.get("/metadata/{id}")
async def metadata(request: Request, caller: CallerOf) -> Response:
    """Show a contact."""
    return _answer(request, _contacts(request).get(caller.user, request.path_params["id"]), caller.user)


@router.post("/create")
async def create(request: Request, caller: CallerOf) -> Response:
    """Make a contact."""
    wanted = await parameters.read(request, NewContact)
    spec = ContactSpec(wanted.email, wanted.name, wanted.personal, tuple(wanted.groups or ()))
    return _answer(request, _contacts(request).create(caller.user, spec), caller.user, 201)


@router.post("/edit/{id}")
async def edit(request: Request, caller: CallerOf) -> Response:
    """Change a contact. What the body does not name stays."""
    contacts = _contacts(request)
    wanted = await parameters.read(request, ChangedContact)
    contact = contacts.get(caller.user, request.path_params["id"])
    old = contact.spec
    spec = ContactSpec(
        old.email if wanted.email is None else wanted.email,
        old.name if wanted.name is None else wanted.name,
        old.personal if wanted.personal is None else wanted.personal,
        old.groups if wanted.groups is None else tuple(wanted.groups),
    )
    return _answer(request, contacts.edit(caller.user, contact, spec), caller.user)


@router.post("/delete")
async def delete(request: Request, caller: CallerOf) -> Response:
    """Delete contacts. The response is a list."""
    wanted = await parameters.read(request, Deletion)
    return json_response([{"id": gone} for gone in _contacts(request).delete(caller.user, wanted.ids)])
