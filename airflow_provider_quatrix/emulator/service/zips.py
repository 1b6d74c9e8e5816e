"""Several objects as one ZIP archive, made while it is sent."""

from __future__ import annotations

import io
import time
import zipfile
from typing import TYPE_CHECKING

from .names import free_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .tree import Node

_EARLIEST = (1980, 1, 1, 0, 0, 0)


class _Sink(io.RawIOBase):
    """The stream that the archive is written to; it cannot seek."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._pieces.append(piece)
        return len(piece)

    def take(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _entry(name: str, node: Node) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, max(_EARLIEST, time.gmtime(max(0, node.modified))[:6]))


def _members(nodes: Sequence[Node]) -> list[tuple[str, Node]]:
    members: list[tuple[str, Node]] = []
    taken: set[str] = set()
    for top in nodes:
        name = free_name(top.name, taken, is_file=top.is_file)
        taken.add(name)
        above = len(top.path) - len(top.name)
        for node in top.walk():
            path = name + node.path[above + len(top.name) :]
            members.append((path if node.is_file else f"{path}/", node))
    return members


def zip_blocks(nodes: Sequence[Node]) -> Iterator[bytes]:
    """Make an archive; names in it are relative to the selected objects."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for path, node in _members(nodes):
            if not node.is_file:
                archive.writestr(_entry(path, node), b"")
            elif node.content.users:
                with archive.open(_entry(path, node), "w", force_zip64=True) as member:
                    for block in node.content.blocks():
                        member.write(block)
                        yield sink.take()
    yield sink.take()
