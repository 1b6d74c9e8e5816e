"""Parameters in JSON bodies and queries, and the refusals of bad ones."""

from __future__ import annotations

import base64
import binascii
import math
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, PlainValidator, ValidationError
from pydantic_core import PydanticCustomError

from ..service.errors import bad_parameter, missing_parameter
from .bodies import read_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Request

LATEST = 1e11
"""Times beyond the year 5000 are mistakes."""

LONGEST_PAGE = 1000

_REFUSED = "refused"


class Parameters(BaseModel):
    """Members that a call reads; others are ignored, and null counts as absent."""


P = TypeVar("P", bound=Parameters)


def parse(model: type[P], members: Mapping[str, Any]) -> P:
    """Read the members of a body or a query.

    :raises ApiError: 400 for the first one that is missing or bad.
    """
    try:
        return model.model_validate({name: value for name, value in members.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0])
        if first["type"] == "missing":
            raise missing_parameter(name) from None
        raise (bad_parameter(name, first["msg"]) if first["type"] == _REFUSED else bad_parameter(name)) from None


async def read(request: Request, model: type[P]) -> P:
    """Read the JSON body of a request.

    :raises ApiError: 400 when it is not an object, or for the first member that is missing or bad.
    """
    return parse(model, await read_object(request))


def _refused(why: str) -> PydanticCustomError:
    return PydanticCustomError(_REFUSED, why)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _refused("is not a text")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _refused("is not true or false")
    return value


def _ids(value: object) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise _refused("is not a list of ids")
    return value


def _any_ids(value: object) -> list[str]:
    return [] if value == [] else _ids(value)


def _pin(value: object) -> str:
    try:
        pin = base64.b64decode(_text(value), validate=True).decode()
    except (binascii.Error, ValueError):
        raise _refused("is no text in base64") from None
    if not pin:
        raise _refused("is empty")
    return pin


def _mask(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _refused("is not a bit mask")
    return value


def _size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value != value // 1:
        raise _refused("is not a number of bytes")
    return int(value)


def _limit(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LONGEST_PAGE:
        raise _refused(f"is not a number from 1 to {LONGEST_PAGE}")
    return value


def _time(value: object) -> float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise _refused("is not a time") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _refused("is not a time")
    if not -LATEST < value < LATEST:
        raise _refused("is too far away")
    return round(float(value), 6)


# Plain validators, since pydantic's own text type refuses lone surrogates, which JSON can contain.
Text = Annotated[str, PlainValidator(_text)]
Flag = Annotated[bool, PlainValidator(_flag)]
Ids = Annotated[list[str], PlainValidator(_ids)]
"""A list of ids that is not empty."""
AnyIds = Annotated[list[str], PlainValidator(_any_ids)]
"""A list of ids that may be empty."""
Pin = Annotated[str, PlainValidator(_pin)]
"""A PIN, which is sent in base64."""
Mask = Annotated[int, PlainValidator(_mask)]
"""A bit mask."""
Size = Annotated[int, PlainValidator(_size)]
"""A number of bytes."""
Limit = Annotated[int, PlainValidator(_limit)]
"""How many items a page may have, as number or text."""
Time = Annotated[float, PlainValidator(_time)]
"""Unix seconds as number or text, to the microsecond."""
