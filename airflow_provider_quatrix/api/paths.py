"""Paths and names: Quatrix's rules for them, checked before anything is sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LONGEST_NAME = 255
# Bytes of a local file's name; no common file system allows more.
_LONGEST_LOCAL_NAME = 255
# A person does not read more.
_MOST_SHOWN = 10


class InvalidPathError(ValueError):
    """A path that Quatrix or this host does not accept, or would change; nothing was sent for it."""


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_COUNT = re.compile(r"(?<=.)\(\d+\)$")


def check_name(name: str) -> str:
    """Check the name of a file or folder by the service's rules.

    :return: the name.
    :raises InvalidPathError: the service would not accept it, or would change it.
    """
    problem = _name_problem(name)
    if problem:
        raise InvalidPathError(f"The name {in_short(name)} {problem}")
    return name


def _name_problem(name: str) -> str:
    problems = (
        (len(name) > LONGEST_NAME, f"has {len(name)} characters: Quatrix takes {LONGEST_NAME}"),
        (name.endswith(" "), "ends in a space, which Quatrix does not keep"),
    )
    return _unsafe(name) or next((problem for wrong, problem in problems if wrong), "")


def _unsafe(name: str) -> str:
    """Return why neither Quatrix nor a local disk accepts a name."""
    problems = (
        (not name, "is empty"),
        (name in (".", ".."), "has a meaning of its own: give the real name"),
        ("/" in name or "\\" in name, "contains a slash or backslash, which Quatrix does not accept in names"),
        (_UNPRINTABLE.search(name), "contains a control character, which Quatrix does not accept in names"),
        (_SURROGATE.search(name), "is not valid Unicode: rename the file"),
    )
    return next((problem for wrong, problem in problems if wrong), "")


def is_path_name(name: str) -> bool:
    """Return whether a name can be a part of a path."""
    return name not in ("", ".", "..") and "/" not in name


def in_short(value: object) -> str:
    """Return any value as text for a message: shortened, and without control characters."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:50]}...{text[-1]}"


def split(path: str) -> tuple[str, ...]:
    """Return the names of a path below the home folder.

    :param path: such as ``/reports/2026/july.csv``; leading, trailing and doubled slashes are ignored.
    :return: names; empty for the home folder.
    :raises InvalidPathError: a name breaks the service's rules.
    """
    return tuple(check_name(name) for name in path.split("/") if name)


def join(names: Sequence[str]) -> str:
    """Return the path of names below the home folder, with a leading slash."""
    return "/" + "/".join(names)


def counted(name: str, number: int) -> str:
    """Return a name with a number, such as ``report(1).csv`` for ``report.csv``."""
    stem, dot, ending = name.rpartition(".")
    return f"{stem}({number}){dot}{ending}" if stem else f"{name}({number})"


def uncounted(name: str) -> str:
    """Return a name without its number, such as ``report.csv`` for ``report(1).csv``."""
    stem, dot, ending = name.rpartition(".")
    if not stem:
        stem, dot, ending = name, "", ""
    return _COUNT.sub("", stem) + dot + ending


def is_counted(name: str, wanted: str) -> bool:
    """Return whether a name is the wanted one, perhaps with a number.

    :param wanted: such as ``report.csv``, which becomes ``report(1).csv`` if it is taken.
    """
    return wanted in (name, uncounted(name))


def by_wanted_name(names: Iterable[str]) -> dict[str, list[str]]:
    """Group names by the names that may have been wanted.

    :param names: such as ``report(1).csv``.
    :return: lists by wanted name; ``report(1).csv`` is listed under ``report.csv`` and under itself.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        for wanted in {name, uncounted(name)}:
            groups.setdefault(wanted, []).append(name)
    return groups


def all_of(found: Sequence[object]) -> str:
    """Return several things as one text: the first ten, and how many more there are."""
    shown = "; ".join(map(str, found[:_MOST_SHOWN]))
    return shown if len(found) <= _MOST_SHOWN else f"{shown}; and {len(found) - _MOST_SHOWN} more"


def safe_local_name(name: str) -> str:
    """Check a name from the server before a local file gets it.

    :return: the name.
    :raises InvalidPathError: it could lead out of its folder, or is not a name.
    """
    problem = _unsafe(name)
    size = len(name.encode("utf-8", "surrogatepass"))
    if not problem and size > _LONGEST_LOCAL_NAME:
        problem = f"has {size} bytes: a local file takes {_LONGEST_LOCAL_NAME}"
    if problem:
        raise InvalidPathError(f"The server sent the name {in_short(name)}, which {problem}")
    return name
