"""The rules for files and folders."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import nlargest
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from . import antivirus
from .changes import Changes
from .errors import BAD_PARAMETER, OBJECT_EXISTS, RESTRICTED, ApiError, bad_parameter, not_found
from .jobs import Jobs
from .links import Links
from .names import checked_name, free_name
from .objects import is_listed
from .quota import Quota
from .storage import Storage
from .tree import Tree
from .uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..settings import EmulatorSettings
    from .context import Context
    from .storage import Content
    from .tree import Kind, Node

DAY_SECONDS = 86400.0


@dataclass(frozen=True)
class Resolve:
    """What happens when a name is taken.

    :param count: whether to take a free name with a number; otherwise the call fails.
    :param overwrite: whether to replace the object of that name.
    """

    count: bool = True
    overwrite: bool = False


class Files:
    """Files and folders of all users, with uploads, download links and jobs. An ``owner`` is the key of a user.

    :param folder: for the contents; None for the system's temporary folder.
    """

    def __init__(self, context: Context, folder: str | Path | None = None) -> None:
        self._context = context
        self.tree = Tree()
        self.storage = Storage(folder)
        self.quota = Quota(context, self.tree)
        self.changes = Changes(context)
        self.uploads = Uploads(context, self.tree, self.storage, self.quota, self.changes)
        self.links = Links(context, self.tree)
        self.jobs = Jobs()

    @property
    def settings(self) -> EmulatorSettings:
        """The present settings."""
        return self._context.settings

    @property
    def now(self) -> float:
        """The emulator's time, in seconds since the epoch, rounded to the microsecond."""
        return self._context.now

    def close(self) -> None:
        """Remove all contents from disk."""
        self.storage.close()

    def settle(self) -> None:
        """Run the jobs that are due, and remove what was in the Trash long enough."""
        now = self.now
        self.jobs.run(now, fail=self.settings.job_fails)
        if self.settings.trash_days is None:
            return
        kept = self.settings.trash_days * DAY_SECONDS
        for trash in self.tree.trashes():
            for node in [node for node in trash.children.values() if now - (node.trashed or now) > kept]:
                self.remove(node)

    # Finding

    def home(self, owner: str) -> Node:
        """Find a user's home."""
        return self.tree.home(owner, self.now, system_folders=self.settings.system_folders)

    def inbox(self, owner: str) -> Node:
        """Find a user's Inbox; the home when there is none."""
        home = self.home(owner)
        return next((node for node in home.children.values() if node.subtype == "incoming"), home)

    def get(self, owner: str, node_id: object) -> Node:
        """Find an object by its id.

        :raises ApiError: 404 when there is none, 403 when it is another user's.
        """
        self.home(owner)
        node = self.tree.nodes.get(node_id) if isinstance(node_id, str) else None
        if node is None:
            raise not_found()
        if node.owner != owner:
            raise self._denied()
        return node

    def known(self, owner: str, ids: Iterable[str]) -> list[Node]:
        """Find objects by their ids.

        :return: those that exist, once each.
        :raises ApiError: 404 when none exists, or in strict mode when one does not.
        """
        wanted = dict.fromkeys(ids)
        nodes = [self.get(owner, node_id) for node_id in wanted if node_id in self.tree.nodes]
        if not nodes or (self.settings.strict_delete and len(nodes) < len(wanted)):
            raise not_found()
        return nodes

    def folder(self, owner: str, node_id: object, parameter: str) -> Node:
        """Find the folder for a new object.

        :param node_id: from the request; the home folder when empty.
        :param parameter: its name in a refusal.
        :return: a folder outside the Trash that may be changed.
        :raises ApiError: when there is none.
        """
        node = self.get(owner, node_id) if node_id else self.home(owner)
        if node.is_file:
            raise bad_parameter(parameter, "is not a folder")
        if any(above.kind == "T" for above in node.way_up()):
            raise bad_parameter(parameter, "is in the Trash")
        self.check_changeable(node)
        return node

    def find(self, folder: Node, path: str) -> Node:
        """Find an object by its path.

        :param folder: where the path starts.
        :param path: names with slashes between.
        :raises ApiError: 404 when there is none, or it is hidden.
        """
        node = self.tree.find(folder, path) if not folder.is_file else None
        if node is None or not is_listed(node, self.settings):
            raise not_found()
        return node

    def _denied(self) -> ApiError:
        return ApiError(self.settings.permission_status, RESTRICTED, "No permission")

    def check_readable(self, nodes: Iterable[Node]) -> None:
        """Make sure that the virus check allows to read objects.

        :raises ApiError: 403 when one is locked.
        """
        if self.settings.antivirus_locks and any(antivirus.state_of(node, self.now) for node in nodes):
            raise ApiError(self.settings.permission_status, RESTRICTED, "Locked by the virus check")

    def check_changeable(self, node: Node) -> None:
        """Make sure that the caller may change an object or the content of a folder.

        :raises ApiError: 403 when it is protected.
        """
        if any(above.protected for above in node.way_up()):
            raise self._denied()

    def _check_movable(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if node.is_fixed:
                raise self._denied()
            self.check_changeable(node)

    # Making and renaming

    def pick_name(self, folder: Node, name: str, resolve: Resolve, *, is_file: bool) -> str:
        """Choose the name of an object in a folder.

        :param is_file: whether the name may have an extension.
        :raises ApiError: when the name is taken or not allowed.
        """
        name = checked_name(name, self.settings)
        if name not in folder.children:
            return name
        if not resolve.count:
            raise self._exists(name)
        return free_name(name, folder.children, is_file=is_file)

    def _exists(self, name: str) -> ApiError:
        return ApiError(self.settings.conflict_status, OBJECT_EXISTS, "File exists", {"name": name})

    def make(self, folder: Node, name: str, kind: Kind, resolve: Resolve, content: Content | None = None) -> Node:
        """Make an object.

        :raises ApiError: when the name is taken or not allowed.
        """
        name = self.pick_name(folder, name, resolve, is_file=kind == "F")
        node = self.tree.add(folder, name, kind, self.now, content)
        folder.modified = self.now
        self.changes.add(node, "create")
        return node

    def rename(self, node: Node, name: str, resolve: Resolve) -> str:
        """Rename an object.

        :raises ApiError: when it is not possible.
        """
        self._check_movable([node])
        folder, old_name = _folder_of(node), node.name
        if checked_name(name, self.settings) != old_name:
            name = self.pick_name(folder, name, resolve, is_file=node.is_file)
            self.tree.attach(node, folder, name)
            folder.modified = self.now
            self.changes.add(node, "rename")
        return old_name

    # Copying, moving, deleting

    def copy(self, node: Node, folder: Node, name: str, resolve: Resolve, modified: float | None = None) -> Node:
        """Copy an object, with all that is in it.

        :param modified: modification time of the copy; None for that of the object.
        :raises ApiError: when it is not possible.
        """
        self._check_not_below(node, folder)
        self.quota.check_space(node.owner, node.total())
        if folder.children.get(name) is node and resolve.overwrite:
            node.modified = node.modified if modified is None else modified
            return node
        name = self._make_room(node, folder, name, resolve)
        copy = self._copy(node, folder, name)
        folder.modified = self.now
        if modified is not None:
            copy.modified = modified
        return copy

    def _copy(self, node: Node, folder: Node, name: str) -> Node:
        content = None
        if node.is_file and self.uploads.is_written(node):
            content = self.storage.copy(node.content)
        elif node.is_file:
            content = node.content
            content.users += 1
        copy = self.tree.add(folder, name, "F" if node.is_file else "D", self.now, content)
        for child in list(node.children.values()):
            self._copy(child, copy, child.name)
        copy.modified = node.modified
        copy.virus_check, copy.checked_until = node.virus_check, node.checked_until
        self.changes.add(copy, "create")
        return copy

    def move(self, node: Node, folder: Node, name: str, resolve: Resolve, modified: float | None = None) -> Node:
        """Move an object; it keeps its id.

        :raises ApiError: when it is not possible.
        """
        self._check_movable([node])
        self._check_not_below(node, folder)
        if folder.children.get(name) is not node:
            name = self._make_room(node, folder, name, resolve)
            before = _folder_of(node)
            before.modified = folder.modified = self.now
            self.tree.attach(node, folder, name)
            node.trashed = None
            self.changes.add(node, "move", before)
        if modified is not None:
            node.modified = modified
        return node

    @staticmethod
    def _check_not_below(node: Node, folder: Node) -> None:
        if any(above is node for above in folder.way_up()):
            raise ApiError(400, BAD_PARAMETER, "A folder cannot go into itself")

    def _make_room(self, node: Node, folder: Node, name: str, resolve: Resolve) -> str:
        name = checked_name(name, self.settings)
        old = folder.children.get(name)
        if old is None or not resolve.overwrite:
            return self.pick_name(folder, name, resolve, is_file=node.is_file)
        if old.is_file is not node.is_file or any(above is old for above in node.way_up()):
            raise self._exists(name)
        self._check_movable([old])
        if self.settings.replaced_to_trash:
            self._to_trash(old)
        else:
            self.remove(old)
        return name

    def delete(self, nodes: Iterable[Node], *, permanently: bool) -> None:
        """Put objects into the Trash, or remove those for good that are in it.

        :param permanently: whether to skip the Trash.
        :raises ApiError: when one of them may not be deleted; then nothing has changed.
        """
        nodes = list(nodes)
        self._check_movable(nodes)
        chosen = set(nodes)
        # An object inside another one is deleted with it.
        tops = [node for node in nodes if not chosen.intersection(_above(node))]
        for node in tops:
            if permanently or any(above.kind == "T" for above in node.way_up()):
                self.remove(node)
            else:
                self._to_trash(node)

    def _to_trash(self, node: Node) -> None:
        trash = self.tree.trash(node.owner)
        self.changes.add(node, "delete")
        _folder_of(node).modified = self.now
        self.tree.attach(node, trash, free_name(node.name, trash.children, is_file=node.is_file))
        node.trashed = self.now

    def remove(self, node: Node) -> None:
        """Remove an object for good, without any check."""
        if node.parent is not None:
            node.parent.modified = self.now
        self.changes.add(node, "delete")
        for content in self.tree.remove(node):
            self.storage.release(content)

    def resize(self, node: Node, size: int) -> None:
        """Cut a file, or fill it with zeros.

        :raises ApiError: 400 when that does not fit.
        """
        self.quota.check_file_size(size)
        self.quota.check_space(node.owner, size - node.content.size)
        self.tree.used[node.owner] += size - node.content.size
        node.content = self.storage.resize(node.content, size)
        node.modified = self.now
        self.changes.add(node, "modify")

    # Showing

    def summary(self) -> dict[str, dict[str, int]]:
        """Count files, folders and bytes.

        :return: by user's key: the numbers of files and folders, and bytes, the Trash included.
        """
        owners: dict[str, dict[str, int]] = {}
        for node in self.tree.nodes.values():
            shown = owners.setdefault(node.owner, {"files": 0, "folders": 0, "bytes": self.tree.used[node.owner]})
            if not node.is_fixed:
                shown["files" if node.is_file else "folders"] += 1
        return owners

    def as_list(self, owner: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """List files and folders.

        :param owner: key of a user; None for all.
        :param limit: list only so many, the last changed ones; None for all, sorted by path.
        :return: one entry each, with path, type, size and times.
        """
        nodes = [
            node for node in self.tree.nodes.values() if not node.is_fixed and (owner is None or node.owner == owner)
        ]
        if limit is not None:
            nodes = nlargest(limit, nodes, key=lambda node: node.modified)
        shown = [
            {
                "email": node.owner,
                "path": node.path,
                "id": node.id,
                "type": node.kind,
                "size": node.content.size if node.is_file else len(node.children),
                "modified": node.modified,
                "unfinished": node.unfinished,
                "virus_check": antivirus.state_of(node, self.now) if node.is_file else None,
            }
            for node in nodes
        ]
        return shown if limit is not None else sorted(shown, key=itemgetter("email", "path"))


def _folder_of(node: Node) -> Node:
    if node.parent is None:
        raise ValueError("A home is in no folder")
    return node.parent


def _above(node: Node) -> list[Node]:
    return list(node.way_up())[1:]
