"""Reading the members of a JSON body, with the refusals that the service has for bad ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .errors import bad_parameter, missing_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

LATEST = 1e11
"""Times beyond the year 5000 are mistakes."""


def text(body: Mapping[str, Any], name: str) -> str:
    """Read a text that must be there.

    :param body: the body.
    :param name: the member.
    :return: the text.
    :raises ApiError: when it is missing or no text.
    """
    if body.get(name) is None:
        raise missing_parameter(name)
    value = body[name]
    if not isinstance(value, str):
        raise bad_parameter(name, "is not a text")
    return value


def optional_text(body: Mapping[str, Any], name: str) -> str:
    """Read a text that may be absent.

    :param body: the body.
    :param name: the member.
    :return: the text, or an empty one.
    :raises ApiError: when it is no text.
    """
    return text(body, name) if body.get(name) is not None else ""


def flag(body: Mapping[str, Any], name: str, *, default: bool) -> bool:
    """Read a truth value.

    :param body: the body.
    :param name: the member.
    :param default: what an absent one means.
    :return: the value.
    :raises ApiError: when it is something else.
    """
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise bad_parameter(name, "is not true or false")
    return value


def ids(body: Mapping[str, Any], name: str = "ids") -> list[str]:
    """Read a list of ids that must not be empty.

    :param body: the body.
    :param name: the member.
    :return: the ids.
    :raises ApiError: when it is missing or something else.
    """
    if body.get(name) is None:
        raise missing_parameter(name)
    value = body[name]
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise bad_parameter(name, "is not a list of ids")
    return value


def whole_number(body: Mapping[str, Any], name: str) -> int | None:
    """Read a number of bytes.

    :param body: the body.
    :param name: the member.
    :return: the number; None when absent.
    :raises ApiError: when it is something else.
    """
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value != value // 1:
        raise bad_parameter(name, "is not a number of bytes")
    return int(value)


def timestamp(body: Mapping[str, Any], name: str) -> float | None:
    """Read a time.

    :param body: the body, or the query.
    :param name: the member.
    :return: Unix seconds, to the microsecond; None when absent.
    :raises ApiError: when it is something else.
    """
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise bad_parameter(name, "is not a time") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise bad_parameter(name, "is not a time")
    if not -LATEST < value < LATEST:
        raise bad_parameter(name, "is too far away")
    return round(float(value), 6)
