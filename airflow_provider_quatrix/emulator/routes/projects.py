"""The calls for project folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from ..service.projects import Membership
from ..web import parameters
from ..web.bodies import json_response
from ..web.credentials import SettledCallerOf, emulator_of

if TYPE_CHECKING:
    from ..service.projects import Project, Projects
    from ..service.sessions import Caller

router = APIRouter(prefix="/api/1.0/project-folder")


class UserPermission(parameters.Parameters):
    """A user and what they may do."""

    user_id: parameters.Text
    operations: parameters.Mask
    notify: parameters.Flag = False

    def membership(self) -> Membership:
        """The rule of the service for this."""
        return Membership(self.user_id, self.operations, self.notify)


class NewProject(parameters.Parameters):
    """A folder that becomes a project."""

    file_id: parameters.Text
    name: parameters.Text
    users_permissions: list[UserPermission]


class Permissions(parameters.Parameters):
    """Users of one project."""

    users_permissions: list[UserPermission]


class UserIds(parameters.Parameters):
    """Users."""

    ids: parameters.Ids


class ProjectPermission(parameters.Parameters):
    """A project and what a user may do there."""

    project_id: parameters.Text
    operations: parameters.Mask
    notify: parameters.Flag = True


class UserProjects(parameters.Parameters):
    """What a user may do in several projects."""

    user_id: parameters.Text
    params: list[ProjectPermission]


class SetUsers(parameters.Parameters):
    """Users of several projects."""

    users: Annotated[list[UserProjects], Field(min_length=1)]


class LeftProjects(parameters.Parameters):
    """A user and the projects to leave."""

    user_id: parameters.Text
    project_id: parameters.Ids


class Removal(parameters.Parameters):
    """Users to remove from projects."""

    users: Annotated[list[LeftProjects], Field(min_length=1)]


def _projects(request: Request) -> Projects:
    return emulator_of(request).projects


def _named(request: Request, caller: Caller, *, change: bool = False) -> Project:
    """Find the project whose id is in the path."""
    return _projects(request).get(caller.user, request.path_params["id"], change=change)


def _users(request: Request, project: Project) -> list[dict[str, Any]]:
    return [
        {"user_id": member.user_id, "operations": member.operations, "owns": member.owns, "notify": member.notify}
        for member in _projects(request).members(project)
    ]


@router.get("")
async def list_projects(request: Request, caller: SettledCallerOf) -> Response:
    """List the project folders that the caller may use."""
    return json_response(
        [
            {
                "project_id": project.id,
                "file_id": project.node.id,
                "name": project.node.name,
                "ctime": int(project.created),
                "owner": project.creator.as_dict(),
            }
            for project in _projects(request).visible(caller.user)
        ]
    )


@router.post("/create")
async def create(request: Request, caller: SettledCallerOf) -> Response:
    """Turn a folder into a project folder."""
    wanted = await parameters.read(request, NewProject)
    members = [one.membership() for one in wanted.users_permissions]
    project = _projects(request).create(caller.user, wanted.file_id, wanted.name, members)
    return json_response({"id": project.id, "name": project.node.name}, 201)


@router.get("/metadata/{id}")
async def metadata(request: Request, caller: SettledCallerOf) -> Response:
    """Show a project folder."""
    project = _named(request, caller)
    return json_response(
        {
            "folder_name": project.node.name,
            "created": int(project.created),
            "creator": project.creator.as_dict(),
            "users": _users(request, project),
        }
    )


@router.get("/users/{id}")
async def users(request: Request, caller: SettledCallerOf) -> Response:
    """List the users of a project folder."""
    return json_response(_users(request, _named(request, caller)))


@router.post("/project-users")
async def projects_of_users(request: Request, caller: SettledCallerOf) -> Response:
    """List the project folders of users, as far as the caller sees them."""
    wanted = await parameters.read(request, UserIds)
    projects = _projects(request)
    return json_response(
        [
            {
                "user_id": member.user_id,
                "project_id": project.id,
                "operations": member.operations,
                "owner": member.owns,
                "notify": member.notify,
            }
            for project in projects.visible(caller.user)
            for member in projects.members(project)
            if member.user_id in wanted.ids
        ]
    )


@router.post("/set-users")
async def set_users(request: Request, caller: SettledCallerOf) -> Response:
    """Add users to several project folders, or change what they may do there."""
    wanted = await parameters.read(request, SetUsers)
    projects = _projects(request)
    chosen = [
        (projects.get(caller.user, one.project_id, change=True), Membership(user.user_id, one.operations, one.notify))
        for user in wanted.users
        for one in user.params
    ]
    for project, member in chosen:
        projects.set_members(project, [member])
    return json_response(
        [
            {
                "user_id": member.user_id,
                "project_id": project.id,
                "operations": member.operations,
                "notify": member.notify,
            }
            for project, member in chosen
        ]
    )


@router.post("/add-users/{id}")
async def add_users(request: Request, caller: SettledCallerOf) -> Response:
    """Add users to a project folder."""
    return await _change_users(request, caller, known=False)


@router.post("/edit-users/{id}")
async def edit_users(request: Request, caller: SettledCallerOf) -> Response:
    """Change what users of a project folder may do."""
    return await _change_users(request, caller, known=True)


async def _change_users(request: Request, caller: Caller, *, known: bool) -> Response:
    wanted = await parameters.read(request, Permissions)
    project = _named(request, caller, change=True)
    members = [one.membership() for one in wanted.users_permissions]
    _projects(request).set_members(project, members, known=known)
    return json_response(_users(request, project))


@router.post("/delete-users")
async def delete_users(request: Request, caller: SettledCallerOf) -> Response:
    """Remove users from project folders; the response names those that were removed."""
    wanted = await parameters.read(request, Removal)
    projects = _projects(request)
    chosen = [
        (projects.get(caller.user, project_id, change=True), user.user_id)
        for user in wanted.users
        for project_id in user.project_id
    ]
    return json_response(
        [
            {"user_id": user_id, "project_id": project.id}
            for project, user_id in chosen
            if projects.remove_member(project, user_id)
        ]
    )


@router.get("/delete/{id}")
async def dissolve(request: Request, caller: SettledCallerOf) -> Response:
    """Turn a project folder into a normal folder again."""
    project = _named(request, caller, change=True)
    _projects(request).dissolve(project)
    return json_response({"id": project.id})
