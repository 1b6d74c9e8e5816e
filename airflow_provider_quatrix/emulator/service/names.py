"""Which names objects may have, and how a free name is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import bad_parameter

if TYPE_CHECKING:
    from collections.abc import Container

    from ..settings import EmulatorSettings

LIMIT = 255
_DELETE = "\x7f"


def checked_name(name: str, settings: EmulatorSettings, parameter: str = "name") -> str:
    """Check a name.

    :param settings: how long names may be, and what becomes of spaces at their end.
    :param parameter: its name in a refusal.
    :return: the name that the object gets.
    :raises ApiError: 400 when no object may have it.
    """
    if settings.trailing_space == "strip":
        name = name.rstrip(" ")
    elif settings.trailing_space == "refuse" and name.endswith(" "):
        raise bad_parameter(parameter, "must not end with a space")
    if name in ("", ".", ".."):
        raise bad_parameter(parameter, "must not be empty, '.' or '..'")
    if any(char in "/\\" or char < " " or char == _DELETE for char in name):
        raise bad_parameter(parameter, "must not contain '/', '\\' or control characters")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise bad_parameter(parameter, "contains half of a character") from None
    if (size if settings.name_limit_in == "bytes" else len(name)) > LIMIT:
        raise bad_parameter(parameter, f"must not be longer than {LIMIT} {settings.name_limit_in}")
    return name


def free_name(name: str, taken: Container[str], *, is_file: bool) -> str:
    """Find a free name with a number: if ``test.pgp`` is taken, it becomes ``test(1).pgp``.

    :param taken: names that are in use.
    :param is_file: whether the name may have an extension; a leading dot starts none.
    :return: the wanted name, or the first free one.
    """
    stem, dot, extension = name.rpartition(".") if is_file else ("", "", "")
    if not stem:
        stem, dot, extension = name, "", ""
    number = 0
    free = name
    while free in taken:
        number += 1
        suffix = f"({number}){dot}{extension}"
        free = stem[: max(1, LIMIT - len(suffix))] + suffix
    return free
