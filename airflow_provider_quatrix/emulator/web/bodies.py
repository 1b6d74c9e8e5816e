"""Reading and writing JSON bodies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastapi import Response

from ..service.errors import BAD_PARAMETER, ApiError

if TYPE_CHECKING:
    from fastapi import Request

MAX_JSON_BYTES = 1 << 20
JSON = "application/json"


async def read_json(request: Request, limit: int = MAX_JSON_BYTES) -> Any:
    """Read a JSON body.

    :param limit: how many bytes it may have.
    :raises ApiError: 400 when it is not JSON, or too long.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise ApiError(400, BAD_PARAMETER, "The body is too long", headers={"Connection": "close"})
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ApiError(400, BAD_PARAMETER, "The body is not valid JSON") from None


async def read_object(request: Request) -> dict[str, Any]:
    """Read a JSON body that must be an object.

    :raises ApiError: 400 when it is something else.
    """
    value = await read_json(request)
    if not isinstance(value, dict):
        raise ApiError(400, BAD_PARAMETER, "The body is not a JSON object")
    return value


def json_response(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(json.dumps(value, ensure_ascii=False), status, headers, JSON)


def empty_response(status: int = 200) -> Response:
    """Answer as the service does if there is nothing to return: content type JSON, and no content."""
    return Response(b"", status, media_type=JSON)
