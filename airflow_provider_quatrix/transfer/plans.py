"""What a transfer will do: which files it moves, and to where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from airflow_provider_quatrix.api.paths import InvalidPathError, all_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_provider_quatrix.api.models import RemoteFile
    from airflow_provider_quatrix.api.versions import Version

J = TypeVar("J")


@dataclass(frozen=True)
class UploadJob:
    """One file to upload.

    :param source: local file.
    :param target: path on Quatrix.
    :param names: the parts of its path below the target folder.
    :param version: version of the source when the plan was made.
    """

    source: Path
    target: str
    names: tuple[str, ...]
    version: Version


@dataclass(frozen=True)
class DownloadJob:
    """One file to download.

    :param remote: file on Quatrix.
    :param names: the parts of its path below the target folder.
    :param source: path on Quatrix.
    """

    remote: RemoteFile
    target: Path
    names: tuple[str, ...]
    source: str

    @property
    def version(self) -> Version:
        """Version of the source when the plan was made."""
        return self.remote.version


@dataclass(frozen=True)
class Plan(Generic[J]):
    """What a transfer does.

    :param folders: the folders of the tree, also empty ones, as names below the target.
    :param single: the source was one file, so the result is one file and no list.
    :param gone: files whose sources an earlier try has deleted.
    :param again: an earlier try has made the plan.
    """

    jobs: tuple[J, ...]
    folders: tuple[tuple[str, ...], ...]
    single: bool
    gone: frozenset[tuple[str, ...]] = field(default=frozenset(), kw_only=True)
    again: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class UploadPlan(Plan[UploadJob]):
    """What an upload does.

    :param base: path of the target folder on Quatrix.
    """

    base: str


@dataclass(frozen=True)
class DownloadPlan(Plan[DownloadJob]):
    """What a download does.

    :param base: the local target folder.
    :param left_out: what cannot be downloaded, with the reason.
    """

    base: Path
    left_out: tuple[str, ...] = ()

    def check_complete(self) -> None:
        """Raise if something could not be downloaded. To be called after everything else was.

        :raises InvalidPathError: names it.
        """
        if self.left_out:
            raise InvalidPathError(
                f"{len(self.jobs)} files were downloaded, but not all could be: {all_of(self.left_out)}. Rename "
                "or remove these on Quatrix"
            )


def check_distinct(pairs: Sequence[tuple[str, str]]) -> None:
    """Check that no two files get the same path.

    :param pairs: source and target of each file.
    :raises InvalidPathError: two of them do.
    """
    seen: dict[str, str] = {}
    for source, target in pairs:
        if target in seen:
            raise InvalidPathError(f"{seen[target]!r} and {source!r} would both become {target!r}: rename one of them")
        seen[target] = source
