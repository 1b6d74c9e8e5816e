"""Finds unfinished uploads of this package that no task will resume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.models import FileKind
from airflow_provider_quatrix.transfer.temporary import is_temporary

if TYPE_CHECKING:
    from airflow_provider_quatrix.api.models import Entry
    from airflow_provider_quatrix.transfer.tree import RemoteTree

WEEK = 7 * 24 * 60 * 60.0


@dataclass(frozen=True)
class Cleaned:
    """What a cleanup has removed, or would remove.

    :param parts: unfinished uploads.
    :param checkpoints: how many checkpoints of transfers.
    """

    parts: tuple[Entry, ...]
    checkpoints: int

    @property
    def size(self) -> int:
        """Bytes of the unfinished uploads."""
        return sum(part.file.size for part in self.parts)


def old_parts(tree: RemoteTree, path: str, older_than: float) -> list[Entry]:
    """Return the unfinished uploads below a folder that nobody has written to for some time.

    :param path: of the folder; the Trash is left out.
    :param older_than: seconds by the service's clock.
    :raises QuatrixNotFound: there is no such folder.
    """
    before = tree.files.listing(tree.folder_id(path)).now - older_than
    return [
        found
        for found in tree.walk(path)
        # A complete upload that is about to get its name has its source's time, but was made a moment ago.
        if is_temporary(found.file.name)
        and found.file.kind is FileKind.FILE
        and max(found.file.created, found.file.modified) < before
    ]
