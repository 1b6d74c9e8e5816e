"""What the file calls do: the rules of the service, without HTTP."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import nlargest
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from .errors import BAD_PARAMETER, OBJECT_EXISTS, RESTRICTED, ApiError, bad_parameter, not_found
from .jobs import Jobs
from .links import Links
from .names import checked_name, free_name
from .objects import is_listed
from .storage import Storage
from .tree import Tree
from .uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .settings import EmulatorSettings
    from .state import EmulatorState
    from .storage import Content
    from .tree import Kind, Node

DAY_SECONDS = 86400.0


@dataclass(frozen=True)
class Resolve:
    """What happens when a name is taken.

    :param count: whether to take a free name by counting; else the call fails.
    :param overwrite: whether to replace the object of that name.
    """

    count: bool = True
    overwrite: bool = False


class Files:
    """Files and folders of all users, with uploads, download links and jobs.

    :param state: the emulator they belong to: its settings, clock and counters.
    :param folder: where contents are kept; where the system has its temporary files when None.
    """

    def __init__(self, state: EmulatorState, folder: str | Path | None = None) -> None:
        self._state = state
        self.tree = Tree()
        self.storage = Storage(folder)
        self.uploads = Uploads(self)
        self.links = Links(self)
        self.jobs = Jobs()
        self._calls: dict[str, deque[float]] = {}

    @property
    def settings(self) -> EmulatorSettings:
        """How to behave now.

        :return: the emulator's settings.
        """
        return self._state.settings

    @property
    def now(self) -> float:
        """The emulator's time, to the microsecond.

        :return: seconds since the epoch.
        """
        return round(self._state.clock.now(), 6)

    def close(self) -> None:
        """Remove all contents from disk."""
        self.storage.close()

    def settle(self) -> None:
        """Do what time has brought: jobs that are due, and what the Trash has kept long enough."""
        now = self.now
        self.jobs.run(now, fail=self.settings.job_fails)
        if self.settings.trash_days is None:
            return
        kept = self.settings.trash_days * DAY_SECONDS
        for trash in self.tree.trashes():
            for node in [node for node in trash.children.values() if now - (node.trashed or now) > kept]:
                self.remove(node)

    def count_call(self, owner: str) -> None:
        """Count a file call, where their number is limited.

        :param owner: key of the user who makes it.
        :raises ApiError: when there were too many.
        """
        settings = self.settings
        if settings.file_call_limit is None:
            return
        times = self._calls.setdefault(owner, deque())
        now = self._state.clock.now()
        while times and times[0] <= now - settings.file_call_window_seconds:
            times.popleft()
        if len(times) >= settings.file_call_limit:
            raise self._state.too_many("Too many calls", times[0] + settings.file_call_window_seconds - now)
        times.append(now)

    # Finding

    def home(self, owner: str) -> Node:
        """Find a user's home.

        :param owner: key of the user.
        :return: the folder.
        """
        return self.tree.home(owner, self.now, system_folders=self.settings.system_folders)

    def get(self, owner: str, node_id: object) -> Node:
        """Find an object by its id.

        :param owner: key of the user who asks.
        :param node_id: from the request.
        :return: the object.
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

        :param owner: key of the user who asks.
        :param ids: from the request.
        :return: those that exist, once each.
        :raises ApiError: 404 when none exists, or in strict mode when one does not.
        """
        wanted = dict.fromkeys(ids)
        nodes = [self.get(owner, node_id) for node_id in wanted if node_id in self.tree.nodes]
        if not nodes or (self.settings.strict_delete and len(nodes) < len(wanted)):
            raise not_found()
        return nodes

    def folder(self, owner: str, node_id: object, parameter: str) -> Node:
        """Find the folder in which something shall be made.

        :param owner: key of the user who asks.
        :param node_id: from the request; the home folder when empty.
        :param parameter: what to call it in a refusal.
        :return: a folder outside the Trash that may be changed.
        :raises ApiError: when there is none such.
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
        :return: the object.
        :raises ApiError: 404 when there is none, or it is hidden.
        """
        node = self.tree.find(folder, path) if not folder.is_file else None
        if node is None or not is_listed(node, self.settings):
            raise not_found()
        return node

    def _denied(self) -> ApiError:
        return ApiError(self.settings.permission_status, RESTRICTED, "No permission")

    def check_changeable(self, node: Node) -> None:
        """Make sure that the caller may change an object or the content of a folder.

        :param node: the object.
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
        """Decide under which name an object comes into a folder.

        :param folder: the folder.
        :param name: the wanted name.
        :param resolve: what to do when it is taken.
        :param is_file: whether the name may have an extension.
        :return: a free name.
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

        :param folder: where.
        :param name: its name.
        :param kind: of what kind.
        :param resolve: what to do when the name is taken.
        :param content: the bytes of a file.
        :return: the object.
        :raises ApiError: when the name is taken or not allowed.
        """
        name = self.pick_name(folder, name, resolve, is_file=kind == "F")
        node = self.tree.add(folder, name, kind, self.now, content)
        folder.modified = self.now
        return node

    def rename(self, node: Node, name: str, resolve: Resolve) -> str:
        """Rename an object.

        :param node: the object.
        :param name: its new name.
        :param resolve: what to do when the name is taken.
        :return: the old name.
        :raises ApiError: when it is not possible.
        """
        self._check_movable([node])
        folder, old_name = _folder_of(node), node.name
        if checked_name(name, self.settings) != old_name:
            name = self.pick_name(folder, name, resolve, is_file=node.is_file)
            self.tree.attach(node, folder, name)
            folder.modified = self.now
        return old_name

    # Copying, moving, deleting

    def copy(self, node: Node, folder: Node, name: str, resolve: Resolve, modified: float | None = None) -> Node:
        """Copy an object, with all that is in it.

        :param node: the object.
        :param folder: where to.
        :param name: its name there.
        :param resolve: what to do when the name is taken.
        :param modified: modification time of the copy; that of the object when None.
        :return: the copy.
        :raises ApiError: when it is not possible.
        """
        self._check_not_below(node, folder)
        self.check_space(node.owner, node.total())
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
        return copy

    def move(self, node: Node, folder: Node, name: str, resolve: Resolve, modified: float | None = None) -> Node:
        """Move an object; it keeps its id.

        :param node: the object.
        :param folder: where to.
        :param name: its name there.
        :param resolve: what to do when the name is taken.
        :param modified: modification time to give it.
        :return: the object.
        :raises ApiError: when it is not possible.
        """
        self._check_movable([node])
        self._check_not_below(node, folder)
        if folder.children.get(name) is not node:
            name = self._make_room(node, folder, name, resolve)
            _folder_of(node).modified = folder.modified = self.now
            self.tree.attach(node, folder, name)
            node.trashed = None
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
        """Put objects into the Trash, or remove them for good when they are there already.

        :param nodes: the objects.
        :param permanently: whether to do without the Trash.
        :raises ApiError: when one of them may not be deleted; then nothing has happened.
        """
        nodes = list(nodes)
        self._check_movable(nodes)
        chosen = set(nodes)
        # What is inside another one goes with it.
        tops = [node for node in nodes if not chosen.intersection(_above(node))]
        for node in tops:
            if permanently or any(above.kind == "T" for above in node.way_up()):
                self.remove(node)
            else:
                self._to_trash(node)

    def _to_trash(self, node: Node) -> None:
        trash = self.tree.trash(node.owner)
        _folder_of(node).modified = self.now
        self.tree.attach(node, trash, free_name(node.name, trash.children, is_file=node.is_file))
        node.trashed = self.now

    def remove(self, node: Node) -> None:
        """Remove an object for good, whatever speaks against it.

        :param node: the object.
        """
        if node.parent is not None:
            node.parent.modified = self.now
        for content in self.tree.remove(node):
            self.storage.release(content)

    def resize(self, node: Node, size: int) -> None:
        """Cut a file, or fill it with zeros.

        :param node: the file.
        :param size: how many bytes it shall have.
        :raises ApiError: 400 when that does not fit.
        """
        self.check_file_size(size)
        self.check_space(node.owner, size - node.content.size)
        self.tree.used[node.owner] += size - node.content.size
        node.content = self.storage.resize(node.content, size)
        node.modified = self.now

    # Showing

    def summary(self) -> dict[str, dict[str, int]]:
        """How much there is.

        :return: by user's key: the numbers of files and folders, and bytes, the Trash included.
        """
        owners: dict[str, dict[str, int]] = {}
        for node in self.tree.nodes.values():
            shown = owners.setdefault(node.owner, {"files": 0, "folders": 0, "bytes": self.tree.used[node.owner]})
            if not node.is_fixed:
                shown["files" if node.is_file else "folders"] += 1
        return owners

    def as_list(self, owner: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """What there is.

        :param owner: key of a user; None for all.
        :param limit: how many to show, those that were changed last; all, by their paths, when None.
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
            }
            for node in nodes
        ]
        return shown if limit is not None else sorted(shown, key=itemgetter("email", "path"))

    # Space

    def used(self) -> int:
        """How much all users store.

        :return: bytes.
        """
        return self.tree.used.total()

    def check_space(self, owner: str, more: int) -> None:
        """Make sure that something fits.

        :param owner: key of the user who wants to store it.
        :param more: bytes.
        :raises ApiError: 400 when it does not.
        """
        settings = self.settings
        user_full = settings.user_quota is not None and self.tree.used[owner] + more > settings.user_quota
        if more > 0 and (user_full or self.used() + more > settings.account_quota):
            raise ApiError(400, settings.quota_code, "Quota exceeded")

    def check_file_size(self, size: int) -> None:
        """Make sure that a file is not too large.

        :param size: bytes.
        :raises ApiError: 400 when it is.
        """
        limit = self.settings.max_file_size
        if limit is not None and size > limit:
            raise ApiError(400, RESTRICTED, f"A file must not be larger than {limit} bytes")


def _folder_of(node: Node) -> Node:
    if node.parent is None:
        raise ValueError("A home is in no folder")
    return node.parent


def _above(node: Node) -> list[Node]:
    return list(node.way_up())[1:]
