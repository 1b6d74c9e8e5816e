"""The forms in which the API shows an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import antivirus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..settings import EmulatorSettings
    from .tree import Node


def is_listed(node: Node, settings: EmulatorSettings) -> bool:
    """Whether listings and paths show an object.

    :param settings: whether they hide files that are being uploaded or returned.
    """
    return not (node.unfinished and settings.hide_partial_files) and not (node.unsent and settings.hide_unsent_files)


def listed(nodes: Iterable[Node], settings: EmulatorSettings) -> list[Node]:
    """The objects that listings show.

    :param settings: whether files that are being uploaded are hidden.
    """
    return [node for node in nodes if is_listed(node, settings)]


def size_of(node: Node, settings: EmulatorSettings) -> int:
    """The size in metadata.

    :param settings: how wrong it is.
    :return: bytes of a file, the number of direct children of a folder.
    """
    if node.is_file:
        return node.content.size + settings.hostile_size_offset
    return len(listed(node.children.values(), settings))


def entry(node: Node, settings: EmulatorSettings) -> dict[str, Any]:
    """An object in a list.

    :return: the members of ``FileResp``.
    """
    return {
        "id": node.id,
        "parent_id": None if node.parent is None else node.parent.id,
        "name": node.name,
        "type": node.kind,
        "size": size_of(node, settings),
        "created": int(node.created),
        "modified": int(node.modified),
        "modified_ms": round(node.modified, 6),
        "metadata": None if node.subtype is None else {"subtype": node.subtype, "is_system": True},
        "operations": settings.operations,
        "sub_type": "",
    }


def metadata(node: Node, settings: EmulatorSettings, *, content: bool = False) -> dict[str, Any]:
    """An object by itself.

    :param content: whether to show the content of a folder.
    :return: the members of ``FileMetadataGetResp``.
    """
    children = listed(node.children.values(), settings) if content else []
    return {
        **entry(node, settings),
        "uid": 0,
        "gid": 0,
        "content": [entry(child, settings) for child in children],
    }


def renamed(node: Node, old_name: str, settings: EmulatorSettings) -> dict[str, Any]:
    """An object that was renamed.

    :return: the members of ``FileRenameResp``.
    """
    left_out = ("modified_ms", "sub_type")
    shown = {name: value for name, value in entry(node, settings).items() if name not in left_out}
    return {**shown, "uid": 0, "gid": 0, "old_name": old_name}


def info(node: Node, owner: dict[str, Any], settings: EmulatorSettings, now: float) -> dict[str, Any]:
    """Everything about an object.

    :param now: the emulator's time.
    :return: the members of ``FileInfoResp``.
    """
    return {
        "id": node.id,
        "created": int(node.created),
        "modified": int(node.modified),
        "content_modified": int(node.modified),
        "name": node.name,
        "size": size_of(node, settings),
        "type": node.kind,
        "file_owner": owner,
        "action_role": owner,
        "paths": {node.id: node.path},
        "widget_metadata": {},
        "antivirus_check": antivirus.shown(node, settings, now),
    }
