"""Paths and names: Quatrix's rules for them, checked before anything is sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_NAME = 255


class InvalidPathError(ValueError):
    """A path that Quatrix or this host would not take, or would take for another; nothing was sent for it."""


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_DRIVE = re.compile(r"^[A-Za-z]:")


def check_name(name: str) -> str:
    """Check the name of a file or folder by the service's rules.

    :param name: a single name.
    :return: the name.
    :raises InvalidPathError: the service would not take it, or would take it for another.
    """
    problem = _name_problem(name)
    if problem:
        raise InvalidPathError(f"The name {_shown(name)} {problem}")
    return name


def _name_problem(name: str) -> str:
    problems = (
        (not name, "is empty"),
        (len(name) > LONGEST_NAME, f"has {len(name)} characters: Quatrix takes {LONGEST_NAME}"),
        (name in (".", ".."), "has a meaning of its own: give the real name"),
        ("/" in name or "\\" in name, "holds a slash or backslash, which Quatrix does not take in names"),
        (_UNPRINTABLE.search(name), "holds a control character, which Quatrix does not take in names"),
        (name.endswith(" "), "ends in a space, which Quatrix does not keep"),
        (_SURROGATE.search(name), "is not valid Unicode: rename the file"),
    )
    return next((problem for wrong, problem in problems if wrong), "")


def _shown(name: str) -> str:
    text = ascii(name)
    return text if len(text) <= 60 else f"{text[:50]}...{text[-1]}"


def split(path: str) -> tuple[str, ...]:
    """Return the names of a path below the home folder.

    :param path: such as ``/reports/2026/july.csv``; a leading slash, a trailing one and doubled ones mean nothing.
    :return: names, empty for the home folder.
    :raises InvalidPathError: a name breaks the service's rules.
    """
    return tuple(check_name(name) for name in path.split("/") if name)


def join(names: Sequence[str]) -> str:
    """Return the path of names below the home folder, with a leading slash."""
    return "/" + "/".join(names)


def is_counted(name: str, wanted: str) -> bool:
    """Tell whether a name is the wanted one, or what counting made of it because that was taken.

    :param name: the name that something got.
    :param wanted: such as ``report.csv``, which may have become ``report(1).csv``.
    """
    stem, dot, ending = wanted.rpartition(".")
    if not stem:
        stem, dot, ending = wanted, "", ""
    return name == wanted or re.fullmatch(rf"{re.escape(stem)}\(\d+\){re.escape(dot + ending)}", name) is not None


def safe_local_name(name: str) -> str:
    """Check a name that the server sent before a local file gets it.

    :param name: from an answer.
    :return: the name.
    :raises InvalidPathError: it could lead out of its folder, or is no name at all.
    """
    problem = _name_problem(name)
    if not problem and _DRIVE.match(name):
        problem = "looks like a drive, and no local file may get it"
    if problem:
        raise InvalidPathError(f"The server sent the name {_shown(name)}, which {problem}")
    return name
