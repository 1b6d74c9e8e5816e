"""Decides what a transfer changes at its target: what is sent, kept, made and removed. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.api.files import IfExists
from airflow_provider_quatrix.api.paths import InvalidPathError
from airflow_provider_quatrix.api.versions import Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_quatrix.transfer.sources import Sources

# A path below the target of a transfer, as names.
Names = tuple[str, ...]


@dataclass(frozen=True)
class Changes:
    """What a transfer changes at its target; all paths are below that.

    :param send: files to send.
    :param skip: files that are left as they are.
    :param make: folders to make.
    :param refused: what cannot be sent, as the name is taken.
    :param keep: folders that exist already.
    :param in_the_way: what is removed first, as a file has a folder's name or the other way round.
    :param extra: what is removed last, as the source lacks it; a folder stands for everything in it.
    """

    send: tuple[Names, ...] = ()
    skip: tuple[Names, ...] = ()
    make: tuple[Names, ...] = ()
    refused: tuple[Names, ...] = ()
    keep: tuple[Names, ...] = ()
    in_the_way: tuple[Names, ...] = ()
    extra: tuple[Names, ...] = ()


def wanted_of(folders: Iterable[Names], files: Mapping[Names, Version]) -> dict[Names, Version]:
    """Return everything that a transfer sends, folders ahead of their content.

    :param folders: the known folders.
    :param files: versions of the files; the folders above them are added.
    """
    above = {names[:level] for names in files for level in range(1, len(names))}
    wanted = dict.fromkeys(sorted({*folders, *above}), Version(0, 0.0, is_folder=True))
    return {**wanted, **files}


def compare(
    wanted: Mapping[Names, Version],
    there: Mapping[Names, Version],
    if_exists: IfExists,
    *,
    delete_extra: bool = False,
) -> Changes:
    """Decide what a transfer changes at its target.

    :param wanted: files and folders to send, folders ahead of their content.
    :param there: the content of these folders at the target.
    :param if_exists: what to do about a file whose name is taken.
    :param delete_extra: whether to remove what is there and not wanted.
    :return: what changes.
    """
    done: dict[str, list[Names]] = {what: [] for what in ("send", "skip", "make", "refused", "keep", "in_the_way")}
    for names, version in wanted.items():
        found = there.get(names)
        if found is not None and found.is_folder != version.is_folder and delete_extra:
            done["in_the_way"].append(names)
            found = None
        done[_about(version, found, if_exists)].append(names)
    extra = [names for names in there if names not in wanted] if delete_extra else []
    gone = {*done["in_the_way"], *extra}
    topmost = [names for names in extra if not any(names[:level] in gone for level in range(1, len(names)))]
    return Changes(**{what: tuple(places) for what, places in done.items()}, extra=tuple(topmost))


def _about(version: Version, found: Version | None, if_exists: IfExists) -> str:
    """Return what is done about one path, as the name of the attribute of :class:`Changes`."""
    if found is None:
        return "make" if version.is_folder else "send"
    if found.is_folder != version.is_folder:
        return "refused"
    if version.is_folder:
        return "keep"
    if if_exists is IfExists.FAIL:
        return "refused"
    is_kept = if_exists is IfExists.SKIP or (if_exists is IfExists.UPDATE and version.is_same(found))
    return "skip" if is_kept else "send"


def check_mirror_source(sources: Sources) -> None:
    """Check the source of a mirror.

    :param sources: as given; whether it is a folder is known only later.
    :raises InvalidPathError: several paths, or a pattern.
    """
    if not sources.single:
        raise InvalidPathError(
            "delete_extra is True, but source is a list or pattern: give one folder, as only that shows what is extra"
        )


def check_mirror_target(target: str) -> None:
    """Check the target of a mirror.

    :param target: path of a folder, here or on Quatrix.
    :raises InvalidPathError: it is the home folder or the root of a disk.
    """
    if not target.replace(".", "").strip("/"):
        raise InvalidPathError(
            f"delete_extra is True, but target is {target!r}: give a folder of its own, as what the source lacks is "
            "deleted there"
        )


def check_mirror_selection(selection: Mapping[str, Any]) -> None:
    """Check that a mirror leaves nothing out: what it left out would be extra at the target, and be deleted there.

    :param selection: arguments that say which files of the source are worked on.
    :raises InvalidPathError: one of them is set.
    """
    for name, value in selection.items():
        if (
            name not in ("keep_structure", "on_error")
            and value is not None
            and value is not False
            and (name, value) != ("min_size", 0)
        ):
            raise InvalidPathError(
                f"delete_extra is True, but {name} is {value!r}: give one of them only, as what is left out would "
                "be deleted from the target"
            )


def check_mirror(sources: Sources, target: str, selection: Mapping[str, Any]) -> None:
    """Check all arguments of a mirror.

    :param sources: see :func:`check_mirror_source`.
    :param target: see :func:`check_mirror_target`.
    :param selection: see :func:`check_mirror_selection`.
    :raises InvalidPathError: it would delete what nobody wants to delete.
    """
    check_mirror_source(sources)
    check_mirror_target(target)
    check_mirror_selection(selection)
