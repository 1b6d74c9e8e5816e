"""Registration and errors of control calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response

from ..service.errors import ApiError, UnknownObjectError
from .bodies import json_response, read_json

if TYPE_CHECKING:
    from fastapi import APIRouter

PREFIX = "/_emulator"
MAX_CONTROL_BYTES = 1 << 26
"""Descriptions of many thousand files are long."""

Handler = Callable[[Request], Awaitable[Any]]


def register(router: APIRouter) -> Callable[[str, str], Callable[[Handler], Handler]]:
    """Make a decorator for the control calls of a module.

    :return: a decorator that takes method and path; errors are returned as ``{"error": …}``.
    """

    def control(method: str, path: str) -> Callable[[Handler], Handler]:
        def add(handler: Handler) -> Handler:
            async def call(request: Request) -> Response:
                try:
                    result = await handler(request)
                except UnknownObjectError as error:
                    return json_response({"error": str(error)}, 404)
                except (ValueError, ApiError) as error:
                    return json_response({"error": str(error)}, 400)
                return json_response({} if result is None else result)

            router.add_api_route(PREFIX + path, call, methods=[method])
            return handler

        return add

    return control


async def body_of(request: Request) -> Any:
    """Read the body of a control call.

    :return: its content; an empty object when there is none.
    :raises ApiError: when it is not JSON.
    """
    if request.headers.get("content-length", "0") == "0":
        return {}
    return await read_json(request, MAX_CONTROL_BYTES)
