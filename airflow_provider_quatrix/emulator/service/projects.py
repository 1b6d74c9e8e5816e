"""Project folders: folders that several users share."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .errors import RESTRICTED, ApiError, bad_parameter, not_found
from .files import Resolve
from .parties import party_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .accounts import Accounts, User
    from .context import Context
    from .files import Files
    from .parties import Party
    from .tree import Node


@dataclass(frozen=True)
class Membership:
    """What a user may do in a project.

    :param operations: bit mask whose meaning is not published.
    :param notify: whether the user wants to be notified of changes.
    """

    user_id: str
    operations: int
    notify: bool = False
    owns: bool = False


@dataclass(eq=False)
class Project:
    """A project and its folder.

    :param members: by id of the user, without the owner.
    """

    node: Node
    creator: Party
    created: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    members: dict[str, Membership] = field(default_factory=dict)


class Projects:
    """The projects of all users. Their files stay in the home of the owner."""

    def __init__(self, context: Context, accounts: Accounts, files: Files) -> None:
        self._context = context
        self._accounts = accounts
        self._files = files
        self._by_node: dict[str, Project] = {}

    def all(self) -> list[Project]:
        """List all projects whose folder is not in the Trash, also those made by control call."""
        projects = []
        for node in list(self._files.tree.nodes.values()):
            owner = self._accounts.find(node.owner)
            if node.kind == "S" and owner is not None and not any(above.kind == "T" for above in node.way_up()):
                new = Project(node, party_of(owner), node.created)
                projects.append(self._by_node.setdefault(node.id, new))
        return projects

    def visible(self, user: User) -> list[Project]:
        """List the projects of which a user is owner or member."""
        return [project for project in self.all() if project.node.owner == user.spec.key or user.id in project.members]

    def get(self, user: User, project_id: str, *, change: bool = False) -> Project:
        """Find a project.

        :param change: whether it will be changed, which only its owner may do.
        :raises ApiError: 404 when the user sees none, 403 when it is not the user's to change.
        """
        for project in self.visible(user):
            if project.id == project_id:
                if change and project.node.owner != user.spec.key:
                    raise ApiError(self._context.settings.permission_status, RESTRICTED, "No permission")
                return project
        raise not_found("project folder")

    def create(self, user: User, file_id: str, name: str, members: Iterable[Membership]) -> Project:
        """Make a project of a folder.

        :param name: the name to give the folder.
        :raises ApiError: when that is not possible; then nothing has changed.
        """
        node = self._files.get(user.spec.key, file_id)
        if node.kind != "D" or node.is_fixed or any(above.kind == "T" for above in node.way_up()):
            raise bad_parameter("file_id", "is not a folder that can become a project folder")
        members = list(members)
        self._check_users(member.user_id for member in members)
        self._files.rename(node, name, Resolve())
        node.kind = "S"
        project = self._by_node[node.id] = Project(node, party_of(user), self._context.now)
        self.set_members(project, members)
        return project

    def dissolve(self, project: Project) -> None:
        """Make a project a normal folder again; its content stays."""
        project.node.kind = "D"
        del self._by_node[project.node.id]

    def members(self, project: Project) -> list[Membership]:
        """List who may use a project, the owner first."""
        owner = self._accounts.named(project.node.owner)
        own = Membership(owner.id, self._context.settings.operations, owns=True)
        return [own, *project.members.values()]

    def set_members(self, project: Project, members: Iterable[Membership], *, known: bool = False) -> None:
        """Add members, or change what they may do.

        :param known: whether they must be members already.
        :raises ApiError: 404 for an unknown user; then nothing has changed.
        """
        members = list(members)
        self._check_users(member.user_id for member in members)
        if known and not all(member.user_id in project.members for member in members):
            raise not_found("user in this project folder")
        owner_id = self._accounts.named(project.node.owner).id
        # The owner is not a member, whatever the call says.
        project.members.update({member.user_id: member for member in members if member.user_id != owner_id})

    def remove_member(self, project: Project, user_id: str) -> bool:
        """Remove a member.

        :return: whether the user was one.
        """
        return project.members.pop(user_id, None) is not None

    def _check_users(self, ids: Iterable[str]) -> None:
        known = {user.id for user in self._accounts.users}
        if not known.issuperset(ids):
            raise not_found("user")
